"""PDM's degradation: kernels that sum to 1, noise of no mean, and what neither can do."""

import pytest
import torch

import hlgan_lib as hl
from hlgan_lib.networks import KernelAndNoise, high_to_low

SMALL = hl.preset("smoke").replace(size_hi=32, size_lo=8, h2l_model="kernel+noise")


def net(**changes) -> KernelAndNoise:
    torch.manual_seed(0)
    made = high_to_low(SMALL.replace(**changes))
    assert isinstance(made, KernelAndNoise)
    return made


def z(n: int = 4) -> torch.Tensor:
    return torch.randn(n, SMALL.z_dim, generator=torch.Generator().manual_seed(0))


def test_kernels_sum_to_one_and_start_narrow():
    kernels = net().kernels(z())
    assert kernels.shape == (4, 1, 17, 17) and (kernels > 0).all()
    assert torch.allclose(kernels.sum((1, 2, 3)), torch.ones(4), atol=1e-5)
    assert (kernels[:, 0, 6:11, 6:11].sum((1, 2)) > 0.8).all()


def test_noise_has_no_mean_and_is_z_s():
    h2l = net()
    n = h2l.noises(z())
    assert n.shape == (4, 3, 8, 8) and n.std() > 0.01
    assert n.mean((2, 3)).abs().max() < 1e-5
    assert torch.equal(h2l.noises(z()), n)
    without = net(z_input="none")
    grey = torch.zeros(4, 3, 32, 32)
    assert without(grey, z()).std(0).max() < 1e-6 < h2l(grey, z()).std(0).max()


def test_it_keeps_the_light_and_colour_of_a_flat_picture():
    """The paper's network and the learned camera can change both; this one cannot."""
    colour = torch.tensor([0.3, -0.2, 0.1]).view(1, 3, 1, 1).expand(4, 3, 32, 32)
    lo = net()(colour, z())
    assert torch.allclose(lo.mean((2, 3)), colour.mean((2, 3)), atol=0.02)


def test_gradients_reach_kernel_and_noise_and_pass_the_clip():
    h2l = net()
    white = torch.ones(4, 3, 32, 32)
    h2l(white, z()).mean().backward()  # clipped at white
    assert h2l.stem.weight.grad is not None
    h2l.zero_grad()
    hi = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1
    h2l(hi, z()).square().mean().backward()
    for name, p in h2l.named_parameters():
        assert p.grad is not None and p.grad.abs().sum() > 0, name


def test_wrong_shapes_are_named():
    with pytest.raises(hl.HLError, match="did you pass lo"):
        net()(torch.zeros(1, 3, 8, 8), z(1))
    with pytest.raises(hl.HLError, match="one row a picture"):
        net()(torch.zeros(2, 3, 32, 32), z(1))
