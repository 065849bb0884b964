"""Signs of doubt: by hand, and of networks that are consistent by construction."""

import pytest
import torch
from torch import nn

import hlgan_lib as hl
from hlgan_lib.degradations.handmade import pool
from hlgan_lib.metrics.features import Lite0, extract, extract_maps
from hlgan_lib.reliability.signs import hr_features, look_distance, misfit, signs, unlikeness

LO, HI = hl.load_faces("faces:val:lo")[:24], hl.load_faces("faces:train-hi")[:48]


CFG = hl.preset("smoke")


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Blocks(nn.Module):
    """A restorer that repeats pixels: pooled, its result is the input again, mirrored or not."""

    def __init__(self, cfg=CFG):
        super().__init__()
        self.cfg, self.gain = cfg, nn.Parameter(torch.ones(()))

    def forward(self, lo):
        return self.gain * lo.repeat_interleave(4, -1).repeat_interleave(4, -2)


class Pool(nn.Module):
    """A degradation that averages and adds z's noise of a given strength."""

    def __init__(self, strength, cfg=CFG):
        super().__init__()
        self.cfg, self.strength = cfg, nn.Parameter(torch.tensor(strength))

    def forward(self, hi, z):
        return (pool(hi) + self.strength * z[:, None, :16, None] * z[:, None, None, -16:]).clamp(
            -1, 1
        )


def test_the_mean_of_the_maps_are_the_features():
    x = (HI.batch(slice(0, 3)) + 1) / 2
    assert extract_maps(x).shape == (3, 80, 4, 4)
    assert torch.allclose(extract_maps(x).mean((2, 3)), extract(x), atol=1e-5)
    assert torch.allclose(extract_maps(HI[:3]), extract_maps(x), atol=1e-4)
    assert torch.equal(Lite0()(x), Lite0().maps(x).mean((2, 3)))


def test_look_distance_by_hand_and_between_faces():
    hr = hr_features(HI)
    a = torch.zeros(2, 80, 4, 4, dtype=torch.float64)
    b = a + torch.tensor([2.0, 3.0])[:, None, None, None] * hr.scale[:, None, None]
    assert torch.allclose(look_distance(a, b, hr), torch.tensor([2.0, 3.0], dtype=torch.float64))
    x = HI.batch(slice(0, 8))
    truth, noisy, noisier = (
        extract_maps((x + s * randn(*x.shape) + 1).clamp(0, 2) / 2) for s in (0, 0.1, 0.3)
    )
    near, far = look_distance(noisy, truth, hr), look_distance(noisier, truth, hr)
    assert (near < far).all()
    assert (near > 0).all()
    assert (near < look_distance(truth.roll(1, 0), truth, hr)).all()
    with pytest.raises(hl.HLError, match="feature maps .* made? both|make both"):
        look_distance(a, a[..., :2], hr)
    with pytest.raises(hl.HLError, match="at least 2 HR faces, got 1"):
        hr_features(HI[:1])


def test_misfit_forgives_exposure_and_colour_and_nothing_else():
    x = 0.2 * randn(5, 3, 16, 16)
    gain, offset = (
        torch.tensor([0.5, 1.0, 2.0])[:, None, None],
        torch.tensor([0.1, 0.0, -0.3])[:, None, None],
    )
    assert misfit(x, gain * x + offset).max() < 1e-6
    noise = 0.1 * randn(5, 3, 16, 16, seed=1)
    assert torch.allclose(misfit(x, x + noise), torch.full((5,), 0.1).double(), rtol=0.1)
    assert torch.allclose(
        misfit(x, -x),
        x.double().sub(x.double().mean((2, 3), keepdim=True)).square().mean((1, 2, 3)).sqrt(),
    )  # a negative picture is no exposure


def test_networks_that_undo_each_other_show_no_doubt():
    lo, hr = LO.batch(slice(0, 6)), hr_features(HI)
    restored, found = signs(Blocks(), Pool(0.0), lo, hr)
    assert torch.equal(restored, Blocks()(lo))
    assert found["misfit"].max() < 1e-6 and found["round_trip"].max() < 1e-5
    assert found["unlikeness"].min() > 0.5  # blocks are no HR faces
    broken = signs(Blocks(), Pool(0.2), lo, hr)[1]
    assert all((broken[k] > found[k] + 0.01).all() for k in ("misfit", "round_trip"))
    assert torch.equal(broken["spread"], found["spread"])  # of L2H alone


def test_unlikeness_counts_deviations_of_hr_faces():
    hr = hr_features(HI)
    features = hr.mean + torch.tensor([[0.0], [1.0], [-2.0]]) * hr.sd
    assert torch.allclose(unlikeness(features, hr), torch.tensor([0.0, 1.0, 2.0]).double())
