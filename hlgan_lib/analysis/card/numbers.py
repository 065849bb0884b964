"""The numbers on a degradation card, each with its 95 % interval over faces: {"value", "ci", "n"}."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ...inference import shots
from ...metrics.distances import frechet, kernel_distance, kernel_interval
from ...metrics.features import FEATURES, LO_RULE, Lite0, enlarge_lo, extract
from ...stats import centred, distance_interval, draws, interval, wilson
from ..blur import blur_fit, probe_kernel
from ..classifier import two_sample
from ..jpeg_traces import block_step, chroma_detail, jpeg_grid
from ..noise_colour import colour_gains, colour_shift, diversity, noise_curve
from ..spectrum import power_spectrum, statistics

N_DRAWS, N_GROUPS = 8, 10  # shots of each face; groups of faces where an estimator needs many
STUDENT_9 = 2.262  # 97.5 % point of Student's t with N_GROUPS - 1 degrees of freedom
OF_FACES = {
    "blur width": ("blur width", "mean"),
    "blur variety": ("blur width", "spread"),
    "left over (noise)": ("left over (noise)", "rms"),
    "exposure": ("exposure", "mean"),
    "exposure variety": ("exposure", "spread"),
    "warmth variety": ("warmth", "spread"),
    "tint variety": ("tint", "spread"),
}
OF_MAKER = {"spread over draws": "total", "of it colour": "colour", "of it detail": "detail"}


def _rms(x: Tensor, dim: int = 0) -> Tensor:
    return x.square().mean(dim).sqrt()


STATISTICS: dict[str, Callable[..., Tensor]] = {
    "mean": torch.mean,
    "spread": torch.std,
    "rms": _rms,
}


def number(values: Tensor, statistic: str = "mean", n_boot: int = 200) -> dict:
    """A statistic (mean, spread, rms) of one value a face (N,), with its bootstrap interval over faces."""
    f, values = STATISTICS[statistic], values[~values.isnan()].double()
    resampled = f(values[draws(len(values), n_boot, 0)], dim=1)
    return {"value": f(values, dim=0).item(), "ci": interval(resampled), "n": len(values)}


def _of_groups(values: list[float]) -> dict:
    """The mean over N_GROUPS groups of faces and Student's interval."""
    v = torch.tensor(values, dtype=torch.float64)
    half = STUDENT_9 * v.std().item() / math.sqrt(len(v))
    return {
        "value": v.mean().item(),
        "ci": [v.mean().item() - half, v.mean().item() + half],
        "n": len(v),
    }


# ---- of one way of making poor pictures ------------------------------------------------------------------------------
def of_set(lo: Tensor, n_boot: int) -> dict:
    """What needs no pairs: JPEG, detail of colour, spectrum."""
    grid, power = jpeg_grid(lo), _power(lo)
    n, quality = int(grid.found.sum()), grid.quality[~grid.quality.isnan()]
    band = torch.quantile(
        power[draws(len(lo), n_boot, 0)].mean(1), power.new_tensor([0.025, 0.975]), dim=0
    )
    return {
        "JPEG grid found": {"value": n / len(lo), "ci": list(wilson(n, len(lo))), "n": len(lo)},
        "JPEG quality": number(quality, "mean", n_boot) if len(quality) >= 20 else None,
        "block step": number(block_step(lo, grid), "mean", n_boot),
        "chroma detail": number(chroma_detail(lo), "mean", n_boot),
        "spectrum": {
            "x": power_spectrum(lo[:1]).x.tolist(),
            "y": power.mean(0).tolist(),
            "low": band[0].tolist(),
            "high": band[1].tolist(),
        },
    }


def _power(lo: Tensor) -> Tensor:
    """The spectrum of each picture, (B, s/2)."""
    return torch.stack([power_spectrum(x[None]).y for x in lo])


