"""Every figure of the argument, drawn from stored results alone.

What was not run is not drawn; `tables.md` names it.

The numbers come from `numbers`, function by function, so that a test can compare what is drawn with
them.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from ..files import out_folder
from ..viz.canvas import COLOURS, CYCLE, MARKERS, Figure, blank, quiet, save_figure
from ..viz.charts import plain_log
from ..viz.faces import face_grid
from .grid import AXES, CELLS, DEGRADATIONS, LOSSES, N_SHOWN
from .numbers import (
    SHOWN,
    bars_of,
    cost_rows,
    diversity_rows,
    gap_rows,
    matrix_rows,
    plane_points,
    sweep_points,
    written,
)
from .panels import draw_bars, draw_gap, draw_sweep, finish, name_rows, words_of
from .results import Stored
from .tables import write_tables

HUES = ("vermilion", "orange", "purple", "sky", "black", "blue", "green")
COLOUR = {d: COLOURS[hue] for d, hue in zip(DEGRADATIONS, HUES, strict=True)}
MARKER = dict(zip(DEGRADATIONS, MARKERS, strict=False))
BASELINE_MARKER = {"srgan": "<", "cyclegan": ">"}
FILL = dict(zip(LOSSES, ("none", "full"), strict=True))


# ---- the figures ---------------------------------------------------------------------------------
def matrix(stored: Stored, n: int = N_SHOWN) -> Figure:
    """Faces x variants: the first n faces of the test set (at most N_SHOWN), not selected.

    Args:
        stored: the results.
        n: how many faces.

    Returns:
        The figure.
    """
    shown = matrix_rows(stored)
    return face_grid(
        shown,
        alt=f"The first {n} test faces, not selected, a row each: " + ", ".join(shown),
        n=n,
        cell=64,
        title="smoke preset, no result" if stored.about["preset"] == "smoke" else "",
    )


def scores(stored: Stored, cells: Sequence[str]) -> Figure:
    """PSNR on the camera's pairs and distance to HR faces, a bar a cell.

    Args:
        stored: the results.
        cells: of the grid, by name.

    Returns:
        The figure.
    """
    psnr, distance = (bars_of(stored, cells, test, metric) for test, metric in SHOWN)
    figure = blank(9.6, 1.0 + 0.3 * len(psnr))
    left, right = figure.subplots(1, 2, sharey=True)
    draw_bars(left, psnr, "PSNR on real LR images (dB), more is better", points=True)
    draw_bars(right, distance, "Fréchet (Lite0) to HR faces, less is better")
    floor = stored.about["floors"]["frechet_lite0"]
    right.axvline(floor, color="black", linestyle="--", linewidth=1.2)
    right.set_title(f"dashed: floor {floor:.0f}", fontsize=8)
    said = f"{words_of(distance)}; floor {written(floor)}"
    alt = f"PSNR in dB: {words_of(psnr)}. Fréchet distance: {said}."
    return finish(figure, stored, alt)


def gap(stored: Stored) -> Figure:
    """Share of the gap from bilinear to the oracle that each degradation closes."""
    rows = gap_rows(stored)
    figure = blank(7.2, 0.9 + 0.5 * len(rows))
    ax = figure.add_subplot()
    said = []
    for i, (name, closed) in enumerate(rows.items()):
        words = draw_gap(ax, i, closed)
        said.append(f"{name} {words}".replace("\n", ", "))
    for x, name in ((0, "bilinear"), (1, "oracle")):
        ax.axvline(x, color="black", linestyle=":", linewidth=1.2)
        ax.text(x, -0.62, name, ha="center", va="bottom", fontsize=8)
    name_rows(ax, list(rows), "share of the gap closed, with 95 % interval")
    left, right = ax.get_xlim()
    ax.set_xlim(min(left, -0.05), max(right, 1.1))
    alt = "Share of the gap from bilinear to the oracle that is closed: " + "; ".join(said)
    return finish(figure, stored, alt)


def plane(stored: Stored, also: Mapping[str, tuple[Stored, str]] | None = None) -> Figure:
    """Distortion against perception: a point a seed, right and low is good.

    Args:
        stored: the results.
        also: name -> (results, cell) of other trainings, such as a reader's own, beside them.

    Returns:
        The figure.
    """
    figure = blank(8.2, 4.8)
    ax = figure.add_subplot()
    said = []

    # The degradation chooses colour and marker, the loss the filling.
    for cell, seeds in plane_points(stored).items():
        degradation, _, loss = cell.rpartition("-")
        label = CELLS[cell].label
        colour = COLOUR.get(degradation, COLOURS["black"])
        ax.plot(
            *seeds,
            marker=MARKER.get(degradation) or BASELINE_MARKER[cell],
            color=colour,
            linestyle="none",
            markersize=7,
            label=label,
            fillstyle=FILL.get(loss, "full"),
            markeredgewidth=1.6,
        )
        said.append(
            f"{label} {written(float(np.mean(seeds[0])))} dB, {written(float(np.mean(seeds[1])))}"
        )

    # What they are held against: bicubic, the reader's own, the floor.
    bicubic = stored.references["bicubic"]
    ax.plot(
        *([bicubic["scores"][test][metric]["value"]] for test, metric in SHOWN),
        marker="*",
        color="black",
        linestyle="none",
        markersize=10,
        label="bicubic enlargement",
    )
    for name, (own, cell) in (also or {}).items():
        x, y = (own.values(cell, test, metric) for test, metric in SHOWN)
        ax.plot(
            x,
            y,
            marker="h",  # of no stored cell
            color=COLOURS["black"],
            markeredgecolor="white",
            linestyle="none",
            markersize=13,
            label=name,
            zorder=3,
        )
        said.append(f"{name} {written(float(np.mean(x)))} dB, {written(float(np.mean(y)))}")
    floor = stored.about["floors"]["frechet_lite0"]
    ax.axhline(floor, color="black", linestyle="--", linewidth=1, label="floor")

    ax.set_yscale("log")
    plain_log(ax.yaxis)
    quiet(
        ax,
        "PSNR on real LR images (dB): right is nearer to the ground truth",
        "Fréchet distance (Lite0): low looks like faces",
    )
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8, frameon=False)
    alt = "Plane of PSNR and Fréchet distance, mean over seeds: " + "; ".join(said)
    return finish(figure, stored, alt)


def sweep(stored: Stored, names: Sequence[str]) -> Figure:
    """Scores over the x of each axis, a row of two panels an axis.

    The points are evenly spaced, since 0 has no logarithm. A hollow point is one seed, its whisker
    the interval over faces; a full one the mean of several, its whisker their range.

    Args:
        stored: the results.
        names: of axes of the grid.

    Returns:
        The figure.
    """
    figure = blank(9.0, 0.4 + 2.7 * len(names))
    rows = figure.subplots(len(names), 2, squeeze=False)
    labels = ("PSNR (dB), more is better", "Fréchet (Lite0), less is better")
    said = []
    for row, name in zip(rows, names, strict=True):
        axis, points = AXES[name], sweep_points(stored, name)
        for k, ax in enumerate(row):
            draw_sweep(ax, [bars[k] for bars in points.values()], CYCLE[k])
            ax.set_xticks(range(len(points)), [f"{x:g}" for x in points])
            quiet(ax, axis.xlabel, labels[k])
            ax.set_title("hollow: one seed", fontsize=8)
        words = []
        for x, (psnr, distance) in points.items():
            words.append(f"{x:g} {written(psnr.value)} dB and {written(distance.value)}")
        said.append(f"{axis.xlabel}: {', '.join(words)}")
    return finish(figure, stored, "PSNR and Fréchet distance over " + "; over ".join(said))


def diversity(stored: Stored) -> Figure:
    """How much repeated LR images of one face differ, for each degradation."""
    rows = diversity_rows(stored)
    figure = blank(7.6, 1.1 + 0.42 * len(rows))
    ax = figure.add_subplot()
    said = []
    for i, (name, row) in enumerate(rows.items()):
        for part, offset, colour, hatch in (
            ("colour", -0.19, "blue", ""),
            ("detail", 0.19, "orange", "//"),
        ):
            ax.barh(
                i + offset,
                row[part],
                height=0.36,
                color=COLOURS[colour],
                hatch=hatch,
                edgecolor="white",
                label=part if i == 0 else None,
            )
        said.append(f"{name} colour {row['colour']:.3f}, detail {row['detail']:.3f}")
    name_rows(ax, list(rows), "spread over repeated LR images of one face (part of full scale)")
    ax.legend(frameon=False, fontsize=8, loc="lower right", bbox_to_anchor=(1, 1), ncols=2)
    return finish(figure, stored, "Spread over repeated LR images of one face: " + "; ".join(said))


def cost(stored: Stored) -> Figure:
    """Minutes of a training of each kind."""
    rows = cost_rows(stored)
    figure = blank(7.2, 1.0 + 0.36 * len(rows))
    xlabel = textwrap.fill(f"minutes a training ({stored.about['hardware']})", 80)
    draw_bars(figure.add_subplot(), rows, xlabel, "{:.1f}".format)
    said = words_of(rows, "{:.1f}".format)
    return finish(figure, stored, "Minutes a training: " + said)


# ---- all of them ---------------------------------------------------------------------------------
def _cells_of(*axes: str) -> tuple[str, ...]:
    """The cells of some axes, each once."""
    cells: list[str] = []
    for name in axes:
        cells += AXES[name].cells
    return tuple(dict.fromkeys(cells))


H2L_CELLS = _cells_of("camera", "paper")
PARTS = _cells_of("parts")
# file -> how to draw it, the cells that it shows, how many of them must be run
FIGURES: dict[str, tuple[Callable[[Stored], Figure], tuple[str, ...], int]] = {
    "matrix.png": (matrix, _cells_of("matrix"), 2),
    "scores.png": (lambda s: scores(s, AXES["matrix"].cells), _cells_of("matrix"), 2),
    "gap.png": (gap, _cells_of("matrix"), 2),
    "plane.png": (plane, _cells_of("matrix", "baselines"), 2),
    "beta.png": (lambda s: sweep(s, ["beta"]), _cells_of("beta"), 3),
    "diversity.png": (diversity, _cells_of("matrix", "camera"), 2),
    "sample-efficiency.png": (lambda s: sweep(s, ["n-lo", "n-hi"]), _cells_of("n-lo", "n-hi"), 5),
    "h2l-parts.png": (lambda s: scores(s, H2L_CELLS), H2L_CELLS, 2),
    "parts.png": (lambda s: scores(s, PARTS), PARTS, 2),
    "cost.png": (cost, tuple(CELLS), 2),
}


FILES = (*FIGURES, "tables.md", "manifest.json")  # what `draw_all` may write


def draw_all(stored: Stored, out: str | Path) -> Iterator[Path]:
    """Draw every figure of which enough was run, and the tables, with entries in manifest.json.

    Args:
        stored: the results.
        out: the folder.

    Yields:
        The path of each once it is written.

    Raises:
        HLError: where `out` is a file.
    """
    out = out_folder(out)
    about = {
        "command": "hlgan figures",
        "preset": stored.about["preset"],
        "hardware": stored.about["hardware"],
    }
    for name, (draw, cells, least) in FIGURES.items():
        seeds = {c: sorted(stored.found(c)) for c in cells}
        if sum(map(bool, seeds.values())) < least or (draw is gap and not stored.gaps):
            continue
        yield save_figure(
            draw(stored),
            out / name,
            **about,
            seeds={c: held for c, held in seeds.items() if held},
            runs=sorted(stored.names(seeds)),
            not_run=[c for c, held in seeds.items() if not held],
        )
    yield from write_tables(stored, out)
