"""DeepDeblur: restored at every size, the small one helping the larger one."""

import pytest
import torch

import hlgan_lib as hl
from hlgan_lib.networks import low_to_high
from hlgan_lib.networks.deepdeblur import DeepDeblur
from hlgan_lib.networks.paper import enlarge

SMALL = hl.preset("smoke").replace(size_hi=32, size_lo=8, l2h_model="deepdeblur")


def test_it_restores_at_every_size():
    torch.manual_seed(0)
    net = low_to_high(SMALL)
    assert isinstance(net, DeepDeblur)
    lo = torch.rand(2, 3, 8, 8)
    made = net.sizes(lo)
    assert [tuple(x.shape) for x in made] == [(2, 3, s, s) for s in (8, 16, 32)]
    assert all(x.abs().max() <= 1 for x in made)
    assert torch.equal(net(lo), made[-1])
    with pytest.raises(hl.HLError, match="did you pass hi"):
        net(torch.zeros(1, 3, 32, 32))


def test_the_small_image_reaches_the_large_one():
    net = low_to_high(SMALL)
    net(torch.rand(1, 3, 8, 8)).sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in net.bodies[0].parameters())


def test_with_skip_a_silent_network_enlarges_its_input():
    net = low_to_high(SMALL.replace(skip=True))
    for body in net.bodies:
        for weight in body[-1].parameters():
            torch.nn.init.zeros_(weight)
    lo = torch.rand(1, 3, 8, 8) * 0.9
    for x in net.sizes(lo):
        want = enlarge(lo, x.shape[-1])
        assert torch.allclose(x, want, atol=1e-5)
    plain = low_to_high(SMALL.replace(skip=False))
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in plain.modules())
