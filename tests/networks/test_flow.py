"""The flow: shapes, where a walk ends, what its noise decides."""

import pytest
import torch

import hlgan_lib as hl
from hlgan_lib.networks.flow import N_WAVES, FlowLowToHigh, waves
from hlgan_lib.networks.paper import enlarge

SMALL = hl.preset("smoke").replace(size_hi=32, size_lo=8)


def flow(**changes) -> FlowLowToHigh:
    torch.manual_seed(0)
    return FlowLowToHigh(SMALL.replace(**changes)).eval()


def images(n: int, size: int) -> torch.Tensor:
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(n)) * 2 - 1


def test_a_face_depends_on_its_image_and_noise_and_on_nothing_beside_it():
    net, lo = flow(), images(3, 8)
    with torch.no_grad():
        hi = net(lo)
        assert hi.shape == (3, 3, 32, 32) and hi.abs().max() <= 1
        assert torch.allclose(net(lo[1:2]), hi[1:2], atol=1e-6)
        assert torch.equal(net(lo, net.noise(1, seed=0)), hi)
        assert not torch.allclose(net(lo, net.noise(1, seed=1)), hi, atol=1e-3)


def test_the_walk_ends_where_the_last_step_says():
    """The last Euler step starts at 1 - 1/n and goes for 1/n: it arrives at f."""
    net, lo = flow(n_euler=2), images(2, 8)
    seen = []
    inner = net.end

    def end(x, t, lo):
        seen.append((t[0].item(), inner(x, t, lo)))
        return seen[-1][1]

    net.end = end
    with torch.no_grad():
        hi = net(lo)
    assert [t for t, _ in seen] == [0, 0.5]
    assert torch.allclose(hi, seen[-1][1].clamp(-1, 1), atol=1e-5)


def test_with_skip_it_adds_to_the_enlarged_image():
    net, lo = flow(skip=True), images(2, 8)
    for weight in net.head[-1].parameters():
        torch.nn.init.zeros_(weight)
    with torch.no_grad():
        f = net.end(net.noise(2), torch.zeros(2), lo)
    assert torch.allclose(f, enlarge(lo, 32), atol=1e-6)
    plain = flow(skip=False)
    for weight in plain.head[-1].parameters():
        torch.nn.init.zeros_(weight)
    assert plain.end(plain.noise(2), torch.zeros(2), lo).abs().max() == 0


def test_time_is_told_apart_and_the_image_is_checked():
    w = waves(torch.tensor([0.0, 0.5, 0.9]))
    assert w.shape == (3, 2 * N_WAVES)
    assert (w[0] - w[1]).abs().max() > 0.5 and (w[1] - w[2]).abs().max() > 0.5
    with pytest.raises(hl.HLError, match="did you pass hi"):
        flow()(images(1, 32))
