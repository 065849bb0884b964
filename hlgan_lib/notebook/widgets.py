"""Sliders where a person is watching; a static picture that says the same everywhere else.

Every widget takes that picture as `static` and shows it first, so that a notebook which a script
executes needs no widget to be read.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import TypeVar

import numpy as np
from PIL import Image

from .. import viz
from ..errors import HLError
from ..viz.canvas import Figure
from .hosts import custom_widgets, front_end

V = TypeVar("V")


def explore(draw: Callable[[V], Figure], values: Sequence[V], name: str, static: Figure) -> None:
    """Show a figure, and where a person is watching, a slider that redraws it.

    Args:
        draw: makes the figure of one of the values.
        values: what the slider runs over.
        name: what it changes, with its unit.
        static: the figure for everybody.

    Raises:
        HLError: for no values.
    """
    if not len(values):
        raise HLError(f"values of {name} must hold at least one, got none")
    viz.show(static)
    if not front_end():
        return
    import ipywidgets
    from IPython.display import display

    slider = ipywidgets.SelectionSlider(
        options=list(values),
        description=name,
        continuous_update=False,
        style={"description_width": "initial"},
        layout={"width": "32em"},
    )
    display(slider)
    shown = viz.show(draw(slider.value))
    slider.observe(lambda change: viz.show(draw(change["new"]), handle=shown), names="value")


def before_after(
    rows: Mapping[str, viz.Pictures], static: Figure, *, alt: str, n: int = 4, side: int = 192
) -> None:
    """Show a figure, and where a person is watching, pairs of images with an edge to move.

    Args:
        rows: two names -> images (B, 3, h, w) of the same faces, before and after; sides may
            differ.
        static: the figure for everybody.
        alt: what is seen, for each pair.
        n: how many pairs.
        side: pixels an image on the screen, best a multiple of both sizes.

    Raises:
        HLError: for other than two rows of one length.
    """
    pictures = [viz.as_uint8(p)[:n] for p in rows.values()]
    if len(pictures) != 2 or len(pictures[0]) != len(pictures[1]):
        raise HLError(
            f"rows must be two, of as many pictures, got {[len(p) for p in pictures]}: give "
            "before and after"
        )
    viz.show(static)
    if not front_end():
        return
    from IPython.display import display

    from .browser import BeforeAfter

    custom_widgets()
    before, after = ([address(picture, side) for picture in row] for row in pictures)
    display(BeforeAfter(before=before, after=after, names=list(rows), alt=alt, side=side))


# ---- what they are made of -----------------------------------------------------------------------
def address(picture: np.ndarray | Image.Image, side: int | None = None) -> str:
    """An image as a data address that a browser shows, an exact PNG.

    Args:
        picture: uint8 (h, w, 3) or PIL.
        side: enlarge to so many pixels.

    Returns:
        The address.
    """
    picture = np.asarray(picture)
    file = io.BytesIO()
    Image.fromarray(viz.enlarge(picture, side) if side else picture).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def captioned(pictures: Mapping[str, viz.Pictures], side: int, alt: str) -> str:
    """Images side by side as HTML, each under its name and true size.

    Args:
        pictures: name -> one image (3, h, w) in [-1, 1].
        side: of each on the screen, pixels.
        alt: what is seen, for each.

    Returns:
        The HTML.
    """
    figures = []
    for name, picture in pictures.items():
        shown = viz.as_uint8(picture)[0]
        figures.append(
            f'<figure style="margin:0"><figcaption>{escape(name)}<br>'
            f"{shown.shape[1]}×{shown.shape[0]} px"
            f'</figcaption><img src="{address(shown, side)}" width="{side}" height="{side}" '
            f'alt="{escape(name)}: {escape(alt)}"></figure>'
        )
    style = "display:flex;flex-wrap:wrap;gap:12px;align-items:end;line-height:1.4"
    return f'<div style="{style}">{"".join(figures)}</div>'
