"""What the figures of the study are put together from: bars with intervals, gaps."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from matplotlib.axes import Axes

from ..viz.canvas import COLOURS, CYCLE, Figure, quiet, with_alt
from .numbers import Bar, no_ratio, written
from .results import Stored


def name_rows(ax: Axes, names: list[str], xlabel: str) -> None:
    """Names down the axis, the first on top; a row each of height 1.

    Args:
        ax: where to draw.
        names: from the top.
        xlabel: what is measured, with its unit.
    """
    ax.set_yticks(range(len(names)), names, fontsize=8)
    ax.set_ylim(len(names) - 0.5, -0.5)
    quiet(ax, xlabel, "")
    ax.grid(visible=False, axis="y")


def draw_bars(
    ax: Axes,
    rows: dict[str, Bar],
    xlabel: str,
    words: Callable[[float], str] = written,
    points: bool = False,
) -> None:
    """Horizontal bars with interval and number; or points, for a scale on which 0 means nothing.

    Args:
        ax: where to draw.
        rows: label -> score; None where it was not run.
        xlabel: what is measured, with its unit.
        words: how a score is written.
        points: draw a point, not a bar.
    """
    for i, b in enumerate(rows.values()):
        if points:
            ax.plot(b.value, i, marker="o", color=CYCLE[0], linestyle="none")
        else:
            ax.barh(i, b.value, color=CYCLE[0], height=0.6)
        end = b.value
        if b.low is not None and b.high is not None:
            low, end = min(b.low, b.value), max(b.high, b.value)
            interval = [[b.value - low], [end - b.value]]
            ax.errorbar(b.value, i, xerr=interval, color="black", capsize=3, linewidth=1.2)
        ax.annotate(
            words(b.value),
            (end, i),
            (6, 0),
            va="center",
            fontsize=8,
            textcoords="offset points",
        )
    ax.margins(x=0.16)
    name_rows(ax, list(rows), xlabel)


def draw_gap(ax: Axes, at: int, gap: dict) -> str:
    """A closed gap as a bar with its interval.

    Args:
        ax: where to draw.
        at: the row.
        gap: as `metrics.gap_closed` returned it.

    Returns:
        What it says, in words.
    """
    ratio = gap["ratio"]
    if ratio is None:
        ax.text(0.02, at, no_ratio(gap), va="center", fontsize=8)
        return "no ratio"
    low = min(gap["ratio_ci"][0], ratio)
    high = max(gap["ratio_ci"][1], ratio)
    ax.barh(at, ratio, height=0.6, color=COLOURS["blue"])
    interval = [[ratio - low], [high - ratio]]
    ax.errorbar(ratio, at, xerr=interval, color="black", capsize=4, linewidth=1.2)
    return f"{ratio:.2f} [{low:.2f}, {high:.2f}]"


def draw_sweep(ax: Axes, bars: list[Bar], colour: str) -> None:
    """Scores at x = 0, 1, ..., with intervals; of one seed as a hollow point.

    Args:
        ax: where to draw.
        bars: the scores in the order of x.
        colour: of the line.
    """
    ax.plot(range(len(bars)), [b.value for b in bars], color=colour, linestyle="-")
    for i, b in enumerate(bars):
        interval = None
        if b.low is not None and b.high is not None:
            interval = [[b.value - min(b.low, b.value)], [max(b.high, b.value) - b.value]]
        ax.errorbar(
            i,
            b.value,
            yerr=interval,
            marker="o",
            color=colour,
            markerfacecolor="white" if len(b.seeds) == 1 else colour,
            ecolor="black",
            capsize=3,
            elinewidth=1.2,
            linestyle="none",
        )
    ax.set_xlim(-0.5, len(bars) - 0.5)


def words_of(rows: Mapping[str, Bar], words: Callable[[float], str] = written) -> str:
    """Bars in words, for alt texts."""
    return ", ".join(f"{name} {words(b.value)}" for name, b in rows.items())


def finish(figure: Figure, stored: Stored, alt: str) -> Figure:
    """The figure with its alt text; results of the smoke preset are marked as none.

    Args:
        figure: as drawn.
        stored: the results that it shows.
        alt: its alt text.

    Returns:
        The same figure.
    """
    if stored.about["preset"] == "smoke":
        words = "smoke preset: a test of the machinery, no result"
        figure.suptitle(words, fontsize=9, color=COLOURS["vermilion"])
    return with_alt(figure, alt)
