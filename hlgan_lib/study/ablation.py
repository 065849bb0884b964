"""Train the grid, score what is finished, store it; the share of the gap that a variant closes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch

from ..data.faces import to_uint8
from ..data.loading import load_faces
from ..degradations import DEGRADATIONS as FIXED
from ..errors import HLError
from ..files import out_folder, user_path
from ..inference import load_weights, upscale
from ..metrics.gap import gap_closed
from ..networks.baselines import enlarged
from ..presets import differences, preset
from ..runtime import hardware, one_thread
from .grid import AXES, LOSSES, Cell, Planned, plan
from .numbers import BETWEEN
from .results import Stored, load
from .run import Run, folder_of, in_order
from .scoring import Scored, floors, score_degrader, score_restorer, test_set
from .train_all import Outcome, train_all

PICTURED = (*AXES["matrix"].cells, *AXES["baselines"].cells, "joint")
N_SMOKE = 40  # test faces under the smoke preset, whose scores are never shown as results


def ablate(
    preset_name: str,
    out: str | Path,
    *,
    seeds: int | None = None,
    only: Sequence[str] = (),
    jobs: int | None = None,
    device: str | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Train what the plan still lacks in out/runs, score it, and store it in `out`.

    Args:
        preset_name: the configuration that every run starts from.
        out: folder of the study.
        seeds: as in `grid.plan`.
        only: as in `grid.plan`.
        jobs: as in `train_all`.
        device: as in `train_all`.
        stop: as in `train_all`.

    Returns:
        Which runs are finished, and which failed.

    Raises:
        HLError: as `grid.plan` and `train_all`.
    """
    planned = plan(preset_name, seeds, only)
    return train_and_score(planned, preset_name, out, jobs, device, stop)


