"""What training costs: over batch, size, width, dataset and processes; and how true estimates are.

    python tools/results/speed.py           about fifteen minutes of a core, 5 GB of disk and memory

Rewrites results/speed.json, figures/speed.png and the tables of docs/speed.md; `--only` does one
part of it anew. Times are the processor's, one thread a process, so that work beside bends them
little. What is compared is measured in turns. The images are made: an update costs the same
whatever it sees.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from publish import between_marks
from torch.nn.grad import conv2d_input, conv2d_weight

import hlgan_lib as hl
from hlgan_lib.bench.estimate import estimate
from hlgan_lib.data import FaceSet
from hlgan_lib.files import save_json, user_path
from hlgan_lib.loop import Loop
from hlgan_lib.parallel import together
from hlgan_lib.runtime import hardware, one_thread
from hlgan_lib.text import as_json
from hlgan_lib.training import new_loop
from hlgan_lib.viz.canvas import Figure, blank, line_style, quiet, save_figure

ROOT = Path(__file__).resolve().parents[2]
STORED = ROOT / "results" / "speed.json"
PAGE = ROOT / "docs" / "speed.md"
README = ROOT / "README.md"
BENCHES = ("bench.json", "bench-paper.json")  # what `hlgan bench` wrote, in results/
FIGURE = ROOT / "figures" / "speed.png"
COMMAND = "python tools/results/speed.py"

STUDY = hl.preset("study").replace(n_val=8, amp="off")  # the score at ticks is not measured here
STAGES = ("h2l", "l2h")
PARTS = ("rates", "start", "estimates")
WIDTHS = ("h2l_width", "l2h_width", "d_width")
N_FACES = 2_000
BATCHES = (4, 8, 16, 32, 64)
SIDES = (32, 64, 128)
FACTORS = (0.5, 1.0, 2.0)  # of all widths
DATASETS = (N_FACES, 20_000, 200_000)
PROCESSES = (1, 2)
N_TIMED = {"h2l": 21, "l2h": 5}  # updates, after one that is not
# Where the updates of `study` spend their time: images (D sees both kinds), channels, side.
CONVOLUTIONS = {
    "D of LR, 24 channels, 16 pixels": (32, 24, 16),
    "D of HR, 24 channels, 64 pixels": (32, 24, 64),
    "L2H, 64 channels, 16 pixels": (16, 64, 16),
}
N_CALLS = 15
N_SHORT = 3  # runs of an estimate and of a training that take seconds, in turns: their medians
STARTED = ("dataset_mib", "memory_mib", "own_memory_mib", "start_s", "start_processor_s")

_SHORT = {"batch": 4, "d_width": 8, "n_val": 64, "tick_images": 40, "save_images": 80}
ESTIMATED: tuple[tuple[str, str, dict[str, Any], float], ...] = (
    ("smoke", "h2l", {}, 3.0),
    ("smoke", "l2h", {}, 3.0),
    ("quick", "h2l", {}, 10.0),
    ("quick", "l2h", {}, 15.0),
    # The networks of the paper, batch norm and five updates of D, narrow and short.
    ("paper", "h2l", _SHORT | {"h2l_width": 8, "h2l_steps": 30}, 10.0),
    ("paper", "l2h", _SHORT | {"l2h_width": 16, "l2h_steps": 30}, 10.0),
)


# ---- cost over work ------------------------------------------------------------------------------
def made(side: int, n: int) -> FaceSet:
    """n made images of noise, repeated after the first N_FACES."""
    few = np.random.default_rng(0).integers(0, 256, (min(n, N_FACES), 3, side, side), np.uint8)
    images = np.tile(few, (-(-n // len(few)), 1, 1, 1))[:n]
    return FaceSet(images, tuple(f"{i}.png" for i in range(n)), "made")


def loop_of(stage: str, cfg: hl.RunConfig, n: int = N_FACES) -> Loop:
    """A loop on made images."""
    what: dict[str, Any] = {"degradation": "bilinear"}
    if stage == "h2l":
        what = {"lo": made(cfg.size_lo, N_FACES)}
    return new_loop(cfg, stage, hi=made(cfg.size_hi, n), device="cpu", **what)[0]


def varied(stage: str) -> dict[str, dict[str, Loop]]:
    """What is varied -> its value -> a loop; all else is that of `study`."""
    loops: dict[str, dict[str, Loop]] = {"batch": {}, "side": {}, "width": {}, "faces": {}}
    for n in BATCHES:
        loops["batch"][str(n)] = loop_of(stage, STUDY.replace(batch=n))
    for side in SIDES:
        cfg = STUDY.replace(size_hi=side, size_lo=side // 4)
        loops["side"][str(side)] = loop_of(stage, cfg)
    for factor in FACTORS:
        widths = {name: int(factor * getattr(STUDY, name)) for name in WIDTHS}
        loops["width"][f"{factor:g}"] = loop_of(stage, STUDY.replace(**widths))
    for n in DATASETS:
        loops["faces"][str(n)] = loop_of(stage, STUDY, n)
    return loops


def update_s(loop: Loop) -> float:
    """Processor seconds of an update."""
    began = time.process_time()
    loop.update()
    return time.process_time() - began


def curves(stage: str) -> dict[str, dict[str, float]]:
    """What is varied -> its value -> processor milliseconds an image: medians, taken in turns."""
    loops = varied(stage)
    taken: dict[Loop, list[float]] = {}
    for i in range(1 + N_TIMED[stage]):
        for kind in loops.values():
            for loop in kind.values():
                seconds = update_s(loop)
                if i:
                    taken.setdefault(loop, []).append(seconds)
    costs: dict[str, dict[str, float]] = {}
    for name, kind in loops.items():
        costs[name] = {}
        for value, loop in kind.items():
            ms = 1000 * statistics.median(taken[loop]) / loop.cfg.batch
            costs[name][value] = round(ms, 2)
    costs["processes"] = {str(n): together_cost(stage, n) for n in PROCESSES}
    return costs


def together_cost(stage: str, n: int) -> float:
    """Processor milliseconds an image of n processes that share each batch, added up."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    started = []
    for rank in range(n):
        env = os.environ | {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(n)}
        env |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        command = [sys.executable, __file__, "--one-of-several", stage]
        started.append(subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True))
    seconds = [float(process.communicate()[0]) for process in started]
    return round(1000 * sum(seconds) / STUDY.batch, 2)


