"""How z reaches H2L: noise in its features, a sensor's grain, a learned exposure, a measured JPEG.

The paper's fully connected layer to a fourth channel is in `paper`; what is here are switches of
`z_input` and `jpeg`. Everything is a function of z: the same z gives the same image.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..data.faces import unit_range
from ..degradations.jpeg import jpeg_inside_photograph
from ..degradations.optics import blur
from .blocks import unsquash


def _from_z(z_dim: int, n: int, std: float) -> nn.Linear:
    """A linear layer from z to n numbers that starts small and around 0."""
    layer = nn.Linear(z_dim, n)
    nn.init.normal_(layer.weight, std=std)
    nn.init.zeros_(layer.bias)
    return layer


def _fixed_normal(z_dim: int, n: int, seed: int) -> Tensor:
    """Normal numbers (z_dim, n) that are not learned and not stored: the same at every start."""
    return torch.randn(z_dim, n, generator=torch.Generator().manual_seed(seed))


class NoiseInput(nn.Module):
    """z added to the features of one size, or scaling them.

    "inject":  x + w_c map(z);   "film":  x (1 + s(z)) + b(z)

    map(z) is a fixed random projection of z to one number a pixel, of unit variance. w starts at 0
    as in the released code of 2021, and stays near it. s and b (ours) start small.

    Args:
        kinds: may hold "inject", "film", both or neither.
        z_dim: length of z.
        channels: c, of the features.
        size: side of the features, pixels.
    """

    def __init__(self, kinds: set[str], z_dim: int, channels: int, size: int) -> None:
        super().__init__()
        self.project: Tensor
        self.weight: nn.Parameter | None = None
        self.film: nn.Linear | None = None
        if "inject" in kinds:
            project = _fixed_normal(z_dim, size * size, seed=size) / math.sqrt(z_dim)
            self.register_buffer("project", project, persistent=False)
            self.weight = nn.Parameter(torch.zeros(1, channels, 1, 1))
        if "film" in kinds:
            self.film = _from_z(z_dim, 2 * channels, 0.05)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """x: (B, channels, size, size), z: (B, z_dim) -> the shape of x."""
        if self.weight is not None:
            noise = (z @ self.project).view(len(z), 1, *x.shape[2:])
            x = x + self.weight * noise
        if self.film is not None:
            s, b = self.film(z)[:, :, None, None].chunk(2, dim=1)
            x = x * (1 + s) + b
        return x


class Grain(nn.Module):
    """A sensor's noise: x + exp(level(z)) w_c map_c(z), a map for each channel c.

    map(z) = (cos a1 z + cos a2 z + cos a3 z + cos a4 z) / sqrt(2)

    Every pixel has fixed random a of its own (random Fourier features, Rahimi and Recht 2007), so
    map(z) is near a normal number, independent from pixel to pixel. A linear map of 64 numbers
    would leave most directions of an image without any noise.

    Args:
        z_dim: length of z.
        channels: of the features.
        size: side of the features, pixels.

    Source: ours. w starts as N(0, 0.2^2).
    """

    # Radians: the standard deviation of a z; so large that neighbouring z give other noise.
    FREQUENCY = 40.0

    def __init__(self, z_dim: int, channels: int, size: int) -> None:
        super().__init__()
        self.waves: Tensor
        waves = self.FREQUENCY * _fixed_normal(z_dim, 4 * channels * size**2, seed=size)
        self.register_buffer("waves", waves / math.sqrt(z_dim), persistent=False)
        self.weight = nn.Parameter(0.2 * torch.randn(1, channels, 1, 1))
        self.level = _from_z(z_dim, 1, 0.05)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """x: (B, channels, size, size), z: (B, z_dim) -> the shape of x."""
        with torch.autocast(z.device.type, enabled=False):  # half precision would round the angles
            waves = (z.float() @ self.waves.float()).cos()
            waves = waves.view(len(z), 4, *x.shape[1:])
            noise = waves.sum(1) / math.sqrt(2)
        return x + self.level(z).exp()[:, :, None, None] * self.weight * noise


class LearnedShot(nn.Module):
    """The shortcut of H2L as a simple camera that z chooses.

    atanh(lo) -> (1 + gain(z)) atanh(kernel(z) * lo) + offset(z)

    The 5x5 kernel is positive, sums to 1 (softmax) and starts with half of its weight in the
    middle; gain and offset, one number a colour, start near 0. All is learned. Blur, exposure and
    colour act on a whole image alike, which a network of minutes does not find out.

    Args:
        z_dim: length of z.

    Source: ours.
    """

    SIDE = 5  # of the kernel, pixels

    def __init__(self, z_dim: int) -> None:
        super().__init__()
        n_taps = self.SIDE**2
        self.kernel = _from_z(z_dim, n_taps, 0.1)
        self.light = _from_z(z_dim, 6, 0.01)
        nn.init.constant_(self.kernel.bias[n_taps // 2], 3.0)

    def forward(self, lo: Tensor, z: Tensor) -> Tensor:
        """lo: (B, 3, s, s) in [-1, 1], z: (B, z_dim) -> the shape of lo, unbounded."""
        kernels = self.kernel(z).softmax(1).view(len(z), self.SIDE, self.SIDE)
        gain, offset = self.light(z)[:, :, None, None].chunk(2, dim=1)  # (B, 3, 1, 1) each
        return (1 + gain) * unsquash(blur(lo, kernels)) + offset


class MeasuredJPEG(nn.Module):
    """The JPEG of some photographs as the last layer of a network: (x, z) -> x coded and decoded.

    The last four numbers of z choose, through their normal distribution, quality (from N
    quantiles), 4:2:0 or 4:4:4 chroma, and where the block grid lies. Until `set` or loaded weights
    say otherwise, the quality is 100.

    Source: ours.
    """

    N = 64  # quantiles of the quality that are kept

    def __init__(self) -> None:
        super().__init__()
        self.quality: Tensor
        self.subsampled: Tensor
        self.register_buffer("quality", torch.full((self.N,), 100.0))
        self.register_buffer("subsampled", torch.tensor(0.0))

    def set(self, quality: Tensor, subsampled: float) -> None:
        """Take over what was measured of LR photographs.

        Args:
            quality: (n,) of 1..100, one number a photograph.
            subsampled: the share of them with 4:2:0 chroma.
        """
        middles = (torch.arange(self.N) + 0.5) / self.N
        self.quality.copy_(quality.float().quantile(middles))
        self.subsampled.fill_(subsampled)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """x: (B, 3, s, s) in [-1, 1], z: (B, 4 or more) of N(0, 1) -> the shape of x."""
        with torch.autocast(x.device.type, enabled=False):
            u = torch.special.ndtr(z[:, -4:].float()).clamp(max=1 - 1e-6)  # uniform in [0, 1)
            quality = self.quality.float()[(u[:, 0] * self.N).long()]
            subsampled = u[:, 1] < self.subsampled
            offset = (u[:, 2:] * 16).long()
            size = torch.full_like(offset[:, 0], x.shape[-1])
            value = unit_range(x.float())
            coded = jpeg_inside_photograph(value, size, quality, subsampled, offset)
        return (2 * coded - 1).to(x.dtype)
