"""Face grids and strips. Every function returns a Figure with alt text.

Images go in as they are inside the package: float (B, 3, h, w) in [-1, 1], or uint8 (B, 3, h, w).
They are drawn in a fixed range (-1 black, 1 white), and small ones are enlarged by repeating
pixels, never by smoothing.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..data.faces import FaceSet, to_uint8
from ..errors import HLError
from .canvas import DPI, Figure, blank, with_alt

Pictures = Tensor | np.ndarray | FaceSet
TITLE_HEIGHT = 30  # pixels, of the line that holds a figure's title
NARROWEST = 300  # pixels, of a figure, so that its title fits


def as_uint8(pictures: Pictures) -> np.ndarray:
    """One image or several as bytes, in the order of axes that drawing needs.

    Args:
        pictures: float in [-1, 1] or uint8, (B, 3, h, w) or (3, h, w); or a FaceSet.

    Returns:
        uint8 (B, h, w, 3); -1 becomes 0, 1 becomes 255, what lies outside is clipped.

    Raises:
        HLError: for another shape, or for no image at all.
    """
    x = pictures.images if isinstance(pictures, FaceSet) else pictures
    x = x.detach().cpu() if isinstance(x, Tensor) else torch.from_numpy(np.array(x))
    if x.ndim == 3:
        x = x[None]
    if x.ndim != 4 or x.shape[1] != 3 or not len(x):
        raise HLError(
            f"pictures must be (B, 3, h, w), got {tuple(x.shape)}: stack them with torch.cat"
        )
    if x.dtype != torch.uint8:
        x = to_uint8(x)
    return x.permute(0, 2, 3, 1).numpy()


def enlarge(picture: np.ndarray, side: int) -> np.ndarray:
    """An image at the size at which it is shown.

    Args:
        picture: uint8 (h, w, 3).
        side: pixels of the result; where h divides it, every pixel becomes equally large.

    Returns:
        uint8 (side, side, 3): pixels repeated to enlarge, averaged over areas to reduce.
    """
    if picture.shape[0] == side:
        return picture
    how = Image.Resampling.NEAREST if side > picture.shape[0] else Image.Resampling.BOX
    return np.asarray(Image.fromarray(picture).resize((side, side), how))


def face_grid(
    rows: Mapping[str, Pictures],
    *,
    columns: Sequence[str] = (),
    title: str = "",
    alt: str,
    n: int | None = None,
    cell: int | None = None,
    without_size: Container[str] = (),
) -> Figure:
    """Rows of faces, each under its name and true size.

    Args:
        rows: name -> images (B, 3, h, w), float in [-1, 1] or uint8.
        columns: a text over each column.
        title: a line over the whole figure.
        alt: what a reader who cannot see the figure should know.
        n: how many images of each row are shown; by default all.
        cell: pixels a side of a shown image; by default 128 for up to 6 columns, 64 for more.
        without_size: names of rows that are shown without their size, as their images were
            enlarged before and the size would say nothing.

    Returns:
        The figure; it is as large as its images need.

    Raises:
        HLError: for no rows, no alt text, or images of another shape.
    """
    if not rows:
        raise HLError("rows must hold at least one row of pictures, got none")
    pixels = {name: as_uint8(p)[:n] for name, p in rows.items()}

    # The page, in pixels: title, column texts, then each row's name above its images.
    n_columns = max(len(row) for row in pixels.values())
    cell = cell or _cell(n_columns)
    above = 0
    if columns:
        n_lines = max(text.count("\n") + 1 for text in columns)
        above = 8 + 14 * n_lines
    head = above + (TITLE_HEIGHT if title else 0)
    gap, name_height = 4, 24
    width = max(n_columns * (cell + gap) + gap, NARROWEST)
    height = head + len(pixels) * (cell + name_height) + gap
    figure = _page(width, height, title, gap)

    for k, text in enumerate(columns):
        x = (gap + k * (cell + gap) + cell / 2) / width
        y = 1 - (head - above / 2 + 2) / height
        figure.text(x, y, text, ha="center", va="center", fontsize=9)

    for r, (name, row) in enumerate(pixels.items()):
        top = head + r * (cell + name_height)
        label = name if name in without_size else f"{name} · {row.shape[2]}×{row.shape[1]} px"
        y = 1 - (top + name_height / 2) / height
        figure.text(gap / width, y, label, va="center", fontsize=9)
        bottom = 1 - (top + name_height + cell) / height
        for k, picture in enumerate(row):
            left = (gap + k * (cell + gap)) / width
            _place(figure, picture, cell, (left, bottom, cell / width, cell / height))
    return with_alt(figure, alt)


def strip(
    stages: Mapping[str, Pictures], *, title: str = "", alt: str, cell: int | None = None
) -> Figure:
    """One image a stage, left to right, each under its name and true size: a process, step by step.

    Args:
        stages: name -> one image, (3, h, w) or (1, 3, h, w), float in [-1, 1] or uint8.
        title: a line over the whole figure.
        alt: what a reader who cannot see the figure should know.
        cell: pixels a side of a shown image; by default 128 for up to 7 stages, 96 for more.

    Returns:
        The figure.

    Raises:
        HLError: for no alt text, or images of another shape.
    """
    pictures = {name: as_uint8(p)[0] for name, p in stages.items()}
    cell = cell or (128 if len(pictures) <= 7 else 96)
    gap, text_height = 6, 40
    head = TITLE_HEIGHT if title else 0
    width = max(len(pictures) * (cell + gap) + gap, NARROWEST)
    height = head + text_height + cell + gap
    figure = _page(width, height, title, gap)

    for k, (name, picture) in enumerate(pictures.items()):
        left = gap + k * (cell + gap)
        x = (left + cell / 2) / width
        y = 1 - (head + text_height / 2) / height
        label = f"{name}\n{picture.shape[1]}×{picture.shape[0]} px"
        figure.text(x, y, label, ha="center", va="center", fontsize=8)
        _place(figure, picture, cell, (left / width, gap / height, cell / width, cell / height))
    return with_alt(figure, alt)


def grid_of_shown(rows: Mapping[str, Tensor], title: str, alt: str) -> Figure:
    """A face grid of images that were enlarged to 64 pixels before: names without sizes.

    Args:
        rows: name -> images (B, 3, 64, 64).
        title: a line over the whole figure.
        alt: what a reader who cannot see the figure should know.

    Returns:
        The figure, as of `face_grid`.
    """
    return face_grid(rows, title=title, alt=alt, cell=64, without_size=rows)


def _cell(n_columns: int) -> int:
    """Pixels a side of a shown image: a multiple of 16 and 64, so that no pixel is wider."""
    return 128 if n_columns <= 6 else 64


def _page(width: int, height: int, title: str, left: int) -> Figure:
    """An empty figure of width x height pixels, whose title starts at `left`."""
    figure = blank(width / DPI, height / DPI)
    figure.set_layout_engine("none")
    figure.photographic = True
    if title:
        y = 1 - 16 / height
        figure.text(left / width, y, title, va="center", fontsize=11, weight="bold")
    return figure


def _place(
    figure: Figure, picture: np.ndarray, cell: int, box: tuple[float, float, float, float]
) -> None:
    """An image in a box (left, bottom, width, height), each a part of the figure."""
    ax = figure.add_axes(box)
    ax.imshow(enlarge(picture, cell), interpolation="nearest")
    ax.set_axis_off()
