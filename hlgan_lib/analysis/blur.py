"""How wide a degradation blurs: the Gaussian of each pair, and the mean blur kernel of a set.

Widths are in pixels of `hi`. Every estimator is tested on pictures whose degradation is known.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import unfold

from ..degradations import Degradation
from ..degradations.optics import apply
from ..errors import HLError
from ..inference import shots
from ..networks import H2L
from ..rng import seeded
from .spectrum import full_scale, size_ratio

# The blurs that blur_fit tries: 0.8 to 6.9 pixels of hi.
WIDTHS = tuple(0.8 * 1.12**i for i in range(20))


class BlurFit(NamedTuple):
    """For each pair: blur width (B,) in pixels of hi, fitted picture and residual (B, 3, s, s).

    Fitted and residual are in units of full scale.
    """

    width: Tensor
    fitted: Tensor
    residual: Tensor


def blur_fit(hi: Tensor, lo: Tensor) -> BlurFit:
    """The Gaussian blur and tone curve of each pair that explain `lo` best.

        lo_c = a_c + b_c x_c + c_c x_c^2 + residual

    x is hi blurred by a Gaussian of width sigma and sampled at the pixel centres of lo. a, b, c are
    fitted for each picture and channel by least squares; sigma, shared by the channels, is the best
    of WIDTHS, refined by a parabola. The residual is scaled for the fitted numbers: its mean square
    is the noise variance, JPEG and aliasing counted as noise. Motion blur counts as the round blur
    nearest to it. Source: ours.

    Args:
        hi: HR pictures (B, 3, S, S) in [-1, 1].
        lo: their LR pictures (B, 3, s, s) in [-1, 1], S a whole multiple of s.

    Returns:
        Width, fitted picture and residual of each pair.

    Raises:
        HLError: for sets that are no pairs.
    """
    size_ratio(hi, lo)
    x, y = full_scale(hi), full_scale(lo).flatten(2)
    fits = []
    for sigma in WIDTHS:
        blurred = _gaussian_reduce(x, sigma, lo.shape[-1]).flatten(2)
        fits.append(_tone_fit(blurred, y))
    errors = torch.stack([((y - fit) ** 2).sum((1, 2)) for fit in fits], 1)  # (B, widths)
    fitted = torch.stack(fits, 1)[torch.arange(len(y)), errors.argmin(1)]
    # 3 fitted numbers a channel, and a third of sigma.
    n = y.shape[2]
    residual = (y - fitted) * math.sqrt(n / (n - 3 - 1 / 3))
    return BlurFit(_best_width(errors), fitted.reshape(lo.shape), residual.reshape(lo.shape))


def _gaussian_reduce(x: Tensor, sigma: float, size: int) -> Tensor:
    """W x W^T, W[i, j] ~ exp(-d^2 / 2 sigma^2), d from pixel j of x to the centre of i of lo."""
    n = x.shape[-1]
    d = torch.arange(n) + 0.5 - (torch.arange(size)[:, None] + 0.5) * n / size
    w = torch.exp(-0.5 * (d.to(x) / sigma) ** 2)
    return apply((w / w.sum(1, keepdim=True))[None], x)


def _tone_fit(x: Tensor, y: Tensor) -> Tensor:
    """The least-squares parabola of y over x, a little damped: (B, 3, pixels) each."""
    x = x - x.mean(-1, keepdim=True)
    basis = torch.stack((torch.ones_like(x), x, x**2), -1)  # (B, 3, pixels, 3)
    gram = basis.mT @ basis + 1e-6 * torch.eye(3, dtype=x.dtype)
    return (basis @ torch.linalg.solve(gram, basis.mT @ y[..., None]))[..., 0]


def _best_width(errors: Tensor) -> Tensor:
    """The width of lowest error, (B, widths) -> (B,).

    The lowest point of the parabola through the best of WIDTHS and its neighbours, in log width.
    """
    best = errors.argmin(1)
    i = best.clamp(1, len(WIDTHS) - 2)
    left, mid, right = (errors.gather(1, (i + k)[:, None])[:, 0] for k in (-1, 0, 1))
    bend = left - 2 * mid + right
    lowest = 0.5 * (left - right) / bend.clamp(min=1e-12)
    shift = torch.where(bend > 0, lowest, best - i).clamp(-1, 1)
    return WIDTHS[0] * (WIDTHS[1] / WIDTHS[0]) ** (i + shift)


class Kernel(NamedTuple):
    """A blur kernel on the pixels of hi.

    Attributes:
        taps: (k, k) of sum 1.
        gain: their sum before.
        width: of the Gaussian nearest to the taps, pixels of hi.
        moment: sqrt(sum k |u - centre|^2 / 2), pixels of hi; 0 for a cubic kernel's lobes.
    """

    taps: Tensor
    gain: float
    width: float
    moment: float


def effective_kernel(hi: Tensor, lo: Tensor, reach: int = 2, ridge: float = 1e-4) -> Kernel:
    """The one kernel that takes HR pictures to their LR ones, by regularised least squares.

        k = argmin sum (lo[i] - lo_mean - sum_u k[u] (hi[r i + u] - hi_mean))^2
                   + ridge trace(A) / taps |laplacian k|^2

    on grey pictures, A the normal matrix. Pictures that differ in blur give their mean kernel.
    Source: ours.

    Args:
        hi: HR pictures (B, 3, S, S) in [-1, 1].
        lo: their LR pictures (B, 3, s, s) in [-1, 1].
        reach: u goes over so many pixels of lo around.
        ridge: weight of the smoothness.

    Returns:
        The kernel.

    Raises:
        HLError: for sets that are no pairs, and a reach that leaves no pixel.
    """
    ratio = size_ratio(hi, lo)
    return _kernel(_grey(full_scale(hi)), _grey(full_scale(lo)), ratio, reach, ridge)


def probe_kernel(
    degradation: str | Degradation | H2L,
    hi: Tensor,
    seed: int = 0,
    reach: int = 2,
    amplitude: float = 0.1,
) -> Kernel:
    """The mean impulse response of a degradation around real pictures, by white noise n.

    Regresses (D(hi + n) - D(hi - n)) / 2, D with the same random numbers on both sides, on n:
    unlike in `effective_kernel` the probe holds every frequency equally. Both inputs are clipped
    to [-1, 1], n being what is left of it. Needs the degradation, not only its pictures.

    Args:
        degradation: as in `inference.shots`.
        hi: HR pictures (B, 3, S, S) in [-1, 1].
        seed: of the noise and of the degradation.
        reach: as in `effective_kernel`.
        amplitude: standard deviation of the noise, of a range of 2.

    Returns:
        The kernel.

    Raises:
        HLError: as `effective_kernel`.
    """
    generator = seeded(seed)
    noise = amplitude * torch.randn(len(hi), 1, *hi.shape[2:], generator=generator).to(hi)
    above, below = (hi + noise).clamp(-1, 1), (hi - noise).clamp(-1, 1)
    lo_above = shots(degradation, above, seed=seed + 1)[0]
    lo_below = shots(degradation, below, seed=seed + 1)[0]
    put_in = _grey(full_scale(above) - full_scale(below))
    change = _grey(full_scale(lo_above) - full_scale(lo_below))
    return _kernel(put_in, change, size_ratio(hi, lo_above), reach, ridge=1e-3)


def _grey(x: Tensor) -> Tensor:
    return x.mean(1, keepdim=True)


def _kernel(x: Tensor, y: Tensor, ratio: int, reach: int, ridge: float) -> Kernel:
    side = ratio * (2 * reach + 1)
    if side > x.shape[-1] or reach < 1:
        raise HLError(
            f"reach must be 1 or more and leave pixels inside the picture, got {reach}: "
            "leave it out"
        )
    x = x - x.mean((2, 3), keepdim=True)
    y = y - y.mean((2, 3), keepdim=True)

    # The normal equations A k = b, summed over parts of the set.
    a = torch.zeros(side**2, side**2, dtype=x.dtype)
    b = torch.zeros(side**2, dtype=x.dtype)
    inside = y[:, :, reach:-reach, reach:-reach]
    for part, target in zip(x.split(32), inside.split(32), strict=True):
        windows = unfold(part, side, stride=ratio).transpose(1, 2).flatten(0, 1)
        a += windows.T @ windows
        b += windows.T @ target.flatten()

    # A smooth kernel is preferred: |laplacian k|^2.
    one = torch.eye(side)
    beside = torch.diag(torch.ones(side - 1), 1)
    line = 2 * one - beside - beside.T
    laplacian = (torch.kron(line, one) + torch.kron(one, line)).to(a)
    smooth = ridge * a.trace() / side**2 * laplacian.T @ laplacian
    taps = torch.linalg.solve(a + smooth, b).reshape(side, side)
    gain = taps.sum().item()
    width, moment = _widths(taps / gain)
    return Kernel(taps / gain, gain, width, moment)


def _widths(taps: Tensor) -> tuple[float, float]:
    """Width and moment, see Kernel; the Gaussian sits at the middle of the taps."""
    u = torch.arange(len(taps)).to(taps) - (len(taps) - 1) / 2
    gauss = torch.exp(-0.5 * (u / torch.tensor(WIDTHS).to(taps)[:, None]) ** 2)
    overlap = torch.einsum("wi,wj,ij->w", gauss, gauss, taps) / (gauss**2).sum(1)  # <g, k> / |g|
    width = _best_width(-(overlap[None] ** 2)).item()
    across, down = (_variance(taps.sum(axis), u) for axis in (0, 1))
    return width, math.sqrt(max(0.0, ((across + down) / 2).item()))


def _variance(weights: Tensor, u: Tensor) -> Tensor:
    return (weights * u**2).sum() - (weights * u).sum() ** 2
