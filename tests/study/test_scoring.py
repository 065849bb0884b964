"""The reported scores: a perfect and a useless restorer, intervals, the library's own metrics."""

import pytest
import torch

from hlgan_lib import evaluate, metrics
from hlgan_lib.degradations.handmade import bilinear
from hlgan_lib.errors import HLError
from hlgan_lib.networks.baselines import enlarged
from hlgan_lib.study import grid
from hlgan_lib.study.scoring import score_degrader, score_restorer, test_set

N = 12


@pytest.fixture(scope="module")
def bicubic():
    return score_restorer(enlarged, N)


def test_scores_are_those_of_evaluate(bicubic):
    t = test_set(N)
    assert len(t.train_features) == 5 * N and len(t.train_equal) == N
    direct = evaluate(enlarged(t.lo), t.hi, paired=True)
    for metric in ("psnr", "ssim", "frechet_lite0"):
        assert bicubic.value("camera", metric) == pytest.approx(direct[metric]["value"], rel=1e-3)
    shrunk = bilinear(t.hi)
    assert bicubic.value("clean", "psnr") == pytest.approx(
        evaluate(enlarged(shrunk), t.hi, paired=True, metrics=["psnr"])["psnr"]["value"], rel=1e-3
    )
    assert bicubic.faces == pytest.approx(
        [float(x) for x in metrics.psnr((enlarged(t.lo) + 1) / 2, (t.hi + 1) / 2)], abs=0.006
    )


def test_every_test_has_its_metrics_with_intervals_around_the_value(bicubic):
    assert set(bicubic.scores) == set(grid.TESTS)
    assert set(bicubic.scores["wild"]) == {"frechet_lite0", "kernel_lite0", "consistency"}, (
        "no truth, no PSNR"
    )
    assert bicubic.value("wild", "consistency") > 30, "what only enlarges explains its input"
    for scores in bicubic.scores.values():
        for s in scores.values():
            assert s["ci"][0] < s["value"] < s["ci"][1]


def test_the_truth_wins_and_noise_loses(bicubic):
    truth = score_restorer(lambda lo: test_set(N).hi, N)
    assert truth.value("camera", "frechet_lite0") == pytest.approx(0, abs=1e-6)
    assert truth.scores["camera"]["psnr"]["ci"] is None, (
        "a picture that equals its truth has no finite PSNR"
    )
    noise = score_restorer(lambda lo: torch.rand_like(test_set(N).hi) * 2 - 1, N)
    for test in ("camera", "wild"):
        assert (
            truth.value(test, "frechet_lite0")
            < bicubic.value(test, "frechet_lite0")
            < noise.value(test, "frechet_lite0")
        )


def test_a_degrader_is_near_its_own_shots_and_varies_as_it_should():
    camera, plain = score_degrader("camera", N), score_degrader("bilinear", N)
    assert camera["frechet_lite0"]["value"] < plain["frechet_lite0"]["value"]
    assert (
        plain["diversity"]["total"]
        == 0
        < camera["diversity"]["colour"]
        < camera["diversity"]["total"]
    )


def test_wrong_inputs():
    with pytest.raises(HLError, match="n must be 2 to 600, .* got 601"):
        test_set(601)
    with pytest.raises(
        HLError, match=r"a restorer must make \(3, 64, 64\) pictures, got \(3, 16, 16\)"
    ):
        score_restorer(lambda lo: lo, N)
