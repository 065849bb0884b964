"""Correct an LR image, then restore it: what pseudo-supervision trains in place of one L2H."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..config import RunConfig
from .blocks import PAPER, ResBlock, check_side, conv, norm_layer, unsquash
from .paper import LowToHigh

N_BLOCKS = 6  # of the correction


class Correction(nn.Module):
    """lo -> lo: a real LR image as if an HR image had been reduced, without blur, noise or tone.

    Six residual blocks at the size of lo under one long skip, of half of L2H's width.

    Args:
        cfg: reads `l2h_width`, and the switches `norm`, `order`, `skip`.

    Source: the correction of 2002.11397, which has channel attention and many more blocks.
    """

    def __init__(self, cfg: RunConfig = PAPER) -> None:
        super().__init__()
        self.skip = cfg.skip
        w = max(cfg.l2h_width // 2, 1)
        self.stem = conv(3, w)
        self.blocks = nn.Sequential(*(ResBlock(w, cfg.norm, cfg.order) for _ in range(N_BLOCKS)))
        self.head = nn.Sequential(norm_layer(cfg.norm, w), nn.ReLU(), conv(w, 3))

    def forward(self, lo: Tensor) -> Tensor:
        """(B, 3, s, s) in [-1, 1] -> the same shape and range, float32 whatever autocast says."""
        x = self.stem(lo)
        y = self.head(x + self.blocks(x)).float()
        return torch.tanh(y + unsquash(lo) if self.skip else y)


class CorrectedLowToHigh(nn.Module):
    """lo -> hi: the LR image is corrected, and the correction restored.

    Args:
        cfg: reads the sizes, and what Correction and LowToHigh read.

    Raises:
        HLError: at a call for a wrong shape.

    Source: 2002.11397, figure 3; L2H is the paper's.
    """

    def __init__(self, cfg: RunConfig = PAPER) -> None:
        super().__init__()
        self.cfg = cfg
        self.correct = Correction(cfg)
        self.restore = LowToHigh(cfg)

    def forward(self, lo: Tensor) -> Tensor:
        """lo: (B, 3, 16, 16) in [-1, 1] -> hi: (B, 3, 64, 64) in [-1, 1]."""
        check_side("lo", lo, self.cfg)
        return self.restore(self.correct(lo))
