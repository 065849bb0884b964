"""The degradation card drawn as one page, from the numbers of `analysis.card.degradation_card`."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ..errors import HLError
from .canvas import COLOURS, DPI, Figure, blank, plain, quiet, with_alt
from .faces import Pictures, as_uint8, enlarge

WIDTH, CELL, MARGIN = 1200, 64, 14  # pixels
N_SHOWN = 14  # images of each row
NAMES = {"real": "real", "learned": "learned (H2L)", "bilinear": "bilinear"}
LOOK: dict[str, dict[str, Any]] = {
    "real": {"color": COLOURS["black"], "marker": "o", "linestyle": "-"},
    "learned": {"color": COLOURS["vermilion"], "marker": "s", "linestyle": "--"},
    "bilinear": {"color": COLOURS["blue"], "marker": "D", "linestyle": ":"},
}
DOTS = (  # left, top, title, unit, label -> key of the number
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
        "pixels of the HR image",
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
HEIGHT_LAW = 140  # of the block on a learned camera
HEAT = colormaps["PuOr"].resampled(21)  # orange to violet: for every kind of eye


class _Page:
    """A figure on which things are placed by pixels from the top left corner."""

    def __init__(self, height: int):
        self.height = height
        self.figure = blank(WIDTH / DPI, height / DPI)
        self.figure.set_layout_engine("none")

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        bottom = 1 - (top + height) / self.height
        return self.figure.add_axes((left / WIDTH, bottom, width / WIDTH, height / self.height))

    def text(self, left: float, top: float, words: str, **how: Any) -> None:
        usual: dict[str, Any] = {"va": "top", "fontsize": 9.5}
        self.figure.text(left / WIDTH, 1 - top / self.height, words, **usual | how)


def draw_card(
    card: dict, rows: Mapping[str, Pictures] | None = None, *, name: str = "H2L", words: bool = True
) -> Figure:
    """The card as one page: images, kernels, curves, varieties, JPEG, distances, directions of z.

    What the card holds no number for is left blank, and the page says so.

    Args:
        card: what `degradation_card` returned, or its JSON.
        rows: name -> images (B, 3, s, s), of which the first 14 are shown; by default none, and the
            page starts with the curves.
        name: of the H2L, for the heading.
        words: write the verdicts under the page; its alt text holds them in any case.

    Returns:
        The figure, 1200 pixels wide.

    Raises:
        HLError: for a dictionary that is no card.
    """
    if not {"ways", "distances", "z", "verdicts"} <= set(card):
        raise HLError(f"card must come from card.degradation_card, got keys {sorted(card)[:5]}")
    degradations, distances = card["ways"], card["distances"]

    # The height follows from what there is to show.
    pixels = {k: as_uint8(x)[:N_SHOWN] for k, x in (rows or {}).items()}
    top = 78
    if pixels:
        top += len(pixels) * (CELL + 4) + 16
    said = _wrapped(card["verdicts"]) if words else []
    law = card.get("law")
    end_directions = top + 740 + (194 if _has_table(card) else 74)
    end = end_directions + (HEIGHT_LAW if law else 0)
    page = _Page(end + 10 + 17 * len(said))

    page.text(MARGIN, 12, f"Degradation card: {plain(name)}", fontsize=16, weight="bold")
    page.text(MARGIN, 44, _about(card["about"]))
    if pixels:
        page.figure.photographic = True
        _pictures(page, pixels, 78)

    # What each degradation does: its kernel, its curves, its numbers as dots.
    _kernels(page, degradations, top)
    _noise(page.axes(488, top + 28, 290, 200), degradations, card.get("drawn"))
    spectrum = page.axes(866, top + 28, 314, 200)
    _curves(spectrum, degradations, "spectrum")
    spectrum.set_yscale("log")
    _finish_curves(spectrum, "cycles per pixel", "power (full scale²)", "Spectrum")
    _legend(page, degradations, top + 276)
    for left, y, title, unit, keys in DOTS:
        ax = page.axes(left, top + y, 240, 56 * len(keys))
        _dots(ax, degradations, keys)
        _heading(ax, unit, title)

    # How near it comes to the real images.
    ax = page.axes(530, top + 558, 240, 124)
    _distances(ax, distances, "two_sample")
    ax.axvline(0.5, color="black", linestyle=":", linewidth=1.2)
    _heading(ax, "accuracy of a classifier; guessing is 0.5", "Told from real LR faces?")
    ax = page.axes(940, top + 558, 240, 124)
    _distances(ax, distances, "frechet_lite0")
    unit = f"to real LR faces, n = {distances['n']}; black: floor"
    _heading(ax, unit, "Fréchet distance (Lite0)")

    _directions(page, card["directions"], card["z"], top + 740)
    if law:
        _law(page, law, end_directions)
    page.text(MARGIN, end, "\n".join(said), fontsize=9.5, linespacing=1.25)
    return with_alt(page.figure, f"Degradation card of {name}. {' '.join(card['verdicts'])}")


def _wrapped(verdicts: Sequence[str]) -> list[str]:
    """The verdicts in lines that fit on the page."""
    lines = []
    for verdict in verdicts:
        lines += textwrap.wrap(verdict, 150, subsequent_indent="    ")
    return lines


def _about(about: dict) -> str:
    """What the numbers are of, in a line."""
    if about["truth"] == "camera":
        truth = "the ground truth is known: the LR images are of a simulated camera"
    elif about["paired"]:
        truth = "LR images paired with HR ones, their camera unknown"
    else:
        truth = "NO GROUND TRUTH KNOWN: HR and LR images of different people"
    return (
        f"{about['n_hi']} HR and {about['n_lo']} LR faces of {about['size']}×{about['size']} "
        f"px; {truth}. Bars and bands: 95% intervals over faces."
    )


def _pictures(page: _Page, pixels: Mapping[str, np.ndarray], top: int) -> None:
    for r, (name, row) in enumerate(pixels.items()):
        y = top + r * (CELL + 4)
        page.text(MARGIN, y + CELL / 2, f"{name}\n{row.shape[2]}×{row.shape[1]} px", va="center")
        for k, picture in enumerate(row):
            ax = page.axes(200 + k * (CELL + 6), y, CELL, CELL)
            ax.imshow(enlarge(picture, CELL), interpolation="nearest")
            ax.set_axis_off()


# ---- kernels and curves --------------------------------------------------------------------------
def _kernels(page: _Page, degradations: dict, top: int) -> None:
    """The mean blur kernels as images of one scale of grey."""
    page.text(MARGIN, top, "Mean blur kernel", fontsize=10.5, weight="bold")
    kernels = {}
    for name, numbers in degradations.items():
        if numbers["kernel"] is not None:
            kernels[name] = np.array(numbers["kernel"])
    most = max(np.abs(k).max() for k in kernels.values())
    for i, (name, numbers) in enumerate(degradations.items()):
        left = MARGIN + 132 * i
        ax = page.axes(left, top + 54, 120, 120)
        page.text(left, top + 30, NAMES[name])
        if name in kernels:
            ax.imshow(kernels[name], cmap="gray", vmin=-most, vmax=most, interpolation="nearest")
            page.text(left, top + 180, f"width {numbers['kernel width']['value']:.2f} px")
        else:
            ax.text(0.5, 0.5, "not\nknown", ha="center", va="center")
        ax.set(xticks=[], yticks=[])
    page.text(
        MARGIN,
        top + 204,
        "On 20×20 pixels of the HR image. Grey is 0,\nwhite the largest weight of the "
        "three, black its\nnegative.",
        fontsize=8.5,
    )


def _curves(ax: Axes, degradations: dict, key: str) -> None:
    """A curve a degradation, with its band; none where it is not known."""
    for name, numbers in degradations.items():
        curve = numbers[key]
        if curve is None:
            continue
        x, y, low, high = (np.array(curve[k], dtype=float) for k in ("x", "y", "low", "high"))
        ax.plot(x, y, label=NAMES[name], markersize=4, linewidth=1.6, **LOOK[name])
        ax.fill_between(x, low, high, color=LOOK[name]["color"], alpha=0.18, linewidth=0)


def _noise(ax: Axes, degradations: dict, drawn: dict | None) -> None:
    """Noise over brightness; where the camera's numbers are known, its noise alone too."""
    _curves(ax, degradations, "noise curve")
    _finish_curves(ax, "brightness", "left over (full scale)", "Noise over brightness")
    if not drawn:
        return
    curve = drawn["noise curve"]
    ax.plot(
        np.array(curve["x"], dtype=float),
        np.array(curve["y"], dtype=float),
        color="#666666",
        marker="^",
        markersize=4,
        linewidth=1.2,
        linestyle="-.",
        label="real, noise alone",
    )
    ax.legend(frameon=False, fontsize=8.5, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 0.1))


