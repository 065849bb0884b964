"""`hlgan bench`: an update and the whole loop, ours and a plain one, and how near the ceiling."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from ..config import RunConfig
from ..data.faces import FaceSet
from ..data.loading import load_faces
from ..graphs import fastest_update
from ..loop import Loop
from ..runtime import hardware, pick_device
from ..training import PAIRED, new_loop
from .plain import Pictures, PlainLoop, batches, write_pictures
from .timing import convolution, in_turns, matrix_product

STAGES = ("h2l", "l2h")
N_PICTURES = 2048  # on the disk, for the plain loop
N_PROFILED = 3  # updates in which each operation is timed
N_SHOWN = 8  # operations that are named; the others are summed


@dataclass(frozen=True)
class Speed:
    """How fast a stage trains.

    Attributes:
        step_ratio: time of the plain update over that of ours, both on a batch that is there.
        loop_ratio: the same of the whole loop, with data and ticks.
        images_per_s: of our loop.
        share_of_ceiling: FLOPs a second of our update over what a large convolution reaches here.
        amp: precision of ours; the plain loop's is float32.
        ms: the times behind the ratios, milliseconds.
        gflop: of an update, forward and backward.
        gflops_convolution: a second, the ceiling.
        gflops_matrix_product: a second, another one.
        peak_mib: the most memory used, of the GPU or by this process; None where nobody counts it.
        time: where an update's time goes, operation -> share.
    """

    step_ratio: float
    loop_ratio: float
    images_per_s: float
    share_of_ceiling: float
    amp: str
    ms: dict[str, float]
    gflop: float
    gflops_convolution: float
    gflops_matrix_product: float
    peak_mib: float | None
    time: dict[str, float]


def bench(
    cfg: RunConfig,
    stages: tuple[str, ...] = STAGES,
    *,
    device: str | torch.device | None = None,
    seconds: float = 60.0,
    n_pictures: int = N_PICTURES,
    n_workers: int | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Measure the training of a configuration on the shipped faces.

    Args:
        cfg: what to train.
        stages: of "h2l", "l2h".
        device: "cpu", "cuda" or "cuda:N"; by default CUDA where there is one.
        seconds: to measure for, in all; at least three rounds are run.
        n_pictures: on the disk, for the plain loop.
        n_workers: processes that decode for it; by default one a core that is left.
        say: told what is being measured.

    Returns:
        What goes into bench.json: the machine, and the `Speed` of each stage.
    """
    place = torch.device(pick_device(device))
    measured = {}
    for stage in stages:
        say(f"measuring {stage}: about {seconds / len(stages):.0f} s")
        part = seconds / len(stages)
        measured[stage] = asdict(bench_stage(cfg, stage, place, part, n_pictures, n_workers))
    return {
        "hardware": hardware() if place.type == "cuda" else f"{_n_cores()} CPU cores",
        "device": place.type,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "batch": cfg.batch,
        "stages": measured,
    }


def bench_stage(
    cfg: RunConfig,
    stage: str,
    device: torch.device,
    seconds: float,
    n_pictures: int = N_PICTURES,
    n_workers: int | None = None,
) -> Speed:
    """Measure a stage, everything in turns; Args as `bench`."""
    ours, step_alone = (_loop(cfg, stage, device) for _ in range(2))
    plain = PlainLoop(_loop(cfg.replace(amp="off", channels_last=False), stage, device).task)
    dtype = ours.amp or torch.float32
    conv, conv_flops = convolution(device, dtype)
    product, product_flops = matrix_product(device, dtype)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    flops = flops_of(ours)

    with tempfile.TemporaryDirectory() as folder:
        pictures = _on_disk(Path(folder), stage, cfg, n_pictures)
        if n_workers is None:
            n_workers = min(8, max(1, _n_cores() - 1))
        stream = batches(pictures, cfg.batch, device, n_workers)
        fixed = next(stream)
        fixed_of_ours = step_alone.task.batch()
        vars(step_alone.task)["batch"] = lambda: fixed_of_ours
        step_alone.task.samplers = {}  # nothing draws from them
        took = in_turns(
            {
                "plain step": lambda: plain.step(fixed),
                "our step": fastest_update(step_alone),
                "plain loop": lambda: plain.step(next(stream)),
                "our loop": ticking(ours),
                "convolution": conv,
                "matrix product": product,
            },
            seconds,
            device,
        )
        stream.close()  # ends the processes that decode

    conv_rate = conv_flops / took["convolution"]
    return Speed(
        step_ratio=took["plain step"] / took["our step"],
        loop_ratio=took["plain loop"] / took["our loop"],
        images_per_s=cfg.batch / took["our loop"],
        share_of_ceiling=flops / took["our step"] / conv_rate,
        amp=ours.cfg.amp,
        ms={name: 1000 * took[name] for name in list(took)[:4]},
        gflop=flops / 1e9,
        gflops_convolution=conv_rate / 1e9,
        gflops_matrix_product=product_flops / took["matrix product"] / 1e9,
        peak_mib=_peak_mib(device),
        time=profile(ours),
    )


# ---- the parts -----------------------------------------------------------------------------------
def _loop(cfg: RunConfig, stage: str, device: torch.device) -> Loop:
    degradation = "bilinear" if stage in PAIRED else None
    return new_loop(cfg, stage, degradation=degradation, device=device)[0]


def _on_disk(folder: Path, stage: str, cfg: RunConfig, n: int) -> Pictures:
    """The shipped faces as the plain loop reads them."""
    written = {}
    for side in ("hi", "lo"):
        size = getattr(cfg, f"size_{side}")
        faces = load_faces(f"faces:train-{side}", size, role=side)
        assert isinstance(faces, FaceSet)  # no Pairs, as a role is asked for
        written[side] = write_pictures(folder / side, faces, max(n, cfg.batch))
    lo = None if stage in PAIRED else written["lo"]
    return Pictures(written["hi"], lo, cfg.size_lo)


def ticking(loop: Loop) -> Callable[[], None]:
    """An update, with what a tick costs at each tick."""
    every = max(1, loop.cfg.tick_images // loop.cfg.batch)
    fastest = fastest_update(loop)

    def update() -> None:
        fastest()
        if loop.step % every == 0:
            loop.means(), loop.broken(), loop.diagnostics()

    return update


def flops_of(loop: Loop) -> int:
    """FLOPs of the convolutions and matrix products of an update, forward and backward."""
    with FlopCounterMode(display=False) as counter:
        loop.update()
    return counter.get_total_flops()


def profile(loop: Loop) -> dict[str, float]:
    """Where the time of an update goes: operation -> its share, the largest first."""
    on_cuda = loop.task.device.type == "cuda"
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # says nothing where there is no GPU
    kinds = [torch.profiler.ProfilerActivity.CPU]
    if on_cuda:
        kinds.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=kinds) as profiler:
        for _ in range(N_PROFILED):
            loop.update()
    times = {}
    for event in profiler.key_averages():
        times[event.key] = event.self_device_time_total if on_cuda else event.self_cpu_time_total
    largest = sorted(times, key=lambda name: -times[name])
    total = sum(times.values())
    shares = {name.removeprefix("aten::"): times[name] / total for name in largest[:N_SHOWN]}
    return shares | {"others": sum(times[name] for name in largest[N_SHOWN:]) / total}


def _peak_mib(device: torch.device) -> float | None:
    """The most memory used: of the GPU, or by this process; None where nobody counts it."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**20 if sys.platform == "darwin" else 2**10)


def _n_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
