"""The numbers on a degradation card, each a Score with its 95 % interval over faces."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from ...data.faces import unit_range
from ...inference import shots
from ...metrics.distances import frechet, kernel_distance, kernel_interval
from ...metrics.features import FEATURES, LO_RULE, Lite0, enlarge_lo, extract
from ...metrics.score import Score
from ...stats import centred, distance_interval, draws, interval, wilson
from ..blur import blur_fit, probe_kernel
from ..classifier import two_sample
from ..jpeg_traces import block_step, chroma_detail, jpeg_grid
from ..noise_colour import colour_gains, colour_shift, diversity, noise_curve
from ..spectrum import power_spectrum, statistics

N_DRAWS = 8  # shots of each face
N_GROUPS = 10  # groups of faces, where an estimator needs many
N_SPREAD = 100  # faces whose shots are compared
STUDENT_9 = 2.262  # 97.5 % point of Student's t with N_GROUPS - 1 degrees of freedom
QUALITY_AT_LEAST = 20  # pictures that show their JPEG quality, for a mean of it

# Numbers of pairs: the name on the card -> what is measured of each face, and its statistic.
OF_FACES = {
    "blur width": ("blur width", "mean"),
    "blur variety": ("blur width", "spread"),
    "left over (noise)": ("left over (noise)", "rms"),
    "exposure": ("exposure", "mean"),
    "exposure variety": ("exposure", "spread"),
    "warmth variety": ("warmth", "spread"),
    "tint variety": ("tint", "spread"),
}
# Numbers of the degradation itself: the name on the card -> part of `Diversity`.
OF_MAKER = {"spread over draws": "total", "of it colour": "colour", "of it detail": "detail"}


def _rms(x: Tensor, dim: int = 0) -> Tensor:
    return x.square().mean(dim).sqrt()


STATISTICS: dict[str, Callable[..., Tensor]] = {
    "mean": torch.mean,
    "spread": torch.std,
    "rms": _rms,
}


def number(values: Tensor, statistic: str = "mean", n_boot: int = 200) -> Score:
    """A statistic (mean, spread, rms) of one value a face (N,), bootstrapped over faces.

    Args:
        values: one number a face (N,).
        statistic: "mean", "spread" (standard deviation) or "rms".
        n_boot: rounds of the bootstrap.

    Returns:
        The statistic with its 95 % interval.
    """
    f = STATISTICS[statistic]
    known = values[~values.isnan()].double()
    resampled = f(known[draws(len(known), n_boot, 0)], dim=1)
    return Score(f(known, dim=0).item(), interval(resampled), len(known))


def _of_groups(values: list[float]) -> Score:
    """The mean over N_GROUPS groups of faces and Student's interval."""
    v = torch.tensor(values, dtype=torch.float64)
    mean = v.mean().item()
    half = STUDENT_9 * v.std().item() / math.sqrt(len(v))
    return Score(mean, [mean - half, mean + half], len(v))


def _band(resampled: Tensor, quantile: Callable[..., Tensor] = torch.quantile) -> dict:
    """The middle 95 % of resampled curves (n_boot, bins)."""
    low, high = quantile(resampled, resampled.new_tensor([0.025, 0.975]), dim=0).tolist()
    return {"low": low, "high": high}


# ---- of one set of LR pictures -------------------------------------------------------------------
def of_set(lo: Tensor, n_boot: int) -> dict[str, Any]:
    """What needs no pairs: JPEG, detail of colour, spectrum.

    Args:
        lo: LR images (N, 3, s, s) in [-1, 1].
        n_boot: rounds of the bootstrap.

    Returns:
        Key of the card -> its number.
    """
    grid = jpeg_grid(lo)
    n_found = int(grid.found.sum())
    quality = grid.quality[~grid.quality.isnan()]
    power = _power(lo)
    band = _band(power[draws(len(lo), n_boot, 0)].mean(1))
    enough = len(quality) >= QUALITY_AT_LEAST
    return {
        "JPEG grid found": Score(n_found / len(lo), list(wilson(n_found, len(lo))), len(lo)),
        "JPEG quality": number(quality, "mean", n_boot) if enough else None,
        "block step": number(block_step(lo, grid), "mean", n_boot),
        "chroma detail": number(chroma_detail(lo), "mean", n_boot),
        "spectrum": {
            "x": power_spectrum(lo[:1]).x.tolist(),
            "y": power.mean(0).tolist(),
            **band,
        },
    }


def _power(lo: Tensor) -> Tensor:
    """The spectrum of each picture, (B, s/2)."""
    return torch.stack([power_spectrum(x[None]).y for x in lo])


