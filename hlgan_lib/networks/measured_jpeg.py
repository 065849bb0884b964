"""The JPEG that a dataset of photographs has passed, as the last layer of an H2L."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..data.faces import unit_range
from ..degradations.jpeg import jpeg_inside_photograph


class MeasuredJPEG(nn.Module):
    """The JPEG of some photographs as the last layer of a network: (x, z) -> x coded and decoded.

    The last four numbers of z choose, through their normal distribution, quality (from N
    quantiles), 4:2:0 or 4:4:4 chroma, and where the block grid lies. Until `set` or loaded weights
    say otherwise, the quality is 100.

    Args:
        domains: how many datasets there are; of several, each picture names its own at the call.

    Source: ours.
    """

    N = 64  # quantiles of the quality that are kept

    def __init__(self, domains: int = 1) -> None:
        super().__init__()
        each = (domains,) if domains > 1 else ()
        self.quality: Tensor
        self.subsampled: Tensor
        self.register_buffer("quality", torch.full((*each, self.N), 100.0))
        self.register_buffer("subsampled", torch.zeros(each))

    def set(self, quality: Tensor, subsampled: float, domain: int | None = None) -> None:
        """Take over what was measured of LR photographs.

        Args:
            quality: (n,) of 1..100, one number a photograph.
            subsampled: the share of them with 4:2:0 chroma.
            domain: of which dataset, where there are several.
        """
        at = ... if domain is None else domain
        middles = (torch.arange(self.N) + 0.5) / self.N
        self.quality[at] = quality.float().quantile(middles).to(self.quality.device)
        self.subsampled[at] = subsampled

    def forward(self, x: Tensor, z: Tensor, domain: Tensor | None = None) -> Tensor:
        """What a JPEG leaves of each picture.

        Args:
            x: (B, 3, s, s) in [-1, 1].
            z: (B, 4 or more) of N(0, 1).
            domain: (B,), whose JPEG, where there are several.

        Returns:
            The shape of x.
        """
        with torch.autocast(x.device.type, enabled=False):
            u = torch.special.ndtr(z[:, -4:].float()).clamp(max=1 - 1e-6)  # uniform in [0, 1)
            quality, share = self.quality.float(), self.subsampled
            if domain is not None:
                share = share[domain]
            step = (u[:, 0] * self.N).long()
            quality = quality[step] if domain is None else quality[domain, step]
            subsampled = u[:, 1] < share
            offset = (u[:, 2:] * 16).long()
            size = torch.full_like(offset[:, 0], x.shape[-1])
            value = unit_range(x.float())
            coded = jpeg_inside_photograph(value, size, quality, subsampled, offset)
        return (2 * coded - 1).to(x.dtype)
