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
from ..loop import Loop
from ..runtime import pick_device
from ..training import PAIRED, intervals, new_loop
from .timing import seconds_of

N_WARM = 2  # updates before anything is measured: buffers, kernels, caches


@dataclass(frozen=True)
class Estimate:
    """How long a training takes, and of what it is made.

    Attributes:
        seconds: in all.
        start_s: until the first update.
        update_s: an update.
        tick_s: a tick without a look.
        look_s: a checkpoint with samples and validation.
    """

    seconds: float
    start_s: float
    update_s: float
    tick_s: float
    look_s: float


def estimate(
    cfg: RunConfig, stage: str, *, device: str | torch.device | None = None, seconds: float = 30.0
) -> Estimate:
    """How long `train` would take with this configuration on the shipped faces.

    Args:
        cfg: the configuration.
        stage: which training; of l2h, on bilinear pairs.
        device: "cpu", "cuda" or "cuda:N"; by default CUDA where there is one.
        seconds: to measure updates for; at least three are.
    """
    place = torch.device(pick_device(device))
    began = time.perf_counter()
    degradation = "bilinear" if stage in PAIRED else None
    loop, _ = new_loop(cfg, stage, degradation=degradation, device=place)
    start_s = time.perf_counter() - began
    for _ in range(N_WARM):
        loop.update()

    end = time.perf_counter() + seconds
    times: list[float] = []
    while len(times) < 3 or time.perf_counter() < end:
        times.append(seconds_of(loop.update, place))
    loop.look()  # the first reads the network of the validation score
    look_s = seconds_of(lambda: _look_and_save(loop), place)
    tick_s = seconds_of(lambda: (loop.means(), loop.broken(), loop.diagnostics()), place)
    return added_up(loop, start_s, statistics.fmean(times), tick_s, look_s)


def added_up(loop: Loop, start_s: float, update_s: float, tick_s: float, look_s: float) -> Estimate:
    """The parts, each as often as the training has it."""
    tick_steps, save_steps = intervals(loop.cfg)
    n_ticks = -(-loop.steps // tick_steps)
    n_looks = -(-loop.steps // save_steps) + 1  # the last is of the finished weights
    total = start_s + loop.steps * update_s + n_ticks * tick_s + n_looks * look_s
    return Estimate(total, start_s, update_s, tick_s, look_s)


def _look_and_save(loop: Loop) -> None:
    loop.look()
    with tempfile.TemporaryDirectory() as folder:
        save_checkpoint(Path(folder) / "last.pt", loop.state())
