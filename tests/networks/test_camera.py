"""The learned camera: each part does what its equation says; training finds a known camera."""

import math

import pytest
import torch
from torch.nn.functional import avg_pool2d

import hlgan_lib as hl
from hlgan_lib.data.faces import FaceSet, to_uint8
from hlgan_lib.degradations.optics import blur, gaussian, srgb_decode, srgb_encode
from hlgan_lib.errors import HLError
from hlgan_lib.losses import picture_statistics
from hlgan_lib.networks.camera import (
    LAWS,
    CameraAndNetwork,
    LearnedCamera,
    blur_and_integrate,
    dragged_gaussian,
    smear,
)

CFG = hl.preset("smoke").replace(h2l_model="camera")


def camera(**numbers):
    """A camera without spread; numbers: name -> value before its link."""
    net = LearnedCamera(CFG).eval()
    neutral = {"defocus": -20.0, "motion": -20.0, "shot": -30.0, "read": -30.0}
    with torch.no_grad():
        net.factor.zero_()
        for i, name in enumerate(LAWS):
            wanted = ({name: 0.0} | neutral | numbers)[name]
            net.mean[i] = (wanted - net.start[i]) / net.spread[i] / net.RATE
    return net


def faces(n=4, seed=0):
    smooth = torch.rand(n, 3, 16, 16, generator=torch.Generator().manual_seed(seed))
    hi = torch.nn.functional.interpolate(smooth, size=64, mode="bilinear")
    return hi * 1.6 - 0.8


def noise(n, seed=0):
    return torch.randn(n, CFG.z_dim, generator=torch.Generator().manual_seed(seed))


def level(x):
    return (x.detach() + 1) / 2


def test_without_faults_it_averages_light():
    hi = faces()
    wanted = srgb_encode(avg_pool2d(srgb_decode(level(hi)), 4))
    assert (level(camera()(hi, noise(4))) - wanted).abs().max() < 1.5 / 255 + 0.01


def test_a_stop_doubles_light_and_colour_keeps_its_slope():
    """The face's own colour passes unchanged: a gain is the same for every face."""
    hi = faces() * 0.3 - 0.5
    light = srgb_decode(level(camera()(hi, noise(4)))).mean((2, 3))
    brighter = srgb_decode(level(camera(exposure=1.0)(hi, noise(4)))).mean((2, 3))
    assert (brighter / light).log2() == pytest.approx(torch.ones(4, 3), abs=0.05)
    warmer = srgb_decode(level(camera(warmth=0.5)(hi, noise(4)))).mean((2, 3))
    stops = (warmer / light).log2()
    assert stops[:, 0] == pytest.approx(torch.full((4,), 0.5), abs=0.05)
    assert stops[:, 2] == pytest.approx(torch.full((4,), -0.5), abs=0.05)


def test_noise_has_the_variance_that_is_asked_for():
    grey = torch.zeros(64, 3, 64, 64)
    shot, read = 0.002, 0.01
    net = camera(shot=math.log(shot), read=math.log(read))
    light = srgb_decode(level(net(grey, noise(64))))
    mean = srgb_decode(torch.tensor(0.5))
    assert light.var().item() == pytest.approx((shot * mean + read**2).item(), rel=0.08)
    apart = (light - light.mean())[:, :, :, :-1] * (light - light.mean())[:, :, :, 1:]
    assert abs(apart.mean() / light.var()) < 0.05  # independent from pixel to pixel


def test_blur_and_integration_are_blur_then_pooling():
    x, sigma = torch.rand(3, 3, 64, 64), torch.tensor([0.8, 1.5, 2.5])
    own = dragged_gaussian(sigma[:, None, None, None], *torch.zeros(2, 3, 1, 1, 1), half=9)
    assert torch.allclose(own[:, 0], gaussian(sigma, sigma, 0 * sigma, 9), atol=1e-6)
    wanted = avg_pool2d(blur(x, own[:, 0]), 4)
    got = blur_and_integrate(x, own, 4)
    inside = (slice(None), slice(None), slice(1, -1), slice(1, -1))
    assert torch.allclose(got[inside], wanted[inside], atol=1e-5)  # the mirrors differ at borders
    assert (got - wanted).abs().max() < 0.1


