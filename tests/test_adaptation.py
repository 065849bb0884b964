"""Adaptation: a camera that differs is found and kept, one that is right already stays."""

import json

import pytest
import torch

import hlgan_lib as hl
from hlgan_lib.adaptation import AT_LEAST, FILES, adapt, fitted
from hlgan_lib.analysis.camera_law import learned_law
from hlgan_lib.data.faces import FaceSet, to_uint8
from hlgan_lib.errors import HLError
from hlgan_lib.losses import picture_statistics
from hlgan_lib.networks.camera import LearnedCamera
from tests.helpers import HI, TINY, same, weights

CFG = TINY.replace(h2l_model="camera")


def camera(stops=0.0, domains=1):
    """An untrained camera, of whose (last) law the exposure is moved."""
    net = LearnedCamera(CFG.replace(domains=domains)).eval().requires_grad_(False)
    last = net.mean if domains == 1 else net.mean[-1]
    last[2] = stops / net.RATE / net.spread[2]
    return net


def taken(net, n=40, seed=3):
    """n pictures by a camera, of half of the faces again and again."""
    hi = HI.batch(slice(0, 20)).repeat(n // 20, 1, 1, 1)
    z = torch.randn(n, net.cfg.z_dim, generator=torch.Generator().manual_seed(seed))
    return FaceSet(to_uint8(net(hi, z)).numpy(), tuple(f"{i}.png" for i in range(n)), "taken")


def light(net):
    return picture_statistics(taken(net, 20, seed=9).batch())[:, 0].mean().item()


@pytest.fixture(scope="module")
def found():
    return adapt(camera(), taken(camera(-1.5)), hi=HI[20:], steps=30, device="cpu")


def test_a_darker_camera_is_found_and_kept(found):
    was, true, now = light(camera()), light(camera(-1.5)), light(found.net)
    assert found.kept and found.gain > 2 * found.error > 0
    assert abs(now - true) < 0.4 * abs(was - true)
    assert found.after.energy < found.before.energy and found.after.kernel < found.before.kernel
    assert found.after.told_apart.accuracy < found.before.told_apart.accuracy
    assert "kept the adapted law" in found.verdict()


def test_a_law_that_is_right_already_stays():
    net = camera()
    found = adapt(net, taken(net), hi=HI[20:], steps=30, device="cpu")
    assert not found.kept and torch.equal(found.net.mean, net.mean)
    assert torch.equal(found.net.factor, net.factor)
    assert "left the law as it was" in found.verdict()
    moved = fitted(net, HI[20:], taken(net), steps=2)
    assert same(weights(net), weights(moved)), "whether it is kept is not asked here"


def test_the_jpeg_is_that_of_the_new_pictures_whatever_becomes_of_the_law():
    cfg = CFG.replace(size_hi=64, size_lo=16)  # in smaller pictures no JPEG can be measured
    net, coded = (LearnedCamera(cfg).eval().requires_grad_(False) for _ in range(2))
    coded.jpeg.set(torch.tensor([20.0, 30.0]), 1.0)
    faces = hl.load_faces("faces:val:hi")
    z = torch.randn(60, cfg.z_dim, generator=torch.Generator().manual_seed(0))
    images = to_uint8(coded(faces[:60].batch(), z)).numpy()
    found = adapt(
        net, FaceSet(images, faces.names[:60], "coded"), hi=faces[60:120], steps=1, device="cpu"
    )
    assert not found.kept and torch.equal(found.net.mean, net.mean)
    assert found.quality[0] == 100 and 15 < found.quality[1] < 35
    assert found.net.jpeg.subsampled > 0.6
    assert net.jpeg.quality.min() == 100, "the camera given is left as it is"
    assert found.after.told_apart.accuracy < found.before.told_apart.accuracy - 0.1
    assert "(was 100)" in found.verdict()


def test_the_same_seed_finds_the_same(found):
    again = adapt(camera(), taken(camera(-1.5)), hi=HI[20:], steps=30, device="cpu")
    assert not same(weights(found.net), weights(again.net)) and found.gain == again.gain


def test_of_several_domains_the_nearest_is_adapted():
    net = camera(-1.5, domains=2)
    found = adapt(net, taken(net.of_domain(1)), hi=HI[20:], steps=1, device="cpu")
    assert found.net.cfg.domains == 1
    exposure = learned_law(found.net, n=500)["exposure"].mean().item()
    assert exposure == pytest.approx(-1.5, abs=0.2)


def test_what_is_saved_is_a_degradation(found, tmp_path):
    paths = found.save(tmp_path / "run")
    assert [p.name for p in paths] == list(FILES)
    net = hl.load_weights(tmp_path / "run", stage="h2l")
    assert not same(weights(net), weights(found.net)) and net.about["kept"] == "True"
    report = json.loads(paths[1].read_text())
    assert report["kept"] is True and report["lo"] == "taken"
    assert report["jpeg_quality"] == [round(quality, 1) for quality in found.quality]
    assert report["before"]["energy"] == round(found.before.energy, 3)
    assert set(report["law"]) == set(learned_law(net, n=2))


def test_other_networks_and_few_pictures_are_refused():
    with pytest.raises(HLError, match="weights must be of a learned camera"):
        adapt(hl.HighToLow(TINY), taken(camera()), hi=HI, device="cpu")
    with pytest.raises(HLError, match=f"at least {AT_LEAST} pictures, got 19 in taken"):
        adapt(camera(), taken(camera())[:19], hi=HI, device="cpu")
