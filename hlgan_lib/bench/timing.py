"""Times that a busy machine does not bend: several things measured in turns, and their medians."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Work = Callable[[], object]
Clock = Callable[[], float]


def in_turns(
    works: dict[str, Work], seconds: float, device: torch.device, least: int = 3
) -> dict[str, float]:
    """The median time of a call of each work, each called once in every round.

    What slows the machine for a while slows all of them, so that their ratios hold.

    Args:
        works: name -> what to call; called once before anything is measured.
        seconds: no round begins later than this, but for the first few.
        device: what to wait for before and after a call.
        least: rounds at least.

    Returns:
        name -> seconds a call.
    """
    end = time.perf_counter() + seconds
    for work in works.values():
        work()
    times: dict[str, list[float]] = {name: [] for name in works}
    rounds = 0
    while rounds < least or time.perf_counter() < end:
        for name, work in works.items():
            times[name].append(seconds_of(work, device))
        rounds += 1
    return {name: statistics.median(taken) for name, taken in times.items()}


def seconds_of(work: Work, device: torch.device, clock: Clock | None = None) -> float:
    """How long a call takes, with nothing left to do on the device at either end."""
    clock = clock or time.perf_counter
    wait(device)
    began = clock()
    work()
    wait(device)
    return clock() - began


def wait(device: torch.device) -> None:
    """Until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


# ---- what the machine can do at best -------------------------------------------------------------
def convolution(device: torch.device, dtype: torch.dtype) -> tuple[Work, int]:
    """A large 3x3 convolution in channels_last, and its FLOPs."""
    n, c, s = (256, 256, 32) if device.type == "cuda" else (8, 64, 32)
    x = _normal(n, c, s, s, device=device, dtype=dtype)
    w = _normal(c, c, 3, 3, device=device, dtype=dtype)
    return lambda: F.conv2d(x, w, padding=1), 2 * n * s * s * c * c * 9


def matrix_product(device: torch.device, dtype: torch.dtype) -> tuple[Work, int]:
    """A product of two square matrices, and its FLOPs."""
    n = 8192 if device.type == "cuda" else 768
    a = _normal(n, n, device=device, dtype=dtype)
    return lambda: a @ a, 2 * n**3


def _normal(*shape: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    rng = torch.Generator(device).manual_seed(0)
    x = torch.randn(shape, generator=rng, device=device).to(dtype)
    return x.to(memory_format=torch.channels_last) if x.ndim == 4 else x
