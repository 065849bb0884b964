"""The stored results: every score of every run in one file, from which all figures and tables are drawn.

`ablation.json` holds scores, `ablation.npz` what bootstraps and face grids need: the features of the restored shots
(float16) and the first restored faces of each run. Nothing else is read by `hlgan figures`.
"""

from __future__ import annotations

import io
import json
import os
import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from .ablation import AXES, CELLS, DEGRADATIONS, LOSSES, Cell, Planned, plan, planned_of
from .apply import load_weights, upscale
from .baselines import enlarged
from .checkpoint import atomic
from .config import differences, preset
from .data import load_faces, to_uint8
from .degrade import DEGRADATIONS as FIXED
from .errors import HLError
from .experiments import Outcome, Run, folder_of, in_order, train_all
from .scoring import Scored, floors, score_degrader, score_restorer, test_set
from .stats import gap_closed

MAX_SEEDS = 10
PICTURED = (*AXES["matrix"].cells, *AXES["rivals"].cells, "joint")
N_SMOKE = 40        # test faces under the smoke preset, whose scores are never shown as results


@dataclass
class Stored:
    """Results of one preset: runs and references by name, gaps closed, arrays; see `load` and `save`."""

    about: dict = field(default_factory=dict)
    runs: dict[str, dict] = field(default_factory=dict)
    references: dict[str, dict] = field(default_factory=dict)
    gaps: dict[str, dict] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    def save(self, folder: str | Path) -> None:
        """Write ablation.json (a line a run) and ablation.npz, each whole or not at all."""
        rows = lambda d: "{" + ",".join(f"\n{json.dumps(k)}:{json.dumps(v)}" for k, v in d.items()) + "}"  # noqa: E731
        parts = {k: rows(getattr(self, k)) for k in ("about", "runs", "references", "gaps")}
        text = "{" + ",\n".join(f'"{k}":{v}' for k, v in parts.items()) + "}\n"
        packed = io.BytesIO()
        np.savez_compressed(packed, **self.arrays)
        atomic(Path(folder) / "ablation.npz", lambda file: file.write(packed.getvalue()))
        atomic(Path(folder) / "ablation.json", lambda file: file.write(text.encode()))

    def planned(self, cell: Cell | str) -> list[Planned]:
        """The stored trainings of a cell, seed by seed; empty where it was not run."""
        cell = CELLS[cell] if isinstance(cell, str) else cell
        return [p for p in planned_of(cell, self.about["preset"], range(MAX_SEEDS)) if p.run.name in self.runs]

    def found(self, cell: Cell | str) -> dict[int, dict]:
        """seed -> the stored run of a cell."""
        return {p.seed: self.runs[p.run.name] for p in self.planned(cell)}

    def names(self, cells: Iterable[str]) -> set[str]:
        """The folder names, with their keys, of all stored runs of some cells and of the runs that these need."""
        return {r.name for c in cells for p in self.planned(c) for r in in_order([p.run])}

    def values(self, cell: Cell | str, test: str, metric: str) -> list[float]:
        """A score of a cell, one a seed."""
        return [r["scores"][test][metric]["value"] for r in self.found(cell).values()]


def load(folder: str | Path) -> Stored:
    """What is stored in a folder. Raises HLError where nothing is, or where it cannot be read."""
    path = Path(folder).expanduser() / "ablation.json"
    if not path.is_file():
        raise HLError(f"no stored results at {path}: run hlgan ablate --out {folder}, or give --results of a clone")
    try:
        values = json.loads(path.read_text())
        with np.load(path.with_suffix(".npz"), allow_pickle=False) as file:
            arrays = {k: file[k] for k in file.files}
        return Stored(**values, arrays=arrays)
    except (OSError, ValueError, TypeError, EOFError) as error:
        raise HLError(f"stored results {path} (and .npz beside it) cannot be read: {error}: score the runs again with "
                      f"hlgan ablate --out {folder}") from error


def load_or_new(folder: str | Path, preset_name: str) -> Stored:
    """What is stored in a folder, or nothing yet. Raises HLError for results of another preset."""
    if (Path(folder) / "ablation.json").is_file():
        stored = load(folder)
        if stored.about["preset"] != preset_name:
            raise HLError(f"--out {folder} holds results of preset {stored.about['preset']}, got --preset "
                          f"{preset_name}: choose another folder")
        return stored
    n = N_SMOKE if preset_name == "smoke" else len(load_faces("faces:test").hi)
    return Stored({"preset": preset_name, "test": "faces:test", "n": n, "hardware": hardware(),
                   "torch": torch.__version__, "floors": floors(n)})


