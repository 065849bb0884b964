"""A conditional flow: noise becomes a face that fits the LR image, another for each noise."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import RunConfig
from ..rng import seeded
from .blocks import PAPER, check_side, conv
from .paper import LowToHigh, enlarge

N_WAVES = 16  # sines, and as many cosines, by which the network reads t
GUESS = 0.25  # spread of hi - mean where it was not measured
# Grey, red against blue, green against both: light changes the first of them most.
OPPONENT = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [1.0, -2.0, 1.0]])
OPPONENT = OPPONENT / OPPONENT.norm(dim=1, keepdim=True)


class FlowLowToHigh(nn.Module):
    """(lo, noise) -> hi: a face drawn along a learned flow, around that of a restorer.

    A restorer says the mean of the faces that fit, hi = mean(lo) + r, and r is drawn: white noise,
    as strong as r, becomes r along a straight path.

        x = (1 - t) s noise + t r,    dx/dt = v(x, t, lo),    s the spread of r.

    All of this is told by spatial frequency: x are coefficients of cosines in opponent colours
    (`spectrum`). Where r has the power P (`power`), the best linear guess of r is g, a Wiener
    filter of x, and a network N adds what is not linear, of unit size times u, by which the speed
    of g is wrong over all frequencies:

        g = t P / a^2 x      v = (g - x) / (1 - t) + u N      a^2 = (1 - t)^2 s^2 + t^2 P

    N is a small U-Net over patches, a patch for each pixel of lo, at that size and at half of it.
    It sees x, g, the mean and lo as pictures, and says for each pixel how much of x and of g to
    add, and what else: so it can filter an edge and a plain cheek differently.

    With y = x / a and an angle of each frequency's own, tan(angle) = t sqrt(P) / ((1 - t) s), the
    path is a quarter turn for each, dy/dangle = u N / b, b = s sqrt(P) / a; what is strong in r,
    the coarse, turns first. `n_euler` Euler steps of that. Where N says nothing a face is its mean
    and noise of the power of r.

    Args:
        cfg: reads the sizes, `flow_width`, `n_euler`, and for the restorer what `LowToHigh` reads.

    Raises:
        HLError: at a call for a wrong shape.

    Source: flow matching, 2210.02747, and rectified flow, 2209.03003 (both unconditional);
    conditioning on the LR image as in SR3, 2104.07636; a residual around a restorer's mean,
    2112.02475; a network between a linear guess and unit scales, 2206.00364; patches, 2301.11093.
    The guess by measured powers, gains of pixels, and the small network are ours.
    """

    power: Tensor
    cosines: Tensor
    opponent: Tensor

    def __init__(self, cfg: RunConfig = PAPER) -> None:
        super().__init__()
        self.cfg = cfg
        self.mean = LowToHigh(cfg).requires_grad_(False)
        self.network = _PatchUNet(12, 9, cfg.flow_width, cfg.size_hi // cfg.size_lo)
        self.register_buffer("power", torch.full((3, cfg.size_hi, cfg.size_hi), GUESS**2))
        self.register_buffer("cosines", cosine_basis(cfg.size_hi), persistent=False)
        self.register_buffer("opponent", OPPONENT.clone(), persistent=False)

    def train(self, mode: bool = True) -> FlowLowToHigh:
        """As any module, but that the restorer is never trained here."""
        super().train(mode)
        self.mean.eval()
        return self

    # ---- frequencies -----------------------------------------------------------------------------
    def spectrum(self, images: Tensor) -> Tensor:
        """Pixels (B, 3, S, S) as coefficients of cosines in opponent colours, orthonormal.

        Float32 whatever autocast says, as is `image`.
        """
        with torch.autocast(images.device.type, enabled=False):
            coloured = torch.einsum("kc,nchw->nkhw", self.opponent, images.float())
            return self.cosines @ coloured @ self.cosines.T

    def image(self, x: Tensor) -> Tensor:
        """Coefficients as pixels: the inverse of `spectrum`."""
        with torch.autocast(x.device.type, enabled=False):
            waves_of = self.cosines.T @ x.float() @ self.cosines
            return torch.einsum("kc,nkhw->nchw", self.opponent, waves_of)

    @torch.no_grad()
    def measure(self, hi: Tensor, lo: Tensor) -> None:
        """Take the power of hi - mean(lo) of training pairs.

        Args:
            hi: (N, 3, S, S) in [-1, 1].
            lo: (N, 3, s, s), the same faces.
        """
        mean = torch.cat([self.mean(part) for part in lo.split(64)])
        power = self.spectrum(hi - mean).square().mean(0)
        # A frequency has the power of its neighbours too: a few hundred pairs are few for each.
        near = F.avg_pool2d(F.pad(power[None], (1, 1, 1, 1), "replicate"), 3, 1)[0]
        self.power.copy_(near.clamp(min=1e-8))

    def noise(self, n: int, seed: int = 0) -> Tensor:
        """n noises to start from, N(0, 1), (n, 3, S, S) on the network's device."""
        device = self.power.device
        shape = (n, 3, self.cfg.size_hi, self.cfg.size_hi)
        return torch.randn(shape, generator=seeded(seed, device), device=device)

    # ---- the path --------------------------------------------------------------------------------
    @property
    def spread(self) -> Tensor:
        """s, of the residual over all frequencies; so strong is the noise at the start."""
        return self.power.mean().sqrt()

    def sizes(self, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """How large x is, and how wrong the linear guess of its speed.

        Args:
            t: (B,) in [0, 1].

        Returns:
            a and b at each frequency, (B, 3, S, S); u, b over all of them, (B, 1, 1, 1).
        """
        noisy, clear = self._parts(t)
        a = torch.hypot(noisy, clear)
        b = self.spread * self.power.sqrt() / a
        return a, b, _over_all(b)

    def _parts(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Sizes of noise and of residual at t, (B, 1, 1, 1) and (B, 3, S, S)."""
        at = t[:, None, None, None]
        return (1 - at) * self.spread, at * self.power.sqrt()

    def velocity(self, x: Tensor, t: Tensor, lo: Tensor, mean: Tensor | None = None) -> Tensor:
        """v, how fast and where to from x.

        Args:
            x: where it is, coefficients (B, 3, S, S).
            t: (B,) in [0, 1], how far it has come.
            lo: (B, 3, s, s) in [-1, 1].
            mean: mean(lo), (B, 3, S, S), where it is known already.

        Returns:
            Coefficients (B, 3, S, S), float32 whatever autocast says.
        """
        check_side("lo", lo, self.cfg)
        a, _, u = self.sizes(t)
        noisy, clear = self._parts(t)
        growth = clear * self.power.sqrt() - noisy * self.spread  # (g - x) / (1 - t) = this x / a^2
        added = self._added(x, t, lo, self.mean(lo) if mean is None else mean)
        return growth / a.square() * x + u * added

    def end(self, x: Tensor, t: Tensor, lo: Tensor) -> Tensor:
        """The face at which the walk would end at this speed, (B, 3, S, S); as `velocity`."""
        mean = self.mean(lo)
        left = (1 - t)[:, None, None, None] * self.velocity(x, t, lo, mean)
        return mean + self.image(x + left)

    def _added(self, x: Tensor, t: Tensor, lo: Tensor, mean: Tensor) -> Tensor:
        """N, in coefficients (B, 3, S, S), all of about unit size."""
        a, _, _ = self.sizes(t)
        _, clear = self._parts(t)
        seen = self.image(x) / _over_all(a)
        guess = self.image(clear * self.power.sqrt() / a.square() * x) / self.spread
        pictures = torch.cat([seen, guess, mean, enlarge(lo, mean.shape[-1])], 1)
        of_seen, of_guess, more = self.network(pictures, t).float().chunk(3, 1)
        return self.spectrum(of_seen * seen + of_guess * guess + more)

    def forward(self, lo: Tensor, noise: Tensor | None = None) -> Tensor:
        """A face for each image.

        Args:
            lo: (B, 3, 16, 16) in [-1, 1].
            noise: (B, 3, 64, 64) or (1, 3, 64, 64) of N(0, 1), coefficients; by default that of
                seed 0, the same for all images, so that a face does not depend on what stands
                beside it.

        Returns:
            hi: (B, 3, 64, 64) in [-1, 1], float32.
        """
        check_side("lo", lo, self.cfg)
        mean = self.mean(lo)
        y = (self.noise(1) if noise is None else noise).expand_as(mean)
        times = torch.linspace(0, 1, self.cfg.n_euler + 1, device=lo.device)
        noisy, clear = self._parts(times)
        turns = torch.atan2(clear, noisy.expand_as(clear)).diff(dim=0)  # (n_euler, 3, S, S)
        for t, turn in zip(times, turns, strict=False):
            at = t.expand(len(lo))
            a, b, u = self.sizes(at)
            y = y + turn * u / b * self._added(a * y, at, lo, mean)
        return (mean + self.image(y * self.power.sqrt())).clamp(-1, 1)


def _over_all(sizes: Tensor) -> Tensor:
    """One size for all frequencies, the root of the mean square: (B, 3, S, S) -> (B, 1, 1, 1)."""
    return sizes.square().mean((1, 2, 3), keepdim=True).sqrt()


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


class _TimedBlock(nn.Module):
    """y + conv(act(time(norm(conv(act(norm(y))))))), the last convolution 0 at the start."""

    def __init__(self, width: int) -> None:
        super().__init__()
        groups = math.gcd(8, width)
        self.first = nn.Sequential(nn.GroupNorm(groups, width), nn.SiLU(), conv(width, width))
        self.norm = nn.GroupNorm(groups, width)
        self.when = nn.Linear(2 * N_WAVES, 2 * width)
        self.last = nn.Sequential(nn.SiLU(), _silent(conv(width, width)))

    def forward(self, y: Tensor, told: Tensor) -> Tensor:
        """(B, width, S, S) and `waves` (B, 2 N_WAVES) -> (B, width, S, S)."""
        gain, bias = self.when(told)[:, :, None, None].chunk(2, 1)
        return y + self.last(self.norm(self.first(y)) * (1 + gain) + bias)


class _PatchUNet(nn.Module):
    """Images -> images, over patches of p x p pixels, at that size and at half of it."""

    def __init__(self, c_in: int, c_out: int, width: int, p: int) -> None:
        super().__init__()
        w, half = width, 2 * width
        self.stem = nn.Sequential(nn.PixelUnshuffle(p), conv(c_in * p * p, w))
        self.down = nn.ModuleList(_TimedBlock(w) for _ in range(2))
        self.shrink = conv(w, half, stride=2)
        self.middle = nn.ModuleList(_TimedBlock(half) for _ in range(2))
        self.grow = nn.Sequential(conv(half, 4 * w, 1), nn.PixelShuffle(2))
        self.join = conv(2 * w, w, 1)
        self.up = nn.ModuleList(_TimedBlock(w) for _ in range(2))
        norm = nn.GroupNorm(math.gcd(8, w), w)
        last = _silent(conv(w, c_out * p * p))
        self.head = nn.Sequential(norm, nn.SiLU(), last, nn.PixelShuffle(p))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """(B, c_in, S, S) and t (B,) -> (B, c_out, S, S)."""
        told = waves(t)
        y = self.stem(x)  # (B, w, S/p, S/p)
        for block in self.down:
            y = block(y, told)
        seen, y = y, self.shrink(y)
        for block in self.middle:
            y = block(y, told)
        y = self.join(torch.cat([self.grow(y), seen], 1))
        for block in self.up:
            y = block(y, told)
        return self.head(y)


def _silent(layer: nn.Conv2d) -> nn.Conv2d:
    """The layer with weights and bias 0."""
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
