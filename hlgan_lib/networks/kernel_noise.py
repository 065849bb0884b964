"""H2L as a blur kernel and a noise, each drawn by a small network: PDM's degradation."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..config import RunConfig
from .blocks import PAPER, ResBlock, check_side, check_z, conv
from .camera import ClipThrough, blur_and_integrate
from .measured_jpeg import MeasuredJPEG

N_MAPS = 4  # of white noise, that the noise network starts from
FREQUENCY = 8.0  # of the waves: z a little aside is another noise
SIGMA = 1.0  # pixels of hi: the kernel starts as this Gaussian


class KernelAndNoise(nn.Module):
    """(hi, z) -> lo: lo = (hi * k(z)) averaged to the pixels of lo, + n(z).

    k is a free kernel of 4 s + 1 pixels a side for a reduction by s, positive and of sum 1: softmax
    of a fully connected network of the first half of z. n is white noise made of the second half
    and passed through residual blocks, its mean over each picture and channel taken off: so light
    and colour must stay the kernel's, which cannot change them.

    The learned camera is a relative: it has a named number where this has a network, and adds what
    lies between the two here (gains, tone, noise that grows with light, JPEG).

    Differs from PDM: noise maps come of z by fixed random waves, so that the same z gives the same
    picture (there they are drawn anew); a mean of 0 by construction (there a penalty, of weight 100
    in the released code); the kernel starts as a narrow Gaussian, there as one pixel; data, loss
    and discriminator are this package's (there one of patches, with squared errors).

    Args:
        cfg: reads the sizes, `h2l_width`, `z_dim`, `z_input`, `order`, `jpeg`.

    Raises:
        HLError: at a call for a wrong shape.

    Source: 2203.04962 (PDM), section 3.
    """

    def __init__(self, cfg: RunConfig = PAPER) -> None:
        super().__init__()
        self.cfg = cfg
        self.takes_z = cfg.z_input == "concat"
        self.step = cfg.size_hi // cfg.size_lo
        self.side = 4 * self.step + 1
        w = cfg.h2l_width
        self.n_kernel = max(cfg.z_dim // 2, 1)
        self.kernel = nn.Sequential(
            nn.Linear(self.n_kernel, 4 * w), nn.ReLU(), nn.Linear(4 * w, self.side**2)
        )
        axis = torch.arange(self.side) - self.side // 2
        distance = axis.square()[:, None] + axis.square()
        start = -distance.flatten() / (2 * SIGMA**2)
        self.kernel[-1].bias = nn.Parameter(start)
        self.stem = conv(N_MAPS, w)
        self.noise = nn.Sequential(ResBlock(w, "none", cfg.order), nn.ReLU(), conv(w, 3))
        seeded = torch.Generator().manual_seed(0)
        waves = torch.randn(cfg.z_dim, N_MAPS * cfg.size_lo**2, generator=seeded)
        self.waves = nn.Buffer(FREQUENCY * waves / math.sqrt(cfg.z_dim), persistent=False)
        self.jpeg = MeasuredJPEG() if cfg.jpeg == "measured" else None

    def kernels(self, z: Tensor) -> Tensor:
        """The blur that z chooses, (B, 1, side, side), each summing to 1; pixels of hi."""
        weights = self.kernel(z[:, : self.n_kernel]).softmax(1)
        return weights.view(len(z), 1, self.side, self.side)

    def noises(self, z: Tensor) -> Tensor:
        """The noise that z chooses, (B, 3, s, s), of mean 0 over each picture and channel."""
        s = self.cfg.size_lo
        white = math.sqrt(2) * (z @ self.waves).cos().view(len(z), N_MAPS, s, s)
        n = self.noise(self.stem(white))
        return n - n.mean((2, 3), keepdim=True)

    def forward(self, hi: Tensor, z: Tensor) -> Tensor:
        """Degrade each image by what its z says.

        Args:
            hi: (B, 3, 64, 64) in [-1, 1].
            z: (B, z_dim) of N(0, 1).

        Returns:
            lo: (B, 3, 16, 16) in [-1, 1], float32 whatever autocast says.
        """
        check_side("hi", hi, self.cfg)
        check_z(z, len(hi), self.cfg)
        with torch.autocast(hi.device.type, enabled=False):
            own = z.float() if self.takes_z else torch.zeros_like(z).float()
            lo = blur_and_integrate(hi.float(), self.kernels(own), self.step)
            lo = lo + self.noises(own)
        # Clipped, the gradient let through: a value beyond white must still learn to come back.
        lo = 2 * ClipThrough.apply((lo + 1) / 2) - 1
        return lo if self.jpeg is None else self.jpeg(lo, z)
