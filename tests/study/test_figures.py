"""Every figure draws exactly what is stored; what was not run is not drawn."""

import json
import time

import numpy as np
import pytest
from matplotlib.colors import to_hex

from hlgan_lib.errors import HLError
from hlgan_lib.study import figures, numbers
from hlgan_lib.study.grid import AXES, CELLS, planned_of
from tests.study.conftest import RUN


def widths(ax):
    """Values of the bars of an axis (no hatched bands)."""
    return [p.get_width() for c in ax.containers for p in getattr(c, "patches", [])]


def words(figure):
    return [t.get_text() for ax in figure.axes for t in ax.texts]


def test_scores_draws_the_stored_means_of_what_was_run(stored):
    cells = AXES["matrix"].cells
    figure = figures.scores(stored, cells)
    left, right = figure.axes
    means = [np.mean(stored.values(c, "wild", "frechet_lite0")) for c in cells if c in RUN]
    bicubic = stored.references["bicubic"]["scores"]["wild"]["frechet_lite0"]["value"]
    assert widths(right) == pytest.approx([bicubic, *means])
    points = [line.get_xdata()[0] for line in left.lines if line.get_marker() == "o"]
    assert points[1:] == pytest.approx(
        [np.mean(stored.values(c, "camera", "psnr")) for c in cells if c in RUN]
    )
    assert "not run" not in " ".join(words(figure)) + figure.alt


def test_gap_draws_the_stored_ratio_and_says_where_there_is_none(stored):
    figure = figures.gap(stored)
    assert widths(figure.axes[0]) == [0.4]
    assert any("no ratio: from 400 over 410 to 399" in w for w in words(figure))
    assert len(figure.axes[0].get_yticklabels()) == len(stored.gaps) == 2


def test_plane_draws_a_point_a_seed(stored):
    ax = figures.plane(stored).axes[0]
    drawn = {
        line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in ax.lines
    }
    for c in AXES["matrix"].cells:
        if c in RUN:
            assert drawn[CELLS[c].label] == tuple(
                stored.values(c, *score) for score in numbers.SHOWN
            )
        else:
            assert CELLS[c].label not in drawn
    looks = {
        (to_hex(line.get_color()), line.get_marker(), line.get_fillstyle())
        for line in ax.lines
        if line.get_label() in drawn and drawn[line.get_label()][0]
    }
    assert len({(m, f) for _, m, f in looks}) == len(looks), "told apart without colour"


def test_plane_shows_a_reader_s_own_cell_by_a_marker_of_no_other(stored):
    own = {"your cell: half": (stored, "learned-pixel")}
    ax = figures.plane(stored, own).axes[0]
    mine = next(line for line in ax.lines if line.get_label() == "your cell: half")
    others = {line.get_marker() for line in ax.lines if line is not mine}
    assert mine.get_marker() not in others and "$" not in mine.get_marker()
    assert list(mine.get_xdata()) == stored.values("learned-pixel", "camera", "psnr")
    assert "your cell: half" in ax.figure.alt


@pytest.mark.parametrize("axis", ["beta", "n-lo", "n-hi"])
def test_sweeps_draw_the_stored_points_at_their_places(stored, axis):
    for k, ax in enumerate(figures.sweep(stored, [axis]).axes):
        test, metric = numbers.SHOWN[k]
        line = ax.lines[0]
        a = AXES[axis]
        run = [(x, c) for x, c in zip(a.x, a.cells, strict=True) if c in RUN]
        want = [np.mean(stored.values(c, test, metric)) for _, c in run]
        assert list(line.get_xdata()) == list(range(len(want))) and want
        assert list(line.get_ydata()) == pytest.approx(want)
        assert [t.get_text() for t in ax.get_xticklabels()] == [f"{x:g}" for x, _ in run]


def test_matrix_shows_the_stored_faces_of_what_was_run(stored):
    figure = figures.matrix(stored)
    run = planned_of(CELLS["learned-gan"], "smoke", [0])[0].run
    shown = [ax.images[0].get_array() for ax in figure.axes]
    assert any(
        np.array_equal(a, stored.arrays[f"faces/{run.name}"][0].transpose(1, 2, 0)) for a in shown
    )
    titles = " ".join(t.get_text() for t in figure.texts)
    assert "learned camera, GAN-led" in titles and "blur + bilinear" not in titles


def test_all_are_drawn_in_time_with_a_manifest_that_says_of_what(stored, tmp_path):
    since = time.process_time()
    paths = list(figures.draw_all(stored, tmp_path))
    assert time.process_time() - since < 60
    few = {"sample-efficiency.png"}  # a point on each of its axes is no curve
    assert {p.name for p in paths} == {*figures.FIGURES, "tables.md"} - few
    assert all(p.is_file() for p in paths)
    assert "Not run: beta 0.005" in (tmp_path / "tables.md").read_text()
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    entry = manifest["beta.png"]
    assert (
        entry["command"] == "hlgan figures"
        and entry["preset"] == "smoke"
        and entry["hardware"] == "a machine"
    )
    assert entry["seeds"]["learned-pixel"] == [0, 1] and "beta-0.005" in entry["not_run"]
    assert set(entry["runs"]) <= set(stored.runs) and len(entry["alt"]) > 30
    assert (tmp_path / "tables.md").read_text().count("smoke preset") == 1
    with pytest.raises(HLError, match="is a file: choose a folder"):
        list(figures.draw_all(stored, tmp_path / "beta.png"))
