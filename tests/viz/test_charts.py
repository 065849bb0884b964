"""Charts hold the numbers that they are given, told apart without colour."""

import types

import numpy as np
import pytest
import torch

from hlgan_lib import viz
from hlgan_lib.errors import HLError

ALT = "a figure made by a test"


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
    assert [t.get_text() for t in figure.axes[0].texts] == ["3.00", "1.00"], "alike"
    figure = viz.histograms({"a": np.arange(10.0)}, xlabel="x", alt=ALT, bins=[0, 5, 10])
    assert figure.axes[0].get_xlim()[0] <= 0
    figure = viz.panels({"whole": np.array([1, 2, 2, 3]), "real": np.arange(5.0)}, alt=ALT)
    assert [p.get_height() for p in figure.axes[0].patches] == [1, 2, 1]


def test_spectra_take_what_the_analysis_gives():
    from hlgan_lib.analysis.spectrum import power_spectrum

    curve = power_spectrum(torch.rand(4, 3, 16, 16) * 2 - 1)
    drawn = viz.spectra({"noise": curve}, alt=ALT).axes[0].lines[0]
    assert np.allclose(drawn.get_ydata(), curve.y.numpy())


def test_network_names_every_block():
    figure = viz.network({"in": (3, 64), "out": (3, 16)}, alt=ALT)
    assert {"3×64×64", "3×16×16", "in", "out"} <= {t.get_text() for t in figure.axes[0].texts}


def test_drift_draws_value_and_floor_of_every_protocol():
    scores = {
        name: {
            row: {"value": k * v, "ci": [k * v - 1, k * v + 2], "floor": v / 10}
            for row, v in (("ours", 30.0), ("theirs", 80.0))
        }
        for name, k in (("a", 1), ("b", 2))
    }
    figure = viz.drift_figure(scores)
    ax = figure.axes[0]
    drawn = {c.get_label(): list(c.lines[0].get_xdata()) for c in ax.containers}
    assert drawn == {"a": [30, 80], "b": [60, 160]}
    [floor] = [line for line in ax.lines if line.get_label() == "floor"]
    assert list(floor.get_xdata()) == [3, 8]
    assert "a: ours 30, theirs 80; b: ours 60, theirs 160" in figure.alt


def test_risk_is_a_part_of_the_mean_error_of_all():
    coverage = np.array([0.01, 0.5, 1.0])
    curve = types.SimpleNamespace(coverage=coverage, risk=np.array([9.0, 1.0, 2.0]))
    figure = viz.risk_figure({"PSNR": {"trust": curve}}, alt=ALT)
    line, chance = figure.axes[0].lines
    assert list(line.get_xdata()) == [50, 100] and list(line.get_ydata()) == [0.5, 1]
    assert chance.get_ydata()[0] == 1
    with pytest.raises(HLError, match="at least one error"):
        viz.risk_figure({}, alt=ALT)


def test_a_log_axis_of_few_decades_has_plain_numbers():
    figure = viz.lines({"a": ([1, 2], [20, 900])}, xlabel="x", ylabel="y", alt=ALT, logy=True)
    figure.draw_without_rendering()
    words = {t.get_text() for t in figure.axes[0].get_yticklabels()}
    assert {"20", "50", "100"} <= words


def test_a_title_and_a_logarithmic_axis_are_drawn():
    figure = viz.lines({"a": ([1, 10], [3, 4])}, xlabel="x", ylabel="y", alt=ALT, logx=True)
    assert figure.axes[0].get_xscale() == "log"
    figure = viz.panels({"a": np.arange(5.0)}, alt=ALT, title="numbers of a camera")
    assert figure.get_suptitle() == "numbers of a camera"
    curve = types.SimpleNamespace(coverage=torch.ones(1), risk=torch.ones(1))
    figure = viz.risk_figure({"PSNR": {"chance": curve}}, alt=ALT, title="who knows")
    assert figure.get_suptitle() == "who knows"