def test_a_drag_widens_along_its_angle():
    angle = torch.tensor([0.0, math.pi / 2])[:, None, None, None]
    width, length = torch.full_like(angle, 1.0), torch.full_like(angle, 6.0)
    k = dragged_gaussian(width, length, angle, half=9)[:, 0]
    axis = torch.arange(-9, 10.0)
    across = (k.sum(1) * axis**2).sum(1)
    down = (k.sum(2) * axis**2).sum(1)
    assert (across[0] - down[0]).item() == pytest.approx(
        3.75, abs=0.2
    )  # 6^2 / 12 of nine points: 3.75
    assert down[1].item() == pytest.approx(across[0].item(), abs=1e-3)


def test_smear_keeps_the_mean_and_averages_neighbours():
    x = torch.zeros(1, 1, 5, 5)
    x[..., 2, 2] = 1.0
    y = smear(x, torch.full((1, 1, 1, 1), 0.4))
    assert y.sum() == pytest.approx(1.0)
    assert y[0, 0, 2, 1:4].tolist() == pytest.approx([0.12, 0.36, 0.12])


def test_its_law_is_the_normal_law_of_mean_and_factor():
    net = LearnedCamera(CFG)
    with torch.no_grad():
        net.mean.uniform_(-0.05, 0.05)
        net.factor.copy_(torch.randn_like(net.factor) * 0.02)
    net.requires_grad_(False)
    p = net.numbers(noise(20_000))
    names = ("exposure", "warmth")
    i, j = (list(LAWS).index(name) for name in names)
    x = torch.stack([p[name] for name in names], 1)
    lower = net.RATE * net.factor.tril() * net.spread[:, None]
    wanted = lower @ lower.T
    assert torch.cov(x.T)[0, 1].item() == pytest.approx(wanted[i, j].item(), rel=0.1, abs=2e-4)
    assert x[:, 0].mean().item() == pytest.approx(
        (net.RATE * net.mean * net.spread)[i].item(), abs=5e-3
    )
    assert 0 < p["angle"].min() and p["angle"].max() < math.pi


def test_every_number_learns_and_the_same_z_gives_the_same_picture():
    net, hi, z = LearnedCamera(CFG.replace(jpeg="measured")), faces(8), noise(8)
    lo = net(hi, z)
    assert lo.shape == (8, 3, 16, 16) and torch.equal(lo, net(hi, z))
    assert not torch.equal(lo, net(hi, noise(8, seed=1)))
    lo.square().sum().backward()
    assert (net.mean.grad != 0).all()
    assert (net.factor.grad.tril() != 0).sum() == len(LAWS) * (len(LAWS) + 1) / 2
    assert net.factor.grad.triu(1).abs().max() == 0


def test_half_precision_outside_changes_nothing():
    net, hi, z = LearnedCamera(CFG), faces(), noise(4)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(net(hi, z), net(hi, z))
        inside = net(hi, z)
    assert inside.dtype == torch.float32 and torch.equal(inside, net(hi, z))


@pytest.mark.parametrize(
    ("hi", "z", "said"),
    [
        (torch.zeros(2, 3, 16, 16), torch.zeros(2, 64), "did you pass lo"),
        (torch.zeros(2, 3, 64, 64), torch.zeros(3, 64), "one row a picture"),
    ],
)
def test_wrong_shapes_are_named(hi, z, said):
    with pytest.raises(HLError, match=said):
        LearnedCamera(CFG)(hi, z)


def test_a_short_z_is_refused():
    with pytest.raises(HLError, match="z_dim must be 15 or more"):
        LearnedCamera(CFG.replace(z_dim=14))


