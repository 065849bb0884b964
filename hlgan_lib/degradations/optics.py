"""What happens to light and pixels: tone curves, blur kernels, resampling; every picture with numbers of its own."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

KERNELS = (
    "box",
    "bilinear",
    "bicubic",
    "lanczos",
)  # the numbers 0..3 that `resampling` and Shot.params take


def srgb_decode(v: Tensor) -> Tensor:
    """sRGB value in [0, 1] to linear light: v / 12.92 below 0.04045, else ((v + 0.055) / 1.055)^2.4 (IEC 61966-2-1)."""
    return torch.where(v <= 0.04045, v / 12.92, ((v.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4)


def srgb_encode(x: Tensor) -> Tensor:
    """Linear light in [0, 1] to sRGB value: 12.92 x below 0.0031308, else 1.055 x^(1/2.4) - 0.055 (IEC 61966-2-1)."""
    return torch.where(
        x <= 0.0031308, x * 12.92, 1.055 * x.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    )


def psf(motion_px: Tensor, angle: Tensor, defocus_px: Tensor, half: int) -> Tensor:
    """Point spread of a disc dragged along a line: k(x) = mean over t in [-1/2, 1/2] of disc_r(x - t L u).

    motion_px L, angle (radians) and defocus_px r are (B,); disc_r(x) = clip(r + 1 - |x|, 0, 1), a disc with a soft rim,
    a single pixel at r = 0. Returns (B, k, k), k = 2 half + 1, each summing to 1. Source: ours.
    """
    axis = torch.arange(-half, half + 1.0, device=angle.device)
    t = torch.linspace(-0.5, 0.5, 13, device=angle.device) * motion_px[:, None]  # (B, 13)
    dy = axis - (t * angle.sin()[:, None])[..., None]  # (B, 13, k)
    dx = axis - (t * angle.cos()[:, None])[..., None]
    distance = torch.sqrt(dy[..., :, None] ** 2 + dx[..., None, :] ** 2)
    kernel = (defocus_px[:, None, None, None] + 1 - distance).clamp(0, 1).mean(1)
    return kernel / kernel.sum((1, 2), keepdim=True)


def gaussian(sigma_x: Tensor, sigma_y: Tensor, angle: Tensor, half: int) -> Tensor:
    """Rotated Gaussian kernels (B, k, k), k = 2 half + 1, of spreads (B,) in pixels, each summing to 1."""
    axis = torch.arange(-half, half + 1.0, device=angle.device)
    y, x = axis[None, :, None], axis[None, None, :]
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    u, v = cos * x + sin * y, cos * y - sin * x
    kernel = torch.exp(
        -0.5 * ((u / sigma_x[:, None, None]) ** 2 + (v / sigma_y[:, None, None]) ** 2)
    )
    return kernel / kernel.sum((1, 2), keepdim=True)


def sinc(cutoff: Tensor, half: int) -> Tensor:
    """Kernels (B, k, k), k = 2 half + 1, that pass waves of up to cutoff (B,) radians a pixel, and ring at edges.

    k(r) = cutoff J1(cutoff r) / (2 pi r), the circular low-pass filter, cutoff^2 / 4 pi at r = 0; each sums to 1.
    Source: Real-ESRGAN (2107.10833), section 3.3.
    """
    axis = torch.arange(-half, half + 1.0, device=cutoff.device)
    r, c = torch.hypot(axis[:, None], axis), cutoff[:, None, None]
    kernel = torch.where(
        r > 0,
        c * torch.special.bessel_j1(c * r) / (2 * torch.pi * r.clamp(min=1)),
        c**2 / (4 * torch.pi),
    )
    return kernel / kernel.sum((1, 2), keepdim=True)


def blur(x: Tensor, kernels: Tensor) -> Tensor:
    """Each picture with its own kernel, mirrored at the border: (B, C, h, w), (B, k, k) -> (B, C, h, w)."""
    half = kernels.shape[-1] // 2
    x = pad(x, (half,) * 4, mode="reflect").transpose(
        0, 1
    )  # a group a picture: (C, B, h + 2 half, w + 2 half)
    return conv2d(x, kernels[:, None], groups=len(kernels)).transpose(0, 1)


def _weight(kernel: Tensor, t: Tensor) -> Tensor:
    """The filters of KERNELS at distance t, in units of the coarser grid's pixel."""
    t = t.abs()
    box = (t <= 0.5).float()
    triangle = (1 - t).clamp(min=0)
    near, far = ((1.5 * t - 2.5) * t) * t + 1, ((-0.5 * t + 2.5) * t - 4) * t + 2
    cubic = torch.where(t < 1, near, torch.where(t < 2, far, torch.zeros_like(t)))
    lanczos = torch.sinc(t) * torch.sinc(t / 3) * (t < 3)
    return torch.where(
        kernel == 0,
        box,
        torch.where(kernel == 1, triangle, torch.where(kernel == 2, cubic, lanczos)),
    )


def resampling(n_in: Tensor, n_out: Tensor, kernel: Tensor, rows: int, columns: int) -> Tensor:
    """Antialiased resampling as matrices (B, rows, columns): n_in[b] pixels to n_out[b] by filter KERNELS[kernel[b]].

    W[i, j] ~ K((j + 1/2 - (i + 1/2) n_in / n_out) / max(1, n_in / n_out)), rows summing to 1,
    zero beyond the two sizes. Source: the rule of Pillow.
    """
    i = torch.arange(rows, device=n_in.device)[None, :, None]
    j = torch.arange(columns, device=n_in.device)[None, None, :]
    n_in, n_out, kernel = n_in[:, None, None], n_out[:, None, None], kernel[:, None, None]
    ratio = n_in / n_out
    w = (
        _weight(kernel, (j + 0.5 - (i + 0.5) * ratio) / ratio.clamp(min=1))
        * (j < n_in)
        * (i < n_out)
    )
    return w / torch.where(w.sum(2, keepdim=True) == 0, 1, w.sum(2, keepdim=True))


def integration(n_in: int, n_out: Tensor, rows: int) -> Tensor:
    """Matrices (B, rows, n_in): the share of each of n_in pixels of light that falls on each of n_out[b] photosites."""
    edge = torch.arange(rows + 1, device=n_out.device)[None, :, None] * (
        n_in / n_out[:, None, None]
    )
    j = torch.arange(n_in, device=n_out.device)
    covered = (torch.minimum(edge[:, 1:], j + 1.0) - torch.maximum(edge[:, :-1], j + 0.0)).clamp(
        min=0
    )
    return covered * n_out[:, None, None] / n_in


def apply(matrix: Tensor, x: Tensor) -> Tensor:
    """The same matrix down the rows and along the columns of each picture: W x W^T, (B, m, n), (B, C, n, n)."""
    return matrix[:, None] @ x @ matrix[:, None].transpose(2, 3)


def tone(v: Tensor, contrast: Tensor) -> Tensor:
    """A curve through (0, 0), (1/2, 1/2), (1, 1) of slope c at the middle: v^c / (v^c + (1 - v)^c)."""
    a, b = v.clamp(1e-4, 1 - 1e-4) ** contrast, (1 - v.clamp(1e-4, 1 - 1e-4)) ** contrast
    return a / (a + b)
