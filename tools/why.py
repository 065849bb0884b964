"""For maintainers: what is the rest of the gap made of? Pixel-only L2H on degradations that lack one thing, or gain it.

    python tools/why.py runs/study        needs the runs of seed 0 of `hlgan ablate`; writes results/why.json

Half of the question takes things from the camera (no light, no blur, ...): what is each of its faults worth to know?
The other half gives H2L what the degradation card says it lacks (more blur, a JPEG at the end). One seed each, preset
`study`, scored on faces:test as the grid is; unfinished runs go on.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from torch import Tensor

import hlgan_lib as hl
from hlgan_lib.ablation import CELLS
from hlgan_lib.checkpoint import RunFolder, save_json
from hlgan_lib.degrade import lacking
from hlgan_lib.evidence import load, one_thread
from hlgan_lib.jpeg import jpeg_inside_photograph
from hlgan_lib.optics import blur, gaussian
from hlgan_lib.scoring import score_restorer
from hlgan_lib.stages import resolve_degradation
from hlgan_lib.tasks import Degradation

ROOT = Path(__file__).resolve().parents[1]
WITHOUT = {"light and tone": {"exposure_ev": 0, "white_balance": 1, "gamma": 1, "contrast": 1},
           "motion and defocus": {"motion_px": 0, "defocus_px": 0}, "noise": {"shot_gain": 0, "read_sigma": 0},
           "JPEG": {"camera_quality": 0, "site_quality": 100, "site_subsampled": 0}}


def with_jpeg(make: Degradation) -> Degradation:
    """`make`, then a JPEG as the camera's last one: its qualities, its chroma, a block grid anywhere."""
    camera = hl.Camera()

    def jpeg(hi: Tensor, generator: torch.Generator) -> Tensor:
        lo, drawn = make(hi, generator), camera.draw(len(hi), generator)
        side = torch.full((len(hi),), lo.shape[-1])
        coded = jpeg_inside_photograph((lo + 1) / 2, side, *(drawn[f"site_{k}"] for k in ("quality", "subsampled",
                                                                                         "offset")))
        return 2 * coded - 1
    return jpeg


def with_blur(make: Degradation, px: float) -> Degradation:
    """`make` of faces that were blurred before, by a Gaussian of px pixels of hi."""
    def blurred(hi: Tensor, generator: torch.Generator) -> Tensor:
        width, angle = torch.full((len(hi),), px), torch.zeros(len(hi))
        return make(2 * blur((hi + 1) / 2, gaussian(width, width, angle, int(3 * px) + 1)) - 1, generator)
    return blurred


def missing_blur() -> float:
    """The Gaussian that makes H2L's pictures as blurred as the camera's, by results/card.json; pixels of hi."""
    ways = json.loads((ROOT / "results" / "card.json").read_text())["ways"]
    learned, camera = (ways[k]["blur width"]["value"] for k in ("learned", "real"))
    return (camera ** 2 - learned ** 2) ** 0.5


def variants(h2l: Path) -> dict[str, Degradation]:
    """Name -> degradation; h2l is a run folder."""
    learned = resolve_degradation(f"learned:{h2l}", hl.preset("study"), torch.device("cpu"))
    return ({f"camera without {k}": lacking(**off) for k, off in WITHOUT.items()}
            | {"learned and JPEG": with_jpeg(learned), "learned and blur": with_blur(learned, missing_blur())})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path, help="folder of a study, as `hlgan ablate --out` has it")
    study = parser.parse_args().study
    stored, cfg = load(study), hl.preset("study").replace(w_gan=0.0)
    run = CELLS["learned-pixel"].run(hl.preset("study"))
    rows = {way: stored.runs[CELLS[f"{way}-pixel"].run(hl.preset("study")).name]["scores"]["camera"]["psnr"]
            for way in ("bilinear", "learned", "camera")}
    for name, make in variants(study / "runs" / run.degradation.name).items():
        folder = RunFolder(study / "why" / name.replace(" ", "-"))
        started = (folder.path / "config.json").is_file()
        for _ in hl.train(cfg, "l2h", degradation=make, out=folder.path, resume=started):
            pass
        with one_thread():
            rows[name] = score_restorer(lambda lo, path=folder.path: hl.upscale(path, lo)).scores["camera"]["psnr"]
        print(f"{name:32s} {rows[name]['value']:.2f} dB", flush=True)
    low, high = rows["bilinear"]["value"], rows["camera"]["value"]
    shares = {name: round((row["value"] - low) / (high - low), 3) for name, row in rows.items()}
    save_json(ROOT / "results" / "why.json", {
        "about": {"set": "faces:test", "n": stored.about["n"], "preset": "study", "loss": "pixel only", "seed": 0,
                  "blur added, px of hi": round(missing_blur(), 2), "command": "python tools/why.py runs/study"},
        "psnr": rows, "share of the gap": shares})


if __name__ == "__main__":
    main()
