"""Wavelet-SRNet, and the Haar wavelet packets whose coefficients it predicts."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import RunConfig
from .blocks import PAPER, ResBlock, check_side, conv

N_BLOCKS = 8  # of what all bands are predicted from


def split_bands(x: Tensor) -> Tensor:
    """One level of Haar packets: each channel in four bands at half the size.

    Of four neighbours: their sum, and the differences of rows, of columns, of diagonals, all over
    2, so that a sum of squares stays what it was.

    Args:
        x: (B, n, 3, S, S), S even: n bands of three colours.

    Returns:
        (B, 4 n, 3, S/2, S/2): of each band its four in turn.
    """
    a, b = x[..., ::2, ::2], x[..., ::2, 1::2]
    c, d = x[..., 1::2, ::2], x[..., 1::2, 1::2]
    bands = [a + b + c + d, a + b - c - d, a - b + c - d, a - b - c + d]
    return torch.stack(bands, 2).flatten(1, 2) / 2


def join_bands(bands: Tensor) -> Tensor:
    """The inverse of `split_bands`: (B, 4 n, 3, s, s) -> (B, n, 3, 2 s, 2 s)."""
    low, rows, columns, diagonal = bands.unflatten(1, (-1, 4)).unbind(2)  # (B, n, 3, s, s) each
    pixels = [
        low + rows + columns + diagonal,
        low + rows - columns - diagonal,
        low - rows + columns - diagonal,
        low - rows - columns + diagonal,
    ]
    return F.pixel_shuffle(torch.stack(pixels, 3) / 2, 2).squeeze(3)


def to_wavelets(x: Tensor, levels: int) -> Tensor:
    """Haar wavelet packets of images: all bands are split again at each level.

    Args:
        x: (B, 3, S, S).
        levels: how often to split.

    Returns:
        (B, 4^levels, 3, S / 2^levels, S / 2^levels), the low frequencies first.
    """
    bands = x[:, None]
    for _ in range(levels):
        bands = split_bands(bands)
    return bands


def from_wavelets(bands: Tensor) -> Tensor:
    """The images of wavelet packets: the inverse of `to_wavelets`."""
    while bands.shape[1] > 1:
        bands = join_bands(bands)
    return bands[:, 0]


class WaveletLowToHigh(nn.Module):
    """lo -> hi by way of the wavelet packets of hi, whose bands have the size of lo.

    A convolution and 8 residual blocks at the size of lo; then for each octave of frequencies a
    branch in which each band has its own channels (1, 3, 12 bands at factor 4).

    Args:
        cfg: reads the sizes, `l2h_width`, and the switches `norm`, `order`, `skip`: with the latter
            the low frequencies add to those of lo.

    Raises:
        HLError: at a call for a wrong shape.

    Source: Wavelet-SRNet, Huang et al., ICCV 2017, and its released code. Differs: 8 of this
    package's residual blocks, of one width, for 10 whose widths double from 64 to 1,024; the
    shortcut.
    """

    def __init__(self, cfg: RunConfig = PAPER) -> None:
        super().__init__()
        self.cfg = cfg
        w = cfg.l2h_width
        self.levels = int(math.log2(cfg.size_hi // cfg.size_lo))
        blocks = [ResBlock(w, cfg.norm, cfg.order) for _ in range(N_BLOCKS)]
        self.embed = nn.Sequential(conv(3, w), *blocks)
        own = max(w // 4, 1)  # channels of a band
        counts = [1] + [3 * 4**i for i in range(self.levels)]
        self.branches = nn.ModuleList(_Branch(w, n, own) for n in counts)

    def coefficients(self, lo: Tensor) -> Tensor:
        """The wavelet packets of hi, (B, 16, 3, 16, 16), float32 whatever autocast says."""
        check_side("lo", lo, self.cfg)
        x = self.embed(lo)
        bands = torch.cat([branch(x) for branch in self.branches], 1).float()
        if not self.cfg.skip:
            return bands
        low = bands[:, :1] + 2**self.levels * lo[:, None]
        return torch.cat([low, bands[:, 1:]], 1)

    def forward(self, lo: Tensor) -> Tensor:
        """lo: (B, 3, 16, 16) in [-1, 1] -> hi: (B, 3, 64, 64) in [-1, 1]."""
        return from_wavelets(self.coefficients(lo)).clamp(-1, 1)


class _Branch(nn.Module):
    """The bands of an octave: (B, C, s, s) -> (B, n, 3, s, s), each band by channels of its own."""

    def __init__(self, channels: int, n: int, own: int) -> None:
        super().__init__()
        self.bands = nn.Sequential(
            nn.ReLU(),
            conv(channels, own * n),
            nn.ReLU(),
            nn.Conv2d(own * n, own * n, 3, padding=1, groups=n),
            nn.ReLU(),
            nn.Conv2d(own * n, 3 * n, 3, padding=1, groups=n),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.bands(x).unflatten(1, (-1, 3))
