"""Bootstrap intervals and Wilson's on made data whose answer is known."""

import pytest
import torch

from hlgan_lib.metrics.distances import frechet
from hlgan_lib.stats import centred, distance_interval, draws, mean_interval, wilson


def features(shift, n=300, seeds=1, rng=0):
    g = torch.Generator().manual_seed(rng)
    return [torch.randn(n, 4, generator=g) + torch.tensor([shift, 0, 0, 0]) for _ in range(seeds)]


def test_mean_interval_is_as_wide_as_theory_says():
    x = torch.randn(400, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    low, high = mean_interval(x, 2000)
    half = 1.96 * float(x.std()) / 20
    assert low == pytest.approx(float(x.mean()) - half, abs=0.02)
    assert high == pytest.approx(float(x.mean()) + half, abs=0.02)
    assert mean_interval(torch.tensor([1.0, float("inf")])) is None


def test_draws_answer_to_their_seed():
    assert torch.equal(draws(50, 3, 1), draws(50, 3, 1))
    assert not torch.equal(draws(50, 3, 1), draws(50, 3, 2))
    assert not torch.equal(*draws(50, 2, 1)), "rounds must differ"


def test_centred_moves_the_mean_to_the_score():
    got = centred(torch.tensor([[1.0, 10], [3, 30]]), torch.tensor([5.0, 5]))
    assert got.tolist() == [[4, -5], [6, 15]]


def test_distance_interval_holds_the_distance_though_resampled_sets_lie_farther():
    a, b = features(0.0, 60)[0].double(), features(1.0, 60, rng=1)[0].double()
    value = frechet(a, b)
    plain = [frechet(a[i], b[j]) for i, j in zip(draws(60, 100, 0), draws(60, 100, 1))]
    low, high = distance_interval(frechet, a, b, 100)
    assert sum(plain) / 100 > 1.05 * value, "the bias that centring is for"
    assert low < value < high and high - low < 2 * value
    assert distance_interval(frechet, a, a, 20)[0] == 0


def test_wilson_interval_of_a_known_case():
    low, high = wilson(81, 263)  # Newcombe 1998: 0.2553, 0.3662
    assert abs(low - 0.2553) < 1e-4 and abs(high - 0.3662) < 1e-4
    assert wilson(0, 44)[0] == 0 and wilson(44, 44)[1] == 1
