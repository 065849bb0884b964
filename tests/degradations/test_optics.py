"""Tone curves, blur kernels and resampling, against closed forms and Pillow."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import conv2d

from hlgan_lib.degradations.handmade import pool
from hlgan_lib.degradations.optics import (
    apply,
    blur,
    gaussian,
    integration,
    own_kernels,
    psf,
    resampling,
    sinc,
    srgb_decode,
    srgb_encode,
    tone,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_srgb_round_trip_and_middle():
    v = torch.linspace(0, 1, 101)
    assert torch.allclose(srgb_encode(srgb_decode(v)), v, atol=1e-5)
    assert srgb_decode(torch.tensor(0.5)).item() == pytest.approx(0.21404, abs=1e-4)


def test_psf_spreads_as_far_as_its_parameters_say():
    length, radius = torch.tensor([0.0, 8.0, 0.0]), torch.tensor([0.0, 0.0, 3.0])
    k = psf(length, torch.zeros(3), radius, 8)
    axis = torch.arange(-8.0, 9.0)
    assert torch.allclose(k.sum((1, 2)), torch.ones(3)) and k[0, 8, 8] == 1
    across, down = (k.sum(1) * axis**2).sum(1), (k.sum(2) * axis**2).sum(1)
    assert across[1] == pytest.approx(8**2 / 12, rel=0.25) and down[1] < 0.1  # a line: L^2 / 12
    assert across[2] == pytest.approx(3.5**2 / 4, rel=0.15) and down[2] == pytest.approx(
        across[2].item()
    )  # a disc: r^2 / 4


def test_sinc_passes_low_waves_stops_high_ones_and_rings():
    kernel = sinc(torch.tensor([torch.pi / 2, torch.pi]), half=10)
    assert torch.allclose(kernel.sum((1, 2)), torch.ones(2)) and torch.allclose(
        kernel, kernel.transpose(1, 2)
    )
    x = torch.arange(64.0)
    waves = torch.stack([torch.cos(w * x).expand(1, 64, 64) for w in (0.5, 2.5)])  # radians a pixel
    strength = [
        blur(waves, kernel[i].expand(2, -1, -1))[:, :, 20:44, 20:44].std((1, 2, 3))
        for i in range(2)
    ]
    before = waves[:, :, 20:44, 20:44].std((1, 2, 3))
    assert (strength[0] / before)[0] > 0.9 and (strength[0] / before)[1] < 0.15  # cut off at pi / 2
    assert (strength[1] / before).min() > 0.9  # and at pi
    step = (x > 31).float().expand(1, 1, 64, 64)
    assert blur(step, kernel[:1]).max() > 1.03  # overshoots at an edge


@pytest.mark.parametrize(("side", "kernel", "stride"), [(9, 3, 1), (14, 6, 4), (15, 4, 3)])
def test_gradients_of_own_kernels_are_those_of_a_convolution(side, kernel, stride):
    rng = seeded()
    x = torch.rand(3, 2, side, side, generator=rng, dtype=torch.float64, requires_grad=True)
    kernels = torch.rand(3, kernel, kernel, generator=rng, dtype=torch.float64, requires_grad=True)
    plain = torch.cat(
        [
            conv2d(x[i][:, None], kernels[i][None, None], stride=stride).transpose(0, 1)
            for i in range(3)
        ]
    )
    out = own_kernels(x, kernels, stride)
    assert torch.allclose(out, plain)
    weight = torch.rand(out.shape, generator=rng, dtype=torch.float64)
    want = torch.autograd.grad((plain * weight).sum(), (x, kernels))
    got = torch.autograd.grad((out * weight).sum(), (x, kernels))
    for a, b in zip(got, want, strict=True):
        assert torch.allclose(a, b)


def test_blur_uses_each_pictures_own_kernel(hi):
    delta = torch.zeros(2, 5, 5)
    delta[0, 2, 2], delta[1, 2, 3] = 1, 1
    out = blur(hi[:2], delta)
    assert torch.equal(out[0], hi[0]) and torch.equal(out[1, :, :, :-1], hi[1, :, :, 1:])


@pytest.mark.parametrize(
    "kernel, n_in, n_out",
    [(k, *n) for k in range(4) for n in ((32, 16), (23, 19), (16, 16), (31, 17))]
    + [(k, 40, 16) for k in (1, 2, 3)],
)  # box: a pixel on an edge counts for both
def test_resampling_is_pillows(kernel, n_in, n_out):
    filters = (
        Image.Resampling.BOX,
        Image.Resampling.BILINEAR,
        Image.Resampling.BICUBIC,
        Image.Resampling.LANCZOS,
    )
    x = torch.rand(1, 1, 40, 40, generator=seeded())
    w = resampling(torch.tensor([n_in]), torch.tensor([n_out]), torch.tensor([kernel]), 40, 40)
    ours = apply(w, x)[0, 0]
    theirs = np.asarray(
        Image.fromarray(x[0, 0, :n_in, :n_in].numpy()).resize((n_out, n_out), filters[kernel])
    )
    assert (
        np.abs(ours[:n_out, :n_out].numpy() - theirs).max() < 1e-5 and ours[n_out:].abs().sum() == 0
    )


def test_integration_keeps_all_light(hi):
    for n in (16, 23, 40):
        w = integration(64, torch.tensor([n]), 40)
        assert torch.allclose(w.sum(2)[0, :n], torch.ones(n)) and w[0, n:].sum() == 0
        assert torch.allclose(w.sum(1)[0], torch.full((64,), n / 64), atol=1e-5)
    lo = apply(integration(64, torch.full((24,), 16), 16), hi)
    assert torch.allclose(lo, pool(hi), atol=1e-5)


def test_gaussian_has_its_two_spreads_and_turns():
    three = torch.full((2,), 3.0)
    k = gaussian(three, three / 3, torch.tensor([0.0, torch.pi / 2]), 12)
    axis = torch.arange(-12.0, 13.0)
    across, down = (k.sum(1) * axis**2).sum(1), (k.sum(2) * axis**2).sum(1)
    assert across.tolist() == pytest.approx([9, 1], rel=0.02)
    assert down.tolist() == pytest.approx([1, 9], rel=0.02)


def test_tone_keeps_its_ends_and_has_its_slope_in_the_middle():
    v = torch.tensor([0.0, 0.49, 0.5, 0.51, 1.0])
    for c in (0.75, 1.0, 1.35):
        t = tone(v, torch.tensor(c))
        assert t[[0, 2, 4]].tolist() == pytest.approx([0, 0.5, 1], abs=2e-3)
        assert ((t[3] - t[1]) / 0.02).item() == pytest.approx(c, rel=0.01)