def train_and_score(
    planned: Sequence[Planned],
    preset_name: str,
    out: str | Path,
    jobs: int | None = None,
    device: str | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Train and score a plan; what is scored is not trained again, whether its run is kept or not.

    A stop leaves the scores for the next call.

    Args:
        planned: the trainings.
        preset_name: the configuration that every run starts from.
        out: folder of the study.
        jobs: as in `train_all`.
        device: as in `train_all`.
        stop: as in `train_all`.

    Returns:
        Which runs are finished, and which failed.
    """
    out = out_folder(out)
    scored: Collection[str] = ()
    if (out / "ablation.json").is_file():
        # The wrong folder is refused before anything is trained.
        scored = load_or_new(out, preset_name).runs
    missing = [p.run for p in planned if p.run.name not in scored]
    outcome = train_all(missing, out, jobs, device, stop)
    if not outcome.stopped:
        score_all(load_or_new(out, preset_name), planned, out)
    return outcome


def load_or_new(folder: str | Path, preset_name: str) -> Stored:
    """What is stored in a folder, or nothing yet.

    Args:
        folder: of the study.
        preset_name: whose results they must be.

    Returns:
        The results.

    Raises:
        HLError: for results of another preset.
    """
    if (user_path(folder) / "ablation.json").is_file():
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


# ---- scoring -------------------------------------------------------------------------------------
def score_all(
    stored: Stored, planned: Iterable[Planned], out: str | Path, said: Callable[[str], None] = print
) -> None:
    """Score what is finished in out/runs and not yet stored, H2L runs too; save after each.

    Args:
        stored: the results so far; added to.
        planned: the trainings.
        out: folder of the study.
        said: is given a line a run.
    """
    planned = list(planned)
    cells = {p.run.name: p.cell for p in planned}
    with one_thread():
        if not stored.references:
            stored.references = references(stored, stored.about["n"])
        for run in in_order(p.run for p in planned):
            reported = run.name in cells or run.stage == "h2l"
            if reported and run.name not in stored.runs and folder_of(run, out).finished:
                stored.runs[run.name] = _score(stored, run, cells.get(run.name), out)
                stored.save(out)
                said(f"scored {run.name}")
        stored.gaps = all_gaps(stored)
        stored.save(out)


def _score(stored: Stored, run: Run, cell: Cell | None, out: str | Path) -> dict:
    """The entry of a finished run; of a restorer the arrays are kept too."""
    folder, n = folder_of(run, out), stored.about["n"]
    entry = describe(run, stored.about["preset"])
    entry["training"] = dict(folder.read_scores())
    if run.stage == "h2l":
        h2l = load_weights(folder.path, stage="h2l")
        entry["scores"] = score_degrader(h2l, n, seed=run.cfg.seed)
        return entry
    scored = score_restorer(lambda lo: upscale(folder.path, lo), n)
    keep(stored, run.name, scored, cell, run.cfg.seed)
    return entry | {"scores": scored.scores, "psnr_faces": scored.faces}


def describe(run: Run, preset_name: str) -> dict:
    """What a run is: stage, seed, what it started from, how it differs from the preset.

    Args:
        run: of the study.
        preset_name: what its configuration is held against.

    Returns:
        The entry of the run, without scores.
    """
    changed = {}
    for name, (_, own) in differences(run.cfg, preset(preset_name)).items():
        if name != "seed":
            changed[name] = own
    return {"stage": run.stage, "seed": run.cfg.seed, "from": run.sources(), "changed": changed}


def keep(
    stored: Stored, name: str, scored: Scored, cell: Cell | None = None, seed: int = 0
) -> None:
    """The arrays that figures need: the first faces of seed 0, and in the matrix all features.

    Args:
        stored: the results; added to.
        name: of the run.
        scored: what was measured of it.
        cell: that it is of; None for a reference.
        seed: of the run.
    """
    if cell is None or (cell.id in PICTURED and seed == 0):
        stored.arrays[f"faces/{name}"] = to_uint8(scored.pictures).numpy()
    if cell is not None and cell.id in AXES["matrix"].cells:
        stored.arrays[f"features/{name}"] = scored.features.numpy().astype(np.float16)


def references(stored: Stored, n: int) -> dict[str, dict]:
    """What needs no training: bicubic enlargement, and every fixed degradation as a degrader.

    Args:
        stored: the results; the arrays are added.
        n: how many test faces.

    Returns:
        Name -> its entry.
    """
    scored = score_restorer(enlarged, n)
    keep(stored, "bicubic", scored)
    entries = {"bicubic": {"scores": scored.scores, "psnr_faces": scored.faces}}
    for degradation in FIXED:
        entries[f"h2l:{degradation}"] = {"scores": score_degrader(degradation, n)}
    return entries


# ---- the share of the gap ------------------------------------------------------------------------
def all_gaps(stored: Stored) -> dict[str, dict]:
    """METRIC/LOSS/DEGRADATION -> the share of the gap, with the runs that it is of.

    Taken anew only where other runs are stored than it was taken of.
    """
    gaps = {}
    for loss in LOSSES:
        for degradation in BETWEEN:
            names = {}
            for d in ("bilinear", degradation, "camera"):
                names[d] = [p.run.name for p in stored.planned(f"{d}-{loss}")]
            if not all(names.values()):
                continue
            for metric in ("psnr", "frechet_lite0"):
                key = f"{metric}/{loss}/{degradation}"
                gaps[key] = stored.gaps.get(key, {})
                if gaps[key].get("of") != names:
                    gaps[key] = {**gap(stored, metric, names), "of": names}
    return dict(sorted(gaps.items()))


def gap(stored: Stored, metric: str, names: dict[str, list[str]]) -> dict:
    """The share of the gap between the first and the third of three lists of runs.

    It is the second list that closes it; see `metrics.gap_closed`.

    Args:
        stored: the results.
        metric: "psnr" or "frechet_lite0".
        names: three degradations -> names of their runs, a seed each.

    Returns:
        As `metrics.gap_closed`.
    """
    if metric == "psnr":
        scores = [[stored.runs[n]["psnr_faces"] for n in runs] for runs in names.values()]
        low, mid, high = (torch.tensor(s) for s in scores)
        return gap_closed(low, mid, high)
    features = []
    for runs in names.values():
        held = [stored.arrays[f"features/{n}"].astype(np.float64) for n in runs]
        features.append([torch.from_numpy(a) for a in held])
    bilinear, learned, oracle = features
    reference = test_set(stored.about["n"]).train_features
    return gap_closed(bilinear, learned, oracle, reference)
