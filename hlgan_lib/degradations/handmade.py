"""The usual hand-made degradations: pooling, filters, a blur, and the second-order pipeline.

These are the baselines that a learned degradation has to beat. All take float images in [-1, 1] and
give them back at the size of an LR image; those that draw numbers take a generator.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from ..data.faces import unit_range
from ..errors import HLError
from ..rng import Draws
from .jpeg import jpeg_inside_photograph
from .optics import KERNELS, apply, blur, gaussian, resampling, sinc


def check_hi(hi: Tensor, size: int) -> None:
    """Check that hi is a float batch of square RGB images of at least size x size.

    Args:
        hi: HR images (B, 3, S, S).
        size: of the LR images to make.

    Raises:
        HLError: where it is not.
    """
    is_square = hi.ndim == 4 and hi.shape[1] == 3 and hi.shape[2] == hi.shape[3]
    if not is_square or not hi.is_floating_point():
        raise HLError(
            f"hi must be float (B, 3, n, n) in [-1, 1], got {hi.dtype} {tuple(hi.shape)}: crop "
            "to a square and convert with hl.data.to_float"
        )
    n = hi.shape[-1]
    if n < size:
        raise HLError(f"hi must be at least {size}x{size}, got {n}x{n}: did you pass lo?")


def pool(hi: Tensor, size: int = 16) -> Tensor:
    """Average over equal squares: lo[i, j] = mean of hi over the square of output pixel (i, j).

    Args:
        hi: (B, 3, n, n) in [-1, 1], n a multiple of size.
        size: side of the result, pixels.

    Returns:
        lo: (B, 3, size, size) in [-1, 1].

    Raises:
        HLError: for a wrong shape, and where size does not divide n.

    Source: paper, the pixel loss of H2L.
    """
    check_hi(hi, size)
    if hi.shape[-1] % size:
        raise HLError(
            f"pool needs a size that divides {hi.shape[-1]}, got {size}: use bilinear instead"
        )
    return avg_pool2d(hi, hi.shape[-1] // size)


def bilinear(hi: Tensor, size: int = 16) -> Tensor:
    """Reduce by an antialiased triangle filter: the degradation that most papers train on.

    Args:
        hi: (B, 3, n, n) in [-1, 1].
        size: side of the result, pixels, at most n.

    Returns:
        lo: (B, 3, size, size) in [-1, 1].

    Raises:
        HLError: for a wrong shape.
    """
    check_hi(hi, size)
    return interpolate(hi, size=(size, size), mode="bilinear", antialias=True, align_corners=False)


def bicubic(hi: Tensor, size: int = 16) -> Tensor:
    """Reduce by an antialiased cubic filter; what it overshoots is clipped.

    Args:
        hi: (B, 3, n, n) in [-1, 1].
        size: side of the result, pixels, at most n.

    Returns:
        lo: (B, 3, size, size) in [-1, 1].

    Raises:
        HLError: for a wrong shape.
    """
    check_hi(hi, size)
    lo = interpolate(hi, size=(size, size), mode="bicubic", antialias=True, align_corners=False)
    return lo.clamp(-1, 1)


@torch.no_grad()
def blurred(hi: Tensor, generator: torch.Generator, size: int = 16) -> Tensor:
    """Blur by a round Gaussian of random width, then reduce by `bilinear`.

    Args:
        hi: (B, 3, n, n) in [-1, 1].
        generator: draws each image's standard deviation, uniform in 0.5 to 3 pixels of
            a 64x64 face.
        size: side of the result, pixels, at most n.

    Returns:
        lo: (B, 3, size, size) in [-1, 1].

    Raises:
        HLError: for a wrong shape.

    Source: ours, the blur of older pipelines.
    """
    check_hi(hi, size)
    unit = hi.shape[-1] / 64
    draws = Draws(len(hi), generator, hi.device)
    sigma = draws.uniform(0.5, 3.0) * unit
    return bilinear(blur(hi, gaussian(sigma, sigma, 0 * sigma, int(9 * unit))), size)


@torch.no_grad()
def second_order(hi: Tensor, generator: torch.Generator, size: int = 16) -> Tensor:
    """Degrade twice over: Gaussian blur, resize by a random filter, Gaussian noise, JPEG.

    The second time the resize ends at the LR size, and four images in five ring before the JPEG.
    It knows nothing of `Camera`'s colour, exposure or signal-dependent noise.

    Args:
        hi: (B, 3, n, n) in [-1, 1].
        generator: draws all numbers, others for each image.
        size: side of the result, pixels, at most n.

    Returns:
        lo: (B, 3, size, size) in [-1, 1], rounded to 8 bits.

    Raises:
        HLError: for a wrong shape.

    Source: Real-ESRGAN (2107.10833), its order, with milder ranges for faces of 64 pixels.
    """
    check_hi(hi, size)
    n = hi.shape[-1]
    unit = n / 64
    draws = Draws(len(hi), generator, hi.device)
    value = unit_range(hi.float())
    # Each image has a size of its own in between: `value` holds it in its first rows and columns.
    side = torch.full((len(hi),), n, device=hi.device)
    for last in (False, True):
        # Blur: an oval Gaussian, milder the second time.
        widest = 0.8 if last else 2.0
        sigma_x = draws.uniform(0.2, widest) * unit
        sigma_y = draws.uniform(0.2, widest) * unit
        angle = draws.uniform(0, torch.pi)
        value = blur(value, gaussian(sigma_x, sigma_y, angle, int(4 * unit)))

        # Resize: to somewhere in between, then to the size of lo.
        low, high = size, max(size, int(0.75 * n))
        goal = torch.full_like(side, size) if last else draws.integer(low, high)
        rows = size if last else high
        kernel = draws.integer(0, len(KERNELS) - 1)
        value = apply(resampling(side, goal, kernel, rows, value.shape[-1]), value)

        # Noise, the same in dark and light.
        sigma = draws.uniform(1 / 255, 12 / 255)[:, None, None, None]
        value = (value + sigma * draws.normal(3, rows, rows)).clamp(0, 1)

        # Ringing, as of a picture that was sharpened too much.
        if last:
            cutoff = draws.uniform(torch.pi / 2, torch.pi)
            rings = blur(value, sinc(cutoff, half=min(5, size - 1))).clamp(0, 1)
            value = torch.where(draws.chance(0.8)[:, None, None, None], rings, value)

        # JPEG.
        quality, subsampled = draws.integer(30, 95), draws.chance(0.5)
        value = jpeg_inside_photograph(value, goal, quality, subsampled, draws.integer(0, 15, 2))
        side = goal
    return torch.round(value * 255) / 127.5 - 1
