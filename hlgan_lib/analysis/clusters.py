"""Whose camera took which picture, where nobody says so: a Gaussian mixture of measurements.

Needs no HR picture and no label. How far it is to be trusted is measured where the truth is known
(docs/domains.md): cameras that differ in light, colour or JPEG come apart, those that differ in
blur alone do not.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ..data.faces import FaceSet
from ..errors import HLError
from ..losses import picture_statistics
from ..rng import seeded
from .jpeg_traces import BLOCK, jpeg_grid

AT_LEAST = 10  # pictures of a domain
N_FIT = 5_000  # pictures, at most, that the mixture is fitted to; the others are only called
STARTS, ROUNDS = 10, 60  # k-means++ starts, of which the likeliest is kept; rounds of EM
SHRINK = 0.3  # share of each covariance that is made round, as 21 numbers of few pictures need it


class Mixture(NamedTuple):
    """A Gaussian mixture, its parts in no order.

    Attributes:
        log_share: (k,), log of the share of each part.
        mean: (k, d).
        root: (k, d, d), the lower Cholesky factor of each covariance.
    """

    log_share: Tensor
    mean: Tensor
    root: Tensor

    def log_joint(self, x: Tensor) -> Tensor:
        """log p(x, part) up to a constant: (n, d) -> (n, k)."""
        apart = (x - self.mean[:, None]).mT  # (k, d, n)
        whitened = torch.linalg.solve_triangular(self.root, apart, upper=False)
        volume = self.root.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return (self.log_share - volume)[None] - whitened.square().sum(1).mT / 2


def mixture(x: Tensor, k: int, seed: int = 0) -> Mixture:
    """Fit a mixture of k Gaussians by expectation maximisation, from several starts.

        covariance of a part = (1 - SHRINK) S + SHRINK tr(S)/d I,   S that of its pictures

    Args:
        x: (n, d) float64, n above k; standardised.
        k: how many parts.
        seed: of the starts (k-means++, Arthur and Vassilvitskii 2007).

    Returns:
        The likeliest.
    """
    generator = seeded(seed)
    best, highest = None, -math.inf
    for _ in range(STARTS):
        centres = x[torch.randint(len(x), (1,), generator=generator)]
        while len(centres) < k:
            far = torch.cdist(x, centres).amin(1).square() + 1e-12
            centres = torch.cat([centres, x[torch.multinomial(far, 1, generator=generator)]])
        nearest = torch.cdist(x, centres).argmin(1)
        share = torch.nn.functional.one_hot(nearest, k).to(x)
        for _ in range(ROUNDS):
            found = _maximised(x, share)
            joint = found.log_joint(x)
            share = joint.softmax(1)
        likelihood = joint.logsumexp(1).sum().item()
        if likelihood > highest:
            best, highest = found, likelihood
    assert best is not None
    return best


def _maximised(x: Tensor, share: Tensor) -> Mixture:
    """The mixture that fits best where picture i is of part j to `share` (n, k)."""
    n, d = x.shape
    weight = share.sum(0).clamp(min=1e-9)
    mean = share.mT @ x / weight[:, None]
    apart = x - mean[:, None]  # (k, n, d)
    covariance = (share.mT[..., None] * apart).mT @ apart / weight[:, None, None]
    round_part = covariance.diagonal(dim1=-2, dim2=-1).mean(-1)[:, None, None] + 1e-6
    eye = torch.eye(d, dtype=x.dtype, device=x.device)
    root = torch.linalg.cholesky((1 - SHRINK) * covariance + SHRINK * round_part * eye)
    return Mixture((weight / n).log(), mean, root)


def domain_features(lo: FaceSet) -> Tensor:
    """What tells cameras apart in a picture alone.

    `losses.picture_statistics`, and how surely a JPEG grid is there (`analysis.jpeg_grid`) where
    pictures are large enough to hold one.

    Args:
        lo: LR pictures.

    Returns:
        (N, 21) float64, or (N, 20) of pictures below 16 pixels.
    """
    measured = []
    for start in range(0, len(lo), 256):
        part = lo.batch(slice(start, start + 256))
        numbers = [picture_statistics(part).double()]
        if min(lo.size) >= 2 * BLOCK:
            numbers.append(jpeg_grid(part).score[:, None])
        measured.append(torch.cat(numbers, 1))
    return torch.cat(measured)


def infer_domains(lo: FaceSet, n: int, seed: int = 0) -> Tensor:
    """The domain of each LR picture, inferred.

    Args:
        lo: LR pictures of several cameras.
        n: how many cameras.
        seed: of the search.

    Returns:
        (N,) of 0..n-1, from the darkest domain to the lightest.

    Raises:
        HLError: for too few pictures, and where a domain of less than AT_LEAST is found.
    """
    if len(lo) < n * AT_LEAST:
        raise HLError(
            f"lo must hold {AT_LEAST} pictures or more of each of {n} domains to infer them, got "
            f"{len(lo)} of {lo.source}: set a smaller domains"
        )
    x = domain_features(lo)
    light = x[:, 0]
    x = (x - x.mean(0)) / x.std(0).clamp(min=1e-9)
    found = mixture(x[:: 1 + (len(x) - 1) // N_FIT], n, seed)
    label = found.log_joint(x).argmax(1)

    # In an order that a rounding does not change.
    counts = torch.bincount(label, minlength=n)
    if counts.min() < AT_LEAST:
        raise HLError(
            f"lo must fall into {n} domains of {AT_LEAST} pictures or more, got "
            f"{', '.join(str(c) for c in counts.tolist())} of {lo.source}: set a smaller domains, "
            "or sort the pictures into folders"
        )
    mean_light = torch.zeros(n, dtype=light.dtype).index_add_(0, label, light) / counts
    return mean_light.argsort().argsort()[label]


def with_domains(lo: FaceSet, label: Tensor) -> FaceSet:
    """The same pictures, each name behind a folder of its domain, as `data.by_domain` reads them.

    Args:
        lo: LR pictures.
        label: (N,), the domain of each.
    """
    digits = len(str(int(label.max())))
    names = [f"{k:0{digits}d}/{name}" for k, name in zip(label.tolist(), lo.names, strict=True)]
    return FaceSet(lo.images, tuple(names), lo.source, lo.skipped)


def rand_index(a: Tensor, b: Tensor) -> float:
    """How far two groupings of the same pictures agree, beyond chance: the adjusted Rand index.

        (pairs together in both - expected) / (mean of pairs together in each - expected)

    Args:
        a: (n,) of 0, 1, ...
        b: (n,) of 0, 1, ...

    Returns:
        1 where they are the same up to names, 0 on average for groupings that know nothing of each
        other.

    Source: Hubert and Arabie, Comparing partitions, 1985.

    >>> rand_index(torch.tensor([0, 0, 1, 1]), torch.tensor([1, 1, 0, 0]))
    1.0
    """
    k = int(b.max()) + 1
    table = torch.bincount(a * k + b, minlength=(int(a.max()) + 1) * k).view(-1, k).double()

    def pairs(counts: Tensor) -> float:
        return (counts * (counts - 1) / 2).sum().item()

    both, in_a, in_b = pairs(table), pairs(table.sum(1)), pairs(table.sum(0))
    expected = in_a * in_b / pairs(table.sum()[None])
    highest = (in_a + in_b) / 2
    return 1.0 if highest == expected else (both - expected) / (highest - expected)