def of_pairs(hi: Tensor, lo: Tensor) -> dict[str, Tensor]:
    """One value a face (N,) of what needs pairs.

    For the noise curve: n, squares and levels, the sums in each bin of brightness (N, 8).

    Args:
        hi: HR images (N, 3, S, S) in [-1, 1].
        lo: the LR image of each, (N, 3, s, s).

    Returns:
        Key of the card -> its values.
    """
    fit = blur_fit(hi, lo)
    curves = [noise_curve(*of_face, at_least=1) for of_face in zip(fit.fitted, fit.residual)]
    n = torch.stack([curve.n for curve in curves])
    noise = torch.stack([curve.y for curve in curves])
    return {
        "blur width": fit.width,
        "left over (noise)": fit.residual.square().mean((1, 2, 3)).sqrt(),
        **colour_shift(colour_gains(hi, lo)),
        "n": n,
        "squares": noise.nan_to_num().square() * n,
        "levels": torch.stack([curve.x for curve in curves]) * n,
    }


def of_faces(values: dict[str, Tensor] | None, n_boot: int) -> dict[str, Any]:
    """Means and spreads of what needs pairs, and the noise curve; None each without pairs.

    Args:
        values: what `of_pairs` returned; None without pairs.
        n_boot: rounds of the bootstrap.

    Returns:
        Key of the card -> its number.
    """
    if values is None:
        return dict.fromkeys((*OF_FACES, "noise curve"))
    numbers: dict[str, Any] = {}
    for name, (measured, statistic) in OF_FACES.items():
        numbers[name] = number(values[measured], statistic, n_boot)
    n = values["n"].sum(0)
    resampled = _curve(values, draws(len(values["n"]), n_boot, 0))
    numbers["noise curve"] = {
        "x": (values["levels"].sum(0) / n).tolist(),
        "y": _curve(values).tolist(),
        **_band(resampled, torch.nanquantile),
        "n": n.tolist(),
    }
    return numbers


def _curve(values: dict[str, Tensor], rows: Tensor | None = None, at_least: int = 100) -> Tensor:
    """Noise in each bin of brightness, (8,); of resampled faces, rows (n_boot, N), (n_boot, 8)."""
    if rows is None:
        n, squares = values["n"].sum(0), values["squares"].sum(0)
    else:
        n, squares = values["n"][rows].sum(1), values["squares"][rows].sum(1)
    noise = (squares / n.clamp(min=1)).sqrt()
    return torch.where(values["n"].sum(0) >= at_least, noise, torch.nan)


def of_maker(maker: Any, hi: Tensor, seed: int) -> dict[str, Any]:
    """What needs the degradation itself: its kernel, and its spread over draws of one face.

    Args:
        maker: as in `inference.shots`; None where there is none.
        hi: HR images (N, 3, S, S) in [-1, 1].
        seed: of the draws.

    Returns:
        Key of the card -> its number, None each without a maker; "kernel" holds the taps of each
        group of faces (N_GROUPS, k, k).
    """
    if maker is None:
        return dict.fromkeys((*OF_MAKER, "kernel width", "kernel"))
    kernels = []
    for i, group in enumerate(hi.tensor_split(N_GROUPS)):
        kernels.append(probe_kernel(maker, torch.cat((group, group.flip(-1))), seed + i))
    los = shots(maker, hi[:N_SPREAD], N_DRAWS, seed + 1)
    spreads = [diversity(group) for group in los.tensor_split(N_GROUPS, dim=1)]
    numbers: dict[str, Any] = {}
    for name, part in OF_MAKER.items():
        numbers[name] = _of_groups([getattr(spread, part) for spread in spreads])
    numbers["kernel width"] = _of_groups([kernel.width for kernel in kernels])
    numbers["kernel"] = torch.stack([kernel.taps for kernel in kernels])
    return numbers


# ---- of learned beside real ----------------------------------------------------------------------
def shares(faces: dict[str, dict[str, Tensor]], n_boot: int) -> dict[str, Score | None]:
    """The share of the way from bilinear to real that the learned degradation goes.

        share = (learned - bilinear) / (real - bilinear)

    Args:
        faces: "real", "learned", "bilinear" -> what `of_pairs` returned.
        n_boot: rounds of the bootstrap.

    Returns:
        Key of the card -> share; None where real is not clearly off bilinear.
    """
    rows = draws(len(faces["real"]["n"]), n_boot, 0)
    scores: dict[str, Score | None] = {}
    for name, (measured, statistic) in OF_FACES.items():
        f = STATISTICS[statistic]
        value = {k: f(values[measured], dim=0) for k, values in faces.items()}
        again = {k: f(values[measured][rows], dim=1) for k, values in faces.items()}
        low, high = interval(again["real"] - again["bilinear"])
        scores[name] = None
        if not low <= 0 <= high:
            resampled = _way(again)
            scores[name] = Score(_way(value).item(), interval(resampled), rows.shape[1])
    return scores


def _way(of: dict[str, Tensor]) -> Tensor:
    return (of["learned"] - of["bilinear"]) / (of["real"] - of["bilinear"])


