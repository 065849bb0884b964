"""What a degradation does to pictures: spectrum, blur, noise, colour, diversity, and whether a classifier can tell.

Pictures come in [-1, 1] as everywhere; levels, noise and spreads come out in units of full scale (0 black, 1 white),
widths in pixels of `hi`, colour in stops (factors of two of linear light). Every estimator is tested on pictures whose
degradation is exactly known.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import unfold

from .apply import new_z
from .config import RunConfig
from .degrade import apply, srgb_decode
from .errors import HLError
from .networks import HighToLow
from .stages import resolve_degradation
from .tasks import Degradation
from .two_sample import TwoSample, two_sample, wilson

__all__ = ["BlurFit", "Curve", "Diversity", "Kernel", "TwoSample", "blur_fit", "colour_gains", "colour_shift",
           "diversity", "effective_kernel", "noise_curve", "over_shots", "power_spectrum", "probe_kernel", "shots",
           "statistics", "two_sample", "wilson"]
WIDTHS = tuple(0.8 * 1.12 ** i for i in range(20))   # 0.8 to 6.9 pixels of hi: the blurs that blur_fit tries


def _check(name: str, x: Tensor, shape: str = "(B, 3, s, s)", remedy: str = "take it from FaceSet.batch") -> None:
    if x.ndim != shape.count(",") + 1 or x.shape[-3] != 3 or x.shape[-1] != x.shape[-2] or not x.is_floating_point():
        raise HLError(f"{name} must be float {shape} in [-1, 1], got {x.dtype} {tuple(x.shape)}: {remedy}")


def _level(x: Tensor) -> Tensor:
    """[-1, 1] on any device to full scale 1 on the CPU, where everything is measured in float64."""
    return (x.detach().cpu().double() + 1) / 2


def _check_pair(hi: Tensor, lo: Tensor) -> int:
    """The ratio of the two sizes, or HLError."""
    _check("hi", hi)
    _check("lo", lo)
    if len(hi) != len(lo) or hi.shape[-1] % lo.shape[-1] or hi.shape[-1] == lo.shape[-1]:
        raise HLError(f"hi and lo must show the same faces, hi a whole multiple larger, got {tuple(hi.shape)} and "
                      f"{tuple(lo.shape)}: take both sides of the same Pairs")
    return hi.shape[-1] // lo.shape[-1]


@torch.no_grad()
def shots(degradation: str | Degradation | HighToLow, hi: Tensor, n: int = 1, seed: int = 0) -> Tensor:
    """n poor pictures of each face: (B, 3, N, N) in [-1, 1] -> (n, B, 3, s, s), the same for the same seed.

    degradation: as in `hl.train` ("learned:W", "bilinear", "bicubic", "blur", "handmade", "camera", a function
    (hi, generator) -> lo), or an H2L network. A learned one draws a new z, the camera new parameters for each.
    """
    _check("hi", hi)
    if isinstance(degradation, nn.Module):
        h2l = degradation.to(hi.device).eval()
        make = lambda part, generator: h2l(part, new_z(h2l, len(part), generator))      # noqa: E731
    else:
        make = resolve_degradation(degradation, RunConfig(size_hi=hi.shape[-1]), hi.device)
    generator = torch.Generator(hi.device).manual_seed(seed)
    return torch.stack([torch.cat([make(part, generator) for part in hi.split(64)]) for _ in range(n)])


# ---- spectrum ------------------------------------------------------------------------------------------------------
class Curve(NamedTuple):
    """y over x, each (bins,), and how many values went into each bin; y is NaN where there were too few."""

    x: Tensor
    y: Tensor
    n: Tensor


def power_spectrum(pictures: Tensor) -> Curve:
    """Power over spatial frequency, averaged over pictures, channels and directions.

    P(f) = mean over rings |f| of |FFT(w (v - v_mean))|^2 / sum(w^2), w a Hann window: white noise of spread sigma gives
    sigma^2, but on the first ring, a quarter of which leaves with the mean. (B, 3, s, s) -> x in cycles per pixel (1/s
    to 1/2), y in full scale squared.
    """
    _check("pictures", pictures)
    power = _spectra(_level(pictures))
    ring, n = _rings(pictures.shape[-1])
    x = torch.arange(1, len(n) + 1) / pictures.shape[-1]
    return Curve(x, (power.mean((0, 1)).flatten() @ ring) / n, n * power[:, :, 0, 0].numel())


def _spectra(v: Tensor) -> Tensor:
    """|FFT|^2 of windowed pictures less their (windowed) mean, normalised so that white noise keeps its variance."""
    s = v.shape[-1]
    window = torch.hann_window(s + 2, periodic=False, dtype=v.dtype, device=v.device)[1:-1]
    window = window[:, None] * window
    mean = (window * v).sum((-2, -1), keepdim=True) / window.sum()
    return torch.fft.fft2(window * (v - mean)).abs() ** 2 / (window ** 2).sum()


def _rings(s: int) -> tuple[Tensor, Tensor]:
    """Which FFT coefficient lies on which ring 1 .. s/2 (s * s, s/2) and how many lie on each."""
    f = torch.fft.fftfreq(s, 1 / s)
    radius = torch.hypot(f[:, None], f).round().flatten()
    ring = (radius[:, None] == torch.arange(1, s // 2 + 1)).double()
    return ring, ring.sum(0)


# ---- blur ----------------------------------------------------------------------------------------------------------
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
    fits = [_tone_fit(_gaussian_reduce(sharp, sigma, lo.shape[-1]).flatten(2), y) for sigma in WIDTHS]
    errors = torch.stack([((y - fit) ** 2).sum((1, 2)) for fit in fits], 1)                       # (B, widths)
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
    basis = torch.stack((torch.ones_like(x), x, x ** 2), -1)                                      # (B, 3, pixels, 3)
    gram = basis.mT @ basis + 1e-6 * torch.eye(3, dtype=x.dtype)
    return (basis @ torch.linalg.solve(gram, basis.mT @ y[..., None]))[..., 0]


def _best_width(errors: Tensor) -> Tensor:
    """From (B, widths) the lowest point of the parabola through the best of WIDTHS and its neighbours, in log width."""
    best = errors.argmin(1)
    i = best.clamp(1, len(WIDTHS) - 2)
    left, mid, right = (errors.gather(1, (i + k)[:, None])[:, 0] for k in (-1, 0, 1))
    bend = left - 2 * mid + right
    shift = torch.where(bend > 0, 0.5 * (left - right) / bend.clamp(min=1e-12), best - i).clamp(-1, 1)
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


def probe_kernel(degradation: str | Degradation | HighToLow, hi: Tensor, seed: int = 0, reach: int = 2,
                 amplitude: float = 0.1) -> Kernel:
    """The mean impulse response around real pictures, measured with white noise n of the given amplitude (of 2).

    Regresses (D(hi + n) - D(hi - n)) / 2, D with the same random numbers on both sides, on n: unlike in
    `effective_kernel` the probe holds every frequency equally. Both inputs are clipped to [-1, 1], n being what is left
    of it. Needs the degradation, not only its pictures.
    """
    noise = amplitude * torch.randn(len(hi), 1, *hi.shape[2:], generator=torch.Generator().manual_seed(seed))
    probes = [(hi + sign * noise.to(hi)).clamp(-1, 1) for sign in (1, -1)]
    plus, minus = (shots(degradation, probe, seed=seed + 1)[0] for probe in probes)
    put_in, change = ((_level(a) - _level(b)).mean(1, keepdim=True) for a, b in (probes, (plus, minus)))
    return _kernel(put_in, change, _check_pair(hi, plus), reach, ridge=1e-3)


def _kernel(x: Tensor, y: Tensor, ratio: int, reach: int, ridge: float) -> Kernel:
    side = ratio * (2 * reach + 1)
    if side > x.shape[-1] or reach < 1:
        raise HLError(f"reach must be 1 or more and leave pixels inside the picture, got {reach}")
    x, y = (v - v.mean((2, 3), keepdim=True) for v in (x, y))
    a = torch.zeros(side ** 2, side ** 2, dtype=x.dtype)
    b = a[0].clone()
    for part, target in zip(x.split(32), y[:, :, reach:-reach, reach:-reach].split(32), strict=True):
        windows = unfold(part, side, stride=ratio).transpose(1, 2).flatten(0, 1)
        a += windows.T @ windows
        b += windows.T @ target.flatten()
    line = 2 * torch.eye(side) - torch.diag(torch.ones(side - 1), 1) - torch.diag(torch.ones(side - 1), -1)
    laplacian = (torch.kron(line, torch.eye(side)) + torch.kron(torch.eye(side), line)).to(a)
    taps = torch.linalg.solve(a + ridge * a.trace() / side ** 2 * laplacian.T @ laplacian, b).reshape(side, side)
    gain = taps.sum().item()
    return Kernel(taps / gain, gain, *_widths(taps / gain))


def _widths(taps: Tensor) -> tuple[float, float]:
    """Width and moment, see Kernel; the Gaussian sits at the middle of the taps."""
    u = torch.arange(len(taps)).to(taps) - (len(taps) - 1) / 2
    gauss = torch.exp(-0.5 * (u / torch.tensor(WIDTHS).to(taps)[:, None]) ** 2)
    overlap = torch.einsum("wi,wj,ij->w", gauss, gauss, taps) / (gauss ** 2).sum(1)               # <g, k> / |g|
    spreads = [(m * u ** 2).sum() - (m * u).sum() ** 2 for m in (taps.sum(0), taps.sum(1))]
    return _best_width(-overlap[None] ** 2).item(), math.sqrt(max(0.0, (sum(spreads) / 2).item()))


# ---- noise, colour, diversity --------------------------------------------------------------------------------------
def noise_curve(level: Tensor, deviation: Tensor, n_bins: int = 8, at_least: int = 100) -> Curve:
    """Noise level over brightness: the root mean square of `deviation` where `level` falls into each of n_bins.

    Both of one shape, full scale 1: fitted and residual of `blur_fit`, or the two parts of `over_shots`. x: the
    mean level in each bin of [0, 1].
    """
    if level.shape != deviation.shape:
        raise HLError(f"level and deviation must have one shape, got {tuple(level.shape)} and {tuple(deviation.shape)}")
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
    _check("los", los, "(n, B, 3, s, s)", "make it with analysis.shots")
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
    return Diversity(*((part ** 2).mean().sqrt().item() for part in (d, colour, d - colour)))


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


def statistics(lo: Tensor) -> Tensor:
    """Numbers one can name, for `two_sample`: mean and spread of Y, Cb, Cr, and the log spectrum of each.

    (B, 3, s, s) in [-1, 1] -> (B, 6 + 3 s/2) float64.
    """
    _check("lo", lo)
    r, g, b = _level(lo).unbind(1)
    y = 0.299 * r + 0.587 * g + 0.114 * b
    v = torch.stack((y, 0.564 * (b - y), 0.713 * (r - y)), 1)
    ring, n = _rings(lo.shape[-1])
    spectrum = _spectra(v).flatten(2) @ ring / n
    return torch.cat((v.mean((2, 3)), v.std((2, 3)), torch.log(spectrum + 1e-7).flatten(1)), 1)
