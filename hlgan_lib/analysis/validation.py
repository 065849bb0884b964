"""Every estimator on pictures whose degradation is exactly known: what was put in, what was measured, the error.

Nothing here knows how an estimator works: blur is made by `degradations.blur`, JPEG by `degradations.jpeg`, colour by
sums on light.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ..degradations.handmade import bilinear, pool
from ..degradations.jpeg import jpeg_inside_photograph
from ..degradations.optics import blur, gaussian, integration, srgb_decode, srgb_encode
from ..errors import HLError
from ..metrics.distances import frechet, kernel_distance
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


def validate(hi: Tensor, seed: int = 0) -> list[Estimate]:
    """All estimators on degradations made from sharp faces hi (N, 3, S, S) in [-1, 1], 100 of them or more.

    HLError for fewer: the error would be that of the sample. Source: ours.
    """
    if hi.ndim != 4 or hi.shape[1] != 3 or len(hi) < 100 or not hi.is_floating_point():
        raise HLError(
            f"hi must be float (N, 3, S, S) in [-1, 1] of at least 100 faces, got {hi.dtype} "
            f"{tuple(hi.shape)}: take faces:val or faces:test"
        )
    parts: Sequence[Callable[[Tensor, torch.Generator], Iterator[Estimate]]] = (
        _blur,
        _noise,
        _colour,
        _spectrum,
        _jpeg,
        _diversity,
        _sets,
        _directions,
    )
    generator = torch.Generator().manual_seed(seed)
    return [
        Estimate(*row[:2], *map(float, row[2:4]), row[4])
        for part in parts
        for row in part(hi, generator)
    ]


def known_blur(hi: Tensor, sigma: float) -> Tensor:
    """Blurred by a Gaussian and sampled at 16x16: (N, 3, 64, 64) -> (N, 3, 16, 16). Its width is known_width(sigma)."""
    width = torch.full((len(hi),), sigma)
    ratio = hi.shape[-1] // 16
    edge = ratio // 2 - 1
    return avg_pool2d(
        blur(hi, gaussian(width, width, 0 * width, math.ceil(4 * sigma)))[..., edge:, edge:],
        2,
        ratio,
    )


def known_width(sigma: float) -> float:
    """The centre of a small pixel lies between four large ones, whose mean adds a variance of 1/4: sqrt(s^2 + 1/4)."""
    return math.sqrt(sigma**2 + 0.25)


def coded(
    lo: Tensor, quality: int, subsampled: bool, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """lo after one JPEG of known quality, its grid anywhere: pictures, and the first row and column of a block."""
    n, offset = len(lo), torch.randint(0, 16, (len(lo), 2), generator=generator)
    size, q, sub = (torch.full((n,), v) for v in (lo.shape[-1], quality, subsampled))
    return torch.round(
        jpeg_inside_photograph((lo + 1) / 2, size, q, sub, offset) * 255
    ) / 127.5 - 1, -offset % 8


def _grain(x: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(x.shape, generator=generator)


def _blur(hi: Tensor, generator: torch.Generator) -> Iterator[tuple]:
    for sigma in (1.0, 2.0, 3.5):
        lo = known_blur(hi, sigma)
        lo = lo + 2 * 0.02 * _grain(lo, generator)
        width = known_width(sigma)
        fit = blur_fit(hi, lo)
        yield (
            "blur_fit",
            f"mean width, Gaussian {sigma:g} px and noise of 0.02",
            width,
            fit.width.mean(),
            "px",
        )
        yield (
            "blur_fit",
            f"spread of the widths of pictures that all have {width:.2f} px",
            0,
            fit.width.std(),
            "px",
        )
        kernel = effective_kernel(hi, lo)
        yield (
            "effective_kernel",
            f"width, Gaussian {sigma:g} px and noise of 0.02",
            width,
            kernel.width,
            "px",
        )
        probe = probe_kernel(lambda x, _, s=sigma: known_blur(x, s), hi)
        yield "probe_kernel", f"width, Gaussian {sigma:g} px", width, probe.width, "px"
    box = probe_kernel(lambda x, _: pool(x), hi)
    yield "probe_kernel", "moment of a box of 4 px", math.sqrt(15 / 12), box.moment, "px"


def _noise(hi: Tensor, generator: torch.Generator) -> Iterator[tuple]:
    clean = pool(hi)
    level = (clean + 1) / 2
    lo = clean + 2 * (0.01 + 0.05 * level) * _grain(clean, generator)
    fit = blur_fit(hi, lo)
    curve = noise_curve(fit.fitted, fit.residual)
    for i in (1, 4, 6):
        where = f"at brightness {curve.x[i]:.2f}, noise of 0.01 + 0.05 brightness"
        yield "noise_curve", where, 0.01 + 0.05 * curve.x[i], curve.y[i], "full scale"
    none = blur_fit(hi, bilinear(hi)).residual.square().mean().sqrt()
    yield "blur_fit", "left over (noise) of bilinear, which has none", 0, none, "full scale"


def _colour(hi: Tensor, generator: torch.Generator) -> Iterator[tuple]:
    gains = torch.tensor([-0.3, -0.5, -0.8])
    light = srgb_decode((hi + 1) / 2) * 2 ** gains[:, None, None]
    grid = integration(hi.shape[-1], torch.tensor([16]), 16)
    lo = srgb_encode(grid[:, None] @ light @ grid[:, None].transpose(2, 3)) * 2 - 1
    true = colour_shift(gains[None])
    for name, seen in colour_shift(colour_gains(hi, lo)).items():
        yield (
            "colour_shift",
            f"mean {name}, gains of R, G, B on light",
            true[name],
            seen.mean(),
            "stops",
        )


def _spectrum(hi: Tensor, generator: torch.Generator) -> Iterator[tuple]:
    clean = bilinear(hi)
    added = [power_spectrum(x).y for x in (clean + 2 * 0.05 * _grain(clean, generator), clean)]
    power = (added[0] - added[1])[4:].mean()
    yield (
        "power_spectrum",
        "noise of 0.05 added to faces, above 1/4 cycles per pixel",
        0.05,
        power.sqrt(),
        "full scale",
    )


def _jpeg(hi: Tensor, generator: torch.Generator) -> Iterator[tuple]:
    smooth = bilinear(hi)
    clean = (smooth + 2 * 0.03 * _grain(smooth, generator)).clamp(-1, 1)
    for quality in (40, 75, 90, 95, 99):
        lo, phase = coded(clean, quality, True, generator)
        grid = jpeg_grid(lo)
        right = grid.found & (grid.phase == phase).all(1)
        yield (
            "jpeg_grid",
            f"grid found at its place, quality {quality}",
            1,
            right.double().mean(),
            "share",
        )
        if right.sum() >= 20:
            known = grid.quality[right & ~grid.quality.isnan()]
            yield (
                "jpeg_grid",
                f"quality, mean of {len(known)} of {len(lo)} pictures",
                quality,
                known.mean(),
                "of 100",
            )
    for what, lo in (("noise of 0.03", clean), ("no noise", smooth)):
        found = jpeg_grid(lo).found.double().mean()
        yield "jpeg_grid", f"grid found where there was no JPEG, {what}", 0, found, "share"
    large = torch.nn.functional.interpolate(clean, scale_factor=2)
    shrunk = avg_pool2d(coded(large, 40, True, generator)[0], 2)
    found = jpeg_grid(shrunk).found.double().mean()
    yield (
        "jpeg_grid",
        "grid found where the picture shrank after a JPEG of 40 (blind)",
        1,
        found,
        "share",
    )
    half = torch.zeros(1, 3, 16, 16)
    half[..., 8:], flat = 0.4, torch.tensor([[0, 0]])
    step = block_step(half, jpeg_grid(half)._replace(phase=flat))
    yield (
        "block_step",
        "edge of 0.2 across, 0.1 beside it as lines run on, none down",
        (0.2 - 0.2 / 12) / 2,
        step,
        ("full scale"),
    )
    yield "block_step", "no JPEG: the floor", 0, block_step(clean).mean(), "full scale"
    for subsampled in (True, False):
        seen = chroma_detail(coded(clean, 60, subsampled, generator)[0]) < SUBSAMPLED
        what = f"{'4:2:0' if subsampled else '4:4:4'} colour, below {SUBSAMPLED:g}"
        yield "chroma_detail", what, subsampled, seen.double().mean(), "share"


def _diversity(hi: Tensor, generator: torch.Generator) -> Iterator[tuple]:
    base = bilinear(hi[:50])
    los = base + 2 * 0.03 * torch.randn(12, 50, 3, 1, 1, generator=generator)
    los = los + 2 * 0.02 * torch.randn(12, *base.shape, generator=generator)
    seen = diversity(los)
    yield "diversity", "colour: a spread of 0.03 of whole channels", 0.03, seen.colour, "full scale"
    yield "diversity", "detail: a spread of 0.02 of single pixels", 0.02, seen.detail, "full scale"


def _sets(hi: Tensor, generator: torch.Generator) -> Iterator[tuple]:
    """Gaussian features 1 apart: Frechet distance 1, accuracy at best Phi(1/2), kernel distance by its formula."""
    a, b = (torch.randn(6000, 4, generator=generator, dtype=torch.float64) for _ in range(2))
    b[:, 0] += 1
    yield "frechet", "Gaussians 1 apart, n = 6000", 1, frechet(a, b), "squared"
    yield (
        "kernel_distance",
        "Gaussians 1 apart, n = 6000",
        _mmd_of_shift(4),
        kernel_distance(a, b)[0],
        "squared",
    )
    best = 0.5 * (1 + math.erf(0.5 / math.sqrt(2)))
    yield (
        "two_sample",
        "Gaussians 1 apart, best possible accuracy",
        best,
        two_sample(a, b).accuracy,
        "share",
    )
    yield "two_sample", "two sets of one kind", 0.5, two_sample(*a.split(3000)).accuracy, "share"


def _mmd_of_shift(d: int) -> float:
    """E k(x, x') + E k(y, y') - 2 E k(x, y), k = (x.y / d + 1)^3, for x of N(0, I) and y of N(e_1, I) in d dimensions.

    The first three moments of x.x' are 0, d, 0; of x.y 0, d + 1, 0; of y.y' 1, d + 3, 3 d + 13.
    """
    k = lambda m1, m2, m3: 1 + 3 * m1 / d + 3 * m2 / d**2 + m3 / d**3  # noqa: E731
    return k(0, d, 0) + k(1, d + 3, 3 * d + 13) - 2 * k(0, d + 1, 0)


def _directions(hi: Tensor, generator: torch.Generator) -> Iterator[tuple]:
    """A degradation of 8 numbers: z_0 is exposure, z_1 noise, the rest nothing; new grain for every z."""
    waves = 40 * torch.randn(8, 768, generator=generator) / math.sqrt(8)
    clean = srgb_decode((pool(hi[:4]) + 1) / 2)

    def degrade(x: Tensor, z: Tensor) -> Tensor:
        light = clean.repeat(len(x) // 4, 1, 1, 1) * 2 ** (0.4 * z[:, :1, None, None])
        noise = (
            torch.cos(z @ waves).view(-1, 3, 16, 16)
            * 0.04
            * torch.exp(0.5 * z[:, 1])[:, None, None, None]
        )
        return ((srgb_encode(light.clamp(0, 1)) + noise) * 2 - 1).clamp(-1, 1)

    found = z_directions(degrade, hi[:4], 8, n_z=160)
    yield (
        "z_directions",
        "directions beyond chance of 2 that act",
        2,
        found.found.sum(),
        "directions",
    )
    for name, i in (("exposure", 0), ("noise level", 1)):
        aligned = found.steepest[found.names.index(name), i].abs()
        yield (
            "z_directions",
            f"cosine of the direction of {name} with the true one",
            1,
            aligned,
            "cosine",
        )


# ---- on the camera's own shots ---------------------------------------------------------------------------------------
def validate_on_camera(hi: Tensor, lo: Tensor, drawn: dict[str, Tensor]) -> list[Estimate]:
    """Correlation of what is measured of real shots with what the camera drew; JPEG quality in its own units.

    drawn: data.load_camera_params as tensors. 1 is not within reach: blur_fit sees one round blur where the camera
    drags and defocuses, colour passes a tone curve and clips.
    """
    if len(hi) != len(lo) or len(lo) != len(drawn["sensor_px"]):
        raise HLError(
            f"hi, lo and drawn must be of the same shots, got {len(hi)}, {len(lo)} and "
            f"{len(drawn['sensor_px'])}: take all three of faces:val or faces:test"
        )
    r = lambda a, b: torch.corrcoef(torch.stack((a.double(), b.double())))[0, 1].item()  # noqa: E731
    fit, grid = blur_fit(hi, lo), jpeg_grid(lo)
    grain = hi.shape[-1] / drawn["sensor_px"].double()
    width = drawn["motion_px"] ** 2 / 24 + drawn["defocus_px"] ** 2 / 4 + grain**2 / 12 + 16 / 12
    ev = drawn["exposure_ev"][:, None] + drawn["white_balance"].log2()
    shift = colour_shift(colour_gains(hi, lo))
    rows = [
        Estimate(
            "blur_fit",
            "log width and the camera's drag, defocus and pixels",
            1.0,
            r(width.log(), fit.width.log()),
            "correlation",
        )
    ]
    rows += [
        Estimate(
            "colour_shift", f"{name} and the camera's", 1.0, r(true, shift[name]), "correlation"
        )
        for name, true in colour_shift(ev).items()
    ]
    held = ~grid.quality.isnan()
    rows += [
        Estimate(
            "jpeg_grid",
            "grid found at its place",
            1.0,
            (grid.found & (grid.phase == -drawn["site_offset"] % 8).all(1)).double().mean().item(),
            "share",
        ),
        Estimate(
            "jpeg_grid",
            f"quality, mean of {int(held.sum())} of {len(lo)} pictures",
            drawn["site_quality"][held].double().mean().item(),
            grid.quality[held].mean().item(),
            "of 100",
        ),
    ]
    seen = (chroma_detail(lo) < SUBSAMPLED) == drawn["site_subsampled"]
    return [
        *rows,
        Estimate(
            "chroma_detail", "4:2:0 or not, told rightly", 1.0, seen.double().mean().item(), "share"
        ),
    ]


def table(rows: Sequence[Estimate]) -> str:
    """The rows as aligned text: estimator, what, true, measured, error, unit."""
    lines = [
        f"{'estimator':17s} {'true':>8s} {'measured':>9s} {'error':>8s}  {'unit':11s} what was put in"
    ]
    lines += [
        f"{r.estimator:17s} {r.true:8.3f} {r.measured:9.3f} {r.error:+8.3f}  {r.unit:11s} {r.what}"
        for r in rows
    ]
    return "\n".join(lines)