def of_pairs(hi: Tensor, lo: Tensor) -> dict[str, Tensor]:
    """One value a face (N,) of what needs pairs, and for the noise curve squares and counts in each bin (N, 8)."""
    fit = blur_fit(hi, lo)
    curves = [noise_curve(*v, at_least=1) for v in zip(fit.fitted, fit.residual)]
    n = torch.stack([c.n for c in curves])
    return {
        "blur width": fit.width,
        "left over (noise)": fit.residual.square().mean((1, 2, 3)).sqrt(),
        **colour_shift(colour_gains(hi, lo)),
        "n": n,
        "squares": torch.stack([c.y for c in curves]).nan_to_num().square() * n,
        "levels": torch.stack([c.x for c in curves]) * n,
    }


def of_faces(values: dict[str, Tensor] | None, n_boot: int) -> dict:
    """Means and spreads of what needs pairs, and the noise curve; None each without pairs."""
    if values is None:
        return dict.fromkeys((*OF_FACES, "noise curve"))
    rows = draws(len(values["n"]), n_boot, 0)
    again = _curve(values, rows)
    band = torch.nanquantile(again, again.new_tensor([0.025, 0.975]), dim=0)
    x = values["levels"].sum(0) / values["n"].sum(0)
    curve = {
        "x": x.tolist(),
        "y": _curve(values).tolist(),
        "low": band[0].tolist(),
        "high": band[1].tolist(),
        "n": values["n"].sum(0).tolist(),
    }
    return {name: number(values[of], f, n_boot) for name, (of, f) in OF_FACES.items()} | {
        "noise curve": curve
    }


def _curve(values: dict[str, Tensor], rows: Tensor | None = None, at_least: int = 100) -> Tensor:
    """Noise level in each bin of brightness, (8,); of resampled faces (n_boot, N) -> (n_boot, 8)."""
    n, squares = values["n"], values["squares"]
    n, squares = (
        (n.sum(0), squares.sum(0)) if rows is None else (n[rows].sum(1), squares[rows].sum(1))
    )
    return torch.where(values["n"].sum(0) >= at_least, (squares / n.clamp(min=1)).sqrt(), torch.nan)


def of_maker(maker: Any, hi: Tensor, seed: int) -> dict:
    """What needs the degradation itself: its kernel, and its spread over shots of one face; None each without it."""
    if maker is None:
        return dict.fromkeys((*OF_MAKER, "kernel width", "kernel"))
    groups = hi.tensor_split(N_GROUPS)
    kernels = [
        probe_kernel(maker, torch.cat((g, g.flip(-1))), seed + i) for i, g in enumerate(groups)
    ]
    los = shots(maker, hi[:100], N_DRAWS, seed + 1)
    parts = [diversity(g) for g in los.tensor_split(N_GROUPS, dim=1)]
    return {
        name: _of_groups([getattr(p, part) for p in parts]) for name, part in OF_MAKER.items()
    } | {
        "kernel width": _of_groups([k.width for k in kernels]),
        "kernel": torch.stack([k.taps for k in kernels]),
    }


# ---- of learned beside real ------------------------------------------------------------------------------------------
def shares(faces: dict[str, dict[str, Tensor]], n_boot: int) -> dict[str, dict | None]:
    """(learned - bilinear) / (real - bilinear) of each number of pairs; None where real is not clearly off bilinear."""
    out, rows = {}, draws(len(faces["real"]["n"]), n_boot, 0)
    for name, (of, statistic) in OF_FACES.items():
        f = STATISTICS[statistic]
        value = {k: f(v[of], dim=0) for k, v in faces.items()}
        again = {k: f(v[of][rows], dim=1) for k, v in faces.items()}
        low, high = interval(again["real"] - again["bilinear"])
        share = (again["learned"] - again["bilinear"]) / (again["real"] - again["bilinear"])
        ratio = (value["learned"] - value["bilinear"]) / (value["real"] - value["bilinear"])
        out[name] = (
            None
            if low <= 0 <= high
            else {"value": ratio.item(), "ci": interval(share), "n": rows.shape[1]}
        )
    return out


