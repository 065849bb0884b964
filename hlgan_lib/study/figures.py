"""Every figure of the argument, drawn from stored results alone; what was not run is drawn as "not run".

The numbers come from `evidence_numbers`, function by function, so that a test can compare what is drawn with them.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..errors import HLError
from ..viz.canvas import COLOURS, CYCLE, GREY, MARKERS, blank, quiet, save_figure, with_alt
from ..viz.charts import plain_log
from ..viz.faces import face_grid
from .grid import AXES, CELLS, DEGRADATIONS, LOSSES, N_SHOWN
from .numbers import (
    SHOWN,
    Bar,
    bar_of,
    bars_of,
    cost_rows,
    diversity_rows,
    gap_rows,
    matrix_rows,
    plane_points,
    sweep_points,
)
from .results import Stored
from .tables import write_tables

HUES = ("vermilion", "orange", "purple", "blue", "sky", "green")
COLOUR = {d: COLOURS[hue] for d, hue in zip(DEGRADATIONS, HUES, strict=True)}
MARKER = dict(zip(DEGRADATIONS, MARKERS, strict=False))
RIVAL_MARKER = {"srgan": "<", "cyclegan": "X"}
FILL = dict(zip(LOSSES, ("none", "left", "full"), strict=True))


# ---- drawing blocks --------------------------------------------------------------------------------------------------
def not_run(ax: Axes, at: float, horizontal: bool = True) -> None:
    """A hatched grey band with the words, across the whole axis, at a row (or column) of width 1."""
    span = ax.axhspan if horizontal else ax.axvspan
    span(at - 0.3, at + 0.3, facecolor="#EEEEEE", edgecolor="#AAAAAA", hatch="////", linewidth=0)
    x, y = (0.02, at) if horizontal else (at, 0.5)
    transform = ax.get_yaxis_transform() if horizontal else ax.get_xaxis_transform()
    ax.text(
        x,
        y,
        "not run",
        transform=transform,
        va="center",
        ha="left" if horizontal else "center",
        fontsize=8,
        rotation=0 if horizontal else 90,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
    )


def draw_bars(
    ax: Axes, rows: dict[str, Bar | None], xlabel: str, digits: int = 4, points: bool = False
) -> None:
    """Horizontal bars with interval and number; or points, for a scale on which 0 means nothing."""
    for i, b in enumerate(rows.values()):
        if b is None:
            not_run(ax, i)
            continue
        if points:
            ax.plot(b.value, i, marker="o", color=CYCLE[0], linestyle="none")
        else:
            ax.barh(i, b.value, color=CYCLE[0], height=0.6)
        if b.low is not None:
            low, high = min(b.low, b.value), max(b.high, b.value)
            ax.errorbar(
                b.value,
                i,
                xerr=[[b.value - low], [high - b.value]],
                color="black",
                capsize=3,
                linewidth=1.2,
            )
        ax.annotate(
            f"{b.value:.{digits}g}",
            (max(b.value, b.high or b.value), i),
            (6, 0),
            va="center",
            fontsize=8,
            textcoords="offset points",
        )
    ax.set_yticks(range(len(rows)), list(rows), fontsize=8)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.margins(x=0.16)
    quiet(ax, xlabel, "")
    ax.grid(visible=False, axis="y")


def words_of(rows: dict[str, Bar | None], unit: str = "") -> str:
    """Bars in words, for alt texts."""
    return ", ".join(f"{k} {f'{b.value:.4g}{unit}' if b else 'not run'}" for k, b in rows.items())


def finish(figure: Figure, stored: Stored, alt: str) -> Figure:
    if stored.about["preset"] == "smoke":
        figure.suptitle(
            "smoke preset: a test of the machinery, no result",
            fontsize=9,
            color=COLOURS["vermilion"],
        )
    return with_alt(figure, alt)


# ---- the figures -----------------------------------------------------------------------------------------------------
def matrix(stored: Stored, n: int = N_SHOWN) -> Figure:
    """Faces x variants; the faces are the first n (at most N_SHOWN) of the test set, whatever they look like."""
    rows = matrix_rows(stored)
    y, x = np.indices((64, 64))
    hatch = np.where((x + y) % 16 < 3, 170, 238).astype(np.uint8)
    blanks = np.broadcast_to(hatch, (n, 3, 64, 64))
    shown = {
        k if v is not None else f"{k}: not run": blanks if v is None else v for k, v in rows.items()
    }
    alt = f"The first {n} test faces, not selected, a row each: " + ", ".join(shown)
    figure = face_grid(
        shown,
        alt=alt,
        n=n,
        cell=64,
        title="smoke preset, no result" if stored.about["preset"] == "smoke" else "",
    )
    for text in figure.texts:
        text.set_text(text.get_text().replace("not run · 64×64 px", "not run"))
    return figure


def scores(stored: Stored, cells: Sequence[str]) -> Figure:
    """PSNR on the camera's pairs and distance to sharp faces, a bar a cell."""
    data = [bars_of(stored, cells, test, metric) for test, metric in SHOWN]
    figure = blank(9.6, 1.0 + 0.3 * len(data[0]))
    left, right = figure.subplots(1, 2, sharey=True)
    draw_bars(left, data[0], "PSNR on camera shots (dB), more is better", points=True)
    draw_bars(right, data[1], "Frechet (Lite0) to sharp faces, less is better")
    floor = stored.about["floors"]["frechet_lite0"]
    right.axvline(floor, color="black", linestyle="--", linewidth=1.2)
    right.set_title(f"dashed: floor {floor:.0f}", fontsize=8)
    alt = f"PSNR in dB: {words_of(data[0])}. Frechet distance: {words_of(data[1])}; floor {floor:.4g}."
    return finish(figure, stored, alt)


