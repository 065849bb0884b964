"""Power over spatial frequency, and the plain statistics of a set of pictures.

Pictures come in [-1, 1] as everywhere; levels come out in units of full scale (0 black, 1 white).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..data.faces import check_square, unit_range
from ..errors import HLError


def full_scale(x: Tensor) -> Tensor:
    """[-1, 1] on any device to 0..1 on the CPU, where everything is measured in float64."""
    return unit_range(x.detach().cpu().double())


def size_ratio(hi: Tensor, lo: Tensor) -> int:
    """How many pixels of hi a pixel of lo is wide.

    Args:
        hi: HR images (N, 3, S, S).
        lo: their LR images (N, 3, s, s).

    Returns:
        S / s.

    Raises:
        HLError: where they are no pairs.
    """
    check_square("hi", hi)
    check_square("lo", lo)
    if len(hi) != len(lo) or hi.shape[-1] % lo.shape[-1] or hi.shape[-1] == lo.shape[-1]:
        raise HLError(
            "hi and lo must show the same faces, hi a whole multiple larger, got "
            f"{tuple(hi.shape)} and {tuple(lo.shape)}: take both sides of the same Pairs"
        )
    return hi.shape[-1] // lo.shape[-1]


class Curve(NamedTuple):
    """y over x, each (bins,), and n values in each bin; y is NaN where there were too few."""

    x: Tensor
    y: Tensor
    n: Tensor


def power_spectrum(pictures: Tensor) -> Curve:
    """Power over spatial frequency, averaged over pictures, channels and directions.

        P(f) = mean over rings |f| of |FFT(w (v - v_mean))|^2 / sum(w^2),    w a Hann window

    White noise of standard deviation sigma gives sigma^2 on every ring but the first, a quarter of
    which leaves with the mean. Source: Welch's windowed periodogram.

    Args:
        pictures: (B, 3, s, s) in [-1, 1].

    Returns:
        x in cycles per pixel (1/s to 1/2), y in full scale squared.

    Raises:
        HLError: for another shape.
    """
    check_square("pictures", pictures)
    power = _spectra(full_scale(pictures))
    ring, n = _rings(pictures.shape[-1])
    x = torch.arange(1, len(n) + 1) / pictures.shape[-1]
    return Curve(x, (power.mean((0, 1)).flatten() @ ring) / n, n * power[:, :, 0, 0].numel())


def _spectra(v: Tensor) -> Tensor:
    """|FFT|^2 of windowed pictures less their (windowed) mean; white noise keeps its variance."""
    s = v.shape[-1]
    window = torch.hann_window(s + 2, periodic=False, dtype=v.dtype, device=v.device)[1:-1]
    window = window[:, None] * window
    mean = (window * v).sum((-2, -1), keepdim=True) / window.sum()
    return torch.fft.fft2(window * (v - mean)).abs() ** 2 / (window**2).sum()


def _rings(s: int) -> tuple[Tensor, Tensor]:
    """Which FFT coefficient lies on which ring 1 .. s/2, (s * s, s/2), and how many on each."""
    f = torch.fft.fftfreq(s, 1 / s)
    radius = torch.hypot(f[:, None], f).round().flatten()
    ring = (radius[:, None] == torch.arange(1, s // 2 + 1)).double()
    return ring, ring.sum(0)


def statistics(lo: Tensor) -> Tensor:
    """Numbers one can name, for `two_sample`.

    Mean and standard deviation of Y, Cb, Cr, and the log spectrum of each.

    Args:
        lo: (B, 3, s, s) in [-1, 1].

    Returns:
        (B, 6 + 3 s/2) float64.

    Raises:
        HLError: for another shape.
    """
    check_square("lo", lo)
    r, g, b = full_scale(lo).unbind(1)
    y = 0.299 * r + 0.587 * g + 0.114 * b
    v = torch.stack((y, 0.564 * (b - y), 0.713 * (r - y)), 1)
    ring, n = _rings(lo.shape[-1])
    log_spectrum = torch.log(_spectra(v).flatten(2) @ ring / n + 1e-7)
    return torch.cat((v.mean((2, 3)), v.std((2, 3)), log_spectrum.flatten(1)), 1)
