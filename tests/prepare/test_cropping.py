"""Squares of boxes and of landmarks: inside the picture, never enlarged."""

import numpy as np
import pytest

from hlgan_lib.errors import HLError
from hlgan_lib.prepare import cropping
from hlgan_lib.prepare.cropping import Cut, box_of_points, cut_job, square_of
from hlgan_lib.prepare.detector import NO_FACE
from hlgan_lib.prepare.plan import Face, Job
from tests.prepare.makers import coloured, save


@pytest.mark.parametrize(
    ("box", "square"),
    [
        ((10, 10, 20, 20), (10, 10, 20)),
        ((10, 20, 20, 30), (5, 20, 30)),
        ((-3, 5, 20, 20), (0, 5, 20)),
        ((85, 5, 20, 20), (80, 5, 20)),
        ((2, 2, 96, 40), (2, 0, 50)),
    ],
)
def test_a_box_becomes_a_square_in_the_picture(box, square):
    found = square_of(box, (100, 50), 16)
    if box[2] < 50:
        assert found == square
    x, y, side = found
    assert 0 <= x <= 100 - side and 0 <= y <= 50 - side


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ((0, 0, 0, 20), "width and a height above 0"),
        ((0, 0, float("nan"), 20), "width and a height above 0"),
        ((-15, 0, 20, 20), "must lie in the picture of 100x50"),
        ((0, 0, 15, 15), "at least 16 pixels, got 15: nothing is enlarged"),
    ],
)
def test_what_cannot_be_cut_says_why(box, words):
    with pytest.raises(HLError, match=words):
        square_of(box, (100, 50), 16)


def test_landmarks_of_other_numbers_are_refused():
    with pytest.raises(HLError, match=r"\(5, 2\) or \(68, 2\), got \(4, 2\)"):
        box_of_points(np.zeros((4, 2)))
    points = np.random.default_rng(0).uniform(0, 100, (68, 2))
    x, y, w, h = box_of_points(points)
    assert w == h and x < points[:, 0].min() and x + w > points[:, 0].max()
    assert y < points[:, 1].min() and y + h > points[:, 1].max() - 0.01 * h


def test_faces_that_are_looked_for_are_cut_like_those_of_a_list(tmp_path, monkeypatch):
    """A stand-in for the detector; the real one is in test_detector.py."""
    boxes = [(10.0, 10.0, 20.0, 20.0), (50.0, 10.0, 30.0, 30.0), (90.0, 0.0, 9.0, 9.0)]
    monkeypatch.setattr(cropping, "find_boxes", lambda image: boxes)
    levels = {(10, 10, 20): 70, (50, 10, 30): 140}
    save(tmp_path / "a.png", coloured(120, 50, levels))
    cut = Cut()
    job = Job("a.png", (Face("a.png", None, (("person", 7),)),), search=True)
    cut_job(job, tmp_path / "a.png", 16, 1.5, cut)
    assert [round(image.mean()) for image in cut.images] == [70, 139]
    assert [face.name for face in cut.faces] == ["a#0.png", "a#1.png"]
    assert all(face.columns == (("person", 7),) for face in cut.faces)
    assert cut.skipped[0][0] == "a#2.png" and cut.n_shrunk == 1

    monkeypatch.setattr(cropping, "find_boxes", lambda image: [])
    cut_job(job, tmp_path / "a.png", 16, 1.5, cut)
    assert cut.skipped[1] == ("a.png", NO_FACE)
