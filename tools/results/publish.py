"""For maintainers: put a finished study into the repository (`make results` calls this last but
one).

    python tools/results/publish.py runs/study

Copies the stored results into results/, writes the comparison of methods beside them, ships the
weights of seed 0 with their cards and hashes, draws the two figures that need shipped weights, and
rewrites the tables of README and findings. What is not finished is named and left as it is.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
from pathlib import Path

import torch

import hlgan_lib as hl
from hlgan_lib.checkpoint import RunFolder, read_weights, save_weights, stored_config
from hlgan_lib.data.loading import load_faces
from hlgan_lib.degradations.handmade import bilinear
from hlgan_lib.files import save_json, user_path
from hlgan_lib.inference import SHIPPED, shipped_weights
from hlgan_lib.study.compare import write as write_comparison
from hlgan_lib.study.grid import CELLS
from hlgan_lib.study.results import Stored, load
from hlgan_lib.study.run import Run
from hlgan_lib.study.tables import findings, readme_table
from hlgan_lib.viz.canvas import save_figure
from hlgan_lib.viz.faces import face_grid

ROOT = Path(__file__).resolve().parents[2]
MAX_MB = 34  # of all weights together
# Shipped name -> cell, of what the study trains; the large weights are `gpu.py`'s.
WEIGHTS = {"l2h-pixel": "learned-pixel", "srgan": "srgan", "cyclegan": "cyclegan"}


def shipped_runs(preset: str) -> dict[str, Run]:
    """The run behind each shipped name: seed 0 of its cell; `h2l-paper` is the H2L of one."""
    cfg = hl.preset(preset)
    runs = {name: CELLS[cell].run(cfg) for name, cell in WEIGHTS.items()}
    return {"h2l-paper": CELLS["paper-pixel"].run(cfg).needs[0], **runs}


def ship(stored: Stored, runs: Path, into: Path = SHIPPED) -> list[str]:
    """Weights by name in half precision, a card and samples each, hashes.json over all.

    The names that were shipped.
    """
    into.mkdir(exist_ok=True)
    done = []
    for name, run in shipped_runs(stored.about["preset"]).items():
        folder = RunFolder(runs / run.name)
        if not folder.finished or run.name not in stored.runs:
            print(f"{name} is not shipped: {run.name} is not finished and scored")
            continue
        state, metadata = read_weights(folder.weights)
        cfg, stage = stored_config(metadata), metadata.pop("stage")
        notes = {k: v for k, v in metadata.items() if k != "config"}
        notes |= {"run": run.name, "dtype": "float16"}
        half = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
        path = into / f"{name}.safetensors"
        fresh = path.with_suffix(".new")
        save_weights(fresh, half, stage, cfg, notes)
        replace_if_new(path, fresh)
        weigh(into)  # load_weights checks the hash
        alt = samples(path, name, stage)
        (into / f"{name}.md").write_text(card(name, run, stored, alt))
        done.append(name)
    return done


def replace_if_new(path: Path, fresh: Path) -> None:
    """Put `fresh` in place of weights that hold something else.

    The same weights give other bytes each time, and the same configuration another text once there
    are more fields.
    """
    if path.is_file():
        (old, about), (new, about_new) = read_weights(path), read_weights(fresh)
        same_config = stored_config(about) == stored_config(about_new)
        del about["config"], about_new["config"]
        same_words = same_config and about == about_new and old.keys() == new.keys()
        if same_words and all(torch.equal(old[k], new[k]) for k in new):
            fresh.unlink()
            return
    fresh.replace(path)


def weigh(into: Path = SHIPPED) -> None:
    """hashes.json over all weights there; stops where they are too large together."""
    files = sorted(into.glob("*.safetensors"))
    megabytes = sum(p.stat().st_size for p in files) / 1e6
    if megabytes > MAX_MB:
        raise SystemExit(
            f"the weights hold {megabytes:.1f} MB together, allowed are {MAX_MB}: ship "
            "fewer or narrower"
        )
    save_json(
        into / "hashes.json", {p.stem: hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
    )


@torch.no_grad()
def samples(path: Path, name: str, stage: str) -> str:
    """The first 64 test faces under these weights as a JPEG beside them; its alt text."""
    hi, lo = (side.batch(slice(0, 64)) for side in load_faces("faces:test"))
    net = hl.load_weights(path)
    if stage == "h2l":
        rows = {"HR": hi, "learned": hl.degrade(net, hi)[:, 0]}
    elif stage == "flow":
        first, second = hl.sample(net, lo, n=2).unbind(1)
        rows = {"LR": lo, "draw 1": first, "draw 2": second, "ground truth": hi}
    else:
        rows = {"LR": lo, "restored": hl.upscale(net, lo), "ground truth": hi}
    alt = f"64 unselected test faces under {name}: rows of {', '.join(rows)}"
    blocks = {
        f"{row} {8 * i + 1}-{8 * i + 8}": x[8 * i : 8 * i + 8]
        for i in range(8)
        for row, x in rows.items()
    }
    face_grid(blocks, alt=alt, n=8).savefig(path.with_suffix(".jpg"), dpi=70)
    return alt


def card(name: str, run: Run, stored: Stored, alt: str) -> str:
    """What a user of shipped weights must know, as Markdown."""
    about, entry = stored.about, stored.runs[run.name]
    s = entry["scores"]
    if run.stage == "h2l":
        others = {
            d: stored.references[f"h2l:{d}"]["scores"]["frechet_lite0"]["value"]
            for d in ("bilinear", "camera")
        }
        scores = (
            f"Fréchet distance (EfficientNet-Lite0, n = {about['n']}) to the camera's shots "
            "of `faces:test`: "
            f"{s['frechet_lite0']['value']:.1f}; bilinear {others['bilinear']:.1f}, the "
            "camera itself "
            f"{others['camera']:.1f}"
        )
    else:
        low, high = s["camera"]["psnr"]["ci"]
        scores = (
            f"on `faces:test` (n = {about['n']}): PSNR {s['camera']['psnr']['value']:.2f} "
            f"dB [{low:.2f}, "
            f"{high:.2f}], SSIM {s['camera']['ssim']['value']:.3f}, Fréchet distance "
            "(EfficientNet-Lite0) to "
            f"`faces:train-hi` {s['wild']['frechet_lite0']['value']:.0f}; floor "
            f"{about['floors']['frechet_lite0']:.0f}"
        )
    more = ""
    if run.stage == "h2l":
        spreads = (s, stored.references["h2l:camera"]["scores"])
        own, camera = (f"{entry['diversity']['total']:.4f}" for entry in spreads)
        network = "the paper's network, its two loss terms and nothing else"
        if run.cfg.is_camera:
            network = "a learned camera"
        more = (
            f"| what it is | {network} |\n"
            f"| spread over z of one face | {own} of full scale; the camera's own {camera} |\n"
        )
    way = (
        "degraded by a learned camera of the study"
        if isinstance(run.degradation, Run)
        else f"degraded: {run.degradation}"
    )
    unpaired = "`faces:train-hi` and, unpaired, `faces:train-lo`"
    loss = "" if run.cfg.w_gan else ", pixel loss only"
    trained = entry["training"]
    return f"""# Weights `{name}`

