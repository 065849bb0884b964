"""Cameras that differ from the shipped one, to try a method on what it was not made for.

Other orders of faults and other laws: `webcam` balances white by the picture itself and sharpens,
`night` is dark, dragged and noisy, `scan` is an old print whose JPEG came first and whose fade and
noise act on values instead of light; `clean` is no camera. Each is a function
(hi, generator) -> lo, hi (B, 3, S, S) in [-1, 1], lo a quarter as wide, and draws its numbers anew
for each picture; widths of blurs are in HR pixels, whatever S. The ranges are round numbers, chosen
before any score was known. Source: ours.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from ..rng import Draws
from .handmade import bilinear
from .jpeg import code_and_decode, jpeg_inside_photograph
from .optics import blur, gaussian, psf, srgb_decode, srgb_encode

STEP = 4  # HR pixels a side that become one LR pixel


def _as_file(v: Tensor) -> Tensor:
    """Values in [0, 1], clipped and rounded to 8 bits, in [-1, 1]."""
    return torch.round(v.clamp(0, 1) * 255) / 127.5 - 1


def _each(x: Tensor) -> Tensor:
    """(B,) as (B, 1, 1, 1): one number a picture."""
    return x[:, None, None, None]


@torch.no_grad()
def webcam(hi: Tensor, generator: torch.Generator) -> Tensor:
    """Grey-world white balance, a fixed lens, sharpening, strong JPEG with 4:2:0 colour.

    Args:
        hi: HR images (B, 3, S, S) in [-1, 1].
        generator: draws what is random.

    Returns:
        LR images (B, 3, S/4, S/4) in [-1, 1].
    """
    draws = Draws(len(hi), generator, hi.device)
    light = srgb_decode((hi + 1) / 2) * 2 ** _each(draws.uniform(-0.4, 0.5))

    # Grey world: the mean colour of the picture is drawn towards grey, so the gains depend on it.
    mean = light.mean((2, 3), keepdim=True)
    balance = _each(draws.uniform(0.4, 0.9))
    light = light * (mean.mean(1, keepdim=True) / mean) ** balance

    sigma = draws.uniform(1.0, 1.8)
    lo = avg_pool2d(blur(light, gaussian(sigma, sigma, 0 * sigma, 8)), STEP)
    lo = (lo + 0.01 * draws.normal(*lo.shape[1:]) * lo.sqrt()).clamp(0, 1)

    value = srgb_encode(lo)
    soft = avg_pool2d(pad(value, [1] * 4, mode="replicate"), 3, 1)
    value = (value + _each(draws.uniform(0.3, 1.0)) * (value - soft)).clamp(0, 1)
    size = torch.full((len(hi),), lo.shape[-1], device=hi.device)
    quality, subsampled = draws.integer(25, 60), draws.chance(1.0)
    return _as_file(
        jpeg_inside_photograph(value, size, quality, subsampled, draws.integer(0, 15, 2))
    )


@torch.no_grad()
def night(hi: Tensor, generator: torch.Generator) -> Tensor:
    """Dark, under warm lamps, dragged by a long exposure; the tone curve lifts noise. No JPEG.

    Args:
        hi: HR images (B, 3, S, S) in [-1, 1].
        generator: draws what is random.

    Returns:
        LR images (B, 3, S/4, S/4) in [-1, 1].
    """
    draws = Draws(len(hi), generator, hi.device)
    light = srgb_decode((hi + 1) / 2) * 2 ** _each(draws.uniform(-2.6, -0.8))
    warm = draws.uniform(0.1, 0.7)
    stops = torch.stack([warm, draws.uniform(-0.1, 0.1), -warm], 1)
    light = light * 2 ** stops[:, :, None, None]

    drag, angle = draws.uniform(0, 9), draws.uniform(0, torch.pi)
    lo = avg_pool2d(blur(light, psf(drag, angle, draws.uniform(0.3, 1.5), 9)), STEP)
    gain, read = draws.log_uniform(0.002, 0.01), draws.log_uniform(0.004, 0.02)
    spread = (_each(gain) * lo + _each(read) ** 2).sqrt()
    lo = (lo + spread * draws.normal(*lo.shape[1:])).clamp(0, 1)
    return _as_file(srgb_encode(lo) ** _each(draws.uniform(0.6, 0.9)))


@torch.no_grad()
def scan(hi: Tensor, generator: torch.Generator) -> Tensor:
    """An old print, scanned: JPEG of the large picture, then a fade, a cast, blur, even noise.

    Args:
        hi: HR images (B, 3, S, S) in [-1, 1].
        generator: draws what is random.

    Returns:
        LR images (B, 3, S/4, S/4) in [-1, 1].
    """
    draws = Draws(len(hi), generator, hi.device)
    value = code_and_decode((hi + 1) / 2, draws.integer(15, 50), draws.chance(0.5))
    black, white = draws.uniform(0.05, 0.25), draws.uniform(0.65, 0.95)
    value = _each(black) + value * _each(white - black)
    cast = draws.uniform(-0.06, 0.06, 3)[:, :, None, None]
    value = value + cast * torch.tensor([1.0, 0.5, 1.0], device=hi.device)[:, None, None]

    sigma_x, sigma_y = draws.uniform(0.8, 3.0), draws.uniform(0.8, 2.0)
    value = blur(value, gaussian(sigma_x, sigma_y, draws.uniform(0, torch.pi), 9))
    lo = (bilinear(2 * value - 1, hi.shape[-1] // STEP) + 1) / 2
    noise = _each(draws.uniform(0.005, 0.03)) * draws.normal(*lo.shape[1:])
    return _as_file(lo + noise)


@torch.no_grad()
def clean(hi: Tensor, generator: torch.Generator) -> Tensor:
    """No camera: bilinear, 8 bits.

    Args:
        hi: HR images (B, 3, S, S) in [-1, 1].
        generator: not asked: nothing is random.

    Returns:
        LR images (B, 3, S/4, S/4) in [-1, 1].
    """
    return _as_file((bilinear(hi, hi.shape[-1] // STEP) + 1) / 2)


OTHER_CAMERAS = {"webcam": webcam, "night": night, "scan": scan, "clean": clean}