@pytest.mark.slow
def test_it_finds_a_camera_without_pairs(tmp_path):
    """Warmth, and how light varies, of a camera that nobody told it, from faces it never saw sharp.

    Exposure and gamma are not told apart so soon, as both darken; what they make of light is.
    """
    hi = hl.load_faces("faces:train-hi")
    true = camera(exposure=-0.5, warmth=0.3, contrast=0.2, defocus=1.5)
    with torch.no_grad():
        true.factor[2, 2] = 0.4 / true.RATE / true.spread[2]
        parts = [true(x, noise(len(x), seed=i)) for i, x in enumerate(hi[:600].batch().split(100))]
    lo = FaceSet(to_uint8(torch.cat(parts)).numpy(), tuple(hi.names[:600]), "made")
    cfg = hl.preset("study").replace(
        h2l_model="camera", w_gan=0.0, w_stats=1.0, batch=32, h2l_steps=200, lr=2e-3
    )
    for _ in hl.train(cfg, "h2l", hi=hi[600:2600], lo=lo, out=tmp_path):
        pass
    learned, others = hl.load_weights(tmp_path), hi[2600:2800].batch()
    assert learned.numbers(noise(4000))["warmth"].mean().item() == pytest.approx(0.3, abs=0.06)
    with torch.no_grad():
        wanted, untrained, made = (
            picture_statistics(net(others, noise(200, seed=9)))
            for net in (true, LearnedCamera(cfg), learned)
        )
    for measure in (torch.mean, torch.std):
        light, before, after = (measure(x[:, :8], 0) for x in (wanted, untrained, made))
        missed, found = (before - light).abs().sum(), (after - light).abs().sum()
        assert found < 0.25 * missed


def test_a_network_on_top_starts_at_the_camera_and_leaves_light_and_colour_alone():
    torch.manual_seed(0)
    net, hi, z = CameraAndNetwork(CFG).eval(), faces(), noise(4)
    assert torch.equal(net(hi, z), LearnedCamera(CFG).eval()(hi, z))
    with torch.no_grad():
        for weights in net.network.head[-1].parameters():
            weights.normal_(std=0.05)
    drawn = net.residual(hi, z)
    assert drawn.std() > 0.01 and drawn.mean((2, 3)).abs().max() < 1e-6
    net(hi, z).square().sum().backward()
    assert all(p.grad is not None for p in net.parameters())


def test_without_z_all_pictures_have_one_camera():
    net = LearnedCamera(CFG.replace(z_input="none"))
    assert not net.takes_z
    for name, value in net.numbers(noise(5)).items():
        assert (value.std() > 0.1) if name == "angle" else torch.equal(value, value[:1].expand(5))


def two_domains():
    """A camera of two domains, the second brighter and warmer."""
    net = LearnedCamera(CFG.replace(domains=2)).eval().requires_grad_(False)
    net.mean[1, 2:4] = torch.tensor([1.0, 1.0]) / net.RATE / net.spread[2:4] * 0.5
    net.factor[1] *= 0.5
    net.jpeg.set(torch.tensor([20.0]), 1.0, domain=1)
    return net


def test_a_domain_is_a_camera_of_its_own():
    net, hi, z = two_domains(), faces(6), noise(6)
    domain = torch.tensor([0, 1, 0, 1, 1, 0])
    lo = net(hi, z, domain)
    for k in range(2):
        alone, of_k = net.of_domain(k), domain == k
        assert alone.mean.shape == (len(LAWS),) and alone.cfg.domains == 1
        assert torch.equal(lo[of_k], alone(hi[of_k], z[of_k]))
    assert torch.equal(net.of_domain(0)(hi, z), LearnedCamera(CFG).eval()(hi, z))


def test_without_a_domain_it_is_the_mixture():
    """z draws the domain too, each as likely; its law is that of both."""
    net, z = two_domains(), noise(4000)
    domain = net.domain_of(z)
    assert domain.double().mean() == pytest.approx(0.5, abs=0.03)
    exposure = net.numbers(z)["exposure"]
    assert exposure[domain == 1].mean() - exposure[domain == 0].mean() == pytest.approx(
        0.5, abs=0.02
    )
    assert torch.equal(net(faces(), z[:4]), net(faces(), z[:4], domain[:4]))
    assert LearnedCamera(CFG).domain_of(z) is None


def test_a_domain_learns_of_its_own_pictures_alone():
    net = LearnedCamera(CFG.replace(domains=2))
    net(faces(4), noise(4), torch.ones(4, dtype=torch.long)).square().sum().backward()
    assert not net.mean.grad[0].any() and not net.factor.grad[0].any()
    assert (net.mean.grad[1] != 0).all()


def test_the_network_on_top_is_shared_by_domains():
    net = CameraAndNetwork(CFG.replace(domains=2)).eval()
    hi, z, domain = faces(2), noise(2), torch.tensor([1, 1])
    assert torch.equal(net(hi, z, domain), net.of_domain(1)(hi, z))