def one_of_several(stage: str) -> None:
    """Print this process's seconds an update."""
    with together("cpu"):
        loop = loop_of(stage, STUDY)
        loop.update()
        seconds = statistics.median(update_s(loop) for _ in range(N_TIMED[stage]))
    sys.stdout.write(f"{seconds}\n")


# ---- what convolutions reach ---------------------------------------------------------------------
def convolution_rates() -> dict[str, dict[str, float]]:
    """GFLOP a processor second of 3x3 convolutions of `study`: forward, and both gradients."""
    rates = {}
    for name, (n, channels, side) in CONVOLUTIONS.items():
        x, g = (_in_layout(n, channels, side, side) for _ in range(2))
        w = _in_layout(channels, channels, 3, 3)
        flop = 2 * n * channels**2 * side**2 * 9
        works = {
            "forward": partial(torch.conv2d, x, w, padding=1),
            "gradient of images": partial(conv2d_input, x.shape, w, g, padding=1),
            "gradient of weights": partial(conv2d_weight, x, w.shape, g, padding=1),
        }
        taken: dict[str, list[float]] = {kind: [] for kind in works}
        for i in range(1 + N_CALLS):
            for kind, work in works.items():
                began = time.process_time()
                work()
                if i:
                    taken[kind].append(time.process_time() - began)
        rates[name] = {k: round(flop / statistics.median(v) / 1e9, 1) for k, v in taken.items()}
    return rates


def _in_layout(*shape: int) -> torch.Tensor:
    rng = torch.Generator().manual_seed(0)
    return torch.randn(shape, generator=rng).to(memory_format=torch.channels_last)


# ---- start and memory ----------------------------------------------------------------------------
def start(n: int) -> dict[str, float]:
    """Of L2H on a file of n faces: seconds to the first update, and memory beside the libraries."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "faces.npz"
        faces = made(STUDY.size_hi, n)
        faces.save(path)
        mib = faces.images.nbytes / 2**20
        del faces
        command = [sys.executable, __file__, "--start", str(path)]
        found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return {"dataset_mib": round(mib, 1)} | json.loads(found.stdout)


def print_start(path: Path) -> None:
    """Print what it takes to start on the file, in a process that did nothing else."""
    warm = loop_of("l2h", STUDY, 100)
    warm.update()  # what the libraries and an update need themselves
    # Not getrusage's maximum, which a child has of the process that started it.
    own, most = _mib("RssAnon"), _mib("VmHWM")
    wall, processor = time.perf_counter(), time.process_time()
    loop, _ = new_loop(STUDY, "l2h", hi=path, degradation="bilinear", device="cpu")
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    loop.update()
    found = {
        "start_s": round(wall, 2),
        "start_processor_s": round(processor, 2),
        "memory_mib": round(_mib("VmHWM") - most, 1),
        "own_memory_mib": round(_mib("RssAnon") - own, 1),
    }
    sys.stdout.write(as_json(found))


def _mib(kind: str) -> float:
    """Memory of this process: RssAnon, its own; VmHWM, the most so far, pages of files too."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(kind):
            return int(line.split()[1]) / 2**10
    raise SystemExit(f"this system does not tell {kind} of a process")


