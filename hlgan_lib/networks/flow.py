"""A conditional flow: noise becomes a face that fits the LR image, another for each noise."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import RunConfig
from ..rng import seeded
from .blocks import PAPER, ResBlock, check_side, conv, norm_layer
from .paper import enlarge

N_WAVES = 16  # sines, and as many cosines, by which the network reads t
GUESS = 0.25  # spread of hi - enlarged lo where it was not measured
# Grey, red against blue, green against both: light changes the first of them most.
OPPONENT = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [1.0, -2.0, 1.0]])
OPPONENT = OPPONENT / OPPONENT.norm(dim=1, keepdim=True)


class FlowLowToHigh(nn.Module):
    """(lo, noise) -> hi: a face drawn along a learned flow, from x0 to x1 = face.

        x0 = enlarged lo + noise,  dx/dt = v(x, t, lo)

    The noise has the power of r = hi - enlarged lo at each spatial frequency (`measure`). So along
    the straight path u = x - enlarged lo = (1 - t) noise + t r has d = (1 - t)^2 + t^2 of r's power
    at each of them, the best linear guess of r is t u / d, and the network N adds what is not
    linear:

        v(x, t, lo) = (2 t - 1) / d * u  +  s / sqrt(d) * N(u / (s sqrt(d)), lo, t),

    s the spread of r. Trained, x + (1 - t) v is the mean of all faces that fit lo and x. With
    y = u / sqrt(d) and an angle, tan(angle) = t / (1 - t), the same is dy/dangle = s N: `n_euler`
    Euler steps of that walk a quarter turn. Where N says nothing the walk ends at x0, the enlarged
    image with as much noise as it has error.

    N is a small U-Net over u and the enlarged lo at full, half, a quarter and an eighth of the
    size, of the package's residual blocks; t enters each size as a gain and a bias.

    Args:
        cfg: reads the sizes, `flow_width`, `n_euler`, and the switches `norm`, `order`.

    Raises:
        HLError: at a call for a wrong shape.

    Source: flow matching, 2210.02747, and rectified flow, 2209.03003 (both unconditional);
    conditioning on the enlarged LR image as in SR3, 2104.07636; a start that depends on the data,
    2310.03725; a network between a linear guess and unit scales, 2206.00364. The noise of the
    residual's power and the small network are ours.
    """

    power: Tensor
    cosines: Tensor
    opponent: Tensor

    def __init__(self, cfg: RunConfig = PAPER) -> None:
        super().__init__()
        self.cfg = cfg
        w = cfg.flow_width
        widths = [w, 2 * w, 4 * w, 8 * w]

        def block(width: int) -> ResBlock:
            return ResBlock(width, cfg.norm, cfg.order)

        self.stem = conv(6, w)
        self.when = nn.ModuleList(nn.Linear(2 * N_WAVES, 2 * width) for width in widths)
        self.down = nn.ModuleList(block(width) for width in widths[:3])
        self.shrink = nn.ModuleList(conv(a, 2 * a, stride=2) for a in widths[:3])
        self.middle = nn.Sequential(block(8 * w), block(8 * w))
        self.grow = nn.ModuleList(nn.Conv2d(2 * a, a, 1) for a in widths[:3])
        self.up = nn.ModuleList(block(width) for width in widths[:3])
        last = conv(w, 3)
        nn.init.zeros_(last.weight)
        self.head = nn.Sequential(norm_layer(cfg.norm, w), nn.ReLU(), last)

        self.register_buffer("power", torch.full((3, cfg.size_hi, cfg.size_hi), GUESS**2))
        self.register_buffer("cosines", cosine_basis(cfg.size_hi), persistent=False)
        self.register_buffer("opponent", OPPONENT.clone(), persistent=False)

    # ---- the start -------------------------------------------------------------------------------
    @torch.no_grad()
    def measure(self, hi: Tensor, lo: Tensor) -> None:
        """Take the power of hi - enlarged lo of training pairs, by colour and frequency.

        Args:
            hi: (N, 3, S, S) in [-1, 1].
            lo: (N, 3, s, s), the same faces.
        """
        r = hi - enlarge(lo, hi.shape[-1])
        coefficients = self.cosines @ torch.einsum("kc,nchw->nkhw", self.opponent, r)
        power = (coefficients @ self.cosines.T).square().mean(0)  # (3, S, S)
        # A frequency has the power of its neighbours too: a few hundred pairs are few for each.
        self.power.copy_(F.avg_pool2d(F.pad(power[None], (1, 1, 1, 1), "replicate"), 3, 1)[0])

    def start(self, lo: Tensor, noise: Tensor) -> Tensor:
        """x0, the enlarged lo and noise of the measured power.

        Args:
            lo: (B, 3, s, s) in [-1, 1].
            noise: (B, 3, S, S) of N(0, 1), coefficients of cosines in opponent colours.

        Returns:
            (B, 3, S, S), float32 whatever autocast says.
        """
        with torch.autocast(lo.device.type, enabled=False):
            waves_of = self.cosines.T @ (noise * self.power.sqrt()) @ self.cosines
            coloured = torch.einsum("kc,nkhw->nchw", self.opponent, waves_of)
            return enlarge(lo.float(), self.cfg.size_hi) + coloured

    def noise(self, n: int, seed: int = 0) -> Tensor:
        """n noises to start from, N(0, 1), (n, 3, S, S) on the network's device."""
        device = self.stem.weight.device
        generator = seeded(seed, device)
        shape = (n, 3, self.cfg.size_hi, self.cfg.size_hi)
        return torch.randn(shape, generator=generator, device=device)

    # ---- the walk --------------------------------------------------------------------------------
    def velocity(self, x: Tensor, t: Tensor, lo: Tensor) -> Tensor:
        """v, how fast and where to from x.

        Args:
            x: where it is, (B, 3, S, S).
            t: (B,) in [0, 1], how far it has come.
            lo: (B, 3, s, s) in [-1, 1].

        Returns:
            (B, 3, S, S), float32 whatever autocast says.
        """
        check_side("lo", lo, self.cfg)
        large = enlarge(lo, x.shape[-1])
        u = x - large
        at = t[:, None, None, None]
        d = (1 - at).square() + at.square()
        s = self.power.mean().sqrt()
        added = self._network(u / (s * d.sqrt()), large, t).float()
        return (2 * at - 1) / d * u + s / d.sqrt() * added

    def end(self, x: Tensor, t: Tensor, lo: Tensor) -> Tensor:
        """Where the walk would end at this speed, (B, 3, S, S); arguments as `velocity`."""
        return x + (1 - t)[:, None, None, None] * self.velocity(x, t, lo)

    def _network(self, u: Tensor, large: Tensor, t: Tensor) -> Tensor:
        """N, all of about unit size: (B, 3, S, S)."""
        known = [fc(waves(t))[:, :, None, None].chunk(2, 1) for fc in self.when]
        y = _told(self.stem(torch.cat([u, large], 1)), *known[0])  # (B, w, 64, 64)
        seen = []
        for block, shrink, when in zip(self.down, self.shrink, known[1:], strict=True):
            seen.append(block(y))
            y = _told(shrink(seen[-1]), *when)  # 32, 16, 8 pixels a side
        y = self.middle(y)
        for i in (2, 1, 0):
            y = F.interpolate(self.grow[i](y), scale_factor=2, mode="nearest")
            y = self.up[i](y + seen[i])
        return self.head(y)

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
        large = enlarge(lo, self.cfg.size_hi)
        y = self.start(lo, self.noise(1) if noise is None else noise) - large
        s = self.power.mean().sqrt()
        step = math.pi / 2 / self.cfg.n_euler
        for i in range(self.cfg.n_euler):
            noisy, clear = math.cos(i * step), math.sin(i * step)
            t = lo.new_full((len(lo),), clear / (noisy + clear))
            y = y + step * s * self._network(y / s, large, t).float()
        return (large + y).clamp(-1, 1)


def waves(t: Tensor) -> Tensor:
    """t in [0, 1] as sines and cosines of 1 to 2^7.5 half turns: (B,) -> (B, 2 N_WAVES)."""
    turns = 2 ** torch.arange(0, N_WAVES / 2, 0.5, device=t.device)
    angles = math.pi * t[:, None] * turns
    return torch.cat([angles.sin(), angles.cos()], 1)


def cosine_basis(n: int) -> Tensor:
    """The orthonormal cosines of n pixels, (n, n): row k has k half turns (the DCT of JPEG)."""
    k = torch.arange(n, dtype=torch.float64)
    rows = torch.cos(math.pi / n * k[:, None] * (k + 0.5)) * math.sqrt(2 / n)
    rows[0] /= math.sqrt(2)
    return rows.float()


def _told(y: Tensor, gain: Tensor, bias: Tensor) -> Tensor:
    """y (B, C, S, S) with what the time says to each channel."""
    return y * (1 + gain) + bias