def likeness(
    los: dict[str, Tensor],
    faces: dict[str, dict[str, Tensor]],
    kernels: Mapping[str, Tensor | None],
    n_boot: int,
) -> dict[str, dict[str, Score | None]]:
    """How far learned and bilinear lie from the real curves, bootstrapped over faces.

    spectrum, noise curve: 2^rms(log2(y / y_real)) over frequency or brightness, 1 for equal ones.
    kernel: sum |k - k_real| / 2, the part of the weight that lies elsewhere, 0 for equal ones.

    Args:
        los: real, learned, bilinear -> LR pictures (B, 3, s, s).
        faces: the same -> `of_pairs`; without "real" there is no noise curve.
        kernels: the same -> taps (N_GROUPS, k, k), or None: then there is no kernel.
        n_boot: rounds of the bootstrap (of the kernel over groups of faces).

    Returns:
        learned, bilinear -> {"spectrum", "noise curve", "kernel"}; None where it cannot be known.
    """
    power = {name: _power(lo) for name, lo in los.items()}
    table: dict[str, dict[str, Score | None]] = {}
    for name in ("learned", "bilinear"):
        table[name] = {
            "spectrum": _spectrum_off(power[name], power["real"], n_boot),
            "noise curve": None,
            "kernel": _kernel_off(kernels[name], kernels["real"], n_boot),
        }
        if "real" in faces:
            table[name]["noise curve"] = _noise_off(faces[name], faces["real"], n_boot)
    return table


def _spectrum_off(power: Tensor, real: Tensor, n_boot: int) -> Score:
    """The two sets may show other people: each is resampled by itself."""
    some = power[draws(len(power), n_boot, 0)].mean(1)
    some_real = real[draws(len(real), n_boot, 1)].mean(1)
    value = _factor(power.mean(0), real.mean(0)).item()
    return Score(value, interval(_factor(some, some_real)), len(power))


def _noise_off(values: dict[str, Tensor], real: dict[str, Tensor], n_boot: int) -> Score:
    """Both are of the same faces: they are resampled together."""
    n = len(values["n"])
    rows = draws(n, n_boot, 0)
    value = _factor(_curve(values), _curve(real)).item()
    return Score(value, interval(_factor(_curve(values, rows), _curve(real, rows))), n)


def _kernel_off(kernels: Tensor | None, real: Tensor | None, n_boot: int) -> Score | None:
    if kernels is None or real is None:
        return None
    some = kernels[draws(N_GROUPS, n_boot, 0)].mean(1)
    some_real = real[draws(N_GROUPS, n_boot, 1)].mean(1)
    value = (kernels.mean(0) - real.mean(0)).abs().sum() / 2
    resampled = (some - some_real).abs().sum((1, 2)) / 2
    return Score(value.item(), interval(centred(resampled, value)), N_GROUPS)


def _factor(a: Tensor, b: Tensor) -> Tensor:
    """2^rms(log2(a / b)) over the last dimension, bins without a value left out."""
    return 2 ** torch.log2(a / b).square().nanmean(-1).sqrt()


# ---- of sets against sets ------------------------------------------------------------------------
def describe(lo: Tensor) -> Tensor:
    """What the classifier sees of LR pictures: features of Lite0, then `analysis.statistics`.

    Args:
        lo: (N, 3, s, s) in [-1, 1].

    Returns:
        (N, 80 + 6 + 3 s/2) float64.
    """
    return torch.cat((extract(enlarge_lo(unit_range(lo))), statistics(lo)), 1)


def distances(
    makers: dict[str, Any], hi: Tensor, lo: Tensor, seed: int, n_boot: int
) -> dict[str, Any]:
    """Made pictures of some people against LR pictures of others, at equal n.

    Made are the first n of hi, compared with the last n of lo; of pairs those are different people.
    The floor is of the first n of lo. Several shots of one person in lo would let the classifier
    learn persons: give one of each.

    Args:
        makers: name -> degradation, as in `inference.shots`; those that are None are left out.
        hi: HR faces (N, 3, S, S) in [-1, 1].
        lo: LR faces (M, 3, s, s) in [-1, 1].
        seed: of the degradations, subsets and folds.
        n_boot: rounds of the bootstrap.

    Returns:
        n, features, and floor and each name -> {"frechet_lite0", "kernel_lite0", "two_sample"}.
    """
    n = min(len(lo) // 2, len(hi))
    others = describe(lo[len(lo) - n :])
    sets = {"floor": lo[:n]}
    for name, maker in makers.items():
        if maker is not None:
            sets[name] = shots(maker, hi[:n], 1, seed + 2)[0]
    table: dict[str, Any] = {"n": n, "features": f"{FEATURES}; {LO_RULE}"}
    for name, pictures in sets.items():
        table[name] = _apart(describe(pictures), others, seed, n_boot)
    return table


def _apart(made: Tensor, others: Tensor, seed: int, n_boot: int) -> dict[str, Score]:
    """Distances and classifier between two sets, (n, F) of `describe` each."""
    test = two_sample(made, others, seed)
    a, b = made[:, : Lite0.num_features], others[:, : Lite0.num_features]
    kernel, _ = kernel_distance(a, b, seed=seed)
    of_frechet = distance_interval(frechet, a, b, n_boot // 2)
    return {
        "frechet_lite0": Score(frechet(a, b), of_frechet, len(a)),
        "kernel_lite0": Score(kernel, kernel_interval(a, b, kernel, n_boot), len(a)),
        "two_sample": Score(test.accuracy, [test.low, test.high], test.n),
    }
