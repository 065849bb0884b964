"""A training as TensorBoard logs, beside its own log; nothing depends on them."""

from __future__ import annotations

import warnings
from collections.abc import Generator
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..files import user_path

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

Tick = TypeVar("Tick", bound=Any)  # loop.Tick, which figures do not import
FOLDER = "tensorboard"


def logged(ticks: Generator[Tick, None, None], folder: str | Path) -> Generator[Tick, None, None]:
    """The ticks of a training as they come, each also written for TensorBoard.

    In FOLDER/tensorboard: every loss and diagnostic, the learning rates, the speed, the validation
    score, what health says, and the sample images. TensorBoard's step is images seen. Whatever goes
    wrong with the logs is a warning, and the training goes on without them.

    Args:
        ticks: what `hl.train` gives. Closing this iterator closes it, which saves.
        folder: of the run. After a resume what was logged beyond its checkpoint is hidden.

    Yields:
        The same ticks.
    """
    log = _Log(user_path(folder) / FOLDER)
    try:
        log.open()
        for tick in ticks:
            log.add(tick)
            yield tick
    finally:
        try:
            ticks.close()
        finally:
            log.close()


class _Log:
    """The writer, made at the first tick; gone after the first thing that fails."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writer: SummaryWriter | None = None
        self.wanted = True

    def open(self) -> None:
        """Say so where there is nothing to write with."""
        if util.find_spec("tensorboard") is None:
            self._give_up("the package tensorboard is not here: pip install tensorboard")

    def add(self, tick: Any) -> None:
        if not self.wanted:
            return
        try:
            if self.writer is None:
                from torch.utils.tensorboard import SummaryWriter

                # A killed run may have logged more than its checkpoint holds: hide what is redone.
                self.writer = SummaryWriter(str(self.folder), purge_step=tick.images)
            _write(self.writer, tick)
            self.writer.flush()
        except Exception as error:  # a full disk, another version: no reason to lose a training
            self._give_up(f"{type(error).__name__}: {error}")

    def close(self) -> None:
        if self.writer is None:
            return
        try:
            self.writer.close()
        except Exception as error:
            self._give_up(f"{type(error).__name__}: {error}")

    def _give_up(self, why: str) -> None:
        self.wanted, self.writer = False, None
        reason = next(iter(why.splitlines()), "")
        warnings.warn(f"no TensorBoard logs ({reason}); the training goes on", stacklevel=4)


def _write(writer: SummaryWriter, tick: Any) -> None:
    """One tick, at its images seen."""
    scalars = {f"train/{name}": value for name, value in tick.losses.items()}
    scalars |= {f"lr/{name}": value for name, value in tick.lr.items()}
    scalars["speed/images per s"] = tick.rate
    if tick.score is not None:
        scalars["validation/frechet_lite0"] = tick.score
    for name, value in scalars.items():
        writer.add_scalar(name, value, tick.images)
    if tick.health:
        writer.add_text("health", "; ".join(tick.health), tick.images)
    if tick.samples is not None:
        writer.add_image("samples", tick.samples, tick.images)
