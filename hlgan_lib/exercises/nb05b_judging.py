"""The exercises of notebook 05b, on failures and trust; what a check is, `nb01_data` says."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from .checks import first, numbers

STATEMENTS = (
    "a trusted face is the right person",
    "a doubted face is wrong",
    "failures pass undoubted",
    "a rare face fails more often",
)
FOLLOWS = {"failures pass undoubted", "a rare face fails more often"}


def share_failed(distances: Tensor, limit: float) -> float:
    """The share of distances (n,) above the limit."""
    return (distances > limit).double().mean().item()


def check_share_failed(mine: Callable[[Tensor, float], float]) -> str | None:
    """A function as `share_failed`."""
    distances, limit = torch.tensor([0.5, 0.9, 1.0, 1.2, 0.4, 1.9, 2.0, 0.1]), 1.0
    above = distances > limit
    return numbers(
        mine(distances, limit),
        share_failed(distances, limit),
        ("these are the faces that did *not* fail.", 1 - above.double().mean()),
        ("at the limit itself a face has not failed: only above.", 4 / 8),
        ("this is how many failed: a share is a part of all.", above.sum()),
        ("one answer a face: how large a share of them is true?", above.double()),
        ("these are per cent: 1 stands for all of them.", 100 * above.double().mean()),
    )


def kept_error(score: Tensor, error: Tensor, k: int) -> float:
    """Mean error of the k faces of highest score; score, error: (n,)."""
    return error[score.argsort(descending=True)[:k]].mean().item()


def check_kept_error(mine: Callable[[Tensor, Tensor, int], float]) -> str | None:
    """A function as `kept_error`."""
    score = torch.tensor([0.3, -1.0, 2.0, 0.9, -0.2])
    error, k = torch.tensor([0.5, 1.7, 0.25, 0.75, 1.0]), 2
    return numbers(
        mine(score, error, k),
        kept_error(score, error, k),
        ("these are the *least* trusted ones.", error[score.argsort()[:k]].mean()),
        ("this is the mean of all: only k are kept.", error.mean()),
        ("these are the first k as they came: which have the highest scores?", error[:k].mean()),
        ("this chooses by the error itself: that is the oracle.", error.sort().values[:k].mean()),
        ("one number: the mean of the errors that are kept.", error[score.argsort()[-k:]].sum()),
        ("this is the mean of the scores: their errors are asked for.", score.topk(k)[0].mean()),
    )


def check_follows(mine: Iterable[str]) -> str | None:
    """Which of STATEMENTS follow from the figures?"""
    if isinstance(mine, str) or not isinstance(mine, Iterable) or not set(mine) <= set(STATEMENTS):
        return "a set of some of these is expected: " + "; ".join(STATEMENTS) + "."
    chosen = set(mine)
    return first(
        (
            "a trusted face is the right person" in chosen,
            "trust asks whether two networks contradict themselves. Could both be wrong together?",
        ),
        (
            "a doubted face is wrong" in chosen,
            "look at the print: did all of the flagged faces fail?",
        ),
        (
            "failures pass undoubted" not in chosen,
            "look at the print: how many failures are among those that were kept?",
        ),
        (
            "a rare face fails more often" not in chosen,
            "look at the bars of causes, and where the whisker of the rare face begins.",
        ),
    )
