"""How z enters H2L: each input by itself, against its equation."""

import math

import pytest
import torch

from hlgan_lib.config import RunConfig
from hlgan_lib.degradations.jpeg import jpeg_inside_photograph
from hlgan_lib.networks.noise_inputs import Grain, LearnedShot, MeasuredJPEG
from hlgan_lib.networks.paper import HighToLow

NARROW = RunConfig(h2l_width=8, l2h_width=16, d_width=8)


def hi_z(cfg: RunConfig, n: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    return torch.rand(n, 3, cfg.size_hi, cfg.size_hi, generator=rng) * 2 - 1, torch.randn(
        n, cfg.z_dim, generator=rng
    )


def test_inject_starts_without_noise():
    cfg = NARROW.replace(z_input="inject", norm="none")
    net, (hi, z) = HighToLow(cfg), hi_z(cfg)
    assert torch.equal(net(hi, z), net(hi, -z))
    net(hi, z).sum().backward()
    assert all(m.weight.grad.any() for m in net.noise)  # but it can learn to use it


def test_same_weights_same_projection():
    a, b = HighToLow(NARROW.replace(z_input="inject")), HighToLow(NARROW.replace(z_input="inject"))
    assert all(torch.equal(m.project, n.project) for m, n in zip(a.noise, b.noise, strict=True))
    assert not any("project" in k for k in a.state_dict())  # fixed: not a part of the weights
    assert a.noise[0].project.norm(dim=0).square().mean().item() == pytest.approx(
        1, abs=0.1
    )  # unit variance a pixel


def test_grain_is_white_and_fills_every_direction():
    grain, (z,) = (
        Grain(64, 2, 8),
        (torch.randn(4000, 64, generator=torch.Generator().manual_seed(0)),),
    )
    with torch.no_grad():
        grain.weight.copy_(torch.tensor([1.0, 3.0]).view(1, 2, 1, 1))
        grain.level.weight.zero_()
        noise = grain(torch.zeros(4000, 2, 8, 8), z)
        assert noise.mean((0, 2, 3)).abs().max() < 0.02
        assert noise.std((0, 2, 3)).tolist() == pytest.approx(
            [1, 3], rel=0.02
        )  # the learned weight is the deviation
        assert (noise[:, 0] ** 4).mean().item() == pytest.approx(
            3, abs=0.5
        )  # as of a normal number
        spread = torch.linalg.eigvalsh(
            torch.cov(noise.flatten(1).T / noise.flatten(1).std(0)[:, None])
        )
        assert spread.min() > 0.5  # a linear map of 64 numbers: 64 of these 128 would be 0
        near = grain(torch.zeros(4000, 2, 8, 8), z + 0.1 * torch.randn_like(z))
        assert torch.corrcoef(torch.stack([noise.flatten(), near.flatten()]))[0, 1].abs() < 0.05
        grain.level.bias.fill_(math.log(2.0))
        assert torch.allclose(
            grain(torch.zeros(4000, 2, 8, 8), z), 2 * noise, atol=1e-4
        )  # a level for the picture


def test_learned_shot_is_blur_gain_and_offset():
    shot, z = LearnedShot(8), torch.randn(3, 8)
    lo = torch.rand(3, 3, 16, 16) * 1.6 - 0.8
    with torch.no_grad():
        for layer in (shot.kernel, shot.light):
            layer.weight.zero_()
            layer.bias.zero_()
        flat = torch.full((3, 3, 16, 16), 0.3)
        assert torch.allclose(shot(flat, z).tanh(), flat, atol=1e-5)  # the kernel sums to 1
        mean = shot(lo, z).tanh()[:, :, 5, 5]
        assert torch.allclose(
            mean, lo[:, :, 3:8, 3:8].mean((2, 3)), atol=1e-5
        )  # all taps alike: a box of 5x5
        shot.kernel.bias[12] = 50.0
        assert torch.allclose(shot(lo, z).tanh(), lo, atol=1e-5)  # one tap: the picture itself
        shot.light.bias.copy_(torch.tensor([0.5, 0, 0, 0, 0.2, 0]))
        changed = shot(lo, z) - torch.atanh(lo)
        assert torch.allclose(
            changed[:, 0], 0.5 * torch.atanh(lo[:, 0]), atol=1e-4
        )  # contrast of red
        assert torch.allclose(
            changed[:, 1], torch.full_like(lo[:, 1], 0.2), atol=1e-4
        )  # green lifted
        assert changed[:, 2].abs().max() < 1e-4


def test_a_measured_jpeg_codes_as_measured_and_lets_gradients_through():
    jpeg, z = MeasuredJPEG(), torch.randn(4000, 6, generator=torch.Generator().manual_seed(0))
    x = torch.rand(4000, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 1.6 - 0.8
    assert (jpeg(x, z) - x).abs().mean() < 0.01, "quality 100, 4:4:4"
    jpeg.set(torch.cat([torch.full((30,), 20.0), torch.full((10,), 90.0)]), 0.25)
    u = torch.special.ndtr(z[:, 2:])
    quality, half, size = (
        jpeg.quality[(u[:, 0] * 64).long()],
        u[:, 1] < 0.25,
        torch.full((4000,), 16),
    )
    by_hand = jpeg_inside_photograph((x + 1) / 2, size, quality, half, (u[:, 2:] * 16).long())
    assert torch.equal(jpeg(x, z), 2 * by_hand - 1)
    assert (quality == 20).double().mean() == pytest.approx(0.75, abs=0.04) and quality.max() == 90
    assert half.double().mean() == pytest.approx(0.25, abs=0.03)
    shallow = (0.2 * x[:50]).requires_grad_()
    jpeg(shallow, z[:50]).square().sum().backward()
    alike = torch.cosine_similarity(
        shallow.grad.flatten(), 2 * jpeg(shallow, z[:50]).detach().flatten(), dim=0
    )
    assert alike > 0.7, "as if nothing had been rounded: all but the colour that 4:2:0 takes away"
