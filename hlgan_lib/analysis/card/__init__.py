"""The degradation card: everything measured of one degradation, beside bilinear and beside the truth where it is known.

With users' own faces, sharp ones of some people and poor ones of others, nobody knows what the poor ones looked like
before: what needs pairs of real shots is None, and the first verdict says so.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...data.builtin import load_camera_params
from ...data.loading import load_faces
from ...degradations import Degradation
from ...degradations.camera import Camera
from ...degradations.handmade import bilinear
from ...errors import HLError
from ...files import out_folder, save_json
from ...health import CHECKS, Z_IGNORED, z_spread
from ...inference import load_weights, shots
from ...networks.paper import HighToLow
from ...stats import draws, interval
from ...viz.canvas import save_figure
from ..noise_colour import colour_shift, noise_curve, over_shots
from ..z_directions import z_directions
from .numbers import (
    N_DRAWS,
    distances,
    likeness,
    number,
    of_faces,
    of_maker,
    of_pairs,
    of_set,
    shares,
)
from .words import verdicts

N_FACES_Z, AT_LEAST, N_FILES = 6, 40, 600


def degradation_card(
    degradation: str | Degradation | HighToLow,
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
    """Everything that is measured of a degradation, as a dict that JSON holds.

    degradation: as in `inference.shots`. hi (N, 3, S, S) sharp, lo (M, 3, s, s) poor, in [-1, 1]. paired: hi[i] and
    lo[i] show the same face. truth "camera": lo was taken by `degradations.Camera` (paired only), so that its kernel
    and its spread over shots are known too; drawn: the parameters of those shots. n_z: as in `z_directions`, 0 leaves
    them out.
    Keys: about; ways: real, learned, bilinear -> numbers and curves; way: share of the way from bilinear to real;
    likeness of curves; distances to poor faces of other people; z; directions; drawn; verdicts. A number is
    {"value", "ci", "n"} with its 95 % interval over faces, or None where it cannot be known. HLError for sets that do
    not fit. Source: ours.
    """
    _check(hi, lo, paired, truth)
    size, net = lo.shape[-1], _network(degradation)
    makers = {
        "real": truth,
        "learned": net or degradation,
        "bilinear": lambda x, _: bilinear(x, size),
    }
    los = {"real": lo} | {k: shots(makers[k], hi, 1, seed)[0] for k in ("learned", "bilinear")}
    faces = {k: of_pairs(hi, x) for k, x in los.items() if paired or k != "real"}
    ways = {
        k: of_set(x, n_boot) | of_faces(faces.get(k), n_boot) | of_maker(makers[k], hi, seed)
        for k, x in los.items()
    }
    like = likeness(los, faces, {k: w["kernel"] for k, w in ways.items()}, n_boot)
    for w in ways.values():
        w["kernel"] = None if w["kernel"] is None else w["kernel"].mean(0).tolist()
    card = {
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
        "likeness": like,
        "distances": distances(makers, hi, lo, seed, n_boot),
        "z": _z(makers["learned"], hi, seed),
        "directions": _directions(net, hi, n_z, seed),
        "drawn": _drawn(drawn, faces.get("real"), hi, size, n_boot),
    }
    return _plain(card | {"verdicts": verdicts(card)})


def _check(hi: Tensor, lo: Tensor, paired: bool, truth: str | None) -> None:
    for name, x in (("hi", hi), ("lo", lo)):
        if x.ndim != 4 or x.shape[1] != 3 or not x.is_floating_point():
            raise HLError(
                f"{name} must be float (N, 3, s, s) in [-1, 1], got {x.dtype} {tuple(x.shape)}: take it from "
                "FaceSet.batch"
            )
        if len(x) < AT_LEAST:
            raise HLError(
                f"{name} must hold at least {AT_LEAST} faces, got {len(x)}: a card of fewer says nothing; "
                "give more pictures"
            )
    if paired and len(hi) != len(lo):
        raise HLError(
            f"paired hi and lo must show the same faces, got {len(hi)} and {len(lo)}: pass paired=False"
        )
    if truth not in (None, "camera") or truth and not paired:
        raise HLError(
            f"truth must be None, or 'camera' for pairs taken by Camera, got {truth!r} with paired={paired}"
        )


def _network(degradation: str | Degradation | HighToLow) -> HighToLow | None:
    """The H2L behind it, or None where it is none."""
    if isinstance(degradation, str) and degradation.startswith("learned:"):
        return load_weights(degradation.removeprefix("learned:"), stage="h2l")
    return degradation if isinstance(degradation, HighToLow) else None


def _z(maker: Any, hi: Tensor, seed: int) -> dict:
    """How far the same face moves under other z, with the alarm of `health` where it hardly does."""
    spread = z_spread(shots(maker, hi[:AT_LEAST], N_DRAWS, seed))
    words = next(c.words for c in CHECKS if c.name == "z ignored")
    return {
        "z_spread": spread,
        "threshold": Z_IGNORED,
        "ignored": spread < Z_IGNORED,
        "words": words if spread < Z_IGNORED else None,
    }


def _directions(net: HighToLow | None, hi: Tensor, n_z: int, seed: int) -> dict | None:
    if net is None or not net.kinds or not n_z:
        return None
    d = z_directions(net, hi[:N_FACES_Z], n_z=max(n_z, 6 * net.cfg.z_dim), seed=seed)
    return {
        k: v.tolist() if isinstance(v, Tensor) else v for k, v in vars(d).items() if k != "steepest"
    }


def _drawn(
    drawn: dict[str, Tensor] | None,
    real: dict[str, Tensor] | None,
    hi: Tensor,
    size: int,
    n_boot: int,
) -> dict | None:
    """The truth of colour and noise, from what the camera drew.

    Of exposure, warmth, tint: the spread drawn, and how well what is measured follows it. Of noise: what changes
    between three shots with the same parameters and new noise, so that JPEG and aliasing play no part.
    """
    if drawn is None or real is None:
        return None
    ev, out = drawn["exposure_ev"].double()[:, None] + drawn["white_balance"].double().log2(), {}
    for name, true in colour_shift(ev).items():
        both = torch.stack((true, real[name]), 1)
        r = torch.stack([torch.corrcoef(both[i].T)[0, 1] for i in draws(len(both), n_boot, 0)])
        out[name] = {
            "spread": number(true, "spread", n_boot),
            "correlation": {
                "value": torch.corrcoef(both.T)[0, 1].item(),
                "ci": interval(r),
                "n": len(both),
            },
        }
    camera = Camera(size=size)
    again = torch.stack(
        [camera.shoot(hi, drawn, torch.Generator().manual_seed(s)) for s in range(3)]
    )
    level, deviation = over_shots(again)
    curve = noise_curve(level, deviation)
    out["noise alone"] = number(deviation.square().mean((0, 2, 3, 4)).sqrt(), "rms", n_boot)
    return out | {"noise curve": {"x": curve.x.tolist(), "y": curve.y.tolist()}}


def card_files(
    weights: str, hi: str, lo: str, out: str | Path, seed: int = 0
) -> tuple[dict, list[Path]]:
    """The card of an H2L as out/card.json and out/card.png; at most N_FILES of each set, evenly spaced.

    hi, lo: as in `load_faces`. The truth is known where both are one of faces:val and faces:test; else nothing is
    assumed of who is in them. HLError before anything is measured where weights, sets or folder cannot be right.
    """
    from ...viz.card import draw_card

    out = out_folder(out)
    net = load_weights(weights, stage="h2l")
    split = hi.removesuffix(":hi")
    paired = split in ("faces:val", "faces:test") and lo.removesuffix(":lo") == split
    sharp, poor = (
        load_faces(hi, net.cfg.size_hi if not hi.startswith("faces:") else None, role="hi"),
        load_faces(lo, net.cfg.size_lo if not lo.startswith("faces:") else None, role="lo"),
    )
    a, b = (faces.batch(slice(None, None, -(-len(faces) // N_FILES))) for faces in (sharp, poor))
    drawn = (
        {k: torch.from_numpy(v) for k, v in load_camera_params(split).items()} if paired else None
    )
    card = degradation_card(
        net, a, b, paired=paired, truth="camera" if paired else None, drawn=drawn, seed=seed
    )
    card["about"] |= {"weights": str(weights), "hi": hi, "lo": lo}
    save_json(out / "card.json", card)
    n = min(14, len(a), len(b))
    spoilt = shots(net, a[:n], 2, seed)
    rows = {
        "sharp": a[:n],
        "bilinear": bilinear(a[:n], b.shape[-1]),
        "learned, z 1": spoilt[0],
        "learned, z 2": spoilt[1],
        "camera's shot" if paired else "poor, other people": b[:n],
    }
    return card, [
        out / "card.json",
        save_figure(draw_card(card, rows, name=str(weights)), out / "card.png"),
    ]


def _plain(x: Any) -> Any:
    """The same with numbers of five digits, NaN as None."""
    if isinstance(x, dict):
        return {str(k): _plain(v) for k, v in x.items()}
    if isinstance(x, (list, tuple)):
        return [_plain(v) for v in x]
    if isinstance(x, float):
        return float(f"{x:.5g}") if math.isfinite(x) else None
    return x
