"""Curves, spectra, bars, histograms, protocols, risk. Every function returns a Figure with alt text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from ..errors import HLError
from .canvas import COLOURS, CYCLE, DASHES, GREY, MARKERS, blank, line_style, quiet, with_alt


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
    """Lines over one axis, told apart by colour and dash. series: name -> (x, y) or (x, y, low, high) for a band."""
    figure = blank(6.4, 3.6)
    ax = figure.add_subplot()
    for i, (name, values) in enumerate(series.items()):
        x, y, *band = (np.asarray(v, dtype=float) for v in values)
        ax.plot(
            x,
            y,
            label=name,
            marker=MARKERS[(i + i // 7) % 7] if markers else None,
            markersize=5,
            fillstyle="none" if i // 7 % 2 else "full",
            **line_style(i),
        )  # the second seven are hollow
        if band:
            ax.fill_between(x, *band, color=CYCLE[i % len(CYCLE)], alpha=0.18, linewidth=0)
    ax.set(xscale="log" if logx else "linear", yscale="log" if logy else "linear")
    for axis in [ax.xaxis] * logx + [ax.yaxis] * logy:
        plain_log(axis)
    quiet(ax, xlabel, ylabel, title)
    if len(series) > 1:  # beside the axes where it would cover lines
        ax.legend(
            frameon=False,
            **({"loc": "center left", "bbox_to_anchor": (1, 0.5)} if len(series) > 3 else {}),
        )
    return with_alt(figure, alt)


def plain_log(axis: Axis) -> None:
    """1, 2, 5, 10 for 10^0 and so on, on a logarithmic axis of less than three decades."""
    low, high = axis.get_view_interval()
    if high < 1000 * low:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:,g}")
        axis.set_minor_formatter(NullFormatter())


def spectra(curves: Mapping[str, tuple], *, title: str = "", alt: str) -> Figure:
    """Power over spatial frequency; curves: name -> (x, y, ...) of analysis.power_spectrum, cycles a pixel, power."""
    return lines(
        {k: (v[0], v[1]) for k, v in curves.items()},
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
    """Horizontal bars with the number beside; values: name -> value, or (value, low, high) for an interval.

    reference: name -> value drawn as a dashed vertical line, such as a floor.
    """
    figure = blank(6.4, 0.8 + 0.42 * len(values) + (0.3 if reference else 0))
    ax = figure.add_subplot()
    rows = [v if isinstance(v, tuple) else (v, None, None) for v in values.values()]
    largest = max(abs(v if high is None else high) for v, _, high in rows)
    for i, (value, low, high) in enumerate(rows):
        ax.barh(i, value, color=CYCLE[i % len(CYCLE)], height=0.6)
        if low is not None:
            ax.errorbar(
                value,
                i,
                xerr=[[value - low], [high - value]],
                color="black",
                capsize=4,
                linewidth=1.2,
            )
        text = f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
        ax.text(
            max(value if high is None else high, 0) + 0.02 * largest,
            i,
            text,
            va="center",
            zorder=3,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        )  # over a line of `reference`
    for k, (name, value) in enumerate((reference or {}).items()):
        ax.axvline(value, color="black", linestyle=DASHES[k + 1], linewidth=1.2, label=name)
    if reference:
        figure.legend(frameon=False, loc="outside lower right", ncols=len(reference))
    ax.set_yticks(range(len(values)), list(values))
    ax.invert_yaxis()
    ax.margins(x=0.12)
    quiet(ax, xlabel, "", title)
    ax.grid(visible=False, axis="y")
    return with_alt(figure, alt)


def histograms(
    values: Mapping[str, Any],
    *,
    xlabel: str,
    title: str = "",
    alt: str,
    bins: int | Sequence = 40,
    range: tuple[float, float] | None = None,
) -> Figure:
    """Histograms over one another as outlines, each of area 1. values: name -> numbers of any shape."""
    figure = blank(6.4, 3.2)
    ax = figure.add_subplot()
    arrays = {k: np.asarray(v, dtype=float).ravel() for k, v in values.items()}
    edges = np.histogram_bin_edges(np.concatenate(list(arrays.values())), bins, range)
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
    """Small histograms side by side, one a name: name -> numbers. For the spread of many parameters at a glance."""
    rows = -(-len(values) // columns)
    figure = blank(2.1 * columns, 1.7 * rows + (0.3 if title else 0))
    for i, (name, v) in enumerate(values.items()):
        ax = figure.add_subplot(rows, columns, i + 1)
        v = np.asarray(v).ravel()
        whole = np.issubdtype(v.dtype, np.integer) and np.ptp(v) < 64  # a bar a number
        ax.hist(v, np.arange(v.min(), v.max() + 2) - 0.5 if whole else 24, color=COLOURS["blue"])
        quiet(ax, (xlabels or {}).get(name, ""), "", "")
        ax.set_title(name, fontsize=9)
        ax.set_yticks([])
        ax.grid(visible=False)
    if title:
        figure.suptitle(title, fontsize=11, weight="bold")
    return with_alt(figure, alt)


def network(sizes: Mapping[str, tuple[int, int]], *, title: str = "", alt: str) -> Figure:
    """A network as blocks, left to right: name -> (channels, side in pixels); the height of a block is its side."""
    figure = blank(max(6.4, 0.85 * len(sizes)), 3.0)
    ax = figure.add_subplot()
    largest = max(side for _, side in sizes.values())
    for i, (name, (channels, side)) in enumerate(sizes.items()):
        ax.bar(i, side, width=0.5, bottom=-side / 2, color=COLOURS["sky"], edgecolor="black")
        ax.text(i, side / 2 + 0.03 * largest, f"{channels}×{side}×{side}", ha="center", fontsize=8)
        ax.text(i, -0.62 * largest, name, ha="center", va="top", fontsize=8)
    ax.set(xlim=(-0.6, len(sizes) - 0.4), ylim=(-0.85 * largest, 0.65 * largest), title=title)
    ax.set_axis_off()
    return with_alt(figure, alt)


def drift_figure(scores: Mapping[str, Mapping[str, dict]], title: str = "") -> Figure:
    """What `drift` returns as a figure: a row a protocol, a marker a set with its interval, a tick for the floor."""
    rows = list(next(iter(scores.values())))
    figure = blank(7.2, 1.4 + 0.52 * len(rows))
    ax = figure.add_subplot()
    for i, (name, by) in enumerate(scores.items()):
        y = [k + 0.13 * (i - (len(scores) - 1) / 2) for k in range(len(rows))]
        x = [by[row]["value"] for row in rows]
        ends = [[abs(v - by[row]["ci"][side]) for v, row in zip(x, rows)] for side in (0, 1)]
        ax.errorbar(
            x,
            y,
            xerr=ends,
            fmt=MARKERS[i],
            color=CYCLE[i],
            capsize=2,
            linewidth=1.2,
            markersize=6,
            label=name,
        )
    floors = [next(iter(scores.values()))[row]["floor"] for row in rows]
    ax.plot(
        floors,
        range(len(rows)),
        "|",
        color="black",
        markersize=22,
        markeredgewidth=2,
        label="floor",
    )
    ax.set(xscale="log", yticks=range(len(rows)), yticklabels=rows)
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter("{x:,g}")
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.invert_yaxis()
    quiet(ax, "Fréchet distance (same pictures in every row)", "", title)
    figure.legend(frameon=False, loc="outside upper center", ncols=len(scores) + 1)
    said = "; ".join(
        f"{name}: " + ", ".join(f"{row} {by[row]['value']:.3g}" for row in rows)
        for name, by in scores.items()
    )
    return with_alt(
        figure, f"Fréchet distance of the same restored faces under each protocol. {said}"
    )


def risk_figure(errors: Mapping[str, Mapping[str, Any]], *, alt: str, title: str = "") -> Figure:
    """A panel an error: its mean over the kept, as a part of the mean over all, over the share that is kept.

    errors: name of the error -> name of the score -> curve (`reliability.risk.RiskCurve`). Below 1: the score helps.
    """
    if not errors:
        raise HLError("errors must hold at least one error, got none: see risk_coverage")
    figure = blank(4.4 * len(errors), 3.6)
    for ax, (error, curves) in zip(
        figure.subplots(1, len(errors), squeeze=False, sharey=True)[0], errors.items()
    ):
        for i, (name, curve) in enumerate(curves.items()):
            shown = curve.coverage >= 0.05  # the first few pictures say nothing yet
            ax.plot(
                100 * curve.coverage[shown],
                curve.risk[shown] / curve.risk[-1],
                label=name,
                **line_style(i),
            )
        ax.axhline(1, color=GREY, linestyle=":", linewidth=1.2, label="chance")
        quiet(
            ax,
            "pictures kept, the most trusted first (%)",
            "mean error / mean error of all" * (ax.get_subplotspec().is_first_col()),
            error,
        )
    figure.legend(
        *ax.get_legend_handles_labels(),
        loc="outside lower center",
        ncols=len(curves) + 1,
        frameon=False,
    )
    if title:
        figure.suptitle(title, fontsize=11, weight="bold")
    return with_alt(figure, alt)
