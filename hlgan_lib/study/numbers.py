"""The numbers behind every figure: stored results in the shape in which they are drawn.

A variant that was not run is left out; the tables name it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..data.loading import load_faces
from ..presets import preset
from .grid import AXES, BASELINES, CELLS, DEGRADATIONS, LEARNED, N_SHOWN, Cell
from .results import MAX_SEEDS, Stored

SHOWN = (("camera", "psnr"), ("wild", "frechet_lite0"))  # test and metric of most figures
# The degradations whose share of the gap is taken: those between bilinear and the oracle.
BETWEEN = tuple(d for d in DEGRADATIONS if d not in ("bilinear", "camera"))
# Each share of the gap by the measure that its loss is after.
NATURAL = {"psnr/pixel": "PSNR, pixel only", "frechet_lite0/gan": "Fréchet, GAN-led"}


class Bar(NamedTuple):
    """A score of a cell: mean over its seeds, an interval, one value a seed.

    The interval is the range over seeds; with one seed it is the bootstrap interval over faces, and
    None where that gives none either.
    """

    value: float
    low: float | None
    high: float | None
    seeds: tuple[float, ...]


def said(value: float, spec: str) -> str:
    """A number in that format; NaN in words.

    >>> said(19.614, ".1f"), said(float("nan"), ".1f")
    ('19.6', 'not measured')
    """
    return "not measured" if math.isnan(value) else f"{value:{spec}}"


def written(value: float) -> str:
    """A score to a hundredth of a dB, a distance to a whole number.

    >>> written(20.6), written(19), written(784.4)
    ('20.60', '19.00', '784')
    """
    return said(value, ".2f" if abs(value) < 100 else ".0f")


def no_ratio(gap: dict) -> str:
    """What is said of a gap whose share would mean nothing: both ends, and what lies between."""
    low, mid, high = (written(gap[k]) for k in ("low", "mid", "high"))
    return f"no ratio: from {low} over {mid} to {high}"


def bar_of(runs: Sequence[dict], test: str, metric: str) -> Bar | None:
    """The score of some stored runs; None where there are none.

    Args:
        runs: their stored entries, one a seed.
        test: "camera", "clean" or "wild".
        metric: its name.

    Returns:
        Mean, interval, one value a seed.
    """
    scores = [r["scores"][test][metric] for r in runs]
    if not scores:
        return None
    seeds = tuple(s["value"] for s in scores)
    low = high = None
    if len(seeds) > 1:
        low, high = min(seeds), max(seeds)
    elif scores[0]["ci"]:
        low, high = scores[0]["ci"]
    return Bar(sum(seeds) / len(seeds), low, high, seeds)


def bar_of_cell(stored: Stored, cell: str, test: str, metric: str) -> Bar | None:
    """The score of a cell over its stored seeds; None where it was not run.

    Args:
        stored: the results.
        cell: of the grid, by name.
        test: "camera", "clean" or "wild".
        metric: its name.

    Returns:
        Mean, interval, one value a seed.
    """
    return bar_of(list(stored.found(cell).values()), test, metric)


def run_cells(stored: Stored, cells: Sequence[str]) -> list[str]:
    """Those of the cells that were run."""
    return [c for c in cells if stored.found(c)]


def bars_of(stored: Stored, cells: Sequence[str], test: str, metric: str) -> dict[str, Bar]:
    """The scores of some cells, bicubic enlargement first.

    Args:
        stored: the results.
        cells: of the grid, by name.
        test: "camera", "clean" or "wild".
        metric: its name.

    Returns:
        Label -> score, of those that were run.
    """
    bars = {"bicubic": bar_of([stored.references["bicubic"]], test, metric)}
    for c in cells:
        bars[CELLS[c].label] = bar_of_cell(stored, c, test, metric)
    return {label: bar for label, bar in bars.items() if bar}


def matrix_rows(stored: Stored) -> dict[str, np.ndarray]:
    """The first test faces, uint8: LR, under each variant of the matrix that was run, HR."""
    hi, lo = (side.images[:N_SHOWN] for side in load_faces("faces:test"))
    rows = {"LR": lo, "bicubic": stored.arrays["faces/bicubic"]}
    for loss in ("pixel", "gan"):
        for d in DEGRADATIONS:
            cell = CELLS[f"{d}-{loss}"]
            pictures = pictures_of(stored, cell)
            if pictures is not None:
                rows[cell.label] = pictures
    return rows | {"ground truth": hi}


def pictures_of(stored: Stored, cell: Cell) -> np.ndarray | None:
    """The stored first faces of a cell under seed 0.

    Args:
        stored: the results.
        cell: of the grid.

    Returns:
        uint8 (n, 3, 64, 64); None where it was not run.
    """
    run = cell.run(preset(stored.about["preset"]))
    return stored.arrays.get(f"faces/{run.name}")


def gap_rows(stored: Stored) -> dict[str, dict]:
    """label -> stored gap, for each degradation between bilinear and the oracle."""
    rows = {}
    for key, words in NATURAL.items():
        for d in BETWEEN:
            if f"{key}/{d}" in stored.gaps:
                rows[f"{DEGRADATIONS[d]}\n{words}"] = stored.gaps[f"{key}/{d}"]
    return rows


def plane_points(stored: Stored) -> dict[str, tuple[tuple[float, ...], ...]]:
    """cell -> PSNR of each seed (dB), Fréchet distance of each seed: the matrix, the baselines."""
    points = {}
    for c in run_cells(stored, (*AXES["matrix"].cells, *(b.id for b in BASELINES))):
        points[c] = tuple(tuple(stored.values(c, *score)) for score in SHOWN)
    return points


def sweep_points(stored: Stored, axis: str) -> dict[float, tuple[Bar, ...]]:
    """The scores along an axis, where they were run.

    Args:
        stored: the results.
        axis: of the grid, by name.

    Returns:
        x -> its two scores, as SHOWN names them.
    """
    a = AXES[axis]
    points = {}
    for x, c in zip(a.x, a.cells, strict=True):
        bars = [bar_of_cell(stored, c, *score) for score in SHOWN]
        found = tuple(bar for bar in bars if bar)
        if found:
            points[x] = found
    return points


def diversity_rows(stored: Stored) -> dict[str, dict[str, float]]:
    """Degradation -> mean spread over repeated pictures of one face: {colour, detail}, of 1."""
    rows = {}
    for d in ("camera", "handmade", "blur"):
        rows[DEGRADATIONS[d]] = stored.references[f"h2l:{d}"]["scores"]["diversity"]
    learned = {f"{d}-pixel": DEGRADATIONS[d] for d in LEARNED}
    for c in (*learned, "z-none", "residual"):
        spreads = [r["scores"]["diversity"] for r in h2l_runs(stored, CELLS[c])]
        if spreads:
            rows[learned.get(c, CELLS[c].label)] = {
                part: float(np.mean([s[part] for s in spreads])) for part in ("colour", "detail")
            }
    return rows


def h2l_runs(stored: Stored, cell: Cell) -> list[dict]:
    """The stored H2L runs of a cell, over seeds.

    Args:
        stored: the results.
        cell: of the grid.

    Returns:
        Their entries, one a seed.
    """
    cfg = preset(stored.about["preset"])
    names = [cell.run(cfg.replace(seed=s)).needs[0].name for s in range(MAX_SEEDS)]
    return [stored.runs[n] for n in names if n in stored.runs]


def cost_rows(stored: Stored) -> dict[str, Bar]:
    """Kind of training -> minutes, over all its stored runs; the interval is their range."""
    minutes: dict[str, list[float]] = {}
    for run in stored.runs.values():
        minutes.setdefault(_kind(run), []).append(run["training"]["seconds"] / 60)
    rows = {}
    for kind, values in sorted(minutes.items()):
        mean = sum(values) / len(values)
        rows[kind] = Bar(mean, min(values), max(values), tuple(values))
    return rows


def _kind(run: dict) -> str:
    """The kind of training that a stored run is, as `cost_rows` names it."""
    stage = run["stage"]
    if stage == "h2l":
        return f"H2L, {run['changed'].get('h2l_model', 'camera')}"
    if stage == "l2h":
        return "L2H, pixel only" if run["changed"].get("w_gan") == 0 else "L2H, with GAN"
    if stage == "joint":
        return "joint fine-tune"
    return CELLS[stage].label if stage in CELLS else stage
