"""The classifier two-sample test: how often can a simple classifier tell two sets apart?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import HLError
from ..rng import seeded
from ..stats import wilson


class TwoSample(NamedTuple):
    """Held-out accuracy between two sets, its 95% interval, and n pictures judged."""

    accuracy: float
    low: float
    high: float
    n: int


def two_sample(
    a: Tensor, b: Tensor, seed: int = 0, folds: int = 5, decay: float = 0.1
) -> TwoSample:
    """Can a classifier tell two sets apart? Logistic regression, each picture judged held out.

    50%: it cannot; 100%: it always can. It sees standardised features and their squares, so that a
    wrong spread shows. Put different people into the two sets: a face that is in both pulls the
    accuracy below 50%. Source: 1610.06545.

    Args:
        a: features (N, F); the same number of both sets is used.
        b: features (M, F).
        seed: of the choice and the folds.
        folds: parts, each judged by a classifier of the others.
        decay: penalty decay / 2 |w|^2.

    Returns:
        Accuracy with Wilson's interval at 95%.

    Raises:
        HLError: for features that do not match, and fewer than 2 folds pictures.
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2 * folds:
        raise HLError(
            f"a and b must be features (N, F) of at least {2 * folds} pictures each, got "
            f"{tuple(a.shape)} and {tuple(b.shape)}: use analysis.statistics or metrics.extract"
        )
    # As many of both, in random order; label 0 for a, 1 for b.
    n = min(len(a), len(b))
    generator = seeded(seed)
    sides = []
    for features in (a, b):
        order = torch.randperm(len(features), generator=generator)[:n]
        sides.append(features[order.to(features.device)].double())
    x = torch.cat(sides)
    label = torch.arange(2, device=x.device).repeat_interleave(n).double()
    fold = torch.cat([torch.arange(n, device=x.device) % folds] * 2)

    right = 0
    for k in range(folds):
        train, test = fold != k, fold == k
        v = expanded((x - x[train].mean(0)) / x[train].std(0).clamp(min=1e-9))
        guess = v[test] @ logistic(v[train], label[train], decay) > 0
        right += int((guess == label[test].bool()).sum())
    low, high = wilson(right, 2 * n)
    return TwoSample(right / (2 * n), low, high, 2 * n)


class Confusion(NamedTuple):
    """Of the pictures of each domain (rows), the share called of each (columns), (k, k) both.

    Attributes:
        real: of real pictures, judged held out.
        made: of generated ones, by a classifier that has seen real ones alone.
    """

    real: Tensor
    made: Tensor


def confusion(
    real: Sequence[Tensor],
    made: Sequence[Tensor],
    seed: int = 0,
    folds: int = 5,
    decay: float = 0.1,
) -> Confusion:
    """Are generated domains told apart as real ones are?

    One logistic regression a domain, that domain against the rest, on the features of `two_sample`;
    the largest score decides. Source: ours; as the classification accuracy score of 1905.10887, the
    other way round.

    Args:
        real: features (N, F) of each domain; equal N of all domains are fairest.
        made: features (M, F) of each, in the same order.
        seed: of the folds.
        folds: parts, each judged by classifiers of the others.
        decay: penalty decay / 2 |w|^2.

    Returns:
        Both matrices; each row sums to 1.

    Raises:
        HLError: for sets that do not match, and fewer than 2 folds pictures.
    """
    widths = {x.shape[1:] for x in (*real, *made)}
    if len(real) != len(made) or len(real) < 2 or len(widths) != 1:
        raise HLError(
            f"real and made must be features (N, F) of the same two or more domains, got "
            f"{len(real)} and {len(made)} of widths {sorted(widths)}"
        )
    if min(len(x) for x in real) < 2 * folds:
        raise HLError(f"real must hold at least {2 * folds} pictures of each domain")
    k = len(real)
    generator = seeded(seed)
    x = torch.cat(list(real)).double()
    label = torch.arange(k).repeat_interleave(torch.tensor([len(of) for of in real]))
    fold = torch.cat([torch.randperm(len(of), generator=generator) % folds for of in real])

    called = torch.empty_like(label)
    for i in range(folds):
        test = fold == i
        called[test] = _domain_of(x[~test], label[~test], x[test], k, decay)
    shares_real = _shares(label, called, k)

    label_made = torch.arange(k).repeat_interleave(torch.tensor([len(of) for of in made]))
    called_made = _domain_of(x, label, torch.cat(list(made)).double(), k, decay)
    return Confusion(shares_real, _shares(label_made, called_made, k))


def _domain_of(x: Tensor, label: Tensor, new: Tensor, k: int, decay: float) -> Tensor:
    """The domain (M,) of the features `new` (M, F), by classifiers of x (N, F) and label (N,)."""
    mean, std = x.mean(0), x.std(0).clamp(min=1e-9)
    v, v_new = expanded((x - mean) / std), expanded((new - mean) / std)
    scores = [v_new @ logistic(v, (label == i).double(), decay) for i in range(k)]
    return torch.stack(scores, 1).argmax(1)


def _shares(label: Tensor, called: Tensor, k: int) -> Tensor:
    """(k, k): of each label, the share called each."""
    counts = torch.bincount(label * k + called, minlength=k * k).view(k, k).double()
    return counts / counts.sum(1, keepdim=True)


def expanded(v: Tensor) -> Tensor:
    """A constant, the features, and their squares (an outlier counts as 3 deviations)."""
    return torch.cat((torch.ones_like(v[:, :1]), v, v.clamp(-3, 3) ** 2 - 1), 1)


def logistic(x: Tensor, label: Tensor, decay: float, steps: int = 30) -> Tensor:
    """Weights of the logistic regression by Newton's method; the constant's is unpenalised."""
    penalty = torch.full_like(x[0], decay)
    penalty[0] = 1e-6
    w = torch.zeros_like(x[0])
    for _ in range(steps):
        p = torch.sigmoid(x @ w)
        gradient = x.T @ (p - label) / len(x) + penalty * w
        hessian = (x.T * (p * (1 - p))) @ x / len(x) + torch.diag(penalty)
        step = torch.linalg.solve(hessian, gradient)
        w = w - step
        if step.abs().max() < 1e-6:
            break
    return w
