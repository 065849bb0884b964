"""The paper's successors under one loop and one budget, beside bilinear pairs and the camera.

    python tools/results/successors.py [--runs DIR] [--only ROW ...]

Trains and scores what results/successors.json does not hold yet, stores each row at once, then
rewrites the tables of docs/successors.md and draws figures/flow.png. About ten minutes of an idle
core: the networks of the preset `quick`, 1,200 images, one seed.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from publish import between_marks
from torch import Tensor

import hlgan_lib as hl
from hlgan_lib.checkpoint import RunFolder
from hlgan_lib.data import load_faces, unit_range
from hlgan_lib.files import save_json, user_path
from hlgan_lib.metrics.pairs import consistency, psnr
from hlgan_lib.networks.baselines import enlarged
from hlgan_lib.networks.flow import FlowLowToHigh
from hlgan_lib.runtime import one_thread
from hlgan_lib.stats import mean_interval
from hlgan_lib.study.scoring import score_degrader, score_restorer
from hlgan_lib.training.build import new_loop
from hlgan_lib.viz import face_grid, save_figure

ROOT = Path(__file__).resolve().parents[2]
STORED = ROOT / "results" / "successors.json"
PAGE = ROOT / "docs" / "successors.md"
H2L = hl.preset("quick").replace(amp="off")  # 300 updates
CFG = H2L.replace(l2h_steps=75, flow_steps=75, semicycle_steps=75, pseudo_steps=75)  # 1,200 images
N_TEST = 200  # faces of faces:test
N_DRAWN, N_FACES = 8, 50  # faces of a picture, and test faces, of which the flow's spread is taken
EVEN_UPDATES = 200  # of the flow, about as many minutes as a GAN-led L2H of the same length

# What H2L is, by the name of its row; the other degradations need no training.
H2LS: dict[str, dict[str, Any]] = {
    "learned camera": {},
    "DSGAN": {"h2l_model": "paper", "separate": True, "z_input": "none"},
    "PDM": {"h2l_model": "kernel+noise"},
    "paper's H2L": {"h2l_model": "paper"},
}


class Row(NamedTuple):
    """A restorer of the table: its stage, what it is trained on, and what is set for it."""

    stage: str
    pairs: str
    changes: dict[str, Any]


PIXEL: dict[str, Any] = {"w_gan": 0.0}
R3GAN = {"gan_loss": "relativistic", "w_r1": 1.0, "w_r2": 1.0, "d_norm": "none"}
ROWS = {  # in the order of training: what answers most for its minutes first
    "pixel only": Row("l2h", "learned camera", PIXEL),
    "flow": Row("flow", "learned camera", {}),
    "hinge": Row("l2h", "learned camera", {}),
    "relativistic, R1 and R2 each eighth": Row(
        "l2h", "learned camera", R3GAN | {"penalty_every": 8}
    ),
    "semi-cycle": Row("semicycle", "learned camera", {}),
    "semi-cycle, real LR as heavy": Row("semicycle", "learned camera", {"w_real": 1.0}),
    "pseudo-supervision": Row("pseudo", "learned camera", {}),
    "bilinear": Row("l2h", "bilinear", PIXEL),
    "DSGAN": Row("l2h", "DSGAN", PIXEL),
    "PDM": Row("l2h", "PDM", PIXEL),
    "flow, as many minutes": Row("flow", "learned camera", {"flow_steps": EVEN_UPDATES}),
    "hand-made": Row("l2h", "handmade", PIXEL),
    "the camera itself": Row("l2h", "camera", PIXEL),
    "paper's H2L": Row("l2h", "paper's H2L", PIXEL),
}
RESTORERS = (
    "pixel only",
    "hinge",
    "relativistic, R1 and R2 each eighth",
    "flow",
    "flow, as many minutes",
    "semi-cycle",
    "semi-cycle, real LR as heavy",
    "pseudo-supervision",
)
DEGRADATIONS = (
    "bilinear",
    "hand-made",
    "pixel only",
    "paper's H2L",
    "DSGAN",
    "PDM",
    "the camera itself",
)


# ---- training ------------------------------------------------------------------------------------
def trained(
    stored: dict, name: str, stage: str, cfg: hl.RunConfig, folder: Path, **sources: Any
) -> Path:
    """The folder of a finished run; what it costs is stored beside."""
    costs = stored.setdefault("cost", {})
    if name not in costs:
        steps = getattr(cfg, f"{stage}_steps")
        seconds = steps * seconds_of_an_update(stage, cfg, **sources)
        costs[name] = {"images": steps * cfg.batch, "cpu_seconds": round(seconds)}
        save_json(STORED, stored)
    resume = RunFolder(folder).config.is_file()
    for tick in hl.train(cfg, stage, out=folder, resume=resume, device="cpu", **sources):
        print(f"{name}: {tick.images} images", flush=True)
    return folder


def seconds_of_an_update(stage: str, cfg: hl.RunConfig, n: int = 4, **sources: Any) -> float:
    """CPU time of an update, which other work on the machine does not lengthen much."""
    loop, _ = new_loop(cfg, stage, device="cpu", **sources)
    loop.update()
    begun = time.process_time()
    for _ in range(n):
        loop.update()
    return (time.process_time() - begun) / n


def folder_name(name: str) -> str:
    """A row's name as that of a folder."""
    return "".join(c if c.isalnum() else "-" for c in name)


