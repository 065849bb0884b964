"""What happens to light and pixels, each image with numbers of its own: tone, blur, resampling.

Blur and integration are linear in light, not in the values of a file, which follow the
sRGB curve.
Everything here is batched and differentiable, so a camera can be simulated and learned with it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad, unfold
from torch.nn.grad import conv2d_input

# The numbers 0..3 that `resampling` and Shot.params take.
KERNELS = ("box", "bilinear", "bicubic", "lanczos")


# ---- tone ----------------------------------------------------------------------------------------
def srgb_decode(v: Tensor) -> Tensor:
    """From sRGB values to linear light: v / 12.92 up to 0.04045, else ((v + 0.055) / 1.055)^2.4.

    Args:
        v: any shape, in [0, 1].

    Returns:
        The same shape, in [0, 1].

    Source: IEC 61966-2-1.
    """
    return torch.where(v <= 0.04045, v / 12.92, ((v.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4)


def light_in_stops(x: Tensor) -> Tensor:
    """The mean light of pictures and its colour.

    Args:
        x: (B, 3, s, s) in [-1, 1].

    Returns:
        (B, 3) in stops: light, warmth (red over blue, halved), tint (green over both).
    """
    stops = srgb_decode((x + 1) / 2).mean((2, 3)).add(1e-3).log2()
    red, green, blue = stops.unbind(1)
    return torch.stack([stops.mean(1), (red - blue) / 2, green - (red + blue) / 2], 1)


def srgb_encode(x: Tensor) -> Tensor:
    """From linear light to sRGB values: 12.92 x up to 0.0031308, else 1.055 x^(1/2.4) - 0.055.

    Args:
        x: any shape, in [0, 1].

    Returns:
        The same shape, in [0, 1]; the inverse of `srgb_decode`.

    Source: IEC 61966-2-1.
    """
    bright = 1.055 * x.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(x <= 0.0031308, x * 12.92, bright)


def tone(v: Tensor, contrast: Tensor) -> Tensor:
    """A curve through (0, 0), (1/2, 1/2), (1, 1) of slope c at the middle: v^c / (v^c + (1 - v)^c).

    Args:
        v: any shape, in [0, 1].
        contrast: c, of a shape that broadcasts with v; 1 changes nothing, more is steeper.

    Returns:
        The shape of v, in [0, 1].
    """
    v = v.clamp(1e-4, 1 - 1e-4)
    a, b = v**contrast, (1 - v) ** contrast
    return a / (a + b)


# ---- blur ----------------------------------------------------------------------------------------
def psf(motion_px: Tensor, angle: Tensor, defocus_px: Tensor, half: int) -> Tensor:
    """The point spread function of a defocused, moving camera: a disc dragged along a line.

    k(x) = mean over t in [-1/2, 1/2] of disc_r(x - t L u);   disc_r(x) = clip(r + 1 - |x|, 0, 1)

    The disc has a soft rim and is a single pixel at r = 0.

    Args:
        motion_px: L, the length of the line, (B,), pixels.
        angle: of its direction u, (B,), radians from the rows, downwards.
        defocus_px: r, the disc's radius, (B,), pixels.
        half: half of the kernel's side, pixels.

    Returns:
        (B, k, k), k = 2 half + 1, each summing to 1.

    Source: ours.
    """
    axis = torch.arange(-half, half + 1.0, device=angle.device)
    t = torch.linspace(-0.5, 0.5, 13, device=angle.device) * motion_px[:, None]  # (B, 13)
    dy = axis - (t * angle.sin()[:, None])[..., None]  # (B, 13, k)
    dx = axis - (t * angle.cos()[:, None])[..., None]
    distance = torch.sqrt(dy[..., :, None] ** 2 + dx[..., None, :] ** 2)  # (B, 13, k, k)
    kernel = (defocus_px[:, None, None, None] + 1 - distance).clamp(0, 1).mean(1)
    return kernel / kernel.sum((1, 2), keepdim=True)


def gaussian(sigma_x: Tensor, sigma_y: Tensor, angle: Tensor, half: int) -> Tensor:
    """Rotated Gaussian blur kernels: k(x) ~ exp(-(u^2 / sigma_x^2 + v^2 / sigma_y^2) / 2).

    Args:
        sigma_x: standard deviation along u, (B,), pixels.
        sigma_y: standard deviation along v, across u, (B,), pixels.
        angle: of u, (B,), radians from the rows, downwards.
        half: half of the kernel's side, pixels.

    Returns:
        (B, k, k), k = 2 half + 1, each summing to 1.
    """
    axis = torch.arange(-half, half + 1.0, device=angle.device)
    y, x = axis[None, :, None], axis[None, None, :]
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    u, v = cos * x + sin * y, cos * y - sin * x
    across, along = v / sigma_y[:, None, None], u / sigma_x[:, None, None]
    kernel = torch.exp(-0.5 * (along**2 + across**2))
    return kernel / kernel.sum((1, 2), keepdim=True)


def sinc(cutoff: Tensor, half: int) -> Tensor:
    """Kernels that pass waves up to a frequency and ring at edges: the circular low-pass filter.

    k(r) = cutoff J1(cutoff r) / (2 pi r), and cutoff^2 / (4 pi) at r = 0

    Args:
        cutoff: the highest frequency that passes, (B,), radians a pixel.
        half: half of the kernel's side, pixels.

    Returns:
        (B, k, k), k = 2 half + 1, each summing to 1.

    Source: Real-ESRGAN (2107.10833), section 3.3.
    """
    axis = torch.arange(-half, half + 1.0, device=cutoff.device)
    r = torch.hypot(axis[:, None], axis)
    c = cutoff[:, None, None]
    away = c * torch.special.bessel_j1(c * r) / (2 * torch.pi * r.clamp(min=1))
    kernel = torch.where(r > 0, away, c**2 / (4 * torch.pi))
    return kernel / kernel.sum((1, 2), keepdim=True)


def blur(x: Tensor, kernels: Tensor) -> Tensor:
    """Convolve each image with its own kernel, mirrored at the border.

    Args:
        x: (B, C, h, w).
        kernels: (B, k, k), k odd.

    Returns:
        (B, C, h, w).
    """
    half = kernels.shape[-1] // 2
    return own_kernels(pad(x, (half,) * 4, mode="reflect"), kernels)


# PyTorch before 2.7 does not tell an export from a compilation: both take the way of an export.
is_exporting = getattr(torch.compiler, "is_exporting", torch.compiler.is_compiling)


def own_kernels(x: Tensor, kernels: Tensor, stride: int = 1) -> Tensor:
    """Convolve each image with its own kernel, without a border.

    Args:
        x: (B, C, h, w).
        kernels: (B, k, k).
        stride: pixels between two places.

    Returns:
        (B, C, (h - k) / stride + 1, (w - k) / stride + 1).
    """
    if is_exporting():
        # As products of patches, slower: in an exported network groups are fixed, and the batch
        # with them.
        k = kernels.shape[-1]
        rows = (x.shape[2] - k) // stride + 1
        patches = unfold(x, k, stride=stride).unflatten(1, (x.shape[1], k * k))
        return (patches * kernels.flatten(1)[:, None, :, None]).sum(2).unflatten(2, (rows, -1))
    return _OwnKernels.apply(x, kernels, stride)


class _OwnKernels(torch.autograd.Function):
    """`own_kernels` with a quick gradient of the kernels.

    dL/dk[b, i, j] = sum over c, y, x of g[b, c, y, x] x[b, c, stride y + i, stride x + j]

    is a convolution of the images with g, spread out by the stride. PyTorch's own way there takes
    nine times as long on a CPU, and was a tenth of an update of the learned camera.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernels: Tensor, stride: int) -> Tensor:
        """A group a picture: with the batch as channels, (C, B, ...), each has its own kernel."""
        ctx.save_for_backward(x, kernels)
        ctx.stride = stride
        y = conv2d(x.transpose(0, 1), kernels[:, None], stride=stride, groups=len(kernels))
        return y.transpose(0, 1)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        """The gradients of the images and of the kernels, where they are wanted."""
        x, kernels = ctx.saved_tensors
        of_x = of_kernels = None
        if ctx.needs_input_grad[0]:
            turned, weight = x.transpose(0, 1), kernels[:, None]
            of_turned = conv2d_input(
                turned.shape, weight, g.transpose(0, 1), ctx.stride, groups=len(kernels)
            )
            of_x = of_turned.transpose(0, 1)
        if ctx.needs_input_grad[1]:
            # A group a channel of a picture.
            images, weight = x.flatten(0, 1)[None], g.flatten(0, 1)[:, None]
            each = conv2d(images, weight, dilation=ctx.stride, groups=len(weight))
            # What the stride left over at the right and below reaches no kernel.
            side = kernels.shape[-1]
            of_kernels = each.view(*x.shape[:2], *each.shape[2:]).sum(1)[:, :side, :side]
        return of_x, of_kernels, None


