"""For maintainers: what is the rest of the gap made of? Pixel-only L2H on degradations that lack
one thing, or gain it.

    python tools/results/why.py runs/study

It needs the runs of seed 0 of `hlgan ablate` and writes results/why.json.

Half of the question takes things from the camera (no light, no blur, ...): what is each of its
faults worth to know? The other half mends H2L: the camera's light in place of its own, or a JPEG at
the end. One seed each, preset `study`, scored on faces:test as the grid is; unfinished runs go on.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import torch
from publish import between_marks
from torch import Tensor

import hlgan_lib as hl
from hlgan_lib.checkpoint import RunFolder
from hlgan_lib.degradations import Degradation
from hlgan_lib.degradations.camera import lacking
from hlgan_lib.degradations.handmade import pool
from hlgan_lib.degradations.jpeg import jpeg_inside_photograph
from hlgan_lib.degradations.optics import srgb_decode, srgb_encode, tone
from hlgan_lib.files import save_json
from hlgan_lib.inference import resolve_degradation
from hlgan_lib.runtime import one_thread
from hlgan_lib.study.grid import CELLS
from hlgan_lib.study.results import load
from hlgan_lib.study.run import Run
from hlgan_lib.study.scoring import score_restorer

ROOT = Path(__file__).resolve().parents[2]
WITHOUT = {
    "light and tone": {"exposure_ev": 0, "white_balance": 1, "gamma": 1, "contrast": 1},
    "motion and defocus": {"motion_px": 0, "defocus_px": 0},
    "noise": {"shot_gain": 0, "read_sigma": 0},
    "JPEG": {"camera_quality": 0, "site_quality": 100, "site_subsampled": 0},
}


def with_jpeg(make: Degradation) -> Degradation:
    """`make`, then a JPEG as the camera's last one.

    Its qualities, its chroma, a block grid anywhere.
    """
    camera = hl.Camera()

    def jpeg(hi: Tensor, generator: torch.Generator) -> Tensor:
        lo, drawn = make(hi, generator), camera.draw(len(hi), generator)
        side = torch.full((len(hi),), lo.shape[-1])
        coded = jpeg_inside_photograph(
            (lo + 1) / 2, side, *(drawn[f"site_{k}"] for k in ("quality", "subsampled", "offset"))
        )
        return 2 * coded - 1

    return jpeg


def with_the_cameras_light(make: Degradation) -> Degradation:
    """`make`, its own light taken back (each channel's mean as in the face), then lit as the camera
    does.
    """
    camera = hl.Camera()

    def lit(hi: Tensor, generator: torch.Generator) -> Tensor:
        light, drawn = srgb_decode((make(hi, generator) + 1) / 2), camera.draw(len(hi), generator)
        per = {k: v.float().reshape(len(hi), -1, 1, 1) for k, v in drawn.items()}
        face, made = (
            x.mean((2, 3), keepdim=True) for x in (srgb_decode((pool(hi) + 1) / 2), light)
        )
        light = (
            light * face / made.clamp(min=1e-3) * per["white_balance"] * 2 ** per["exposure_ev"]
        ).clamp(0, 1)
        return 2 * tone(srgb_encode(light) ** per["gamma"], per["contrast"]) - 1

    return lit


def variants(h2l: Path) -> dict[str, Degradation]:
    """Name -> degradation; h2l is a run folder."""
    learned = resolve_degradation(f"learned:{h2l}", hl.preset("study"), torch.device("cpu"))
    return {f"camera without {k}": lacking(**off) for k, off in WITHOUT.items()} | {
        "learned, the camera's light": with_the_cameras_light(learned),
        "learned and JPEG": with_jpeg(learned),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "study", type=Path, help="folder of a study, as `hlgan ablate --out` has it"
    )
    study = parser.parse_args().study
    stored, cfg = load(study), hl.preset("study").replace(w_gan=0.0)
    runs, rows = {}, {}
    for way in ("bilinear", "learned", "camera"):
        runs[way] = CELLS[f"{way}-pixel"].run(hl.preset("study"))
        rows[way] = stored.runs[runs[way].name]["scores"]["camera"]["psnr"]
    h2l = runs["learned"].degradation
    assert isinstance(h2l, Run)
    for name, make in variants(study / "runs" / h2l.name).items():
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
        "| pairs by | PSNR (dB), shots | 95 % interval | share of the gap |",
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
