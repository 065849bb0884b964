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
import json
import os
import random
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode

import hlgan_lib as hl
from hlgan_lib.degradations import Degradation
from hlgan_lib.loop import Loop

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
PLAIN_IMAGES = 2048  # pictures on the disk for the plain loop


class Bench:
    """The device, the time that is left, and what has been measured."""

    def __init__(self, device: str, quick: bool, limit: float):
        self.device, self.quick, self.limit = torch.device(device), quick, limit
        self.start, self.seconds = time.perf_counter(), 0.05 if quick else 1.0
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
    """The loop behind `hl.train`, which its iterator of ticks holds."""
    source = degradation if stage == "l2h" else None
    ticks: Any = hl.train(cfg, stage, device=str(bench.device), degradation=source)
    return ticks.gi_frame.f_locals["loop"]


def count_flops(bench: Bench, loop: Loop, key: tuple) -> int:
    """FLOPs of the convolutions and matrix products of an update, forward and backward."""
    if key not in bench.flops:
        with FlopCounterMode(display=False) as counter:
            loop.update()
        bench.flops[key] = counter.get_total_flops()
    return bench.flops[key]


def fused(loop: Loop) -> Callable[[], None]:
    """The same with one kernel for the whole optimiser."""
    for name in ("opt_g", "opt_d"):
        old = getattr(loop, name)
        new = torch.optim.Adam(
            [{"params": g["params"], "lr": g["lr"]} for g in old.param_groups],
            betas=old.param_groups[0]["betas"],
            fused=True,
        )
        setattr(loop, name, new)
    opts = (loop.opt_g, loop.opt_d)
    loop.lrs = [(opt, [g["lr"] for g in opt.param_groups]) for opt in opts if opt]
    return loop.update


def graphed(loop: Loop) -> Callable[[], None]:
    """The update as one CUDA graph: batches are made outside and copied in.

    Learning rate and decay stand still.
    """
    task = loop.task
    for name in ("opt_g", "opt_d"):
        old = getattr(loop, name)
        setattr(
            loop,
            name,
            torch.optim.Adam(
                [{"params": g["params"], "lr": g["lr"]} for g in old.param_groups],
                betas=old.param_groups[0]["betas"],
                capturable=True,
            ),
        )
    fresh, halves = task.batch, [{k: v.clone() for k, v in task.batch().items()} for _ in range(2)]

    turns = cycle([halves[1], halves[0]])
    setattr(task, "batch", lambda: next(turns))  # noqa: B010

    def update() -> None:
        task.discriminators.requires_grad_(True)
        assert loop.opt_d is not None  # no cell has w_gan 0
        loop._half(task.d_loss, loop.opt_d)
        task.discriminators.requires_grad_(False)
        loop._half(task.g_loss, loop.opt_g)
        loop.average()

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            update()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    graph.register_generator_state(task.rng)
    with torch.cuda.graph(graph):
        update()

    def replay() -> None:
        for half in halves:
            for k, v in fresh().items():
                half[k].copy_(v)
        graph.replay()

    return replay


HOWS = {
    "eager": lambda loop: loop.update,
    "compile": lambda loop: loop.update,
    "fused Adam": fused,
    "graph": graphed,
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
        compile=how == "compile",
        n_hi=bench.quick * 100,
        n_lo=bench.quick * 100,
    )
    try:
        if bench.cuda:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(bench.device)
        began = time.perf_counter()
        loop = make_loop(bench, cfg, stage, degradation)
        flops = (
            bench.flops.get((preset, batch, stage))
            if how != "eager"
            else count_flops(bench, loop, (preset, batch, stage))
        )
        update = HOWS[how](loop)
        update()
        bench.wait()
        ready = time.perf_counter() - began
        took = bench.median(update)
        if bad := loop.broken():
            raise FloatingPointError(", ".join(bad))
    except Exception as error:  # a cell that fails must not cost the others
        bench.not_run.append(f"{label}: {type(error).__name__} {str(error)[:300]}")
        return
    rate = (flops or 0) / took["seconds"] / 1e12
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
            "gflop": (flops or 0) / 1e9,
            "tflops": rate,
            "share_of_conv": rate / top["conv_tflops"],
            "share_of_matmul": rate / top["matmul_tflops"],
            "peak_mib": torch.cuda.max_memory_allocated(bench.device) / 2**20
            if bench.cuda
            else None,
        }
    )


# ---- a plain loop, as public code of such GANs is written ----------------------------------------
class Pictures(Dataset):
    """A folder of pictures, decoded one at a time by PIL; the LR one is the HR one resized."""

    def __init__(self, hi: Path, lo: Path | None):
        self.hi = sorted(hi.iterdir())
        self.lo = sorted(lo.iterdir()) if lo else None

    def __len__(self) -> int:
        return len(self.hi)

    def read(self, image: Image.Image) -> torch.Tensor:
        if random.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 127.5 - 1

    def __getitem__(self, i: int) -> dict[str, torch.Tensor]:
        hi = self.read(Image.open(self.hi[i]).convert("RGB"))
        if self.lo:
            other = random.choice(self.lo)
            return {"hi": hi, "lo": self.read(Image.open(other).convert("RGB"))}
        small = Image.fromarray(((hi + 1) * 127.5).byte().permute(1, 2, 0).numpy()).resize(
            (16, 16), Image.Resampling.BICUBIC
        )
        return {
            "hi": hi,
            "lo_fake": torch.from_numpy(np.array(small)).permute(2, 0, 1).float() / 127.5 - 1,
        }


