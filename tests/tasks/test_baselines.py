"""The baselines: networks as their papers draw them, losses by hand, their place in the loop."""

import json

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import hlgan_lib as hl
from hlgan_lib import losses
from hlgan_lib.data.faces import FaceSet
from hlgan_lib.losses import LOG
from hlgan_lib.networks.baselines import CycleGAN, CycleGenerator, SRResNet, enlarged
from hlgan_lib.networks.blocks import count_parameters, unsquash
from hlgan_lib.networks.wavelet import from_wavelets, to_wavelets
from hlgan_lib.tasks.baselines import (
    HISTORY,
    W_GAN_DEBLUR,
    CycleGANTask,
    DeblurTask,
    History,
    SRGANTask,
    WaveletTask,
    feature_maps,
)
from tests.helpers import LO, TINY, bilinear, loop_of, train

CPU = torch.device("cpu")
SMALL = hl.preset("smoke").replace(size_hi=32, size_lo=8, cyclegan_width=4)


def faces(size: int, n: int = 24) -> FaceSet:
    x = torch.randint(
        0, 256, (n, 3, size, size), generator=torch.Generator().manual_seed(size), dtype=torch.uint8
    )
    return FaceSet(x.numpy(), tuple(map(str, range(n))), "made")


def pictures(n: int, size: int) -> torch.Tensor:
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(n)) * 2 - 1


def task(cls, cfg=SMALL):
    torch.manual_seed(0)
    other = (lambda hi, rng: nn.functional.avg_pool2d(hi, 4)) if cls is SRGANTask else faces(8)
    return cls(cfg, faces(32), other, torch.Generator().manual_seed(0), CPU)


# ---- networks ------------------------------------------------------------------------------------
def test_srresnet_is_that_of_its_paper():
    net, w = SRResNet(hl.preset("paper")), 64
    block = 2 * w * w * 9 + 2 * 2 * w + 1  # two convolutions, two batch norms, a PReLU
    middle = 16 * block + w * w * 9 + 2 * w  # and a convolution and a norm under the long skip
    doubles = 2 * (w * 4 * w * 9 + 4 * w + 1)
    assert count_parameters(net) == (3 * w * 81 + w) + 1 + middle + doubles + (w * 3 * 81 + 3)
    assert sum(isinstance(m, nn.BatchNorm2d) for m in net.modules()) == 33
    assert net.eval()(pictures(2, 16)).shape == (2, 3, 64, 64)


def test_cyclegan_generator_is_that_of_its_paper():
    net, w = CycleGenerator(hl.preset("paper")), 64
    convs = [m for m in net.modules() if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d))]
    assert [c.out_channels for c in convs] == [w, 2 * w, 4 * w, *[4 * w] * 12, 2 * w, w, 3]
    assert [c.stride[0] for c in convs] == [1, 2, 2, *[1] * 12, 2, 2, 1]
    assert net(pictures(1, 64)).shape == (1, 3, 64, 64)


@pytest.mark.parametrize("cls", [SRResNet, CycleGAN])
def test_a_shortcut_starts_from_the_enlarged_picture(cls):
    net, lo = cls(SMALL.replace(skip=True)), pictures(2, 8)
    last = net.head if cls is SRResNet else net.restore.body[-1]
    nn.init.zeros_(last.weight), nn.init.zeros_(last.bias)
    start = (
        nn.functional.interpolate(lo, size=32, mode="bilinear")
        if cls is SRResNet
        else enlarged(lo, 32)
    )
    assert torch.allclose(net(lo), torch.tanh(unsquash(start)), atol=1e-6)
    assert not torch.allclose(cls(SMALL.replace(skip=False))(lo), net(lo), atol=0.1)


@pytest.mark.parametrize("cls", [SRResNet, CycleGAN])
def test_wrong_shapes_are_named(cls):
    with pytest.raises(hl.HLError, match=r"lo must be float \(B, 3, 8, 8\).*did you pass hi"):
        cls(SMALL)(pictures(2, 32))
    with pytest.raises(hl.HLError, match="s at most 4"):
        enlarged(pictures(2, 8), 4)


# ---- losses --------------------------------------------------------------------------------------
def test_gan_losses_by_hand():
    real, fake = torch.tensor([2.0, 0.0]), torch.tensor([-1.0, 1.0])
    s = torch.sigmoid
    assert losses.LOG.d(real, fake).item() == pytest.approx(
        (-s(real).log().mean() - (1 - s(fake)).log().mean()).item()
    )
    assert losses.LOG.g(fake).item() == pytest.approx(-s(fake).log().mean().item())
    assert losses.SQUARE.d(real, fake).item() == pytest.approx((1 + 1) / 2 / 2 + (1 + 1) / 2 / 2)
    assert losses.SQUARE.g(fake).item() == pytest.approx((4 + 0) / 2)
    assert losses.SQUARE.d(torch.ones(3), torch.zeros(3)).item() == 0


