"""Widgets that answer in the browser itself.

A before/after edge, a square to drag over a face, a stop button.
"""

from __future__ import annotations

from pathlib import Path

import anywidget
import traitlets

STATIC = Path(__file__).parent / "static"


class BeforeAfter(anywidget.AnyWidget):
    """Pairs of pictures, as data addresses.

    From the left up to `position` (per cent) each shows `after`.
    """

    _esm = STATIC / "before_after.js"
    before = traitlets.List(traitlets.Unicode()).tag(sync=True)
    after = traitlets.List(traitlets.Unicode()).tag(sync=True)
    names = traitlets.List(traitlets.Unicode(), ["before", "after"], 2, 2).tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)
    side = traitlets.Int(160).tag(sync=True)
    position = traitlets.Float(50.0).tag(sync=True)


class FaceBox(anywidget.AnyWidget):
    """A picture and a square on it.

    size: (width, height) of the picture; box: (x, y, side), in its pixels.
    """

    _esm = STATIC / "face_box.js"
    picture = traitlets.Unicode().tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)
    size = traitlets.List(traitlets.Int(), [1, 1], 2, 2).tag(sync=True)
    box = traitlets.List(traitlets.Int(), [0, 0, 1], 3, 3).tag(sync=True)
    smallest = traitlets.Int(16).tag(sync=True)


class StopButton(anywidget.AnyWidget):
    """Interrupts the kernel of that id, while Python is busy.

    Where the page is not Jupyter's, it says how else.
    """

    _esm = STATIC / "stop_button.js"
    kernel = traitlets.Unicode().tag(sync=True)
