"""The camera: its parameters are the ground truth, and each does what its name says."""

import numpy as np
import pytest
import torch

from hlgan_lib.data.builtin import load_camera_params
from hlgan_lib.data.loading import load_faces
from hlgan_lib.degradations.camera import Camera, lacking
from hlgan_lib.degradations.handmade import bilinear, pool, second_order
from hlgan_lib.degradations.optics import srgb_decode, srgb_encode, tone
from hlgan_lib.errors import HLError


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def grey():
    return torch.zeros(200, 3, 64, 64)


def gentle(n, **changes):
    """Parameters of a camera that does next to nothing, but for the given changes."""
    one = torch.ones(n)
    params = dict(
        exposure_ev=0 * one,
        white_balance=torch.ones(n, 3),
        motion_px=0 * one,
        motion_angle=0 * one,
        defocus_px=0 * one,
        sensor_px=32 * one,
        shot_gain=0 * one,
        read_sigma=0 * one,
        gamma=one,
        contrast=one,
        camera_quality=0 * one,
        camera_subsampled=0 * one,
        camera_offset=torch.zeros(n, 2),
        between_px=32 * one,
        kernel_1=0 * one,
        kernel_2=0 * one,
        site_quality=100 * one,
        site_subsampled=0 * one,
        site_offset=torch.zeros(n, 2),
    )
    params |= {
        name: value if isinstance(value, torch.Tensor) else value * one
        for name, value in changes.items()
    }
    whole = (
        "sensor_px",
        "camera_quality",
        "camera_offset",
        "between_px",
        "kernel_1",
        "kernel_2",
        "site_quality",
        "site_offset",
    )
    params |= {name: params[name].long() for name in whole}
    return params | {name: params[name].bool() for name in ("camera_subsampled", "site_subsampled")}


def shoot(hi, **changes):
    return Camera().shoot(hi, gentle(len(hi), **changes), seeded())


def test_same_generator_state_same_pixels_and_eight_bits(hi):
    a, b, c = Camera()(hi, seeded(5)), Camera()(hi, seeded(5)), Camera()(hi, seeded(6))
    assert torch.equal(a.lo, b.lo) and all(torch.equal(a.params[k], b.params[k]) for k in a.params)
    assert (
        not torch.equal(a.lo, c.lo)
        and a.lo.shape == (24, 3, 16, 16)
        and a.lo.dtype == torch.float32
    )
    levels = (a.lo + 1) * 127.5
    assert a.lo.min() >= -1 and a.lo.max() <= 1 and (levels - levels.round()).abs().max() < 1e-3


def test_parameters_stay_in_their_ranges_and_fill_them():
    camera = Camera()
    p = camera.draw(4000, seeded())
    assert all(len(v) == 4000 for v in p.values())
    for name in (
        "exposure_ev",
        "sensor_px",
        "shot_gain",
        "read_sigma",
        "gamma",
        "contrast",
        "site_quality",
    ):
        low, high = getattr(camera, name)
        middle = p[name].float().quantile(torch.tensor([0.05, 0.95]))
        assert (
            low <= p[name].min() + 1e-6
            and p[name].max() <= high + 1e-6
            and middle[0] < (low + high) / 2 < p[name].max()
        )
    assert (
        p["motion_px"].max() <= camera.motion_px[0]
        and p["defocus_px"].max() <= camera.defocus_px[0]
    )
    assert ((p["between_px"] >= 16) & (p["between_px"] <= p["sensor_px"])).all()
    assert (p["camera_quality"] == 0).float().mean() == pytest.approx(
        1 - camera.p_camera_jpeg, abs=0.03
    )
    assert p["site_offset"].min() == 0 and p["site_offset"].max() == 15
    assert set(p["kernel_1"].tolist()) == {0, 1, 2, 3}


def test_a_gentle_camera_takes_the_average_in_linear_light(hi):
    light = srgb_encode(pool(srgb_decode((hi + 1) / 2)))
    assert (shoot(hi, sensor_px=16.0, between_px=16.0) - (light * 2 - 1)).abs().mean() < 0.01


def test_the_given_parameters_are_the_ones_at_work(hi):
    """shoot with the params that a call returns gives that call's picture, without noise."""
    quiet = Camera(shot_gain=(1e-12, 1e-12), read_sigma=(1e-12, 1e-12))
    shot = quiet(hi, seeded(9))
    assert (quiet.shoot(hi, shot.params, seeded(10)) - shot.lo).abs().mean() < 1e-3
    for name in shot.params:
        if name in ("shot_gain", "read_sigma"):
            continue
        rolled = shot.params | {name: shot.params[name].roll(1, 0)}
        assert not torch.equal(quiet.shoot(hi, rolled, seeded(10)), shot.lo), name


@pytest.mark.parametrize(
    "name, values", [("read_sigma", (0.003, 0.01, 0.03)), ("shot_gain", (0.0005, 0.003, 0.02))]
)
def test_more_noise_makes_more_noise(grey, name, values):
    spread = [shoot(grey, **{name: v}).std(0).mean().item() for v in values]
    assert spread[1] > 1.3 * spread[0] and spread[2] > 1.3 * spread[1]


