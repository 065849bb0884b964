"""Scores of pairs and of sets of faces, all at once.

A number says what it is: `frechet_lite0` is a Fréchet distance on EfficientNet-Lite0; only one on
Inception is `fid`. `docs/metrics.md` says for each number how it is computed, against what it was
checked, and what it must not be compared with.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..data.faces import (
    TO_SIGNED,
    FaceSet,
    check_range,
    check_tensor,
    is_unit_range,
    unit_range,
)
from ..data.matching import partners
from ..errors import HLError
from ..stats import mean_interval
from .features import device_of, lpips_network, parts_of
from .pairs import CHANNELS, WINDOW, describe, pair_score
from .score import Score
from .set_scores import MEASURES, Pictures, set_scores, take

PAIRED = ("psnr", "ssim", "lpips")
DEFAULT = ("psnr", "ssim", "frechet_lite0", "kernel_lite0")
METRICS = (
    "psnr",
    "ssim",
    "consistency",
    "frechet_lite0",
    "kernel_lite0",
    "frechet_lite0_paper",
    # These need downloads:
    "fid",
    "kid",
    "fid_paper",
    "lpips",
)
LEAST = 5  # pictures of an interval: a bootstrap of fewer draws the same few means again and again
INFINITE = "a picture equals its partner: infinite, without an interval"


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
    """Scores of made pictures against real ones.

    Sets are compared at equal n: the larger is subsampled by seed, and the score's note says so.
    Pictures under 64x64 are enlarged by `enlarge_lo` before Lite0. Names that end in _paper follow
    `protocols.PAPER` and compare with `train` instead of `real`. Source: ours.

    Args:
        fake: made pictures, a FaceSet or float (N, 3, H, W) in [-1, 1], at least 2; so are all sets
            below.
        real: real pictures of the same size; with `paired`, the ground truth of each made one.
        paired: each made picture has its ground truth in real. FaceSets are matched by name, as
            `data.matching.partners` does; tensors are taken in order.
        metrics: of METRICS, by default all that apply and need no download.
        seed: of subsamples and bootstrap.
        n_boot: rounds of the bootstrap over faces.
        channel: rgb or y, of psnr and ssim.
        border: pixels cut from every side, of psnr and ssim.
        lo: the LR pictures of the same faces, matched likewise; consistency compares reduce(fake)
            with them.
        reduce: as in `consistency`.
        train: HR training pictures, the reference of the paper's protocol.

    Returns:
        {metric: {value, n, ci, floor, floor_n, features, sd, note}}, see `Score`. ci: 95 %
        bootstrap interval over faces. floor: of distances, between two halves of the reference,
        floor_n pictures each (n where there are enough): what lies near it is no difference. Of
        psnr, ssim and lpips, one half of the real pictures against the other: an HR face of
        somebody else, worth no more than a guess. Of consistency, with `paired`, the ground truth's
        own.

    Raises:
        HLError: for sets, sizes, values or names that do not fit.
    """
    fake, real = _checked("fake", fake), _checked("real", real)
    lo = None if lo is None else _checked("lo", lo)
    train = None if train is None else _checked("train", train)
    names = _chosen(metrics, paired, lo)
    _check_sizes(fake, real, lo, train)
    real = _in_order_of(fake, real, "paired") if paired else real
    lo = None if lo is None else _in_order_of(fake, lo, "lo")
    _check_border(names, channel, border, _size(fake))

    of_sets = [name for name in names if name in MEASURES]
    scores = set_scores(of_sets, fake, real, train, n_boot, seed)
    for name in names:
        if name not in MEASURES:
            partner, guess = _partners(name, real, lo, paired, seed)
            how = (channel, border, reduce)
            scores[name] = _pair_score(name, fake, partner, guess, n_boot, seed, how)
    return {name: _with_sure_interval(scores[name]).as_dict() for name in names}


def _with_sure_interval(score: Score) -> Score:
    """The score without an interval that says nothing: of too few pictures, or of no number."""
    if score.interval is None:
        return score
    enough = score.n is None or score.n >= LEAST
    if enough and all(map(math.isfinite, score.interval)):
        return score
    notes = [note for note in (score.note, f"no interval of fewer than {LEAST}") if note]
    return replace(score, interval=None, note="; ".join(notes))


def _partners(
    name: str, real: Pictures, lo: Pictures | None, paired: bool, seed: int
) -> tuple[Pictures, tuple[Pictures, Pictures] | None]:
    """What made pictures are compared with, and the two sets whose score is the floor, if any.

    Of consistency the ground truth and the LR pictures, else HR faces and those of other people.
    """
    if name == "consistency" and lo is not None:
        return lo, (real, lo) if paired else None
    mixed, half = take(real, len(real), seed), len(real) // 2
    return real, (mixed[:half], mixed[half : 2 * half])


def _pair_score(
    name: str,
    fake: Pictures,
    partner: Pictures,
    guess: tuple[Pictures, Pictures] | None,
    n_boot: int,
    seed: int,
    how: tuple[str, int, str | Callable],
) -> Score:
    """The mean of a score of pairs over faces, with its interval and floor."""
    device = device_of(fake)
    of_batches = pair_score(name, *how, lpips_network(device) if name == "lpips" else None)

    def of_faces(a: Pictures, b: Pictures) -> Tensor:
        batches = zip(parts_of(a, device), parts_of(b, device))
        return torch.cat([of_batches(x, y).double().cpu() for x, y in batches])

    values = of_faces(fake, partner)
    floor = None if guess is None else of_faces(*guess)
    return Score(
        float(values.mean()),
        mean_interval(values, n_boot, seed),
        n=len(values),
        features=describe(name, *how),
        floor=None if floor is None else float(floor.mean()),
        floor_n=None if floor is None else len(floor),
        note=None if values.isfinite().all() else INFINITE,
    )


# ---- checks --------------------------------------------------------------------------------------
def _chosen(metrics: Sequence[str] | None, paired: bool, lo: Pictures | None) -> list[str]:
    """The metrics asked for, or all that apply."""
    if metrics is None:
        names = [name for name in DEFAULT if paired or name not in PAIRED]
        return names if lo is None else [*names, "consistency"]
    if isinstance(metrics, str) or not len(metrics):
        raise HLError(
            f"metrics must be a list of at least one of {', '.join(METRICS)}, got {metrics!r}"
        )
    for name in metrics:
        if name not in METRICS:
            raise HLError(f"metrics must be of {', '.join(METRICS)}, got {name!r}")
        if name in PAIRED and not paired:
            raise HLError(
                f"{name} compares pairs, got paired=False: pass paired=True with a ground truth "
                "for each picture, or use frechet_lite0"
            )
        if name == "consistency" and lo is None:
            raise HLError(
                "consistency compares with the LR pictures, got lo=None: pass lo=, in the order "
                "of fake"
            )
    return list(metrics)


def _check_border(names: list[str], channel: str, border: int, size: tuple[int, int]) -> None:
    if channel not in CHANNELS:
        raise HLError(f"channel must be {' or '.join(CHANNELS)}, got {channel!r}")
    least = WINDOW if "ssim" in names else 1
    if border < 0 or min(size) - 2 * border < least:
        raise HLError(
            f"border must be 0 or more and leave {least} of {min(size)} pixels, got {border}: "
            "lower it, or leave ssim out"
        )


def _check_sizes(
    fake: Pictures, real: Pictures, lo: Pictures | None, train: Pictures | None
) -> None:
    if _size(fake) != _size(real):
        raise HLError(
            f"fake and real must have one size, got {_size(fake)} and {_size(real)}: did you mix "
            "up hi and lo?"
        )
    if lo is not None and min(_size(lo)) > min(_size(fake)):
        raise HLError(
            f"lo must hold LR pictures of the fakes of {_size(fake)}, got {_size(lo)}: did you mix "
            "up hi and lo?"
        )
    if train is not None and _size(train) != _size(fake):
        raise HLError(
            f"train must be HR pictures of {_size(fake)}, got {_size(train)}: did you pass lo?"
        )


def _in_order_of(fake: Pictures, others: Pictures, what: str) -> Pictures:
    """The partner of each fake: by name where both have names, else in order."""
    if isinstance(fake, FaceSet) and isinstance(others, FaceSet):
        order = partners(fake.names, others.names, what)
        return others if order == list(range(len(others))) else others[order]
    if len(fake) != len(others):
        raise HLError(
            f"{what} needs a partner for each picture, got {len(fake)} and {len(others)}: pass as "
            "many, in the same order"
        )
    return others


def _size(x: Pictures) -> tuple[int, int]:
    return tuple((x.images if isinstance(x, FaceSet) else x).shape[-2:])


def _checked(name: str, x: Pictures) -> Pictures:
    """The set, or HLError; a tensor comes back in [0, 1]."""
    if not isinstance(x, FaceSet):
        check_tensor(name, x)
    if len(x) < 2:
        raise HLError(f"{name} must hold at least 2 pictures, got {len(x)}: give more")
    if isinstance(x, FaceSet):
        return x
    if not torch.is_floating_point(x) or x.ndim != 4 or x.shape[1] != 3:
        raise HLError(
            f"{name} must be a FaceSet or float (N, 3, H, W) in [-1, 1], got {x.dtype} "
            f"{tuple(x.shape)}: see data.to_float"
        )
    check_range(name, x)
    if is_unit_range(x):
        raise HLError(
            f"{name} must lie in [-1, 1], got {float(x.amin()):.3g} to {float(x.amax()):.3g}: "
            + TO_SIGNED
        )
    return unit_range(x.float().clamp(-1, 1))
