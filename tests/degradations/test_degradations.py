"""Poor pictures: the hand-made ways, the JPEG, and the camera whose parameters are the ground truth."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from hlgan_lib.data.builtin import load_camera_params
from hlgan_lib.data.loading import load_faces
from hlgan_lib.degradations import DEGRADATIONS, degradation
from hlgan_lib.degradations.camera import Camera, lacking
from hlgan_lib.degradations.handmade import bicubic, bilinear, blurred, pool, second_order
from hlgan_lib.degradations.jpeg import code_and_decode, jpeg_inside_photograph
from hlgan_lib.degradations.optics import (
    apply,
    blur,
    gaussian,
    integration,
    psf,
    resampling,
    sinc,
    srgb_decode,
    srgb_encode,
    tone,
)
from hlgan_lib.errors import HLError


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def hi():
    return load_faces("faces:val:hi").batch(slice(0, 24))


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


# ---- hand-made ---------------------------------------------------------------------------------------------------
def test_pool_is_the_mean_of_squares(hi):
    lo = pool(hi)
    assert torch.allclose(lo[3, 1, 5, 7], hi[3, 1, 20:24, 28:32].mean(), atol=1e-6)
    with pytest.raises(HLError, match="divides 64, got 24"):
        pool(hi, 24)


@pytest.mark.parametrize(
    "shrink, kernel", [(bilinear, Image.Resampling.BILINEAR), (bicubic, Image.Resampling.BICUBIC)]
)
def test_shrinking_is_antialiased_as_pillow_does_it(hi, shrink, kernel):
    ours = shrink(hi)[0, 0].numpy()
    theirs = np.asarray(Image.fromarray(hi[0, 0].numpy()).resize((16, 16), kernel))
    assert np.abs(ours - theirs.clip(-1, 1)).max() < 1e-4


def test_second_order_is_seeded_poor_and_in_range(hi):
    lo = second_order(hi, seeded(1))
    assert lo.shape == (24, 3, 16, 16) and lo.min() >= -1 and lo.max() <= 1
    assert torch.equal(lo, second_order(hi, seeded(1))) and not torch.equal(
        lo, second_order(hi, seeded(2))
    )
    assert (lo - pool(hi)).pow(2).mean() > 3 * (bilinear(hi) - pool(hi)).pow(2).mean()


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


def test_degradation_by_name(hi):
    for name in DEGRADATIONS:
        assert degradation(name)(hi, seeded()).shape == (24, 3, 16, 16)
    assert torch.equal(degradation("camera")(hi, seeded(4)), Camera()(hi, seeded(4)).lo)
    with pytest.raises(HLError, match="bilinear, bicubic, blur, handmade, camera, got 'fog'"):
        degradation("fog")


@pytest.mark.parametrize(
    "wrong",
    [
        torch.zeros(2, 3, 8, 8),
        torch.zeros(3, 64, 64),
        torch.zeros(2, 3, 64, 64).byte(),
        torch.zeros(2, 1, 64, 64),
        torch.zeros(2, 3, 64, 48),
    ],
)
@pytest.mark.parametrize(
    "shrink",
    [pool, bilinear, bicubic, lambda x: second_order(x, seeded()), lambda x: Camera()(x, seeded())],
)
def test_wrong_hi_is_named(shrink, wrong):
    with pytest.raises(HLError, match="hi must be"):
        shrink(wrong)


# ---- pieces ------------------------------------------------------------------------------------------------------
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


# ---- JPEG --------------------------------------------------------------------------------------------------------
def by_libjpeg(x, quality, subsampled):
    file = io.BytesIO()
    picture = Image.fromarray(x.byte().permute(1, 2, 0).numpy())
    picture.save(file, "JPEG", quality=quality, subsampling=2 if subsampled else 0)
    return torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1).float()


@pytest.mark.parametrize("quality", [20, 45, 75, 95])
@pytest.mark.parametrize("subsampled", [False, True])
def test_jpeg_is_that_of_libjpeg(hi, quality, subsampled):
    rgb = ((hi[:4] + 1) * 127.5).round()
    ours = (
        code_and_decode(rgb / 255, torch.full((4,), quality), torch.full((4,), subsampled)) * 255
    ).round()
    theirs = torch.stack([by_libjpeg(x, quality, subsampled) for x in rgb])
    lost = (theirs - rgb).pow(2).mean().sqrt()
    # libjpeg rounds to whole levels between its steps, so that a coefficient in a hundred falls to the other side
    assert ((ours - theirs).abs() <= 1).float().mean() > 0.75
    assert (ours - theirs).pow(2).mean().sqrt() < max(0.35 * lost, 0.8)
    wrong = (
        code_and_decode(rgb / 255, torch.full((4,), quality - 6), torch.full((4,), subsampled))
        * 255
    )
    assert ((wrong.round() - theirs).abs() <= 1).float().mean() < 0.7


def test_jpeg_blocks_fall_where_the_offset_says():
    x = torch.rand(1, 3, 16, 16, generator=seeded()).repeat(3, 1, 1, 1)
    offset = torch.tensor([[0, 0], [3, 0], [8, 8]])
    args = torch.full((3,), 16), torch.full((3,), 30), torch.zeros(3, dtype=torch.bool)
    out = jpeg_inside_photograph(x, *args, offset)
    plain = code_and_decode(x[:1], torch.tensor([30]), torch.tensor([False]))
    assert torch.allclose(out[0], plain[0], atol=1e-5) and torch.allclose(
        out[2], plain[0], atol=1e-5
    )
    assert (out[1] - plain[0]).abs().mean() > 0.01


# ---- the camera --------------------------------------------------------------------------------------------------
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
    """shoot with the params that a call returns gives that call's picture where there is no noise."""
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
    across = lambda lo: (lo[..., 1:] - lo[..., :-1]).abs().mean()  # noqa: E731
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
    """The shots of faces:val come from Camera() as it is: a change of its ranges or arithmetic shows here."""
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


def test_blurred_is_seeded_and_between_bilinear_and_a_wide_blur(hi):
    lo = blurred(hi, seeded(1))
    assert torch.equal(lo, blurred(hi, seeded(1))) and not torch.equal(lo, blurred(hi, seeded(2)))
    contrast = lambda x: (x[..., 1:] - x[..., :-1]).abs().mean()  # noqa: E731
    wide = torch.full((len(hi),), 3.0)
    assert (
        contrast(bilinear(blur(hi, gaussian(wide, wide, 0 * wide, 9))))
        < contrast(lo)
        < contrast(bilinear(hi))
    )
    with pytest.raises(HLError, match="did you pass lo"):
        blurred(hi[..., :8, :8], seeded())


# ---- a camera that lacks something -----------------------------------------------------------------------------------
def test_a_camera_that_lacks_nothing_is_the_camera(hi):
    assert torch.equal(lacking()(hi, seeded(3)), Camera()(hi, seeded(3)).lo)


def test_a_camera_without_light_keeps_the_colours(hi):
    still = lacking(exposure_ev=0, white_balance=1, gamma=1, contrast=1)(hi, seeded(3))
    moved = Camera()(hi, seeded(3)).lo
    cast = [(x.mean((2, 3)) - hi.mean((2, 3))).abs().mean() for x in (still, moved)]
    assert cast[0] < 0.3 * cast[1]
    with pytest.raises(HLError, match="fixed must name parameters of the camera .*, got 'defocus'"):
        lacking(defocus=0)(hi, seeded())