def test_perceptual_is_relative_and_reaches_the_made_picture_only():
    def maps(x):
        return 3 * x

    fake, real = torch.full((2, 3, 4, 4), 0.0), torch.full((2, 3, 4, 4), 1.0)  # 0.5 and 1 in [0, 1]
    fake.requires_grad_(), real.requires_grad_()
    loss = losses.perceptual(maps, fake, real)
    assert loss.item() == pytest.approx(0.25)  # (1.5 - 3)^2 / 3^2
    loss.backward()
    assert fake.grad.abs().sum() > 0 and real.grad is None
    assert losses.perceptual(maps, real, real).item() == 0


def test_the_offline_maps_answer_to_blur_more_than_to_light():
    maps = feature_maps("lite0", CPU)
    hi = hl.load_faces("faces:val:hi").batch(slice(0, 8))
    blurred = enlarged(nn.functional.avg_pool2d(hi, 4), 64)
    brighter = (hi + (blurred - hi).square().mean().sqrt()).clamp(-1, 1)  # as far away in pixels
    assert maps((hi + 1) / 2).shape == (8, 40, 8, 8)
    assert losses.perceptual(maps, blurred, hi) > 2 * losses.perceptual(maps, brighter, hi) > 0


def test_vgg_is_asked_for_by_name_and_missed_in_one_line(monkeypatch):
    def offline(**_):
        raise OSError("no route to host")

    monkeypatch.setattr("torchvision.models.vgg19", offline)
    with pytest.raises(
        hl.HLError, match="vgg19 needs .*no route to host.*set perceptual to lite0"
    ) as error:
        feature_maps("vgg19", CPU)
    assert "\n" not in str(error.value)


def test_vgg_maps_are_those_before_the_last_pool(monkeypatch):
    from torchvision.models import vgg19

    monkeypatch.setattr(
        "torchvision.models.vgg19", lambda weights: vgg19()
    )  # the same network, untrained
    x = torch.rand(1, 3, 64, 64, requires_grad=True)
    y = feature_maps("vgg19", CPU)(x)
    assert y.shape == (1, 512, 4, 4) and y.min() == 0
    y.sum().backward()
    assert x.grad.abs().sum() > 0


def test_srgan_loss_is_the_sum_of_its_terms():
    cfg = SMALL.replace(w_pix=2.0, w_perceptual=0.3, w_gan_srgan=0.7, w_gan=9.0)
    srgan = task(SRGANTask, cfg)
    loss, logs = srgan.g_loss(srgan.batch())
    want = 2 * logs["pix"] + 0.3 * logs["perceptual"] + 0.7 * logs["gan"]
    assert loss.item() == pytest.approx(want.item(), rel=1e-5)
    without = task(SRGANTask, cfg.replace(w_perceptual=0.0, w_gan_srgan=0.0))
    loss, logs = without.g_loss(without.batch())
    assert loss.item() == pytest.approx(2 * logs["pix"].item()) and not without.discriminators


def test_cyclegan_loss_is_the_sum_of_its_terms():
    cycle = task(CycleGANTask, SMALL.replace(w_cycle=3.0, w_identity=0.5))
    batch = cycle.batch()
    assert batch["hi"].shape == batch["lo"].shape == (4, 3, 32, 32)
    loss, logs = cycle.g_loss(batch)
    want = logs["gan"] + logs["lo_gan"] + 3 * logs["cycle"] + 0.5 * logs["identity"]
    assert loss.item() == pytest.approx(want.item(), rel=1e-5)
    nets = cycle.generators
    nets["cyclegan"].restore.forward = nets["spoil"].forward = lambda x: (
        x
    )  # two networks that change nothing
    _, logs = cycle.g_loss(batch)
    assert logs["cycle"] == logs["identity"] == 0


# ---- history -------------------------------------------------------------------------------------
def test_history_shows_an_old_picture_half_of_the_time():
    history = History(20, (1, 1, 1), torch.Generator().manual_seed(0))
    number = iter(range(10**6))
    new = [
        torch.tensor([next(number) for _ in range(10)]).float().view(10, 1, 1, 1) for _ in range(60)
    ]
    for fake in new[:2]:
        assert torch.equal(history.swap(fake), fake)  # until it is full
    shown = [history.swap(fake).flatten() for fake in new[2:]]
    old = torch.cat([s < f.flatten().min() for s, f in zip(shown, new[2:])]).float().mean()
    assert old == pytest.approx(0.5, abs=0.07)
    assert len(history.past) == 20 and history.past.flatten().unique().numel() == 20
    assert history.past.min() > 400  # what is shown has left it


def test_history_goes_on_from_its_state():
    a, b = (History(8, (3, 2, 2), torch.Generator().manual_seed(s)) for s in (0, 1))
    for n in range(5):
        a.swap(torch.full((4, 3, 2, 2), float(n)))
    b.load_state_dict(a.state_dict())
    b.rng.set_state(a.rng.get_state())
    fake = torch.full((4, 3, 2, 2), 9.0)
    assert torch.equal(a.swap(fake), b.swap(fake)) and torch.equal(a.past, b.past)


