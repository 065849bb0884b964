"""Power spectra of pictures whose spectrum is known; the ratio of pairs; statistics."""

import math

import pytest
import torch

from hlgan_lib import analysis
from hlgan_lib.analysis.spectrum import full_scale, size_ratio
from hlgan_lib.degradations.handmade import bilinear, pool
from hlgan_lib.errors import HLError
from tests.helpers import noise


def test_the_spectrum_of_white_noise_is_its_variance_on_every_ring_but_the_first():
    curve = analysis.power_spectrum(noise((400, 3, 16, 16), 0.1))
    assert torch.allclose(curve.y[1:], torch.full((7,), 0.01).double(), rtol=0.05)
    assert 0.0065 < curve.y[0] < 0.0085  # the mean has taken some of it away
    assert curve.x.tolist() == [k / 16 for k in range(1, 9)]


@pytest.mark.parametrize("cycles", [2, 5])
def test_the_spectrum_of_stripes_peaks_at_their_frequency_and_forgets_brightness(cycles):
    wave = 0.5 * torch.cos(2 * math.pi * cycles * torch.arange(16) / 16).expand(1, 3, 16, 16)
    curve = analysis.power_spectrum(wave)
    assert curve.x[curve.y.argmax()] == cycles / 16
    assert torch.allclose(analysis.power_spectrum(wave + 0.3).y, curve.y, atol=1e-9)
    assert torch.allclose(analysis.power_spectrum(2 * wave).y, 4 * curve.y)


def test_noise_adds_its_variance_to_the_high_frequencies_of_faces(val):
    hi = val.hi.batch(slice(0, 64))
    clean = bilinear(hi)
    noisy = clean + noise(clean.shape, 0.06)
    added = analysis.power_spectrum(noisy).y - analysis.power_spectrum(clean).y
    assert torch.allclose(added[4:], torch.full((4,), 0.06**2).double(), rtol=0.08)


def test_statistics_name_mean_and_spread_of_brightness_and_colour():
    grey, red = torch.full((1, 3, 16, 16), 0.2), torch.full((1, 3, 16, 16), -1.0)
    red[:, 0] = 1
    means, spreads = analysis.statistics(torch.cat((grey, red)))[:, :6].split(3, 1)
    assert torch.allclose(means[0], torch.tensor([0.6, 0, 0]).double(), atol=1e-6)
    assert torch.allclose(means[1], torch.tensor([0.299, -0.169, 0.5]).double(), atol=1e-3)
    assert (spreads < 1e-6).all(), "flat pictures have no spread"
    halves = torch.cat((grey, grey.clone()), 3)[..., 8:24]
    halves[..., 8:] = -0.2
    spread_of_y = analysis.statistics(halves)[0, 3]
    assert abs(spread_of_y - 0.1) < 1e-3, "levels 0.6 and 0.4, half of the pixels each"


def test_the_ratio_of_a_pair_is_that_of_its_sizes(hi):
    assert size_ratio(hi, pool(hi)) == 4
    assert full_scale(torch.tensor([-1.0, 0.0, 1.0])).tolist() == [0, 0.5, 1]


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda hi: analysis.power_spectrum(hi[0]), r"must be float \(B, 3, s, s\)"),
        (lambda hi: size_ratio(hi, hi), "whole multiple larger"),
        (lambda hi: size_ratio(hi, pool(hi)[:1]), "same faces"),
    ],
)
def test_errors_say_what_to_do(hi, call, message):
    with pytest.raises(HLError, match=message):
        call(hi)
