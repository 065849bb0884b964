"""Widgets: what they show without a front end, and hold with one."""

import base64
import io

import IPython.display
import numpy as np
import pytest
import torch
from PIL import Image

import hlgan_lib as hl
from hlgan_lib import viz
from hlgan_lib.errors import HLError
from hlgan_lib.notebook import widgets
from hlgan_lib.notebook.browser import BeforeAfter
from hlgan_lib.notebook.explorer import degradation_explorer
from hlgan_lib.notebook.own_photo import own_photograph

PAIRS = hl.load_faces("faces:val")
HI, LO = PAIRS.hi.batch(slice(0, 3)), PAIRS.lo.batch(slice(0, 3))
STATIC = viz.strip({"a": LO[0]}, alt="the static strip")


def picture_of(url):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))))


def test_without_a_front_end_there_is_the_picture_alone(shown):
    widgets.before_after({"a": LO, "b": HI}, STATIC, alt="faces")
    degradation_explorer(None, None, HI, LO, STATIC)
    own_photograph(STATIC)
    assert shown == [STATIC] * 3


def test_before_after_holds_the_pictures_it_was_given(watched):
    widgets.before_after({"LR": LO, "HR": HI}, STATIC, alt="three faces", n=2, side=64)
    (pair,) = watched
    assert isinstance(pair, BeforeAfter) and pair.names == ["LR", "HR"] and pair.position == 50
    assert len(pair.before) == len(pair.after) == 2
    assert np.array_equal(picture_of(pair.after[1]), viz.as_uint8(HI[1])[0])
    assert np.array_equal(picture_of(pair.before[0])[::4, ::4], viz.as_uint8(LO[0])[0]), (
        "pixels repeated, not smoothed"
    )
    with pytest.raises(HLError, match=r"rows must be two.*got \[3, 2\]"):
        widgets.before_after({"LR": LO, "HR": HI[:2]}, STATIC, alt="faces")


def test_a_slider_shows_a_strip_where_nobody_watches(monkeypatch):
    shown = []
    monkeypatch.setattr(viz, "show", lambda figure, handle=None: shown.append(figure) or "handle")
    static = viz.strip({"a": torch.zeros(3, 16, 16)}, alt="the static strip")
    drawn = []
    widgets.explore(lambda v: drawn.append(v) or static, [1, 2], "value", static)
    assert shown == [static] and not drawn
    with pytest.raises(HLError, match="at least one"):
        widgets.explore(lambda v: static, [], "value", static)


def test_a_slider_redraws_where_somebody_watches(monkeypatch):
    shown, boxes, drawn = [], [], []
    monkeypatch.setattr(viz, "show", lambda figure, handle=None: shown.append(handle) or "handle")
    monkeypatch.setattr(widgets, "front_end", lambda: True)
    monkeypatch.setattr(IPython.display, "display", boxes.append)
    static = viz.strip({"a": torch.zeros(3, 16, 16)}, alt="the static strip")
    widgets.explore(lambda v: drawn.append(v) or static, [1, 2], "value", static)
    boxes[0].value = 2
    assert drawn == [1, 2] and shown == [None, None, "handle"], (
        "the second picture takes the place of the first"
    )
