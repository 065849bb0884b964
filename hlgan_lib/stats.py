"""How sure a score is: bootstrap intervals, and Wilson's interval of a share."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from .rng import seeded


def interval(scores: Tensor) -> list[float]:
    """The middle 95 % of resampled scores (n_boot,): [2.5 % quantile, 97.5 % quantile]."""
    return torch.quantile(scores, torch.tensor([0.025, 0.975], dtype=scores.dtype)).tolist()


def draws(n: int, n_boot: int, seed: int) -> Tensor:
    """Which of n things each round of a bootstrap draws, with replacement: (n_boot, n).

    Args:
        n: how many things there are.
        n_boot: rounds.
        seed: of the draws.

    Returns:
        int64 (n_boot, n).
    """
    return torch.randint(n, (n_boot, n), generator=seeded(seed))


def centred(scores: Tensor, value: Tensor | float) -> Tensor:
    """Resampled scores moved so that their mean is the score itself: s + value - mean(s).

    A distance of sets shrinks with the number of different pictures, and a resampled set holds 63 %
    of them: its score is too high by about as much as the measured one is over that of endless
    sets. Source: ours.

    Args:
        scores: (n_boot, ...).
        value: the score of the whole sets.

    Returns:
        (n_boot, ...).
    """
    return scores + value - scores.mean(0)


def mean_interval(values: Tensor, n_boot: int = 200, seed: int = 0) -> list[float] | None:
    """95 % bootstrap interval of the mean of scores (n,); None where one is infinite.

    Args:
        values: scores (n,).
        n_boot: rounds of the bootstrap.
        seed: of the bootstrap.

    Returns:
        Both ends; None where a score is infinite.
    """
    if not values.isfinite().all():
        return None
    return interval(values[draws(len(values), n_boot, seed)].mean(1))


def distance_interval(
    distance: Callable[[Tensor, Tensor], float],
    a: Tensor,
    b: Tensor,
    n_boot: int = 200,
    seed: int = 0,
) -> list[float]:
    """95 % bootstrap interval of a distance of two sets, both resampled, centred on the distance.

    Args:
        distance: of two sets of features, such as `metrics.frechet`.
        a: features (N, d).
        b: features (M, d).
        n_boot: rounds.
        seed: of the rounds.

    Returns:
        [low, high], not below 0.
    """
    scores = []
    for of_a, of_b in zip(draws(len(a), n_boot, seed), draws(len(b), n_boot, seed + 1)):
        scores.append(distance(a[of_a], b[of_b]))
    resampled = torch.tensor(scores, dtype=torch.float64)
    return interval(centred(resampled, distance(a, b)).clamp(min=0))


def wilson(right: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval of a share p = right / n.

        (p + z^2/2n -+ z sqrt(p (1 - p) / n + z^2 / 4 n^2)) / (1 + z^2/n)

    Args:
        right: how many of n.
        n: how many in all, 1 or more.
        z: 1.96 for 95 %.

    Returns:
        (low, high). Source: Wilson (1927).
    """
    p = right / n
    k = z**2 / n
    half = z * math.sqrt(p * (1 - p) / n + k / (4 * n))
    low = (p + k / 2 - half) / (1 + k)
    high = (p + k / 2 + half) / (1 + k)
    # At the ends rounding would leave 1e-18 in place of 0.
    return low if right else 0.0, high if right < n else 1.0
