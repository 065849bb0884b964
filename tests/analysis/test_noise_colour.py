"""Noise, colour and spread that were put in are found; the camera's follow its parameters."""

import math

import numpy as np
import pytest
import torch

from hlgan_lib import analysis
from hlgan_lib.data.builtin import load_camera_params
from hlgan_lib.degradations.camera import Camera
from hlgan_lib.degradations.handmade import pool
from hlgan_lib.degradations.optics import srgb_decode, srgb_encode
from hlgan_lib.errors import HLError
from tests.helpers import noise, seeded


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
    assert curve.y[:7].isnan().all()
    assert abs(curve.y[7] - 0.3) < 1e-6
    assert curve.n.tolist() == [0] * 7 + [200]


def test_residual_of_the_camera_holds_at_least_its_random_part(val):
    """Shots with the stored parameters and new noise: what changes from shot to shot."""
    hi, lo = val.hi.batch(), val.lo.batch()
    params = {k: torch.from_numpy(v) for k, v in load_camera_params("faces:val").items()}
    los = torch.stack([Camera().shoot(hi, params, seeded(s)) for s in range(3)])
    random_part = analysis.over_shots(los)[1].pow(2).mean().sqrt()
    residual = analysis.blur_fit(hi, lo).residual.pow(2).mean().sqrt()
    assert 0.01 < random_part < residual < 2.5 * random_part


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


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda hi: analysis.colour_gains(hi, pool(hi)[:1]), "same faces"),
        (lambda hi: analysis.diversity(pool(hi)), "inference.shots"),
        (lambda hi: analysis.diversity(pool(hi)[None]), "2 shots"),
        (lambda hi: analysis.noise_curve(hi, hi[0]), "one shape"),
    ],
)
def test_errors_say_what_to_do(hi, call, message):
    with pytest.raises(HLError, match=message):
        call(hi)
