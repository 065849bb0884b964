"""The baselines' networks: their layers against the papers, shapes, what they refuse."""

import pytest
import torch
from torch import nn

from hlgan_lib.config import RunConfig
from hlgan_lib.errors import HLError
from hlgan_lib.networks.baselines import CycleGAN, CycleGenerator, SRResNet, _SRBlock, enlarged

NARROW = RunConfig(srgan_width=8, cyclegan_width=4)


def convolutions(net):
    return [m for m in net.modules() if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d))]


def test_srresnet_is_that_of_figure_4():
    net = SRResNet(NARROW)
    assert sum(isinstance(m, _SRBlock) for m in net.modules()) == 16
    assert sum(isinstance(m, nn.PixelShuffle) for m in net.modules()) == 2
    sides = [m.kernel_size[0] for m in convolutions(net)]
    assert sides == [9] + [3] * (2 * 16 + 1 + 2) + [9]
    y = net(torch.rand(2, 3, 16, 16) * 2 - 1)
    assert y.shape == (2, 3, 64, 64) and y.abs().max() <= 1


def test_cyclegan_has_six_blocks_between_two_halvings_and_two_doublings():
    strides = [m.stride[0] for m in convolutions(CycleGenerator(NARROW))]
    assert strides == [1, 2, 2] + [1] * 12 + [2, 2] + [1]
    x = torch.rand(2, 3, 64, 64) * 2 - 1
    y = CycleGenerator(NARROW)(x)
    assert y.shape == x.shape and y.abs().max() <= 1


def test_cyclegan_restores_enlarged_images():
    net, lo = CycleGAN(NARROW), torch.rand(2, 3, 16, 16) * 2 - 1
    assert torch.equal(net(lo), net.restore(enlarged(lo)))


@pytest.mark.parametrize("kind", [SRResNet, CycleGAN])
@pytest.mark.parametrize("switch", [dict(skip=True), dict(norm="none"), dict(size_hi=128)], ids=str)
def test_switches_train_every_weight(kind, switch):
    cfg = NARROW.replace(**switch)
    net = kind(cfg)
    y = net(torch.rand(2, 3, 16, 16) * 2 - 1)
    assert y.shape == (2, 3, cfg.size_hi, cfg.size_hi)
    y.square().sum().backward()
    assert not [name for name, p in net.named_parameters() if p.grad is None]


@pytest.mark.parametrize("kind", [SRResNet, CycleGAN])
def test_wrong_inputs_are_named(kind):
    with pytest.raises(HLError, match=r"lo must be float \(B, 3, 16, 16\), .* did you pass hi"):
        kind(NARROW)(torch.zeros(1, 3, 64, 64))


def test_enlarged_is_bicubic_and_clipped():
    lo = torch.full((1, 3, 4, 4), -1.0)
    lo[:, :, :, 2:] = 1
    y = enlarged(lo, 16)
    assert y.shape == (1, 3, 16, 16)
    assert y.min() == -1 and y.max() == 1  # an edge would overshoot
    with pytest.raises(HLError, match="with s at most 8, got .*: did you pass hi"):
        enlarged(torch.zeros(1, 3, 16, 16), 8)
