"""A training watched from a notebook.

Curves, samples, health, and a button that stops and saves.
"""

from __future__ import annotations

import textwrap
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .. import viz
from ..errors import HLError
from ..loop import Tick
from ..runtime import stop_signals
from ..viz.canvas import Figure
from .hosts import custom_widgets, front_end, in_kernel

REDRAW_S = 2.0  # a redrawn figure costs about 0.3 s of training time


def live(ticks: Iterable[Tick], title: str = "training", rows: Sequence[str] = ()) -> list[Tick]:
    """Run a training to its end; curves, samples and health are drawn while it runs.

    With nobody watching the figures are drawn once, at the end; outside a notebook there is a
    progress bar. The stop button, or interrupting the kernel, ends it after the next tick; a
    training with a run folder saves itself there first.

    Args:
        ticks: of `hl.train`.
        title: of the curves.
        rows: names of the rows of the sample grid.

    Returns:
        The ticks.
    """
    history: list[Tick] = []
    panel = _Panel(title, rows) if in_kernel() else _Bar(title)
    watched, drawn = front_end(), 0.0
    with stop_signals() as interrupted, _stop_button(watched):
        try:
            for tick in ticks:
                history.append(tick)
                if not isinstance(panel, _Panel) or watched and time.monotonic() - drawn > REDRAW_S:
                    panel.draw(history)
                    drawn = time.monotonic()
                if interrupted():
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            getattr(ticks, "close", lambda: None)()  # a training saves when its iterator is closed
            print(f"Stopped after {len(history)} ticks; going on with what there is.")
    if not history:
        raise HLError(
            "the training gave no ticks: is the run in --out already finished? Choose "
            "another folder"
        )
    panel.close(history)
    return history


@contextmanager
def _stop_button(watched: bool) -> Iterator[None]:
    """A button that interrupts this kernel, where a person is watching; it goes with the training.

    A click cannot be heard by Python while it trains, so the button asks the server.
    """
    if not watched:
        yield
        return
    from ipykernel.kernelapp import IPKernelApp
    from IPython.display import display

    from .browser import StopButton

    custom_widgets()
    file = IPKernelApp.instance().connection_file if IPKernelApp.initialized() else ""
    button = StopButton(kernel=Path(file).stem.removeprefix("kernel-"))
    display(button)
    try:
        yield
    finally:
        button.close()


def health_line(history: Sequence[Tick]) -> str:
    """The last tick's diagnoses in one line."""
    return "health: " + ("; ".join(history[-1].health) or "nothing unusual")


class _Bar:
    """tqdm: images seen, images/s, time left, losses."""

    def __init__(self, title: str):
        from tqdm import tqdm

        self.bar = tqdm(desc=title, unit="img")

    def draw(self, history: Sequence[Tick]) -> None:
        tick = history[-1]
        self.bar.total = tick.steps * (tick.images // tick.step)
        self.bar.set_postfix(
            {k: f"{tick.losses[k]:.3f}" for k in ("pix", "gan", "d_loss") if k in tick.losses},
            refresh=False,
        )
        self.bar.update(tick.images - self.bar.n)

    def close(self, history: Sequence[Tick]) -> None:
        self.bar.close()
        print(health_line(history))


class _Panel:
    """Curves and newest samples in place.

    At the end without any times, so that the stored figure repeats.
    """

    def __init__(self, title: str, rows: Sequence[str]):
        self.title, self.rows = title, rows
        self.curves = self.samples = None  # handles of what is shown
        self.shown = -1  # images seen at the samples that are shown

    def draw(self, history: Sequence[Tick], final: bool = False) -> None:
        tick = history[-1]
        so_far = "" if final else f" · {tick.rate:.0f} images/s, {tick.left_s:.0f} s left"
        health = textwrap.fill(health_line(history), 84)  # what fits over the panels
        title = f"{self.title} · {tick.images:,} images{so_far}\n{health}"
        self.curves = viz.show(viz.training_curves(history, title=title), handle=self.curves)

        # Samples are taken less often than curves grow: drawn only when they are new.
        taken = next((t for t in reversed(history) if t.samples is not None), None)
        if taken and taken.images != self.shown:
            self.samples = viz.show(self._samples(taken), handle=self.samples)
            self.shown = taken.images

    def _samples(self, tick: Tick) -> Figure:
        assert tick.samples is not None
        n_rows = (tick.samples.shape[1] - 2) // 66  # 64 pixels and a margin of 2
        unnamed = [f"row {i + 1}" for i in range(len(self.rows), n_rows)]
        names = [*self.rows, *unnamed][:n_rows]
        rows = {name: viz.sample_row(tick.samples, i, n=6) for i, name in enumerate(names)}
        return viz.grid_of_shown(
            rows,
            f"samples after {tick.images:,} images",
            f"Sample grid of {self.title} after {tick.images} images; rows: {', '.join(names)}.",
        )

    def close(self, history: Sequence[Tick]) -> None:
        self.draw(history, final=True)
