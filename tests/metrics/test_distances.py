"""The degenerate cases of the distances: fewer pictures than features, identical sets, features that never move."""

import numpy as np
import pytest
import scipy.linalg
import torch

import hlgan_lib as hl
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
