"""Noise over brightness, colour in stops, and how much repeated shots of one face differ.

Levels, noise and spreads are in units of full scale (0 black, 1 white), colour in stops (factors of
two of linear light). Every estimator is tested on pictures whose degradation is known.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ..data.faces import check_square
from ..degradations.optics import srgb_decode
from ..errors import HLError
from .spectrum import Curve, full_scale, size_ratio


def noise_curve(level: Tensor, deviation: Tensor, n_bins: int = 8, at_least: int = 100) -> Curve:
    """Noise over brightness: the root mean square of `deviation` in bins of `level`.

    Args:
        level: brightness, full scale 1: `blur_fit`'s fitted, or the first of `over_shots`.
        deviation: of the same shape: `blur_fit`'s residual, or the second of `over_shots`.
        n_bins: bins of [0, 1].
        at_least: y is NaN in a bin of fewer values.

    Returns:
        x: the mean level in each bin, y: the noise, n: values.

    Raises:
        HLError: for two shapes.
    """
    if level.shape != deviation.shape:
        raise HLError(
            f"level and deviation must have one shape, got {tuple(level.shape)} and "
            f"{tuple(deviation.shape)}: take both of one blur_fit or one over_shots"
        )
    index = (level.flatten() * n_bins).long().clamp(0, n_bins - 1)
    n = torch.bincount(index, minlength=n_bins)
    square = torch.bincount(index, deviation.flatten().double() ** 2, minlength=n_bins)
    y = torch.where(n >= at_least, (square / n.clamp(min=1)).sqrt(), torch.nan)
    x = torch.bincount(index, level.flatten().double(), minlength=n_bins) / n.clamp(min=1)
    middle = (torch.arange(n_bins) + 0.5) / n_bins
    return Curve(torch.where(n > 0, x, middle), y, n)


def over_shots(los: Tensor) -> tuple[Tensor, Tensor]:
    """Local mean and deviation over repeated shots, for `noise_curve`.

    The deviation is scaled by sqrt(n / (n - 1)): with only noise between the shots its mean square
    is the variance. Where colour or blur change between shots (new z, new parameters) it holds that
    too.

    Args:
        los: (n, B, 3, s, s) in [-1, 1], as `inference.shots` makes them.

    Returns:
        Mean and deviation, both of that shape, full scale 1.

    Raises:
        HLError: for another shape, and one shot only.
    """
    check_square("los", los, "(n, B, 3, s, s)", "make it with inference.shots")
    if len(los) < 2:
        raise HLError(f"los must hold 2 shots of each face or more, got {len(los)}: give n=2")
    v = full_scale(los)
    mean = v.mean(0, keepdim=True)
    return mean.expand_as(v), (v - mean) * math.sqrt(len(v) / (len(v) - 1))


class Diversity(NamedTuple):
    """Spread over shots of one face, full scale 1: total^2 = colour^2 + detail^2."""

    total: float
    colour: float
    detail: float


def diversity(los: Tensor) -> Diversity:
    """How much repeated shots of a face differ: in each channel's mean (colour), and in the rest.

    Args:
        los: (n, B, 3, s, s) in [-1, 1].

    Returns:
        Root mean squares over faces, channels and pixels. Source: ours.

    Raises:
        HLError: as `over_shots`.
    """
    _, total = over_shots(los)
    colour = total.mean((3, 4), keepdim=True)
    return Diversity(_rms(total), _rms(colour), _rms(total - colour))


def _rms(x: Tensor) -> float:
    return (x**2).mean().sqrt().item()


def colour_gains(hi: Tensor, lo: Tensor) -> Tensor:
    """How much brighter each channel became: log2 of the ratio of mean linear light, lo over hi.

    A tone curve and clipping change it as exposure and white balance do; a wholly black channel
    counts as 1/1000.

    Args:
        hi: HR pictures (B, 3, S, S) in [-1, 1].
        lo: their LR pictures (B, 3, s, s) in [-1, 1].

    Returns:
        (B, 3) in stops.

    Raises:
        HLError: for sets that are no pairs.
    """
    size_ratio(hi, lo)
    return torch.log2(_mean_light(lo) / _mean_light(hi))


def _mean_light(x: Tensor) -> Tensor:
    return srgb_decode(full_scale(x).clamp(0, 1)).mean((2, 3)).clamp(min=1e-3)


def colour_shift(gains: Tensor) -> dict[str, Tensor]:
    """Gains of R, G, B in words a photographer has.

        exposure = (R + 2 G + B) / 4,    warmth = (R - B) / 2,    tint = G - (R + B) / 2

    Args:
        gains: (B, 3) in stops, see `colour_gains`.

    Returns:
        name -> (B,) in stops.
    """
    r, g, b = gains.unbind(1)
    return {"exposure": (r + 2 * g + b) / 4, "warmth": (r - b) / 2, "tint": g - (r + b) / 2}
