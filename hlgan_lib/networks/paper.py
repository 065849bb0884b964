"""The three networks of the paper: High-to-Low, Low-to-High, and the discriminator of either size.

    hi (64) + z --HighToLow--> lo (16) --LowToHigh--> hi (64);     D(16) judges lo, D(64) judges hi

What the paper fixes is fixed here (block counts and the size at which each works); what it leaves
open is a switch of `RunConfig`. Sources and their certainty: docs/paper.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ..config import RunConfig
from ..errors import HLError
from .blocks import (
    BOTTLENECK,
    D_NORMS,
    PAPER,
    ResBlock,
    check_images,
    check_side,
    check_z,
    conv,
    norm_layer,
    unsquash,
)
from .measured_jpeg import MeasuredJPEG


class HighToLow(nn.Module):
    """(hi, z) -> lo: the network that learns how the world degrades.

    z passes a fully connected layer to one 64x64 channel beside red, green and blue. 12 residual
    blocks in 6 groups of 2: four encoder groups 64 -> 32 -> 16 -> 8 -> 4, two decoder groups
    4 -> 8 -> 16 by pixel shuffle. For other sizes the number of groups follows.

    Args:
        cfg: reads the sizes, `h2l_width`, `z_dim`, and the switches `z_input`, `norm`, `order`,
            `down`, `down_first`, `skip`, `jpeg`.

    Raises:
        HLError: at a call for a wrong shape.

    Source: paper, section 3.1; a JPEG at the end is ours.
    """

    def __init__(self, cfg: RunConfig = PAPER) -> None:
        super().__init__()
        self.cfg = cfg
        self.takes_z = cfg.z_input == "concat"
        w, size = cfg.h2l_width, cfg.size_hi
        n_down = int(math.log2(cfg.size_hi // BOTTLENECK))
        n_up = int(math.log2(cfg.size_lo // BOTTLENECK))

        # z as a channel of its own
        self.fc = nn.Linear(cfg.z_dim, size**2) if self.takes_z else None
        self.stem = conv(3 if self.fc is None else 4, w)

        # Encoder: two blocks, then half the size (or first, which is cheaper).
        self.encoder = nn.ModuleList()
        self.doubles = nn.ModuleList()
        self.decoder = nn.ModuleList()
        for _ in range(n_down):
            blocks, halve = self._blocks(), self._halve()
            layers = halve + blocks if cfg.down_first else blocks + halve
            self.encoder.append(nn.Sequential(*layers))

        # Decoder: twice the size, then two blocks.
        for _ in range(n_up):
            self.doubles.append(nn.Sequential(conv(w, 4 * w), nn.PixelShuffle(2)))
            self.decoder.append(nn.Sequential(*self._blocks()))

        # Output
        self.head = nn.Sequential(norm_layer(cfg.norm, w), nn.ReLU(), conv(w, 3))
        self.jpeg = MeasuredJPEG() if cfg.jpeg == "measured" else None

    def _blocks(self) -> list[nn.Module]:
        """The two residual blocks of a group."""
        cfg = self.cfg
        return [ResBlock(cfg.h2l_width, cfg.norm, cfg.order) for _ in range(2)]

    def _halve(self) -> list[nn.Module]:
        """The layers that halve the size."""
        w = self.cfg.h2l_width
        if self.cfg.down == "conv":
            return [norm_layer(self.cfg.norm, w), nn.ReLU(), conv(w, w, stride=2)]
        return [nn.AvgPool2d(2) if self.cfg.down == "avg" else nn.MaxPool2d(2)]

    def forward(self, hi: Tensor, z: Tensor) -> Tensor:
        """Degrade each image by what its z says.

        Args:
            hi: (B, 3, 64, 64) in [-1, 1].
            z: (B, z_dim) of N(0, 1).

        Returns:
            lo: (B, 3, 16, 16) in [-1, 1].
        """
        check_side("hi", hi, self.cfg)
        check_z(z, len(hi), self.cfg)
        x = self.stem(self._with_z(hi, z))  # (B, w, 64, 64)
        seen = {}  # the encoder's features by size, for `skip`
        for group in self.encoder:
            x = group(x)  # 32, 16, 8, 4 pixels a side
            seen[x.shape[-1]] = x
        for double, group in zip(self.doubles, self.decoder, strict=True):
            x = double(x)  # 8, 16
            if self.cfg.skip:
                x = x + seen[x.shape[-1]]
            x = group(x)
        y = self.head(x)  # (B, 3, 16, 16)
        if self.cfg.skip:
            y = y + unsquash(F.adaptive_avg_pool2d(hi, self.cfg.size_lo))
        lo = torch.tanh(y)
        return lo if self.jpeg is None else self.jpeg(lo, z)

    def _with_z(self, hi: Tensor, z: Tensor) -> Tensor:
        """hi with z as a fourth channel, (B, 4, 64, 64), where z enters so."""
        if self.fc is None:
            return hi
        channel = self.fc(z).view(len(z), 1, *hi.shape[2:])
        return torch.cat([hi, channel], dim=1)


class LowToHigh(nn.Module):
    """lo -> hi: the network that restores.

    Groups of 12, 3 and 2 residual blocks at 16, 32 and 64 pixels, one long skip over each. Factor 2
    leaves out the last group, each doubling beyond 4 adds one of 2 blocks.

    Args:
        cfg: reads the sizes, `l2h_width`, and the switches `norm`, `order`, `skip`.

    Raises:
        HLError: at a call for a wrong shape.

    Source: paper, section 3.2; channels 256, 128 from the released code, 64 in line with them.
    """

    def __init__(self, cfg: RunConfig = PAPER) -> None:
        super().__init__()
        self.cfg = cfg
        n_double = int(math.log2(cfg.size_hi // cfg.size_lo))
        n_blocks = [12, 3] + [2] * (n_double - 1)
        widths = [max(cfg.l2h_width >> i, 1) for i in range(n_double + 1)]  # halved at each size

        self.stem = conv(3, widths[0])
        self.groups = nn.ModuleList()
        for n, width in zip(n_blocks, widths, strict=True):
            self.groups.append(_Group(n, width, cfg))
        self.doubles = nn.ModuleList()
        for c_in, c_out in zip(widths, widths[1:], strict=False):
            self.doubles.append(_double(c_in, c_out, cfg.norm))
        self.head = nn.Sequential(norm_layer(cfg.norm, widths[-1]), nn.ReLU(), conv(widths[-1], 3))

    def forward(self, lo: Tensor) -> Tensor:
        """Restore each image.

        Args:
            lo: (B, 3, 16, 16) in [-1, 1].

        Returns:
            hi: (B, 3, 64, 64) in [-1, 1], float32 whatever autocast says.
        """
        check_side("lo", lo, self.cfg)
        x = self.groups[0](self.stem(lo))  # (B, 256, 16, 16)
        for double, group in zip(self.doubles, self.groups[1:], strict=True):
            x = group(double(x))  # (B, 128, 32, 32), (B, 64, 64, 64)
        y = self.head(x)  # (B, 3, 64, 64)
        if self.cfg.skip:
            y = y + unsquash(enlarge(lo, y.shape[-1]))
        return torch.tanh(y.float())


def enlarge(lo: Tensor, size: int) -> Tensor:
    """lo by bilinear interpolation: the shortcut of the generators.

    Args:
        lo: (B, 3, s, s).
        size: side that is wanted, pixels.

    Returns:
        (B, 3, size, size).
    """
    return F.interpolate(lo, size=(size, size), mode="bilinear", align_corners=False)


class _Group(nn.Module):
    """A run of residual blocks under one long skip: y = x + blocks(x)."""

    def __init__(self, n_blocks: int, channels: int, cfg: RunConfig) -> None:
        super().__init__()
        blocks = [ResBlock(channels, cfg.norm, cfg.order) for _ in range(n_blocks)]
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.blocks(x)


def _double(c_in: int, c_out: int, norm: str) -> nn.Sequential:
    """Twice the size: bilinear, normalise, activate, 1x1 convolution, as in the released L2H."""
    return nn.Sequential(
        nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
        norm_layer(norm, c_in),
        nn.ReLU(),
        nn.Conv2d(c_in, c_out, 1),
    )


class Discriminator(nn.Module):
    """Images -> one number each, above 0 for real.

    Six residual blocks with spectral norm on every layer and no batch norm, then a fully connected
    layer. At 16 pixels four blocks keep the size and two halve it; at 64 two keep and four halve:
    both end at 4x4.

    Args:
        size: side of the images, pixels.
        width: channels.
        pool: "avg" or "max", how blocks halve.
        norm: "spectral" or "none", of every layer.
        domains: where there are several, a projection is added to the score of each image x of
            domain y: e(y) . sum of the features of x over pixels, e an embedding.

    Raises:
        HLError: at a call for a wrong shape, or without domains where there are several.

    Source: paper, section 3; the projection: 1802.05637.
    """

    def __init__(
        self,
        size: int = 64,
        width: int = 128,
        pool: str = "avg",
        norm: str = "spectral",
        domains: int = 1,
    ) -> None:
        super().__init__()
        self.size = size
        normed = D_NORMS[norm]
        n_halve = int(math.log2(size // BOTTLENECK))
        n_keep = max(6 - n_halve, 0)
        halve = nn.AvgPool2d(2) if pool == "avg" else nn.MaxPool2d(2)

        self.stem = normed(conv(3, width))
        blocks = [_DBlock(width, nn.Identity(), norm) for _ in range(n_keep)]
        blocks += [_DBlock(width, halve, norm) for _ in range(n_halve)]
        self.blocks = nn.Sequential(*blocks)
        self.fc = normed(nn.Linear(width * BOTTLENECK**2, 1))
        self.embed = normed(nn.Embedding(domains, width)) if domains > 1 else None

    def forward(self, x: Tensor, domain: Tensor | None = None) -> Tensor:
        """Score images.

        Args:
            x: (B, 3, size, size) in [-1, 1].
            domain: (B,) of 0..domains-1, where there are several.

        Returns:
            (B,), float32.
        """
        check_images("x", x, self.size)
        if (domain is None) != (self.embed is None):
            raise HLError("domain must be given to a discriminator of several domains, and only so")
        with _float32_weights(self):
            features = F.relu(self.blocks(self.stem(x)))  # (B, width, 4, 4)
            score = self.fc(features.flatten(1))  # (B, 1)
            if self.embed is not None:
                projected = self.embed(domain) * features.sum((2, 3))  # (B, width)
                score = score + projected.sum(1, keepdim=True)
        # Scores in float32: of a float16 one the gradient of a scaled loss would overflow.
        return score.squeeze(1).float()


@contextmanager
def _float32_weights(net: nn.Module) -> Iterator[None]:
    """Under autocast, the normalised weights of `net` computed in float32, once, and kept inside.

    The power iteration of spectral norm does not bear the rounding of half precision.
    """
    device = next(net.parameters()).device.type
    if not torch.is_autocast_enabled(device):
        yield
        return
    with parametrize.cached():
        with torch.autocast(device, enabled=False):
            for layer in net.modules():
                if parametrize.is_parametrized(layer, "weight"):
                    _ = layer.weight  # computed at this access
        yield


class _DBlock(nn.Module):
    """A residual block without batch norm; pools both paths when it halves."""

    def __init__(self, channels: int, pool: nn.Module, norm: str) -> None:
        super().__init__()
        self.conv1 = D_NORMS[norm](conv(channels, channels))
        self.conv2 = D_NORMS[norm](conv(channels, channels))
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv2(F.relu(self.conv1(F.relu(x))))
        return self.pool(x + y)
