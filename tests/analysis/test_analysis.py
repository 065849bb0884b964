"""Each estimator on pictures whose degradation is exactly known, then on the camera, whose parameters are stored."""

import math

import numpy as np
import pytest
import torch

from hlgan_lib import analysis, inference, stats
from hlgan_lib.config import preset
from hlgan_lib.data.builtin import load_camera_params
from hlgan_lib.data.loading import load_faces
from hlgan_lib.degradations.camera import Camera
from hlgan_lib.degradations.handmade import bilinear, pool
from hlgan_lib.degradations.optics import srgb_decode, srgb_encode
from hlgan_lib.errors import HLError
from hlgan_lib.networks.paper import HighToLow


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(shape, sigma, seed=0):
    """Of spread sigma in full scale 1, for pictures in [-1, 1]."""
    return 2 * sigma * torch.randn(shape, generator=seeded(seed))


@pytest.fixture(scope="module")
def val():
    return load_faces("faces:val")


@pytest.fixture(scope="module")
def hi(val):
    return val.hi.batch(slice(0, 64))


def gaussian_lo(hi, sigma_x, sigma_y=None):
    """Blurred by a Gaussian and sampled at the centres of 16x16 pixels, by a plain sum over shifted pictures."""
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


# ---- spectrum ------------------------------------------------------------------------
def test_the_spectrum_of_white_noise_is_its_variance_on_every_ring_but_the_first():
    curve = analysis.power_spectrum(noise((400, 3, 16, 16), 0.1))
    assert torch.allclose(curve.y[1:], torch.full((7,), 0.01).double(), rtol=0.05)
    assert 0.0065 < curve.y[0] < 0.0085  # the mean has taken some of it away
    assert curve.x.tolist() == [k / 16 for k in range(1, 9)]


@pytest.mark.parametrize("cycles", [2, 5])
def test_the_spectrum_of_stripes_peaks_at_their_frequency_and_forgets_brightness(cycles):
    wave = 0.5 * torch.cos(2 * math.pi * cycles * torch.arange(16) / 16).expand(1, 3, 16, 16)
    curve = analysis.power_spectrum(wave)
    assert curve.x[curve.y.argmax()] == cycles / 16
    assert torch.allclose(analysis.power_spectrum(wave + 0.3).y, curve.y, atol=1e-9)
    assert torch.allclose(analysis.power_spectrum(2 * wave).y, 4 * curve.y)


def test_noise_adds_its_variance_to_the_high_frequencies_of_faces(val):
    hi = val.hi.batch(slice(0, 64))
    clean = bilinear(hi)
    noisy = clean + noise(clean.shape, 0.06)
    added = analysis.power_spectrum(noisy).y - analysis.power_spectrum(clean).y
    assert torch.allclose(added[4:], torch.full((4,), 0.06**2).double(), rtol=0.08)


# ---- blur ------------------------------------------------------------------------
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
    """Box of 4: variance (16 - 1) / 12. Triangle of Pillow and torch: 4 / sqrt(6), minus what the pixel grid adds."""
    assert abs(analysis.probe_kernel(lambda x, _: pool(x), hi).moment - math.sqrt(15 / 12)) < 0.02
    assert abs(analysis.probe_kernel("bilinear", hi).moment - 4 / math.sqrt(6)) < 0.05
    gauss = analysis.probe_kernel(lambda x, _: 0.5 * gaussian_lo(x, 2.0), hi)
    assert (
        abs(gauss.moment - 2) < 0.03
        and abs(gauss.width - 2) < 0.03
        and abs(gauss.gain - 0.5) < 0.01
    )
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


# ---- noise ------------------------------------------------------------------------
def test_noise_curve_recovers_noise_that_grows_with_brightness(hi):
    level = (pool(hi) + 1) / 2
    sigma = 0.01 + 0.05 * level
    los = torch.stack(
        [pool(hi) + 2 * sigma * torch.randn(sigma.shape, generator=seeded(s)) for s in range(6)]
    )
    for curve in (
        analysis.noise_curve(*analysis.over_shots(los)),
        analysis.noise_curve(*(lambda f: (f.fitted, f.residual))(analysis.blur_fit(hi, los[0]))),
    ):
        held = ~curve.y.isnan()
        assert held.sum() >= 6
        assert torch.allclose(curve.y[held], 0.01 + 0.05 * curve.x[held], rtol=0.09)


def test_noise_curve_leaves_thin_bins_out():
    curve = analysis.noise_curve(torch.full((200,), 0.9), torch.full((200,), 0.3))
    assert (
        curve.y[:7].isnan().all()
        and abs(curve.y[7] - 0.3) < 1e-6
        and curve.n.tolist() == [0] * 7 + [200]
    )


def test_residual_of_the_camera_holds_at_least_its_random_part(val):
    """Two shots with the stored parameters and new noise: the truth of what changes from shot to shot."""
    hi, lo = val.hi.batch(), val.lo.batch()
    params = {k: torch.from_numpy(v) for k, v in load_camera_params("faces:val").items()}
    los = torch.stack([Camera().shoot(hi, params, seeded(s)) for s in range(3)])
    random_part = analysis.over_shots(los)[1].pow(2).mean().sqrt()
    residual = analysis.blur_fit(hi, lo).residual.pow(2).mean().sqrt()
    assert 0.01 < random_part < residual < 2.5 * random_part


