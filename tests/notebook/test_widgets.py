"""Widgets: what they show without a front end, what they hold with one, and how fast they answer."""

import base64
import io
import re
import time
from datetime import datetime, timezone

import IPython.display
import numpy as np
import pytest
import torch
from PIL import Image

import hlgan_lib as hl
from hlgan_lib import viz
from hlgan_lib.analysis.z_directions import PROPERTIES, Directions, placed
from hlgan_lib.errors import HLError
from hlgan_lib.notebook import explorer, own_photo, widgets
from hlgan_lib.notebook.browser import BeforeAfter, FaceBox, StopButton
from hlgan_lib.notebook.explorer import Explorer, degradation_explorer
from hlgan_lib.notebook.own_photo import own_photograph, restored_box

PAIRS = hl.load_faces("faces:val")
HI, LO = PAIRS.hi.batch(slice(0, 3)), PAIRS.lo.batch(slice(0, 3))
STATIC = viz.strip({"a": LO[0]}, alt="the static strip")


@pytest.fixture
def shown(monkeypatch):
    figures = []
    monkeypatch.setattr(viz, "show", lambda figure, handle=None: figures.append(figure) or "handle")
    return figures


@pytest.fixture
def watched(monkeypatch, shown):
    """Somebody is there: the list of what is displayed."""
    boxes = []
    for module in (widgets, explorer, own_photo):
        monkeypatch.setattr(module, "front_end", lambda: True)
    monkeypatch.setattr(IPython.display, "display", boxes.append)
    return boxes


def directions(k=3, dim=64):
    rng = torch.Generator().manual_seed(0)
    axes = torch.linalg.qr(torch.randn(dim, k, generator=rng, dtype=torch.float64))[0].T
    table = torch.zeros(k, len(PROPERTIES))
    table[torch.arange(k), torch.arange(k)] = 0.9
    return Directions(
        axes,
        torch.ones(k),
        torch.ones(k),
        PROPERTIES,
        table,
        table,
        table,
        torch.ones(7),
        axes[:1],
        1,
    )


def picture_of(url):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))))


def named(box, kind):
    return [w for w in box.children if type(w).__name__ == kind]


# ---- before and after ------------------------------------------------------------------------------------------------
def test_without_a_front_end_there_is_the_picture_alone(shown):
    widgets.before_after({"a": LO, "b": HI}, STATIC, alt="faces")
    degradation_explorer(None, None, HI, LO, STATIC)
    own_photograph(STATIC)
    assert shown == [STATIC] * 3


def test_before_after_holds_the_pictures_it_was_given(watched):
    widgets.before_after({"poor": LO, "sharp": HI}, STATIC, alt="three faces", n=2, side=64)
    (pair,) = watched
    assert isinstance(pair, BeforeAfter) and pair.names == ["poor", "sharp"] and pair.position == 50
    assert len(pair.before) == len(pair.after) == 2
    assert np.array_equal(picture_of(pair.after[1]), viz.as_uint8(HI[1])[0])
    assert np.array_equal(picture_of(pair.before[0])[::4, ::4], viz.as_uint8(LO[0])[0]), (
        "pixels repeated, not smoothed"
    )
    with pytest.raises(HLError, match=r"rows must be two.*got \[3, 2\]"):
        widgets.before_after({"poor": LO, "sharp": HI[:2]}, STATIC, alt="faces")


@pytest.mark.parametrize("kind", [BeforeAfter, FaceBox, StopButton])
def test_what_runs_in_the_browser_is_shipped_and_names_only_what_python_holds(kind):
    text = str(kind._esm)
    assert "export default { render }" in text
    used = set(re.findall(r'model\.(?:get|set|on)\("(?:change:)?(\w+)"', text))
    assert used and used <= set(kind().keys)


# ---- the explorer ----------------------------------------------------------------------------------------------------
def test_placed_sets_coordinates_and_leaves_the_rest():
    axes = directions().axes
    z = torch.randn(5, 64, dtype=torch.float64)
    at = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    moved = placed(z, axes, at)
    torch.testing.assert_close(moved @ axes.T, at.expand(5, 3))
    across = lambda v: v - v @ axes.T @ axes  # noqa: E731
    torch.testing.assert_close(across(moved), across(z))


def test_the_explorer_moves_with_its_sliders_and_measures_what_it_shows(watched):
    h2l = hl.load_weights("h2l")
    degradation_explorer(h2l, directions(), HI, LO, STATIC)
    (box,) = watched
    (face,), sliders, (button,), (html,) = (
        named(box, k) for k in ("IntSlider", "FloatSlider", "Button", "HTML")
    )
    assert [s.description for s in sliders] == [f"{i + 1}: {PROPERTIES[i]}" for i in range(3)]
    texts = [html.value]
    for change in (
        lambda: setattr(sliders[0], "value", 2.0),
        lambda: setattr(face, "value", 1),
        button.click,
    ):
        change()
        texts.append(html.value)
    assert len(set(texts)) == 4, "each control changes what is shown"
    assert all(t.count("<img") == t.count("alt=") == 4 for t in texts)
    for row in explorer.ROWS:
        assert row in texts[0]