def likeness(
    los: dict[str, Tensor], faces: dict, kernels: dict[str, Tensor | None], n_boot: int
) -> dict:
    """How far learned and bilinear lie from the real curves; bootstrapped over faces (kernel: groups of faces).

    spectrum, noise curve: 2^rms(log2(y / y_real)) over frequency or brightness, 1 for equal ones; kernel:
    sum |k - k_real| / 2, the part of the weight that lies elsewhere, 0 for equal ones. None where it needs pairs or the
    real degradation.
    """
    power, out = {k: _power(lo) for k, lo in los.items()}, {}
    for name in ("learned", "bilinear"):
        a, b = power[name], power["real"]
        again = _factor(a[draws(len(a), n_boot, 0)].mean(1), b[draws(len(b), n_boot, 1)].mean(1))
        spectrum = _resampled(_factor(a.mean(0), b.mean(0)), again, len(a))
        noise = kernel = None
        if "real" in faces:
            rows = draws(len(a), n_boot, 0)
            again = _factor(*(_curve(faces[k], rows) for k in (name, "real")))
            noise = _resampled(_factor(*(_curve(faces[k]) for k in (name, "real"))), again, len(a))
        if kernels["real"] is not None:
            pick = [draws(N_GROUPS, n_boot, s) for s in (0, 1)]
            off = [kernels[k][i].mean(1) for k, i in zip((name, "real"), pick)]
            gap = (kernels[name].mean(0) - kernels["real"].mean(0)).abs().sum() / 2
            kernel = _resampled(
                gap, centred((off[0] - off[1]).abs().sum((1, 2)) / 2, gap), N_GROUPS
            )
        out[name] = {"spectrum": spectrum, "noise curve": noise, "kernel": kernel}
    return out


def _factor(a: Tensor, b: Tensor) -> Tensor:
    """2^rms(log2(a / b)) over the last dimension, bins without a value left out."""
    return 2 ** torch.log2(a / b).square().nanmean(-1).sqrt()


def _resampled(value: Tensor, again: Tensor, n: int) -> dict:
    return {"value": value.item(), "ci": interval(again), "n": n}


# ---- of sets against sets --------------------------------------------------------------------------------------------
def describe(lo: Tensor) -> Tensor:
    """What the classifier sees of poor pictures in [-1, 1]: 80 features of Lite0, then `analysis.statistics`."""
    return torch.cat((extract(enlarge_lo((lo + 1) / 2)), statistics(lo)), 1)


def distances(makers: dict, hi: Tensor, lo: Tensor, seed: int, n_boot: int) -> dict:
    """Made pictures of some people against poor pictures of others, at equal n; floor: poor ones of both.

    Made are the first n of hi, compared with the last n of lo; of pairs those are different people. Several shots of
    one person in lo would let the classifier learn persons: give one of each.
    """
    n = min(len(lo) // 2, len(hi))
    others = describe(lo[len(lo) - n :])
    sets = {"floor": lo[:n]}
    sets |= {k: shots(m, hi[:n], 1, seed + 2)[0] for k, m in makers.items() if m is not None}
    out: dict[str, Any] = {"n": n, "features": f"{FEATURES}; {LO_RULE}"}
    for name, x in sets.items():
        seen = describe(x)
        test = two_sample(seen, others, seed)
        a, b = (v[:, : Lite0.num_features] for v in (seen, others))
        value, _ = kernel_distance(a, b, seed=seed)
        out[name] = {
            "frechet_lite0": {
                "value": frechet(a, b),
                "ci": distance_interval(frechet, a, b, n_boot // 2),
                "n": n,
            },
            "kernel_lite0": {"value": value, "ci": kernel_interval(a, b, value, n_boot), "n": n},
            "two_sample": {"value": test.accuracy, "ci": [test.low, test.high], "n": test.n},
        }
    return out
