"""The stored results: every score of every run, from which all figures and tables are drawn.

`ablation.json` holds scores, `ablation.npz` what bootstraps and face grids need: the features of
the restored shots (float16) and the first restored faces of each run. `hlgan figures` reads nothing
else.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import HLError
from ..files import atomic
from .grid import CELLS, Cell, Planned, planned_of
from .run import in_order

MAX_SEEDS = 10


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
            rows = ",".join(f"\n{json.dumps(k)}:{json.dumps(v)}" for k, v in entries)
            parts.append(f'"{name}":{{{rows}}}')
        text = "{" + ",\n".join(parts) + "}\n"
        packed = io.BytesIO()
        np.savez_compressed(packed, allow_pickle=False, **self.arrays)
        atomic(Path(folder) / "ablation.npz", lambda file: file.write(packed.getvalue()))
        atomic(Path(folder) / "ablation.json", lambda file: file.write(text.encode()))

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


def load(folder: str | Path) -> Stored:
    """What is stored in a folder. Raises HLError where nothing is, or where it cannot be read."""
    path = Path(folder).expanduser() / "ablation.json"
    if not path.is_file():
        raise HLError(
            f"no stored results at {path}: run hlgan ablate --out {folder}, "
            "or give --results of a clone"
        )
    try:
        values = json.loads(path.read_text())
        with np.load(path.with_suffix(".npz"), allow_pickle=False) as file:
            arrays = {k: file[k] for k in file.files}
        return Stored(**values, arrays=arrays)
    except (OSError, ValueError, TypeError, EOFError) as error:
        raise HLError(
            f"stored results {path} (and .npz beside it) cannot be read: {error}: "
            f"score the runs again with hlgan ablate --out {folder}"
        ) from error
