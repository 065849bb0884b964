"""Distances of two sets of features: the Frechet distance of their Gaussians, and the kernel distance."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics.image.kid import poly_kernel, poly_mmd

from ..errors import HLError
from ..stats import centred, draws, interval

KERNEL_AT_MOST = (
    2000  # pictures a side in the interval of the kernel distance: its matrices grow as n^2
)


def frechet(a: Tensor, b: Tensor) -> float:
    """Frechet distance of the Gaussians fitted to two sets of features (N, d), in float64.

    d^2 = |mu_a - mu_b|^2 + tr(S_a + S_b - 2 (S_a^1/2 S_b S_a^1/2)^1/2)
    With centred features A, S_a = A'A, the last trace is the sum of the singular values of A B'. So no covariance is
    made, fewer pictures than features do no harm and cost less, and the order of the sets does not matter. Source:
    1706.08500, eq. 6.
    """
    a, b = _matching(a, b)
    shift = (a.mean(0) - b.mean(0)).square().sum()
    a, b = ((x - x.mean(0)) / (len(x) - 1) ** 0.5 for x in (a, b))
    spread = a.square().sum() + b.square().sum()  # tr S_a + tr S_b
    a, b = (
        torch.linalg.qr(x, mode="r").R if len(x) > x.shape[1] else x for x in (a, b)
    )  # R'R = A'A, (d, d)
    return max(0.0, float(shift + spread - 2 * torch.linalg.svdvals(a @ b.T).sum()))


def _matching(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise HLError(
            f"features must be (N, d) of one d and N at least 2, got {tuple(a.shape)} and {tuple(b.shape)}: "
            "make both with metrics.extract"
        )
    return a.double().cpu(), b.double().cpu()


def kernel_distance(
    a: Tensor, b: Tensor, n_subsets: int = 50, subset_size: int | None = None, seed: int = 0
) -> tuple[float, float]:
    """Kernel distance of two sets of features (N, d): its mean and standard deviation over random subsets.

    MMD^2 = mean k(a, a') + mean k(b, b') - 2 mean k(a, b),  k(x, y) = (x . y / d + 1)^3, without pairs of a thing with
    itself, so that its mean does not depend on n and may fall below 0. subset_size: by default half of the smaller set,
    at most 1000. Source: 1801.01401; torchmetrics.
    """
    a, b = _matching(a, b)
    smaller = min(len(a), len(b))
    size = max(2, min(1000, smaller // 2)) if subset_size is None else subset_size
    if not 2 <= size <= smaller or n_subsets < 1:
        raise HLError(
            f"subset_size must be 2 to {smaller}, the smaller set, and n_subsets at least 1, got {size} and "
            f"{n_subsets}: leave them out"
        )
    generator = torch.Generator().manual_seed(seed)
    pick = lambda x: x[torch.randperm(len(x), generator=generator)[:size]]  # noqa: E731
    scores = torch.stack([poly_mmd(pick(a), pick(b)) for _ in range(n_subsets)])
    return float(scores.mean()), float(scores.std(unbiased=False))


def kernel_interval(
    a: Tensor, b: Tensor, value: float, n_boot: int = 200, seed: int = 0
) -> list[float]:
    """95 % bootstrap interval of the kernel distance, both sets resampled, centred on `value`.

    A picture drawn w times weighs w: (w' K w - sum w^2 K_ii) / (n^2 - sum w^2), so that no pair is of one picture.
    """
    a, b = a[:KERNEL_AT_MOST], b[:KERNEL_AT_MOST]
    count = lambda x, s: torch.stack(  # noqa: E731
        [i.bincount(minlength=len(x)) for i in draws(len(x), n_boot, s)]
    ).double()
    w, v = count(a, seed), count(b, seed + 1)
    within = lambda k, u: ((u @ k * u).sum(1) - u**2 @ k.diag()) / (len(k) ** 2 - (u**2).sum(1))  # noqa: E731
    across = (w @ poly_kernel(a, b) * v).sum(1) / (len(a) * len(b))
    return interval(
        centred(within(poly_kernel(a, a), w) + within(poly_kernel(b, b), v) - 2 * across, value)
    )
