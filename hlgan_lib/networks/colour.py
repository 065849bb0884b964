"""What the paper's discriminator overlooks, colour: two additions of ours, off in `paper`."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .blocks import BOTTLENECK, D_NORMS


def opponent_colours(x: Tensor, gain: float = 4.0) -> Tensor:
    """Luminance and two colour differences instead of red, green and blue.

    y = (r + g + b) / 3;   blue-yellow = gain (r - b) / 2;   green-magenta = gain (2 g - r - b) / 4

    Colour detail is faint beside that of luminance, and spectral norm forbids a first layer to
    amplify it: without this, D overlooks what JPEG's chroma subsampling leaves.

    Args:
        x: RGB, (B, 3, S, S).
        gain: how much stronger colour becomes.

    Returns:
        (B, 3, S, S).

    Source: ours.
    """
    red, green, blue = x.unbind(1)
    luminance = (red + green + blue) / 3
    blue_yellow = gain * (red - blue) / 2
    green_magenta = gain * (2 * green - red - blue) / 4
    return torch.stack([luminance, blue_yellow, green_magenta], dim=1)


class CoarseDiscriminator(nn.Module):
    """Judge light and colour alone: an image pooled to 4x4, then three linear layers.

    What `Discriminator` finds in texture drowns how far exposure and colour wander from shot to
    shot; here they have a score of their own.

    Args:
        width: of the two hidden layers.
        norm: "spectral" or "none", of every layer.

    Source: ours, after the discriminators at several scales of 1711.11585.
    """

    size = BOTTLENECK

    def __init__(self, width: int = 64, norm: str = "spectral") -> None:
        super().__init__()
        normed = D_NORMS[norm]
        self.body = nn.Sequential(
            nn.Flatten(),
            normed(nn.Linear(3 * BOTTLENECK**2, width)),
            nn.LeakyReLU(0.2),
            normed(nn.Linear(width, width)),
            nn.LeakyReLU(0.2),
            normed(nn.Linear(width, 1)),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Score images.

        Args:
            x: (B, 3, S, S) in [-1, 1], any S.

        Returns:
            (B,), above 0 for real.
        """
        pooled = opponent_colours(F.adaptive_avg_pool2d(x, BOTTLENECK)) * 4  # (B, 3, 4, 4)
        return self.body(pooled).squeeze(1).float()
