"""The flow: shapes, where a walk ends, what its noise decides."""

import pytest
import torch

import hlgan_lib as hl
from hlgan_lib.networks.flow import N_WAVES, FlowLowToHigh, cosine_basis, waves
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


def silent(net: FlowLowToHigh) -> FlowLowToHigh:
    """The flow whose network says nothing, as before its first update."""
    for weight in net.head[-1].parameters():
        torch.nn.init.zeros_(weight)
    return net


def test_where_the_network_says_nothing_the_walk_ends_where_it_started():
    net, lo = silent(flow(n_euler=3)), images(2, 8)
    noise = net.noise(2)
    with torch.no_grad():
        assert torch.allclose(net(lo, noise), net.start(lo, noise).clamp(-1, 1), atol=1e-6)


def test_the_silent_network_knows_the_best_linear_answer():
    """Of Gaussian residuals of the noise's power no other linear answer has less error."""
    net, lo = silent(flow()), torch.zeros(256, 3, 8, 8)
    generator = torch.Generator().manual_seed(0)
    noise, r = torch.randn(2, 256, 3, 32, 32, generator=generator)
    x0, x1 = net.start(lo, noise), net.start(lo, r)
    for at in (0.0, 0.3, 0.9):
        t = torch.full((256,), at)
        x = (1 - at) * x0 + at * x1
        with torch.no_grad():
            f = net.end(x, t, lo)
        best = (x * x1).sum() / (x * x).sum()
        assert torch.allclose(f, at / ((1 - at) ** 2 + at**2) * x, atol=1e-5)
        assert ((f - x1) ** 2).mean() < 1.01 * ((best * x - x1) ** 2).mean() + 1e-8


def test_the_quarter_turn_is_the_straight_path_in_another_time():
    """Many Euler steps of dx/dt = v end where as many of the angle do."""
    torch.manual_seed(1)
    net, lo = flow(n_euler=400), images(1, 8)
    torch.nn.init.normal_(net.head[-1].weight, std=0.05)
    noise = net.noise(1)
    with torch.no_grad():
        x = net.start(lo, noise)
        for i in range(400):
            x = x + net.velocity(x, torch.full((1,), (i + 0.5) / 400), lo) / 400
        walked = net(lo, noise)
    assert (net.start(lo, noise).clamp(-1, 1) - walked).abs().max() > 0.05
    assert torch.allclose(walked, x.clamp(-1, 1), atol=0.02)


def test_the_noise_has_the_power_of_the_residual_at_each_frequency_and_colour():
    net, lo = flow(), images(300, 8)
    generator = torch.Generator().manual_seed(2)
    grey = torch.randn(300, 1, 8, 8, generator=generator).expand(-1, 3, -1, -1)
    hi = enlarge(lo, 32) + 0.2 * enlarge(grey, 32)  # of low frequencies, and of no colour
    net.measure(hi, lo)
    made = net.start(lo, torch.randn(300, 3, 32, 32, generator=generator)) - enlarge(lo, 32)
    wanted = hi - enlarge(lo, 32)
    assert made.std().item() == pytest.approx(wanted.std().item(), rel=0.05)
    assert (made[:, 0] - made[:, 1]).std() < 1e-3, "grey, as what was measured"
    steps = [(x[..., 1:] - x[..., :-1]).std().item() for x in (made, wanted)]
    assert steps[0] == pytest.approx(steps[1], rel=0.15), "as smooth"


def test_cosines_are_orthonormal():
    basis = cosine_basis(16)
    assert torch.allclose(basis @ basis.T, torch.eye(16), atol=1e-6)
    assert torch.allclose(basis[0], torch.full((16,), 0.25))


def test_time_is_told_apart_and_the_image_is_checked():
    w = waves(torch.tensor([0.0, 0.5, 0.9]))
    assert w.shape == (3, 2 * N_WAVES)
    assert (w[0] - w[1]).abs().max() > 0.5 and (w[1] - w[2]).abs().max() > 0.5
    with pytest.raises(hl.HLError, match="did you pass hi"):
        flow()(images(1, 32))
