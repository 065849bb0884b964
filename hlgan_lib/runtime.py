"""The machine: which device, how many threads, and the signals that end a training.

Imports no torch by itself.
"""

from __future__ import annotations

import os
import platform
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from .errors import HLError

if TYPE_CHECKING:
    import torch

BAR = "{percentage:3.0f}%|{bar:20}| {n_fmt}/{total_fmt} images [{elapsed}{postfix}]"


# What asks a training to end: a person, a closed terminal, a cluster before it takes the machine.
ASK = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU")


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
        """Remember the signal; a second Ctrl-C raises KeyboardInterrupt.

        Any other signal may come twice by itself: a cluster repeats its own.
        """
        if self.signal is not None:
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            return
        self.signal = number
        # Not print, which may not be entered again from within itself. Whoever listened may be
        # gone: Ctrl-C ends the `tee` behind a training too.
        with suppress(OSError):
            os.write(2, b"\nhlgan: finishing this update, then saving; Ctrl-C quits at once\n")


@contextmanager
def stop_signals() -> Iterator[Stop]:
    """The signals of ASK set a flag; a second Ctrl-C raises KeyboardInterrupt."""
    stop = Stop()
    # Python hears signals in the main thread only.
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {}
    for name in ASK:
        number = getattr(signal, name, None)
        if number is None:  # another system
            continue
        if name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN:  # nohup
            continue
        before[number] = signal.signal(number, stop.handle)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def hush(stream: Any) -> None:
    """Send what is still written to a stream nowhere: nobody listens to it any more."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def open_standard_files() -> None:
    """Give 0, 1 and 2 a file where they were closed, or the next file opened is taken for one.

    `print` then goes nowhere, and nothing that is printed lands in a checkpoint.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115


class _Unheard:
    """A stream whose other end may be closed at any time."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, or write nothing where nobody listens."""
        self._try(self._stream.write, text)
        return len(text)

    def flush(self) -> None:
        """Flush, or nothing where nobody listens."""
        self._try(self._stream.flush)

    def _try(self, call: Callable[..., object], *what: str) -> None:
        try:
            call(*what)
        except UnicodeError:  # a ValueError too, but one that is heard
            raise
        except (OSError, ValueError):
            hush(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def speech_may_fail() -> Iterator[None]:
    """Within, whatever is printed may go unheard: a closed pipe or terminal ends no training."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _Unheard(sys.stdout), _Unheard(sys.stderr)  # type: ignore[assignment]
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = before


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
