"""Risk over coverage, failures and warnings with known answers."""

import pytest
import torch
from torch import nn

import hlgan_lib as hl
from hlgan_lib import viz
from hlgan_lib.reliability import risk

LO, HI = hl.load_faces("faces:val:lo")[:24], hl.load_faces("faces:train-hi")[:48]


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_risk_coverage_by_hand():
    curve = risk.risk_coverage(torch.tensor([0.1, 0.9, 0.5]), torch.tensor([6.0, 3.0, 1.0]))
    assert torch.allclose(curve.risk, torch.tensor([3, 2, 10 / 3], dtype=torch.float64))
    assert torch.allclose(curve.coverage, torch.tensor([1 / 3, 2 / 3, 1], dtype=torch.float64))
    assert curve.area == pytest.approx((3 + 2 + 10 / 3) / 3)


def test_an_oracle_gains_all_and_chance_nothing():
    error = randn(2000).exp()
    scores = {
        "oracle": -error,
        "chance": randn(2000, seed=1),
        "upside down": error,
        "good": -error.log() + 0.5 * randn(2000, seed=2),
    }
    table = risk.compare(scores, error, "chance", n_boot=50)
    assert table["oracle"]["gain"] == pytest.approx(1) and table["upside down"]["gain"] < -1
    assert table["chance"]["gain_ci"][0] < 0 < table["chance"]["gain_ci"][1]
    assert 0.3 < table["good"]["gain"] < 1 and table["good"]["more_ci"][0] > 0.2
    assert table["chance"]["more_ci"] == [0, 0]
    assert (
        table["oracle"]["area"]
        < table["good"]["area"]
        < table["chance"]["area"]
        < table["upside down"]["area"]
    )
    assert risk.compare(scores, 5 * error, "chance", n_boot=50)["good"]["gain"] == pytest.approx(
        table["good"]["gain"]
    )


def test_failures_are_nearer_to_strangers():
    place = torch.arange(41.0)
    distances = (place[:, None] - place).abs() + 3  # the nearest strangers are 4 away
    assert risk.failure_limit(distances, 0.01) == pytest.approx(4)
    assert risk.rate(torch.tensor([True] + [False] * 9)) == {
        "failed": 1,
        "n": 10,
        "rate": 0.1,
        "ci": pytest.approx([0.0179, 0.4042], abs=1e-3),
    }
    assert risk.rate(torch.zeros(0, dtype=torch.bool))["rate"] is None


def test_warning_is_the_chance_that_a_failure_is_trusted_less():
    failed = torch.tensor([True, True, False, False, False])
    assert risk.warning(torch.tensor([-9.0, -8, 1, 2, 3]), failed)["auroc"] == 1
    assert risk.warning(torch.tensor([9.0, 8, 1, 2, 3]), failed)["auroc"] == 0
    assert risk.warning(torch.zeros(5), failed)["auroc"] == pytest.approx(0.5)
    assert risk.warning(torch.tensor([0.0, 2, 1, 3, 4]), failed)["auroc"] == pytest.approx(5 / 6)
    assert risk.warning(torch.zeros(5), torch.zeros(5, dtype=torch.bool))["auroc"] is None


def test_sharpness_falls_with_blur_and_rises_with_contrast():
    lo = LO.batch(slice(0, 8))
    blurred = nn.functional.avg_pool2d(lo, 3, 1, 1, count_include_pad=False)
    assert (risk.input_sharpness(blurred) < risk.input_sharpness(lo)).all()
    assert torch.allclose(risk.input_sharpness(0.5 * lo), risk.input_sharpness(lo) / 4)
    step = torch.zeros(1, 3, 4, 4)
    step[..., 2:] = 1  # 4 of 12 neighbours across differ by 1/2
    assert risk.input_sharpness(step).item() == pytest.approx(4 / 12 / 4)


def test_wrong_scores_are_named():
    five = torch.arange(5.0)
    for call, says in (
        (lambda: risk.risk_coverage(five, five[:4]), "same pictures"),
        (lambda: risk.risk_coverage(five / 0, five), "finite"),
        (lambda: risk.compare({"a": five}, five, "b"), "against must be one of a"),
        (lambda: risk.failure_limit(torch.zeros(3, 4)), "distances must be"),
        (lambda: risk.input_sharpness(five), "lo must be"),
        (lambda: viz.risk_figure({}, alt="of no error at all"), "at least one error"),
    ):
        with pytest.raises(hl.HLError, match=says):
            call()


def test_the_figure_says_what_it_shows():
    curve = risk.risk_coverage(randn(50), randn(50, seed=1).exp())
    figure = viz.risk_figure(
        {"a": {"trust": curve, "other": curve}, "b": {"trust": curve, "other": curve}},
        alt="Two panels of two curves",
    )
    assert figure.alt and [ax.get_title() for ax in figure.axes] == ["a", "b"]
    line = figure.axes[0].lines[0]
    assert line.get_ydata()[-1] == pytest.approx(1) and line.get_xdata()[-1] == pytest.approx(100)
