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

SHOWN = (
    ("camera", "psnr"),
    ("wild", "frechet_lite0"),
)  # the two scores of most figures: test, metric
WAYS = tuple(d for d in DEGRADATIONS if d not in ("bilinear", "camera"))
# Each share of the gap by the measure that its loss is after.
NATURAL = {"psnr/pixel": "PSNR, pixel only", "frechet_lite0/gan": "Frechet, GAN-led"}


class Bar(NamedTuple):
    """A score of a cell: mean over its seeds, an interval (None: neither seeds nor faces give one), one value a seed.

    The interval is the range over seeds, or with one seed the bootstrap interval over faces.
    """

    value: float
    low: float | None
    high: float | None
    seeds: tuple[float, ...]


def bar_of(runs: Sequence[dict], test: str, metric: str) -> Bar | None:
    """The score of some stored runs; None where there are none."""
    scores = [r["scores"][test][metric] for r in runs]
    if not scores:
        return None
    seeds = tuple(s["value"] for s in scores)
    low, high = (min(seeds), max(seeds)) if len(seeds) > 1 else scores[0]["ci"] or (None, None)
    return Bar(sum(seeds) / len(seeds), low, high, seeds)


def bars_of(stored: Stored, cells: Sequence[str], test: str, metric: str) -> dict[str, Bar | None]:
    """label -> score, bicubic enlargement first."""
    rows = {"bicubic": bar_of([stored.references["bicubic"]], test, metric)}
    return rows | {
        CELLS[c].label: bar_of(list(stored.found(c).values()), test, metric) for c in cells
    }


def matrix_rows(stored: Stored) -> dict[str, np.ndarray | None]:
    """The first test faces, poor, then under each variant of the matrix (None: not run), then true: uint8."""
    hi, lo = (side.images[:N_SHOWN] for side in load_faces("faces:test"))
    rows = {"poor": lo, "bicubic": stored.arrays["faces/bicubic"]}
    for loss in ("pixel", "gan"):
        for d in DEGRADATIONS:
            cell = CELLS[f"{d}-{loss}"]
            rows[cell.label] = pictures_of(stored, cell)
    return rows | {"truth": hi}


def pictures_of(stored: Stored, cell: Cell) -> np.ndarray | None:
    """The stored first faces of a cell under seed 0, uint8 (n, 3, 64, 64)."""
    return stored.arrays.get(f"faces/{cell.run(preset(stored.about['preset'])).name}")


def gap_rows(stored: Stored) -> dict[str, dict | None]:
    """label -> stored gap, for each degradation between bilinear and the oracle, by the measure each loss is after."""
    return {
        f"{DEGRADATIONS[w]}\n{words}": stored.gaps.get(f"{key}/{w}")
        for key, words in NATURAL.items()
        for w in WAYS
    }


def plane_points(stored: Stored) -> dict[str, tuple[tuple[float, ...], tuple[float, ...]] | None]:
    """cell -> PSNR of each seed (dB) and Frechet distance of each seed, for the matrix and the rivals."""
    cells = (*AXES["matrix"].cells, *(c for c in AXES["rivals"].cells if CELLS[c].stage != "l2h"))
    return {
        c: tuple(tuple(stored.values(c, test, metric)) for test, metric in SHOWN)
        if stored.found(c)
        else None
        for c in cells
    }


def sweep_points(stored: Stored, axis: str) -> dict[float, tuple[Bar | None, Bar | None]]:
    """x of an axis -> its two scores."""
    a = AXES[axis]
    return {
        x: tuple(bar_of(list(stored.found(c).values()), test, metric) for test, metric in SHOWN)
        for x, c in zip(a.x, a.cells, strict=True)
    }


def diversity_rows(stored: Stored) -> dict[str, dict[str, float] | None]:
    """Ways to degrade -> mean spread over repeated shots of one face, in colour and in detail (parts of full scale)."""
    rows = {
        f"{DEGRADATIONS[d]}": stored.references[f"h2l:{d}"]["scores"]["diversity"]
        for d in ("camera", "handmade", "blur")
    }
    for c in AXES["z"].cells:
        held = h2l_runs(stored, CELLS[c])
        label = (
            "H2L, this package's z" if c == BASE else f"H2L, {CELLS[c].label.removeprefix('H2L ')}"
        )
        rows[label] = (
            {
                k: float(np.mean([r["scores"]["diversity"][k] for r in held]))
                for k in ("colour", "detail")
            }
            if held
            else None
        )
    return rows


def h2l_runs(stored: Stored, cell: Cell) -> list[dict]:
    """The stored H2L runs of a cell, over seeds."""
    cfg = preset(stored.about["preset"])
    names = [cell.run(cfg.replace(seed=s)).needs[0].name for s in range(MAX_SEEDS)]
    return [stored.runs[n] for n in names if n in stored.runs]


def cost_rows(stored: Stored) -> dict[str, Bar | None]:
    """Kind of training -> minutes, over all stored runs of the kind; the interval is their range."""
    kinds: dict[str, list[float]] = {
        "H2L": [],
        "L2H, pixel only": [],
        "L2H, with GAN": [],
        "joint fine-tune": [],
    }
    for run in stored.runs.values():
        pixel = run["changed"].get("w_gan") == 0
        kind = {
            "h2l": "H2L",
            "l2h": "L2H, pixel only" if pixel else "L2H, with GAN",
            "joint": "joint fine-tune",
        }.get(run["stage"], CELLS[run["stage"]].label if run["stage"] in CELLS else run["stage"])
        kinds.setdefault(kind, []).append(run["training"]["seconds"] / 60)
    return {
        k: Bar(sum(v) / len(v), min(v), max(v), tuple(v)) if v else None for k, v in kinds.items()
    }
