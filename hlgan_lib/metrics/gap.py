"""The share of the gap between a low method and a high one that a method closes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..errors import HLError
from ..rng import subsample
from ..stats import centred, draws, interval
from .distances import frechet

ONE_SEED = "one seed a method: the spread over seeds is unknown, the intervals are over faces only"


def gap_closed(
    low: Tensor | Sequence[Tensor],
    mid: Tensor | Sequence[Tensor],
    high: Tensor | Sequence[Tensor],
    reference: Tensor | None = None,
    n_boot: int = 500,
    seed: int = 0,
) -> dict:
    """How much of the gap between a low method (bilinear) and a high one (oracle) is closed.

        ratio = (mid - low) / (high - low)
        gap = high - low for scores that should be large, low - high for distances

    The ratio is given only where the gap exceeds 3 sd_seeds and its 95 % interval lies above 0.
    Intervals are over faces, shared by all three methods, and over seeds, drawn for each method.
    Source: ours.

    Args:
        low: without reference, a score a face such as PSNR, (seeds, faces); with it, a list over
            seeds of features (N, d), whose Fréchet distance to the reference is the score.
        mid: the same of the method between, on the same faces.
        high: the same of the high method, on the same faces.
        reference: features (M, d), M at least N: compared at equal n.
        n_boot: rounds of the bootstrap.
        seed: of the rounds, and of the reference's subsample.

    Returns:
        ratio, ratio_ci, gap, gap_ci, sd_seeds (pooled over the methods of at least two seeds), low,
        mid, high (the scores), n_seeds, n_faces, note.

    Raises:
        HLError: for sets that do not match.
    """
    methods = {"low": _in_float64(low), "mid": _in_float64(mid), "high": _in_float64(high)}
    n = _one_length(methods, reference)
    score = _scorer(reference, n, seed)
    sign = 1 if reference is None else -1

    # A score for each seed, and their mean for each method.
    of_seeds = {
        name: torch.tensor([score(faces) for faces in sets], dtype=torch.float64)
        for name, sets in methods.items()
    }
    value = {name: float(scores.mean()) for name, scores in of_seeds.items()}

    # The same of resampled faces, shared by all methods, and resampled seeds, drawn for each.
    faces_drawn = draws(n, n_boot, seed)
    reference_drawn = draws(n, n_boot, seed + 1)
    rounds = {}
    for i, (name, sets) in enumerate(methods.items()):
        resampled = _resampled(score, sets, faces_drawn, reference_drawn)
        seeds_drawn = draws(len(sets), n_boot, seed + 2 + i)
        rounds[name] = centred(resampled, of_seeds[name]).gather(1, seeds_drawn).mean(1)

    gap = sign * (value["high"] - value["low"])
    gap_ci = interval(sign * (rounds["high"] - rounds["low"]))
    sd = _pooled_sd(list(of_seeds.values()))

    # A ratio over a gap that may be none would be noise: it is withheld, and the note says why.
    ratio, ratio_ci, notes = None, None, []
    if sd is None:
        notes.append(ONE_SEED)
    if gap > 3 * (sd or 0) and gap_ci[0] > 0:
        ratio = (value["mid"] - value["low"]) / (value["high"] - value["low"])
        ratio_ci = interval((rounds["mid"] - rounds["low"]) / (rounds["high"] - rounds["low"]))
    else:
        notes.append(_no_ratio(gap, gap_ci, sd))
    return {
        "ratio": ratio,
        "ratio_ci": ratio_ci,
        "gap": gap,
        "gap_ci": gap_ci,
        "sd_seeds": sd,
        **value,
        "n_seeds": {name: len(sets) for name, sets in methods.items()},
        "n_faces": n,
        "note": "; ".join(notes) or None,
    }


def _in_float64(sets: Tensor | Sequence[Tensor]) -> list[Tensor]:
    return [torch.as_tensor(x, dtype=torch.float64, device="cpu") for x in sets]


def _one_length(methods: dict[str, list[Tensor]], reference: Tensor | None) -> int:
    """The number of faces that all sets share, or HLError."""
    dims = 1 if reference is None else 2
    shapes = {name: [tuple(x.shape) for x in sets] for name, sets in methods.items()}
    different = set().union(*shapes.values())
    fit = all(len(shape) == dims and shape[0] >= 2 for shape in different)
    if not all(shapes.values()) or len(different) != 1 or not fit:
        what = "(seeds, faces)" if dims == 1 else "lists over seeds of features (N, d)"
        raise HLError(
            f"low, mid and high must be {what} of the same faces, at least 2, got {shapes}: "
            "score the same test set with each method"
        )
    [shape] = different
    n = shape[0]
    if reference is not None and (reference.ndim != 2 or len(reference) < n):
        raise HLError(
            f"reference must be features (M, d) with M at least {n}, got {tuple(reference.shape)}: "
            "Fréchet distances are compared at equal n only"
        )
    return n


def _scorer(reference: Tensor | None, n: int, seed: int) -> Callable[..., float]:
    """The score of one seed's set; with `drawn`, against the reference resampled so."""

    def mean(scores: Tensor, drawn: Tensor | None = None) -> float:
        return float(scores.mean())

    if reference is None:
        return mean
    real = reference.double().cpu()[subsample(len(reference), n, seed)]

    def distance(features: Tensor, drawn: Tensor | None = None) -> float:
        return frechet(real if drawn is None else real[drawn], features)

    return distance


def _resampled(
    score: Callable[..., float], sets: list[Tensor], faces: Tensor, reference: Tensor
) -> Tensor:
    """The score of each seed in each round: (n_boot, seeds)."""
    rounds = []
    for drawn, of_reference in zip(faces, reference):
        rounds.append([score(x[drawn], of_reference) for x in sets])
    return torch.tensor(rounds, dtype=torch.float64)


def _pooled_sd(scores: list[Tensor]) -> float | None:
    """sqrt of the mean variance over seeds, where there are at least two; None without."""
    variances = [x.var() for x in scores if len(x) > 1]
    return float(torch.stack(variances).mean().sqrt()) if variances else None


def _no_ratio(gap: float, gap_ci: list[float], sd: float | None) -> str:
    limit = "" if sd is None else f" and above 3 standard deviations of the seeds, {3 * sd:.3g}"
    low, high = gap_ci
    return f"no ratio: the gap {gap:.3g} [{low:.3g}, {high:.3g}] is not clearly above 0{limit}"
