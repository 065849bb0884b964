"""The law of a camera's numbers, learned or simulated, in terms that can be compared."""

import math

import pytest
import torch

import hlgan_lib as hl
from hlgan_lib.analysis.camera_law import (
    NUMBERS,
    coupling,
    learned_law,
    other_law,
    scene_slopes,
    true_law,
)
from hlgan_lib.degradations.camera import Camera
from hlgan_lib.degradations.handmade import pool
from hlgan_lib.degradations.other_cameras import JPEG, OTHER_CAMERAS
from hlgan_lib.networks.adaptive_law import SCENE, scene_statistics
from hlgan_lib.networks.camera import LAWS, LearnedCamera


def test_both_laws_hold_the_same_finite_numbers():
    learned = learned_law(LearnedCamera(hl.preset("smoke").replace(h2l_model="camera")), n=50)
    true = true_law(n=50)
    assert set(learned) == set(true) == set(NUMBERS)
    for law in (learned, true):
        assert all(x.shape == (50,) and x.isfinite().all() for x in law.values())


def test_the_true_law_repeats_the_camera():
    """Light as drawn; a sharp, still camera of 16 photosites has the width of a box of 4 points."""
    law = true_law(n=4_000)
    assert law["exposure"].mean().item() == pytest.approx(-0.2, abs=0.02)
    assert law["warmth"].std().item() == pytest.approx(0.42 / 6**0.5, rel=0.05)
    sharp = Camera(motion_px=(0.0, 1), defocus_px=(0.0, 1), sensor_px=(16, 16), p_two_resizes=0.0)
    blurs = true_law(sharp, n=200)["blur"]
    assert blurs.min().item() == pytest.approx((15 / 12) ** 0.5, rel=0.02)
    gains = true_law(Camera(shot_gain=(0.01, 0.01), sensor_px=(16, 16), p_two_resizes=0.0), n=200)
    assert gains["shot noise"].max().item() == pytest.approx(-2, abs=1e-3)  # nothing is averaged


def test_the_width_of_a_learned_blur_is_that_of_its_parts():
    net = LearnedCamera(hl.preset("smoke").replace(h2l_model="camera"))
    with torch.no_grad():
        net.factor.zero_()
    p = {k: v[0].item() for k, v in net.numbers(torch.zeros(1, 64)).items()}
    wanted = p["defocus"] ** 2 + p["motion"] ** 2 / 24 + 15 / 12 + 16 * p["smear"]
    assert learned_law(net, n=3)["blur"][0].item() == pytest.approx(wanted**0.5, rel=1e-5)


def test_coupling_is_one_for_pooling_and_less_for_a_grey_mixture():
    hi = hl.load_faces("faces:val:hi").batch(slice(0, 60))
    lo = pool(hi)
    assert all(v == pytest.approx(1.0, abs=1e-4) for v in coupling(lo, hi).values())
    greyer = coupling((lo + lo.mean(1, keepdim=True)) / 2, hi)
    assert greyer["warmth"] < 0.7 and greyer["tint"] < 0.7 and greyer["light"] > 0.9


def test_the_law_of_other_cameras_is_what_they_drew():
    hi = hl.load_faces("faces:val:hi").batch(slice(0, 100))
    law = {name: other_law(name, hi, n=300) for name in OTHER_CAMERAS}
    assert all(set(found) <= set(NUMBERS) for found in law.values())
    assert all(x.shape == (300,) and x.isfinite().all() for v in law.values() for x in v.values())
    assert torch.equal(law["jpeg"]["gamma"], true_law(JPEG, n=300)["gamma"])

    night = law["night"]
    assert night["exposure"].mean().item() == pytest.approx(-1.7, abs=0.1)
    assert night["warmth"].mean().item() == pytest.approx(0.4, abs=0.05)
    assert night["gamma"].min() > 0.6 and night["gamma"].max() < 0.9
    assert -2.7 < night["shot noise"].min() < night["shot noise"].max() < -2
    webcam = law["webcam"]
    assert webcam["warmth"].mean() < -0.1  # faces are warm: grey world takes it away
    assert (webcam["blur"] == 0).float().mean() > 0.5 and "read noise" not in webcam
    assert set(law["auto"]) == set(NUMBERS)
    assert set(law["scan"]) == {"contrast", "blur"} and law["clean"] == {}


def test_slopes_are_those_of_a_known_camera():
    """`auto` makes up half of the light that a scene lacks; `webcam` takes part of its colour."""
    hi = hl.load_faces("faces:val:hi").batch(slice(0, 200))
    auto = scene_slopes(other_law("auto", hi, n=1_000), hi)
    assert set(auto) == set(NUMBERS) and set(auto["exposure"]) == set(SCENE)
    assert auto["exposure"]["light"] == pytest.approx(-0.5, abs=0.05)
    assert auto["shot noise"]["light"] == pytest.approx(-3 * math.log10(2), abs=0.1)
    assert auto["blur"]["light"] < -0.2
    assert all(abs(slope) < 0.1 for slope in auto["gamma"].values())
    webcam = scene_slopes(other_law("webcam", hi, n=1_000), hi)
    assert webcam["warmth"]["warmth"] == pytest.approx(-0.65, abs=0.05)

    net = LearnedCamera(hl.preset("smoke").replace(h2l_law="adaptive"))
    net.adaptive.set(scene_statistics(hi))
    with torch.no_grad():
        net.adaptive.mean_slope[list(LAWS).index("warmth"), 1] = -1 / net.RATE
    learned = scene_slopes(learned_law(net, n=1_000, hi=hi), hi)
    wanted = -net.spread[list(LAWS).index("warmth")] / net.adaptive.width[1]
    assert learned["warmth"]["warmth"] == pytest.approx(wanted.item(), abs=0.1)


def test_the_blur_of_another_camera_is_lens_and_integration():
    """`scan` draws two widths, 0.8 to 3 and 0.8 to 2: the root of the mean variance, with 15/12."""
    blur = other_law("scan", torch.zeros(4, 3, 64, 64), n=300)["blur"]
    low, high = (0.8**2 + 15 / 12) ** 0.5, ((3**2 + 2**2) / 2 + 15 / 12) ** 0.5
    assert low - 0.02 < blur.min() and blur.max() < high + 0.02
