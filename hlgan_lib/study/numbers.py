"""The numbers behind every figure: stored results in the shape in which they are drawn.

Where a variant was not run the value is None, which the figures draw as "not run".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..config import preset
from ..data.loading import load_faces
from .grid import AXES, BASE, CELLS, DEGRADATIONS, N_SHOWN, Cell
from .results import MAX_SEEDS, Stored

SHOWN = (("camera", "psnr"), ("wild", "frechet_lite0"))  # test and metric of most figures
# The degradations whose share of the gap is taken: those between bilinear and the oracle.
BETWEEN = tuple(d for d in DEGRADATIONS if d not in ("bilinear", "camera"))
# Each share of the gap by the measure that its loss is after.
NATURAL = {"psnr/pixel": "PSNR, pixel only", "frechet_lite0/gan": "Frechet, GAN-led"}


class Bar(NamedTuple):
    """A score of a cell: mean over its seeds, an interval, one value a seed.

    The interval is the range over seeds; with one seed it is the bootstrap interval over faces, and
    None where that gives none either.
    """

    value: float
    low: float | None
    high: float | None
    seeds: tuple[float, ...]


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


def bars_of(stored: Stored, cells: Sequence[str], test: str, metric: str) -> dict[str, Bar | None]:
    """The scores of some cells, bicubic enlargement first.

    Args:
        stored: the results.
        cells: of the grid, by name.
        test: "camera", "clean" or "wild".
        metric: its name.

    Returns:
        Label -> score; None where it was not run.
    """
    bars = {"bicubic": bar_of([stored.references["bicubic"]], test, metric)}
    for c in cells:
        bars[CELLS[c].label] = bar_of_cell(stored, c, test, metric)
    return bars


def matrix_rows(stored: Stored) -> dict[str, np.ndarray | None]:
    """The first test faces, uint8: LR, under each variant of the matrix (None: not run), HR."""
    hi, lo = (side.images[:N_SHOWN] for side in load_faces("faces:test"))
    rows: dict[str, np.ndarray | None] = {"poor": lo, "bicubic": stored.arrays["faces/bicubic"]}
    for loss in ("pixel", "gan"):
        for d in DEGRADATIONS:
            cell = CELLS[f"{d}-{loss}"]
            rows[cell.label] = pictures_of(stored, cell)
    return rows | {"truth": hi}


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


def gap_rows(stored: Stored) -> dict[str, dict | None]:
    """label -> stored gap, for each degradation between bilinear and the oracle."""
    rows = {}
    for key, words in NATURAL.items():
        for d in BETWEEN:
            rows[f"{DEGRADATIONS[d]}\n{words}"] = stored.gaps.get(f"{key}/{d}")
    return rows


def plane_points(stored: Stored) -> dict[str, tuple[tuple[float, ...], ...] | None]:
    """cell -> PSNR of each seed (dB), Frechet distance of each seed: the matrix, the baselines."""
    in_one_go = [c for c in AXES["rivals"].cells if CELLS[c].stage != "l2h"]
    points: dict[str, tuple[tuple[float, ...], ...] | None] = {}
    for c in (*AXES["matrix"].cells, *in_one_go):
        points[c] = None
        if stored.found(c):
            points[c] = tuple(tuple(stored.values(c, *score)) for score in SHOWN)
    return points


def sweep_points(stored: Stored, axis: str) -> dict[float, tuple[Bar | None, ...]]:
    """The scores along an axis.

    Args:
        stored: the results.
        axis: of the grid, by name.

    Returns:
        x -> its two scores, as SHOWN names them.
    """
    a = AXES[axis]
    points = {}
    for x, c in zip(a.x, a.cells, strict=True):
        points[x] = tuple(bar_of_cell(stored, c, *score) for score in SHOWN)
    return points


def diversity_rows(stored: Stored) -> dict[str, dict[str, float] | None]:
    """Degradation -> mean spread over shots of one face: {colour, detail}, full scale 1."""
    rows = {}
    for d in ("camera", "handmade", "blur"):
        rows[DEGRADATIONS[d]] = stored.references[f"h2l:{d}"]["scores"]["diversity"]
    for c in AXES["z"].cells:
        label = f"H2L, {CELLS[c].label.removeprefix('H2L ')}"
        if c == BASE:
            label = "H2L, this package's z"
        spreads = [r["scores"]["diversity"] for r in h2l_runs(stored, CELLS[c])]
        rows[label] = None
        if spreads:
            rows[label] = {
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


def cost_rows(stored: Stored) -> dict[str, Bar | None]:
    """Kind of training -> minutes, over all its stored runs; the interval is their range."""
    minutes: dict[str, list[float]] = {
        "H2L": [],
        "L2H, pixel only": [],
        "L2H, with GAN": [],
        "joint fine-tune": [],
    }
    for run in stored.runs.values():
        minutes.setdefault(_kind(run), []).append(run["training"]["seconds"] / 60)
    rows: dict[str, Bar | None] = dict.fromkeys(minutes)
    for kind, values in minutes.items():
        if values:
            mean = sum(values) / len(values)
            rows[kind] = Bar(mean, min(values), max(values), tuple(values))
    return rows


def _kind(run: dict) -> str:
    """The kind of training that a stored run is, as `cost_rows` names it."""
    stage = run["stage"]
    if stage == "h2l":
        return "H2L"
    if stage == "l2h":
        return "L2H, pixel only" if run["changed"].get("w_gan") == 0 else "L2H, with GAN"
    if stage == "joint":
        return "joint fine-tune"
    return CELLS[stage].label if stage in CELLS else stage
