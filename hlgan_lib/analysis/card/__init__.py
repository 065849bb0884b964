"""The degradation card: all that is measured of a degradation, beside bilinear and the camera.

With users' own faces, HR faces of some people and LR faces of others, nobody knows what the LR ones
looked like before: what needs pairs of real shots is None, and the first verdict says so.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...data.builtin import load_camera_params
from ...data.faces import FaceSet
from ...data.loading import load_faces
from ...degradations import Degradation
from ...degradations.handmade import bilinear
from ...errors import HLError
from ...files import out_folder, save_json
from ...health import CHECKS, Z_IGNORED, z_spread
from ...inference import load_weights, shots
from ...metrics.score import Score
from ...networks import H2L, LearnedCamera
from ...text import shown as printable
from ...viz.canvas import save_figure
from ..camera_law import NUMBERS, coupling, learned_law, true_law
from ..z_directions import z_directions
from .drawn import of_camera
from .numbers import N_DRAWS, distances, likeness, of_faces, of_maker, of_pairs, of_set, shares
from .words import verdicts

N_FACES_Z = 6  # faces whose pictures show what z does
AT_LEAST = 40  # faces of a card
N_FILES = 600  # pictures of each set that `card_files` takes
N_SHOWN = 14  # faces on the page
FILES = ("card.json", "card.png", "manifest.json")  # what `card_files` writes
WITH_TRUTH = ("faces:val", "faces:test")  # pairs taken by the camera


def degradation_card(
    degradation: str | Degradation | H2L,
    hi: Tensor,
    lo: Tensor,
    *,
    paired: bool,
    truth: str | None = None,
    drawn: dict[str, Tensor] | None = None,
    seed: int = 0,
    n_boot: int = 200,
    n_z: int = 512,
) -> dict:
    """Everything that is measured of a degradation, as a dict that JSON holds. Source: ours.

    Args:
        degradation: as in `inference.shots`.
        hi: HR faces (N, 3, S, S) in [-1, 1], 40 or more.
        lo: LR faces (M, 3, s, s) in [-1, 1], 40 or more.
        paired: hi[i] and lo[i] show the same face.
        truth: "camera": lo was taken by `degradations.Camera` (paired only), so that its kernel and
            its spread over shots are known too.
        drawn: the parameters of those shots, `data.load_camera_params` as tensors.
        seed: of all that is random.
        n_boot: rounds of the bootstrap over faces.
        n_z: as in `z_directions`; 0 leaves the directions out.

    Returns:
        about; ways: real, learned, bilinear -> numbers and curves; way: share of the way from
        bilinear to real; likeness of curves; distances to LR faces of other people; z; directions;
        law (of a learned camera's numbers); drawn; verdicts. A number is {"value", "ci", "n"} with
        its 95 % interval over faces, or None where it cannot be known.

    Raises:
        HLError: for sets that do not fit.
    """
    _check(hi, lo, paired, truth)
    size, net = lo.shape[-1], _network(degradation)
    makers: dict[str, Any] = {
        "real": truth,
        "learned": net or degradation,
        "bilinear": lambda x, _: bilinear(x, size),
    }

    # One LR picture of each face, and what each pair shows; the real ones are pairs only if told.
    los = {"real": lo}
    faces = {"real": of_pairs(hi, lo)} if paired else {}
    for name in ("learned", "bilinear"):
        los[name] = shots(makers[name], hi, 1, seed)[0]
        faces[name] = of_pairs(hi, los[name])

    ways, kernels = {}, {}
    for name, pictures in los.items():
        of_name = of_set(pictures, n_boot) | of_faces(faces.get(name), n_boot)
        ways[name] = of_name | of_maker(makers[name], hi, seed)
        # The card shows the mean kernel; its interval needs that of each group.
        kernels[name] = taps = ways[name]["kernel"]
        ways[name]["kernel"] = None if taps is None else taps.mean(0).tolist()

    of_drawn = None
    if drawn is not None and paired:
        of_drawn = of_camera(drawn, faces["real"], hi, size, n_boot)
    card = _stored(
        {
            "about": {
                "n_hi": len(hi),
                "n_lo": len(lo),
                "paired": paired,
                "truth": truth,
                "size": size,
                "seed": seed,
            },
            "ways": ways,
            "way": shares(faces, n_boot) if paired else None,
            "likeness": likeness(los, faces, kernels, n_boot),
            "distances": distances(makers, hi, lo, seed, n_boot),
            "z": _z(makers["learned"], hi, seed),
            "directions": _directions(net, hi, n_z, seed),
            "law": _law(net, los, hi, truth),
            "drawn": of_drawn,
        }
    )
    return _rounded(card | {"verdicts": verdicts(card)})


def _check(hi: Tensor, lo: Tensor, paired: bool, truth: str | None) -> None:
    for name, x in (("hi", hi), ("lo", lo)):
        if x.ndim != 4 or x.shape[1] != 3 or not x.is_floating_point():
            raise HLError(
                f"{name} must be float (N, 3, s, s) in [-1, 1], got {x.dtype} {tuple(x.shape)}: "
                "take it from FaceSet.batch"
            )
        if len(x) < AT_LEAST:
            raise HLError(
                f"{name} must hold at least {AT_LEAST} faces, got {len(x)}: a card of fewer says "
                "nothing; give more pictures"
            )
    if paired and len(hi) != len(lo):
        raise HLError(
            f"paired hi and lo must show the same faces, got {len(hi)} and {len(lo)}: "
            "pass paired=False"
        )
    if truth not in (None, "camera") or (truth and not paired):
        raise HLError(
            f"truth must be None, or 'camera' for pairs taken by Camera, got {truth!r} with "
            f"paired={paired}: leave it out"
        )


def _network(degradation: Any) -> Any:
    """The H2L behind it, or None where it is none."""
    if isinstance(degradation, str) and degradation.startswith("learned:"):
        return load_weights(degradation.removeprefix("learned:"), stage="h2l")
    return degradation if isinstance(degradation, H2L) else None


def _z(maker: Any, hi: Tensor, seed: int) -> dict[str, Any]:
    """How far a face moves under other z, with the alarm of `health` where it hardly does."""
    spread = z_spread(shots(maker, hi[:AT_LEAST], N_DRAWS, seed))
    ignored = spread < Z_IGNORED
    words = next(check.words for check in CHECKS if check.name == "z ignored")
    return {
        "z_spread": spread,
        "threshold": Z_IGNORED,
        "ignored": ignored,
        "words": words if ignored else None,
    }


def _directions(net: Any, hi: Tensor, n_z: int, seed: int) -> dict[str, Any] | None:
    """`z_directions` of a network that has them, as lists."""
    if net is None or not net.takes_z or not n_z:
        return None
    found = z_directions(net, hi[:N_FACES_Z], n_z=max(n_z, 6 * net.cfg.z_dim), seed=seed)
    stored = {}
    for name, value in vars(found).items():
        if name != "steepest":
            stored[name] = value.tolist() if isinstance(value, Tensor) else value
    return stored


def _law(net: Any, los: dict[str, Tensor], hi: Tensor, truth: str | None) -> dict[str, Any] | None:
    """Of a learned camera: mean and spread of its numbers, and how much of a face's own it keeps.

    Beside them the camera's, where it is known.
    """
    if not isinstance(net, LearnedCamera):
        return None
    laws = {"learned": learned_law(net)}
    kept = {"learned": coupling(los["learned"], hi)}
    if truth:
        laws["camera"] = true_law()
        kept["camera"] = coupling(los["real"], hi)
    numbers: dict[str, dict[str, Any]] = {}
    for name, unit in NUMBERS.items():
        numbers[name] = {"unit": unit}
        for label, law in laws.items():
            numbers[name][label] = [law[name].mean().item(), law[name].std().item()]
    return {"numbers": numbers, "keeps": kept}


# ---- files ---------------------------------------------------------------------------------------
def card_files(
    weights: str, hi: str, lo: str, out: str | Path, seed: int = 0
) -> tuple[dict, list[Path]]:
    """The card of an H2L as out/card.json and out/card.png.

    The camera is known where both sets are one of faces:val and faces:test; else nothing is assumed
    of who is in them.

    Args:
        weights: of an H2L, as in `load_weights`.
        hi: HR faces, as in `load_faces`; of each set at most N_FILES, evenly spaced.
        lo: LR faces, likewise.
        out: the folder.
        seed: as in `degradation_card`.

    Returns:
        The card, and the two files.

    Raises:
        HLError: before anything is measured, where weights, sets or folder cannot be right.
    """
    from ...viz.card import draw_card

    out = out_folder(out)
    net: Any = load_weights(weights, stage="h2l")
    split = hi.removesuffix(":hi")
    paired = split in WITH_TRUTH and lo.removesuffix(":lo") == split
    hi_faces = _evenly(_load(hi, net.cfg.size_hi, "hi"))
    lo_faces = _evenly(_load(lo, net.cfg.size_lo, "lo"))
    drawn = None
    if paired:
        params = load_camera_params(split)
        drawn = {name: torch.from_numpy(values) for name, values in params.items()}

    truth = "camera" if paired else None
    card = degradation_card(
        net, hi_faces, lo_faces, paired=paired, truth=truth, drawn=drawn, seed=seed
    )
    sources = {"weights": weights, "hi": hi, "lo": lo}
    card["about"] |= {name: printable(source) for name, source in sources.items()}
    save_json(out / "card.json", card)

    n = min(N_SHOWN, len(hi_faces), len(lo_faces))
    shown = hi_faces[:n]
    learned = shots(net, shown, 2, seed)
    rows = {
        "HR": shown,
        "bilinear": bilinear(shown, lo_faces.shape[-1]),
        "learned, z 1": learned[0],
        "learned, z 2": learned[1],
        "camera's shot" if paired else "LR, other people": lo_faces[:n],
    }
    page = save_figure(draw_card(card, rows, name=printable(weights)), out / "card.png")
    return card, [out / "card.json", page]


def _load(source: str, size: int, role: str) -> FaceSet:
    """One side of a source; users' own pictures are brought to the network's size."""
    faces = load_faces(source, None if source.startswith("faces:") else size, role=role)
    if not isinstance(faces, FaceSet):
        raise HLError(f"{source} holds pairs: ask for {source}:{role}")
    return faces


def _evenly(faces: FaceSet) -> Tensor:
    """At most N_FILES of them, evenly spaced."""
    step = -(-len(faces) // N_FILES)  # rounded up
    return faces.batch(slice(None, None, step))


def _stored(x: Any) -> Any:
    """The same with each Score as {"value", "ci", "n"}."""
    if isinstance(x, Score):
        return x.as_dict("value", "ci", "n")
    if isinstance(x, dict):
        return {str(key): _stored(value) for key, value in x.items()}
    return x


def _rounded(x: Any) -> Any:
    """The same with numbers of five digits, NaN as None, and lists for tuples."""
    if isinstance(x, dict):
        return {key: _rounded(value) for key, value in x.items()}
    if isinstance(x, (list, tuple)):
        return [_rounded(value) for value in x]
    if isinstance(x, float):
        return float(f"{x:.5g}") if math.isfinite(x) else None
    return x
