"""The stored results: every score of every run, from which all figures and tables are drawn.

`ablation.json` holds scores, `ablation.npz` what bootstraps and face grids need: the features of
the restored shots (float16) and the first restored faces of each run. `hlgan figures` reads nothing
else.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict, cast

import numpy as np

from ..degradations import DEGRADATIONS
from ..errors import HLError
from ..files import atomic, user_path
from ..presets import PRESETS
from ..schema import Misfit, checked, plain, read_json
from ..text import as_json
from .grid import CELLS, Cell, Planned, planned_of
from .run import in_order

MAX_SEEDS = 10
MAX_ARRAYS = 2_000_000_000  # bytes of ablation.npz, not compressed: forty times the full grid's


@dataclass
class Stored:
    """Results of one preset; see `load` and `save`."""

    about: dict = field(default_factory=dict)  # preset, test set, n, hardware, floors
    runs: dict[str, dict] = field(default_factory=dict)  # name of the run -> what it is, its scores
    references: dict[str, dict] = field(default_factory=dict)  # what needs no training, by name
    gaps: dict[str, dict] = field(default_factory=dict)  # METRIC/LOSS/DEGRADATION -> gap closed
    arrays: dict[str, np.ndarray] = field(default_factory=dict)  # what ablation.npz holds

    def save(self, folder: str | Path) -> None:
        """Write ablation.json (a line a run) and ablation.npz, each whole or not at all."""
        parts = []
        for name in ("about", "runs", "references", "gaps"):
            entries = getattr(self, name).items()
            rows = ",".join(f"\n{as_json(k)}:{as_json(v)}" for k, v in entries)
            parts.append(f'"{name}":{{{rows}}}')
        text = "{" + ",\n".join(parts) + "}\n"
        packed, arrays = io.BytesIO(), cast(dict[str, Any], self.arrays)
        np.savez_compressed(packed, **arrays)  # numpy < 2.1 would store allow_pickle as an array
        path = user_path(folder) / "ablation.json"
        atomic(path.with_suffix(".npz"), lambda file: file.write(packed.getvalue()))
        atomic(path, lambda file: file.write(text.encode()))

    def planned(self, cell: Cell | str) -> list[Planned]:
        """The stored trainings of a cell, seed by seed; empty where it was not run."""
        if isinstance(cell, str):
            cell = CELLS[cell]
        planned = planned_of(cell, self.about["preset"], range(MAX_SEEDS))
        return [p for p in planned if p.run.name in self.runs]

    def found(self, cell: Cell | str) -> dict[int, dict]:
        """seed -> the stored run of a cell."""
        return {p.seed: self.runs[p.run.name] for p in self.planned(cell)}

    def names(self, cells: Iterable[str]) -> set[str]:
        """The folder names of all stored runs of some cells, and of the runs that these need."""
        names: set[str] = set()
        for cell in cells:
            runs = in_order(p.run for p in self.planned(cell))
            names.update(run.name for run in runs)
        return names

    def values(self, cell: Cell | str, test: str, metric: str) -> list[float]:
        """A score of a cell, one a seed.

        Args:
            cell: of the grid, or its name.
            test: "camera", "clean" or "wild".
            metric: its name.

        Returns:
            In the order of the seeds.
        """
        return [r["scores"][test][metric]["value"] for r in self.found(cell).values()]


# ---- reading -------------------------------------------------------------------------------------
Known = float | None  # null in the file: not measured; NaN once it is read


class Measured(TypedDict):
    """A score, and its interval where one was taken."""

    value: Known
    ci: tuple[float, float] | None


Metrics = dict[str, Measured | dict[str, Known]]  # the latter: diversity


class Floors(TypedDict):
    """What is no distance."""

    frechet_lite0: float
    kernel_lite0: float


class AboutResults(TypedDict):
    """What all results of a folder share."""

    preset: str
    test: str
    n: int
    hardware: str
    floors: Floors


class Trained(TypedDict):
    """What a training cost."""

    seconds: float


_StoredRun = TypedDict(
    "_StoredRun", {"stage": str, "seed": int, "from": dict[str, str], "training": Trained}
)


class StoredRun(_StoredRun, total=False):
    """A run: a restorer's scores by test, a degradation's by metric."""

    changed: dict[str, Any]
    scores: dict[str, Any]
    psnr_faces: list[Known]


class Reference(TypedDict):
    """What needs no training."""

    scores: dict[str, Any]


class Gap(TypedDict):
    """The share of a gap that is closed."""

    ratio: float | None
    ratio_ci: tuple[float, float] | None
    low: Known
    mid: Known
    high: Known
    note: str | None


class Results(TypedDict):
    """ablation.json."""

    about: AboutResults
    runs: dict[str, StoredRun]
    references: dict[str, Reference]
    gaps: dict[str, Gap]


# Of a restorer: test -> the metrics that figures and tables read.
RESTORED = {
    "camera": ("psnr", "ssim", "frechet_lite0", "kernel_lite0"),
    "clean": ("psnr", "ssim", "frechet_lite0", "kernel_lite0"),
    "wild": ("frechet_lite0", "kernel_lite0", "consistency"),
}
DEGRADED = ("frechet_lite0", "kernel_lite0", "diversity")
SPREADS = {"total", "colour", "detail"}


def load(folder: str | Path) -> Stored:
    """What is stored in a folder. Raises HLError where nothing is, or where it cannot be read."""
    path = user_path(folder) / "ablation.json"
    if not path.is_file():
        raise HLError(
            f"no stored results at {path}: run hlgan ablate --out {folder}, "
            "or give --results of a clone"
        )
    remedy = f"score the runs again with hlgan ablate --out {folder}"
    values = read_json(path, Results, "stored results", remedy)
    try:
        stored = Stored(**{name: values[name] for name in Results.__annotations__})
        _check(stored)
        stored.arrays = _arrays(path.with_suffix(".npz"))
        return stored
    # A damaged .npz raises whatever the readers of zip, zlib and .npy meet first.
    except Exception as error:
        raise HLError(
            f"stored results {path} (and .npz beside it) cannot be read: {plain(error)}: {remedy}"
        ) from error


def _check(stored: Stored) -> None:
    """Raise Misfit where figures and tables would miss a score."""
    if stored.about["preset"] not in PRESETS:
        raise Misfit(f"preset {stored.about['preset']!r} is none of {', '.join(PRESETS)}")
    entries = {**stored.runs, **stored.references}
    needed = {"bicubic", *(f"h2l:{name}" for name in DEGRADATIONS)}
    if stored.references and not needed <= stored.references.keys():
        raise Misfit(f"references must be {', '.join(sorted(needed))}")
    for gap in stored.gaps.values():
        _to_nan(gap, "low", "mid", "high")
    for name, entry in entries.items():
        if "psnr_faces" in entry:
            entry["psnr_faces"] = [math.nan if x is None else x for x in entry["psnr_faces"]]
        scores = entry.get("scores")
        if name.startswith("h2l"):
            _check_metrics(scores, DEGRADED, name)
            continue
        for test, metrics in RESTORED.items():
            _check_metrics(checked(scores, dict[str, Any], name).get(test), metrics, name)


def _check_metrics(scores: Any, metrics: tuple[str, ...], name: str) -> None:
    kept = checked(scores, Metrics, f"{name}.scores")
    missing = [m for m in metrics if m not in kept]
    if missing:
        raise Misfit(f"{name}.scores lacks {', '.join(missing)}")
    for metric in metrics:
        one = scores[metric]
        _to_nan(one, *(SPREADS if metric == "diversity" else {"value"}))
        whole = SPREADS <= one.keys() if metric == "diversity" else "value" in one
        ends = one.get("ci")
        if not whole or (ends is not None and len(ends) != 2):
            raise Misfit(f"{name}.scores.{metric} must be a value and two ends of its interval")


def _to_nan(entry: dict[str, Any], *keys: str) -> None:
    """NaN for what was not measured, so that what is computed of it is not known either."""
    for key in keys:
        if key in entry and entry[key] is None:
            entry[key] = math.nan


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """Faces and features, their heads looked at before any is read. Raises ValueError."""
    with zipfile.ZipFile(path) as archive:
        claimed = sum(info.file_size for info in archive.infolist())
    if claimed > MAX_ARRAYS:
        raise Misfit(f"{claimed:,} bytes of arrays, more than {MAX_ARRAYS:,}")
    with np.load(path, allow_pickle=False) as file:
        arrays = {k: file[k] for k in file.files}
    for name, array in arrays.items():
        kind, dims = ("u", 4) if name.startswith("faces/") else ("f", 2)
        if array.dtype.kind != kind or array.ndim != dims or 0 in array.shape:
            raise Misfit(f"{name} is {array.dtype} {array.shape}")
    return arrays