# ---- resampling ----------------------------------------------------------------------------------
def resampling(n_in: Tensor, n_out: Tensor, kernel: Tensor, rows: int, columns: int) -> Tensor:
    """Antialiased resampling as matrices, for images of different sizes in one batch.

    W[i, j] ~ K((j + 1/2 - (i + 1/2) n_in / n_out) / max(1, n_in / n_out)), each row summing to 1

    Args:
        n_in: pixels before, (B,).
        n_out: pixels after, (B,).
        kernel: which of KERNELS is K, (B,), 0..3.
        rows: of the matrices, at least the largest n_out.
        columns: of the matrices, at least the largest n_in.

    Returns:
        W, (B, rows, columns), zero beyond the two sizes.

    Source: the rule of Pillow.
    """
    i = torch.arange(rows, device=n_in.device)[None, :, None]
    j = torch.arange(columns, device=n_in.device)[None, None, :]
    n_in, n_out, kernel = n_in[:, None, None], n_out[:, None, None], kernel[:, None, None]
    ratio = n_in / n_out
    w = _weight(kernel, (j + 0.5 - (i + 0.5) * ratio) / ratio.clamp(min=1))
    w = w * (j < n_in) * (i < n_out)
    total = w.sum(2, keepdim=True)
    return w / torch.where(total == 0, 1, total)