def degradation(stored: dict, name: str, runs: Path) -> str:
    """A row's degradation as `hl.train` takes it, trained where it must be, and scored once."""
    found = name
    if name in H2LS:
        cfg = H2L.replace(**H2LS[name])
        run = trained(stored, f"H2L: {name}", "h2l", cfg, runs / f"h2l-{folder_name(name)}")
        found = f"learned:{run}"
    scores = stored.setdefault("degradations", {})
    if name not in scores:
        scores[name] = score_degrader(found, N_TEST)
        save_json(STORED, stored)
        print(name, scores[name]["frechet_lite0"], scores[name]["diversity"], flush=True)
    return found


def restorer(stored: dict, name: str, runs: Path) -> Path:
    """A row's network, trained where it is not there."""
    row = ROWS[name]
    cfg = CFG.replace(**row.changes)
    pairs = degradation(stored, row.pairs, runs)
    return trained(
        stored, name, row.stage, cfg, runs / f"l2h-{folder_name(name)}", degradation=pairs
    )


def score(stored: dict, name: str, runs: Path) -> None:
    """Train and score a row of the table."""
    folder = restorer(stored, name, runs)
    net = hl.load_weights(folder)

    def restore(lo: Tensor) -> Tensor:
        if not isinstance(net, FlowLowToHigh):
            return hl.upscale(net, lo)
        noise = net.noise(len(lo))  # of each face its own, for distances between sets
        pairs = zip(lo.split(64), noise.split(64), strict=True)
        return torch.cat([net(a, b) for a, b in pairs])

    stored.setdefault("scores", {})[name] = score_restorer(restore, N_TEST).scores
    save_json(STORED, stored)
    print(name, stored["scores"][name]["camera"], flush=True)


# ---- what a flow invents -------------------------------------------------------------------------
@torch.no_grad()
def spread_of(net: FlowLowToHigh) -> dict[str, Any]:
    """Several faces of each LR image: how far apart they lie, and how far from the truth."""
    pairs = load_faces("faces:test")
    hi, lo = (side.batch(slice(0, N_FACES)) for side in pairs)
    drawn = hl.sample(net, lo, n=N_DRAWN)
    truth, faces = unit_range(hi), unit_range(drawn)
    mean = faces.mean(1)
    first = faces[:, 0]
    # Were the truth one more draw, its squared distance to the mean of n would be (1 + 1/n) times
    # the variance.
    variance = faces.var(1).mean((1, 2, 3))
    error = (mean - truth).square().mean((1, 2, 3)) / (1 + 1 / N_DRAWN)
    scores = {
        "psnr_one": psnr(first, truth),
        "psnr_mean": psnr(mean, truth),
        "consistency": consistency(first, unit_range(lo)),
        "spread": variance.sqrt(),
        "missing": error.sqrt(),
    }
    found: dict[str, Any] = {"n": N_FACES, "drawn": N_DRAWN}
    for name, values in scores.items():
        value = values.double()
        ends = mean_interval(value)
        found[name] = {
            "value": round(value.mean().item(), 4),
            "ci": [round(end, 4) for end in ends] if ends else None,
        }
    found["explained"] = round((variance.sum() / error.sum()).item(), 3)
    return found


@torch.no_grad()
def draw(net: FlowLowToHigh) -> None:
    """LR, four draws, their mean and their spread, the truth."""
    pairs = load_faces("faces:test")
    hi, lo = (side.batch(slice(0, 8)) for side in pairs)
    drawn = hl.sample(net, lo, n=N_DRAWN)
    spread = drawn.std(1).mean(1, keepdim=True).expand(-1, 3, -1, -1)
    rows = {"LR": enlarged(lo, hi.shape[-1])}
    for i in range(4):
        rows[f"draw {i + 1}"] = drawn[:, i]
    rows[f"mean of {N_DRAWN}"] = drawn.mean(1)
    rows["spread, 0 to 0.25"] = (4 * spread - 1).clamp(-1, 1)
    rows["ground truth"] = hi
    alt = (
        "Eight test faces in rows: the LR image, four faces that a flow draws for it, the mean of "
        "eight draws, their standard deviation as brightness, ground truth"
    )
    made: dict[str, Any] = {"command": "python tools/results/successors.py", "preset": "quick"}
    save_figure(face_grid(rows, alt=alt, cell=64), ROOT / "figures" / "flow.png", seed=0, **made)


