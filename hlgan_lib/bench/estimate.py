"""How long a training will take on this machine: its parts measured for half a minute, added up."""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from ..checkpoint import save_checkpoint
from ..config import RunConfig
from ..graphs import WARM_UP, fastest_update
from ..loop import N_NORM_BATCHES, Loop
from ..runtime import pick_device
from ..training import OF_PAIRS, intervals, new_loop
from .timing import Clock, seconds_of

N_WARM = 2  # updates before anything is measured: buffers, kernels, caches


@dataclass(frozen=True)
class Estimate:
    """How long a training takes, and of what it is made.

    Attributes:
        seconds: in all.
        start_s: until the first update, and what the first of everything takes longer.
        update_s: an update.
        tick_s: a tick without a look.
        look_s: a checkpoint with samples and validation.
        norm_s: batch-norm statistics taken anew at the end; 0 without batch norm.
    """

    seconds: float
    start_s: float
    update_s: float
    tick_s: float
    look_s: float
    norm_s: float


def estimate(
    cfg: RunConfig,
    stage: str,
    *,
    device: str | torch.device | None = None,
    seconds: float = 30.0,
    clock: Clock = time.perf_counter,
) -> Estimate:
    """How long `train` would take with this configuration on the shipped faces.

    Args:
        cfg: the configuration.
        stage: which training; of l2h, on bilinear pairs.
        device: "cpu", "cuda" or "cuda:N"; by default CUDA where there is one.
        seconds: to measure updates for; at least three are.
        clock: in whose seconds; `time.process_time` counts this process's alone.
    """
    place = torch.device(pick_device(device))
    began = clock()
    degradation = "bilinear" if stage in OF_PAIRS else None
    loop, _ = new_loop(cfg, stage, degradation=degradation, device=place)
    update = fastest_update(loop)
    n_warm = N_WARM if update == loop.update else WARM_UP + 1
    for _ in range(n_warm):
        update()
    _tick(loop)
    _look_and_save(loop)  # the first reads the network of the validation score
    first_s = clock() - began

    end = time.perf_counter() + seconds
    times: list[float] = []
    while len(times) < 3 or time.perf_counter() < end:
        times.append(seconds_of(update, place, clock))
    update_s = statistics.fmean(times)
    look_s = seconds_of(lambda: _look_and_save(loop), place, clock)
    tick_s = seconds_of(lambda: _tick(loop), place, clock)
    norm_s = N_NORM_BATCHES * seconds_of(lambda: loop.reestimate_batch_norm(1), place, clock)
    start_s = max(0.0, first_s - n_warm * update_s - tick_s - look_s)
    return added_up(loop, start_s, update_s, tick_s, look_s, norm_s)


def added_up(
    loop: Loop, start_s: float, update_s: float, tick_s: float, look_s: float, norm_s: float
) -> Estimate:
    """The parts, each as often as the training has it."""
    tick_steps, save_steps = intervals(loop.cfg)
    n_ticks = -(-loop.steps // tick_steps)
    n_looks = -(-loop.steps // save_steps) + 1  # the last is of the finished weights
    total = start_s + loop.steps * update_s + n_ticks * tick_s + n_looks * look_s + norm_s
    return Estimate(total, start_s, update_s, tick_s, look_s, norm_s)


def _tick(loop: Loop) -> None:
    """What is measured at a tick without a look."""
    loop.means(), loop.broken(), loop.diagnostics()


def _look_and_save(loop: Loop) -> None:
    """A look with the best score so far: it leaves two checkpoints."""
    loop.look()
    with tempfile.TemporaryDirectory() as folder:
        for name in ("last.pt", "best.pt"):
            save_checkpoint(Path(folder) / name, loop.state())
