"""Face grids and strips: fixed range, exact enlargement, true sizes."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from hlgan_lib import viz
from hlgan_lib.data.faces import FaceSet
from hlgan_lib.errors import HLError

ALT = "a figure made by a test"


def pixels(figure):
    _, data = viz.encode(figure, "image/png")
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def test_the_range_is_fixed_and_never_stretched():
    grey = torch.full((1, 3, 16, 16), 0.1)
    assert set(viz.as_uint8(grey).ravel()) == {140}
    assert viz.as_uint8(torch.tensor([-5.0, 0, 5]).reshape(1, 3, 1, 1)).ravel().tolist() == [
        0,
        128,
        255,
    ]
    shown = pixels(viz.face_grid({"grey": grey}, alt=ALT))
    assert (shown[24 : 24 + 128, 4 : 4 + 128] == 140).all()


def test_enlarging_repeats_pixels():
    small = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    assert (viz.enlarge(small, 128) == small.repeat(8, 0).repeat(8, 1)).all()
    large = viz.enlarge(small.repeat(8, 0).repeat(8, 1), 16)
    assert (large == small).all()


def test_columns_of_several_lines_stay_inside_the_figure():
    tall = viz.face_grid({"x": torch.zeros(2, 3, 16, 16)}, columns=["a\nb\nc", "d"], alt=ALT)
    tall.draw_without_rendering()
    boxes = [t.get_window_extent() for t in tall.texts]
    assert all(0 <= box.y0 and box.y1 <= tall.bbox.height for box in boxes)
    assert min(box.y0 for box in boxes[:2]) >= boxes[2].y1 - 2


def test_face_grid_draws_the_very_pixels_and_names_the_true_size():
    x = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    figure = viz.face_grid(
        {"poor": x, "sharp": torch.zeros(2, 3, 64, 64)}, columns=["a", "b"], title="T", alt=ALT
    )
    words = [t.get_text() for t in figure.texts]
    assert {"T", "a", "b", "poor · 16×16 px", "sharp · 64×64 px"} <= set(words)
    image = pixels(figure)
    top, left, cell = 30 + 22 + 24, 4, 128
    pixel = viz.as_uint8(x)[0]
    shown = image[top : top + cell, left : left + cell]
    assert (shown[4::8, 4::8] == pixel).all()
    # Before matplotlib 3.11 the first line of an enlarged pixel may be its neighbour's.
    assert (shown == pixel.repeat(8, 0).repeat(8, 1)).mean() > 0.93


def test_strip_shows_each_stage():
    figure = viz.strip(
        {"before": torch.zeros(3, 64, 64), "after": torch.ones(1, 3, 16, 16)}, title="T", alt=ALT
    )
    assert [t.get_text() for t in figure.texts] == ["T", "before\n64×64 px", "after\n16×16 px"]


def test_face_sets_and_bytes_are_taken_as_they_are():
    images = np.arange(2 * 3 * 4 * 4, dtype=np.uint8).reshape(2, 3, 4, 4)
    assert (viz.as_uint8(FaceSet(images, ("a", "b"), "test")) == images.transpose(0, 2, 3, 1)).all()


@pytest.mark.parametrize(
    "wrong", [torch.zeros(2, 1, 4, 4), torch.zeros(4, 4), torch.zeros(0, 3, 4, 4)]
)
def test_other_shapes_are_refused(wrong):
    with pytest.raises(HLError, match="pictures must be"):
        viz.as_uint8(wrong)


def test_a_size_can_be_left_out():
    x = torch.zeros(1, 3, 64, 64)
    figure = viz.face_grid({"shown": x, "true": x}, alt=ALT, without_size=["shown"])
    assert [t.get_text() for t in figure.texts] == ["shown", "true · 64×64 px"]
    shown = viz.grid_of_shown({"a": x, "b": x}, "T", ALT)
    assert [t.get_text() for t in shown.texts] == ["T", "a", "b"]