def test_the_explorer_knows_a_known_degradation():
    class Darker(torch.nn.Module):  # half the light: one stop down, whatever z is
        def forward(self, hi, z):
            light = hl.degradations.srgb_decode((hl.degradations.bilinear(hi) + 1) / 2) / 2
            return 2 * hl.degradations.srgb_encode(light) - 1

    e = Explorer(Darker(), directions(), HI, LO)
    row = e.html(0, (0.0, 0.0, 0.0)).split("exposure</th>")[1].split("</tr>")[0]
    learned, bilinear = (float(cell.split("<")[0]) for cell in row.split("<td>")[1:3])
    assert learned == pytest.approx(bilinear - 1, abs=0.03)
    with pytest.raises(HLError, match="same faces"):
        Explorer(Darker(), directions(), HI, LO[:2])


def test_a_slider_answers_within_150_ms():
    e = Explorer(hl.load_weights("h2l"), directions(), HI, LO)
    e.html(0, (0.0, 0.0, 0.0))
    spent = []
    for k in range(7):
        start = time.process_time()  # of this process: what else runs on the machine does not count
        e.html(k % 3, (0.1 * k, 0.0, 0.0))
        spent.append(time.process_time() - start)
    assert sorted(spent)[3] < 0.15


# ---- one's own photograph --------------------------------------------------------------------------------------------
def photograph(side=300):
    sheet = Image.new("RGB", (side + 100, side + 40), "grey")
    sheet.paste(Image.fromarray(viz.as_uint8(HI[0])[0]).resize((side, side)), (60, 20))
    return sheet


def test_a_box_is_cropped_degraded_restored_and_judged():
    found = restored_box(photograph(), (60, 20, 300))
    assert list(found.pictures) == ["your box", "degraded by H2L", "restored by L2H"]
    assert [tuple(p.shape) for p in found.pictures.values()] == [
        (3, 64, 64),
        (3, 16, 16),
        (3, 64, 64),
    ]
    assert (found.pictures["your box"] - HI[0]).abs().mean() < 0.05, "the box is what was asked for"
    again = hl.upscale("l2h", found.pictures["degraded by H2L"][None])[0]
    torch.testing.assert_close(again, found.pictures["restored by L2H"])
    assert "invented" in found.words and f"{found.trust:+.1f}" in found.words
    assert ("Doubtful" in found.words) == found.doubtful


def test_a_poor_box_is_restored_as_it_is_and_a_hopeless_one_is_doubted():
    small = Image.fromarray(viz.as_uint8(LO[1])[0])
    found = restored_box(small, (0, 0, 16), poor=True)
    torch.testing.assert_close(found.pictures["your box, reduced"], LO[1], atol=1 / 127, rtol=0)
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    assert restored_box(Image.fromarray(noise), (0, 0, 16), poor=True).doubtful


@pytest.mark.parametrize(
    "box, words",
    [
        ((300, 0, 200), "inside the picture of 400x340"),
        ((-1, 0, 80), "inside"),
        ((0, 0, 40), "at least 64x64"),
    ],
)
def test_a_wrong_box_says_so(box, words):
    with pytest.raises(HLError, match=words):
        restored_box(photograph(), box)


def test_upload_box_and_button_work_together(watched, tmp_path):
    own_photograph(STATIC)
    (box,) = watched
    (upload,), (square,), (kind,), (go,), (html,) = (
        named(box, k) for k in ("FileUpload", "FaceBox", "RadioButtons", "Button", "HTML")
    )
    assert go.disabled and square.layout.display == "none"
    file = io.BytesIO()
    photograph().save(file, "JPEG", quality=95)
    entry = {
        "name": "me.jpg",
        "type": "image/jpeg",
        "size": 1,
        "last_modified": datetime.now(timezone.utc),
    }
    upload.set_trait("value", (entry | {"content": memoryview(b"no picture")},))
    assert "cannot read me.jpg" in html.value and go.disabled
    upload.set_trait("value", (entry | {"content": memoryview(file.getvalue())},))
    assert not go.disabled and square.size == [400, 340]
    x, y, side = square.box
    assert 0 <= x and x + side <= 400 and 0 <= y and y + side <= 340
    square.box = [60, 20, 300]
    go.click()
    assert html.value.count("<img") == 3 and "Trust" in html.value
    square.box, kind.value = [0, 0, 20], True
    go.click()
    assert html.value.count("<img") == 2
    kind.value = False
    go.click()
    assert "at least 64x64" in html.value, "an error is said, not raised"
