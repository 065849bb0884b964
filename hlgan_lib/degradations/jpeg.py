"""JPEG as batched tensor arithmetic: each image of a batch has its own quality, size and grid.

A JPEG turns RGB into luminance and two colour differences, cuts each into blocks of 8x8, takes
their cosine transform (DCT), and rounds its coefficients to multiples of the numbers in a table.
What was rounded away is lost; the rest of the format packs bits. Rounding lets gradients through
as they are (the straight-through estimator, 1308.3432), so that a network can be trained in front
of it.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

# ISO/IEC 10918-1, annex K.1 and K.2: quantisation steps at quality 50, luminance and chrominance.
LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
CHROMINANCE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
)
# JFIF 1.02: RGB to luminance, blue and red difference, and back.
TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))


@lru_cache(maxsize=32)
def constant(values: tuple, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The values as a tensor on the device, copied there once: a copy would wait for the device.

    Args:
        values: numbers, nested as the tensor is to be.
        dtype: of the tensor.
        device: where it is used.

    Returns:
        The tensor, the same one for the same arguments.
    """
    return torch.tensor(values, dtype=dtype, device=device)


@lru_cache(maxsize=16)
def block_dct(n: int, device: torch.device) -> Tensor:
    """The matrix that takes the 8-point DCT of each run of 8 pixels.

    C[k, i] = a_k cos(pi (2i + 1) k / 16), with a_0 = 1 / sqrt(8) and a_k = 1/2 else.

    Args:
        n: pixels, a multiple of 8.
        device: where the matrix is needed.

    Returns:
        (n, n), orthogonal, n / 8 blocks of 8x8 along its diagonal.
    """
    k = torch.arange(8.0)[:, None]
    i = torch.arange(8.0)[None, :]
    matrix = torch.cos(torch.pi * (2 * i + 1) * k / 16) / 2
    matrix[0] /= 2**0.5
    return torch.kron(torch.eye(n // 8), matrix).to(device)


def quantisation(quality: Tensor, table: tuple) -> Tensor:
    """Quantisation steps for a quality, by the scaling of the Independent JPEG Group.

    s = 5000 / q below 50, else 200 - 2 q;   Q = clip(floor((T s + 50) / 100), 1, 255)

    Args:
        quality: q, (B,); what lies outside 1..100 is clipped.
        table: T, LUMINANCE or CHROMINANCE.

    Returns:
        Q, (B, 8, 8), levels of 255.
    """
    return _steps(_scaling(quality), table)


def _scaling(quality: Tensor) -> Tensor:
    """s of `quantisation`, (B,)."""
    q = quality.float().clamp(1, 100)
    return torch.where(q < 50, torch.floor(5000 / q), 200 - 2 * q)


def _steps(scaling: Tensor, table: tuple) -> Tensor:
    """Q of `quantisation`, (B, 8, 8)."""
    base = constant(table, torch.float32, scaling.device)
    return torch.floor((base * scaling[:, None, None] + 50) / 100).clamp(1, 255)


class RoundThrough(torch.autograd.Function):
    """torch.round with the gradient of the identity."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        """x, rounded."""
        return torch.round(x)

    @staticmethod
    def backward(ctx: object, grad: Tensor) -> Tensor:
        """The gradient as it is."""
        return grad


def _quantise(x: Tensor, steps: Tensor) -> Tensor:
    """Round the block DCT of x (B, C, n, n), levels around 0, to multiples of steps (B, 8, 8)."""
    n = x.shape[-1]
    dct = block_dct(n, x.device)
    steps = steps.repeat(1, n // 8, n // 8)[:, None]  # (B, 1, n, n): the same in each block
    whole = RoundThrough.apply(dct @ x @ dct.T / steps)
    return dct.T @ (whole * steps) @ dct


def code_and_decode(rgb: Tensor, quality: Tensor, subsampled: Tensor) -> Tensor:
    """What one JPEG leaves of an image.

    libjpeg rounds to whole levels between its steps; this does not.

    Args:
        rgb: (B, 3, n, n) in [0, 1], n a multiple of 16.
        quality: (B,) of 1..100.
        subsampled: (B,) bool: 4:2:0 chroma (averaged over 2x2, enlarged by the triangle filter, as
            libjpeg does) or 4:4:4.

    Returns:
        The same shape, clipped to [0, 1].
    """
    # Luminance around 0 and colour differences, in levels of 255.
    to_ycc = constant(TO_YCC, rgb.dtype, rgb.device)
    ycc = torch.einsum("ij,bjhw->bihw", to_ycc, rgb * 255)
    y, chroma = ycc[:, :1] - 128, ycc[:, 1:]

    # Quantise; chroma both ways, as the images of a batch differ in it. One scaling for both
    # tables: of a tensor that is clipped twice the ONNX exporter makes an invalid model.
    scaling = _scaling(quality)
    y = _quantise(y, _steps(scaling, LUMINANCE))
    steps = _steps(scaling, CHROMINANCE)
    full = _quantise(chroma, steps)
    half = _quantise(avg_pool2d(chroma, 2), steps)
    half = interpolate(half, scale_factor=2, mode="bilinear", align_corners=False)
    chroma = torch.where(subsampled[:, None, None, None], half, full)

    # And back.
    to_rgb = constant(TO_RGB, rgb.dtype, rgb.device)
    rgb = torch.einsum("ij,bjhw->bihw", to_rgb, torch.cat((y + 128, chroma), 1))
    return (rgb / 255).clamp(0, 1)


def jpeg_inside_photograph(
    rgb: Tensor, size: Tensor, quality: Tensor, subsampled: Tensor, offset: Tensor
) -> Tensor:
    """One JPEG of a larger photograph that holds the image, so that the block grid falls anywhere.

    What surrounds the image in the photograph is unknown; its mirror image stands for it.

    Args:
        rgb: (B, 3, n, n) in [0, 1], of which the first size[b] rows and columns are the image.
        size: (B,), pixels.
        quality: (B,) of 1..100.
        subsampled: (B,) bool: 4:2:0 chroma or 4:4:4.
        offset: (B, 2), rows and columns between a block's corner and the image's, 0..15.

    Returns:
        (B, 3, n, n) in [0, 1], undefined outside the image.
    """
    # A canvas of whole blocks, large enough for every offset: which pixel lies where on it.
    n = rgb.shape[-1]
    n_canvas = -(-(n + 15) // 16) * 16
    canvas = torch.arange(n_canvas, device=rgb.device)[None, None]
    place = canvas - offset[..., None]  # (B, 2, n_canvas)

    # Mirror: 0 1 2 3 2 1 0 1 ... repeats after 2 size - 2 pixels.
    period = (2 * size - 2).clamp(min=1)[:, None, None]
    mirrored = place.remainder(period)
    mirrored = torch.minimum(mirrored, period - mirrored).clamp(max=n - 1)

    coded = code_and_decode(take(rgb, mirrored), quality, subsampled)
    inside = torch.arange(n, device=rgb.device)[None, None] + offset[..., None]
    return take(coded, inside)


def take(x: Tensor, index: Tensor) -> Tensor:
    """Chosen rows and columns of each image.

    Args:
        x: (B, C, h, w).
        index: (B, 2, m), the rows and the columns.

    Returns:
        (B, C, m, m).
    """
    b = torch.arange(len(x), device=x.device)[:, None, None]
    rows, columns = index[:, 0, :, None], index[:, 1, None, :]
    return x.permute(0, 2, 3, 1)[b, rows, columns].permute(0, 3, 1, 2)
