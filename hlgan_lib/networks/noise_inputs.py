"""How z reaches H2L: noise in its features, a sensor's grain, a learned exposure, a measured JPEG."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..degradations.jpeg import jpeg_inside_photograph
from ..degradations.optics import blur
from .blocks import unsquash


def _from_z(z_dim: int, n: int, std: float) -> nn.Linear:
    """A linear layer from z that starts small and around 0."""
    layer = nn.Linear(z_dim, n)
    nn.init.normal_(layer.weight, std=std)
    nn.init.zeros_(layer.bias)
    return layer


class NoiseInput(nn.Module):
    """How z reaches the features of one size: x + w_c map(z) ("inject"), x (1 + s(z)) + b(z) ("film").

    map(z) is a fixed random projection of z to one number a pixel, of unit variance: the same z gives the same picture.
    w starts at 0 as in the released code of 2021, and stays near it. s and b (ours) start small.
    """

    def __init__(self, kinds: set[str], z_dim: int, channels: int, size: int):
        super().__init__()
        self.weight = self.film = None
        if "inject" in kinds:
            project = torch.randn(
                z_dim, size * size, generator=torch.Generator().manual_seed(size)
            ) / math.sqrt(z_dim)
            self.register_buffer("project", project, persistent=False)
            self.weight = nn.Parameter(torch.zeros(1, channels, 1, 1))
        if "film" in kinds:
            self.film = _from_z(z_dim, 2 * channels, 0.05)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        if self.weight is not None:
            x = x + self.weight * (z @ self.project).view(len(z), 1, *x.shape[2:])
        if self.film is not None:
            s, b = self.film(z)[:, :, None, None].chunk(2, dim=1)
            x = x * (1 + s) + b
        return x


class Grain(nn.Module):
    """A sensor's noise: x + exp(level(z)) w_c map_c(z), a map for each channel, w ~ N(0, 0.2^2) at the start.

    map(z) = (cos a1 z + cos a2 z + cos a3 z + cos a4 z) / sqrt(2), every pixel with fixed random a of its own (random
    Fourier features, Rahimi and Recht 2007): near a normal number, independent from pixel to pixel; the same z gives
    the same picture. A linear map of 64 numbers would leave most directions of a picture without any noise. Ours.
    """

    FREQUENCY = (
        40.0  # radians: the standard deviation of a z, so that neighbouring z give other noise
    )

    def __init__(self, z_dim: int, channels: int, size: int):
        super().__init__()
        waves = torch.randn(
            z_dim, 4 * channels * size**2, generator=torch.Generator().manual_seed(size)
        )
        self.register_buffer("waves", self.FREQUENCY * waves / math.sqrt(z_dim), persistent=False)
        self.weight = nn.Parameter(0.2 * torch.randn(1, channels, 1, 1))
        self.level = _from_z(z_dim, 1, 0.05)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        with torch.autocast(z.device.type, enabled=False):  # half precision would round the angles
            noise = (z.float() @ self.waves.float()).cos().view(len(z), 4, *x.shape[1:]).sum(
                1
            ) / math.sqrt(2)
        return x + self.level(z).exp()[:, :, None, None] * self.weight * noise


class LearnedShot(nn.Module):
    """The shortcut of H2L as a simple camera that z chooses: atanh(lo) -> gain(z) atanh(kernel(z) * lo) + offset(z).

    lo (B, 3, s, s) in [-1, 1] -> unbounded, before the tanh. The 5x5 kernel is positive, sums to 1 (softmax) and starts
    with half of its weight in the middle; gain and offset, one number a colour, start near 1 and 0. All is learned.
    Ours: blur, exposure and colour act on a whole picture alike, which a network of minutes does not find out.
    """

    SIDE = 5

    def __init__(self, z_dim: int):
        super().__init__()
        self.kernel, self.light = _from_z(z_dim, self.SIDE**2, 0.1), _from_z(z_dim, 6, 0.01)
        nn.init.constant_(self.kernel.bias[self.SIDE**2 // 2], 3.0)

    def forward(self, lo: Tensor, z: Tensor) -> Tensor:
        lo = blur(lo, self.kernel(z).softmax(1).view(len(z), self.SIDE, self.SIDE))
        gain, offset = self.light(z)[:, :, None, None].chunk(2, dim=1)
        return (1 + gain) * unsquash(lo) + offset


class MeasuredJPEG(nn.Module):
    """The JPEG of some photographs as the last layer of a network: (x, z) -> x coded and decoded.

    x (B, 3, s, s) in [-1, 1] -> the same shape. The last four numbers of z (B, 4 or more) of N(0, 1) choose, through
    their normal distribution, quality (from N quantiles), 4:2:0 or 4:4:4 colour, and where the block grid lies. Until
    `set` or loaded weights say otherwise, the quality is 100. Ours.
    """

    N = 64

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("quality", torch.full((self.N,), 100.0))
        self.register_buffer("subsampled", torch.tensor(0.0))

    def set(self, quality: Tensor, subsampled: float) -> None:
        """quality (n,) of 1..100, as measured; subsampled: the share with 4:2:0 colour."""
        self.quality.copy_(quality.float().quantile((torch.arange(self.N) + 0.5) / self.N))
        self.subsampled.fill_(subsampled)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            u = torch.special.ndtr(z[:, -4:].float()).clamp(max=1 - 1e-6)
            quality, offset = (
                self.quality.float()[(u[:, 0] * self.N).long()],
                (u[:, 2:] * 16).long(),
            )
            size = torch.full_like(offset[:, 0], x.shape[-1])
            coded = jpeg_inside_photograph(
                (x.float() + 1) / 2, size, quality, u[:, 1] < self.subsampled, offset
            )
        return (2 * coded - 1).to(x.dtype)
