"""Scores of sets of faces, all at once: pairs (PSNR, SSIM, LPIPS, consistency) and sets (Frechet, kernel distances).

A number says what it is: `frechet_lite0` is a Frechet distance on EfficientNet-Lite0; only one on Inception is `fid`.
Pictures are in [0, 1] here, but for evaluate, which takes what the rest of the package holds. `docs/metrics.md` says
for each number how it is computed, against what it was checked, and what it must not be compared with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ..data.faces import FaceSet
from ..errors import HLError
from ..rng import subsample
from ..stats import mean_interval
from .distances import frechet, kernel_distance
from .features import device_of, enlarge_lo, extract, face_rate, features, lpips_network, parts_of
from .gap import gap_closed
from .pairs import CHANNELS, WINDOW, consistency, luma, pair_score, psnr, says, ssim
from .protocols import MEASURES, Pictures, drift, score, set_scores, take

__all__ = [
    "METRICS",
    "consistency",
    "drift",
    "enlarge_lo",
    "evaluate",
    "extract",
    "face_rate",
    "features",
    "frechet",
    "gap_closed",
    "kernel_distance",
    "luma",
    "psnr",
    "ssim",
    "subsample",
]

PAIRED = ("psnr", "ssim", "lpips")
DEFAULT = ("psnr", "ssim", "frechet_lite0", "kernel_lite0")
METRICS = (
    "psnr",
    "ssim",
    "consistency",
    "frechet_lite0",
    "kernel_lite0",
    "frechet_lite0_paper",
    "fid",
    "kid",
    "fid_paper",
    "lpips",
)  # the last four need downloads


@torch.no_grad()
def evaluate(
    fake: Pictures,
    real: Pictures,
    paired: bool = False,
    metrics: Sequence[str] | None = None,
    seed: int = 0,
    n_boot: int = 200,
    *,
    channel: str = "rgb",
    border: int = 0,
    lo: Pictures | None = None,
    reduce: str | Callable = "bilinear",
    train: Pictures | None = None,
) -> dict[str, dict]:
    """Scores of made pictures against real ones: {metric: {value, n, ci, floor, floor_n, features, sd, note}}.

    fake, real: FaceSets, or float (N, 3, H, W) in [-1, 1]; with `paired`, fake[i] and real[i] show the same face.
    metrics: of METRICS, by default all that apply and need no download. channel (rgb, y) and border [pixels] are those
    of psnr and ssim. consistency compares reduce(fake) with lo, the poor pictures of the same faces. Names that end in
    _paper follow protocols.PAPER and compare with train, sharp training pictures, instead of real.

    ci: 95 % bootstrap interval over faces. floor, floor_n: of distances, two halves of the reference, floor_n pictures
    each (n where there are enough): what lies near it is no difference. Of psnr, ssim and lpips, likewise one half of
    the real pictures against the other: a sharp face of somebody else, worth no more than a guess. Of consistency, with
    `paired`, the truth's own. features: what was compared and how. sd: of the kernel distance over subsets. Sets are
    compared at equal n: the larger is subsampled by seed, and `note` says so. Pictures under 64x64 are enlarged by
    enlarge_lo before Lite0. HLError for sets, sizes, values or names that do not fit. Source: ours.
    """
    fake, real = _unit("fake", fake), _unit("real", real)
    lo, train = (x if x is None else _unit(name, x) for name, x in (("lo", lo), ("train", train)))
    names = _chosen(metrics, paired, lo)
    _fitting(fake, real, lo, train, paired)
    _looking(names, channel, border, _size(fake))
    result = set_scores(
        [name for name in names if name in MEASURES], fake, real, train, n_boot, seed
    )
    truth, how = real if paired else None, (channel, border, reduce)
    result |= {
        name: _pairwise(name, fake, lo if name == "consistency" else real, truth, n_boot, seed, how)
        for name in names
        if name not in MEASURES
    }
    return {name: result[name] for name in names}


def _pairwise(
    name: str,
    fake: Pictures,
    other: Pictures,
    truth: Pictures | None,
    n_boot: int,
    seed: int,
    how: tuple,
) -> dict:
    """The mean of a score of pairs."""
    device = device_of(fake)
    one = pair_score(name, *how, lpips_network(device) if name == "lpips" else None)
    both = lambda x, y: torch.cat(  # noqa: E731
        [one(a, b).double().cpu() for a, b in zip(parts_of(x, device), parts_of(y, device))]
    )
    values = both(fake, other)
    notes = (
        []
        if values.isfinite().all()
        else ["a picture equals its partner: infinite, without an interval"]
    )
    if name == "consistency":
        floor = None if truth is None else both(truth, other)
    else:
        mixed, half = take(truth, len(truth), seed), len(truth) // 2
        floor = both(mixed[:half], mixed[half : 2 * half])
    beside = {} if floor is None else {"floor": float(floor.mean()), "floor_n": len(floor)}
    return score(
        float(values.mean()),
        len(values),
        mean_interval(values, n_boot, seed),
        says(name, *how),
        note=notes,
        **beside,
    )


# ---- checks ----------------------------------------------------------------------------------------------------------
def _chosen(metrics: Sequence[str] | None, paired: bool, lo: Pictures | None) -> list[str]:
    if isinstance(metrics, str) or (metrics is not None and not len(metrics)):
        raise HLError(
            f"metrics must be a list of at least one of {', '.join(METRICS)}, got {metrics!r}"
        )
    if metrics is None:
        return [m for m in DEFAULT if paired or m not in PAIRED] + ["consistency"] * (
            lo is not None
        )
    for name in metrics:
        if name not in METRICS:
            raise HLError(f"metrics must be of {', '.join(METRICS)}, got {name!r}")
        if name in PAIRED and not paired:
            raise HLError(
                f"{name} compares pairs, got paired=False: pass paired=True with a truth for each picture, "
                "or use frechet_lite0"
            )
        if name == "consistency" and lo is None:
            raise HLError(
                "consistency compares with the poor pictures, got lo=None: pass lo=, in the order of fake"
            )
    return list(metrics)


def _looking(names: list[str], channel: str, border: int, size: tuple[int, int]) -> None:
    if channel not in CHANNELS:
        raise HLError(f"channel must be {' or '.join(CHANNELS)}, got {channel!r}")
    least = WINDOW if "ssim" in names else 1
    if border < 0 or min(size) - 2 * border < least:
        raise HLError(
            f"border must be 0 or more and leave {least} of {min(size)} pixels, got {border}: lower it, or "
            "leave ssim out"
        )


def _fitting(
    fake: Pictures, real: Pictures, lo: Pictures | None, train: Pictures | None, paired: bool
) -> None:
    if _size(fake) != _size(real) or (paired and len(fake) != len(real)):
        raise HLError(
            f"fake and real must have one size{' and be pairs' if paired else ''}, got {len(fake)} of "
            f"{_size(fake)} and {len(real)} of {_size(real)}: did you mix up hi and lo?"
        )
    if lo is not None and (len(lo) != len(fake) or min(_size(lo)) > min(_size(fake))):
        raise HLError(
            f"lo must hold the poor picture of each of the {len(fake)} fakes of {_size(fake)}, got {len(lo)} "
            f"of {_size(lo)}: did you mix up hi and lo?"
        )
    if train is not None and _size(train) != _size(fake):
        raise HLError(
            f"train must be sharp pictures of {_size(fake)}, got {_size(train)}: did you pass lo?"
        )
    for other in (real if paired else None, lo):
        if isinstance(fake, FaceSet) and isinstance(other, FaceSet):
            _same_faces(fake, other)


def _size(x: Pictures) -> tuple[int, int]:
    return tuple((x.images if isinstance(x, FaceSet) else x).shape[-2:])


def _unit(name: str, x: Pictures) -> FaceSet | Tensor:
    """Checked; a tensor comes back in [0, 1]."""
    if len(x) < 2:
        raise HLError(f"{name} must hold at least 2 pictures, got {len(x)}: give more")
    if isinstance(x, FaceSet):
        return x
    if not torch.is_floating_point(x) or x.ndim != 4 or x.shape[1] != 3:
        raise HLError(
            f"{name} must be a FaceSet or float (N, 3, H, W) in [-1, 1], got {x.dtype} {tuple(x.shape)}: "
            "see data.to_float"
        )
    if not (x.amin() >= -1.001 and x.amax() <= 1.001):
        raise HLError(
            f"{name} must lie in [-1, 1], got {float(x.amin()):.3g} to {float(x.amax()):.3g}: clip it, or "
            "see data.to_float"
        )
    return (x.float().clamp(-1, 1) + 1) / 2


def _same_faces(fake: FaceSet, real: FaceSet) -> None:
    for a, b in zip(fake.names, real.names):
        if Path(a).with_suffix("") != Path(b).with_suffix(""):
            raise HLError(
                f"pairs must have the same names in the same order, got {a} beside {b}: rename or sort them, "
                "or pass tensors (FaceSet.batch), which are taken in order"
            )
