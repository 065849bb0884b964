"""DeepDeblur: a small image is restored first, and helps to restore the next larger one."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..config import RunConfig
from .blocks import PAPER, check_side, conv, unsquash
from .paper import enlarge

SIDE = 5  # of its convolutions, pixels
N_BLOCKS = 5  # of each size


class DeepDeblur(nn.Module):
    """lo -> hi, at the size of lo first, then at each doubling up to that of hi.

    At each size it sees the enlarged lo and, but for the first, what it restored one size below,
    enlarged by a learned layer. Residual blocks without norm and without an activation after their
    sum, convolutions of 5x5.

    Args:
        cfg: reads the sizes, `l2h_width`, halved at each doubling, and the switch `skip`.

    Raises:
        HLError: at a call for a wrong shape.

    Source: Nah et al., CVPR 2017 (1612.02177), made for blurred photographs of full size, and its
    released code: 40 convolutions of 64 features a size: 19 blocks and two. Differs: lo is
    enlarged first; 5 blocks a size, of widths that halve; a transposed convolution doubles where
    the code shuffles pixels; the shortcut.
    """

    def __init__(self, cfg: RunConfig = PAPER) -> None:
        super().__init__()
        self.cfg = cfg
        n_sizes = 1 + int(math.log2(cfg.size_hi // cfg.size_lo))
        widths = [max(cfg.l2h_width >> i, 1) for i in range(n_sizes)]
        self.bodies = nn.ModuleList(_body(6 if i else 3, w) for i, w in enumerate(widths))
        self.doubles = nn.ModuleList(
            nn.ConvTranspose2d(3, 3, 4, stride=2, padding=1) for _ in widths[1:]
        )

    def sizes(self, lo: Tensor) -> list[Tensor]:
        """Restored images of all sizes.

        Args:
            lo: (B, 3, 16, 16) in [-1, 1].

        Returns:
            (B, 3, 16, 16), (B, 3, 32, 32) and (B, 3, 64, 64) in [-1, 1], float32.
        """
        check_side("lo", lo, self.cfg)
        made: list[Tensor] = []
        for i, body in enumerate(self.bodies):
            large = enlarge(lo, lo.shape[-1] << i) if i else lo
            seen = torch.cat([large, self.doubles[i - 1](made[-1])], 1) if i else large
            y = body(seen).float()
            made.append(torch.tanh(y + unsquash(large) if self.cfg.skip else y))
        return made

    def forward(self, lo: Tensor) -> Tensor:
        """lo: (B, 3, 16, 16) in [-1, 1] -> hi: (B, 3, 64, 64) in [-1, 1]."""
        return self.sizes(lo)[-1]


def _body(c_in: int, w: int) -> nn.Sequential:
    """The network of one size: images (B, c_in, S, S) -> (B, 3, S, S)."""
    blocks = [_DeblurBlock(w) for _ in range(N_BLOCKS)]
    return nn.Sequential(conv(c_in, w, SIDE), *blocks, conv(w, 3, SIDE))


class _DeblurBlock(nn.Module):
    """y = x + conv(relu(conv(x)))."""

    def __init__(self, w: int) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(w, w, SIDE), nn.ReLU(), conv(w, w, SIDE))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)