def test_discriminators_of_cyclegan_see_the_history(monkeypatch):
    cycle, seen = task(CycleGANTask), []
    monkeypatch.setattr(
        History, "swap", lambda self, fake: (seen.append(self.size), torch.zeros_like(fake))[1]
    )
    cycle.d_loss(cycle.batch())
    assert seen == [HISTORY, HISTORY]


# ---- in the loop and behind it -------------------------------------------------------------------
@pytest.mark.parametrize("stage", ["srgan", "cyclegan"])
def test_a_finished_baseline_restores_like_l2h(tmp_path, stage):
    cfg = SMALL.replace(**{f"{stage}_steps": 2})
    *_, tick = hl.train(cfg, stage, hi=faces(32), lo=faces(8), out=tmp_path, device="cpu")
    assert tick.step == 2 and tick.score > 0
    net = hl.load_weights(tmp_path, stage="l2h")
    assert net.about["stage"] == stage and net.cfg == cfg
    assert hl.upscale(tmp_path, pictures(3, 8)).shape == (3, 3, 32, 32)
    with pytest.raises(hl.HLError, match=f"are of stage {stage}, expected h2l"):
        hl.load_weights(tmp_path, stage="h2l")
    with pytest.raises(hl.HLError, match="must be a network of stage h2l"):
        hl.load_weights(net, stage="h2l")


def test_srgan_is_trained_on_bilinear_pairs_unless_told_otherwise(tmp_path):
    for degradation in (None, "camera"):
        out = tmp_path / str(degradation)
        cfg = SMALL.replace(srgan_steps=1)
        list(hl.train(cfg, "srgan", hi=faces(32), degradation=degradation, out=out, device="cpu"))
        assert json.loads((out / "config.json").read_text())["degradation"] == (
            degradation or "bilinear"
        )


# ---- the paper's other baselines, as models of the stage l2h -------------------------------------
WAVELET = TINY.replace(l2h_model="wavelet", w_gan=0.3)
DEBLUR = TINY.replace(l2h_model="deepdeblur", w_pix=2.0)


def test_wavelet_srnet_weighs_its_bands_as_the_released_code_does():
    task = loop_of("l2h", WAVELET, bilinear).task
    assert isinstance(task, WaveletTask) and not task.discriminators
    batch = task.batch()
    loss, logs = task.g_loss(batch)
    c, made = to_wavelets(batch["hi"], 2), task.generators["l2h"].coefficients(batch["lo_fake"])
    e = (made - c).square().sum((2, 3, 4)).mean(0)  # of each band, an image
    image = (from_wavelets(made) - batch["hi"]).square().sum((1, 2, 3)).mean()
    energies = [x[:, 1:].square().sum(2) for x in (c, made)]
    texture = (1.2 * energies[0] - energies[1]).clamp(min=0).mean()
    want = 0.01 * e[0] + 0.99 * e[1:].sum() + 0.1 * image + 2 * texture
    assert loss.item() == pytest.approx(want.item() / (3 * 32 * 32), rel=1e-4)
    assert logs["pix"].item() == pytest.approx(loss.item())
    loss.backward()
    assert all(p.grad is not None for p in task.generators.parameters())


def test_deepdeblur_has_a_pixel_loss_at_each_size():
    task = loop_of("l2h", DEBLUR, bilinear).task
    assert isinstance(task, DeblurTask) and task.gan is LOG
    batch = task.batch()
    loss, logs = task.g_loss(batch)
    made = task.generators["l2h"].sizes(batch["lo_fake"])
    losses = []
    for x in made:
        wanted = F.avg_pool2d(batch["hi"], 32 // x.shape[-1])
        losses.append((x - wanted).square().mean().item())
    assert logs["pix"].item() == pytest.approx(sum(losses) / 3, rel=1e-4)
    want = 2 * sum(losses) / 3 + W_GAN_DEBLUR * logs["gan"].item()
    assert loss.item() == pytest.approx(want, rel=1e-4)
    alone = loop_of("l2h", DEBLUR.replace(w_gan=0.0), bilinear).task
    assert not alone.discriminators


@pytest.mark.parametrize("cfg", [WAVELET, DEBLUR], ids=["wavelet", "deepdeblur"])
def test_they_learn_and_are_stored_as_an_l2h(cfg, tmp_path):
    cfg = cfg.replace(l2h_steps=30, lr=2e-3)
    *_, tick = train("l2h", cfg, out=tmp_path)
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    pixels = [json.loads(line)["losses"]["pix"] for line in lines]
    assert min(pixels[-3:]) < 0.8 * pixels[0]
    lo = LO[:3].batch()
    hi = hl.upscale(tmp_path, lo)
    assert hi.shape == (3, 3, 32, 32) and hi.abs().max() <= 1
    assert hl.load_weights(tmp_path, stage="l2h").cfg.l2h_model == cfg.l2h_model
