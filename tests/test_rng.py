"""Draws: the law of each kind of number, same seed, same numbers; restore and subsample."""

import math

import numpy as np
import pytest
import torch

from hlgan_lib.errors import HLError
from hlgan_lib.rng import Draws, restore, seeded, subsample

N = 20_000


def draws(seed=0, n=N):
    return Draws(n, torch.Generator().manual_seed(seed), torch.device("cpu"))


def test_uniform_fills_its_range():
    u = draws().uniform(-1, 3, 2)
    assert u.shape == (N, 2)
    assert u.min() >= -1 and u.max() <= 3
    assert u.mean().item() == pytest.approx(1, abs=0.03)
    assert u.std().item() == pytest.approx(4 / math.sqrt(12), rel=0.02)


def test_log_uniform_is_uniform_in_the_logarithm():
    x = draws().log_uniform(0.01, 1)
    assert x.min() >= 0.01 * (1 - 1e-5) and x.max() <= 1
    assert x.median().item() == pytest.approx(0.1, rel=0.1)


def test_mild_is_mostly_small():
    x = draws().mild(8, 2)
    assert 0 <= x.min() and 7.9 < x.max() <= 8
    assert x.median().item() == pytest.approx(8 * 0.5**2, rel=0.05)


def test_middling_is_a_triangle():
    x = draws().middling(-1, 1)
    assert x.min() >= -1 and x.max() <= 1
    assert x.std().item() == pytest.approx(1 / math.sqrt(6), rel=0.02)


def test_integers_include_both_ends_evenly():
    x = draws().integer(2, 5)
    assert x.dtype == torch.int64
    shares = torch.bincount(x) / N
    assert shares.tolist() == pytest.approx([0, 0, 0.25, 0.25, 0.25, 0.25], abs=0.02)
    assert draws().integer(0, 15, 2).shape == (N, 2)


def test_chance_and_normal():
    assert draws().chance(0.3).float().mean().item() == pytest.approx(0.3, abs=0.02)
    assert not draws().chance(0).any() and draws().chance(1).all()
    x = draws().normal(3, 2)
    assert x.shape == (N, 3, 2)
    assert x.mean().item() == pytest.approx(0, abs=0.02)
    assert x.std().item() == pytest.approx(1, abs=0.02)


def test_same_seed_same_numbers_and_each_call_moves_on():
    a, b = draws(3), draws(3)
    first = a.uniform(0, 1)
    assert torch.equal(first, b.uniform(0, 1))
    assert torch.equal(a.normal(), b.normal())
    assert not torch.equal(first, a.uniform(0, 1))
    assert not torch.equal(first, draws(4).uniform(0, 1))


def test_restore_goes_back_to_a_state():
    generator = torch.Generator().manual_seed(5)
    state = generator.get_state()
    before = torch.rand(3, generator=generator)
    assert restore(generator, state)
    assert torch.equal(torch.rand(3, generator=generator), before)


def test_a_state_of_another_kind_of_device_is_left_alone():
    generator = torch.Generator().manual_seed(5)
    state = generator.get_state()
    assert not restore(generator, torch.zeros(16, dtype=torch.uint8))  # as long as that of a GPU
    assert torch.equal(generator.get_state(), state)


def test_subsample_draws_without_repeats():
    some = subsample(100, 20, seed=1)
    assert len(set(some.tolist())) == 20 and some.max() < 100
    assert torch.equal(some, subsample(100, 20, seed=1))
    assert not torch.equal(some, subsample(100, 20, seed=2))
    assert sorted(subsample(4, 9, seed=0).tolist()) == [0, 1, 2, 3]


def test_a_seed_is_a_whole_number_of_64_bits():
    same = [torch.rand(3, generator=seeded(seed)) for seed in (7, np.int64(7))]
    assert torch.equal(*same)
    assert not torch.equal(same[0], torch.rand(3, generator=seeded(-7)))
    for wrong in (None, "7", 7.0, True, 2**64, -(2**70), [7]):
        with pytest.raises(HLError, match="seed must be a whole number of 64 bits, got"):
            seeded(wrong)
