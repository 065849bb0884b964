"""The real detector on a made group picture: three faces where they are, none where none is."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

import hlgan_lib as hl
from hlgan_lib.prepare import prepare_file
from hlgan_lib.prepare.detector import check_detector, find_boxes

PLACES = ((30, 40, 64), (130, 60, 24), (200, 30, 96))  # x, y, side


@pytest.fixture(scope="module")
def group():
    """Three shipped faces with soft edges on a gradient."""
    pytest.importorskip("cv2")
    faces = hl.load_faces("faces:test:hi").images
    slope = np.linspace(60, 180, 320)[None, :, None] * np.ones((160, 1, 3))
    picture = Image.fromarray(slope.astype(np.uint8))
    for k, (x, y, side) in enumerate(PLACES):
        face = Image.fromarray(faces[k].transpose(1, 2, 0)).resize((side, side))
        mask = Image.new("L", (side, side), 0)
        ImageDraw.Draw(mask).ellipse((0, 0, side, side), fill=255)
        mask = mask.filter(ImageFilter.GaussianBlur(side / 20))
        picture.paste(face, (x, y), mask)
    return picture


def overlap(a, b) -> float:
    """Intersection over union of boxes x, y, w, h."""
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    inside = max(w, 0) * max(h, 0)
    return inside / (a[2] * a[3] + b[2] * b[3] - inside)


def test_three_faces_are_found_framed_as_the_shipped_ones(group):
    boxes = find_boxes(group)
    assert len(boxes) == 3
    for box, (x, y, side) in zip(boxes, PLACES):
        assert overlap(box, (x, y, side, side)) > 0.6


def test_a_large_photograph_is_looked_through_at_a_smaller_size(group):
    large = group.resize((6 * group.width, 6 * group.height))
    for box, (x, y, side) in zip(find_boxes(large), PLACES):
        assert overlap(box, (6 * x, 6 * y, 6 * side, 6 * side)) > 0.6


def test_where_nobody_is_nobody_is_found(group):
    check_detector()
    assert find_boxes(Image.new("RGB", (200, 100), "grey")) == []


def test_prepare_cuts_the_faces_that_it_finds(group, tmp_path):
    (tmp_path / "in").mkdir()
    group.save(tmp_path / "in/party.png")
    Image.new("RGB", (200, 100), "grey").save(tmp_path / "in/wall.png")
    made = prepare_file("folder", tmp_path / "in", tmp_path / "o.npz", size=20, faces=True)
    faces = hl.load_faces(tmp_path / "o.npz", role=None)
    assert faces.names == ("party#0.png", "party#1.png", "party#2.png")
    assert [name for name, _ in made.skipped] == ["wall.png"]
    assert "no face found" in made.skipped[0][1]
    assert made.notes == ["2 files are searched for faces"]