![{alt}]({name}.jpg)

| | |
|---|---|
| stage | {run.stage}, preset `{about["preset"]}`{loss} |
{more}| data | {f"`faces:train-hi`, {way}" if run.degradation else unpaired} |
| seed | {run.cfg.seed} |
| images seen | {trained["images"]:,} |
| scores | {scores} |
| hardware | {about["hardware"]}; {trained["seconds"] / 60:.0f} minutes |
| stored as | float16 safetensors, EMA weights; configuration in the metadata; SHA-256 in `hashes.json` |
| terms | teaching and research, non-commercial (`LICENSE-DATA`) |
| intended use | teaching what a learned degradation is worth; never to identify anybody |
| limits | mostly frontal generated faces; one simulated camera; details of restored faces are invented |
"""  # noqa: E501 (rows of a table)


def figures(about: dict, into: Path = ROOT / "figures") -> None:
    """What both kinds of H2L make of the first eight test faces."""
    made = {
        "command": "make results",
        "preset": about["preset"],
        "seed": 0,
        "hardware": about["hardware"],
    }
    hi, lo = (side.batch(slice(0, 8)) for side in load_faces("faces:test"))
    rows = {"HR": hi, "bilinear": bilinear(hi)}
    for label, weights in (("learned camera", "h2l"), ("paper's H2L", "h2l-paper")):
        made_lo = hl.degrade(weights, hi, n_z=2)
        rows |= {f"{label}, z {k + 1}": made_lo[:, k] for k in range(2)}
    rows["ground truth"] = lo
    alt = f"The first eight test faces in rows: {', '.join(rows)}"
    save_figure(face_grid(rows, alt=alt), into / "h2l.png", **made)


def between_marks(page: Path, text: str, mark: str = "results") -> None:
    """Rewrite what stands between the marks of a page."""
    begin, end = f"<!-- {mark}:begin -->", f"<!-- {mark}:end -->"
    old = page.read_text()
    page.write_text(f"{old.split(begin)[0]}{begin}\n{text}\n{end}{old.split(end)[1]}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", type=user_path, help="the --out of hlgan ablate and hlgan compare")
    study = parser.parse_args().study
    stored = load(study)
    for name in ("ablation.json", "ablation.npz"):
        shutil.copyfile(study / name, ROOT / "results" / name)
    write_comparison(stored, ROOT / "results")
    print("shipped:", ", ".join(ship(stored, study / "runs")))
    if {"h2l", "h2l-paper"} <= set(shipped_weights()):
        figures(stored.about)
    between_marks(ROOT / "README.md", readme_table(stored))
    between_marks(ROOT / "docs" / "findings.md", findings(stored))


if __name__ == "__main__":
    main()
