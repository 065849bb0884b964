"""The JPEG at the end of an H2L: what was measured is what it does."""

import pytest
import torch

from hlgan_lib.degradations.jpeg import jpeg_inside_photograph
from hlgan_lib.networks.measured_jpeg import MeasuredJPEG


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


def test_each_domain_has_its_jpeg():
    jpeg, z = MeasuredJPEG(2), torch.randn(40, 6, generator=torch.Generator().manual_seed(0))
    x = torch.rand(40, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 1.6 - 0.8
    jpeg.set(torch.tensor([10.0]), 1.0, domain=1)
    alone = MeasuredJPEG()
    alone.set(torch.tensor([10.0]), 1.0)
    domain = torch.arange(2).repeat_interleave(20)
    coded = jpeg(x, z, domain)
    assert torch.equal(coded[:20], MeasuredJPEG()(x[:20], z[:20]))
    assert torch.equal(coded[20:], alone(x[20:], z[20:]))
    assert (coded[:20] - x[:20]).abs().mean() < 0.01 < (coded[20:] - x[20:]).abs().mean()