def _finish_curves(ax: Axes, xlabel: str, ylabel: str, title: str) -> None:
    _heading(ax, xlabel, title)
    ax.set_ylabel(ylabel, fontsize=9)
    ax.legend(frameon=False, fontsize=8.5)


def _heading(ax: Axes, xlabel: str, title: str) -> None:
    quiet(ax, "", "")
    ax.set_xlabel(xlabel, fontsize=9)
    ax.set_title(title, fontsize=10.5, weight="bold", loc="left")
    ax.tick_params(labelsize=8.5)


def _legend(page: _Page, degradations: dict, top: int) -> None:
    ax = page.axes(MARGIN, top, 500, 24)
    ax.set_axis_off()
    handles = []
    for name in degradations:
        look = LOOK[name] | {"linestyle": ""}
        handles.append(Line2D([], [], **look, label=NAMES[name]))
    ax.legend(
        handles=handles,
        frameon=False,
        fontsize=9.5,
        ncols=3,
        loc="center left",
        borderpad=0,
        handletextpad=0.1,
    )


# ---- numbers as dots -----------------------------------------------------------------------------
def _dots(ax: Axes, degradations: dict, keys: Mapping[str, str]) -> None:
    """A line a number: a dot for each degradation, of its shape, with interval and value."""
    known = [n[k] for k in keys.values() for n in degradations.values() if n[k]]
    most = max((number["ci"][1] for number in known), default=1.0)
    for row, key in enumerate(keys.values()):
        for i, (name, numbers) in enumerate(degradations.items()):
            y = row + 0.27 * (i - 1)
            if numbers[key] is not None:
                _dot(ax, numbers[key], y, LOOK[name], most)
                continue
            words = f"{NAMES[name]}: not known"
            ax.text(0.02 * most, y, words, va="center", fontsize=8, color="#444444")
    _rows(ax, list(keys), most)