class Plain:
    """Float32, NCHW, one batch for both halves, D's gradients computed (and thrown away) in G's
    half.
    """

    def __init__(self, bench: Bench, cfg: hl.RunConfig, stage: str):
        loop = make_loop(bench, cfg, stage)  # for its networks and its losses
        self.task, self.device, self.stage = loop.task, bench.device, stage
        betas = cfg.beta1, cfg.beta2
        self.opt_g = torch.optim.Adam(self.task.generators.parameters(), cfg.lr, betas)
        self.opt_d = torch.optim.Adam(
            self.task.discriminators.parameters(), cfg.lr_d or cfg.lr, betas
        )
        self.ema = {k: v.detach().clone() for k, v in self.task.generators.named_parameters()}

    def step(self, batch: dict[str, torch.Tensor]) -> None:
        if self.stage == "h2l":
            batch = batch | {
                "z": torch.randn(len(batch["hi"]), self.task.cfg.z_dim, device=self.device)
            }
        d_loss, _ = self.task.d_loss(batch)
        self.opt_d.zero_grad()
        d_loss.backward()
        self.opt_d.step()
        g_loss, _ = self.task.g_loss(batch)
        self.opt_g.zero_grad()
        g_loss.backward()
        self.opt_g.step()
        with torch.no_grad():
            for k, v in self.task.generators.named_parameters():
                self.ema[k].mul_(0.999).add_(v, alpha=0.001)

    def step_on(self, stream: Iterator[dict[str, torch.Tensor]]) -> None:
        self.step(next(stream))

    def batches(self, loader: DataLoader) -> Iterator[dict[str, torch.Tensor]]:
        while True:
            for batch in loader:
                yield {k: v.to(self.device) for k, v in batch.items()}


def write_pictures(folder: Path, faces: hl.FaceSet, n: int) -> Path:
    folder.mkdir()
    for i in range(min(n, len(faces))):
        Image.fromarray(np.ascontiguousarray(faces[i].transpose(1, 2, 0))).save(
            folder / f"{i:05d}.png"
        )
    return folder


def beside_plain(bench: Bench, preset: str, batch: int) -> dict:
    """Step and whole loop, ours (the preset as it is) and plain, in turns.

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
            plain = Plain(bench, base.replace(amp="off", channels_last=False), stage)
            set_precision(base.amp if base.amp != "off" else "float32")
            ours = make_loop(bench, base, stage)
            loader = DataLoader(
                Pictures(files["hi"], files["lo"] if stage == "h2l" else None),
                batch,
                shuffle=True,
                num_workers=workers,
                drop_last=True,
                persistent_workers=True,
                pin_memory=bench.cuda,
            )
            stream = plain.batches(loader)
            fixed = next(stream)
            works: dict[str, Callable[[], object]] = {
                "plain step": partial(plain.step, fixed),
                "our step": ours.update,
                "plain loop": partial(plain.step_on, stream),
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
            del stream, loader
    return result


def ticking(loop: Loop) -> Callable[[], None]:
    """Updates with what a tick of every hundred costs."""

    def work() -> None:
        loop.update()
        if loop.step % 100 == 0:
            loop.means(), loop.broken()

    return work


# ---- all of it -----------------------------------------------------------------------------------
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--out", type=Path, help="a JSON file")
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
    main_preset, sizes = (
        ("smoke", [("smoke", 4), ("smoke", 8)])
        if args.quick
        else ("colab", [("colab", 64), ("colab", 256), ("study", 16)])
    )
    measure_ceilings(bench)

    def matrix(preset: str, batch: int) -> None:
        for stage in ("h2l", "l2h"):
            for precision in PRECISIONS:
                for layout in LAYOUTS:
                    cell(bench, preset, batch, stage, precision, layout)

    beside = {}
    for i, (preset, batch) in enumerate(sizes):
        matrix(preset, batch)
        if i == 0:
            beside = beside_plain(bench, preset, batch)
            for stage in ("h2l", "l2h"):
                cell(bench, preset, batch, stage, "fp16", "NHWC", "fused Adam")
                cell(bench, preset, batch, stage, "bf16", "NHWC", "fused Adam")
            for degradation in (
                "learned:" + next(n for n in hl.shipped_weights() if n.startswith("h2l")),
                "handmade",
                "camera",
            ):
                cell(bench, preset, batch, "l2h", "bf16", "NHWC", degradation=degradation)
    if bench.cuda:  # last but for the compiler: a capture that fails may break what follows
        for preset, batch in sizes:
            for stage in ("h2l", "l2h"):
                cell(bench, preset, batch, stage, "bf16", "NHWC", "graph")
    if not args.no_compile:
        for precision in ("bf16", "fp16"):
            cell(bench, main_preset, sizes[0][1], "l2h", precision, "NHWC", "compile", needs=25)
    report(bench, beside, args.out)


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
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(result, indent=1) + "\n")
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
