"""What the shipped learned camera has found, and whether the recipe holds on other cameras.

    python tools/results/learned_camera.py law                     its numbers beside the truth
    python tools/results/learned_camera.py robustness [--jobs N]   trains what is missing, resumable

Both rewrite results/learned_camera.json; `law` draws figures/learned-camera.png too. A robustness
run is an H2L on the pictures of one camera, then a pixel-only L2H of 8,000 images on its pairs,
scored on the same camera's pictures of `faces:val`: about five minutes of a core.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from publish import between_marks

import hlgan_lib as hl
from hlgan_lib.analysis.camera_law import NUMBERS, coupling, learned_law, true_law
from hlgan_lib.data import FaceSet, Pairs, load_faces, to_uint8
from hlgan_lib.degradations.other_cameras import OTHER_CAMERAS
from hlgan_lib.files import save_json
from hlgan_lib.inference import shots
from hlgan_lib.metrics import enlarge_lo, extract, frechet, psnr
from hlgan_lib.runtime import one_thread
from hlgan_lib.viz import save_figure
from hlgan_lib.viz.laws import laws

ROOT = Path(__file__).resolve().parents[2]
STORED = ROOT / "results" / "learned_camera.json"
# What is tried of the learned camera, and the fields that differ. `both` is the recipe.
RECIPES = {
    "both": {"w_stats": 0.05},
    "gan": {"w_stats": 0.0},
    "statistics": {"w_gan": 0.0, "w_stats": 0.05},
    "gan+r1": {"w_stats": 0.0, "w_r1": 1.0},
    "both+r1": {"w_stats": 0.05, "w_r1": 1.0},
    "both, 4 x statistics": {"w_stats": 0.2},
}
BASELINES = ("camera itself", "bilinear", "handmade")
CAMERAS = ("shipped", "webcam", "night", "scan", "clean")
N_LO = (300, 100, 1000, 0)  # LR pictures; 0 means all
N_SEEDS = 3
STUDY = hl.preset("study").replace(amp="off")
HALF = 1_500  # of the HR training faces: the first stay HR, another camera photographs the rest


def law() -> dict:
    """Mean and spread of each number, learned and true, and the coupling with the face."""
    net = hl.load_weights("h2l")
    found = {"learned": learned_law(net), "camera (truth)": true_law()}
    pairs = load_faces("faces:test")
    hi = pairs.hi.batch()
    alt = (
        "Eight panels, one a number of the camera: the distribution that the learned camera draws "
        "beside that of the simulated camera, whose numbers it never saw"
    )
    figure = laws(found, units=NUMBERS, alt=alt)
    made: dict[str, Any] = {
        "command": "python tools/results/learned_camera.py law",
        "preset": "study",
        "seed": 0,
    }
    save_figure(figure, ROOT / "figures" / "learned-camera.png", **made)
    table: dict[str, Any] = {}
    for name in NUMBERS:
        for label, numbers in found.items():
            mean, spread = numbers[name].mean().item(), numbers[name].std().item()
            table.setdefault(name, {})[label] = {"mean": round(mean, 3), "spread": round(spread, 3)}
    kept = {"learned": shots(net, hi)[0], "network (h2l)": shots("learned:h2l", hi)[0]}
    kept["camera (truth)"] = pairs.lo.batch()
    slopes = {}
    for label, lo in kept.items():
        slopes[label] = {k: round(slope, 3) for k, slope in coupling(lo, hi).items()}
    return {"law": table, "coupling": slopes}


def jobs(seeds: int) -> list[dict]:
    """Every run of the robustness grid, those that matter most first."""
    planned = []
    for seed in range(seeds):
        for camera in CAMERAS:
            planned += [job(name, camera, 0, seed) for name in BASELINES]
        planned += [job(name, "shipped", 0, seed) for name in RECIPES]
        for camera in CAMERAS:
            for n_lo in N_LO:
                planned += [job(name, camera, n_lo, seed) for name in ("both", "statistics", "gan")]
    return list({p["id"]: p for p in planned}.values())


def job(recipe: str, camera: str, n_lo: int, seed: int) -> dict:
    """One run, by name."""
    run = {"recipe": recipe, "camera": camera, "n_lo": n_lo, "seed": seed}
    return {"id": "-".join(str(value) for value in run.values()), **run}


def photographed(faces: FaceSet, camera: str, seed: int) -> FaceSet:
    """The faces under one of the other cameras."""
    generator = torch.Generator().manual_seed(seed)
    starts = range(0, len(faces), 64)
    take = OTHER_CAMERAS[camera]
    parts = [take(faces.batch(slice(i, i + 64)), generator).lo for i in starts]
    return FaceSet(to_uint8(torch.cat(parts)).numpy(), tuple(faces.names), camera)


def pictures_of(camera: str) -> tuple[FaceSet, FaceSet, Pairs]:
    """HR faces, LR pictures of other people, and the pairs of `faces:val` to score on."""
    hi, val = load_faces("faces:train-hi"), load_faces("faces:val")
    if camera == "shipped":
        return hi, load_faces("faces:train-lo"), val
    pairs = Pairs(val.hi, photographed(val.hi, camera, seed=6))
    return hi[:HALF], photographed(hi[HALF : 2 * HALF], camera, seed=5), pairs


def run_job(planned: dict) -> dict:
    """Train and score one run, on one thread."""
    with one_thread(), tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        hi, lo, pairs = pictures_of(planned["camera"])
        done = dict(planned)
        if planned["recipe"] in BASELINES:
            degradation = planned["recipe"]
            if degradation == "camera itself":
                other = planned["camera"]
                degradation = "camera" if other == "shipped" else f"camera:{other}"
        else:
            cfg = STUDY.replace(h2l_steps=1_500, n_lo=planned["n_lo"])
            cfg = cfg.replace(seed=planned["seed"], **RECIPES[planned["recipe"]])
            for _ in hl.train(cfg, "h2l", hi=hi, lo=lo, out=f"{folder}/h2l"):
                pass
            degradation = f"learned:{folder}/h2l"
            made = shots(degradation, pairs.hi.batch(), seed=9)[0]
            sides = (extract(enlarge_lo((x + 1) / 2)) for x in (made, pairs.lo.batch()))
            done["frechet_lo"] = round(frechet(*sides), 1)
        cfg = STUDY.replace(w_gan=0.0, l2h_steps=500, seed=planned["seed"])
        for _ in hl.train(cfg, "l2h", out=f"{folder}/l2h", hi=hi, degradation=degradation):
            pass
        restored = hl.upscale(f"{folder}/l2h", pairs.lo.batch())
        scores = psnr((restored + 1) / 2, (pairs.hi.batch() + 1) / 2)
        done["psnr"] = round(float(scores.mean()), 2)
        done["seconds"] = round(time.perf_counter() - start)
        return done


def robustness(stored: dict, seeds: int, n_jobs: int) -> None:
    """Train what is not stored yet; each result is stored at once."""
    rows = stored.setdefault("robustness", {})
    missing = [planned for planned in jobs(seeds) if planned["id"] not in rows]
    print(f"{len(missing)} runs are missing")
    with multiprocessing.get_context("spawn").Pool(n_jobs) as pool:
        for done in pool.imap_unordered(run_job, missing):
            rows[done.pop("id")] = done
            save_json(STORED, stored)
            print(done, flush=True)


def law_table(stored: dict) -> str:
    """The law of each number and the coupling, as Markdown."""
    lines = ["| number | unit | learned | camera (truth) |", "|---|---|---|---|"]
    for name, unit in NUMBERS.items():
        cells = []
        for label in ("learned", "camera (truth)"):
            entry = stored["law"][name][label]
            mean = round(entry["mean"], 2) + 0.0  # no -0.00
            cells.append(f"{mean:.2f}, spread {entry['spread']:.2f}")
        lines.append(f"| {name} | {unit} | {' | '.join(cells)} |")
    lines += [
        "",
        "| how much of a face's own is kept | light | warmth | tint |",
        "|---|---|---|---|",
    ]
    for label, slopes in stored["coupling"].items():
        cells = [f"{slopes[k]:.2f}" for k in ("light", "warmth", "tint")]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def robustness_table(stored: dict) -> str:
    """PSNR by camera and number of LR pictures, mean and half the range of seeds, as Markdown."""
    rows = stored["robustness"]
    columns = (*BASELINES, "both", "statistics", "gan")
    lines = [f"| camera | LR pictures | {' | '.join(columns)} |", "|---" * (2 + len(columns)) + "|"]
    for camera in CAMERAS:
        for n_lo in sorted(N_LO, key=lambda n: n or 10**9):
            cells = []
            for recipe in columns:
                shared = 0 if recipe in BASELINES else n_lo
                found = [rows.get(job(recipe, camera, shared, s)["id"]) for s in range(N_SEEDS)]
                cells.append(_over_seeds([row["psnr"] for row in found if row]))
            if any(cells[len(BASELINES) :]):
                lines.append(f"| {camera} | {n_lo or 'all'} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _over_seeds(psnr: list[float]) -> str:
    """Mean and half the range; of one seed the number alone."""
    if not psnr:
        return ""
    mean = f"{sum(psnr) / len(psnr):.2f}"
    return mean if len(psnr) == 1 else f"{mean} ± {(max(psnr) - min(psnr)) / 2:.2f}"


def cleared_table(stored: dict) -> str:
    """What the devices that were taken out had been worth, as Markdown."""
    lines = [
        "| the discriminator of LR images also had | Fréchet to real LR | PSNR, dB |",
        "|---|---|---|",
    ]
    for label, row in stored["cleared"].items():
        lines.append(f"| {label} | {row['frechet_lo']:.1f} | {row['psnr']:.2f} |")
    return "\n".join(lines)


def write_page(stored: dict, page: Path = ROOT / "docs" / "learned_camera.md") -> None:
    """Put the tables between their marks."""
    between_marks(page, cleared_table(stored), "cleared")
    between_marks(page, law_table(stored), "law")
    between_marks(page, robustness_table(stored), "robustness")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=("law", "robustness"))
    parser.add_argument("--seeds", type=int, default=N_SEEDS)
    parser.add_argument("--jobs", type=int, default=2, help="processes, one thread each")
    args = parser.parse_args()
    stored = json.loads(STORED.read_text()) if STORED.is_file() else {}
    if args.part == "law":
        stored |= law()
        save_json(STORED, stored)
    else:
        robustness(stored, args.seeds, args.jobs)
    write_page(stored)


if __name__ == "__main__":
    main()
