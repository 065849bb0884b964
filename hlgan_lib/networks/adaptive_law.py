"""A law that depends on the scene: how its light moves the numbers of the learned camera."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..degradations.optics import light_in_stops

SCENE = {
    "light": "mean light, stops",
    "warmth": "red over blue, halved, stops",
    "tint": "green over red and blue, stops",
    "contrast": "log standard deviation of brightness",
}


def scene_statistics(hi: Tensor) -> Tensor:
    """What a camera may adapt to in a scene.

    Args:
        hi: (B, 3, S, S) in [-1, 1].

    Returns:
        (B, 4), the numbers of SCENE.
    """
    brightness = (hi + 1).mean(1) / 2
    contrast = brightness.flatten(1).std(1).add(1e-3).log()
    return torch.cat([light_in_stops(hi), contrast[:, None]], 1)


class AdaptiveLaw(nn.Module):
    """The scene's part in a law: a shift of each mean, a factor of each spread.

    shift = W s,    factor = exp(V s),    s = (statistics - centre) / width, within REACH

    W and V start at 0: the law is the plain one until the pictures say otherwise. `centre` and
    `width` are of the HR dataset (`set`), so that a slope keeps its meaning while it is learned.

    Args:
        n: numbers of the law.
        domains: how many laws there are.

    Source: ours; a linear FiLM (1709.07871) of a normal law.
    """

    REACH = 3.0  # standard deviations; a stranger scene counts as one so far off

    def __init__(self, n: int, domains: int = 1) -> None:
        super().__init__()
        each = (domains,) if domains > 1 else ()
        self.mean_slope = nn.Parameter(torch.zeros(*each, n, len(SCENE)))
        self.spread_slope = nn.Parameter(torch.zeros(*each, n, len(SCENE)))
        self.centre = nn.Buffer(torch.zeros(len(SCENE)))
        self.width = nn.Buffer(torch.ones(len(SCENE)))

    def set(self, statistics: Tensor) -> None:
        """Take over what scenes are like.

        Args:
            statistics: `scene_statistics` of many, (N, 4).
        """
        self.centre.copy_(statistics.mean(0))
        self.width.copy_(statistics.std(0).clamp(min=1e-3))

    def scene(self, hi: Tensor) -> Tensor:
        """s of each scene.

        Args:
            hi: (B, 3, S, S) in [-1, 1].

        Returns:
            (B, 4).
        """
        s = (scene_statistics(hi) - self.centre) / self.width
        return s.clamp(-self.REACH, self.REACH)

    def forward(self, scene: Tensor, domain: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The shift of each mean and the factor of each spread.

        Args:
            scene: s, (B, 4).
            domain: (B,), of which law, where there are several.

        Returns:
            (B, n) each; the shift in the units of the law's mean.
        """
        w: Tensor = self.mean_slope
        v: Tensor = self.spread_slope
        if domain is not None:
            w, v = w[domain], v[domain]
        s = scene[:, :, None]
        return (w @ s).squeeze(2), (v @ s).squeeze(2).exp()
