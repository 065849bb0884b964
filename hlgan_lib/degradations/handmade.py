"""The usual hand-made ways from a sharp face to a poor one: pooling, filters, blur, second order."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from ..errors import HLError
from ..rng import Draws
from .jpeg import jpeg_inside_photograph
from .optics import apply, blur, gaussian, resampling, sinc


def check_hi(hi: Tensor, size: int) -> None:
    if hi.ndim != 4 or hi.shape[1] != 3 or hi.shape[2] != hi.shape[3] or not hi.is_floating_point():
        raise HLError(
            f"hi must be float (B, 3, n, n) in [-1, 1], got {hi.dtype} {tuple(hi.shape)}: crop to a square "
            "and convert with hl.data.to_float"
        )
    if hi.shape[-1] < size:
        raise HLError(
            f"hi must be at least {size}x{size}, got {hi.shape[-1]}x{hi.shape[-1]}: did you pass lo?"
        )


def pool(hi: Tensor, size: int = 16) -> Tensor:
    """Average over equal squares: lo[i, j] = mean of hi over the square of output pixel (i, j).

    hi (B, 3, n, n) in [-1, 1] -> (B, 3, size, size). HLError where size does not divide n. Source: paper, pixel loss.
    """
    check_hi(hi, size)
    if hi.shape[-1] % size:
        raise HLError(
            f"pool needs a size that divides {hi.shape[-1]}, got {size}: use bilinear instead"
        )
    return avg_pool2d(hi, hi.shape[-1] // size)


def bilinear(hi: Tensor, size: int = 16) -> Tensor:
    """Antialiased triangle filter, (B, 3, n, n) in [-1, 1] -> (B, 3, size, size): what most papers train on."""
    check_hi(hi, size)
    return interpolate(hi, size=(size, size), mode="bilinear", antialias=True, align_corners=False)


def bicubic(hi: Tensor, size: int = 16) -> Tensor:
    """Antialiased cubic filter, clipped: (B, 3, n, n) in [-1, 1] -> (B, 3, size, size)."""
    check_hi(hi, size)
    return interpolate(
        hi, size=(size, size), mode="bicubic", antialias=True, align_corners=False
    ).clamp(-1, 1)


@torch.no_grad()
def blurred(hi: Tensor, generator: torch.Generator, size: int = 16) -> Tensor:
    """A round Gaussian blur of random width, then bilinear: (B, 3, n, n) in [-1, 1] -> (B, 3, size, size).

    The spread is uniform in 0.5 to 3 pixels of a 64x64 face. Source: ours, the blur of older pipelines.
    """
    check_hi(hi, size)
    draws, unit = Draws(len(hi), generator, hi.device), hi.shape[-1] / 64
    sigma = draws.uniform(0.5, 3.0) * unit
    return bilinear(blur(hi, gaussian(sigma, sigma, 0 * sigma, int(9 * unit))), size)


@torch.no_grad()
def second_order(hi: Tensor, generator: torch.Generator, size: int = 16) -> Tensor:
    """Twice over: Gaussian blur, resize by a random filter, Gaussian noise, JPEG; ringing before the last JPEG.

    hi (B, 3, n, n) in [-1, 1] -> (B, 3, size, size). Source: Real-ESRGAN (2107.10833), its order with milder ranges for
    faces of 64 pixels; four pictures in five ring. It knows nothing of Camera's colour, exposure or signal-dependent
    noise.
    """
    check_hi(hi, size)
    draws, unit, n = Draws(len(hi), generator, hi.device), hi.shape[-1] / 64, hi.shape[-1]
    value, side = (hi.float() + 1) / 2, torch.full((len(hi),), n, device=hi.device)
    for last in (False, True):
        spread = [draws.uniform(0.2, 0.8 if last else 2.0) * unit for _ in range(2)]
        value = blur(value, gaussian(*spread, draws.uniform(0, torch.pi), int(4 * unit)))
        low, high = int(size * 1.0), max(size, int(0.75 * n))
        goal = torch.full_like(side, size) if last else draws.integer(low, high)
        rows = size if last else high
        value = apply(resampling(side, goal, draws.integer(0, 3), rows, value.shape[-1]), value)
        sigma = draws.uniform(1 / 255, 12 / 255)[:, None, None, None]
        value = (value + sigma * draws.normal(3, rows, rows)).clamp(0, 1)
        if last:
            rings = blur(value, sinc(draws.uniform(torch.pi / 2, torch.pi), half=min(5, size - 1)))
            value = torch.where(draws.chance(0.8)[:, None, None, None], rings.clamp(0, 1), value)
        value = jpeg_inside_photograph(
            value, goal, draws.integer(30, 95), draws.chance(0.5), draws.integer(0, 15, 2)
        )
        side = goal
    return torch.round(value * 255) / 127.5 - 1
