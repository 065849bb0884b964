"""A photograph of one's own: cropped, degraded, restored, judged; wrong boxes say so."""

import base64
import io
from datetime import datetime, timezone

import numpy as np
import pytest
import torch
from ipywidgets import Widget
from PIL import Image

import hlgan_lib as hl
from hlgan_lib import viz
from hlgan_lib.errors import HLError
from hlgan_lib.notebook.own_photo import own_photograph, restored_box

PAIRS = hl.load_faces("faces:val")
HI, LO = PAIRS.hi.batch(slice(0, 3)), PAIRS.lo.batch(slice(0, 3))
STATIC = viz.strip({"a": LO[0]}, alt="the static strip")


def named(box, kind):
    return [w for w in box.children if type(w).__name__ == kind]


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


def test_an_lr_box_is_restored_as_it_is_and_a_hopeless_one_is_doubted():
    small = Image.fromarray(viz.as_uint8(LO[1])[0])
    found = restored_box(small, (0, 0, 16), is_lo=True)
    torch.testing.assert_close(found.pictures["your box, reduced"], LO[1], atol=1 / 127, rtol=0)
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    assert restored_box(Image.fromarray(noise), (0, 0, 16), is_lo=True).doubtful


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
    assert upload.value == (), "the file has left the widget"
    square.box = [60, 20, 300]
    go.click()
    assert html.value.count("<img") == 3 and "Trust" in html.value
    square.box, kind.value = [0, 0, 20], True
    go.click()
    assert html.value.count("<img") == 2
    kind.value = False
    go.click()
    assert "at least 64x64" in html.value, "an error is said, not raised"


def test_a_saved_notebook_holds_nothing_of_the_file_but_its_pixels(watched):
    own_photograph(STATIC)
    (box,) = watched
    (upload,), (html,) = (named(box, kind) for kind in ("FileUpload", "HTML"))
    exif = Image.Exif()
    exif[0x010E] = "SECRET PLACE"
    file = io.BytesIO()
    photograph().save(file, "PNG", exif=exif.tobytes())
    assert b"SECRET PLACE" in file.getvalue()
    entry = {"type": "image/png", "size": 1, "last_modified": datetime.now(timezone.utc)}
    name = '<b onclick="x">\x1b.png'
    for content in (file.getvalue(), b"no picture but a SECRET PLACE"):
        upload.set_trait("value", (entry | {"name": name, "content": memoryview(content)},))
    assert "<b" not in html.value and "&lt;b onclick=&quot;x&quot;&gt;\\x1b.png" in html.value

    # What JupyterLab writes into a notebook: the state of every widget, binary parts in base64.
    state = repr(Widget.get_manager_state()).encode()
    assert b"your photograph" in state and b"SECRET" not in state
    for shift in range(3):  # a text may start anywhere in a group of base64
        assert base64.b64encode(bytes(shift) + b"SECRET PLACE")[4:-4] not in state
