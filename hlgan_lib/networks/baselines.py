"""The networks of the baselines, SRGAN and CycleGAN, and the one that is no network: LR in, HR out.

Their tasks are in tasks/baselines.py. What every generator here may have (`norm`, `skip`) they may
have too, so that a comparison is one of methods and not of shortcuts.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import RunConfig
from ..errors import HLError
from .blocks import PAPER, check_side, conv, norm_layer, unsquash


class _SRBlock(nn.Module):
    """y = x + norm(conv(prelu(norm(conv(x))))), the block of SRResNet."""

    def __init__(self, w: int, norm: str) -> None:
        super().__init__()
        bias = norm == "none"
        self.body = nn.Sequential(
            conv(w, w, bias=bias),
            norm_layer(norm, w),
            nn.PReLU(),
            conv(w, w, bias=bias),
            norm_layer(norm, w),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class SRResNet(nn.Module):
    """lo -> hi: SRGAN's generator.

    9x9 convolution; 16 residual blocks and a convolution under one long skip, all at the size of
    lo; a convolution and pixel shuffle for each doubling; 9x9 convolution, tanh.

    Args:
        cfg: reads the sizes, `srgan_width`, and the switches `norm` and `skip`.

    Raises:
        HLError: at a call for a wrong shape.

    Source: 1609.04802, figure 4.
    """

    def __init__(self, cfg: RunConfig = PAPER) -> None:
        super().__init__()
        self.cfg = cfg
        w = cfg.srgan_width
        self.stem = nn.Sequential(conv(3, w, 9), nn.PReLU())
        blocks: list[nn.Module] = [_SRBlock(w, cfg.norm) for _ in range(16)]
        last = conv(w, w, bias=cfg.norm == "none")
        self.blocks = nn.Sequential(*blocks, last, norm_layer(cfg.norm, w))
        doubles: list[nn.Module] = []
        for _ in range(int(math.log2(cfg.size_hi // cfg.size_lo))):
            doubles += [conv(w, 4 * w), nn.PixelShuffle(2), nn.PReLU()]
        self.doubles = nn.Sequential(*doubles)
        self.head = conv(w, 3, 9)

    def forward(self, lo: Tensor) -> Tensor:
        """lo: (B, 3, 16, 16) in [-1, 1] -> hi: (B, 3, 64, 64) in [-1, 1]."""
        check_side("lo", lo, self.cfg)
        x = self.stem(lo)  # (B, w, 16, 16)
        x = self.doubles(x + self.blocks(x))  # (B, w, 64, 64)
        y = self.head(x)
        if self.cfg.skip:
            size = self.cfg.size_hi
            large = F.interpolate(lo, size=(size, size), mode="bilinear", align_corners=False)
            y = y + unsquash(large)
        return torch.tanh(y)


class CycleGenerator(nn.Module):
    """One direction of CycleGAN: an image of one domain as it would look in the other.

    7x7 convolution, two that halve, 6 residual blocks, two that double, 7x7 convolution, tanh;
    instance normalisation.

    Args:
        cfg: reads `cyclegan_width` and the switch `skip`.

    Source: 1703.10593, appendix (6 blocks, as there for images of 128 pixels and less).
    """

    def __init__(self, cfg: RunConfig = PAPER) -> None:
        super().__init__()
        self.skip = cfg.skip
        w = cfg.cyclegan_width

        def layer(convolution: nn.Conv2d | nn.ConvTranspose2d) -> list[nn.Module]:
            return [convolution, nn.InstanceNorm2d(convolution.out_channels), nn.ReLU()]

        self.body = nn.Sequential(
            *layer(conv(3, w, 7)),
            *layer(conv(w, 2 * w, stride=2)),
            *layer(conv(2 * w, 4 * w, stride=2)),
            *(_CycleBlock(4 * w) for _ in range(6)),
            *layer(nn.ConvTranspose2d(4 * w, 2 * w, 3, 2, padding=1, output_padding=1)),
            *layer(nn.ConvTranspose2d(2 * w, w, 3, 2, padding=1, output_padding=1)),
            conv(w, 3, 7),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, 64, 64) in [-1, 1] -> the same shape, in [-1, 1]."""
        y = self.body(x)
        return torch.tanh(y + unsquash(x) if self.skip else y)


class _CycleBlock(nn.Module):
    """y = x + norm(conv(relu(norm(conv(x)))))."""

    def __init__(self, w: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv(w, w), nn.InstanceNorm2d(w), nn.ReLU(), conv(w, w), nn.InstanceNorm2d(w)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class CycleGAN(nn.Module):
    """lo -> hi: CycleGAN's restoring half.

    CycleGAN wants both domains in one size, so LR images are enlarged first, by bicubic
    interpolation.

    Args:
        cfg: reads the sizes, and what CycleGenerator reads.

    Raises:
        HLError: at a call for a wrong shape.
    """

    def __init__(self, cfg: RunConfig = PAPER) -> None:
        super().__init__()
        self.cfg = cfg
        self.restore = CycleGenerator(cfg)

    def forward(self, lo: Tensor) -> Tensor:
        """lo: (B, 3, 16, 16) in [-1, 1] -> hi: (B, 3, 64, 64) in [-1, 1]."""
        check_side("lo", lo, self.cfg)
        return self.restore(enlarged(lo, self.cfg.size_hi))


def enlarged(lo: Tensor, size: int = PAPER.size_hi) -> Tensor:
    """lo by bicubic interpolation, clipped: the baseline that is no network.

    Args:
        lo: (B, 3, s, s) in [-1, 1].
        size: side of the result, pixels, at least s.

    Returns:
        (B, 3, size, size) in [-1, 1].

    Raises:
        HLError: where size is smaller than s.
    """
    if lo.ndim != 4 or size < lo.shape[-1]:
        raise HLError(
            f"lo must be (B, 3, s, s) with s at most {size}, got {tuple(lo.shape)}: "
            "did you pass hi?"
        )
    return F.interpolate(lo, size=(size, size), mode="bicubic", align_corners=False).clamp(-1, 1)
