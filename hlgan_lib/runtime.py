"""The machine: which device, how many threads, and the signals that end a training.

Imports no torch by itself.
"""

from __future__ import annotations

import os
import platform
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .errors import HLError

if TYPE_CHECKING:
    import torch

BAR = "{percentage:3.0f}%|{bar:20}| {n_fmt}/{total_fmt} images [{elapsed}{postfix}]"


class Stop:
    """Polled by the training loop, which ends after a signal."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def __call__(self) -> bool:
        """Has a signal asked for the end?"""
        return self.signal is not None

    @property
    def exit_code(self) -> int:
        """128 + n after signal n, else 0."""
        return 0 if self.signal is None else 128 + self.signal

    def handle(self, number: int, _: object) -> None:
        """Remember the signal; a second one raises KeyboardInterrupt."""
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = number
        # Not print, which may not be entered again from within itself.
        os.write(2, b"\nhlgan: finishing this update, then saving; once more quits at once\n")


@contextmanager
def stop_signals() -> Iterator[Stop]:
    """Ctrl-C and SIGTERM set a flag; a second one raises KeyboardInterrupt."""
    stop = Stop()
    # Python hears signals in the main thread only.
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.signal(number, stop.handle)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def pick_device(name: str | torch.device | None) -> str:
    """The device of that name, by default a CUDA one where there is one.

    Raises:
        HLError: for a device that is not there.
    """
    import torch

    n_cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name is None:
        return "cuda" if n_cuda else "cpu"
    there = ["cpu"]
    if n_cuda:
        there += ["cuda", *(f"cuda:{i}" for i in range(n_cuda))]
    if str(name) not in there:
        raise HLError(
            f"--device must be one of {', '.join(there)} on this machine, got {str(name)!r}"
        )
    return str(name)


def hardware() -> str:
    """What this machine trains on, in words."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{os.cpu_count()} CPU cores, {platform.machine()}, one thread a training"


@contextmanager
def one_thread() -> Iterator[None]:
    """Bootstraps take thousands of small matrices apart, which threads only slow down."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
