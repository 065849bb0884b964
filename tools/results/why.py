"""For maintainers: what is each of the camera's faults worth to know?

    python tools/results/why.py runs/study

Pixel-only L2H on cameras that lack one thing (no light, no blur, ...), beside bilinear pairs, the
learned camera and the camera itself of `hlgan ablate`, seed 0. Writes results/why.json. One seed,
preset `study`, scored on faces:test as the grid is; unfinished runs go on.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from publish import between_marks

import hlgan_lib as hl
from hlgan_lib.checkpoint import RunFolder
from hlgan_lib.degradations import Degradation
from hlgan_lib.degradations.camera import lacking
from hlgan_lib.files import save_json, user_path
from hlgan_lib.runtime import one_thread
from hlgan_lib.study.grid import CELLS
from hlgan_lib.study.results import load
from hlgan_lib.study.scoring import score_restorer

ROOT = Path(__file__).resolve().parents[2]
WITHOUT = {
    "light and tone": {"exposure_ev": 0, "white_balance": 1, "gamma": 1, "contrast": 1},
    "motion and defocus": {"motion_px": 0, "defocus_px": 0},
    "noise": {"shot_gain": 0, "read_sigma": 0},
    "JPEG": {"camera_quality": 0, "site_quality": 100, "site_subsampled": 0},
}


def variants() -> dict[str, Degradation]:
    """Name -> the camera that lacks what the name says."""
    return {f"camera without {fault}": lacking(**off) for fault, off in WITHOUT.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "study", type=user_path, help="folder of a study, as `hlgan ablate --out` has it"
    )
    study = parser.parse_args().study
    stored, cfg = load(study), hl.preset("study").replace(w_gan=0.0)
    runs, rows = {}, {}
    for way in ("bilinear", "learned", "camera"):
        runs[way] = CELLS[f"{way}-pixel"].run(hl.preset("study"))
        rows[way] = stored.runs[runs[way].name]["scores"]["camera"]["psnr"]
    for name, make in variants().items():
        folder = RunFolder(study / "why" / name.replace(" ", "-"))
        started = (folder.path / "config.json").is_file()
        for _ in hl.train(cfg, "l2h", degradation=make, out=folder.path, resume=started):
            pass
        with one_thread():
            scored = score_restorer(partial(hl.upscale, folder.path))
        rows[name] = scored.scores["camera"]["psnr"]
        print(f"{name:32s} {rows[name]['value']:.2f} dB", flush=True)
    low, high = rows["bilinear"]["value"], rows["camera"]["value"]
    shares = {name: round((row["value"] - low) / (high - low), 3) for name, row in rows.items()}
    about = {
        "set": "faces:test",
        "n": stored.about["n"],
        "preset": "study",
        "loss": "pixel only",
        "seed": 0,
        "command": "python tools/results/why.py runs/study",
    }
    measured = {"about": about, "psnr": rows, "share of the gap": shares}
    save_json(ROOT / "results" / "why.json", measured)
    between_marks(ROOT / "docs" / "findings.md", table(measured), "why")


def table(measured: dict) -> str:
    """A row a degradation, best last: PSNR with its interval over faces, share of the gap."""
    lines = [
        "| pairs by | PSNR (dB), real LR | 95 % interval | share of the gap |",
        "|---|---|---|---|",
    ]
    for name, row in sorted(measured["psnr"].items(), key=lambda item: item[1]["value"]):
        ends = "{:.2f} to {:.2f}".format(*row["ci"])
        lines.append(
            f"| {name} | {row['value']:.2f} | {ends} | {measured['share of the gap'][name]:.0%} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
