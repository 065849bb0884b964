"""Causes of failures: what the camera was told to do is found."""

import pytest
import torch

import hlgan_lib as hl
from hlgan_lib.data.builtin import load_camera_params
from hlgan_lib.reliability import triage
from hlgan_lib.reliability.signs import hr_features

LO, HI = hl.load_faces("faces:val:lo")[:24], hl.load_faces("faces:train-hi")[:48]


def test_causes_find_what_the_camera_was_told_to_do():
    hi = hl.load_faces("faces:val:hi").batch(slice(0, 24))
    camera, rng = hl.Camera(), torch.Generator().manual_seed(0)
    mild = camera.draw(len(hi), rng)
    mild |= {
        "exposure_ev": torch.zeros(24),
        "motion_px": torch.zeros(24),
        "defocus_px": torch.full((24,), 0.5),
        "white_balance": torch.ones(24, 3),
        "site_quality": torch.full((24,), 90),
        "shot_gain": torch.full((24,), 1e-3),
        "sensor_px": torch.full((24,), 32),
        "between_px": torch.full((24,), 32),
    }
    bad = {
        "dark": {"exposure_ev": torch.full((24,), -1.1)},
        "bright": {"exposure_ev": torch.full((24,), 0.7)},
        "cast": {"white_balance": torch.tensor([1.3, 1.0, 1 / 1.3]).expand(24, 3)},
        "blur": {"motion_px": torch.full((24,), 8.0), "defocus_px": torch.full((24,), 3.4)},
        "coarse": {"sensor_px": torch.full((24,), 16), "between_px": torch.full((24,), 16)},
        "noise": {"shot_gain": torch.full((24,), 0.02)},
        "JPEG": {"site_quality": torch.full((24,), 40)},
    }
    hr = hr_features(HI)

    def measured(params):
        lo = camera.shoot(hi, params, torch.Generator().manual_seed(1))
        return triage.causes(hi, lo, params, hr)

    usual = measured(mild)
    for name, change in bad.items():
        assert (measured(mild | change)[name] > usual[name] + 1e-9).double().mean() > 0.9, name
    odd = triage.causes(hi.flip(-2), hl.degradations.pool(hi), mild, hr)["rare face"]
    assert (odd > usual["rare face"]).double().mean() > 0.6
    with pytest.raises(hl.HLError, match="same shots"):
        triage.causes(hi[:3], hi[:3, :, ::4, ::4], mild, hr)


def test_counts_by_hand():
    numbers = {"a": torch.arange(10.0), "b": torch.arange(10.0).flip(0)}
    limit = triage.limits(numbers, 0.2)
    has = triage.triage(numbers, limit)
    assert has["a"].nonzero().flatten().tolist() == [8, 9]
    assert has["b"].nonzero().flatten().tolist() == [0, 1]
    failed = torch.tensor([0, 0, 1, 0, 0, 0, 0, 0, 1, 1]).bool()
    table = triage.counts(has, failed)
    assert (table["a"]["all"], table["a"]["failed"], table["a"]["times"]) == (
        2,
        2,
        pytest.approx((2 / 3) / 0.2),
    )
    assert table["b"]["times"] == 0
    assert table["none"] | {"ci": 0} == {
        "all": 6,
        "failed": 1,
        "times": pytest.approx((1 / 3) / 0.6),
        "ci": 0,
    }
    assert triage.labels(has)[7:] == ["none", "a", "a"]
    for call, says in (
        (lambda: triage.counts(has, failed & False), "at least one failure"),
        (lambda: triage.triage(numbers, {"a": 1}), "none for b"),
        (lambda: triage.limits(numbers, 1), "between 0 and 1"),
    ):
        with pytest.raises(hl.HLError, match=says):
            call()


def test_the_stored_parameters_fit_the_stored_pairs():
    pairs = hl.load_faces("faces:val")
    hi, lo = pairs.hi.batch(), pairs.lo.batch()
    numbers = triage.causes(hi, lo, load_camera_params("faces:val"), hr_features(HI))
    assert set(numbers) == set(triage.CAUSES)
    share = {
        k: v.double().mean().item()
        for k, v in triage.triage(numbers, triage.limits(numbers)).items()
    }
    assert all(0.04 < v <= 0.1 for v in share.values()), share  # whole numbers tie at the limit
