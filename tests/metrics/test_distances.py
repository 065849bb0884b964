"""Distances against scipy and torchmetrics, and their degenerate cases."""

import numpy as np
import pytest
import scipy.linalg
import torch
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

import hlgan_lib as hl
from hlgan_lib import metrics
from hlgan_lib.metrics import distances, features
from hlgan_lib.metrics.distances import frechet, kernel_distance


def cloud(n, d, seed, shift=0.0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=g, dtype=torch.float64) * torch.linspace(0.1, 3, d) + shift


def by_scipy(a, b):
    """The textbook formula, with scipy's matrix root of S_a^1/2 S_b S_a^1/2 in float64."""
    s_a, s_b = np.cov(a.numpy().T), np.cov(b.numpy().T)
    values, vectors = scipy.linalg.eigh(s_a)
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T
    cross = np.sqrt(scipy.linalg.eigvalsh(root @ s_b @ root).clip(0)).sum()
    return float(((a.mean(0) - b.mean(0)) ** 2).sum()) + np.trace(s_a) + np.trace(s_b) - 2 * cross


@pytest.mark.parametrize("n, m", [(200, 150), (30, 200), (200, 30), (30, 20), (2, 2)])
def test_frechet_is_that_of_scipy_on_both_sides_of_n_equal_to_the_features(n, m):
    a, b = cloud(n, 80, 0), cloud(m, 80, 1, shift=0.2)
    assert frechet(a, b) == pytest.approx(by_scipy(a, b), rel=1e-6)
    assert frechet(a, b) == pytest.approx(frechet(b, a), rel=1e-9)


@pytest.mark.parametrize("n", [2, 20, 200])
def test_identical_sets_are_at_no_distance_in_any_order(n):
    a = cloud(n, 80, 0, shift=5)
    assert frechet(a, a) < 1e-9 and frechet(a, a.flip(0)) < 1e-9


def test_features_that_never_move_leave_the_distance_of_the_means():
    a, b = torch.full((5, 8), 2.0), torch.full((9, 8), 3.0)
    assert frechet(a, a) == 0 and frechet(a, b) == pytest.approx(8)
    one = cloud(50, 8, 0)
    assert frechet(one, one.mean(0).expand(50, 8)) == pytest.approx(
        float(one.var(0).sum()), rel=1e-9
    )


def test_frechet_of_many_features_costs_what_the_pictures_do():
    """2048 numbers of 60 pictures: the same as in the 120 dimensions that they fill."""
    a, b = cloud(60, 2048, 0), cloud(60, 2048, 1)
    basis = torch.linalg.qr(torch.cat((a, b)).T).Q
    assert frechet(a, b) == pytest.approx(frechet(a @ basis, b @ basis), rel=1e-9)


def test_frechet_of_sets_turned_together_is_the_same():
    a, b = cloud(60, 20, 0), cloud(60, 20, 1, 0.5)
    turn = torch.linalg.qr(cloud(20, 20, 3)).Q
    assert frechet(a @ turn, b @ turn) == pytest.approx(frechet(a, b), rel=1e-9)


def gaussians(n, d, seed, shift=0.0):
    g = torch.Generator().manual_seed(seed)
    mix = torch.randn(d, d, generator=g, dtype=torch.float64)
    return torch.randn(n, d, generator=g, dtype=torch.float64) @ mix + shift


@pytest.mark.parametrize("d", [1, 5, 80])
def test_frechet_is_that_of_scipy_in_float64(d):
    a, b = gaussians(300, d, 0), gaussians(250, d, 1, shift=0.3)
    s_a, s_b = np.atleast_2d(np.cov(a.numpy().T)), np.atleast_2d(np.cov(b.numpy().T))
    cross = np.trace(scipy.linalg.sqrtm(s_a @ s_b).real)
    want = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(s_a) + np.trace(s_b) - 2 * cross
    assert metrics.frechet(a, b) == pytest.approx(float(want), rel=1e-9)


def test_frechet_is_that_of_torchmetrics_on_the_same_module(hi):
    other = hi.flip(0).roll(1, 1)
    metric = FrechetInceptionDistance(feature=features.features()).set_dtype(torch.float64)
    for start in range(0, len(hi), 16):
        metric.update(hi[start : start + 16], real=True)
        metric.update(other[start : start + 16], real=False)
    want = float(metric.compute())
    assert metrics.frechet(metrics.extract(hi), metrics.extract(other)) == pytest.approx(
        want, rel=1e-3
    )