# ---- colour and diversity ------------------------------------------------------------------------
def test_colour_gains_are_recovered_in_stops(hi):
    stops = torch.tensor([-0.3, -0.5, -0.8])
    light = srgb_decode((hi + 1) / 2) * 2 ** stops[:, None, None]
    lo = srgb_encode(torch.nn.functional.avg_pool2d(light, 4)) * 2 - 1
    gains = analysis.colour_gains(hi, lo)
    assert torch.allclose(gains, stops.double().expand(64, 3), atol=0.01)
    shift = analysis.colour_shift(gains)
    assert abs(shift["exposure"].mean() + 0.525) < 0.01
    assert abs(shift["warmth"].mean() - 0.25) < 0.01
    assert abs(shift["tint"].mean() - 0.05) < 0.01


@pytest.mark.parametrize("name, least", [("exposure", 0.75), ("warmth", 0.8), ("tint", 0.5)])
def test_colour_of_the_camera_follows_its_parameters(val, name, least):
    params = load_camera_params("faces:val")
    ev = params["exposure_ev"][:, None] + np.log2(params["white_balance"])
    true = analysis.colour_shift(torch.from_numpy(ev))[name]
    seen = analysis.colour_shift(analysis.colour_gains(val.hi.batch(), val.lo.batch()))[name]
    assert np.corrcoef(true.numpy(), seen.numpy())[0, 1] > least


def test_diversity_splits_colour_from_detail(hi):
    base, n = pool(hi)[:32], 12
    shift = noise((n, 32, 3, 1, 1), 0.04)
    detail = noise((n, 32, 3, 16, 16), 0.03, seed=1)
    spread = analysis.diversity(base + shift + detail - detail.mean((3, 4), keepdim=True))
    assert abs(spread.colour - 0.04) < 0.003 and abs(spread.detail - 0.03) < 0.001
    assert math.isclose(spread.total**2, spread.colour**2 + spread.detail**2, rel_tol=1e-6)
    assert analysis.diversity(base.expand(3, -1, -1, -1, -1)).total < 1e-7


# ---- two-sample test ------------------------------------------------------------------------
def test_two_sample_is_at_chance_for_one_set_and_sure_for_two():
    a, b = (torch.randn(200, 20, generator=seeded(s)) for s in (0, 1))
    same = analysis.two_sample(a, b)
    assert same.low - 0.03 < 0.5 < same.high + 0.03 and same.n == 400
    assert analysis.two_sample(a, b + 3).accuracy > 0.99
    assert analysis.two_sample(a, 2.5 * b).low > 0.8  # the same mean, another spread


def test_two_sample_reaches_the_best_possible_accuracy():
    """Gaussians d apart: no classifier beats Phi(d / 2), which is 0.841 at d = 2."""
    a, b = (torch.randn(600, 3, generator=seeded(s)) for s in (0, 1))
    b[:, 0] += 2
    result = analysis.two_sample(a, b)
    assert result.low < 0.841 < result.high


def test_two_sample_tells_bilinear_from_real_and_not_real_from_real(val):
    others = load_faces("faces:train-lo").batch(slice(0, 800, 4))
    real = analysis.statistics(val.lo.batch())
    made = analysis.statistics(bilinear(load_faces("faces:train-hi").batch(slice(0, 200))))
    assert analysis.two_sample(real, made).low > 0.8
    assert 0.4 < analysis.two_sample(real, analysis.statistics(others)).accuracy < 0.57


def test_wilson_interval_of_a_known_case():
    low, high = stats.wilson(81, 263)  # Newcombe 1998: 0.2553, 0.3662
    assert abs(low - 0.2553) < 1e-4 and abs(high - 0.3662) < 1e-4
    assert stats.wilson(0, 44)[0] == 0 and stats.wilson(44, 44)[1] == 1


# ---- shots, seeds, errors ------------------------------------------------------------------------
def test_shots_of_each_degradation_repeat_by_seed(hi):
    h2l = HighToLow(preset("smoke"))
    for degradation in ("bilinear", "camera", h2l, lambda x, generator: pool(x)):
        los = inference.shots(degradation, hi[:3], n=2, seed=4)
        assert los.shape == (2, 3, 3, 16, 16)
        assert torch.equal(los, inference.shots(degradation, hi[:3], n=2, seed=4))
    assert not torch.equal(*inference.shots("camera", hi[:3], n=2))
    assert torch.equal(*inference.shots("bilinear", hi[:3], n=2))


def test_estimators_repeat_by_seed(hi):
    a, b = (analysis.probe_kernel("camera", hi[:8], seed=3) for _ in range(2))
    assert torch.equal(a.taps, b.taps)
    features = torch.randn(40, 5, generator=seeded())
    assert analysis.two_sample(features, features + 0.5, 7) == analysis.two_sample(
        features, features + 0.5, 7
    )


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda hi: analysis.blur_fit(hi, hi), "whole multiple larger"),
        (lambda hi: analysis.colour_gains(hi, pool(hi)[:1]), "same faces"),
        (lambda hi: analysis.power_spectrum(hi[0]), r"must be float \(B, 3, s, s\)"),
        (lambda hi: analysis.diversity(pool(hi)), "inference.shots"),
        (lambda hi: analysis.diversity(pool(hi)[None]), "2 shots"),
        (lambda hi: analysis.effective_kernel(hi, pool(hi), reach=9), "reach must be"),
        (lambda hi: analysis.noise_curve(hi, hi[0]), "one shape"),
        (
            lambda hi: analysis.two_sample(torch.zeros(3, 2), torch.zeros(30, 2)),
            "at least 10 pictures",
        ),
        (lambda hi: inference.shots("blurry", hi), "degradation must be one of"),
    ],
)
def test_errors_say_what_to_do(hi, call, message):
    with pytest.raises(HLError, match=message):
        call(hi)