def gap(stored: Stored) -> Figure:
    """Share of the gap from bilinear to the oracle that each degradation closes."""
    rows = gap_rows(stored)
    figure = blank(7.2, 0.9 + 0.5 * len(rows))
    ax = figure.add_subplot()
    said = []
    for i, (name, g) in enumerate(rows.items()):
        flat = name.replace("\n", ", ")
        if g is None:
            not_run(ax, i)
            said.append(f"{flat} not run")
        elif g["ratio"] is None:
            ax.text(
                0.02,
                i,
                f"no ratio: from {g['low']:.4g} over {g['mid']:.4g} to {g['high']:.4g}",
                va="center",
                fontsize=8,
            )
            said.append(f"{flat} no ratio")
        else:
            low, high = (min(g["ratio_ci"][0], g["ratio"]), max(g["ratio_ci"][1], g["ratio"]))
            ax.barh(i, g["ratio"], height=0.6, color=COLOURS["blue"])
            ax.errorbar(
                g["ratio"],
                i,
                xerr=[[g["ratio"] - low], [high - g["ratio"]]],
                color="black",
                capsize=4,
                linewidth=1.2,
            )
            said.append(f"{flat} {g['ratio']:.2f} [{low:.2f}, {high:.2f}]")
    for x, name in ((0, "bilinear"), (1, "oracle")):
        ax.axvline(x, color="black", linestyle=":", linewidth=1.2)
        ax.text(x, -0.62, name, ha="center", va="bottom", fontsize=8)
    ax.set_yticks(range(len(rows)), list(rows), fontsize=8)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    left, right = ax.get_xlim()
    ax.set_xlim(min(left, -0.05), max(right, 1.1))
    quiet(ax, "share of the gap closed, with 95 % interval", "")
    ax.grid(visible=False, axis="y")
    return finish(
        figure,
        stored,
        "Share of the gap from bilinear to the oracle that is closed: " + "; ".join(said),
    )


def plane(stored: Stored, also: Mapping[str, tuple[Stored, str]] | None = None) -> Figure:
    """Distortion against perception: a point a seed, right and low is good.

    also: name -> (results, cell) of other trainings, such as a reader's own, drawn beside the stored ones.
    """
    figure = blank(8.2, 4.8)
    ax = figure.add_subplot()
    points, said = plane_points(stored), []
    for cell, seeds in points.items():
        d, _, loss = cell.rpartition("-")
        colour, marker = COLOUR.get(d, COLOURS["black"]), MARKER.get(d) or RIVAL_MARKER[cell]
        said.append(
            f"{CELLS[cell].label} "
            + (f"{np.mean(seeds[0]):.4g} dB, {np.mean(seeds[1]):.4g}" if seeds else "not run")
        )
        words = CELLS[cell].label + ("" if seeds else ": not run")
        ax.plot(
            *(seeds or ([], [])),
            marker=marker,
            color=colour if seeds else GREY,
            linestyle="none",
            markersize=7,
            label=words,
            fillstyle=FILL.get(loss, "full"),
            markeredgewidth=1.6,
        )
    ax.plot(
        *([bar_of([stored.references["bicubic"]], t, m).value] for t, m in SHOWN),
        marker="*",
        color="black",
        linestyle="none",
        markersize=10,
        label="bicubic enlargement",
    )
    for name, (own, cell) in (also or {}).items():
        x, y = (own.values(cell, test, metric) for test, metric in SHOWN)
        ax.plot(x, y, marker="$me$", color="black", linestyle="none", markersize=16, label=name)
        said.append(f"{name} {np.mean(x):.4g} dB, {np.mean(y):.4g}")
    ax.axhline(
        stored.about["floors"]["frechet_lite0"],
        color="black",
        linestyle="--",
        linewidth=1,
        label="floor",
    )
    ax.set_yscale("log")
    plain_log(ax.yaxis)
    quiet(
        ax,
        "PSNR on camera shots (dB): right is nearer to the truth",
        "Frechet distance (Lite0): low looks like faces",
    )
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8, frameon=False)
    return finish(
        figure, stored, "Plane of PSNR and Frechet distance, mean over seeds: " + "; ".join(said)
    )