# ---- estimates -----------------------------------------------------------------------------------
def estimates() -> list[dict[str, Any]]:
    """What `hlgan bench --estimate` says, beside the whole training: each in its own process."""
    rows = []
    for i, (preset, stage, changes, _) in enumerate(ESTIMATED):
        taken: dict[str, list[float]] = {"estimate": [], "training": []}
        for _ in range(N_SHORT if preset == "smoke" else 1):
            for what, seconds in taken.items():
                command = [sys.executable, __file__, "--one", what, str(i)]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                seconds.append(float(done.stdout))
        found = {f"{what}_s": round(statistics.median(s), 2) for what, s in taken.items()}
        row = {"preset": preset, "stage": stage, "changes": changes} | found
        rows.append(row | {"ratio": round(found["estimate_s"] / found["training_s"], 2)})
    return rows


def print_one(what: str, i: int) -> None:
    """Print the processor seconds of an estimate's answer, or of the training itself."""
    preset, stage, changes, probe_s = ESTIMATED[i]
    cfg = hl.preset(preset).replace(**changes, amp="off")
    if what == "estimate":
        said = estimate(cfg, stage, device="cpu", seconds=probe_s, clock=time.process_time)
        sys.stderr.write(f"{said}\n")
        sys.stdout.write(f"{said.seconds}\n")
        return
    more = {"degradation": "bilinear"} if stage == "l2h" else {}
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        for _ in hl.train(cfg, stage, out=Path(folder) / "run", device="cpu", **more):
            pass
        sys.stdout.write(f"{time.process_time() - began}\n")


# ---- figure and page -----------------------------------------------------------------------------
MS = (1, 10, 100, 1000)  # on the axes of cost
PANELS = {
    "batch": "images a batch",
    "side": "side of HR images (pixels)",
    "width": "width, times that of study",
    "faces": "faces in the dataset",
    "processes": "processes that share a batch",
}


def drawn(stored: dict[str, Any]) -> Figure:
    """Cost an image over each thing that is varied, and memory over the size of the dataset."""
    figure = blank(9.0, 5.2)
    axes = figure.subplots(2, 3).flat
    for ax, (name, label) in zip(axes, PANELS.items(), strict=False):
        for i, stage in enumerate(STAGES):
            points = stored["stages"][stage][name]
            x = [float(value) for value in points]
            ax.plot(x, list(points.values()), "o", label=stage.upper(), **line_style(i))
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_ylim(MS[0], 2 * MS[-1])
        ax.set_xticks(x, [f"{value:,g}" for value in x])
        ax.set_yticks(MS, [f"{value:,}" for value in MS])
        ax.minorticks_off()
        quiet(ax, label, "ms an image")
    ax = axes[len(PANELS)]
    sizes = [row["dataset_mib"] for row in stored["start"].values()]
    memory = [row["memory_mib"] for row in stored["start"].values()]
    ax.plot(sizes, memory, "o", label="measured", **line_style(2) | {"linestyle": "none"})
    ax.plot(sizes, sizes, label="the dataset itself", **line_style(3))
    quiet(ax, "dataset (MiB)", "memory (MiB)")
    ax.legend(frameon=False, loc="lower right")
    axes[0].legend(frameon=False)
    return figure


def said(stored: dict[str, Any]) -> str:
    """The figure in words."""
    sentences = []
    for stage, measured in stored["stages"].items():
        kinds = []
        for name, points in measured.items():
            values = ", ".join(f"{value}: {ms:g}" for value, ms in points.items())
            kinds.append(f"{PANELS[name]} {values}")
        sentences.append(f"{stage.upper()}, ms an image: {'; '.join(kinds)}.")
    memory = [f"{row['dataset_mib']:g}: {row['memory_mib']:g}" for row in stored["start"].values()]
    sentences.append(f"Memory over size of the dataset, MiB: {', '.join(memory)}.")
    return " ".join(sentences)


