"""The degradation card as one page, drawn from the numbers of `card.degradation_card` and, where given, pictures."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..errors import HLError
from .canvas import COLOURS, DPI, blank, quiet, with_alt
from .faces import Pictures, as_uint8, enlarge

WIDTH, CELL, MARGIN = 1200, 64, 14  # pixels
NAMES = {"real": "real", "learned": "learned (H2L)", "bilinear": "bilinear"}
LOOK = {
    "real": {"color": COLOURS["black"], "marker": "o", "linestyle": "-"},
    "learned": {"color": COLOURS["vermilion"], "marker": "s", "linestyle": "--"},
    "bilinear": {"color": COLOURS["blue"], "marker": "D", "linestyle": ":"},
}
DOTS = (  # left, top, title, unit, label -> number
    (
        150,
        322,
        "Variety of colour over faces",
        "stops",
        {"exposure": "exposure variety", "warmth": "warmth variety", "tint": "tint variety"},
    ),
    (
        530,
        322,
        "Blur",
        "pixels of the sharp picture",
        {"mean width": "blur width", "variety": "blur variety", "kernel's width": "kernel width"},
    ),
    (
        940,
        322,
        "Spread over draws of a face",
        "full scale",
        {"in all": "spread over draws", "colour": "of it colour", "detail": "of it detail"},
    ),
    (
        150,
        562,
        "JPEG",
        "share of pictures; ratio",
        {"grid found": "JPEG grid found", "colour detail": "chroma detail"},
    ),
)
HEAT = colormaps["PuOr"].resampled(21)  # orange to violet: for every kind of eye


class _Page:
    """A figure on which things are placed by pixels from the top left corner."""

    def __init__(self, height: int):
        self.height, self.figure = height, blank(WIDTH / DPI, height / DPI)
        self.figure.set_layout_engine("none")

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        return self.figure.add_axes(
            (left / WIDTH, 1 - (top + height) / self.height, width / WIDTH, height / self.height)
        )

    def text(self, left: float, top: float, words: str, **how) -> None:
        self.figure.text(
            left / WIDTH, 1 - top / self.height, words, **{"va": "top", "fontsize": 9.5} | how
        )


def draw_card(
    card: dict, rows: Mapping[str, Pictures] | None = None, *, name: str = "H2L", words: bool = True
) -> Figure:
    """One page, 1200 pixels wide: pictures, kernels, curves, varieties, JPEG, distances, directions of z, words.

    rows: name -> pictures (B, 3, s, s), the first 14 are shown; without them the page starts with the curves. words:
    write the verdicts under it; they are in its alt text in any case. What the
    card holds no number for is left blank and said so. HLError for a dict that is no card. Source: ours.
    """
    if not {"ways", "distances", "z", "verdicts"} <= set(card):
        raise HLError(f"card must come from card.degradation_card, got keys {sorted(card)[:5]}")
    pixels = {k: as_uint8(x)[:14] for k, x in (rows or {}).items()}
    top = 78 + (len(pixels) * (CELL + 4) + 16 if pixels else 0)
    wrapped = [
        textwrap.wrap(verdict, 150, subsequent_indent="    ")
        for verdict in card["verdicts"]
        if words
    ]
    said = [line for lines in wrapped for line in lines]
    page = _Page(top + 944 + 17 * len(said))
    about = card["about"]
    truth = {"camera": "the truth is known: poor pictures are shots by a simulated camera"}.get(
        about["truth"],
        "poor pictures paired with sharp ones, their camera unknown"
        if about["paired"]
        else "NO TRUTH KNOWN: sharp and poor pictures of different people",
    )
    page.text(MARGIN, 12, f"Degradation card: {name}", fontsize=16, weight="bold")
    page.text(
        MARGIN,
        44,
        f"{about['n_hi']} sharp and {about['n_lo']} poor faces of {about['size']}×{about['size']} "
        f"px; {truth}. Bars and bands: 95% intervals over faces.",
    )
    if pixels:
        page.figure.photographic = True
        _pictures(page, pixels, 78)
    _kernels(page, card["ways"], top)
    _curve(
        page.axes(488, top + 28, 290, 200),
        card["ways"],
        "noise curve",
        "brightness",
        "left over (full scale)",
        "Noise over brightness",
    )
    if card.get("drawn"):
        noise = page.figure.axes[-1]
        noise.plot(
            *(np.array(card["drawn"]["noise curve"][k], dtype=float) for k in "xy"),
            color="#666666",
            marker="^",
            markersize=4,
            linewidth=1.2,
            linestyle="-.",
            label="real, noise alone",
        )
        noise.legend(
            frameon=False, fontsize=8.5, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 0.1)
        )
    _curve(
        page.axes(866, top + 28, 314, 200),
        card["ways"],
        "spectrum",
        "cycles per pixel",
        "power (full scale²)",
        "Spectrum",
        log=True,
    )
    _legend(page, card["ways"], top + 276)
    for left, y, title, unit, names in DOTS:
        height = 56 * len(names)
        _dots(page.axes(left, top + y, 240, height), card["ways"], names, title, unit)
    _tests(
        page.axes(530, top + 558, 240, 124),
        card["distances"],
        "two_sample",
        "Told from real poor faces?",
        "accuracy of a classifier; guessing is 0.5",
        at=0.5,
    )
    _tests(
        page.axes(940, top + 558, 240, 124),
        card["distances"],
        "frechet_lite0",
        "Frechet distance (Lite0)",
        f"to real poor faces, n = {card['distances']['n']}; black: floor",
    )
    _directions(page, card["directions"], card["z"], top + 740)
    page.text(MARGIN, top + 934, "\n".join(said), fontsize=9.5, linespacing=1.25)
    return with_alt(page.figure, f"Degradation card of {name}. " + " ".join(card["verdicts"]))


def _pictures(page: _Page, pixels: Mapping[str, np.ndarray], top: int) -> None:
    for r, (name, row) in enumerate(pixels.items()):
        y = top + r * (CELL + 4)
        page.text(MARGIN, y + CELL / 2, f"{name}\n{row.shape[2]}×{row.shape[1]} px", va="center")
        for k, picture in enumerate(row):
            ax = page.axes(200 + k * (CELL + 6), y, CELL, CELL)
            ax.imshow(enlarge(picture, CELL), interpolation="nearest")
            ax.set_axis_off()


def _kernels(page: _Page, ways: dict, top: int) -> None:
    page.text(MARGIN, top, "Mean blur kernel", fontsize=10.5, weight="bold")
    held = {k: np.array(w["kernel"]) for k, w in ways.items() if w["kernel"] is not None}
    most = max(np.abs(k).max() for k in held.values())
    for i, k in enumerate(ways):
        left = MARGIN + 132 * i
        ax = page.axes(left, top + 54, 120, 120)
        page.text(left, top + 30, NAMES[k])
        if k in held:
            ax.imshow(held[k], cmap="gray", vmin=-most, vmax=most, interpolation="nearest")
            page.text(left, top + 180, f"width {ways[k]['kernel width']['value']:.2f} px")
        else:
            ax.text(0.5, 0.5, "not\nknown", ha="center", va="center")
        ax.set(xticks=[], yticks=[])
    page.text(
        MARGIN,
        top + 204,
        "On 20×20 pixels of the sharp picture. Grey is 0,\nwhite the largest weight of the "
        "three, black its\nnegative.",
        fontsize=8.5,
    )


def _curve(
    ax: Axes, ways: dict, key: str, xlabel: str, ylabel: str, title: str, log: bool = False
) -> None:
    """One curve a way, with its band."""
    for way, numbers in ways.items():
        if (curve := numbers[key]) is not None:
            x, y, low, high = (np.array(curve[k], dtype=float) for k in ("x", "y", "low", "high"))
            ax.plot(x, y, label=NAMES[way], markersize=4, linewidth=1.6, **LOOK[way])
            ax.fill_between(x, low, high, color=LOOK[way]["color"], alpha=0.18, linewidth=0)
    ax.set_yscale("log" if log else "linear")
    _heading(ax, xlabel, title)
    ax.set_ylabel(ylabel, fontsize=9)
    ax.legend(frameon=False, fontsize=8.5)


def _heading(ax: Axes, xlabel: str, title: str) -> None:
    quiet(ax, "", "")
    ax.set_xlabel(xlabel, fontsize=9)
    ax.set_title(title, fontsize=10.5, weight="bold", loc="left")
    ax.tick_params(labelsize=8.5)


def _dots(ax: Axes, ways: dict, names: Mapping[str, str], title: str, xlabel: str) -> None:
    """A line for each number: real, learned and bilinear as dots of three shapes, with intervals and the values."""
    most = max(
        (n["ci"][1] for w in ways.values() for k in names.values() if (n := w[k])), default=1.0
    )
    for row, key in enumerate(names.values()):
        for i, (way, numbers) in enumerate(ways.items()):
            y = row + 0.27 * (i - 1)
            if (n := numbers[key]) is None:
                ax.text(
                    0.02 * most,
                    y,
                    f"{NAMES[way]}: not known",
                    va="center",
                    fontsize=8,
                    color="#444444",
                )
                continue
            _dot(ax, n, y, LOOK[way], most)
    _rows(ax, list(names), most)
    _heading(ax, xlabel, title)


def _legend(page: _Page, ways: dict, top: int) -> None:
    ax = page.axes(MARGIN, top, 500, 24)
    ax.set_axis_off()
    ax.legend(
        handles=[Line2D([], [], **LOOK[k] | {"linestyle": ""}, label=NAMES[k]) for k in ways],
        frameon=False,
        fontsize=9.5,
        ncols=3,
        loc="center left",
        borderpad=0,
        handletextpad=0.1,
    )


def _dot(ax: Axes, n: dict, y: float, look: dict, most: float) -> None:
    low, high = n["ci"]
    ax.errorbar(
        n["value"],
        y,
        xerr=[[max(0, n["value"] - low)], [max(0, high - n["value"])]],
        capsize=3,
        markersize=5,
        linewidth=1.2,
        **look | {"linestyle": "none"},
    )
    ax.text(max(high, n["value"]) + 0.045 * most, y, f"{n['value']:.3g}", va="center", fontsize=8)


def _rows(ax: Axes, names: list[str], most: float) -> None:
    ax.set_yticks(range(len(names)), names)
    ax.set(ylim=(len(names) - 0.5, -0.5), xlim=(0, 1.22 * most))
    ax.grid(visible=False, axis="y")


def _tests(
    ax: Axes, distances: dict, key: str, title: str, xlabel: str, at: float | None = None
) -> None:
    """A line for each set: learned, bilinear, and the two floors."""
    names = {
        "learned": "learned",
        "bilinear": "bilinear",
        "real": "real camera again",
        "floor": "real, other people",
    }
    held = {k: words for k, words in names.items() if k in distances}
    most = max(distances[k][key]["ci"][1] for k in held)
    for row, k in enumerate(held):
        _dot(ax, distances[k][key], row, LOOK.get(k, LOOK["real"] | {"marker": "^"}), most)
    if at is not None:
        ax.axvline(at, color="black", linestyle=":", linewidth=1.2)
    _rows(ax, list(held.values()), most)
    _heading(ax, xlabel, title)


def _directions(page: _Page, d: dict | None, z: dict, top: int) -> None:
    """The heat map: directions of z by properties, r in each cell; * where its interval leaves out 0."""
    page.text(
        MARGIN,
        top,
        "What the principal directions of z control: correlation on new z; * where the interval "
        "leaves out 0",
        fontsize=10.5,
        weight="bold",
    )
    if z["ignored"] or d is None:
        words = z["words"] if z["ignored"] else "Not measured: no H2L network, or left out."
        page.text(MARGIN, top + 40, words)
        return
    ax = page.axes(250, top + 34, 930, 112)
    table, low, high = (np.array(d[k], dtype=float) for k in ("table", "low", "high"))
    ax.imshow(table, cmap=HEAT, vmin=-1, vmax=1, aspect="auto")
    for (k, p), r in np.ndenumerate(table):
        star = "*" if low[k, p] > 0 or high[k, p] < 0 else ""
        ink = "white" if abs(r) > 0.6 else "black"
        ax.text(p, k, f"{r:+.2f}{star}", ha="center", va="center", fontsize=9, color=ink)
    beyond = ["" if s > c else ", chance" for s, c in zip(d["strength"], d["chance"])]
    names = [
        f"direction {k + 1} (strength {s:.2f}{b})"
        for k, (s, b) in enumerate(zip(d["strength"], beyond))
    ]
    ax.set_yticks(range(len(table)), names, fontsize=9)
    governed = [f"{n}\n(z governs {g:.0%})" for n, g in zip(d["names"], d["governed"])]
    ax.set_xticks(range(len(governed)), governed, fontsize=9)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
