"""Noise over brightness, colour in stops, and how much repeated shots of one face differ.

Levels, noise and spreads are in units of full scale (0 black, 1 white), colour in stops (factors of two of linear
light). Every estimator is tested on pictures whose degradation is exactly known.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ..data.faces import check_square
from ..degradations.optics import srgb_decode
from ..errors import HLError
from .spectrum import Curve, _check_pair, _level


def noise_curve(level: Tensor, deviation: Tensor, n_bins: int = 8, at_least: int = 100) -> Curve:
    """Noise level over brightness: the root mean square of `deviation` where `level` falls into each of n_bins.

    Both of one shape, full scale 1: fitted and residual of `blur_fit`, or the two parts of `over_shots`. x: the
    mean level in each bin of [0, 1].
    """
    if level.shape != deviation.shape:
        raise HLError(
            f"level and deviation must have one shape, got {tuple(level.shape)} and {tuple(deviation.shape)}"
        )
    index = (level.flatten() * n_bins).long().clamp(0, n_bins - 1)
    n = torch.bincount(index, minlength=n_bins)
    square = torch.bincount(index, deviation.flatten().double() ** 2, minlength=n_bins)
    y = torch.where(n >= at_least, (square / n.clamp(min=1)).sqrt(), torch.nan)
    x = torch.bincount(index, level.flatten().double(), minlength=n_bins) / n.clamp(min=1)
    return Curve(torch.where(n > 0, x, (torch.arange(n_bins) + 0.5) / n_bins), y, n)


def over_shots(los: Tensor) -> tuple[Tensor, Tensor]:
    """Local mean and deviation over repeated shots, for `noise_curve`: (n, B, 3, s, s) in [-1, 1] -> two of that shape.

    The deviation is scaled by sqrt(n / (n - 1)): with only noise between the shots its mean square is the variance.
    Where colour or blur change between shots (new z, new parameters) it holds that too.
    """
    check_square("los", los, "(n, B, 3, s, s)", "make it with inference.shots")
    if len(los) < 2:
        raise HLError(f"los must hold 2 shots of each face or more, got {len(los)}")
    v = _level(los)
    mean = v.mean(0, keepdim=True)
    return mean.expand_as(v), (v - mean) * math.sqrt(len(v) / (len(v) - 1))


class Diversity(NamedTuple):
    """Spread over shots of one face, full scale 1: total^2 = colour^2 + detail^2."""

    total: float
    colour: float
    detail: float


def diversity(los: Tensor) -> Diversity:
    """How much repeated shots of a face differ: in each channel's mean over the picture (colour), and in the rest.

    los (n, B, 3, s, s) in [-1, 1]; root mean squares over faces, channels and pixels. Source: ours.
    """
    _, d = over_shots(los)
    colour = d.mean((3, 4), keepdim=True)
    return Diversity(*((part**2).mean().sqrt().item() for part in (d, colour, d - colour)))


def colour_gains(hi: Tensor, lo: Tensor) -> Tensor:
    """How much brighter each channel became: log2 of the ratio of mean linear light, lo over hi; (B, 3) in stops.

    A tone curve and clipping change it as exposure and white balance do; a wholly black channel counts as 1/1000.
    """
    _check_pair(hi, lo)
    light = [srgb_decode(_level(x).clamp(0, 1)).mean((2, 3)).clamp(min=1e-3) for x in (hi, lo)]
    return torch.log2(light[1] / light[0])


def colour_shift(gains: Tensor) -> dict[str, Tensor]:
    """(B, 3) stops of R, G, B -> (B,) each: exposure (R + 2 G + B) / 4, warmth (R - B) / 2, tint G - (R + B) / 2."""
    r, g, b = gains.unbind(1)
    return {"exposure": (r + 2 * g + b) / 4, "warmth": (r - b) / 2, "tint": g - (r + b) / 2}
