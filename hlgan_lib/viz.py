"""Figures: face grids, strips, curves, spectra, bars, histograms. Every function returns a Figure with alt text.

Pictures go in as they are inside the package: float (B, 3, h, w) in [-1, 1], or uint8 (B, 3, h, w). They are drawn in a
fixed range (-1 black, 1 white), and small ones are enlarged by repeating pixels, never by smoothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from PIL import Image
from torch import Tensor

from .canvas import (
    COLOURS,
    CYCLE,
    DASHES,
    DPI,
    MARKERS,
    blank,
    bundle,
    encode,
    line_style,
    quiet,
    save_figure,
    show,
    style,
    with_alt,
)
from .data import FaceSet, to_uint8
from .errors import HLError

__all__ = [
    "COLOURS", "CYCLE", "DASHES", "MARKERS", "as_uint8", "bars", "blank", "bundle", "encode", "enlarge", "face_grid",
    "grid_of_shown", "histograms", "last_samples", "lines", "network", "panels", "sample_row", "samples_over_time",
    "save_figure", "show", "spectra", "strip", "style", "training_curves", "with_alt"]

Pictures = Tensor | np.ndarray | FaceSet


def as_uint8(pictures: Pictures) -> np.ndarray:
    """One picture or several as uint8 (B, h, w, 3), by the fixed range. Raises HLError for anything else."""
    x = pictures.images if isinstance(pictures, FaceSet) else pictures
    x = x.detach().cpu() if isinstance(x, Tensor) else torch.from_numpy(np.array(x))
    x = x[None] if x.ndim == 3 else x
    if x.ndim != 4 or x.shape[1] != 3 or not len(x):
        raise HLError(f"pictures must be (B, 3, h, w), got {tuple(x.shape)}: stack them with torch.cat")
    return (x if x.dtype == torch.uint8 else to_uint8(x)).permute(0, 2, 3, 1).numpy()


def enlarge(picture: np.ndarray, side: int) -> np.ndarray:
    """uint8 (h, w, 3) to (side, side, 3): pixels repeated, evenly where h divides side; or reduced by area."""
    if picture.shape[0] == side:
        return picture
    how = Image.Resampling.NEAREST if side > picture.shape[0] else Image.Resampling.BOX
    return np.asarray(Image.fromarray(picture).resize((side, side), how))


def _cell(n_columns: int) -> int:
    """Pixels a side of a shown picture: a multiple of both 16 and 64, so that no pixel is wider than another."""
    return 128 if n_columns <= 6 else 64


def face_grid(rows: Mapping[str, Pictures], *, columns: Sequence[str] = (), title: str = "", alt: str,
              n: int | None = None, cell: int | None = None) -> Figure:
    """Rows of faces, each under its name and true size, the first n of each row.

    rows: name -> pictures (B, 3, h, w); columns: a name over each column; cell: pixels a side, 128 for up to 6 columns
    and 64 for more. alt: what a reader who cannot see the figure should know. Raises HLError for no rows, no alt text
    or other shapes.
    """
    if not rows:
        raise HLError("rows must hold at least one row of pictures, got none")
    pixels = {name: as_uint8(p)[:n] for name, p in rows.items()}
    n_columns = max(map(len, pixels.values()))
    cell = cell or _cell(n_columns)
    above = 8 + 14 * max(text.count("\n") + 1 for text in columns) if columns else 0
    gap, row_title, head = 4, 24, (30 if title else 0) + above
    width = max(n_columns * (cell + gap) + gap, 300)
    height = head + len(pixels) * (cell + row_title) + gap
    figure = blank(width / DPI, height / DPI)
    figure.set_layout_engine("none")
    figure.photographic = True
    for k, text in enumerate(columns):
        x = (gap + k * (cell + gap) + cell / 2) / width
        figure.text(x, 1 - (head - above / 2 + 2) / height, text, ha="center", va="center", fontsize=9)
    if title:
        figure.text(gap / width, 1 - 16 / height, title, va="center", fontsize=11, weight="bold")
    for r, (name, row) in enumerate(pixels.items()):
        top = head + r * (cell + row_title)
        size = f"{row.shape[2]}×{row.shape[1]} px"
        figure.text(gap / width, 1 - (top + row_title / 2) / height, f"{name} · {size}", va="center", fontsize=9)
        for k, picture in enumerate(row):
            box = ((gap + k * (cell + gap)) / width, 1 - (top + row_title + cell) / height, cell / width, cell / height)
            ax = figure.add_axes(box)
            ax.imshow(enlarge(picture, cell), interpolation="nearest")
            ax.set_axis_off()
    return with_alt(figure, alt)


def strip(stages: Mapping[str, Pictures], *, title: str = "", alt: str, cell: int | None = None) -> Figure:
    """One picture a stage, left to right, each under its name and true size: before and after, or a process.

    stages: name -> one picture (3, h, w) or (1, 3, h, w). Raises HLError as face_grid.
    """
    pictures = {name: as_uint8(p)[0] for name, p in stages.items()}
    cell = cell or (128 if len(pictures) <= 7 else 96)
    gap, text_height, head = 6, 40, 30 if title else 0
    width = max(len(pictures) * (cell + gap) + gap, 300)
    height = head + text_height + cell + gap
    figure = blank(width / DPI, height / DPI)
    figure.set_layout_engine("none")
    figure.photographic = True
    if title:
        figure.text(gap / width, 1 - 16 / height, title, va="center", fontsize=11, weight="bold")
    for k, (name, picture) in enumerate(pictures.items()):
        left = gap + k * (cell + gap)
        figure.text((left + cell / 2) / width, 1 - (head + text_height / 2) / height,
                    f"{name}\n{picture.shape[1]}×{picture.shape[0]} px", ha="center", va="center", fontsize=8)
        ax = figure.add_axes((left / width, gap / height, cell / width, cell / height))
        ax.imshow(enlarge(picture, cell), interpolation="nearest")
        ax.set_axis_off()
    return with_alt(figure, alt)


def lines(series: Mapping[str, tuple], *, xlabel: str, ylabel: str, title: str = "", alt: str, logx: bool = False,
          logy: bool = False, markers: bool = False) -> Figure:
    """Lines over one axis, told apart by colour and dash. series: name -> (x, y) or (x, y, low, high) for a band."""
    figure = blank(6.4, 3.6)
    ax = figure.add_subplot()
    for i, (name, values) in enumerate(series.items()):
        x, y, *band = (np.asarray(v, dtype=float) for v in values)
        ax.plot(x, y, label=name, marker=MARKERS[(i + i // 7) % 7] if markers else None, markersize=5,
                fillstyle="none" if i // 7 % 2 else "full", **line_style(i))        # the second seven are hollow
        if band:
            ax.fill_between(x, *band, color=CYCLE[i % len(CYCLE)], alpha=0.18, linewidth=0)
    ax.set(xscale="log" if logx else "linear", yscale="log" if logy else "linear")
    for axis in [ax.xaxis] * logx + [ax.yaxis] * logy:
        plain_log(axis)
    quiet(ax, xlabel, ylabel, title)
    if len(series) > 1:  # beside the axes where it would cover lines
        ax.legend(frameon=False, **({"loc": "center left", "bbox_to_anchor": (1, 0.5)} if len(series) > 3 else {}))
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
    return lines({k: (v[0], v[1]) for k, v in curves.items()}, xlabel="spatial frequency (cycles per pixel)",
                 ylabel="power (full scale²)", title=title, alt=alt, logy=True, markers=True)


def bars(values: Mapping[str, float | tuple[float, float, float]], *, xlabel: str, title: str = "", alt: str,
         reference: Mapping[str, float] | None = None) -> Figure:
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
            ax.errorbar(value, i, xerr=[[value - low], [high - value]], color="black", capsize=4, linewidth=1.2)
        text = f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
        ax.text(max(value if high is None else high, 0) + 0.02 * largest, i, text, va="center", zorder=3,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5})       # over a line of `reference`
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


def histograms(values: Mapping[str, Any], *, xlabel: str, title: str = "", alt: str, bins: int | Sequence = 40,
               range: tuple[float, float] | None = None) -> Figure:
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


def panels(values: Mapping[str, Mapping[str, Any]], *, xlabels: Mapping[str, str] | None = None, alt: str,
           title: str = "", columns: int = 4) -> Figure:
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


# ---- training --------------------------------------------------------------------------------------------------------
PANELS = {"D's score": {"d_real": "real", "d_fake": "fake"},
          "losses": {"pix": "pixel", "gan": "GAN, of the generator", "d_loss": "hinge, of D"},
          "spread": {"real_spread": "real pictures", "fake_spread": "made pictures", "z_spread": "over z (part of 2)"}}


def training_curves(history: Sequence | Mapping[str, Sequence], *, title: str = "", alt: str = "") -> Figure:
    """Scores of D, losses and spread over images seen; history: the ticks of one run, or name -> ticks of several.

    With several runs one panel row a run, on shared scales that are logarithmic beyond 2, so that a run that explodes
    fits beside a healthy one. alt is made from the numbers where none is given.
    """
    runs = history if isinstance(history, Mapping) else {"": history}
    if not runs or not all(runs.values()):
        raise HLError("history must hold at least one tick a run, got none: has the training run?")
    figure = blank(9.6, 2.7 * len(runs) + (0.3 if title else 0))
    axes = figure.subplots(len(runs), len(PANELS), squeeze=False, sharey="col" if len(runs) > 1 else False)
    for row, (name, ticks) in zip(axes, runs.items(), strict=True):
        for ax, (panel, keys) in zip(row, PANELS.items(), strict=True):
            held = [k for k in keys if k in ticks[-1].losses]
            for key in held:
                ax.plot([t.images for t in ticks], [t.losses[key] for t in ticks], label=keys[key],
                        **line_style(list(keys).index(key)))
            quiet(ax, "images seen", "")
            if len(runs) > 1 and panel != "spread":
                ax.set_yscale("symlog", linthresh=2)
            ax.set_title((f"{name}: " if name else "") + panel, fontsize=8.5)
            if held:
                ax.legend(frameon=False, fontsize=8)
            else:
                ax.text(0.5, 0.5, "none in this run", ha="center", transform=ax.transAxes)
    if title:
        figure.suptitle(title, fontsize=11, weight="bold")
    return with_alt(figure, alt or _curves_in_words(runs))


def _curves_in_words(runs: Mapping[str, Sequence]) -> str:
    """From first to last tick: what the curves do, in numbers."""
    said = []
    for name, ticks in runs.items():
        changes = [f"{label} {ticks[0].losses[k]:.2f} to {ticks[-1].losses[k]:.2f}" for keys in PANELS.values()
                   for k, label in keys.items() if k in ticks[-1].losses]
        said.append(f"{name + ': ' if name else ''}{', '.join(changes)}")
    return f"Training curves over {next(iter(runs.values()))[-1].images} images, first to last. " + "; ".join(said)


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


def sample_row(samples: Tensor, row: int, n: int = 8, size: int = 64) -> Tensor:
    """A row of pictures out of a tick's sample grid: uint8 (3, H, W) -> (n, 3, size, size)."""
    at, pitch = 2 + row * (size + 2), size + 2
    if at + size > samples.shape[1]:
        raise HLError(f"row must be below {(samples.shape[1] - 2) // pitch}, got {row}")
    n = min(n, (samples.shape[2] - 2) // pitch)
    return torch.stack([samples[:, at:at + size, 2 + k * pitch:2 + k * pitch + size] for k in range(n)])


def last_samples(history: Sequence) -> Tensor:
    """The newest sample grid of a run, uint8 (3, H, W). Raises HLError where none was taken."""
    taken = [t.samples for t in history if t.samples is not None]
    if not taken:
        raise HLError("history holds no samples: they come with the checkpoints, so lower save_images")
    return taken[-1]


def samples_over_time(history: Sequence, row: int, *, n: int = 8, title: str = "", alt: str) -> Figure:
    """The same row of a run's sample grids at every time it was taken, first to last."""
    kept = {f"after {t.images:,} images": sample_row(t.samples, row, n) for t in history if t.samples is not None}
    last_samples(history)
    return grid_of_shown(kept, title, alt)


def grid_of_shown(rows: Mapping[str, Tensor], title: str, alt: str) -> Figure:
    """A face grid of pictures that were enlarged to 64 pixels before: names without sizes."""
    figure = face_grid(rows, title=title, alt=alt, cell=64)
    for text in figure.texts:
        text.set_text(text.get_text().removesuffix(" · 64×64 px"))
    return figure