def _distances(ax: Axes, distances: dict, key: str) -> None:
    """A line a set: learned, bilinear, and the two floors."""
    names = {
        "learned": "learned",
        "bilinear": "bilinear",
        "real": "real camera again",
        "floor": "real, other people",
    }
    held = {k: words for k, words in names.items() if k in distances}
    most = max(distances[k][key]["ci"][1] for k in held)
    floor = LOOK["real"] | {"marker": "^"}
    for row, k in enumerate(held):
        _dot(ax, distances[k][key], row, LOOK.get(k, floor), most)
    _rows(ax, list(held.values()), most)


def _dot(ax: Axes, number: dict, y: float, look: dict, most: float) -> None:
    """A number with its interval, on a scale that ends at `most`."""
    value, (low, high) = number["value"], number["ci"]
    interval = [[max(0, value - low)], [max(0, high - value)]]
    look = look | {"linestyle": "none"}
    ax.errorbar(value, y, xerr=interval, capsize=3, markersize=5, linewidth=1.2, **look)
    ax.text(max(high, value) + 0.045 * most, y, f"{value:.3g}", va="center", fontsize=8)


def _rows(ax: Axes, names: list[str], most: float) -> None:
    ax.set_yticks(range(len(names)), names)
    ax.set(ylim=(len(names) - 0.5, -0.5), xlim=(0, 1.22 * most))
    ax.grid(visible=False, axis="y")


