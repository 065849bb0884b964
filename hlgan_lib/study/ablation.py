"""Train the grid, score what is finished, and store it; the share of the gap that each variant closes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch

from ..config import differences, preset
from ..data.faces import to_uint8
from ..data.loading import load_faces
from ..degradations import DEGRADATIONS as FIXED
from ..errors import HLError
from ..inference import load_weights, upscale
from ..metrics.gap import gap_closed
from ..networks.baselines import enlarged
from ..runtime import hardware, one_thread
from .grid import AXES, DEGRADATIONS, LOSSES, Cell, Planned, plan
from .results import Stored, load
from .run import Run, folder_of, in_order
from .scoring import Scored, floors, score_degrader, score_restorer, test_set
from .train_all import Outcome, train_all

PICTURED = (*AXES["matrix"].cells, *AXES["rivals"].cells, "joint")
N_SMOKE = 40  # test faces under the smoke preset, whose scores are never shown as results


def load_or_new(folder: str | Path, preset_name: str) -> Stored:
    """What is stored in a folder, or nothing yet. Raises HLError for results of another preset."""
    if (Path(folder) / "ablation.json").is_file():
        stored = load(folder)
        if stored.about["preset"] != preset_name:
            raise HLError(
                f"--out {folder} holds results of preset {stored.about['preset']}, got --preset "
                f"{preset_name}: choose another folder"
            )
        return stored
    n = N_SMOKE if preset_name == "smoke" else len(load_faces("faces:test").hi)
    return Stored(
        {
            "preset": preset_name,
            "test": "faces:test",
            "n": n,
            "hardware": hardware(),
            "torch": torch.__version__,
            "floors": floors(n),
        }
    )


def ablate(
    preset_name: str,
    out: str | Path,
    *,
    seeds: int | None = None,
    only: Sequence[str] = (),
    full: bool = False,
    jobs: int | None = None,
    device: str | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Train what the plan still lacks in out/runs, score it, and store it in out. See `grid.plan`, `train_all`."""
    return train_and_score(
        plan(preset_name, seeds, only, full), preset_name, out, jobs, device, stop
    )


def train_and_score(
    planned: Sequence[Planned],
    preset_name: str,
    out: str | Path,
    jobs: int | None = None,
    device: str | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Train and score a plan; a stop leaves the scores for the next call."""
    out = Path(out).expanduser()
    if (out / "ablation.json").is_file():
        load_or_new(out, preset_name)  # the wrong folder is refused before anything is trained
    outcome = train_all([p.run for p in planned], out, jobs, device, stop)
    if not outcome.stopped:
        score_all(load_or_new(out, preset_name), planned, out)
    return outcome


# ---- scoring ---------------------------------------------------------------------------------------------------------
def score_all(
    stored: Stored, planned: Iterable[Planned], out: str | Path, said: Callable[[str], None] = print
) -> None:
    """Score what is finished in out/runs and not yet stored, H2L runs too, and save after each."""
    planned, n = list(planned), stored.about["n"]
    with one_thread():
        _score_all(stored, planned, out, n, said)


def _score_all(
    stored: Stored, planned: list[Planned], out: str | Path, n: int, said: Callable[[str], None]
) -> None:
    if not stored.references:
        stored.references = references(stored, n)
    cells = {p.run.name: p.cell for p in planned}
    for run in in_order(p.run for p in planned):
        folder = folder_of(run, out)
        if (
            run.name in stored.runs
            or not folder.finished
            or not (run.name in cells or run.stage == "h2l")
        ):
            continue
        entry = describe(run, stored.about["preset"]) | {
            "training": json.loads(folder.scores.read_text())
        }
        if run.stage == "h2l":
            entry["scores"] = score_degrader(
                load_weights(folder.path, stage="h2l"), n, seed=run.cfg.seed
            )
        else:
            scored = score_restorer(lambda lo, path=folder.path: upscale(path, lo), n)
            keep(stored, run.name, scored, cells[run.name], run.cfg.seed)
            entry |= {"scores": scored.scores, "psnr_faces": scored.faces}
        stored.runs[run.name] = entry
        stored.save(out)
        said(f"scored {run.name}")
    stored.gaps = all_gaps(stored)
    stored.save(out)


def describe(run: Run, preset_name: str) -> dict:
    """What a run is: its stage, its seed, what it started from, and how its configuration differs from the preset."""
    changed = {
        k: own for k, (_, own) in differences(run.cfg, preset(preset_name)).items() if k != "seed"
    }
    return {"stage": run.stage, "seed": run.cfg.seed, "from": run.sources(), "changed": changed}


def keep(
    stored: Stored, name: str, scored: Scored, cell: Cell | None = None, seed: int = 0
) -> None:
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
    """METRIC/LOSS/DEGRADATION -> `metrics.gap_closed` between bilinear and the oracle, with the runs it is of.

    Taken anew only where other runs are stored than it was taken of.
    """
    gaps = {}
    for loss in LOSSES:
        for way in set(DEGRADATIONS) - {"bilinear", "camera"}:
            names = {
                d: [p.run.name for p in stored.planned(f"{d}-{loss}")]
                for d in ("bilinear", way, "camera")
            }
            if not all(names.values()):
                continue
            for metric in ("psnr", "frechet_lite0"):
                key = f"{metric}/{loss}/{way}"
                before = stored.gaps.get(key, {})
                gaps[key] = (
                    before
                    if before.get("of") == names
                    else {**gap(stored, metric, names), "of": names}
                )
    return dict(sorted(gaps.items()))


def gap(stored: Stored, metric: str, names: dict[str, list[str]]) -> dict:
    """The share of the gap that the second of three lists of runs closes between the first and the third."""
    if metric == "psnr":
        faces = [torch.tensor([stored.runs[n]["psnr_faces"] for n in v]) for v in names.values()]
        return gap_closed(*faces)
    features = [
        [torch.from_numpy(stored.arrays[f"features/{n}"].astype(np.float64)) for n in v]
        for v in names.values()
    ]
    return gap_closed(*features, reference=test_set(stored.about["n"]).train_features)