def sweep(stored: Stored, names: Sequence[str]) -> Figure:
    """Scores over the x of each axis, a row of two panels an axis; evenly spaced, since 0 has no logarithm."""
    figure = blank(9.0, 0.4 + 2.7 * len(names))
    panels, said = figure.subplots(len(names), 2, squeeze=False), []
    for row, name in zip(panels, names, strict=True):
        points = sweep_points(stored, name)
        for k, (ax, label) in enumerate(
            zip(row, ("PSNR (dB), more is better", "Frechet (Lite0), less is better"))
        ):
            held = {i: p[k] for i, p in enumerate(points.values()) if p[k]}
            y = [
                held[i].value if i in held else np.nan for i in range(len(points))
            ]  # no line over what was not run
            ax.plot(range(len(points)), y, marker="o", color=CYCLE[k], linestyle="-")
            for i, b in held.items():
                if b.low is not None:
                    ax.plot([i, i], [b.low, b.high], color="black", linewidth=1.2)
            for i in set(range(len(points))) - set(held):
                not_run(ax, i, horizontal=False)
            ax.set_xticks(range(len(points)), [f"{x:g}" for x in points])
            ax.set_xlim(-0.5, len(points) - 0.5)
            quiet(ax, AXES[name].xlabel, label)
        said.append(
            f"{AXES[name].xlabel}: "
            + ", ".join(
                f"{x:g} {f'{p[0].value:.4g} dB and {p[1].value:.4g}' if p[0] else 'not run'}"
                for x, p in points.items()
            )
        )
    return finish(figure, stored, "PSNR and Frechet distance over " + "; over ".join(said))


def diversity(stored: Stored) -> Figure:
    """How much shots of one face differ, for each way to degrade."""
    rows = diversity_rows(stored)
    figure = blank(7.6, 1.1 + 0.42 * len(rows))
    ax = figure.add_subplot()
    for i, row in enumerate(rows.values()):
        if row is None:
            not_run(ax, i)
            continue
        for k, (part, colour, hatch) in enumerate(
            (("colour", "blue", ""), ("detail", "orange", "//"))
        ):
            ax.barh(
                i + 0.19 * (2 * k - 1),
                row[part],
                height=0.36,
                color=COLOURS[colour],
                hatch=hatch,
                edgecolor="white",
                label=part if i == 0 else None,
            )
    ax.set_yticks(range(len(rows)), list(rows), fontsize=8)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    quiet(ax, "spread over repeated shots of one face (part of full scale)", "")
    ax.grid(visible=False, axis="y")
    ax.legend(frameon=False, fontsize=8, loc="lower right", bbox_to_anchor=(1, 1), ncols=2)
    said = [
        f"{k} colour {r['colour']:.3f}, detail {r['detail']:.3f}" if r else f"{k} not run"
        for k, r in rows.items()
    ]
    return finish(figure, stored, "Spread over shots of one face: " + "; ".join(said))


def cost(stored: Stored) -> Figure:
    """Minutes of a training of each kind."""
    rows = cost_rows(stored)
    figure = blank(7.2, 1.0 + 0.36 * len(rows))
    draw_bars(
        figure.add_subplot(),
        rows,
        textwrap.fill(f"minutes a training ({stored.about['hardware']})", 80),
        digits=3,
    )
    return finish(figure, stored, "Minutes a training: " + words_of(rows))


# ---- all of them -----------------------------------------------------------------------------------------------------
PARTS = tuple(dict.fromkeys(c for a in ("z", "schedule", "parts", "single") for c in AXES[a].cells))
FIGURES: dict[
    str, tuple[Callable[[Stored], Figure], tuple[str, ...]]
] = {  # file -> how to draw it, its cells
    "matrix.png": (matrix, AXES["matrix"].cells),
    "scores.png": (lambda s: scores(s, AXES["matrix"].cells), AXES["matrix"].cells),
    "gap.png": (gap, AXES["matrix"].cells),
    "plane.png": (plane, (*AXES["matrix"].cells, *AXES["rivals"].cells)),
    "beta.png": (lambda s: sweep(s, ["beta"]), AXES["beta"].cells),
    "diversity.png": (diversity, AXES["z"].cells),
    "sample-efficiency.png": (
        lambda s: sweep(s, ["n-lo", "n-hi"]),
        (*AXES["n-lo"].cells, *AXES["n-hi"].cells),
    ),
    "parts.png": (lambda s: scores(s, PARTS), PARTS),
    "cost.png": (cost, tuple(CELLS)),
}


def draw_all(stored: Stored, out: str | Path) -> Iterator[Path]:
    """Draw every figure and table into `out`, each with its entry in manifest.json; yields the paths."""
    out = Path(out).expanduser()
    if out.is_file():
        raise HLError(f"--out {out} is a file: choose a folder")
    about = {
        "command": "hlgan figures",
        "preset": stored.about["preset"],
        "hardware": stored.about["hardware"],
    }
    for name, (draw, cells) in FIGURES.items():
        found = {c: sorted(stored.found(c)) for c in dict.fromkeys(cells)}
        yield save_figure(
            draw(stored),
            out / name,
            **about,
            seeds={c: seeds for c, seeds in found.items() if seeds},
            runs=sorted(stored.names(found)),
            not_run=[c for c, seeds in found.items() if not seeds],
        )
    yield from write_tables(stored, out)