def test_frechet_of_fewer_pictures_than_features_is_exact():
    a, b = gaussians(20, 3, 0), gaussians(20, 3, 1, shift=1.0)
    turn = torch.linalg.qr(gaussians(80, 80, 2)).Q[
        :3
    ]  # the same points in a corner of 80 dimensions
    assert metrics.frechet(a @ turn, b @ turn) == pytest.approx(metrics.frechet(a, b), rel=1e-6)


def test_distance_of_a_set_to_itself_is_zero(hi):
    f = metrics.extract(hi)
    assert metrics.frechet(f, f) == pytest.approx(0, abs=1e-6)
    assert metrics.frechet(f, f.flip(0)) == pytest.approx(0, abs=1e-6)


def test_distance_of_constant_pictures_is_that_of_their_features():
    grey, white = torch.full((5, 3, 64, 64), 0.5), torch.ones(5, 3, 64, 64)
    a, b = metrics.extract(grey), metrics.extract(white)
    assert metrics.frechet(a, a) == 0
    assert metrics.frechet(a, b) == pytest.approx(float((a[0] - b[0]).square().sum()), rel=1e-6)


def test_kernel_distance_is_that_of_torchmetrics(hi):
    other = 1 - hi
    with pytest.warns(UserWarning, match="buffer"):
        metric = KernelInceptionDistance(
            feature=features.features(), subsets=1, subset_size=len(hi)
        )
    metric.update(hi, real=True)
    metric.update(other, real=False)
    mean, sd = metrics.kernel_distance(metrics.extract(hi), metrics.extract(other), 1, len(hi))
    assert mean == pytest.approx(float(metric.compute()[0]), rel=1e-3) and sd == 0


def test_kernel_distance_has_no_floor_and_answers_to_its_seed():
    sets = [
        gaussians(400, 6, 5)[torch.randperm(400, generator=torch.Generator().manual_seed(s))]
        for s in range(12)
    ]
    halves = [metrics.kernel_distance(x[:200], x[200:], seed=1)[0] for x in sets]
    far = metrics.kernel_distance(sets[0], sets[0] + 3)[0]
    assert min(halves) < 0 < max(halves) and far > 10 * max(halves)
    assert metrics.kernel_distance(sets[0], sets[1], seed=3) == metrics.kernel_distance(
        sets[0], sets[1], seed=3
    )
    assert metrics.kernel_distance(sets[0], sets[1], seed=3) != metrics.kernel_distance(
        sets[0], sets[1], seed=4
    )


def test_kernel_interval_without_resampling_is_the_distance(monkeypatch):
    """Each picture drawn once: the weighted sum is MMD^2 itself."""
    a, b = gaussians(40, 6, 0), gaussians(40, 6, 1)
    monkeypatch.setattr(
        distances, "draws", lambda n, n_boot, seed: torch.arange(n).expand(n_boot, n)
    )
    monkeypatch.setattr(distances, "centred", lambda scores, value: scores)
    want = metrics.kernel_distance(a, b, 1, 40)[0]
    assert distances.kernel_interval(a, b, 0.0, 3) == pytest.approx([want, want])


@pytest.mark.parametrize("a, b", [((1, 80), (9, 80)), ((9, 80), (9, 79)), ((9,), (9,))])
def test_features_that_do_not_match_are_refused(a, b):
    for distance in (metrics.frechet, metrics.kernel_distance):
        with pytest.raises(hl.HLError, match="features must be"):
            distance(torch.zeros(a), torch.zeros(b))


def test_kernel_distance_of_identical_and_of_constant_sets():
    a = cloud(40, 8, 0)
    whole = kernel_distance(a, a, 1, 40)[0]
    assert whole < 0, "pairs of a picture with itself count across the sets but not within: below 0"
    flat = torch.full((6, 8), 1.0)
    assert kernel_distance(flat, flat)[0] == pytest.approx(0, abs=1e-9)
    assert kernel_distance(flat, 2 * flat)[0] == pytest.approx(
        (1 + 1) ** 3 + (4 + 1) ** 3 - 2 * (2 + 1) ** 3
    )


@pytest.mark.parametrize("options", [{"subset_size": 1}, {"subset_size": 41}, {"n_subsets": 0}])
def test_kernel_distance_refuses_subsets_that_do_not_fit(options):
    with pytest.raises(hl.HLError, match="subset_size must be 2 to 40"):
        kernel_distance(cloud(40, 8, 0), cloud(50, 8, 1), **options)