def tables(stored: dict[str, Any]) -> dict[str, str]:
    """The tables of the page, of what is stored here: name -> Markdown."""
    lines = ["| preset | stage | estimate, s | training, s | ratio |", "|---|---|---|---|---|"]
    for row in stored["estimates"]:
        name = row["preset"] + (", narrow and short" if row["changes"] else "")
        cells = [name, row["stage"].upper(), row["estimate_s"], row["training_s"], row["ratio"]]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    estimated = "\n".join(lines)

    heads = ["faces", "dataset, MiB", "memory, MiB", "of its own, MiB", "start, s", "CPU, s"]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for n, row in stored["start"].items():
        cells = [f"{int(n):,}"]
        for key in STARTED:
            cells.append(str(row[key]))
        lines.append(f"| {' | '.join(cells)} |")
    found = {"rates": rates_table(stored["rates"])}
    return found | {"estimates": estimated, "start": "\n".join(lines)}


def rates_table(rates: dict[str, dict[str, float]]) -> str:
    """A line a convolution."""
    kinds = list(next(iter(rates.values())))
    lines = [f"| GFLOP/s | {' | '.join(kinds)} |", "|---|" + "---|" * len(kinds)]
    for name, of_it in rates.items():
        lines.append(f"| {name} | {' | '.join(str(of_it[kind]) for kind in kinds)} |")
    return "\n".join(lines)


def bench_table() -> str:
    """What `hlgan bench` measured, a line a preset and stage."""
    heads = ["", "step, plain / ours", "loop, plain / ours", "images/s", "share of ceiling"]
    heads.append("GFLOP an update")
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for file in BENCHES:
        found = json.loads((ROOT / "results" / file).read_text())
        for stage, speed in found["stages"].items():
            cells = [
                f"`{found['preset']}`, batch {found['batch']}, {stage.upper()}",
                f"{speed['step_ratio']:.2f}",
                f"{speed['loop_ratio']:.2f}",
                f"{speed['images_per_s']:.2g}",
                f"{100 * speed['share_of_ceiling']:.0f} %",
                f"{speed['gflop']:.1f}",
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def write_pages(stored: dict[str, Any]) -> None:
    """Put the tables between their marks on the page, and the bench's into the README too."""
    for name, table in (tables(stored) | {"bench": bench_table()}).items():
        between_marks(PAGE, table, name)
    between_marks(README, bench_table(), "bench")


def main() -> None:
    """Read what is asked for, and do it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=(*PARTS, *STAGES, "draw"))
    parser.add_argument("--one-of-several", metavar="STAGE", help=argparse.SUPPRESS)
    parser.add_argument("--one", nargs=2, metavar=("WHAT", "ROW"), help=argparse.SUPPRESS)
    parser.add_argument("--start", type=user_path, metavar="FILE", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    with one_thread():
        if asked.one_of_several:
            one_of_several(asked.one_of_several)
        elif asked.start:
            print_start(asked.start)
        elif asked.one:
            print_one(asked.one[0], int(asked.one[1]))
        else:
            show(measured(asked.only))


def measured(only: str | None) -> dict[str, Any]:
    """What is stored, with the part asked for, or all of it, measured anew."""
    stored = json.loads(STORED.read_text()) if STORED.is_file() else {"stages": {}}
    stored |= {
        "command": COMMAND,
        "unit": "processor milliseconds an image, one thread a process",
        "preset": "study",
        "hardware": hardware(),
        "torch": torch.__version__,
    }
    if only in (None, "rates"):
        stored["rates"] = convolution_rates()
    if only in (None, "start"):
        stored["start"] = {str(n): start(n) for n in DATASETS}
    if only in (None, "estimates"):
        stored["estimates"] = estimates()
    for stage in STAGES:
        if only in (None, stage):
            stored["stages"][stage] = curves(stage)
    save_json(STORED, stored)
    return stored


def show(stored: dict[str, Any]) -> None:
    """Draw the figure and fill the page; both wait until every part is there."""
    if set(PARTS) <= stored.keys() and set(STAGES) <= stored["stages"].keys():
        save_figure(drawn(stored), FIGURE, said(stored), command=COMMAND, preset="study", seed=0)
        write_pages(stored)


if __name__ == "__main__":
    main()
