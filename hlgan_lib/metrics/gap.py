"""The share of the gap between a low method and a high one that a method closes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..errors import HLError
from ..rng import subsample
from ..stats import centred, draws, interval
from .distances import frechet


def gap_closed(
    low: Tensor | Sequence[Tensor],
    mid: Tensor | Sequence[Tensor],
    high: Tensor | Sequence[Tensor],
    reference: Tensor | None = None,
    n_boot: int = 500,
    seed: int = 0,
) -> dict:
    """How much of the gap between a low method (bilinear) and a high one (oracle) the one in the middle closes.

    ratio = (mid - low) / (high - low),  gap = high - low for scores that should be large, low - high for distances
    low, mid, high: without reference, a score a face such as PSNR, (seeds, faces), the same faces in all; with it,
    a list over seeds of features (N, d) whose Frechet distance to the reference's (M, d) is the score, at equal n.
    sd_seeds is pooled over the methods with at least two seeds. The ratio is given only where the gap exceeds
    3 sd_seeds and its 95 % interval lies above 0; intervals are over faces, shared by all three, and over seeds, drawn
    for each method. Returns ratio, ratio_ci, gap, gap_ci, sd_seeds, the three scores, n_seeds, n_faces, note. HLError
    for sets that do not match. Source: ours.
    """
    methods = {"low": low, "mid": mid, "high": high}
    methods = {
        k: [torch.as_tensor(x, dtype=torch.float64, device="cpu") for x in v]
        for k, v in methods.items()
    }
    n = _one_length(methods, reference)
    score, sign = _scorer(reference, n, seed), 1 if reference is None else -1
    seeds = {
        k: torch.tensor([score(x) for x in v], dtype=torch.float64) for k, v in methods.items()
    }
    faces, other = draws(n, n_boot, seed), draws(n, n_boot, seed + 1)
    means = {}
    for i, (k, v) in enumerate(methods.items()):
        resampled = torch.tensor(
            [[score(x[f], o) for x in v] for f, o in zip(faces, other)], dtype=torch.float64
        )
        means[k] = (
            centred(resampled, seeds[k]).gather(1, draws(len(v), n_boot, seed + 2 + i)).mean(1)
        )
    value = {k: float(s.mean()) for k, s in seeds.items()}
    gap_ci = interval(sign * (means["high"] - means["low"]))
    gap = sign * (value["high"] - value["low"])
    spread = [s.var() for s in seeds.values() if len(s) > 1]
    sd = float(torch.stack(spread).mean().sqrt()) if spread else None
    result = {
        "ratio": None,
        "ratio_ci": None,
        "gap": gap,
        "gap_ci": gap_ci,
        "sd_seeds": sd,
        **value,
        "n_seeds": {k: len(v) for k, v in methods.items()},
        "n_faces": n,
        "note": None,
    }
    notes = (
        []
        if spread
        else [
            "one seed a method: the spread over seeds is unknown, the intervals are over faces only"
        ]
    )
    if gap > 3 * (sd or 0) and gap_ci[0] > 0:
        result["ratio"] = (value["mid"] - value["low"]) / (value["high"] - value["low"])
        result["ratio_ci"] = interval(
            (means["mid"] - means["low"]) / (means["high"] - means["low"])
        )
    else:
        limit = "" if sd is None else f" and above 3 standard deviations of the seeds, {3 * sd:.3g}"
        notes.append(
            f"no ratio: the gap {gap:.3g} [{gap_ci[0]:.3g}, {gap_ci[1]:.3g}] is not clearly above 0{limit}"
        )
    return result | {"note": "; ".join(notes) or None}


def _one_length(methods: dict[str, list[Tensor]], reference: Tensor | None) -> int:
    """The number of faces that all sets share."""
    dims = 1 if reference is None else 2
    shapes = {k: [tuple(x.shape) for x in v] for k, v in methods.items()}
    lengths = {shape for v in shapes.values() for shape in v}
    if (
        not all(shapes.values())
        or len(lengths) != 1
        or any(len(s) != dims or s[0] < 2 for s in lengths)
    ):
        what = "(seeds, faces)" if dims == 1 else "lists over seeds of features (N, d)"
        raise HLError(
            f"low, mid and high must be {what} of the same faces, at least 2, got {shapes}: "
            "score the same test set with each method"
        )
    n = next(iter(lengths))[0]
    if reference is not None and (reference.ndim != 2 or len(reference) < n):
        raise HLError(
            f"reference must be features (M, d) with M at least {n}, got {tuple(reference.shape)}: "
            "Frechet distances are compared at equal n only"
        )
    return n


def _scorer(reference: Tensor | None, n: int, seed: int) -> Callable[..., float]:
    """The score of one seed's set, and of a resampled one against the reference resampled as `other` says."""
    if reference is None:
        return lambda x, other=None: float(x.mean())
    real = reference.double().cpu()[subsample(len(reference), n, seed)]
    return lambda x, other=None: frechet(real if other is None else real[other], x)
