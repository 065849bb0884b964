"""Curves, bars, histograms, protocols, risk. Every function returns a Figure with alt text.

Of every function: `title` is a line over the figure; `alt` says what a reader who cannot see it
should know, and HLError is raised where it says nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axis import Axis
from matplotlib.ticker import LogLocator, NullFormatter

from ..errors import HLError
from .canvas import (
    COLOURS,
    CYCLE,
    DASHES,
    GREY,
    MARKERS,
    Figure,
    blank,
    line_style,
    quiet,
    with_alt,
)


def lines(
    series: Mapping[str, tuple],
    *,
    xlabel: str,
    ylabel: str,
    title: str = "",
    alt: str,
    logx: bool = False,
    logy: bool = False,
    markers: bool = False,
) -> Figure:
    """Lines over one axis, told apart by colour and dash.

    Args:
        series: name -> (x, y), or (x, y, low, high) for a line with a band.
        xlabel: what x is, with its unit.
        ylabel: what y is, with its unit.
        title: see above.
        alt: see above.
        logx: a logarithmic x axis.
        logy: a logarithmic y axis.
        markers: mark the points too; from the eighth line on the marks are hollow.

    Returns:
        The figure.
    """
    figure = blank(6.4, 3.6)
    ax = figure.add_subplot()
    n_markers = len(MARKERS)
    for i, (name, values) in enumerate(series.items()):
        x, y, *band = (np.asarray(v, dtype=float) for v in values)
        time_round = i // n_markers
        ax.plot(
            x,
            y,
            label=name,
            marker=MARKERS[(i + time_round) % n_markers] if markers else None,
            markersize=5,
            fillstyle="none" if time_round % 2 else "full",
            **line_style(i),
        )
        if band:
            low, high = band
            ax.fill_between(x, low, high, color=CYCLE[i % len(CYCLE)], alpha=0.18, linewidth=0)
    if logx:
        ax.set_xscale("log")
        plain_log(ax.xaxis)
    if logy:
        ax.set_yscale("log")
        plain_log(ax.yaxis)
    quiet(ax, xlabel, ylabel, title)
    if len(series) > 3:  # beside the axes, as it would cover lines
        ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    elif len(series) > 1:
        ax.legend(frameon=False)
    return with_alt(figure, alt)


def plain_log(axis: Axis) -> None:
    """Plain numbers on a logarithmic axis of less than three decades: 1, 2, 5, 10 for 10^0, ..."""
    low, high = axis.get_view_interval()
    if high < 1000 * low:
        _plain_numbers(axis)


def _plain_numbers(axis: Axis) -> None:
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:,g}")
    axis.set_minor_formatter(NullFormatter())


def spectra(curves: Mapping[str, tuple], *, title: str = "", alt: str) -> Figure:
    """Power over spatial frequency.

    Args:
        curves: name -> (frequency in cycles a pixel, power, ...), as `analysis.power_spectrum`
            returns it.
        title: see above.
        alt: see above.

    Returns:
        The figure.
    """
    return lines(
        {name: (curve[0], curve[1]) for name, curve in curves.items()},
        xlabel="spatial frequency (cycles per pixel)",
        ylabel="power (full scale²)",
        title=title,
        alt=alt,
        logy=True,
        markers=True,
    )


def bars(
    values: Mapping[str, float | tuple[float, float, float]],
    *,
    xlabel: str,
    title: str = "",
    alt: str,
    reference: Mapping[str, float] | None = None,
) -> Figure:
    """Horizontal bars with the number beside.

    Args:
        values: name -> value, or (value, low, high) for a bar with an interval.
        xlabel: what the bars measure, with its unit.
        title: see above.
        alt: see above.
        reference: name -> value that is drawn as a broken vertical line, such as a floor.

    Returns:
        The figure.
    """
    reference = reference or {}
    figure = blank(6.4, 0.8 + 0.42 * len(values) + (0.3 if reference else 0))
    ax = figure.add_subplot()
    rows = [v if isinstance(v, tuple) else (v, None, None) for v in values.values()]
    ends = [value if high is None else high for value, _, high in rows]
    largest = max(abs(end) for end in ends)
    digits = _digits(max(abs(value) for value, _, _ in rows))
    for i, (value, low, high) in enumerate(rows):
        ax.barh(i, value, color=CYCLE[i % len(CYCLE)], height=0.6)
        if low is not None and high is not None:
            interval = [[value - low], [high - value]]
            ax.errorbar(value, i, xerr=interval, color="black", capsize=4, linewidth=1.2)
        ax.text(
            max(ends[i], 0) + 0.02 * largest,
            i,
            f"{value:,.{digits}f}" if value else "0",
            va="center",
            zorder=3,  # over a line of `reference`
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        )
    for k, (name, value) in enumerate(reference.items()):
        ax.axvline(value, color="black", linestyle=DASHES[k + 1], linewidth=1.2, label=name)
    if reference:
        figure.legend(frameon=False, loc="outside lower right", ncols=len(reference))
    ax.set_yticks(range(len(values)), list(values))
    ax.invert_yaxis()
    ax.margins(x=0.12)
    quiet(ax, xlabel, "", title)
    ax.grid(visible=False, axis="y")
    return with_alt(figure, alt)


def _digits(largest: float) -> int:
    """Digits behind the point that give the largest of some numbers three digits in all.

    >>> _digits(0.0654), _digits(19.07), _digits(1689.0)
    (4, 1, 0)
    """
    return max(0, 2 - math.floor(math.log10(largest))) if largest > 0 else 0


def histograms(
    values: Mapping[str, Any],
    *,
    xlabel: str,
    title: str = "",
    alt: str,
    bins: int | Sequence = 40,
    range: tuple[float, float] | None = None,
) -> Figure:
    """Histograms over one another as outlines, each of area 1.

    Args:
        values: name -> numbers, of any shape.
        xlabel: what the numbers are, with their unit.
        title: see above.
        alt: see above.
        bins: how many bins, or their edges; the same for all.
        range: lowest and highest edge; by default those of the numbers.

    Returns:
        The figure.
    """
    figure = blank(6.4, 3.2)
    ax = figure.add_subplot()
    arrays = {name: np.asarray(v, dtype=float).ravel() for name, v in values.items()}
    edges = np.histogram_bin_edges(np.concatenate(list(arrays.values())), bins, range).tolist()
    for i, (name, a) in enumerate(arrays.items()):
        ax.hist(a, edges, histtype="step", density=True, label=name, linewidth=1.8, **line_style(i))
    quiet(ax, xlabel, "share per unit", title)
    if len(arrays) > 1:
        ax.legend(frameon=False)
    return with_alt(figure, alt)


def panels(
    values: Mapping[str, Mapping[str, Any]],
    *,
    xlabels: Mapping[str, str] | None = None,
    alt: str,
    title: str = "",
    columns: int = 4,
) -> Figure:
    """Small histograms side by side: the spread of many parameters at a glance.

    Args:
        values: name of the panel -> numbers, of any shape; whole numbers get a bar each.
        xlabels: name of the panel -> what its numbers are.
        alt: see above.
        title: see above.
        columns: panels in a row.

    Returns:
        The figure.
    """
    xlabels = xlabels or {}
    rows = -(-len(values) // columns)
    figure = blank(2.1 * columns, 1.7 * rows + (0.3 if title else 0))
    for i, (name, numbers) in enumerate(values.items()):
        ax = figure.add_subplot(rows, columns, i + 1)
        v = np.asarray(numbers).ravel()
        bins: int | list[float] = 24
        if np.issubdtype(v.dtype, np.integer) and np.ptp(v) < 64:
            bins = (np.arange(v.min(), v.max() + 2) - 0.5).tolist()  # a bar a number
        ax.hist(v, bins, color=COLOURS["blue"])
        quiet(ax, xlabels.get(name, ""), "", "")
        ax.set_title(name, fontsize=9)
        ax.set_yticks([])
        ax.grid(visible=False)
    if title:
        figure.suptitle(title, fontsize=11, weight="bold")
    return with_alt(figure, alt)


def network(sizes: Mapping[str, tuple[int, int]], *, title: str = "", alt: str) -> Figure:
    """A network as blocks, left to right; the height of a block is the side of its images.

    Args:
        sizes: name of the layer -> (channels, side in pixels) of what it gives.
        title: see above.
        alt: see above.

    Returns:
        The figure.
    """
    figure = blank(max(6.4, 0.85 * len(sizes)), 3.0)
    ax = figure.add_subplot()
    largest = max(side for _, side in sizes.values())
    for i, (name, (channels, side)) in enumerate(sizes.items()):
        ax.bar(i, side, width=0.5, bottom=-side / 2, color=COLOURS["sky"], edgecolor="black")
        shape = f"{channels}×{side}×{side}"
        ax.text(i, side / 2 + 0.03 * largest, shape, ha="center", fontsize=8)
        ax.text(i, -0.62 * largest, name, ha="center", va="top", fontsize=8)
    ax.set(xlim=(-0.6, len(sizes) - 0.4), ylim=(-0.85 * largest, 0.65 * largest), title=title)
    ax.set_axis_off()
    return with_alt(figure, alt)


def drift_figure(scores: Mapping[str, Mapping[str, dict]], title: str = "") -> Figure:
    """The same images measured under several protocols: a row a protocol, a marker a set.

    Args:
        scores: name of the set -> protocol -> {value, ci, floor}, as `metrics.drift`
            returns it.
        title: see above.

    Returns:
        The figure, with the interval of every score and a tick for each protocol's floor; its alt
        text is made of the numbers.
    """
    first = next(iter(scores.values()))
    rows = list(first)
    figure = blank(7.2, 1.4 + 0.52 * len(rows))
    ax = figure.add_subplot()

    # The sets of a row lie above one another, around the row's middle.
    parts = []
    for i, (name, by) in enumerate(scores.items()):
        offset = 0.13 * (i - (len(scores) - 1) / 2)
        values = [by[row]["value"] for row in rows]
        below = [abs(by[row]["value"] - by[row]["ci"][0]) for row in rows]
        above = [abs(by[row]["value"] - by[row]["ci"][1]) for row in rows]
        ax.errorbar(
            values,
            [k + offset for k in range(len(rows))],
            xerr=[below, above],
            fmt=MARKERS[i],
            color=CYCLE[i],
            capsize=2,
            linewidth=1.2,
            markersize=6,
            label=name,
        )
        said = ", ".join(f"{row} {value:.3g}" for row, value in zip(rows, values, strict=True))
        parts.append(f"{name}: {said}")
    ax.plot(
        [first[row]["floor"] for row in rows],
        range(len(rows)),
        "|",
        color="black",
        markersize=22,
        markeredgewidth=2,
        label="floor",
    )

    ax.set(xscale="log", yticks=range(len(rows)), yticklabels=rows)
    _plain_numbers(ax.xaxis)
    ax.invert_yaxis()
    quiet(ax, "Fréchet distance (same pictures in every row)", "", title)
    figure.legend(frameon=False, loc="outside upper center", ncols=len(scores) + 1)
    about = "Fréchet distance of the same restored faces under each protocol."
    return with_alt(figure, f"{about} {'; '.join(parts)}")


def risk_figure(errors: Mapping[str, Mapping[str, Any]], *, alt: str, title: str = "") -> Figure:
    """Risk over coverage: does a score know which images are wrong?

    A panel an error: the mean error of the images that are kept, as a part of the mean over all,
    over the share that is kept. Below 1 the score helps; 1 is chance.

    Args:
        errors: name of the error -> name of the score -> its curve
            (`reliability.risk.RiskCurve`: coverage and risk).
        alt: see above.
        title: see above.

    Returns:
        The figure.

    Raises:
        HLError: for no error at all.
    """
    if not errors:
        raise HLError("errors must hold at least one error, got none: see risk_coverage")
    figure = blank(4.4 * len(errors), 3.6)
    axes = figure.subplots(1, len(errors), squeeze=False, sharey=True)[0]
    for k, (error, curves) in enumerate(errors.items()):
        ax = axes[k]
        for i, (name, curve) in enumerate(curves.items()):
            shown = curve.coverage >= 0.05  # the first few images say nothing yet
            part = curve.risk[shown] / curve.risk[-1]
            ax.plot(100 * curve.coverage[shown], part, label=name, **line_style(i))
        ax.axhline(1, color=GREY, linestyle=":", linewidth=1.2, label="chance")
        ylabel = "mean error / mean error of all" if k == 0 else ""
        quiet(ax, "pictures kept, the most trusted first (%)", ylabel, error)
    handles, labels = axes[-1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    if title:
        figure.suptitle(title, fontsize=11, weight="bold")
    return with_alt(figure, alt)
