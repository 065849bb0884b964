"""What a GPU is for: its tests, its bench, and the large weights. Needs no network.

    python tools/results/gpu.py tests                        the tests marked gpu
    python tools/results/gpu.py bench                        results/gpu-CARD.json
    python tools/results/gpu.py weights RUNS [--faces NPY]   H2L, then three L2H of equal length
    python tools/results/gpu.py publish RUNS                 scores and ships them (any machine)

`make gpu` runs the first three. Each takes at most --seconds; `weights` goes on where it stopped.
FACES: more HR faces, uint8 (N, 3, 64, 64), as tools/faces/torchfaces.py makes them.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from publish import between_marks, replace_if_new, samples, weigh

import hlgan_lib as hl
from hlgan_lib.checkpoint import RunFolder, read_weights, save_weights, stored_config
from hlgan_lib.data import FaceSet, load_faces
from hlgan_lib.files import save_json, user_path
from hlgan_lib.inference import SHIPPED
from hlgan_lib.networks import enlarged
from hlgan_lib.study.scoring import floors, score_degrader, score_restorer
from hlgan_lib.text import as_json
from hlgan_lib.viz import face_grid, save_figure

ROOT = Path(__file__).resolve().parents[2]
MARK = "pytest.mark.gpu"
H2L = "h2l"
# The learned camera at the size of `study`; batches of 32 for steadier statistics.
H2L_CONFIG = hl.preset("study").replace(batch=32, h2l_steps=2_000)
# L2H at the width of `colab`, in batches twice as large; DiffAugment holds the discriminator.
L2H_CONFIG = hl.preset("colab").replace(
    batch=128, lr=7e-4, d_aug=True, amp="bf16", l2h_steps=6_846, tick_images=12_800
)
PAIRS = {
    "l2h": f"learned:{H2L}",
    "l2h-bilinear": "bilinear",
    "l2h-handmade": "handmade",
}


def card_name() -> str:
    """The GPU's name, fit for a file; "cpu" where there is none."""
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    return re.sub(r"[^a-z0-9]+", "-", name.lower().replace("nvidia", "")).strip("-")


def more_faces(path: Path | None) -> FaceSet:
    """The shipped HR training faces, with those of a file behind them."""
    faces = load_faces("faces:train-hi")
    if path is None:
        return faces
    more = np.load(path, mmap_mode="r")
    names = tuple(f"{path.stem}-{i:06d}.png" for i in range(len(more)))
    images = np.concatenate([faces.images, more])
    return FaceSet(
        images, tuple(faces.names) + names, f"faces:train-hi and {len(more)} of {path.name}"
    )