def test_shot_noise_grows_with_the_light_and_read_noise_does_not():
    def sensor_noise(level, **noise):  # back to linear light
        value = (shoot(torch.full((200, 3, 64, 64), level), **noise) + 1) / 2
        return srgb_decode(value).std(0).mean().item()

    assert sensor_noise(0.5, shot_gain=0.002) > 1.6 * sensor_noise(-0.3, shot_gain=0.002)
    assert sensor_noise(0.5, read_sigma=0.02) == pytest.approx(
        sensor_noise(-0.3, read_sigma=0.02), rel=0.15
    )


def test_exposure_warmth_tint_and_tone_move_what_they_should(grey):
    grey = grey[:2]
    mean = [shoot(grey, exposure_ev=ev).mean().item() for ev in (-1, 0, 0.7)]
    assert mean[0] < mean[1] < mean[2]
    r, g, b = shoot(grey, white_balance=torch.tensor([[1.3, 1.0, 0.77]]).repeat(2, 1)).mean(
        (0, 2, 3)
    )
    assert r > g > b
    assert shoot(grey, gamma=0.8).mean() > mean[1] > shoot(grey, gamma=1.25).mean()
    assert tone(torch.tensor([0.25, 0.5, 0.75]), torch.tensor(1.3)).tolist() == pytest.approx(
        [0.1934, 0.5, 0.8066], abs=1e-3
    )


def detail(lo):
    return (lo[..., 1:] - lo[..., :-1]).abs().mean().item() + (
        lo[..., 1:, :] - lo[..., :-1, :]
    ).abs().mean().item()


@pytest.mark.parametrize("name, values", [("motion_px", (0, 4, 8)), ("defocus_px", (0, 1.7, 3.4))])
def test_blur_takes_detail_away(hi, name, values):
    kept = [detail(shoot(hi, **{name: v})) for v in values]
    assert kept[0] > kept[1] > kept[2]


def test_motion_blurs_along_its_angle(hi):
    level = shoot(hi, motion_px=8.0, motion_angle=0.0)
    upright = shoot(hi, motion_px=8.0, motion_angle=torch.pi / 2)

    def across(lo):
        return (lo[..., 1:] - lo[..., :-1]).abs().mean()

    assert across(level) < 0.9 * across(upright)


@pytest.mark.parametrize("name", ["site_quality", "camera_quality"])
def test_lower_quality_loses_more(hi, name):
    best = shoot(hi)
    lost = [(shoot(hi, **{name: q}) - best).pow(2).mean().item() for q in (95, 70, 40)]
    assert lost[0] < lost[1] < lost[2]


def test_the_camera_is_clearly_worse_than_bilinear(hi):
    error = (Camera()(hi, seeded()).lo - bilinear(hi)).pow(2).mean((1, 2, 3)).sqrt()
    assert 0.1 < error.median() < 0.5


def test_other_sizes_scale(hi):
    big = torch.nn.functional.interpolate(hi[:3], size=128, mode="bilinear", align_corners=False)
    shot = Camera(size=32)(big, seeded())
    assert shot.lo.shape == (3, 3, 32, 32) and shot.params["sensor_px"].min() >= 32
    assert Camera(size=8)(hi[:3], seeded()).lo.shape == (3, 3, 8, 8)


def test_shipped_shots_are_this_cameras():
    """The shots of faces:val come from Camera() as it is: a change of it shows here."""
    pairs, told = load_faces("faces:val"), load_camera_params("faces:val")
    shot = Camera()(pairs.hi.batch(), seeded(20261123 + 4200))
    assert (shot.lo - pairs.lo.batch()).abs().mean() < 0.02  # JPEG decoders may differ by a level
    for name, values in told.items():
        assert np.allclose(shot.params[name].numpy(), values, rtol=1e-4, atol=1e-4), name


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_works_on_the_device_of_hi(hi):
    shot = Camera()(hi.cuda(), seeded(5))
    assert shot.lo.is_cuda and all(v.is_cuda for v in shot.params.values())
    assert (shot.lo.cpu() - Camera()(hi, seeded(5)).lo).abs().mean() < 0.01
    assert second_order(hi.cuda(), torch.Generator("cuda").manual_seed(1)).is_cuda


def test_a_camera_that_lacks_nothing_is_the_camera(hi):
    assert torch.equal(lacking()(hi, seeded(3)), Camera()(hi, seeded(3)).lo)


def test_a_camera_without_light_keeps_the_colours(hi):
    still = lacking(exposure_ev=0, white_balance=1, gamma=1, contrast=1)(hi, seeded(3))
    moved = Camera()(hi, seeded(3)).lo
    cast = [(x.mean((2, 3)) - hi.mean((2, 3))).abs().mean() for x in (still, moved)]
    assert cast[0] < 0.3 * cast[1]
    with pytest.raises(HLError, match="fixed must name parameters of the camera .*, got 'defocus'"):
        lacking(defocus=0)(hi, seeded())
