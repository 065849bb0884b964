"""Scores of pairs against scikit-image and against numbers worked out by hand."""

import numpy as np
import pytest
import torch
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

import hlgan_lib as hl
from hlgan_lib import metrics
from hlgan_lib.degradations.handmade import bilinear, pool
from tests.helpers import blurred, noisy


@pytest.fixture(scope="module")
def real():
    return (hl.load_faces("faces:val:hi").batch(slice(0, 4)) + 1) / 2


@pytest.fixture(scope="module")
def fake(real):
    return (real + 0.1 * torch.randn(real.shape, generator=torch.Generator().manual_seed(0))).clamp(
        0, 1
    )


def array(x):
    return x.permute(1, 2, 0).double().numpy()


def test_luma_is_that_of_scikit_image(real):
    for x in real:
        want = rgb2ycbcr(array(x))[..., 0] / 255
        assert np.abs(metrics.luma(x[None])[0, 0].numpy() - want).max() < 1e-6
    ends = (
        metrics.luma(torch.tensor([0.0, 1.0]).view(2, 1, 1, 1).expand(2, 3, 1, 1)).flatten() * 255
    )
    torch.testing.assert_close(ends, torch.tensor([16.0, 235.0]))


@pytest.mark.parametrize("border", [0, 4])
@pytest.mark.parametrize("channel", ["rgb", "y"])
def test_psnr_and_ssim_are_those_of_scikit_image(real, fake, channel, border):
    p, s = (score(fake, real, channel, border) for score in (metrics.psnr, metrics.ssim))
    inside = slice(border, 64 - border)
    for i in range(len(real)):
        a, b = (array(x[i])[inside, inside] for x in (fake, real))
        axis = 2
        if channel == "y":
            a, b, axis = rgb2ycbcr(a)[..., 0] / 255, rgb2ycbcr(b)[..., 0] / 255, None
        assert float(p[i]) == pytest.approx(peak_signal_noise_ratio(b, a, data_range=1), abs=1e-3)
        want = structural_similarity(
            b,
            a,
            data_range=1,
            channel_axis=axis,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        assert float(s[i]) == pytest.approx(want, abs=1e-4)


def test_border_is_not_looked_at(real):
    framed = real.clone()
    framed[..., :3, :], framed[..., -3:, :], framed[..., :3], framed[..., -3:] = 0, 1, 0, 1
    assert metrics.psnr(framed, real, border=3).isinf().all()
    assert metrics.psnr(framed, real, border=2).isfinite().all()


def test_constant_pictures_have_the_scores_worked_out_by_hand():
    a, b = torch.full((1, 3, 16, 16), 0.25), torch.full((1, 3, 16, 16), 0.75)
    assert float(metrics.psnr(a, b)) == pytest.approx(20 * np.log10(2), abs=1e-4)
    grey = float(metrics.psnr(a, b, "y") - metrics.psnr(a, b))
    assert grey == pytest.approx(20 * np.log10(255 / 219), abs=1e-3)
    c1 = 0.01**2
    assert float(metrics.ssim(a, b)) == pytest.approx(
        (2 * 0.25 * 0.75 + c1) / (0.25**2 + 0.75**2 + c1), abs=1e-3
    )
    assert float(metrics.ssim(a, a)) == pytest.approx(1) and metrics.psnr(a, a).isinf().all()


@pytest.mark.parametrize("score", [metrics.psnr, metrics.ssim])
@pytest.mark.parametrize(
    "options, message",
    [
        ({"channel": "cb"}, "channel must be rgb or y, got 'cb'"),
        ({"border": 32}, "border of 32"),
        ({"border": -1}, "border of -1"),
    ],
)
def test_what_leaves_nothing_to_look_at_is_refused(real, score, options, message):
    with pytest.raises(hl.HLError, match=message):
        score(real, real, **options)


def test_ssim_needs_its_window_inside_the_border(real):
    assert metrics.psnr(real, real, border=28).isinf().all()
    with pytest.raises(hl.HLError, match="at least 11x11"):
        metrics.ssim(real, real, border=27)


@pytest.mark.parametrize("how, function", [("bilinear", bilinear), ("pool", pool)])
def test_consistency_is_the_psnr_of_the_reduced_face(real, fake, how, function):
    lo = (pool(real * 2 - 1) + 1) / 2
    got = metrics.consistency(fake, lo, how)
    for i in range(len(real)):
        small = (function(fake[i : i + 1] * 2 - 1)[0] + 1) / 2
        want = peak_signal_noise_ratio(array(lo[i]), array(small), data_range=1)
        assert float(got[i]) == pytest.approx(want, abs=1e-3)
    torch.testing.assert_close(metrics.consistency(fake, lo, function), got)


def test_consistency_of_what_reduces_to_its_input_is_infinite_whoever_it_shows(real):
    lo = (pool(real * 2 - 1) + 1) / 2
    blocks = lo.repeat_interleave(4, 2).repeat_interleave(4, 3)
    assert (metrics.consistency(blocks, lo, "pool") > 100).all()
    assert (metrics.consistency(blocks, lo.flip(0), "pool") < 40).all()


def test_consistency_refuses_what_does_not_fit(real):
    lo = torch.zeros(4, 3, 16, 16)
    with pytest.raises(
        hl.HLError, match="reduce must be bilinear, bicubic, pool or a function, got 'box'"
    ):
        metrics.consistency(real, lo, "box")
    with pytest.raises(hl.HLError, match="reduce must give what lo is"):
        metrics.consistency(real, lo[:3])
    with pytest.raises(hl.HLError, match="did you pass lo"):
        metrics.consistency(lo, real)


@pytest.mark.parametrize("size", [16, 64])
def test_psnr_and_ssim_of_either_size_are_those_of_scikit_image(hi, lo, size):
    real = hi[:4] if size == 64 else lo[:4]
    fake = noisy(blurred(real, 0.7), 0.05)
    for i in range(4):
        a, b = (x[i].permute(1, 2, 0).double().numpy() for x in (fake, real))
        want = structural_similarity(
            b,
            a,
            data_range=1,
            channel_axis=2,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        assert float(metrics.ssim(fake, real)[i]) == pytest.approx(want, abs=1e-4)
        want = peak_signal_noise_ratio(b, a, data_range=1)
        assert float(metrics.psnr(fake, real)[i]) == pytest.approx(want, abs=1e-3)


def test_ssim_of_pictures_below_its_window_is_refused():
    with pytest.raises(hl.HLError, match="at least 11x11"):
        metrics.ssim(torch.zeros(2, 3, 8, 8), torch.zeros(2, 3, 8, 8))
