"""The faces that come with the library: four sets of people who do not exist, cut from mosaics.

| name | faces | what for |
|---|---|---|
| `faces:train-hi` | 3000 HR | training |
| `faces:train-lo` | 4800 LR, four each of 1200 other people | training, unpaired |
| `faces:val` | 200 pairs | choosing settings |
| `faces:test` | 600 pairs | reported numbers only |

No person is in two sets. The LR images were taken by `degradations.Camera`; what it drew for each
shot of the last two sets is shipped too (`load_camera_params`), so a learned degradation can be
held against the ground truth.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..errors import HLError
from .faces import FaceSet, Pairs

SHIPPED = Path(__file__).parents[1] / "faces"
BUILT_IN = ("faces:train-hi", "faces:train-lo", "faces:val", "faces:test")
SIZES = {"hi": 64, "lo": 16}  # the paper's two sizes, pixels a side


def built_in(name: str, role: str | None = None) -> FaceSet | Pairs:
    """A shipped set by its name.

    Args:
        name: one of BUILT_IN; ":hi" or ":lo" behind it picks one side of pairs.
        role: "hi" or "lo" picks a side too, None takes both where there are two.

    Returns:
        One FaceSet, or Pairs where the set has two sides and none was picked.

    Raises:
        HLError: for another name, and for a side that the set does not have.
    """
    split, _, side = name.removeprefix("faces:").partition(":")
    if f"faces:{split}" not in BUILT_IN or side not in ("", *SIZES):
        raise HLError(
            f"built-in faces must be one of {', '.join(BUILT_IN)}, the last two with :hi or :lo "
            f"where one side is asked for, got {name}"
        )
    held = [s for s in SIZES if s in _meta()["splits"][split]]
    for wanted in (side, role):
        if wanted and wanted not in held:
            raise HLError(
                f"faces:{split} holds {held[0]} pictures only, got a request for {wanted}: use "
                f"faces:train-{wanted}"
            )
    if side and role and side != role:
        raise HLError(f"{name} asks for {side} where {role} is needed: use faces:{split}:{role}")

    only = held[0] if len(held) == 1 else ""
    picked = side or role or only
    if picked:
        return _shipped(split, picked)
    return Pairs(_shipped(split, "hi"), _shipped(split, "lo"))


def load_camera_params(name: str) -> dict[str, np.ndarray]:
    """What the camera drew for each shot of a set of pairs: the ground truth of its degradation.

    Args:
        name: "faces:val" or "faces:test".

    Returns:
        parameter -> (N, ...), a row an image of the set, with the names and units of `Camera.draw`.

    Raises:
        HLError: for another name.
    """
    split = _meta()["splits"].get(name.removeprefix("faces:"), {})
    if "params" not in split:
        raise HLError(f"camera parameters are shipped for faces:val and faces:test, got {name}")
    with np.load(SHIPPED / split["params"], allow_pickle=False) as file:
        return {key: file[key] for key in file.files}


@lru_cache(maxsize=1)
def _meta() -> dict[str, Any]:
    """What meta.json says of the mosaics: files, people, shots, checksums."""
    try:
        return json.loads((SHIPPED / "meta.json").read_text())
    except OSError as error:
        raise HLError(
            f"the shipped faces are missing from {SHIPPED}: install hlgan_lib again"
        ) from error


@lru_cache(maxsize=8)
def _shipped(split: str, side: str) -> FaceSet:
    """One side of a set: a mosaic cut into its tiles, row by row."""
    meta = _meta()["splits"][split]
    s = SIZES[side]
    with Image.open(SHIPPED / meta[side]) as image:
        mosaic = np.asarray(image.convert("RGB"))

    n_down, n_across = mosaic.shape[0] // s, mosaic.shape[1] // s
    tiles = mosaic.reshape(n_down, s, n_across, s, 3)
    tiles = tiles.transpose(0, 2, 4, 1, 3).reshape(-1, 3, s, s)
    names = _names(meta["first"], meta["people"], meta["shots"])
    return FaceSet(np.ascontiguousarray(tiles), names, f"faces:{split}")


def _names(first: int, n_people: int, n_shots: int) -> tuple[str, ...]:
    """A name a tile: iiiii.png of person i, or iiiii-k.png of shot k where each has several."""
    names = []
    for i in range(first, first + n_people):
        if n_shots == 1:
            names.append(f"{i:05d}.png")
        else:
            names.extend(f"{i:05d}-{k}.png" for k in range(n_shots))
    return tuple(names)
