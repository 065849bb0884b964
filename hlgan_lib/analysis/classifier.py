"""The classifier two-sample test: how often can a simple classifier tell two sets of pictures apart?"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import HLError
from ..stats import wilson


class TwoSample(NamedTuple):
    """Held-out accuracy of a classifier between two sets, its 95% interval, and the number of pictures judged."""

    accuracy: float
    low: float
    high: float
    n: int


def two_sample(
    a: Tensor, b: Tensor, seed: int = 0, folds: int = 5, decay: float = 0.1
) -> TwoSample:
    """Can a classifier tell two sets apart? Logistic regression on features (N, F), each picture judged held out.

    50%: it cannot; 100%: it always can. The same number of both, in `folds` folds by seed; standardised features and
    their squares (so that a wrong spread shows), penalty decay / 2 |w|^2; Wilson's interval at 95%. Put different
    people into the two sets: a face that is in both pulls the accuracy below 50%. Source: 1610.06545.
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2 * folds:
        raise HLError(
            f"a and b must be features (N, F) of at least {2 * folds} pictures each, got {tuple(a.shape)} "
            f"and {tuple(b.shape)}: use analysis.statistics or metrics.extract"
        )
    n, generator = min(len(a), len(b)), torch.Generator().manual_seed(seed)
    x = torch.cat(
        [f[torch.randperm(len(f), generator=generator)[:n].to(f.device)].double() for f in (a, b)]
    )
    label = torch.arange(2, device=x.device).repeat_interleave(n).double()
    fold = torch.cat([torch.arange(n, device=x.device) % folds] * 2)
    right = 0
    for k in range(folds):
        train = fold != k
        v = (x - x[train].mean(0)) / x[train].std(0).clamp(min=1e-9)
        v = torch.cat((torch.ones_like(v[:, :1]), v, v.clamp(-3, 3) ** 2 - 1), 1)
        guess = v[~train] @ _logistic(v[train], label[train], decay) > 0
        right += (guess == label[~train].bool()).sum().item()
    return TwoSample(right / (2 * n), *wilson(right, 2 * n), 2 * n)


def _logistic(x: Tensor, label: Tensor, decay: float, steps: int = 30) -> Tensor:
    """Weights of the logistic regression, the first (of the constant) unpenalised, by Newton's method."""
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
