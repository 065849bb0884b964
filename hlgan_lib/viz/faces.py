"""Face grids and strips. Every function returns a Figure with alt text.

Pictures go in as they are inside the package: float (B, 3, h, w) in [-1, 1], or uint8 (B, 3, h, w). They are drawn in a
fixed range (-1 black, 1 white), and small ones are enlarged by repeating pixels, never by smoothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from ..data.faces import FaceSet, to_uint8
from ..errors import HLError
from .canvas import DPI, blank, with_alt

Pictures = Tensor | np.ndarray | FaceSet


def as_uint8(pictures: Pictures) -> np.ndarray:
    """One picture or several as uint8 (B, h, w, 3), by the fixed range. Raises HLError for anything else."""
    x = pictures.images if isinstance(pictures, FaceSet) else pictures
    x = x.detach().cpu() if isinstance(x, Tensor) else torch.from_numpy(np.array(x))
    x = x[None] if x.ndim == 3 else x
    if x.ndim != 4 or x.shape[1] != 3 or not len(x):
        raise HLError(
            f"pictures must be (B, 3, h, w), got {tuple(x.shape)}: stack them with torch.cat"
        )
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


def face_grid(
    rows: Mapping[str, Pictures],
    *,
    columns: Sequence[str] = (),
    title: str = "",
    alt: str,
    n: int | None = None,
    cell: int | None = None,
) -> Figure:
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
        figure.text(
            x, 1 - (head - above / 2 + 2) / height, text, ha="center", va="center", fontsize=9
        )
    if title:
        figure.text(gap / width, 1 - 16 / height, title, va="center", fontsize=11, weight="bold")
    for r, (name, row) in enumerate(pixels.items()):
        top = head + r * (cell + row_title)
        size = f"{row.shape[2]}×{row.shape[1]} px"
        figure.text(
            gap / width,
            1 - (top + row_title / 2) / height,
            f"{name} · {size}",
            va="center",
            fontsize=9,
        )
        for k, picture in enumerate(row):
            box = (
                (gap + k * (cell + gap)) / width,
                1 - (top + row_title + cell) / height,
                cell / width,
                cell / height,
            )
            ax = figure.add_axes(box)
            ax.imshow(enlarge(picture, cell), interpolation="nearest")
            ax.set_axis_off()
    return with_alt(figure, alt)


def strip(
    stages: Mapping[str, Pictures], *, title: str = "", alt: str, cell: int | None = None
) -> Figure:
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
        figure.text(
            (left + cell / 2) / width,
            1 - (head + text_height / 2) / height,
            f"{name}\n{picture.shape[1]}×{picture.shape[0]} px",
            ha="center",
            va="center",
            fontsize=8,
        )
        ax = figure.add_axes((left / width, gap / height, cell / width, cell / height))
        ax.imshow(enlarge(picture, cell), interpolation="nearest")
        ax.set_axis_off()
    return with_alt(figure, alt)


def grid_of_shown(rows: Mapping[str, Tensor], title: str, alt: str) -> Figure:
    """A face grid of pictures that were enlarged to 64 pixels before: names without sizes."""
    figure = face_grid(rows, title=title, alt=alt, cell=64)
    for text in figure.texts:
        text.set_text(text.get_text().removesuffix(" · 64×64 px"))
    return figure
