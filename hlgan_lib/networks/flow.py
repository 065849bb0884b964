"""A conditional flow: noise becomes a face that fits the LR image, another for each noise."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import RunConfig
from .blocks import PAPER, ResBlock, check_side, conv, norm_layer
from .paper import enlarge

N_WAVES = 16  # sines, and as many cosines, by which the network reads t


class FlowLowToHigh(nn.Module):
    """(lo, noise) -> hi: a face drawn along a learned flow, x0 = noise to x1 = face.

    dx/dt = v(x, t, lo), walked in `n_euler` Euler steps. The network is a small U-Net over x and
    the enlarged lo at 64, 32 and 16 pixels, of the package's residual blocks; t enters each size as
    a bias. It says where the walk ends, f(x, t, lo), and so how fast it goes there:

        v(x, t, lo) = (f(x, t, lo) - x) / (1 - t)

    Trained, f is the mean of all faces that fit lo and the noisy x. With `skip` it adds to the
    enlarged lo.

    Args:
        cfg: reads the sizes, `flow_width`, `n_euler`, and the switches `norm`, `order`, `skip`.

    Raises:
        HLError: at a call for a wrong shape.

    Source: flow matching, 2210.02747, and rectified flow, 2209.03003 (both unconditional);
    conditioning on the enlarged LR image as in SR3, 2104.07636. The network and its small size are
    ours.
    """

    def __init__(self, cfg: RunConfig = PAPER) -> None:
        super().__init__()
        self.cfg = cfg
        w = cfg.flow_width
        widths = [w, 2 * w, 4 * w]  # at full, half and a quarter of the size

        def block(width: int) -> ResBlock:
            return ResBlock(width, cfg.norm, cfg.order)

        self.stem = conv(6, w)
        self.when = nn.ModuleList(nn.Linear(2 * N_WAVES, width) for width in widths)
        self.down = nn.ModuleList(block(width) for width in widths[:2])
        self.shrink = nn.ModuleList(conv(a, 2 * a, stride=2) for a in widths[:2])
        self.middle = nn.Sequential(block(4 * w), block(4 * w))
        self.grow = nn.ModuleList(nn.Conv2d(2 * a, a, 1) for a in widths[:2])
        self.up = nn.ModuleList(block(width) for width in widths[:2])
        self.head = nn.Sequential(norm_layer(cfg.norm, w), nn.ReLU(), conv(w, 3))

    def end(self, x: Tensor, t: Tensor, lo: Tensor) -> Tensor:
        """Where the walk is expected to end.

        Args:
            x: where it is, (B, 3, S, S).
            t: (B,) in [0, 1), how far it has come.
            lo: (B, 3, s, s) in [-1, 1].

        Returns:
            f, (B, 3, S, S), float32 whatever autocast says.
        """
        check_side("lo", lo, self.cfg)
        large = enlarge(lo, x.shape[-1])
        known = [fc(waves(t))[:, :, None, None] for fc in self.when]
        y = self.stem(torch.cat([x, large], 1)) + known[0]  # (B, w, 64, 64)
        seen = []
        for block, shrink, when in zip(self.down, self.shrink, known[1:], strict=True):
            seen.append(block(y))
            y = shrink(seen[-1]) + when  # 32, 16 pixels a side
        y = self.middle(y)
        for i in (1, 0):
            y = F.interpolate(self.grow[i](y), scale_factor=2, mode="nearest")
            y = self.up[i](y + seen[i])
        made = self.head(y).float()
        return made + large if self.cfg.skip else made

    def velocity(self, x: Tensor, t: Tensor, lo: Tensor) -> Tensor:
        """v(x, t, lo), (B, 3, S, S); arguments as `end`."""
        return (self.end(x, t, lo) - x) / (1 - t)[:, None, None, None]

    def noise(self, n: int, seed: int = 0) -> Tensor:
        """n noises to start from, N(0, 1), (n, 3, S, S) on the network's device."""
        device = self.stem.weight.device
        generator = torch.Generator(device).manual_seed(seed)
        shape = (n, 3, self.cfg.size_hi, self.cfg.size_hi)
        return torch.randn(shape, generator=generator, device=device)

    def forward(self, lo: Tensor, noise: Tensor | None = None) -> Tensor:
        """A face for each image.

        Args:
            lo: (B, 3, 16, 16) in [-1, 1].
            noise: (B, 3, 64, 64) or (1, 3, 64, 64) of N(0, 1); by default that of seed 0, the same
                for all images, so that a face does not depend on what stands beside it.

        Returns:
            hi: (B, 3, 64, 64) in [-1, 1], float32.
        """
        check_side("lo", lo, self.cfg)
        x = self.noise(1) if noise is None else noise
        x = x.expand(len(lo), -1, -1, -1)
        n = self.cfg.n_euler
        for i in range(n):
            t = lo.new_full((len(lo),), i / n)
            x = x + self.velocity(x, t, lo) / n
        return x.clamp(-1, 1)


def waves(t: Tensor) -> Tensor:
    """t in [0, 1] as sines and cosines of 1 to 2^7.5 half turns: (B,) -> (B, 2 N_WAVES)."""
    turns = 2 ** torch.arange(0, N_WAVES / 2, 0.5, device=t.device)
    angles = math.pi * t[:, None] * turns
    return torch.cat([angles.sin(), angles.cos()], 1)
