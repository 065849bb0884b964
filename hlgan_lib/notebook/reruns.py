"""A training in a notebook that is run again: it goes on where it was cut off, or starts anew."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import torch

from .. import training
from ..checkpoint import OtherRun, RunFolder
from ..config import RunConfig
from ..data.pictures import read_image, to_array
from ..errors import HLError
from ..files import user_path
from ..loop import Loop, Tick


def fresh(folder: str | Path) -> Path:
    """A folder for a run that starts anew: the run that an earlier *Run all* left there is removed.

    Raises HLError where the folder holds something that is no run.
    """
    folder = user_path(folder)
    if folder.is_dir() and any(folder.iterdir()):
        if not (folder / "config.json").is_file():
            raise HLError(f"{folder} holds other files than a run: choose another folder for OUT")
        shutil.rmtree(folder)
    return folder


def train(cfg: RunConfig, stage: str, *, out: str | Path, **what: Any) -> Iterator[Tick]:
    """`hl.train` for a cell that is run again.

    An unfinished run of the same settings in `out` goes on, and repeats the ticks that its log
    holds, so that curves begin at the beginning. A finished one, or one of other settings, gives
    way to a new one.

    Args:
        cfg: the configuration.
        stage: as in `hl.train`.
        out: the run folder.
        **what: as in `hl.train`.

    Returns:
        The ticks.

    Raises:
        HLError: as `fresh` and `hl.train`.
    """
    folder = RunFolder(out)
    if folder.last.is_file() and not folder.finished:
        try:
            ticks = training.train(cfg, stage, out=out, resume=True, **what)
        except OtherRun:
            pass
        else:
            print(
                f"{out} holds a run of these settings that was cut off: going on from its last "
                "checkpoint"
            )
            return _from_the_start(ticks, folder, getattr(cfg, f"{stage}_steps"))
    return training.train(cfg, stage, out=fresh(out), **what)


def step_0(loop: Loop) -> Tick:
    """The tick before the first update: what untrained networks make is nothing learned.

    Args:
        loop: of `training.new_loop`, as it comes.

    Returns:
        A tick with samples, score and diagnostics, and no losses of a training.

    Raises:
        HLError: for a loop that has been trained.
    """
    if loop.step:
        raise HLError(f"step_0 needs a loop before its first update, got one after {loop.step}")
    samples, score = loop.look()
    return Tick(0, loop.steps, 0, 0.0, 0.0, 0.0, loop.diagnostics(), (), score, samples)


def logged(folder: RunFolder, steps: int) -> Iterator[Tick]:
    """The ticks in the log of a run, with the samples that were kept.

    Args:
        folder: of the run.
        steps: its updates in all.

    Yields:
        Each tick.
    """
    for entry in folder.read_log()[0]:
        picture = folder.samples / f"{entry['step']:07d}.png"
        samples = None
        if picture.is_file():
            samples = torch.from_numpy(to_array(read_image(picture)).copy())
        left = (steps - entry["step"]) / entry["step"] * entry["images"]  # images
        left_s = left / max(entry["rate"], 0.01)
        yield Tick(
            entry["step"],
            steps,
            entry["images"],
            entry["seconds"],
            entry["rate"],
            left_s,
            {k: v for k, v in entry["losses"].items() if v is not None},
            tuple(entry["health"]),
            entry.get("score"),
            samples,
        )


def _from_the_start(ticks: Any, folder: RunFolder, steps: int) -> Iterator[Tick]:
    with closing(ticks):  # the generator of `training.train`: closing it saves
        new = next(ticks, None)  # by now the log is cut back to the checkpoint
        yield from (tick for tick in logged(folder, steps) if new is None or tick.step < new.step)
        if new:
            yield new
            yield from ticks
