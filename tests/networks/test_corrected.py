"""The correction in front of L2H: shapes, its shortcut, what it refuses."""

import pytest
import torch

import hlgan_lib as hl
from hlgan_lib.networks.corrected import N_BLOCKS, CorrectedLowToHigh, Correction
from hlgan_lib.networks.paper import LowToHigh

SMALL = hl.preset("smoke")


def test_an_image_is_corrected_and_then_restored():
    net = CorrectedLowToHigh(SMALL).eval()
    lo = torch.rand(2, 3, 16, 16) * 2 - 1
    assert net.correct(lo).shape == lo.shape and net(lo).shape == (2, 3, 64, 64)
    assert torch.equal(net(lo), net.restore(net.correct(lo)))
    assert isinstance(net.restore, LowToHigh) and net(lo).abs().max() <= 1


def test_six_blocks_of_half_the_width():
    net = Correction(SMALL)
    assert len(net.blocks) == N_BLOCKS == 6
    assert net.stem.out_channels == SMALL.l2h_width // 2


def test_the_shortcut_starts_from_the_image_itself():
    net, lo = Correction(SMALL), torch.rand(2, 3, 16, 16) * 1.8 - 0.9
    torch.nn.init.zeros_(net.head[-1].weight)
    torch.nn.init.zeros_(net.head[-1].bias)
    assert torch.allclose(net(lo), lo, atol=1e-3)
    plain = Correction(SMALL.replace(skip=False))
    torch.nn.init.zeros_(plain.head[-1].weight)
    torch.nn.init.zeros_(plain.head[-1].bias)
    assert plain(lo).abs().max() == 0


def test_hr_images_are_refused():
    with pytest.raises(hl.HLError, match="did you pass hi"):
        CorrectedLowToHigh(SMALL)(torch.zeros(1, 3, 64, 64))
