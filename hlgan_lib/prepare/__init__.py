"""Real datasets into FaceSet files. So far: any folder of pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torchvision.utils import make_grid

from ..data.faces import FaceSet
from ..data.loading import load_faces
from ..errors import HLError
from ..files import save_png

KINDS = ("folder",)
N_SHEET = 64  # pictures on a contact sheet
SHEET_TILE = 64  # pixels a side that small ones are enlarged to


def prepare(
    kind: str,
    src: str | Path,
    out: str | Path,
    *,
    role: str = "hi",
    size: int | None = None,
    contact_sheet: str | Path | None = None,
) -> FaceSet:
    """Read a dataset in its owners' layout, fit it to one size, and write it as a FaceSet file.

    kind: "folder" (any pictures, read recursively). role: "hi" (HR; by default 64 pixels) or
    "lo" (LR; 16); both are centre-cropped and reduced with antialiasing, never enlarged.
    contact_sheet: a PNG of 64 evenly spaced pictures. Raises HLError before anything is written
    where an input or an output cannot be right.
    """
    if kind not in KINDS:
        raise HLError(f"KIND must be one of {', '.join(KINDS)}, got {kind!r}")
    src, out = Path(src).expanduser(), Path(out).expanduser()
    if not src.is_dir():
        raise HLError(f"SRC must be a folder of pictures, got {src}")
    if out.suffix != ".npz":
        raise HLError(f"--out must end in .npz, got {out}")
    if contact_sheet and Path(contact_sheet).suffix.lower() != ".png":
        raise HLError(f"--contact-sheet must end in .png, got {contact_sheet}")
    for path in (out, contact_sheet):
        if path is not None and Path(path).is_dir():
            raise HLError(f"{path} is a folder: give the name of a file")
    faces = load_faces(src, size, role=role)
    assert isinstance(faces, FaceSet)  # of a folder
    out.parent.mkdir(parents=True, exist_ok=True)
    faces.save(out)
    if contact_sheet:
        save_png(Path(contact_sheet), contact(faces))
    return faces


def contact(faces: FaceSet, n: int = N_SHEET) -> torch.Tensor:
    """n evenly spaced pictures, nothing selected -> uint8 (3, H, W).

    Small pictures are enlarged without smoothing.
    """
    chosen = np.unique(np.linspace(0, len(faces) - 1, min(n, len(faces))).astype(int))
    tiles = torch.from_numpy(np.array(faces.images[chosen]))
    factor = max(1, SHEET_TILE // faces.size[0])
    tiles = tiles.repeat_interleave(factor, 2).repeat_interleave(factor, 3)
    return make_grid(tiles, nrow=max(1, int(len(tiles) ** 0.5)), padding=2, pad_value=255)
