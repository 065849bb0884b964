"""The faces of a photograph: cut as `prepare` cuts, numbered, small ones left out and named."""

import numpy as np
import pytest
from PIL import Image

import hlgan_lib as hl
from hlgan_lib.prepare import photograph
from hlgan_lib.prepare.photograph import LINE, find_faces
from tests.prepare.makers import coloured, save

SQUARES = {(10, 20, 20): 60, (60, 30, 16): 120, (100, 10, 40): 240}
BOXES = [(*map(float, (x, y)), float(side), float(side)) for x, y, side in SQUARES]


@pytest.fixture
def group(tmp_path, monkeypatch):
    """A photograph with three grey squares that a detector calls faces, and a tiny one."""
    path = tmp_path / "group.png"
    save(path, coloured(160, 80, SQUARES))
    monkeypatch.setattr(photograph, "find_boxes", lambda image: [*BOXES, (150.0, 2.0, 9.0, 9.0)])
    return path


def test_three_squares_are_three_faces(group):
    found = find_faces(group)
    assert found.faces.names == ("group-1.png", "group-2.png", "group-3.png")
    assert found.faces.images.mean((1, 2, 3)) == pytest.approx([60, 120, 240], abs=3)
    assert found.boxes == tuple(BOXES) and found.faces.size == (16, 16)
    assert found.skipped == (
        ("9x9 at 150, 2", "box must be at least 16 pixels, got 9: nothing is enlarged"),
    )
    assert found.large == ["group-3.png"], "40 pixels become 16: more than 1.5 times"
    assert hl.find_faces is find_faces


def test_for_looking_only_faces_may_be_enlarged(group):
    levels = find_faces(group).cut(64).images.mean((1, 2, 3))
    assert levels == pytest.approx([60, 120, 240], abs=3)


def test_each_face_has_a_square_of_one_colour(group):
    shown = np.asarray(find_faces(group).numbered())
    for x, y, w, h in BOXES:
        assert tuple(shown[int(y + h), int(x + w / 2)]) == LINE
    assert shown.shape == (80, 160, 3)


def test_a_large_photograph_is_shown_smaller(group):
    image = coloured(1600, 400, {(0, 0, 100): 200})
    shown = find_faces(image).numbered()
    assert shown.size == (800, 200)


def test_none_found_is_an_empty_set(group, monkeypatch):
    monkeypatch.setattr(photograph, "find_boxes", lambda image: [])
    found = find_faces(Image.new("RGB", (50, 50)), size=64)
    assert len(found.faces) == 0 and found.faces.size == (64, 64) and found.boxes == ()
    with pytest.raises(hl.HLError, match="size must be at least 1 pixel, got 0"):
        find_faces(group, size=0)
