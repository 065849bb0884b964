"""Distances of two sets of features: Fréchet distance and kernel distance."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics.image.kid import poly_kernel, poly_mmd

from ..errors import HLError
from ..rng import seeded
from ..stats import centred, draws, interval

# Pictures a side in the interval of the kernel distance: its matrices grow as n^2.
KERNEL_AT_MOST = 2000


def frechet(a: Tensor, b: Tensor) -> float:
    """Fréchet distance of the Gaussians fitted to two sets of features, in float64.

        d^2 = |mu_a - mu_b|^2 + tr(S_a + S_b - 2 (S_a^1/2 S_b S_a^1/2)^1/2)

    With centred features A, S_a = A'A, the last trace is the sum of the singular values of A B'. So
    no covariance is made, fewer pictures than features do no harm and cost less, and the order of
    the sets does not matter. Source: 1706.08500, eq. 6.

    Args:
        a: features (N, d), N at least 2, as `metrics.extract` makes them.
        b: features (M, d), M at least 2.

    Returns:
        The squared distance, 0 for equal sets. It shrinks as N and M grow: compare at equal N only.

    Raises:
        HLError: for sets of another shape.
    """
    a, b = _matching(a, b)
    shift = (a.mean(0) - b.mean(0)).square().sum()
    a, b = _centred(a), _centred(b)
    spread = a.square().sum() + b.square().sum()  # tr S_a + tr S_b
    a, b = _root(a), _root(b)
    cross = torch.linalg.svdvals(a @ b.T).sum()
    return max(0.0, float(shift + spread - 2 * cross))


def _centred(x: Tensor) -> Tensor:
    """A with A'A = S, the covariance of the features x."""
    return (x - x.mean(0)) / (len(x) - 1) ** 0.5


def _root(x: Tensor) -> Tensor:
    """R with R'R = A'A, of at most d rows: as good as A and smaller."""
    return torch.linalg.qr(x, mode="r").R if len(x) > x.shape[1] else x


def _matching(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Both in float64 on the CPU, or HLError."""
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise HLError(
            f"features must be (N, d) of one d and N at least 2, got {tuple(a.shape)} and "
            f"{tuple(b.shape)}: make both with metrics.extract"
        )
    return a.double().cpu(), b.double().cpu()


def kernel_distance(
    a: Tensor, b: Tensor, n_subsets: int = 50, subset_size: int | None = None, seed: int = 0
) -> tuple[float, float]:
    """Kernel distance of two sets of features: its mean and standard deviation over random subsets.

        MMD^2 = mean k(a, a') + mean k(b, b') - 2 mean k(a, b),    k(x, y) = (x . y / d + 1)^3

    Pairs of a picture with itself are left out, so that the mean does not depend on n and may fall
    below 0. Source: 1801.01401; torchmetrics.

    Args:
        a: features (N, d), N at least 2.
        b: features (M, d), M at least 2.
        n_subsets: how many random subsets are averaged.
        subset_size: pictures in each, by default half of the smaller set, at most 1000.
        seed: of the subsets.

    Returns:
        Mean and standard deviation.

    Raises:
        HLError: for sets of another shape, and subsets that do not fit.
    """
    a, b = _matching(a, b)
    smaller = min(len(a), len(b))
    size = max(2, min(1000, smaller // 2)) if subset_size is None else subset_size
    if not 2 <= size <= smaller or n_subsets < 1:
        raise HLError(
            f"subset_size must be 2 to {smaller}, the smaller set, and n_subsets at least 1, got "
            f"{size} and {n_subsets}: leave them out"
        )
    generator = seeded(seed)
    scores = []
    for _ in range(n_subsets):
        some_a = a[torch.randperm(len(a), generator=generator)[:size]]
        some_b = b[torch.randperm(len(b), generator=generator)[:size]]
        scores.append(poly_mmd(some_a, some_b))
    over_subsets = torch.stack(scores)
    return float(over_subsets.mean()), float(over_subsets.std(unbiased=False))


def kernel_interval(
    a: Tensor, b: Tensor, value: float, n_boot: int = 200, seed: int = 0
) -> list[float]:
    """95 % bootstrap interval of the kernel distance, both sets resampled, centred on `value`.

    A picture that a round draws w times weighs w in it, and no pair is of one picture with itself:

        mean k(a, a') = (w' K w - sum_i w_i^2 K_ii) / (n^2 - sum_i w_i^2)

    Args:
        a: features (N, d) in float64; the first KERNEL_AT_MOST are used.
        b: features (M, d) in float64, likewise.
        value: the distance itself.
        n_boot: rounds.
        seed: of the rounds.

    Returns:
        [low, high].
    """
    a, b = a[:KERNEL_AT_MOST], b[:KERNEL_AT_MOST]
    # Kernels are computed once; a round of the bootstrap only changes the weights.
    w_a = _weights(len(a), n_boot, seed)
    w_b = _weights(len(b), n_boot, seed + 1)
    within_a = _mean_within(poly_kernel(a, a), w_a)
    within_b = _mean_within(poly_kernel(b, b), w_b)
    across = (w_a @ poly_kernel(a, b) * w_b).sum(1) / (len(a) * len(b))
    return interval(centred(within_a + within_b - 2 * across, value))


def _weights(n: int, n_boot: int, seed: int) -> Tensor:
    """How often each round draws each of n pictures: (n_boot, n)."""
    counts = [drawn.bincount(minlength=n) for drawn in draws(n, n_boot, seed)]
    return torch.stack(counts).double()


def _mean_within(kernel: Tensor, w: Tensor) -> Tensor:
    """Mean over pairs of different pictures: kernel (n, n), w (n_boot, n) -> (n_boot,)."""
    pairs = (w @ kernel * w).sum(1)
    of_itself = w**2 @ kernel.diag()
    return (pairs - of_itself) / (len(kernel) ** 2 - (w**2).sum(1))
