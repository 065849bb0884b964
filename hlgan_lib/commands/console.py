"""What the commands show and hear: progress, messages, tables, signals."""

from __future__ import annotations

import logging
import shutil
import sys
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from ..runtime import BAR, Stop
from ..text import shown

if TYPE_CHECKING:
    from ..loop import Tick


SHOWN = ("pix", "gan", "d_loss", "z_loss")  # of the logged losses, where the task has them


def follow(
    start: Callable[[], Generator[Tick, None, None]],
    out: Path,
    resume: bool,
    stop: Stop,
    n_images: int,
) -> int:
    """Show a training of n_images to its end, or to its stop; the exit code.

    One bar on a terminal, else a line a tick; what health says is a line of its own when it is new.
    """
    from ..checkpoint import RunFolder

    folder = RunFolder(out)
    was_finished = folder.finished
    ticks = start()
    if was_finished and resume:
        say(f"{out} is finished already: weights {folder.weights}")
        return 0
    say(f"training in {out}: {n_images:,} images")
    said: tuple[str, ...] = ()
    # tqdm by itself draws nothing on a terminal that says 0 x 0.
    size = shutil.get_terminal_size((120, 24))
    # Closing the ticks saves, whatever stops the talking.
    with (
        closing(ticks),
        tqdm(
            total=n_images,
            disable=None,
            mininterval=0,
            ncols=size.columns,
            nrows=size.lines,
            bar_format=BAR,
        ) as progress,
    ):
        for tick in ticks:
            _show(progress, tick)
            for note in tick.health:
                if note not in said:
                    tqdm.write(f"health: {note}")
            said = tick.health
    if not folder.finished:
        return stop.exit_code
    score = folder.read_scores()["val_frechet_lite0"]
    say(f"finished: weights {folder.weights}, validation {score}")
    return 0


def _show(progress: tqdm, tick: Tick) -> None:
    losses = "  ".join(f"{k} {tick.losses[k]:.4f}" for k in SHOWN if k in tick.losses)
    pace = f"{tick.rate:.1f} images/s  {tqdm.format_interval(tick.left_s)} left  {losses}"
    if progress.disable:
        score = f"  validation {tick.score:.1f}" if tick.score is not None else ""
        say(f"{tick.images:,} images  {pace}{score}")
        return
    progress.set_postfix_str(pace, refresh=False)
    progress.update(tick.images - progress.n)


def say(line: object) -> None:
    """Print one line at once; names in it are escaped."""
    print(shown(line), flush=True)


class _OneLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return shown(super().format(record))


@contextmanager
def plain_messages() -> Iterator[None]:
    """Warnings and the package's log as plain lines on stderr."""
    handler, log = logging.StreamHandler(), logging.getLogger("hlgan")
    handler.setFormatter(_OneLine("hlgan: %(message)s"))
    before = warnings.showwarning, log.level
    warnings.showwarning = lambda message, *_: print(
        shown(f"hlgan: warning: {message}"), file=sys.stderr
    )
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        warnings.showwarning = before[0]
        log.setLevel(before[1])
        log.removeHandler(handler)


def bar(batches: Iterable) -> Iterable:
    """The batches, with a progress bar on a terminal once they take more than a second."""
    return tqdm(batches, disable=None, delay=1, unit="batch")


def some(names: list[str], n: int = 10) -> str:
    """The first n of the names as ": a, b, c"; nothing where there is none."""
    if not names:
        return ""
    more = ", ..." if len(names) > n else ""
    return f": {', '.join(names[:n])}{more}"


def table(rows: dict[str, dict[str, object]], title: str) -> None:
    """Print rows of values in aligned columns, floats with four digits."""
    text: dict[str, dict[str, str]] = {}
    for label, row in rows.items():
        text[label] = {
            k: f"{v:.4g}" if isinstance(v, float) else str(v)
            for k, v in row.items()
            if v is not None
        }
    widths: dict[str, int] = {}
    for cells in text.values():
        for k, v in cells.items():
            widths[k] = max(widths.get(k, len(k)), len(v))
    first = max(map(len, text))
    say(title)
    titles = {"": {k: k for k in widths}}
    for label, cells in (titles | text).items():
        columns = [cells.get(k, "").ljust(width) for k, width in widths.items()]
        say("  ".join([label.ljust(first), *columns]).rstrip())
