"""Wavelet packets: nothing is lost; Wavelet-SRNet: what its bands are."""

import pytest
import torch

import hlgan_lib as hl
from hlgan_lib.networks import low_to_high
from hlgan_lib.networks.wavelet import WaveletLowToHigh, from_wavelets, to_wavelets

SMALL = hl.preset("smoke").replace(size_hi=32, size_lo=8, l2h_model="wavelet")


@pytest.fixture
def hi():
    return torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("levels", [0, 1, 2, 3])
def test_packets_give_the_image_back_and_keep_sums_of_squares(hi, levels):
    bands = to_wavelets(hi, levels)
    side = 32 >> levels
    assert bands.shape == (2, 4**levels, 3, side, side)
    assert torch.allclose(from_wavelets(bands), hi, atol=1e-6)
    assert bands.square().sum().item() == pytest.approx(hi.square().sum().item(), rel=1e-5)


def test_bands_are_octaves_and_directions():
    flat = torch.full((1, 3, 8, 8), 0.5)
    bands = to_wavelets(flat, 2)
    assert torch.allclose(bands[:, 0], torch.full((1, 3, 2, 2), 2.0)), "4 times the mean"
    assert bands[:, 1:].abs().max() == 0
    rows = flat.clone()
    rows[..., ::2, :] = -0.5  # each row differs from the next
    assert to_wavelets(rows, 2)[0].abs().sum((1, 2, 3)).nonzero().flatten().tolist() == [4]
    columns = rows.transpose(2, 3)
    assert to_wavelets(columns, 2)[0].abs().sum((1, 2, 3)).nonzero().flatten().tolist() == [8]
    pairs = flat.clone()
    pairs[..., 2:4, :] = pairs[..., 6:8, :] = -0.5  # an octave below
    assert to_wavelets(pairs, 2)[0].abs().sum((1, 2, 3)).nonzero().flatten().tolist() == [1]


def test_an_image_is_what_its_bands_say():
    torch.manual_seed(0)
    net = low_to_high(SMALL).eval()
    assert isinstance(net, WaveletLowToHigh)
    lo = torch.rand(2, 3, 8, 8) * 0.2
    with torch.no_grad():
        bands, hi = net.coefficients(lo), net(lo)
    assert bands.shape == (2, 16, 3, 8, 8) and hi.shape == (2, 3, 32, 32)
    assert torch.allclose(to_wavelets(hi, 2), bands, atol=1e-5), "where nothing is clipped"
    with pytest.raises(hl.HLError, match="did you pass hi"):
        net(torch.zeros(1, 3, 32, 32))


def test_with_skip_a_silent_network_enlarges_its_input():
    net = low_to_high(SMALL.replace(skip=True))
    for branch in net.branches:
        for weight in branch.bands[-1].parameters():
            torch.nn.init.zeros_(weight)
    lo = torch.rand(1, 3, 8, 8)
    large = torch.nn.functional.interpolate(lo, size=(32, 32), mode="nearest")
    assert torch.allclose(net(lo), large, atol=1e-6)


def test_each_band_has_its_own_channels():
    """The gradient of one band of an octave reaches no other band's last layer."""
    net = low_to_high(SMALL)
    net.coefficients(torch.rand(1, 3, 8, 8))[:, 7].sum().backward()  # of the 12, the fourth
    of_bands = net.branches[2].bands[-1].weight.grad.abs().sum((1, 2, 3)).unflatten(0, (12, 3))
    assert of_bands.sum(1).nonzero().flatten().tolist() == [3]
