"""The share of a gap on made data whose answer is known."""

import pytest
import torch

import hlgan_lib as hl
from hlgan_lib.metrics.gap import gap_closed


def made(ratio, faces, seeds=1, seed_sd=0.0, rng=0, gap=2.0, noise=0.5):
    """Scores of three methods over faces; the faces differ far more than the methods do."""
    g = torch.Generator().manual_seed(rng)
    face = 3 * torch.randn(faces, generator=g)
    shift = {"low": 0.0, "mid": ratio * gap, "high": gap}
    return [
        20
        + face
        + s
        + seed_sd * torch.randn(seeds, 1, generator=g)
        + noise * torch.randn(seeds, faces, generator=g)
        for s in shift.values()
    ]


def features(shift, n=300, seeds=1, rng=0):
    g = torch.Generator().manual_seed(rng)
    return [torch.randn(n, 4, generator=g) + torch.tensor([shift, 0, 0, 0]) for _ in range(seeds)]


def test_gap_closed_finds_the_known_share_of_scores():
    got = gap_closed(*made(0.6, 500, seeds=3, seed_sd=0.05))
    assert got["ratio"] == pytest.approx(0.6, abs=0.1)
    assert got["ratio_ci"][0] < 0.6 < got["ratio_ci"][1]
    assert got["gap"] == pytest.approx(2, abs=0.2)
    assert got["gap_ci"][0] < got["gap"] < got["gap_ci"][1]
    assert got["ratio"] == pytest.approx((got["mid"] - got["low"]) / (got["high"] - got["low"]))
    assert got["n_faces"] == 500
    assert got["n_seeds"] == {"low": 3, "mid": 3, "high": 3}
    assert got["note"] is None


def test_gap_closed_is_the_same_for_scores_that_should_be_small():
    """Fréchet distances 9, 4 and 1 of Gaussians shifted by 3, 2 and 1: 5/8 of the gap."""
    sets = [features(s, seeds=2, rng=i) for i, s in enumerate((3.0, 2.0, 1.0))]
    got = gap_closed(*sets, reference=features(0.0, 900, rng=9)[0], n_boot=100)
    assert got["ratio"] == pytest.approx(0.625, abs=0.06)
    assert got["ratio_ci"][0] < 0.625 < got["ratio_ci"][1]
    assert got["gap"] == pytest.approx(8, abs=1) and got["low"] > got["mid"] > got["high"]
    assert got["n_faces"] == 300


def test_interval_of_the_share_covers_the_truth_about_as_often_as_it_says():
    hits = 0
    for rng in range(80):
        got = gap_closed(*made(0.6, 150, rng=rng), n_boot=150, seed=rng)
        hits += got["ratio_ci"][0] <= 0.6 <= got["ratio_ci"][1]
    assert 68 <= hits <= 80, f"{hits} of 80 intervals hold the truth"


def test_interval_widens_with_the_spread_of_the_seeds():
    narrow, wide = (gap_closed(*made(0.5, 200, seeds=3, seed_sd=sd)) for sd in (0.0, 0.3))
    width = [r["ratio_ci"][1] - r["ratio_ci"][0] for r in (narrow, wide)]
    assert width[1] > 1.5 * width[0] and wide["sd_seeds"] > 3 * narrow["sd_seeds"]


def test_no_share_of_a_gap_within_three_deviations_of_the_seeds():
    low, mid, high = torch.full((3, 50), 20.0), torch.full((3, 50), 20.5), torch.full((3, 50), 21.0)
    spread = torch.tensor([[-1.0], [0], [1]])  # a deviation of exactly `scale` for each method
    just = gap_closed(*(x + 0.32 * spread for x in (low, mid, high)))
    assert just["ratio"] == pytest.approx(0.5) and just["sd_seeds"] == pytest.approx(0.32)
    over = gap_closed(*(x + 0.34 * spread for x in (low, mid, high)))
    assert over["ratio"] is None
    assert over["ratio_ci"] is None
    assert over["sd_seeds"] == pytest.approx(0.34)
    assert "no ratio" in over["note"]
    assert "1.02" in over["note"]
    assert (over["low"], over["high"]) == (20, 21)


def test_no_share_of_a_gap_that_chance_or_the_wrong_sign_makes():
    low, mid, high = made(0.5, 100, gap=0.02)
    assert gap_closed(low, mid, high)["ratio"] is None
    low, mid, high = made(0.5, 100)
    got = gap_closed(high, mid, low)
    assert got["gap"] < 0 and got["ratio"] is None and "not clearly above 0" in got["note"]


def test_one_seed_has_no_spread_and_says_so():
    got = gap_closed(*made(0.5, 300))
    assert got["sd_seeds"] is None
    assert "one seed" in got["note"]
    assert got["ratio"] == pytest.approx(0.5, abs=0.1)
    low, mid, high = made(0.5, 300, seeds=3, seed_sd=0.05)
    mixed = gap_closed(low[:1], mid, high)
    assert mixed["n_seeds"] == {"low": 1, "mid": 3, "high": 3} and mixed["sd_seeds"] > 0


def test_share_of_a_gap_answers_to_its_seed():
    sets = made(0.5, 100)
    assert gap_closed(*sets, seed=1) == gap_closed(*sets, seed=1)
    assert gap_closed(*sets, seed=1)["ratio_ci"] != gap_closed(*sets, seed=2)["ratio_ci"]


def test_sets_that_do_not_match_are_refused():
    low, mid, high = made(0.5, 100)
    with pytest.raises(hl.HLError, match="the same faces"):
        gap_closed(low, mid[:, :50], high)
    with pytest.raises(hl.HLError, match="the same faces"):
        gap_closed(low, [], high)
    with pytest.raises(hl.HLError, match="features"):
        gap_closed(low, mid, high, reference=features(0.0)[0])
    with pytest.raises(hl.HLError, match="M at least 300.*equal n"):
        gap_closed(features(2.0), features(1.0), features(0.5), reference=features(0.0, 100)[0])
