"""How wide a degradation blurs: the Gaussian of each pair, and the mean kernel of a set.

Widths are in pixels of `hi`. Every estimator is tested on pictures whose degradation is exactly known.
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
from ..networks.paper import HighToLow
from .spectrum import _check_pair, _level

WIDTHS = tuple(
    0.8 * 1.12**i for i in range(20)
)  # 0.8 to 6.9 pixels of hi: the blurs that blur_fit tries


class BlurFit(NamedTuple):
    """For each pair: blur width (B,) in pixels of hi, fitted picture and residual (B, 3, s, s), full scale 1."""

    width: Tensor
    fitted: Tensor
    residual: Tensor


def blur_fit(hi: Tensor, lo: Tensor) -> BlurFit:
    """The Gaussian blur and tone curve of each pair that explain `lo` best.

    lo_c = a_c + b_c x_c + c_c x_c^2 + residual, x = hi blurred by width sigma and sampled at the pixel centres of lo;
    a, b, c for each picture and channel by least squares, sigma shared by the channels, the best of WIDTHS refined by a
    parabola. The residual is scaled for the fitted numbers: its mean square is the noise variance, JPEG and aliasing
    counted as noise. Motion blur counts as the round blur nearest to it. Source: ours.
    """
    _check_pair(hi, lo)
    sharp, y = _level(hi), _level(lo).flatten(2)
    fits = [
        _tone_fit(_gaussian_reduce(sharp, sigma, lo.shape[-1]).flatten(2), y) for sigma in WIDTHS
    ]
    errors = torch.stack([((y - fit) ** 2).sum((1, 2)) for fit in fits], 1)  # (B, widths)
    fitted = torch.stack(fits, 1)[torch.arange(len(y)), errors.argmin(1)]
    residual = (y - fitted) * math.sqrt(y.shape[2] / (y.shape[2] - 3 - 1 / 3))
    return BlurFit(_best_width(errors), fitted.reshape(lo.shape), residual.reshape(lo.shape))


def _gaussian_reduce(x: Tensor, sigma: float, size: int) -> Tensor:
    """W x W^T, W[i, j] ~ exp(-d^2 / 2 sigma^2), d from pixel j of x to the centre of pixel i of the small picture."""
    n = x.shape[-1]
    d = torch.arange(n) + 0.5 - (torch.arange(size)[:, None] + 0.5) * n / size
    w = torch.exp(-0.5 * (d.to(x) / sigma) ** 2)
    return apply((w / w.sum(1, keepdim=True))[None], x)


def _tone_fit(x: Tensor, y: Tensor) -> Tensor:
    """The least-squares parabola of y over x for each picture and channel, (B, 3, pixels) each, a little damped."""
    x = x - x.mean(-1, keepdim=True)
    basis = torch.stack((torch.ones_like(x), x, x**2), -1)  # (B, 3, pixels, 3)
    gram = basis.mT @ basis + 1e-6 * torch.eye(3, dtype=x.dtype)
    return (basis @ torch.linalg.solve(gram, basis.mT @ y[..., None]))[..., 0]


def _best_width(errors: Tensor) -> Tensor:
    """From (B, widths) the lowest point of the parabola through the best of WIDTHS and its neighbours, in log width."""
    best = errors.argmin(1)
    i = best.clamp(1, len(WIDTHS) - 2)
    left, mid, right = (errors.gather(1, (i + k)[:, None])[:, 0] for k in (-1, 0, 1))
    bend = left - 2 * mid + right
    shift = torch.where(bend > 0, 0.5 * (left - right) / bend.clamp(min=1e-12), best - i).clamp(
        -1, 1
    )
    return WIDTHS[0] * (WIDTHS[1] / WIDTHS[0]) ** (i + shift)


class Kernel(NamedTuple):
    """Taps (k, k) of sum 1 on the pixels of hi, their sum before (gain), and two widths in pixels of hi.

    width: of the Gaussian nearest to the taps. moment: sqrt(sum k |u - centre|^2 / 2), 0 for a cubic kernel's lobes.
    """

    taps: Tensor
    gain: float
    width: float
    moment: float


def effective_kernel(hi: Tensor, lo: Tensor, reach: int = 2, ridge: float = 1e-4) -> Kernel:
    """The one kernel that takes a set of sharp pictures to their poor ones, by regularised least squares.

    k = argmin sum (lo[i] - lo_mean - sum_u k[u] (hi[r i + u] - hi_mean))^2 + ridge trace(A) / taps |laplacian k|^2 on
    grey pictures, u over `reach` pixels of lo around, A the normal matrix. Pictures that differ in blur give their mean
    kernel. Source: ours.
    """
    ratio = _check_pair(hi, lo)
    return _kernel(*(_level(x).mean(1, keepdim=True) for x in (hi, lo)), ratio, reach, ridge)


def probe_kernel(
    degradation: str | Degradation | HighToLow,
    hi: Tensor,
    seed: int = 0,
    reach: int = 2,
    amplitude: float = 0.1,
) -> Kernel:
    """The mean impulse response around real pictures, measured with white noise n of the given amplitude (of 2).

    Regresses (D(hi + n) - D(hi - n)) / 2, D with the same random numbers on both sides, on n: unlike in
    `effective_kernel` the probe holds every frequency equally. Both inputs are clipped to [-1, 1], n being what is left
    of it. Needs the degradation, not only its pictures.
    """
    noise = amplitude * torch.randn(
        len(hi), 1, *hi.shape[2:], generator=torch.Generator().manual_seed(seed)
    )
    probes = [(hi + sign * noise.to(hi)).clamp(-1, 1) for sign in (1, -1)]
    plus, minus = (shots(degradation, probe, seed=seed + 1)[0] for probe in probes)
    put_in, change = (
        (_level(a) - _level(b)).mean(1, keepdim=True) for a, b in (probes, (plus, minus))
    )
    return _kernel(put_in, change, _check_pair(hi, plus), reach, ridge=1e-3)


def _kernel(x: Tensor, y: Tensor, ratio: int, reach: int, ridge: float) -> Kernel:
    side = ratio * (2 * reach + 1)
    if side > x.shape[-1] or reach < 1:
        raise HLError(f"reach must be 1 or more and leave pixels inside the picture, got {reach}")
    x, y = (v - v.mean((2, 3), keepdim=True) for v in (x, y))
    a = torch.zeros(side**2, side**2, dtype=x.dtype)
    b = a[0].clone()
    for part, target in zip(
        x.split(32), y[:, :, reach:-reach, reach:-reach].split(32), strict=True
    ):
        windows = unfold(part, side, stride=ratio).transpose(1, 2).flatten(0, 1)
        a += windows.T @ windows
        b += windows.T @ target.flatten()
    line = (
        2 * torch.eye(side)
        - torch.diag(torch.ones(side - 1), 1)
        - torch.diag(torch.ones(side - 1), -1)
    )
    laplacian = (torch.kron(line, torch.eye(side)) + torch.kron(torch.eye(side), line)).to(a)
    taps = torch.linalg.solve(a + ridge * a.trace() / side**2 * laplacian.T @ laplacian, b).reshape(
        side, side
    )
    gain = taps.sum().item()
    return Kernel(taps / gain, gain, *_widths(taps / gain))


def _widths(taps: Tensor) -> tuple[float, float]:
    """Width and moment, see Kernel; the Gaussian sits at the middle of the taps."""
    u = torch.arange(len(taps)).to(taps) - (len(taps) - 1) / 2
    gauss = torch.exp(-0.5 * (u / torch.tensor(WIDTHS).to(taps)[:, None]) ** 2)
    overlap = torch.einsum("wi,wj,ij->w", gauss, gauss, taps) / (gauss**2).sum(1)  # <g, k> / |g|
    spreads = [(m * u**2).sum() - (m * u).sum() ** 2 for m in (taps.sum(0), taps.sum(1))]
    return _best_width(-(overlap[None] ** 2)).item(), math.sqrt(max(0.0, (sum(spreads) / 2).item()))
