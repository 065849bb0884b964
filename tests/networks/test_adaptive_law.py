"""A law that depends on the scene: none at the start, linear in standardised statistics of it."""

import pytest
import torch

import hlgan_lib as hl
from hlgan_lib.degradations.optics import srgb_decode
from hlgan_lib.errors import HLError
from hlgan_lib.networks.adaptive_law import SCENE, AdaptiveLaw, scene_statistics
from hlgan_lib.networks.camera import LAWS, LearnedCamera
from hlgan_lib.training import new_loop
from tests.helpers import HI, LO, TINY

CFG = TINY.replace(h2l_model="camera", h2l_law="adaptive")
EXPOSURE = list(LAWS).index("exposure")
LIGHT = list(SCENE).index("light")


def noise(n):
    return torch.randn(n, CFG.z_dim, generator=torch.Generator().manual_seed(0))


def test_the_statistics_are_light_and_colour_in_stops_and_contrast():
    grey = torch.full((1, 3, 8, 8), 0.2)
    found = dict(zip(SCENE, scene_statistics(grey)[0].tolist(), strict=True))
    assert found["light"] == pytest.approx(srgb_decode(torch.tensor(0.6)).log2().item(), abs=0.01)
    assert found["warmth"] == found["tint"] == pytest.approx(0, abs=1e-6)
    x = HI.batch(slice(0, 8))
    flat = scene_statistics(0.5 * x)[:, list(SCENE).index("contrast")]
    assert (flat < scene_statistics(x)[:, list(SCENE).index("contrast")]).all()


def test_it_starts_as_the_plain_law():
    plain = LearnedCamera(CFG.replace(h2l_law="plain"))
    adaptive = LearnedCamera(CFG)
    assert plain.adaptive is None and set(plain.state_dict()) < set(adaptive.state_dict())
    hi, z = HI.batch(slice(0, 8)), noise(8)
    assert torch.equal(plain(hi, z), adaptive(hi, z))


def test_shift_and_factor_are_linear_and_log_linear_in_the_scene():
    law = AdaptiveLaw(2)
    statistics = scene_statistics(HI.batch())
    law.set(statistics)
    s = law.scene(HI.batch())
    assert s.mean(0).abs().max() < 0.2 and s.abs().max() <= law.REACH
    with torch.no_grad():
        law.mean_slope[1, LIGHT] = 0.5
        law.spread_slope[0, LIGHT] = -0.3
    shift, factor = law(s)
    assert torch.allclose(shift, torch.stack([0 * s[:, 0], 0.5 * s[:, LIGHT]], 1))
    assert torch.allclose(factor[:, 0], (-0.3 * s[:, LIGHT]).exp())
    assert torch.equal(factor[:, 1], torch.ones(len(s)))


def test_a_slope_moves_the_number_of_bright_scenes_and_every_slope_learns():
    net, hi, z = LearnedCamera(CFG), HI.batch(slice(0, 16)), noise(16)
    net.adaptive.set(scene_statistics(hi))
    net(hi, z).square().sum().backward()
    assert (net.adaptive.mean_slope.grad != 0).all()
    assert (net.adaptive.spread_slope.grad != 0).all()
    with torch.no_grad():
        net.adaptive.mean_slope[EXPOSURE, LIGHT] = -1 / net.RATE
    moved = net.numbers(z, hi=hi)["exposure"] - net.numbers(z)["exposure"]
    wanted = -net.adaptive.scene(hi)[:, LIGHT] * net.spread[EXPOSURE]
    assert torch.allclose(moved, wanted, atol=1e-6)


def test_a_domain_has_slopes_of_its_own():
    net = LearnedCamera(CFG.replace(domains=2))
    with torch.no_grad():
        net.adaptive.mean_slope[1, EXPOSURE, LIGHT] = -1 / net.RATE
    hi, z = HI.batch(slice(0, 4)), noise(4)
    whose = torch.ones(4, dtype=torch.long)
    assert torch.equal(net.of_domain(1)(hi, z), net(hi, z, whose))
    assert not torch.equal(net.of_domain(0)(hi, z), net.of_domain(1)(hi, z))


def test_training_measures_the_scenes_and_moves_the_slopes(tmp_path):
    loop, _ = new_loop(CFG, "h2l", hi=HI, lo=LO, device="cpu")
    law = loop.task.generators["h2l"].adaptive
    seen = scene_statistics(HI.batch(loop.task.hi_rows))  # not the faces that are held out
    assert torch.allclose(law.centre, seen.mean(0), atol=1e-5)
    loop.update()
    loop.update()
    assert law.mean_slope.abs().max() > 0
    assert loop.task.diagnostics(loop.nets)["z_spread"] > 0, "the alarm for an unheard z sees it"


def test_the_papers_network_has_no_law():
    with pytest.raises(HLError, match="h2l_law must be plain with h2l_model paper"):
        hl.preset("paper").replace(h2l_law="adaptive")
