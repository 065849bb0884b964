"""Power over spatial frequency, and the plain statistics of a set of pictures.

Pictures come in [-1, 1] as everywhere; levels come out in units of full scale (0 black, 1 white).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..data.faces import check_square
from ..errors import HLError


def _level(x: Tensor) -> Tensor:
    """[-1, 1] on any device to full scale 1 on the CPU, where everything is measured in float64."""
    return (x.detach().cpu().double() + 1) / 2


def _check_pair(hi: Tensor, lo: Tensor) -> int:
    """The ratio of the two sizes, or HLError."""
    check_square("hi", hi)
    check_square("lo", lo)
    if len(hi) != len(lo) or hi.shape[-1] % lo.shape[-1] or hi.shape[-1] == lo.shape[-1]:
        raise HLError(
            f"hi and lo must show the same faces, hi a whole multiple larger, got {tuple(hi.shape)} and "
            f"{tuple(lo.shape)}: take both sides of the same Pairs"
        )
    return hi.shape[-1] // lo.shape[-1]


class Curve(NamedTuple):
    """y over x, each (bins,), and how many values went into each bin; y is NaN where there were too few."""

    x: Tensor
    y: Tensor
    n: Tensor


def power_spectrum(pictures: Tensor) -> Curve:
    """Power over spatial frequency, averaged over pictures, channels and directions.

    P(f) = mean over rings |f| of |FFT(w (v - v_mean))|^2 / sum(w^2), w a Hann window: white noise of spread sigma gives
    sigma^2, but on the first ring, a quarter of which leaves with the mean. (B, 3, s, s) -> x in cycles per pixel (1/s
    to 1/2), y in full scale squared.
    """
    check_square("pictures", pictures)
    power = _spectra(_level(pictures))
    ring, n = _rings(pictures.shape[-1])
    x = torch.arange(1, len(n) + 1) / pictures.shape[-1]
    return Curve(x, (power.mean((0, 1)).flatten() @ ring) / n, n * power[:, :, 0, 0].numel())


def _spectra(v: Tensor) -> Tensor:
    """|FFT|^2 of windowed pictures less their (windowed) mean, normalised so that white noise keeps its variance."""
    s = v.shape[-1]
    window = torch.hann_window(s + 2, periodic=False, dtype=v.dtype, device=v.device)[1:-1]
    window = window[:, None] * window
    mean = (window * v).sum((-2, -1), keepdim=True) / window.sum()
    return torch.fft.fft2(window * (v - mean)).abs() ** 2 / (window**2).sum()


def _rings(s: int) -> tuple[Tensor, Tensor]:
    """Which FFT coefficient lies on which ring 1 .. s/2 (s * s, s/2) and how many lie on each."""
    f = torch.fft.fftfreq(s, 1 / s)
    radius = torch.hypot(f[:, None], f).round().flatten()
    ring = (radius[:, None] == torch.arange(1, s // 2 + 1)).double()
    return ring, ring.sum(0)


def statistics(lo: Tensor) -> Tensor:
    """Numbers one can name, for `two_sample`: mean and spread of Y, Cb, Cr, and the log spectrum of each.

    (B, 3, s, s) in [-1, 1] -> (B, 6 + 3 s/2) float64.
    """
    check_square("lo", lo)
    r, g, b = _level(lo).unbind(1)
    y = 0.299 * r + 0.587 * g + 0.114 * b
    v = torch.stack((y, 0.564 * (b - y), 0.713 * (r - y)), 1)
    ring, n = _rings(lo.shape[-1])
    spectrum = _spectra(v).flatten(2) @ ring / n
    return torch.cat((v.mean((2, 3)), v.std((2, 3)), torch.log(spectrum + 1e-7).flatten(1)), 1)