def _weight(kernel: Tensor, t: Tensor) -> Tensor:
    """The filters of KERNELS at distance t, in units of the coarser grid's pixel."""
    t = t.abs()
    box = (t <= 0.5).float()
    triangle = (1 - t).clamp(min=0)
    near = ((1.5 * t - 2.5) * t) * t + 1
    far = ((-0.5 * t + 2.5) * t - 4) * t + 2
    cubic = torch.where(t < 1, near, torch.where(t < 2, far, torch.zeros_like(t)))
    lanczos = torch.sinc(t) * torch.sinc(t / 3) * (t < 3)
    smooth = torch.where(kernel == 2, cubic, lanczos)
    return torch.where(kernel == 0, box, torch.where(kernel == 1, triangle, smooth))


def integration(n_in: int, n_out: Tensor, rows: int) -> Tensor:
    """The share of each pixel of light that falls on each photosite, as matrices.

    Args:
        n_in: pixels of light.
        n_out: photosites, (B,).
        rows: of the matrices, at least the largest n_out.

    Returns:
        (B, rows, n_in): a row a photosite, summing to 1; zero beyond n_out.
    """
    pitch = n_in / n_out[:, None, None]  # pixels of light a photosite
    edge = torch.arange(rows + 1, device=n_out.device)[None, :, None] * pitch
    j = torch.arange(n_in, device=n_out.device)
    right = torch.minimum(edge[:, 1:], j + 1.0)
    left = torch.maximum(edge[:, :-1], j + 0.0)
    covered = (right - left).clamp(min=0)
    return covered * n_out[:, None, None] / n_in


def apply(matrix: Tensor, x: Tensor) -> Tensor:
    """The same matrix down the rows and along the columns of each image: W x W^T.

    Args:
        matrix: W, (B, m, n).
        x: (B, C, n, n).

    Returns:
        (B, C, m, m).
    """
    return matrix[:, None] @ x @ matrix[:, None].transpose(2, 3)
