"""How fast an update is on this card, in every precision and layout, beside a plain training loop.

    python tools/results/bench_gpu.py --out gpu.json     # 2.5 minutes on a data-centre GPU
    python tools/results/bench_gpu.py --device cpu --quick   # every path, tiny

A cell is the median over chunks of updates with the device idle at both ends of a chunk, after a
warm-up. Its share is counted FLOPs over time over what a convolution (or a matrix product) of the
same precision reached here. In cells bf16 and fp16 what stays in float32 is as PyTorch's defaults
have it: TF32 in convolutions, not in matrix products.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F

import hlgan_lib as hl
from hlgan_lib.bench.plain import Pictures, PlainLoop, batches, write_pictures
from hlgan_lib.bench.speed import flops_of, ticking
from hlgan_lib.degradations import Degradation
from hlgan_lib.files import save_json, user_path
from hlgan_lib.graphs import WARM_UP, fastest_update
from hlgan_lib.loop import Loop
from hlgan_lib.precision import native_half
from hlgan_lib.tasks.base import Batch
from hlgan_lib.training import new_loop

PRECISIONS = {
    "float32": ("off", False, False),
    "TF32": ("off", True, True),  # amp, TF32 in conv, in matmul
    "bf16": ("bf16", True, False),
    "fp16": ("fp16", True, False),
}
DTYPES = {
    "float32": torch.float32,
    "TF32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}
LAYOUTS = {"NCHW": False, "NHWC": True}
PAPER_BATCH = hl.preset("paper").batch
PLAIN_IMAGES = 2048  # pictures on the disk for the plain loop


class Bench:
    """The device, the time that is left, and what has been measured."""

    def __init__(self, device: str, quick: bool, limit: float):
        self.device, self.quick, self.limit = torch.device(device), quick, limit
        self.start, self.seconds = time.perf_counter(), 0.05 if quick else 0.7
        self.cells: list[dict] = []
        self.not_run: list[str] = []
        self.flops: dict[tuple, int] = {}
        self.ceilings: dict[str, dict[str, float]] = {}
        self.cuda = self.device.type == "cuda"

    def wait(self) -> None:
        if self.cuda:
            torch.cuda.synchronize(self.device)

    def left(self) -> float:
        return self.limit - (time.perf_counter() - self.start)

    def median(self, work: Callable[[], object], seconds: float | None = None) -> dict[str, float]:
        """Seconds a call of `work`: median, and the quartiles around it."""
        seconds = seconds or self.seconds
        for _ in range(3):
            work()
        self.wait()
        began = time.perf_counter()
        work()
        self.wait()
        once = time.perf_counter() - began
        n = max(1, min(20, round(seconds / 20 / once)))
        times: list[float] = []
        for _ in range(max(1, round(0.2 * seconds / once / n))):  # the rest of the warm-up
            work()
        self.wait()
        end = time.perf_counter() + seconds
        while len(times) < 3 or time.perf_counter() < end and len(times) < 200:
            began = time.perf_counter()
            for _ in range(n):
                work()
            self.wait()
            times.append((time.perf_counter() - began) / n)
        q = statistics.quantiles(times, n=4)
        return {
            "seconds": statistics.median(times),
            "low": q[0],
            "high": q[2],
            "chunks": len(times),
            "chunk": n,
        }


def set_precision(name: str) -> str:
    """Switch TF32; the value of cfg.amp."""
    amp, conv, matmul = PRECISIONS[name]
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = conv, matmul
    return amp


def measure_ceilings(bench: Bench) -> None:
    """TFLOP/s of one large matrix product and of one large 3x3 convolution (the faster layout), in
    each precision.
    """
    n, (b, c, s) = (256, (4, 16, 16)) if bench.quick else (8192, (256, 256, 32))
    for name, dtype in DTYPES.items():
        set_precision(name)
        m = n // 2 if name == "float32" and not bench.quick else n
        x, y = (torch.randn(m, m, device=bench.device, dtype=dtype) for _ in range(2))
        t = bench.median(partial(torch.matmul, x, y), bench.seconds / 4)["seconds"]
        conv = 0.0
        for layout in (torch.contiguous_format, torch.channels_last):
            x = torch.randn(b, c, s, s, device=bench.device, dtype=dtype).to(memory_format=layout)
            w = torch.randn(c, c, 3, 3, device=bench.device, dtype=dtype).to(memory_format=layout)
            convolve = partial(F.conv2d, x, w, padding=1)
            took = bench.median(convolve, bench.seconds / 4)["seconds"]
            conv = max(conv, 2 * b * s * s * c * c * 9 / took / 1e12)
        bench.ceilings[name] = {"matmul_tflops": 2 * m**3 / t / 1e12, "conv_tflops": conv}


def make_loop(
    bench: Bench, cfg: hl.RunConfig, stage: str, degradation: str | Degradation = "bilinear"
) -> Loop:
    """The loop of a stage on the shipped faces, before its first update."""
    pairs = degradation if stage == "l2h" else None
    return new_loop(cfg, stage, degradation=pairs, device=str(bench.device))[0]


def count_flops(bench: Bench, loop: Loop, key: tuple) -> int:
    """FLOPs of the convolutions and matrix products of an update, forward and backward."""
    if key not in bench.flops:
        bench.flops[key] = flops_of(loop)
    return bench.flops[key]


def made_ready(update: Callable[[], None]) -> Callable[[], None]:
    """After its first updates, in which libraries are set up and a graph is recorded."""
    for _ in range(WARM_UP + 1):
        update()
    return update


HOWS: dict[str, Callable[[Loop], Callable[[], None]]] = {
    "eager": lambda loop: loop.update,
    "graph": fastest_update,
    "compile": lambda loop: loop.update,
    "compile, graph": fastest_update,
}


def cell(
    bench: Bench,
    preset: str,
    batch: int,
    stage: str,
    precision: str,
    layout: str,
    how: str = "eager",
    degradation: str = "bilinear",
    needs: float = 3.0,
) -> None:
    """Measure one cell; one that fails or for which no time is left says so."""
    label = " ".join(
        [preset, str(batch), stage, precision, layout, how]
        + [degradation] * (degradation != "bilinear")
    )
    if bench.left() < needs:
        bench.not_run.append(f"{label}: no time left")
        return
    cfg = hl.preset(preset).replace(
        batch=batch,
        amp=set_precision(precision),
        channels_last=LAYOUTS[layout],
        compile="compile" in how,
        n_hi=bench.quick * 100,
        n_lo=bench.quick * 100,
    )
    try:
        if bench.cuda:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(bench.device)
        began = time.perf_counter()
        loop = make_loop(bench, cfg, stage, degradation)
        flops = count_flops(bench, loop, (preset, batch, stage))
        update = made_ready(HOWS[how](loop))
        bench.wait()
        ready = time.perf_counter() - began
        took = bench.median(update)
        if bad := loop.broken():
            raise FloatingPointError(", ".join(bad))
    except Exception as error:  # a cell that fails must not cost the others
        bench.not_run.append(f"{label}: {type(error).__name__} {str(error)[:300]}")
        return
    rate = flops / took["seconds"] / 1e12
    top = bench.ceilings[precision]
    bench.cells.append(
        {
            "preset": preset,
            "batch": batch,
            "stage": stage,
            "precision": precision,
            "layout": layout,
            "how": how,
            "degradation": degradation if stage == "l2h" else None,
            "ready_s": round(ready, 2),
            "ms": 1000 * took["seconds"],
            "ms_quartiles": [1000 * took["low"], 1000 * took["high"]],
            "images_per_s": batch / took["seconds"],
            "gflop": flops / 1e9,
            "tflops": rate,
            "share_of_conv": rate / top["conv_tflops"],
            "share_of_matmul": rate / top["matmul_tflops"],
            "peak_mib": torch.cuda.max_memory_allocated(bench.device) / 2**20
            if bench.cuda
            else None,
        }
    )


def beside_plain(bench: Bench, preset: str, batch: int) -> dict:
    """Step on a batch that is there and whole loop, ours (the preset as it is) and plain, in turns.

    Medians and their ratios.
    """
    result, rounds = {}, 1 if bench.quick else 2
    with tempfile.TemporaryDirectory() as tmp:
        n = 64 if bench.quick else PLAIN_IMAGES
        files = {
            side: write_pictures(Path(tmp) / side, hl.load_faces(f"faces:train-{side}"), n)
            for side in ("hi", "lo")
        }
        workers = min(8, max(1, len(os.sched_getaffinity(0)) - 1))
        for stage in ("h2l", "l2h"):
            if bench.left() < 12:
                bench.not_run.append(f"beside the plain loop, {stage}: no time left")
                continue
            base = hl.preset(preset).replace(batch=batch)
            as_written = base.replace(amp="off", channels_last=False)
            if bench.cuda and base.amp == "auto":  # which a loop made by hand takes for off
                base = base.replace(amp=native_half(bench.device))
            plain = PlainLoop(make_loop(bench, as_written, stage).task)
            ours, step_alone = (make_loop(bench, base, stage) for _ in range(2))
            amp = ours.cfg.amp
            set_precision(amp if amp != "off" else "float32")
            lo = files["lo"] if stage == "h2l" else None
            pictures = Pictures(files["hi"], lo, base.size_lo)
            stream = batches(pictures, batch, bench.device, workers)
            fixed = next(stream)
            batch_of_ours = step_alone.task.batch()
            vars(step_alone.task)["batch"] = partial(dict, batch_of_ours)
            step_alone.task.samplers = {}  # nothing draws from them
            works: dict[str, Callable[[], object]] = {
                "plain step": partial(plain.step, fixed),
                "our step": fastest_update(step_alone),
                "plain loop": partial(_step_on, plain, stream),
                "our loop": ticking(ours),
            }
            times: dict[str, list[float]] = {
                f"{name}, {tf32}": []
                for name in works
                for tf32 in ("float32", "PyTorch's TF32")
                if "plain" in name or tf32 != "float32"
            }
            for _ in range(rounds):
                for name in times:
                    work, tf32 = name.split(", ")
                    torch.backends.cudnn.allow_tf32 = tf32 != "float32"
                    torch.backends.cuda.matmul.allow_tf32 = False
                    times[name].append(bench.median(works[work], bench.seconds)["seconds"])
            t = {name: statistics.median(v) for name, v in times.items()}
            entry = {
                "images_per_s": {name: batch / v for name, v in t.items()},
                "workers": workers,
                "batch": batch,
                "preset": preset,
            }
            for what in ("step", "loop"):
                mine = t[f"our {what}, PyTorch's TF32"]
                entry[f"{what}_ratio"] = t[f"plain {what}, float32"] / mine
                entry[f"{what}_ratio_to_tf32"] = t[f"plain {what}, PyTorch's TF32"] / mine
            result[stage] = entry
            stream.close()
    return result


def _step_on(plain: PlainLoop, stream: Iterator[Batch]) -> None:
    plain.step(next(stream))


# ---- all of it -----------------------------------------------------------------------------------
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--out", type=user_path, help="a JSON file")
    parser.add_argument(
        "--limit",
        type=float,
        default=150,
        help="seconds: no cell is started that could take longer",
    )
    parser.add_argument(
        "--quick", action="store_true", help="tiny networks and times: are all paths sound?"
    )
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    bench = Bench(args.device, args.quick, args.limit)
    sizes = [("colab", 64), ("study", 16), ("colab", 256)]
    if args.quick:
        sizes = [("smoke", 4), ("smoke", 8)]
    measure_ceilings(bench)

    # What is asked first comes first: a cell for which no time is left is not run.
    beside = beside_plain(bench, *sizes[0])
    both = ("h2l", "l2h")
    for preset, batch in sizes:
        for stage in both:
            for precision in ("TF32", "bf16", "fp16"):
                cell(bench, preset, batch, stage, precision, "NHWC", "graph")
    if not args.quick:
        for stage in both:
            for how in ("graph", "eager"):
                cell(bench, "paper", PAPER_BATCH, stage, "TF32", "NHWC", how)
    learned = next(n for n in hl.shipped_weights() if n.startswith("h2l"))
    for degradation in (f"learned:{learned}", "handmade", "camera"):
        cell(bench, *sizes[0], "l2h", "bf16", "NHWC", "graph", degradation)
    for how in () if args.no_compile else ("compile, graph", "compile"):
        cell(bench, *sizes[0], "l2h", "bf16", "NHWC", how, needs=45)
    for preset, batch in sizes:
        for stage in both:
            for precision in PRECISIONS:
                for layout in LAYOUTS:
                    cell(bench, preset, batch, stage, precision, layout)
    report(bench, beside, args.out)


GRAPH_ROWS: tuple[tuple[str, str, str, dict], ...] = (  # of the page: preset, what, what is changed
    ("study", "h2l", "H2L, learned camera", {}),
    ("study", "h2l", "H2L, the paper's", {"h2l_model": "paper"}),
    ("study", "l2h", "L2H, GAN-led", {}),
    ("study", "l2h", "L2H, pixel only", {"w_gan": 0.0}),
    ("colab", "h2l", "H2L, learned camera", {}),
    ("colab", "h2l", "H2L, the paper's", {"h2l_model": "paper"}),
    ("colab", "l2h", "L2H, GAN-led", {}),
    ("colab", "l2h", "L2H, pixel only", {"w_gan": 0.0}),
)


def graph_table(stored: dict) -> str:
    """What a graph makes of an update, as Markdown; of L2H on pairs of the learned camera."""
    lines = [
        "| preset, batch | stage | one by one, ms | graph, ms | graph in bf16, ms | images/s |",
        "|---|---|---|---|---|---|",
    ]
    for preset, stage, label, changed in GRAPH_ROWS:
        found = {
            row["precision"]: row
            for row in stored["graphs"]
            if (row["preset"], row["stage"], row["changed"]) == (preset, stage, changed)
            and row["degradation"] != "bilinear"
        }
        full, half = found["TF32 in convolutions"], found["bf16"]
        times = [full["one_by_one_ms"], full["graph_ms"], half["graph_ms"]]
        rate = 1000 * half["batch"] / half["graph_ms"]
        cells = [f"`{preset}`, {full['batch']}", label, *(f"{ms:.1f}" for ms in times)]
        lines.append(f"| {' | '.join(cells)} | {rate:,.0f} |")
    return "\n".join(lines)


def report(bench: Bench, beside: dict, out: Path | None) -> None:
    """The JSON file, then tables."""
    card = torch.cuda.get_device_name(bench.device) if bench.cuda else "CPU"
    result = {
        "card": card,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cores": os.cpu_count(),
        "seconds": round(time.perf_counter() - bench.start, 1),
        "ceilings": bench.ceilings,
        "cells": bench.cells,
        "beside_plain": beside,
        "not_run": bench.not_run,
    }
    if out:
        save_json(out, result)
    print(f"{card}, torch {torch.__version__}, {result['seconds']} s")
    for name, top in bench.ceilings.items():
        print(
            f"  {name:8} matrix product {top['matmul_tflops']:8.2f} TFLOP/s   convolution "
            f"{top['conv_tflops']:8.2f}"
        )
    head = f"{'preset':7}{'batch':>6} {'stage':6}{'numbers':9}{'layout':7}{'how':11}{'pairs':10}"
    print(head + f"{'ms':>9}{'images/s':>10}{'TFLOP/s':>9}{'conv':>6}{'MiB':>8}{'ready':>7}")
    for c in bench.cells:
        print(
            f"{c['preset']:7}{c['batch']:6} "
            f"{c['stage']:6}{c['precision']:9}{c['layout']:7}{c['how']:11}"
            f"{(c['degradation'] or '').split(':')[0]:10}{c['ms']:9.2f}"
            f"{c['images_per_s']:10.0f}{c['tflops']:9.2f}"
            f"{c['share_of_conv']:6.0%}{c['peak_mib'] or 0:8.0f}{c['ready_s']:7.1f}"
        )
    for stage, e in beside.items():
        print(
            f"{stage}, {e['preset']} {e['batch']}: "
            + ", ".join(f"{k} {v:.0f}/s" for k, v in e["images_per_s"].items())
        )
        print(
            f"  plain / ours: step {e['step_ratio']:.2f} (TF32 {e['step_ratio_to_tf32']:.2f}), "
            f"loop {e['loop_ratio']:.2f} (TF32 {e['loop_ratio_to_tf32']:.2f}), "
            f"{e['workers']} workers"
        )
    for line in bench.not_run:
        print(f"not run: {line}")


if __name__ == "__main__":
    main()
