"""Blur widths and kernels of known filters, then of the camera, whose parameters are stored."""

import math

import numpy as np
import pytest
import torch

from hlgan_lib import analysis
from hlgan_lib.data.builtin import load_camera_params
from hlgan_lib.degradations.handmade import pool
from hlgan_lib.errors import HLError
from tests.helpers import noise


def gaussian_lo(hi, sigma_x, sigma_y=None):
    """Blurred by a Gaussian, sampled at the centres of 16x16 pixels: a sum of shifted pictures."""
    sigma_y, lo, total = sigma_y or sigma_x, 0, 0
    padded = torch.nn.functional.pad(hi, (14,) * 4, mode="reflect")
    for dy in range(-14, 18):
        for dx in range(-14, 18):
            if max(abs(dy - 1.5), abs(dx - 1.5)) > 14:
                continue
            weight = math.exp(-0.5 * (((dy - 1.5) / sigma_y) ** 2 + ((dx - 1.5) / sigma_x) ** 2))
            lo, total = (
                lo + weight * padded[:, :, 14 + dy : 14 + dy + 64 : 4, 14 + dx : 14 + dx + 64 : 4],
                total + weight,
            )
    return lo / total


@pytest.mark.parametrize("sigma", [1.0, 2.5, 4.0])
def test_blur_fit_recovers_the_width_the_noise_and_the_tone(hi, sigma):
    blurred = (gaussian_lo(hi, sigma) + 1) / 2
    lo = 2 * (0.1 + 0.7 * blurred + 0.15 * blurred**2) - 1 + noise((64, 3, 16, 16), 0.03)
    fit = analysis.blur_fit(hi, lo)
    assert abs(fit.width.mean() / sigma - 1) < 0.03
    assert fit.width.std() / sigma < 0.1
    assert abs(fit.residual.pow(2).mean().sqrt() - 0.03) < 0.001
    assert torch.allclose(
        fit.fitted + fit.residual * math.sqrt((256 - 10 / 3) / 256),
        (lo.double() + 1) / 2,
        atol=1e-6,
    )


@pytest.mark.parametrize("sigma", [1.2, 2.5])
@pytest.mark.parametrize("sigma_noise", [0, 0.05])
def test_effective_kernel_recovers_a_gaussian_from_pictures(val, sigma, sigma_noise):
    hi = val.hi.batch()
    lo = 0.8 * gaussian_lo(hi, sigma) + 0.1 + noise((len(hi), 3, 16, 16), sigma_noise)
    kernel = analysis.effective_kernel(hi, lo)
    assert abs(kernel.width / sigma - 1) < 0.08
    assert abs(kernel.gain - 0.8) < 0.02
    assert abs(kernel.taps.sum() - 1) < 1e-6
    if not sigma_noise:
        assert abs(kernel.moment / sigma - 1) < 0.05


def test_effective_kernel_sees_direction(hi):
    taps = analysis.effective_kernel(hi, gaussian_lo(hi, 3.0, 1.2)).taps
    u = torch.arange(len(taps)) - (len(taps) - 1) / 2
    along_x, along_y = ((taps.sum(axis) * u**2).sum().sqrt() for axis in (0, 1))
    assert abs(along_x / 3.0 - 1) < 0.05 and abs(along_y / 1.2 - 1) < 0.1


def test_probe_kernel_of_known_filters(hi):
    """Box of 4: variance (16 - 1) / 12. Triangle of torch: 4 / sqrt(6), less what pixels add."""
    assert abs(analysis.probe_kernel(lambda x, _: pool(x), hi).moment - math.sqrt(15 / 12)) < 0.02
    assert abs(analysis.probe_kernel("bilinear", hi).moment - 4 / math.sqrt(6)) < 0.05
    gauss = analysis.probe_kernel(lambda x, _: 0.5 * gaussian_lo(x, 2.0), hi)
    assert abs(gauss.moment - 2) < 0.03
    assert abs(gauss.width - 2) < 0.03
    assert abs(gauss.gain - 0.5) < 0.01
    assert analysis.probe_kernel("bicubic", hi).moment < 0.2  # its negative lobes cancel the moment
    assert 1.2 < analysis.probe_kernel("bicubic", hi).width < 2.2  # but it is no sharper than this


def test_the_probe_never_leaves_the_range_of_pictures():
    """Light below 0 has no noise level: on black and white faces the camera gave NaN."""

    def clipping(x, _):
        assert x.min() >= -1 and x.max() <= 1
        return pool(x)

    black_and_white = torch.cat((torch.full((8, 3, 64, 64), -1.0), torch.ones(8, 3, 64, 64)))
    assert abs(analysis.probe_kernel(clipping, black_and_white).moment - math.sqrt(15 / 12)) < 0.03
    assert analysis.probe_kernel("camera", black_and_white).taps.isfinite().all()


def test_blur_of_the_camera_follows_its_parameters(val):
    params = load_camera_params("faces:val")
    fit = analysis.blur_fit(val.hi.batch(), val.lo.batch())
    grid = 64 / params["sensor_px"].astype(float)
    true = np.sqrt(
        params["motion_px"] ** 2 / 24 + params["defocus_px"] ** 2 / 4 + grid**2 / 12 + 16 / 12
    )
    assert np.corrcoef(np.log(true), fit.width.log().numpy())[0, 1] > 0.5


def test_the_probe_repeats_by_seed(hi):
    a, b = (analysis.probe_kernel("camera", hi[:8], seed=3) for _ in range(2))
    assert torch.equal(a.taps, b.taps)
    assert not torch.equal(a.taps, analysis.probe_kernel("camera", hi[:8], seed=4).taps)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda hi: analysis.blur_fit(hi, hi), "whole multiple larger"),
        (lambda hi: analysis.effective_kernel(hi, pool(hi), reach=9), "reach must be"),
        (lambda hi: analysis.effective_kernel(hi, pool(hi), reach=0), "reach must be"),
    ],
)
def test_errors_say_what_to_do(hi, call, message):
    with pytest.raises(HLError, match=message):
        call(hi)
