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


def speaking(net: FlowLowToHigh) -> FlowLowToHigh:
    """The flow with a network that says something, as after its first updates."""
    torch.manual_seed(1)
    for weight in net.network.head.parameters():
        torch.nn.init.normal_(weight, std=0.05)
    return net


def coloured(net: FlowLowToHigh) -> FlowLowToHigh:
    """The flow with powers that differ from frequency to frequency, as measured ones do."""
    net.power.copy_(torch.logspace(-3, 0, net.power.numel()).view_as(net.power))
    return net


def images(n: int, size: int) -> torch.Tensor:
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(n)) * 2 - 1


def test_a_face_depends_on_its_image_and_noise_and_on_nothing_beside_it():
    net, lo = speaking(flow()), images(3, 8)
    with torch.no_grad():
        hi = net(lo)
        assert hi.shape == (3, 3, 32, 32) and hi.abs().max() <= 1
        assert torch.allclose(net(lo[1:2]), hi[1:2], atol=1e-6)
        assert torch.equal(net(lo, net.noise(1, seed=0)), hi)
        assert not torch.allclose(net(lo, net.noise(1, seed=1)), hi, atol=1e-3)


def test_where_the_network_says_nothing_a_face_is_its_mean_and_noise_of_the_power():
    net, lo = coloured(flow(n_euler=3)), images(2, 8)
    noise = net.noise(2)
    with torch.no_grad():
        wanted = net.mean(lo) + net.image(noise * net.power.sqrt())
        assert torch.allclose(net(lo, noise), wanted.clamp(-1, 1), atol=1e-6)


def test_the_silent_network_knows_the_best_linear_answer_at_each_frequency():
    """Of Gaussian residuals of the power no other factors have less error, and b is that error."""
    net, lo = coloured(flow()), torch.zeros(256, 3, 8, 8)
    noise, r = torch.randn(2, 256, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    x0, x1 = net.spread * noise, net.power.sqrt() * r
    for at in (0.0, 0.3, 0.9):
        t = torch.full((256,), at)
        x = (1 - at) * x0 + at * x1
        with torch.no_grad():
            v = net.velocity(x, t, lo)
        wrong = (v - (x1 - x0)).square().mean(0)
        best = (x * (x1 - x0)).sum(0) / (x * x).sum(0)
        assert (wrong / (best * x - (x1 - x0)).square().mean(0)).mean() < 1.02
        a, b, u = (size[0] for size in net.sizes(t))
        assert (wrong.mean().sqrt() / u).item() == pytest.approx(1, abs=0.02)
        assert (wrong.sqrt() / b).mean().item() == pytest.approx(1, abs=0.02)
        assert (x.square().mean(0).sqrt() / a).mean().item() == pytest.approx(1, abs=0.02)


def test_the_quarter_turns_are_the_straight_path_in_another_time():
    """Many Euler steps of dx/dt = v end where as many of the angles do."""
    net, lo = speaking(coloured(flow(n_euler=800))), images(1, 8)
    noise = net.noise(1)
    with torch.no_grad():
        x = net.spread * noise
        for i in range(800):
            x = x + net.velocity(x, torch.full((1,), (i + 0.5) / 800), lo) / 800
        walked = net(lo, noise)
        silent = net.mean(lo) + net.image(noise * net.power.sqrt())
    assert (silent.clamp(-1, 1) - walked).abs().max() > 0.05
    assert torch.allclose(walked, (net.mean(lo) + net.image(x)).clamp(-1, 1), atol=0.02)


def test_the_walk_is_said_to_end_at_a_face():
    net, lo = speaking(coloured(flow())), images(2, 8)
    x = net.spread * net.noise(2)
    with torch.no_grad():
        t = torch.full((2,), 0.25)
        wanted = net.mean(lo) + net.image(x + 0.75 * net.velocity(x, t, lo))
        assert torch.allclose(net.end(x, t, lo), wanted, atol=1e-6)
        arrived = net.spectrum(images(2, 32) - net.mean(lo))
        assert torch.allclose(net.end(arrived, torch.ones(2), lo), images(2, 32), atol=1e-5)


def test_the_power_is_that_of_the_residual_at_each_frequency_and_colour():
    net, lo = flow(), images(300, 8)
    grey = torch.randn(300, 1, 8, 8, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        hi = net.mean(lo) + 0.2 * enlarge(grey, 32)  # of low frequencies, and of no colour
    net.measure(hi, lo)
    r = 0.2 * enlarge(grey, 32).expand(-1, 3, -1, -1)
    assert net.spread.item() == pytest.approx(r.square().mean().sqrt().item(), rel=0.1)
    assert net.power[1:].max() < 1e-6, "grey, as what was measured"
    assert net.power[0, :4, :4].mean() > 100 * net.power[0, 16:, 16:].mean(), "as smooth"


def test_the_restorer_is_not_trained():
    net = flow(norm="batch").train()
    assert net.network.training and not net.mean.training
    assert {p.requires_grad for p in net.mean.parameters()} == {False}
    assert {p.requires_grad for p in net.network.parameters()} == {True}


def test_the_spectrum_is_orthonormal_and_has_an_inverse():
    net, x = flow(), images(2, 32)
    assert torch.allclose(net.image(net.spectrum(x)), x, atol=1e-5)
    assert net.spectrum(x).square().sum().item() == pytest.approx(x.square().sum().item(), rel=1e-4)
    grey = net.spectrum(torch.full((1, 3, 32, 32), 0.5))
    assert grey[0, 0, 0, 0].item() == pytest.approx(0.5 * 3**0.5 * 32, rel=1e-4)
    assert grey.square().sum().item() == pytest.approx(grey[0, 0, 0, 0].item() ** 2, rel=1e-4)
    basis = cosine_basis(16)
    assert torch.allclose(basis @ basis.T, torch.eye(16), atol=1e-6)


def test_time_is_told_apart_and_the_image_is_checked():
    w = waves(torch.tensor([0.0, 0.5, 0.9]))
    assert w.shape == (3, 2 * N_WAVES)
    assert (w[0] - w[1]).abs().max() > 0.5 and (w[1] - w[2]).abs().max() > 0.5
    with pytest.raises(hl.HLError, match="did you pass hi"):
        flow()(images(1, 32))