# ---- directions of z -----------------------------------------------------------------------------
def _has_table(card: dict) -> bool:
    """Whether there are directions to draw; a line of words takes less room."""
    return card["directions"] is not None and not card["z"]["ignored"]


def _directions(page: _Page, d: dict | None, z: dict, top: int) -> None:
    """The heat map: directions of z by properties, r in each cell; * where it is not 0."""
    page.text(
        MARGIN,
        top,
        "What the principal directions of z control: correlation on new z; * where the interval "
        "leaves out 0",
        fontsize=10.5,
        weight="bold",
    )
    if z["ignored"]:
        page.text(MARGIN, top + 40, z["words"])
        return
    if d is None:
        page.text(MARGIN, top + 40, "Not measured: no H2L network, or left out.")
        return

    ax = page.axes(250, top + 34, 930, 112)
    table, low, high = (np.array(d[k], dtype=float) for k in ("table", "low", "high"))
    ax.imshow(table, cmap=HEAT, vmin=-1, vmax=1, aspect="auto")
    for (k, p), r in np.ndenumerate(table):
        star = "*" if low[k, p] > 0 or high[k, p] < 0 else ""
        ink = _ink(HEAT((r + 1) / 2)[:3])
        ax.text(p, k, f"{r:+.2f}{star}", ha="center", va="center", fontsize=9, color=ink)

    names = []
    for k, (strength, chance) in enumerate(zip(d["strength"], d["chance"], strict=True)):
        beyond = "" if strength > chance else ", chance"
        names.append(f"direction {k + 1} (strength {strength:.2f}{beyond})")
    ax.set_yticks(range(len(table)), names, fontsize=9)
    governed = []
    for name, share in zip(d["names"], d["governed"], strict=True):
        governed.append(f"{name}\n(z governs {share:.0%})")
    ax.set_xticks(range(len(governed)), governed, fontsize=9)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def _ink(ground: Sequence[float]) -> str:
    """Black or white, whichever stands out more from an sRGB colour in [0, 1]."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in ground]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "black" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "white"


# ---- the law of a learned camera -----------------------------------------------------------------
def _law(page: _Page, law: dict, top: int) -> None:
    """Mean and spread of each number in two columns, and how much of a face's own is kept."""
    page.text(
        MARGIN,
        top,
        "The camera that was learned: mean ± spread over pictures of each of its numbers",
        fontsize=10.5,
        weight="bold",
    )
    lines = []
    for name, number in law["numbers"].items():
        lines.append(f"{name}: {_mean_and_spread(number, 'learned')} {number['unit']}")
        if "camera" in number:
            lines[-1] += f" (the camera {_mean_and_spread(number, 'camera')})"
    half = -(-len(lines) // 2)
    for left, part in ((MARGIN, lines[:half]), (WIDTH // 2, lines[half:])):
        page.text(left, top + 26, "\n".join(part), linespacing=1.4)
    words = []
    for label, slopes in law["keeps"].items():
        kept = ", ".join(f"{name} {slope:.2f}" for name, slope in slopes.items())
        words.append(f"{label} {kept}")
    page.text(
        MARGIN,
        top + 26 + 20 * half,
        f"How much of a face's own light and colour is kept (1: all): {'; '.join(words)}.",
    )


def _mean_and_spread(number: dict, label: str) -> str:
    mean, spread = number[label]
    return f"{round(mean, 2) + 0.0:.2f} ± {spread:.2f}"  # no -0.00
