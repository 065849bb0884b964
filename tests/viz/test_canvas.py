"""The sheet: alt text, small files, the manifest, the style."""

import base64
import io
import json
import types

import IPython.display
import pytest
import torch
from PIL import Image

from hlgan_lib import viz
from hlgan_lib.data.loading import load_faces
from hlgan_lib.errors import HLError

ALT = "a figure made by a test"


def test_a_figure_without_words_is_refused(tmp_path):
    with pytest.raises(HLError, match="alt must say"):
        viz.face_grid({"a": torch.zeros(1, 3, 4, 4)}, alt=" ")
    with pytest.raises(HLError, match="at least one row"):
        viz.face_grid({}, alt=ALT)
    with pytest.raises(HLError, match="no alt text"):
        viz.bundle(viz.blank(2, 2))
    with pytest.raises(HLError, match="end in .png or .jpg"):
        viz.save_figure(viz.blank(2, 2), tmp_path / "a.pdf", ALT)


def test_faces_become_jpeg_lines_become_png_and_both_stay_small():
    kind, data = viz.encode(viz.face_grid({"a": load_faces("faces:val:hi")[:6]}, alt=ALT))
    assert kind == "image/jpeg" and data[:2] == b"\xff\xd8"
    kind, data = viz.encode(viz.lines({"a": ([1, 2], [3, 4])}, xlabel="x", ylabel="y", alt=ALT))
    assert kind == "image/png" and len(data) < 30_000
    kind, _ = viz.encode(viz.face_grid({"flat": torch.zeros(6, 3, 16, 16)}, alt=ALT))
    assert kind == "image/png", "exact where that is smaller"


def test_what_a_notebook_stores_carries_the_alt_text():
    data, metadata = viz.bundle(
        viz.face_grid({"a": torch.zeros(1, 3, 16, 16)}, alt="  two\n words here ")
    )
    assert metadata == {"image/png": {"alt": "two words here"}}
    assert data["text/plain"] == "[Figure: two words here]"
    assert Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).width >= 300


def test_save_figure_keeps_a_manifest(tmp_path):
    figure = viz.face_grid({"a": torch.zeros(1, 3, 16, 16)}, alt=ALT)
    viz.save_figure(figure, tmp_path / "b.png", command="hlgan demo", preset="quick", seed=3)
    viz.save_figure(figure, tmp_path / "a.jpg", "another text here", command="hlgan demo")
    entries = json.loads((tmp_path / "manifest.json").read_text())
    assert entries == {
        "a.jpg": {"alt": "another text here", "command": "hlgan demo"},
        "b.png": {"alt": ALT, "command": "hlgan demo", "preset": "quick", "seed": 3},
    }
    assert (tmp_path / "b.png").read_bytes()[1:4] == b"PNG" and (tmp_path / "a.jpg").read_bytes()[
        :2
    ] == b"\xff\xd8"


def test_style_is_for_every_kind_of_eye():
    assert len(set(viz.CYCLE)) == len(viz.CYCLE) == len(viz.DASHES) == len(viz.MARKERS)
    import matplotlib

    with matplotlib.rc_context():
        viz.style()
        assert matplotlib.rcParams["axes.prop_cycle"].by_key()["color"] == viz.CYCLE


def test_a_shown_figure_is_displayed_once_and_then_takes_its_own_place(monkeypatch):
    displayed, updates = [], []
    handle = types.SimpleNamespace(update=lambda *a, **k: updates.append((a, k)))

    def display(*args, **kwargs):
        displayed.append((args, kwargs))
        return handle

    monkeypatch.setattr(IPython.display, "display", display)
    figure = viz.with_alt(viz.blank(1, 1), "an empty figure of a test")
    data, metadata = viz.bundle(figure)
    assert viz.show(figure) is handle
    assert displayed == [((data,), {"metadata": metadata, "raw": True, "display_id": True})]
    assert viz.show(figure, handle=handle) is handle and len(displayed) == 1
    assert updates == [((data,), {"metadata": metadata, "raw": True})]
