"""The rivals' networks, SRGAN's and CycleGAN's, in this package's terms: poor faces in, sharp faces out.

Their tasks are in tasks/baselines.py. What every generator here may have (`norm`, `skip`) they may have too, so that a
comparison is one of methods and not of shortcuts.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import RunConfig
from ..errors import HLError
from .blocks import PAPER, check_images, norm_layer, unsquash


def _conv(c_in: int, c_out: int, side: int = 3, stride: int = 1, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(c_in, c_out, side, stride, padding=side // 2, bias=bias)


class _SRBlock(nn.Module):
    """y = x + norm(conv(prelu(norm(conv(x))))), the block of SRResNet."""

    def __init__(self, w: int, norm: str):
        super().__init__()
        bias = norm == "none"
        self.body = nn.Sequential(
            _conv(w, w, bias=bias),
            norm_layer(norm, w),
            nn.PReLU(),
            _conv(w, w, bias=bias),
            norm_layer(norm, w),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class SRResNet(nn.Module):
    """lo -> hi: SRGAN's generator. lo (B, 3, 16, 16) in [-1, 1] -> (B, 3, 64, 64) in [-1, 1].

    9x9 convolution; 16 residual blocks and a convolution under one long skip, all at the size of lo; a convolution and
    pixel shuffle for each doubling; 9x9 convolution, tanh. Source: 1609.04802, figure 4. HLError for a wrong shape.
    """

    def __init__(self, cfg: RunConfig = PAPER):
        super().__init__()
        self.cfg = cfg
        w, bias = cfg.srgan_width, cfg.norm == "none"
        self.stem = nn.Sequential(_conv(3, w, 9), nn.PReLU())
        self.blocks = nn.Sequential(
            *(_SRBlock(w, cfg.norm) for _ in range(16)),
            _conv(w, w, bias=bias),
            norm_layer(cfg.norm, w),
        )
        n_double = int(math.log2(cfg.size_hi // cfg.size_lo))
        self.doubles = nn.Sequential(
            *(
                layer
                for _ in range(n_double)
                for layer in (_conv(w, 4 * w), nn.PixelShuffle(2), nn.PReLU())
            )
        )
        self.head = _conv(w, 3, 9)

    def forward(self, lo: Tensor) -> Tensor:
        check_images(
            "lo",
            lo,
            self.cfg.size_lo,
            "did you pass hi?" if lo.shape[-1:] == (self.cfg.size_hi,) else "",
        )
        x = self.stem(lo)
        y = self.head(self.doubles(x + self.blocks(x)))
        if self.cfg.skip:
            y = y + unsquash(
                F.interpolate(lo, size=y.shape[2:], mode="bilinear", align_corners=False)
            )
        return torch.tanh(y)


class CycleGenerator(nn.Module):
    """One direction of CycleGAN: (B, 3, 64, 64) in [-1, 1] -> the same shape, in the looks of the other domain.

    7x7 convolution, two that halve, 6 residual blocks, two that double, 7x7 convolution, tanh; instance normalisation.
    Source: 1703.10593, appendix (6 blocks, as there for pictures of 128 and less).
    """

    def __init__(self, cfg: RunConfig = PAPER):
        super().__init__()
        w, self.skip = cfg.cyclegan_width, cfg.skip

        def layer(conv: nn.Module) -> list[nn.Module]:
            return [conv, nn.InstanceNorm2d(conv.out_channels), nn.ReLU()]

        self.body = nn.Sequential(
            *layer(_conv(3, w, 7)),
            *layer(_conv(w, 2 * w, stride=2)),
            *layer(_conv(2 * w, 4 * w, stride=2)),
            *(_CycleBlock(4 * w) for _ in range(6)),
            *layer(nn.ConvTranspose2d(4 * w, 2 * w, 3, 2, padding=1, output_padding=1)),
            *layer(nn.ConvTranspose2d(2 * w, w, 3, 2, padding=1, output_padding=1)),
            _conv(w, 3, 7),
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.body(x)
        return torch.tanh(y + unsquash(x) if self.skip else y)


class _CycleBlock(nn.Module):
    """y = x + norm(conv(relu(norm(conv(x)))))."""

    def __init__(self, w: int):
        super().__init__()
        self.body = nn.Sequential(
            _conv(w, w), nn.InstanceNorm2d(w), nn.ReLU(), _conv(w, w), nn.InstanceNorm2d(w)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class CycleGAN(nn.Module):
    """CycleGAN's restoring half: lo (B, 3, 16, 16) in [-1, 1] -> (B, 3, 64, 64) in [-1, 1].

    CycleGAN wants both domains in one size, so poor faces are enlarged first, by bicubic interpolation. HLError for a
    wrong shape.
    """

    def __init__(self, cfg: RunConfig = PAPER):
        super().__init__()
        self.cfg, self.restore = cfg, CycleGenerator(cfg)

    def forward(self, lo: Tensor) -> Tensor:
        check_images(
            "lo",
            lo,
            self.cfg.size_lo,
            "did you pass hi?" if lo.shape[-1:] == (self.cfg.size_hi,) else "",
        )
        return self.restore(enlarged(lo, self.cfg.size_hi))


def enlarged(lo: Tensor, size: int = PAPER.size_hi) -> Tensor:
    """lo by bicubic interpolation, clipped: (B, 3, s, s) in [-1, 1] -> (B, 3, size, size).

    The rival that is no network. HLError where size is smaller than lo.
    """
    if lo.ndim != 4 or size < lo.shape[-1]:
        raise HLError(
            f"lo must be (B, 3, s, s) with s at most {size}, got {tuple(lo.shape)}: did you pass hi?"
        )
    return F.interpolate(lo, size=(size, size), mode="bicubic", align_corners=False).clamp(-1, 1)
