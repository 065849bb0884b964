"""The course of a training: updates, ticks, checkpoints; it goes on from the last one exactly."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any

from .. import parallel
from ..checkpoint import RunFolder, load_checkpoint, save_checkpoint
from ..config import RunConfig
from ..errors import HLError
from ..files import save_json
from ..graphs import fastest_update
from ..health import LONGEST, diagnose
from ..loop import Loop, Tick, TrainingDiverged
from ..schema import plain


def run(
    loop: Loop,
    folder: RunFolder | None,
    resume: bool = False,
    stop: Callable[[], bool] = lambda: False,
    finish: Callable[[Loop], dict[str, Any]] | None = None,
) -> Generator[Tick, None, None]:
    """Train to the end, yielding ticks; keeps `folder` up to date where there is one.

    Args:
        loop: what to train.
        folder: where checkpoints, log and samples go.
        resume: go on from the last checkpoint in `folder`.
        stop: asked after each update; true saves and ends. Closing the iterator saves too.
        finish: writes the weights of the finished run and returns what goes into scores.json.

    Yields:
        A tick every `tick_images` images, and at the end.

    Raises:
        TrainingDiverged: on a loss that is not finite.
        HLError: for a checkpoint that cannot be gone on from.
    """
    try:
        yield from _updates(loop, folder, resume, stop, finish)
    finally:
        if folder:
            folder.release()


def _updates(
    loop: Loop,
    folder: RunFolder | None,
    resume: bool,
    stop: Callable[[], bool],
    finish: Callable[[Loop], dict[str, Any]] | None,
) -> Iterator[Tick]:
    """The ticks of `run`."""
    if folder and resume:
        _resume(loop, folder)
    tick_steps, save_steps = intervals(loop.cfg)
    _end(loop, folder, finish)  # a run that was stopped between its last checkpoint and its weights

    update = fastest_update(loop)
    first, since = loop.step, time.perf_counter()
    while loop.step < loop.steps:
        update()
        stopping = parallel.any_of(stop())
        at_end = loop.step == loop.steps
        on_tick = at_end or loop.step % tick_steps == 0
        if not (on_tick or stopping):
            continue

        losses = _finite_means(loop, folder)
        passed = time.perf_counter() - since
        loop.seconds += passed
        if not on_tick:  # the log line belongs to the tick ahead, as in an unbroken run
            _save(loop, folder)
            return

        due = at_end or loop.step % save_steps == 0
        tick = _tick(loop, losses, (loop.step - first) / passed, look=due)
        saved = due or stopping
        _store(loop, folder, tick, save=saved)
        _end(loop, folder, finish)
        try:
            yield tick
        except GeneratorExit:
            if not saved:
                _save(loop, folder)
            raise
        if stopping:
            return
        # The caller's time, spent drawing, is not training.
        first, since = loop.step, time.perf_counter()


def _resume(loop: Loop, folder: RunFolder) -> None:
    """Go on from the last checkpoint, where there is one; what is later than it is dropped."""
    if folder.last.is_file():
        state = load_checkpoint(folder.last)
        try:
            loop.load(state)
        # It was read whole, and still may hold anything.
        except Exception as error:
            raise HLError(
                f"checkpoint {folder.last} is damaged or of another version ({plain(error)}): "
                "go on from another, such as best.pt renamed to last.pt, or start in another --out"
            ) from error
        # Killed, perhaps, between last.pt and best.pt.
        if loop.best_step == loop.step and parallel.rank() == 0:
            save_checkpoint(folder.best, loop.state())
    elif folder.best.is_file():
        raise HLError(
            f"--resume: {folder.last} is missing, and {folder.best} is there: copy it to last.pt "
            "to go on from it, or choose another --out to start anew"
        )
    parallel.on_first(lambda: folder.cut_back(loop.step))


def intervals(cfg: RunConfig) -> tuple[int, int]:
    """Updates between ticks, and between checkpoints, which fall on ticks."""
    tick_steps = max(1, cfg.tick_images // cfg.batch)
    save_steps = max(1, cfg.save_images // cfg.batch)
    return tick_steps, max(tick_steps, save_steps // tick_steps * tick_steps)


def _finite_means(loop: Loop, folder: RunFolder | None) -> dict[str, float]:
    """Mean losses since the last tick. Raises TrainingDiverged if these or weights are not."""
    losses = loop.means()
    bad = [name for name, value in losses.items() if not math.isfinite(value)] or loop.broken()
    if bad:
        raise TrainingDiverged(_diverged(bad, loop, folder))
    return losses


def _diverged(bad: list[str], loop: Loop, folder: RunFolder | None) -> str:
    kept = "no checkpoint yet"
    if folder and folder.last.is_file():
        kept = f"the last good checkpoint is {folder.last}"
    said = "; ".join(diagnose(loop.history, loop.cfg)) or "nothing unusual before"
    return (
        f"{', '.join(bad)} became NaN or infinite before update {loop.step} ({kept}; {said}): try "
        "a smaller --lr, --amp off, or --w-r1 1"
    )


def _tick(loop: Loop, losses: dict[str, float], updates_per_s: float, look: bool) -> Tick:
    """The tick at this step, with samples and a score if `look`; the sums start anew."""
    loop.sums, loop.n_summed = {}, 0
    losses |= loop.diagnostics()
    samples, score = loop.look() if look else (None, None)
    loop.history.append({"step": loop.step, **losses})
    del loop.history[:-LONGEST]
    rate = updates_per_s * loop.cfg.batch
    return Tick(
        step=loop.step,
        steps=loop.steps,
        images=loop.step * loop.cfg.batch,
        seconds=loop.seconds,
        rate=rate,
        left_s=(loop.steps - loop.step) * loop.cfg.batch / rate,
        losses=losses,
        health=tuple(diagnose(loop.history, loop.cfg)),
        score=score,
        samples=samples,
        lr=loop.rates(),
    )


def _store(loop: Loop, folder: RunFolder | None, tick: Tick, save: bool) -> None:
    """Log line, samples and best.pt of a tick; last.pt too if `save`."""
    folder = _own(folder)
    if folder:
        folder.append_log(tick.log_line())
    better = tick.score is not None and tick.score < loop.best
    if tick.score is not None and better:
        loop.best, loop.best_step = tick.score, loop.step
    if folder and tick.samples is not None:
        folder.save_sample(tick.step, tick.samples)
    if save or better:
        _save(loop, folder)
    if folder and better:  # after last.pt, from which it is made where a kill comes between them
        save_checkpoint(folder.best, loop.state())


def _save(loop: Loop, folder: RunFolder | None) -> None:
    """Everything to go on exactly, into last.pt."""
    folder = _own(folder)
    if folder:
        save_checkpoint(folder.last, loop.state())


def _end(
    loop: Loop, folder: RunFolder | None, finish: Callable[[Loop], dict[str, Any]] | None
) -> None:
    """Weights and scores of a run that has come to its end and lacks them."""
    if loop.step < loop.steps or folder is None or finish is None:
        return
    if not parallel.on_first(lambda: folder.finished):
        scores = finish(loop)
        parallel.on_first(lambda: save_json(folder.scores, scores))


def _own(folder: RunFolder | None) -> RunFolder | None:
    """The folder, where this process is the one that writes into it."""
    return folder if parallel.rank() == 0 else None
