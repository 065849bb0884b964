"""Figures: fixed range, exact enlargement, alt text, small files, the manifest."""

import base64
import io
import json
import types

import numpy as np
import pytest
import torch
from PIL import Image

from hlgan_lib import data, viz
from hlgan_lib.data.faces import FaceSet
from hlgan_lib.data.loading import load_faces
from hlgan_lib.errors import HLError

ALT = "a figure made by a test"


def pixels(figure):
    _, data = viz.encode(figure, "image/png")
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def tick(images, **losses):
    made = {
        "d_real": 0.1,
        "d_fake": -0.1,
        "pix": 0.02,
        "gan": 0.3,
        "d_loss": 1.9,
        "fake_spread": 0.3,
        **losses,
    }
    grid = torch.arange(3 * 134 * 200).reshape(3, 134, 200).to(torch.uint8)  # 2 rows of 3 pictures
    return types.SimpleNamespace(
        images=images, losses=made, samples=grid if images % 2 == 0 else None
    )


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
    expected = viz.as_uint8(x)[0].repeat(8, 0).repeat(8, 1)
    assert (image[top : top + cell, left : left + cell] == expected).all()


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


def test_a_figure_without_words_is_refused(tmp_path):
    with pytest.raises(HLError, match="alt must say"):
        viz.face_grid({"a": torch.zeros(1, 3, 4, 4)}, alt=" ")
    with pytest.raises(HLError, match="at least one row"):
        viz.face_grid({}, alt=ALT)
    with pytest.raises(HLError, match="no alt text"):
        viz.bundle(viz.blank(2, 2))
    with pytest.raises(HLError, match="end in .png or .jpg"):
        viz.save_figure(viz.blank(2, 2), tmp_path / "a.pdf", ALT)


def test_lines_bars_histograms_hold_the_numbers():
    figure = viz.lines(
        {"a": ([1, 2], [3, 4]), "b": ([1, 2], [5, 6], [4, 5], [6, 7])},
        xlabel="x",
        ylabel="y",
        alt=ALT,
    )
    a, b = figure.axes[0].lines
    assert a.get_ydata().tolist() == [3, 4] and b.get_ydata().tolist() == [5, 6]
    assert a.get_linestyle() != b.get_linestyle() and a.get_color() != b.get_color(), (
        "not by colour alone"
    )
    many = viz.lines(
        {str(i): ([1], [i]) for i in range(14)}, xlabel="x", ylabel="y", alt=ALT, markers=True
    )
    assert len({(line.get_marker(), line.get_fillstyle()) for line in many.axes[0].lines}) == 14, (
        "points too"
    )
    figure = viz.bars(
        {"a": (3.0, 2.0, 4.0), "b": 1.0}, xlabel="x", alt=ALT, reference={"floor": 0.5}
    )
    assert [p.get_width() for p in figure.axes[0].patches] == [3, 1]
    assert [t.get_text() for t in figure.axes[0].texts] == ["3", "1"]
    figure = viz.histograms({"a": np.arange(10.0)}, xlabel="x", alt=ALT, bins=[0, 5, 10])
    assert figure.axes[0].get_xlim()[0] <= 0
    figure = viz.panels({"whole": np.array([1, 2, 2, 3]), "real": np.arange(5.0)}, alt=ALT)
    assert [p.get_height() for p in figure.axes[0].patches] == [1, 2, 1]


def test_spectra_take_what_the_analysis_gives():
    from hlgan_lib.analysis.spectrum import power_spectrum

    curve = power_spectrum(torch.rand(4, 3, 16, 16) * 2 - 1)
    drawn = viz.spectra({"noise": curve}, alt=ALT).axes[0].lines[0]
    assert np.allclose(drawn.get_ydata(), curve.y.numpy())


def test_training_curves_draw_every_run_and_describe_themselves():
    history = [tick(1), tick(2, d_real=0.5)]
    figure = viz.training_curves(history)
    real = figure.axes[0].lines[0]
    assert real.get_xdata().tolist() == [1, 2] and real.get_ydata().tolist() == [0.1, 0.5]
    assert "real 0.10 to 0.50" in figure.alt and "over 2 images" in figure.alt
    no_d = types.SimpleNamespace(images=1, losses={"pix": 0.1}, samples=None)
    figure = viz.training_curves({"a": history, "b": [no_d]})
    assert len(figure.axes) == 6
    made_a, made_b = (figure.axes[i].lines for i in (1, 4))
    assert made_a[0].get_color() == made_b[0].get_color(), (
        "a curve keeps its colour from run to run"
    )
    with pytest.raises(HLError, match="at least one tick"):
        viz.training_curves([])


def test_samples_are_cut_out_of_the_grid():
    history = [tick(1), tick(2)]
    grid = viz.last_samples(history)
    row = viz.sample_row(grid, 1)
    assert row.shape == (3, 3, 64, 64)
    assert torch.equal(row[2], grid[:, 68:132, 134:198])
    assert [t.get_text() for t in viz.samples_over_time(history, 1, alt=ALT).texts] == [
        "after 2 images"
    ]
    with pytest.raises(HLError, match="row must be below 2"):
        viz.sample_row(grid, 2)
    with pytest.raises(HLError, match="no samples"):
        viz.samples_over_time(history[:1], 1, alt=ALT)


def test_sample_rows_are_those_that_training_makes():
    from hlgan_lib.tasks.base import grid

    rows = [torch.rand(8, 3, 64, 64) * 2 - 1, torch.rand(8, 3, 16, 16) * 2 - 1]
    made = grid(rows)
    assert (viz.sample_row(made, 0) == data.to_uint8(rows[0])).all()
    assert (viz.sample_row(made, 1)[:, :, ::4, ::4] == data.to_uint8(rows[1])).all()


def test_network_names_every_block():
    figure = viz.network({"in": (3, 64), "out": (3, 16)}, alt=ALT)
    assert {"3×64×64", "3×16×16", "in", "out"} <= {t.get_text() for t in figure.axes[0].texts}


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