def hardware() -> str:
    """What this machine trains on, in words."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{os.cpu_count()} CPU cores, {platform.machine()}, one thread a training"


def ablate(preset_name: str, out: str | Path, *, seeds: int | None = None, only: Sequence[str] = (),
           full: bool = False, jobs: int | None = None, device: str | None = None,
           stop: Callable[[], bool] = lambda: False) -> Outcome:
    """Train what the plan still lacks in out/runs, score it, and store it in out. See `ablation.plan`, `train_all`."""
    return train_and_score(plan(preset_name, seeds, only, full), preset_name, out, jobs, device, stop)


def train_and_score(planned: Sequence[Planned], preset_name: str, out: str | Path, jobs: int | None = None,
                    device: str | None = None, stop: Callable[[], bool] = lambda: False) -> Outcome:
    """Train and score a plan; a stop leaves the scores for the next call."""
    out = Path(out).expanduser()
    if (out / "ablation.json").is_file():
        load_or_new(out, preset_name)  # the wrong folder is refused before anything is trained
    outcome = train_all([p.run for p in planned], out, jobs, device, stop)
    if not outcome.stopped:
        score_all(load_or_new(out, preset_name), planned, out)
    return outcome


# ---- scoring ---------------------------------------------------------------------------------------------------------
def score_all(stored: Stored, planned: Iterable[Planned], out: str | Path,
              said: Callable[[str], None] = print) -> None:
    """Score what is finished in out/runs and not yet stored, H2L runs too, and save after each."""
    planned, n = list(planned), stored.about["n"]
    with one_thread():
        _score_all(stored, planned, out, n, said)


def _score_all(stored: Stored, planned: list[Planned], out: str | Path, n: int, said: Callable[[str], None]) -> None:
    if not stored.references:
        stored.references = references(stored, n)
    cells = {p.run.name: p.cell for p in planned}
    for run in in_order(p.run for p in planned):
        folder = folder_of(run, out)
        if run.name in stored.runs or not folder.finished or not (run.name in cells or run.stage == "h2l"):
            continue
        entry = describe(run, stored.about["preset"]) | {"training": json.loads(folder.scores.read_text())}
        if run.stage == "h2l":
            entry["scores"] = score_degrader(load_weights(folder.path, stage="h2l"), n, seed=run.cfg.seed)
        else:
            scored = score_restorer(lambda lo, path=folder.path: upscale(path, lo), n)
            keep(stored, run.name, scored, cells[run.name], run.cfg.seed)
            entry |= {"scores": scored.scores, "psnr_faces": scored.faces}
        stored.runs[run.name] = entry
        stored.save(out)
        said(f"scored {run.name}")
    stored.gaps = all_gaps(stored)
    stored.save(out)


@contextmanager
def one_thread() -> Iterator[None]:
    """Bootstraps take thousands of small matrices apart, which threads only slow down."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def describe(run: Run, preset_name: str) -> dict:
    """What a run is: its stage, its seed, what it started from, and how its configuration differs from the preset."""
    changed = {k: own for k, (_, own) in differences(run.cfg, preset(preset_name)).items() if k != "seed"}
    return {"stage": run.stage, "seed": run.cfg.seed, "from": run.sources(), "changed": changed}


def keep(stored: Stored, name: str, scored: Scored, cell: Cell | None = None, seed: int = 0) -> None:
    """The arrays that figures need of a restorer: the first faces of seed 0, and in the matrix all features."""
    if cell is None or cell.id in PICTURED and seed == 0:
        stored.arrays[f"faces/{name}"] = to_uint8(scored.pictures).numpy()
    if cell is not None and cell.id in AXES["matrix"].cells:
        stored.arrays[f"features/{name}"] = scored.features.numpy().astype(np.float16)


def references(stored: Stored, n: int) -> dict[str, dict]:
    """What needs no training: bicubic enlargement, and every fixed degradation as a degrader."""
    scored = score_restorer(enlarged, n)
    keep(stored, "bicubic", scored)
    made = {f"h2l:{d}": {"scores": score_degrader(d, n)} for d in FIXED}
    return {"bicubic": {"scores": scored.scores, "psnr_faces": scored.faces}, **made}


# ---- the share of the gap --------------------------------------------------------------------------------------------
def all_gaps(stored: Stored) -> dict[str, dict]:
    """METRIC/LOSS/DEGRADATION -> `stats.gap_closed` between bilinear and the oracle, with the runs it is of.

    Taken anew only where other runs are stored than it was taken of.
    """
    gaps = {}
    for loss in LOSSES:
        for way in set(DEGRADATIONS) - {"bilinear", "camera"}:
            names = {d: [p.run.name for p in stored.planned(f"{d}-{loss}")] for d in ("bilinear", way, "camera")}
            if not all(names.values()):
                continue
            for metric in ("psnr", "frechet_lite0"):
                key = f"{metric}/{loss}/{way}"
                before = stored.gaps.get(key, {})
                gaps[key] = before if before.get("of") == names else {**gap(stored, metric, names), "of": names}
    return dict(sorted(gaps.items()))


def gap(stored: Stored, metric: str, names: dict[str, list[str]]) -> dict:
    """The share of the gap that the second of three lists of runs closes between the first and the third."""
    if metric == "psnr":
        faces = [torch.tensor([stored.runs[n]["psnr_faces"] for n in v]) for v in names.values()]
        return gap_closed(*faces)
    features = [[torch.from_numpy(stored.arrays[f"features/{n}"].astype(np.float64)) for n in v]
                for v in names.values()]
    return gap_closed(*features, reference=test_set(stored.about["n"]).train_features)