def train_one(name: str, runs: Path, faces: Path | None, seconds: float, changes: dict) -> bool:
    """Train a run, or go on with it, for at most `seconds`; is it finished?"""
    end = time.monotonic() + seconds
    if name == H2L:
        cfg, stage, given = H2L_CONFIG.replace(**changes), "h2l", {}
    else:
        cfg, stage = L2H_CONFIG.replace(**changes), "l2h"
        degradation = PAIRS[name].replace(f"learned:{H2L}", f"learned:{runs / H2L}")
        given = {"hi": more_faces(faces), "degradation": degradation}
    steps = getattr(cfg, f"{stage}_steps")
    cfg = cfg.replace(save_images=max(cfg.tick_images, steps * cfg.batch // 6))
    folder = RunFolder(runs / name)
    going_on = folder.config.is_file()
    ticks = hl.train(
        cfg, stage, out=runs / name, resume=going_on, stop=lambda: time.monotonic() > end, **given
    )
    for tick in ticks:
        score = "" if tick.score is None else f", distance {tick.score:.0f}"
        print(f"{name}: {tick.images} images, {tick.rate:.0f} a second{score}", flush=True)
    return folder.finished


def train_weights(runs: Path, faces: Path | None, seconds: float, changes: dict) -> None:
    """H2L first, then the three L2H side by side: one alone leaves most of a card idle."""
    end = time.monotonic() + seconds
    card = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    save_json(runs / "machine.json", {"card": card, "beside": "three L2H side by side"})
    if not train_one(H2L, runs, None, seconds, changes):
        print(f"{H2L} is not finished: call again to go on")
        return
    command = [sys.executable, __file__, "one", str(runs), "--changes", as_json(changes)]
    command += ["--seconds", str(end - time.monotonic())]
    command += ["--faces", str(faces)] if faces else []
    going = {name: subprocess.Popen([*command, "--name", name]) for name in PAIRS}
    failed = [name for name, process in going.items() if process.wait()]
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")
    for name in PAIRS:
        done = RunFolder(runs / name).finished
        print(f"{name}: {'finished' if done else 'not finished, call again to go on'}")


def scores_of(path: Path, stage: str) -> dict:
    """Scores on `faces:test`, as the study takes them."""
    net = hl.load_weights(path)
    if stage == "h2l":
        return score_degrader(net)
    return score_restorer(lambda lo: hl.upscale(net, lo)).scores


def publish(
    runs: Path, names: list[str], into: Path = SHIPPED, results: Path = ROOT / "results"
) -> None:
    """Ship finished weights in half precision with cards; their scores go to gpu-weights.json.

    Names that are scored and not shipped are those left out of `names`.
    """
    stored = results / "gpu-weights.json"
    about = json.loads(stored.read_text()) if stored.is_file() else {}
    machine = json.loads((runs / "machine.json").read_text())
    about |= {"test": "faces:test", "floors": floors(), **machine}
    for name in (H2L, *PAIRS):
        folder = RunFolder(runs / name)
        if not folder.weights.is_file():
            print(f"{name}: no weights in {folder.path}")
            continue
        state, metadata = read_weights(folder.weights)
        cfg, stage = stored_config(metadata), metadata.pop("stage")
        notes = {k: v for k, v in metadata.items() if k != "config"}
        if "degradation" in notes:
            notes["degradation"] = PAIRS[name]
        if stage == "l2h":  # H2L is a few numbers, and each of them matters
            state = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
            notes["dtype"] = "float16"
        path = into / f"{name}.safetensors" if name in names else runs / f"{name}.safetensors"
        fresh = path.with_suffix(".new")
        save_weights(fresh, state, stage, cfg, notes)
        replace_if_new(path, fresh)
        if name in names:
            weigh(into)
        entry = {"stage": stage, "notes": notes | machine, "scores": scores_of(path, stage)}
        about[name] = entry
        save_json(stored, about)
        if name in names:
            alt = samples(path, name, stage)
            (into / f"{name}.md").write_text(card(name, entry, cfg, alt))
    hero(about)
    between_marks(ROOT / "README.md", large_table(about), "large")


@torch.no_grad()
def hero(about: dict, n: int = 8, seed: int = 0, into: Path = ROOT / "figures") -> None:
    """README's first picture: drawn test faces under bicubic, bilinear pairs and ours."""
    pairs = load_faces("faces:test")
    drawn = np.random.default_rng(seed).choice(len(pairs.hi), n, replace=False)
    hi, lo = (side.batch(sorted(drawn)) for side in pairs)
    rows = {
        "LR": lo,
        "bicubic": enlarged(lo),
        "L2H, bilinear pairs": hl.upscale("l2h-bilinear", lo),
        "L2H, learned camera": hl.upscale("l2h", lo),
        "ground truth": hi,
    }
    alt = (
        f"{n} test faces drawn by seed {seed}, in five rows: LR image, bicubic enlargement, "
        "restored by an L2H trained on bilinear pairs, by ours trained on the learned camera, "
        "ground truth"
    )
    made: dict[str, Any] = {
        "command": "python tools/results/gpu.py publish",
        "preset": "colab",
        "seed": seed,
    }
    save_figure(face_grid(rows, alt=alt), into / "hero.png", hardware=about["card"], **made)


def large_table(about: dict) -> str:
    """README's table of the large weights, as Markdown."""
    titles = ["L2H trained on", "PSNR dB, real LR", "SSIM, real LR", "Fréchet, real LR"]
    titles += ["PSNR dB, bilinear LR", "Fréchet, bilinear LR", "images seen"]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    labels = (
        "**learned camera** (`l2h`)",
        "bilinear pairs (`l2h-bilinear`)",
        "hand-made pairs (`l2h-handmade`)",
    )
    for name, label in zip(PAIRS, labels, strict=True):
        scores = about[name]["scores"]
        shots, clean, wild = (scores[test] for test in ("camera", "clean", "wild"))
        cells = [f"{shots['psnr']['value']:.2f}", f"{shots['ssim']['value']:.3f}"]
        cells += [f"{wild['frechet_lite0']['value']:.0f}", f"{clean['psnr']['value']:.2f}"]
        cells += [
            f"{clean['frechet_lite0']['value']:.0f}",
            f"{int(about[name]['notes']['images']):,}",
        ]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def card(name: str, entry: dict, cfg: hl.RunConfig, alt: str) -> str:
    """What a user of these weights must know, as Markdown."""
    notes, scores = entry["notes"], entry["scores"]
    if entry["stage"] == "h2l":
        distance = scores["frechet_lite0"]["value"]
        measured = (
            "Fréchet distance (EfficientNet-Lite0, n = 600) of its pictures of `faces:test` to "
            f"the camera's own: {distance:.1f}"
        )
        data = "`faces:train-hi` and, unpaired, `faces:train-lo`"
        kind = "the learned camera (`h2l_model camera`), its statistics held by the energy distance"
    else:
        psnr, ssim = scores["camera"]["psnr"], scores["camera"]["ssim"]["value"]
        (low, high), distance = psnr["ci"], scores["wild"]["frechet_lite0"]["value"]
        measured = (
            f"on `faces:test` (n = 600): PSNR {psnr['value']:.2f} dB [{low:.2f}, {high:.2f}], "
            f"SSIM {ssim:.3f}, Fréchet distance (EfficientNet-Lite0) to `faces:train-hi` "
            f"{distance:.0f}"
        )
        data = f"{notes['hi']}, degraded: {notes['degradation']}"
        kind = f"L2H of width {cfg.l2h_width}, GAN-led, DiffAugment, {cfg.amp}"
    return f"""# {name}

| | |
|---|---|
| what | {kind} |
| trained on | {data} |
| images seen | {int(notes["images"]):,} |
| took | {int(notes["seconds"]) / 60:.0f} minutes of one {notes["card"]}; {notes["beside"]} |
| measured | {measured} |
| made by | `python tools/results/gpu.py weights`, seed {cfg.seed} |

The faces are of people who do not exist (`LICENSE-DATA`): for teaching and research, never to
identify anybody. What an LR picture does not say is invented, skin tone, age, gaze and glasses
too: hold each restored face against its ground truth below.

![{alt}]({name}.jpg)
"""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("step", choices=("tests", "bench", "weights", "one", "publish"))
    parser.add_argument("runs", type=user_path, nargs="?", default=Path("runs/gpu"))
    parser.add_argument("--faces", type=user_path, help="more HR faces, .npy")
    parser.add_argument("--seconds", type=float, default=540, help="at most, then call again")
    parser.add_argument("--name", choices=(H2L, *PAIRS), help="one: which run")
    parser.add_argument("--changes", type=json.loads, default={}, help="fields to change, JSON")
    parser.add_argument("--ship", nargs="*", default=[H2L, *PAIRS])
    args = parser.parse_args()
    if args.step == "tests":
        # By name: others may need what a bare machine lacks before they are left out.
        files = [
            str(p) for p in sorted((ROOT / "tests").rglob("test_*.py")) if MARK in p.read_text()
        ]
        command = ["pytest", *files, "-m", "gpu and not slow", "-q", "-n", "8", "-W", "default"]
        raise SystemExit(subprocess.call([sys.executable, "-m", *command], cwd=ROOT))
    if args.step == "bench":
        out = ROOT / "results" / f"gpu-{card_name()}.json"
        tool = str(ROOT / "tools/results/bench_gpu.py")
        command = [tool, "--limit", str(args.seconds), "--out", str(out)]
        raise SystemExit(subprocess.call([sys.executable, *command]))
    if args.step == "weights":
        train_weights(args.runs, args.faces, args.seconds, args.changes)
    elif args.step == "one":
        train_one(args.name, args.runs, args.faces, args.seconds, args.changes)
    else:
        publish(args.runs, args.ship)


if __name__ == "__main__":
    main()
