"""Pairs nearer to the real domain: of several LR images of a face, one that could be a real one.

A degradation that is too wide or a little beside the real one makes pairs that teach L2H what it
will never meet. Weighting pairs by r(lo) = p_real(lo) / p_made(lo) would mend that where the made
images cover the real ones. Here the weight decides which pair is drawn, not what it counts: n
images are made of each face, and one is taken with probability r over their sum
(sampling-importance resampling, Rubin 1988). So every pair of a batch counts in full, and a face
cannot be preferred for its own light or colour.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..data.faces import FaceSet
from ..degradations import Degradation
from ..losses import picture_statistics
from ..rng import seeded
from .classifier import expanded, logistic

N_SEEN = 1_000  # made and real images, at most, of which the ratio is learned
DECAY = 0.1  # penalty of the classifier's weights, as in `two_sample`


class Nearness(NamedTuple):
    """log r, by a logistic regression between made and real images.

    It sees `losses.picture_statistics`, standardised, and their squares.

    Attributes:
        mean: (d,), of the statistics.
        std: (d,).
        weight: (1 + 2 d,), of the constant, the statistics, and their squares.
    """

    mean: Tensor
    std: Tensor
    weight: Tensor

    def log_ratio(self, lo: Tensor) -> Tensor:
        """log r of images (B, 3, s, s) in [-1, 1]: (B,), larger for those that could be real."""
        with torch.autocast(lo.device.type, enabled=False):
            x = (picture_statistics(lo.float()) - self.mean) / self.std
            return expanded(x) @ self.weight


def nearness(made: Tensor, real: Tensor) -> Nearness:
    """Learn log r.

    Args:
        made: LR images (N, 3, s, s) in [-1, 1].
        real: LR images (M, 3, s, s) in [-1, 1]; as many of both are used.

    Returns:
        It, on the device of `made`.
    """
    n = min(len(made), len(real))
    x = torch.cat([picture_statistics(part[:n]).double().cpu() for part in (made, real)])
    mean, std = x.mean(0), x.std(0).clamp(min=1e-6)
    label = torch.arange(2).repeat_interleave(n).double()
    weight = logistic(expanded((x - mean) / std), label, DECAY)
    return Nearness(*(v.float().to(made.device) for v in (mean, std, weight)))


@torch.no_grad()
def nearer(
    degrade: Degradation,
    hi: FaceSet,
    lo: FaceSet,
    n: int,
    device: torch.device | str = "cpu",
    seed: int = 0,
) -> Degradation:
    """The degradation, resampled towards real LR images.

    Args:
        degrade: (hi, generator) -> lo.
        hi: HR faces to learn the ratio of.
        lo: real LR images, of other people.
        n: images made of each face, of which one is taken.
        device: where it is used.
        seed: of what is made to learn the ratio.

    Returns:
        (hi, generator) -> lo, n times as slow.
    """
    generator = seeded(seed, device)
    faces, photographs = (s.batch(_spread(len(s)), device) for s in (hi, lo))
    made = torch.cat([degrade(part, generator) for part in faces.split(64)])
    near = nearness(made, photographs)

    def resampled(hi: Tensor, generator: torch.Generator) -> Tensor:
        b = len(hi)
        many = degrade(hi.repeat(n, 1, 1, 1), generator).unflatten(0, (n, b))
        score = near.log_ratio(many.flatten(0, 1)).view(n, b)
        # The largest of log r + Gumbel noise is a draw with probability r / sum of r.
        u = torch.rand(n, b, generator=generator, device=hi.device).clamp(1e-12, 1 - 1e-7)
        at = (score - (-u.log()).log()).argmax(0)
        index = at.view(1, b, 1, 1, 1).expand(1, b, *many.shape[2:])
        return many.gather(0, index)[0]

    return resampled


def _spread(n: int) -> list[int]:
    """N_SEEN of n rows at most, evenly spaced."""
    return torch.linspace(0, n - 1, min(n, N_SEEN)).long().tolist()
