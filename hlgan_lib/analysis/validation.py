"""Every estimator on pictures whose degradation is exactly known: true, measured, error.

Nothing here knows how an estimator works: blur is made by `degradations.blur`, JPEG by
`degradations.jpeg`, colour by sums on light.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from ..data.faces import unit_range
from ..degradations.handmade import bilinear, pool
from ..degradations.jpeg import jpeg_inside_photograph
from ..degradations.optics import blur, gaussian, integration, srgb_decode, srgb_encode
from ..errors import HLError
from ..metrics.distances import frechet, kernel_distance
from ..rng import seeded
from .blur import blur_fit, effective_kernel, probe_kernel
from .classifier import two_sample
from .jpeg_traces import SUBSAMPLED, block_step, chroma_detail, jpeg_grid
from .noise_colour import colour_gains, colour_shift, diversity, noise_curve
from .spectrum import power_spectrum
from .z_directions import z_directions


class Estimate(NamedTuple):
    """One estimator on one known degradation; true and measured are in `unit`."""

    estimator: str
    what: str
    true: float
    measured: float
    unit: str

    @property
    def error(self) -> float:
        """measured - true, in the unit."""
        return self.measured - self.true


Row = tuple[str, str, float | Tensor, float | Tensor, str]  # of an Estimate


def validate(hi: Tensor, seed: int = 0) -> list[Estimate]:
    """All estimators on degradations made from HR faces. Source: ours.

    Args:
        hi: (N, 3, 64, 64) in [-1, 1], 100 of them or more.
        seed: of all that is random.

    Returns:
        A row for each estimator and degradation.

    Raises:
        HLError: for fewer faces: the error would be that of the sample.
    """
    if hi.ndim != 4 or hi.shape[1] != 3 or len(hi) < 100 or not hi.is_floating_point():
        raise HLError(
            f"hi must be float (N, 3, S, S) in [-1, 1] of at least 100 faces, got {hi.dtype} "
            f"{tuple(hi.shape)}: take faces:val or faces:test"
        )
    generator = seeded(seed)
    estimates = []
    for part in PARTS:
        for estimator, what, true, measured, unit in part(hi, generator):
            estimates.append(Estimate(estimator, what, float(true), float(measured), unit))
    return estimates


# ---- degradations that are known -----------------------------------------------------------------
def known_blur(hi: Tensor, sigma: float) -> Tensor:
    """Blurred by a Gaussian and sampled at 16x16; its width is known_width(sigma).

    Args:
        hi: HR images (N, 3, 64, 64).
        sigma: standard deviation of the Gaussian, pixels of hi.

    Returns:
        LR images (N, 3, 16, 16).
    """
    width = torch.full((len(hi),), sigma)
    ratio = hi.shape[-1] // 16
    edge = ratio // 2 - 1
    kernel = gaussian(width, width, 0 * width, math.ceil(4 * sigma))
    return avg_pool2d(blur(hi, kernel)[..., edge:, edge:], 2, ratio)


def known_width(sigma: float) -> float:
    """sqrt(sigma^2 + 1/4).

    The centre of a small pixel lies between four large ones, whose mean adds a variance of 1/4.
    """
    return math.sqrt(sigma**2 + 0.25)


def coded(
    lo: Tensor, quality: int, subsampled: bool, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """lo after one JPEG of known quality, its grid anywhere.

    Args:
        lo: LR images (N, 3, s, s) in [-1, 1].
        quality: of the JPEG, 1 to 100.
        subsampled: colour at half the resolution (4:2:0).
        generator: draws where the grid lies.

    Returns:
        The pictures, and the first row and column of a block (N, 2).
    """
    n = len(lo)
    offset = torch.randint(0, 16, (n, 2), generator=generator)
    size = torch.full((n,), lo.shape[-1])
    qualities = torch.full((n,), quality)
    halved = torch.full((n,), subsampled)
    decoded = jpeg_inside_photograph(unit_range(lo), size, qualities, halved, offset)
    return torch.round(decoded * 255) / 127.5 - 1, -offset % 8


def _noise_like(x: Tensor, sigma: float, generator: torch.Generator) -> Tensor:
    """White noise of sigma in full scale, for pictures in [-1, 1]."""
    return 2 * sigma * torch.randn(x.shape, generator=generator)


# ---- the rows ------------------------------------------------------------------------------------
def _blur_of(sigma: float) -> Callable[[Tensor, torch.Generator], Tensor]:
    return lambda x, _: known_blur(x, sigma)


def _blur(hi: Tensor, generator: torch.Generator) -> Iterator[Row]:
    for sigma in (1.0, 2.0, 3.5):
        lo = known_blur(hi, sigma)
        lo = lo + _noise_like(lo, 0.02, generator)
        width = known_width(sigma)
        noisy = f"Gaussian {sigma:g} px and noise of 0.02"
        alike = f"spread of the widths of pictures that all have {width:.2f} px"
        fit = blur_fit(hi, lo)
        yield "blur_fit", f"mean width, {noisy}", width, fit.width.mean(), "px"
        yield "blur_fit", alike, 0, fit.width.std(), "px"
        kernel = effective_kernel(hi, lo)
        yield "effective_kernel", f"width, {noisy}", width, kernel.width, "px"
        probe = probe_kernel(_blur_of(sigma), hi)
        yield "probe_kernel", f"width, Gaussian {sigma:g} px", width, probe.width, "px"
    box = probe_kernel(lambda x, _: pool(x), hi)
    yield "probe_kernel", "moment of a box of 4 px", math.sqrt(15 / 12), box.moment, "px"


def _noise(hi: Tensor, generator: torch.Generator) -> Iterator[Row]:
    clean = pool(hi)
    sigma = 0.01 + 0.05 * unit_range(clean)
    lo = clean + 2 * sigma * torch.randn(clean.shape, generator=generator)
    fit = blur_fit(hi, lo)
    curve = noise_curve(fit.fitted, fit.residual)
    for i in (1, 4, 6):
        where = f"at brightness {curve.x[i]:.2f}, noise of 0.01 + 0.05 brightness"
        yield "noise_curve", where, 0.01 + 0.05 * curve.x[i], curve.y[i], "full scale"
    none = blur_fit(hi, bilinear(hi)).residual.square().mean().sqrt()
    yield "blur_fit", "left over (noise) of bilinear, which has none", 0, none, "full scale"


def _colour(hi: Tensor, generator: torch.Generator) -> Iterator[Row]:
    gains = torch.tensor([-0.3, -0.5, -0.8])
    light = srgb_decode(unit_range(hi)) * 2 ** gains[:, None, None]
    grid = integration(hi.shape[-1], torch.tensor([16]), 16)
    lo = srgb_encode(grid[:, None] @ light @ grid[:, None].transpose(2, 3)) * 2 - 1
    true = colour_shift(gains[None])
    for name, seen in colour_shift(colour_gains(hi, lo)).items():
        what = f"mean {name}, gains of R, G, B on light"
        yield "colour_shift", what, true[name], seen.mean(), "stops"


def _spectrum(hi: Tensor, generator: torch.Generator) -> Iterator[Row]:
    clean = bilinear(hi)
    noisy = power_spectrum(clean + _noise_like(clean, 0.05, generator)).y
    power = (noisy - power_spectrum(clean).y)[4:].mean()
    what = "noise of 0.05 added to faces, above 1/4 cycles per pixel"
    yield "power_spectrum", what, 0.05, power.sqrt(), "full scale"


def _jpeg(hi: Tensor, generator: torch.Generator) -> Iterator[Row]:
    smooth = bilinear(hi)
    clean = (smooth + _noise_like(smooth, 0.03, generator)).clamp(-1, 1)
    for quality in (40, 75, 90, 95, 99):
        lo, phase = coded(clean, quality, True, generator)
        grid = jpeg_grid(lo)
        right = grid.found & (grid.phase == phase).all(1)
        what = f"grid found at its place, quality {quality}"
        yield "jpeg_grid", what, 1, right.double().mean(), "share"
        if right.sum() >= 20:
            known = grid.quality[right & ~grid.quality.isnan()]
            what = f"quality, mean of {len(known)} of {len(lo)} pictures"
            yield "jpeg_grid", what, quality, known.mean(), "of 100"
    for kind, lo in (("noise of 0.03", clean), ("no noise", smooth)):
        found = jpeg_grid(lo).found.double().mean()
        yield "jpeg_grid", f"grid found where there was no JPEG, {kind}", 0, found, "share"
    yield from _jpeg_resized(clean, generator)
    yield from _block_step(clean)
    for subsampled in (True, False):
        seen = chroma_detail(coded(clean, 60, subsampled, generator)[0]) < SUBSAMPLED
        what = f"{'4:2:0' if subsampled else '4:4:4'} colour, below {SUBSAMPLED:g}"
        yield "chroma_detail", what, subsampled, seen.double().mean(), "share"


def _jpeg_resized(clean: Tensor, generator: torch.Generator) -> Iterator[Row]:
    large = interpolate(clean, scale_factor=2)
    shrunk = avg_pool2d(coded(large, 40, True, generator)[0], 2)
    found = jpeg_grid(shrunk).found.double().mean()
    what = "grid found where the picture shrank after a JPEG of 40 (blind)"
    yield "jpeg_grid", what, 1, found, "share"


def _block_step(clean: Tensor) -> Iterator[Row]:
    half = torch.zeros(1, 3, 16, 16)
    half[..., 8:] = 0.4
    at_origin = jpeg_grid(half)._replace(phase=torch.tensor([[0, 0]]))
    what = "edge of 0.2 across, 0.1 beside it as lines run on, none down"
    true = (0.2 - 0.2 / 12) / 2
    yield "block_step", what, true, block_step(half, at_origin), "full scale"
    yield "block_step", "no JPEG: the floor", 0, block_step(clean).mean(), "full scale"


def _diversity(hi: Tensor, generator: torch.Generator) -> Iterator[Row]:
    base = bilinear(hi[:50])
    los = base + 2 * 0.03 * torch.randn(12, 50, 3, 1, 1, generator=generator)
    los = los + 2 * 0.02 * torch.randn(12, *base.shape, generator=generator)
    seen = diversity(los)
    yield "diversity", "colour: a spread of 0.03 of whole channels", 0.03, seen.colour, "full scale"
    yield "diversity", "detail: a spread of 0.02 of single pixels", 0.02, seen.detail, "full scale"


def _sets(hi: Tensor, generator: torch.Generator) -> Iterator[Row]:
    """Gaussian features 1 apart: Fréchet distance 1, accuracy at best Phi(1/2)."""
    a, b = (torch.randn(6000, 4, generator=generator, dtype=torch.float64) for _ in range(2))
    b[:, 0] += 1
    apart = "Gaussians 1 apart"
    yield "frechet", f"{apart}, n = 6000", 1, frechet(a, b), "squared"
    kernel, _ = kernel_distance(a, b)
    yield "kernel_distance", f"{apart}, n = 6000", _mmd_of_shift(4), kernel, "squared"
    best = 0.5 * (1 + math.erf(0.5 / math.sqrt(2)))
    seen = two_sample(a, b).accuracy
    yield "two_sample", f"{apart}, best possible accuracy", best, seen, "share"
    yield "two_sample", "two sets of one kind", 0.5, two_sample(*a.split(3000)).accuracy, "share"


def _mmd_of_shift(d: int) -> float:
    """The kernel distance of N(0, I) and N(e_1, I) in d dimensions.

        E k(x, x') + E k(y, y') - 2 E k(x, y),    k = (x.y / d + 1)^3

    The first three moments of x.x' are 0, d, 0; of x.y 0, d + 1, 0; of y.y' 1, d + 3, 3 d + 13.
    """

    def expected(m1: float, m2: float, m3: float) -> float:
        return 1 + 3 * m1 / d + 3 * m2 / d**2 + m3 / d**3

    return expected(0, d, 0) + expected(1, d + 3, 3 * d + 13) - 2 * expected(0, d + 1, 0)


def _directions(hi: Tensor, generator: torch.Generator) -> Iterator[Row]:
    """A degradation of 8 numbers: z_0 is exposure, z_1 noise, the rest nothing."""
    waves = 40 * torch.randn(8, 768, generator=generator) / math.sqrt(8)
    clean = srgb_decode(unit_range(pool(hi[:4])))

    def degrade(x: Tensor, z: Tensor) -> Tensor:
        light = clean.repeat(len(x) // 4, 1, 1, 1) * 2 ** (0.4 * z[:, :1, None, None])
        level = torch.exp(0.5 * z[:, 1])[:, None, None, None]
        noise = torch.cos(z @ waves).view(-1, 3, 16, 16) * 0.04 * level  # new noise for every z
        return ((srgb_encode(light.clamp(0, 1)) + noise) * 2 - 1).clamp(-1, 1)

    found = z_directions(degrade, hi[:4], 8, n_z=160)
    n_found = found.found.sum()
    yield "z_directions", "directions beyond chance of 2 that act", 2, n_found, "directions"
    for name, i in (("exposure", 0), ("noise level", 1)):
        aligned = found.steepest[found.names.index(name), i].abs()
        what = f"cosine of the direction of {name} with the true one"
        yield "z_directions", what, 1, aligned, "cosine"


PARTS: tuple[Callable[[Tensor, torch.Generator], Iterator[Row]], ...] = (
    _blur,
    _noise,
    _colour,
    _spectrum,
    _jpeg,
    _diversity,
    _sets,
    _directions,
)


def table(rows: Sequence[Estimate]) -> str:
    """The rows as aligned text: estimator, true, measured, error, unit, what."""
    head = f"{'estimator':17s} {'true':>8s} {'measured':>9s} {'error':>8s}  {'unit':11s}"
    lines = [f"{head} what was put in"]
    for r in rows:
        numbers = f"{r.true:8.3f} {r.measured:9.3f} {r.error:+8.3f}"
        lines.append(f"{r.estimator:17s} {numbers}  {r.unit:11s} {r.what}")
    return "\n".join(lines)
