"""A training drawn: curves that describe themselves, samples cut out of the grid."""

import types

import pytest
import torch

from hlgan_lib import data, viz
from hlgan_lib.errors import HLError

ALT = "a figure made by a test"


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


def test_the_legends_of_training_curves_cover_no_curve():
    """They stand under the last panel of each column, one for all runs."""
    no_d = types.SimpleNamespace(images=1, losses={"pix": 0.1}, samples=None)
    figure = viz.training_curves({"a": [no_d], "b": [tick(1), tick(2)]})
    figure.canvas.draw()
    assert [ax.get_legend() is not None for ax in figure.axes[:3]] == [False] * 3
    for ax in figure.axes[3:]:
        legend = ax.get_legend()
        if legend is not None:
            assert legend.get_window_extent().y1 < ax.get_window_extent().y0
    named = figure.axes[4].get_legend().get_texts()
    assert [text.get_text() for text in named][:2] == ["pixel", "GAN, of the generator"]


def test_a_title_of_the_live_panel_s_width_fits_on_the_figure():
    history = [tick(1), tick(2)]
    figure = viz.training_curves(history, title="n" * 84)
    figure.canvas.draw()
    title = figure._suptitle.get_window_extent()
    assert 0 <= title.x0 and title.x1 <= figure.bbox.x1


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