# ---- tables --------------------------------------------------------------------------------------
def _cell(score: dict, digits: int) -> str:
    """A value and its interval."""
    low, high = score["ci"]
    return f"{score['value']:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def _cost(stored: dict, name: str) -> str:
    """Images and minutes of CPU time."""
    cost = stored.get("cost", {}).get(name)
    return "" if cost is None else f"{cost['images']:,} | {cost['cpu_seconds'] / 60:.1f}"


def restorer_table(stored: dict) -> str:
    """The restorers, all on pairs of the learned camera."""
    lines = [
        "| restorer | PSNR dB | SSIM | Fréchet | consistency | images | CPU minutes |",
        "|---|---|---|---|---|---|---|",
    ]
    return _rows(stored, RESTORERS, lines)


def degradation_table(stored: dict) -> str:
    """The degradations, each with a pixel-only L2H."""
    lines = [
        "| pairs of | PSNR dB | SSIM | Fréchet of LR images to the camera's | spread over draws | "
        "images, H2L | CPU minutes, H2L |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in DEGRADATIONS:
        if name not in stored["scores"]:
            continue
        pairs = ROWS[name].pairs
        scores, made = stored["scores"][name]["camera"], stored["degradations"][pairs]
        label = pairs if name == "pixel only" else name
        cells = [label, _cell(scores["psnr"], 2), _cell(scores["ssim"], 3)]
        cells.append(_cell(made["frechet_lite0"], 0))
        cells.append(f"{made['diversity']['total']:.3f}")
        cost = _cost(stored, f"H2L: {pairs}") or "– | –"
        lines.append(f"| {' | '.join(cells)} | {cost} |")
    return "\n".join([*lines, *_not_run(stored, DEGRADATIONS)])


def _rows(stored: dict, names: tuple[str, ...], lines: list[str]) -> str:
    for name in names:
        if name not in stored["scores"]:
            continue
        on = stored["scores"][name]
        cells = [
            name,
            _cell(on["camera"]["psnr"], 2),
            _cell(on["camera"]["ssim"], 3),
            _cell(on["camera"]["frechet_lite0"], 0),
            f"{on['wild']['consistency']['value']:.1f}",
        ]
        lines.append(f"| {' | '.join(cells)} | {_cost(stored, name) or '– | –'} |")
    return "\n".join([*lines, *_not_run(stored, names)])


def _not_run(stored: dict, names: tuple[str, ...]) -> list[str]:
    """A line that names what is not stored yet; none where all is."""
    missing = [name for name in names if name not in stored["scores"]]
    return ["", f"Not run: {'; '.join(missing)}."] if missing else []


def flow_table(stored: dict) -> str:
    """What the flow's draws of one LR image are worth."""
    lines = [
        f"| flow | PSNR of one draw | of the mean of {N_DRAWN} | spread | error of the mean | "
        "variance explained |",
        "|---|---|---|---|---|---|",
    ]
    for name, found in stored.get("flow", {}).items():
        cells = [name, *(_cell(found[k], 2) for k in ("psnr_one", "psnr_mean"))]
        cells += [_cell(found[k], 3) for k in ("spread", "missing")]
        lines.append(f"| {' | '.join(cells)} | {100 * found['explained']:.1f} % |")
    return "\n".join(lines)


TABLES = {"degradations": degradation_table, "restorers": restorer_table, "flow": flow_table}


def write_page(stored: dict) -> None:
    """Put the tables between their marks."""
    for mark, table in TABLES.items():
        between_marks(PAGE, table(stored), mark)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=user_path, default=ROOT / "runs" / "successors")
    parser.add_argument("--only", nargs="*", default=list(ROWS), help="rows of ROWS, by name")
    args = parser.parse_args()
    stored = json.loads(STORED.read_text()) if STORED.is_file() else {}
    with one_thread():
        for name in args.only:
            if name not in stored.get("scores", {}):
                score(stored, name, args.runs)
            if ROWS[name].stage == "flow" and name not in stored.get("flow", {}):
                net = cast(FlowLowToHigh, hl.load_weights(restorer(stored, name, args.runs)))
                stored.setdefault("flow", {})[name] = spread_of(net)
                save_json(STORED, stored)
                draw(net)
        write_page(stored)


if __name__ == "__main__":
    main()
