"""Semi-cycle and pseudo-supervision: their losses by hand, whom each reaches, what they leave."""

import pytest
import torch
import torch.nn.functional as F

import hlgan_lib as hl
from hlgan_lib.degradations import bicubic
from hlgan_lib.networks.baselines import enlarged
from hlgan_lib.tasks.real_lo import W_RESTORED, over_turns
from tests.helpers import HI, LO, TINY, bilinear, loop_of, train

CFG = TINY.replace(w_pix=2.0, w_gan=0.3, w_real=0.5, d_norm="none")
STAGES = ("semicycle", "pseudo")


def reached(loss, nets) -> set[str]:
    """Names of the networks whose weights a loss has a gradient for."""
    nets.zero_grad()
    loss.backward(retain_graph=True)
    return {k for k, net in nets.items() if any(p.grad is not None for p in net.parameters())}


# ---- semi-cycle ----------------------------------------------------------------------------------
def test_the_semi_cycles_loss_is_the_sum_of_both_ways():
    task = loop_of("semicycle", CFG, bilinear).task
    batch = task.batch()
    loss, logs = task.g_loss(batch)
    g, d, hi, lo = task.generators, task.discriminators, batch["hi"], batch["lo"]
    hi_fake, hi_real = g["l2h"](batch["lo_fake"]), g["l2h"](lo)
    back = g["back"](hi_real, torch.zeros(len(lo), CFG.z_dim))
    pairs = 2 * F.mse_loss(hi_fake, hi) - 0.3 * d["d_hi"](hi_fake).mean()
    held = F.mse_loss(hi_real, enlarged(lo, 32))
    real = 2 * held - 0.3 * d["d_hi_real"](hi_real).mean()
    cycle = 2 * F.mse_loss(back, lo) - 0.3 * d["d_lo"](back).mean()
    assert loss.item() == pytest.approx((pairs + 0.5 * real + cycle).item(), rel=1e-4)
    assert logs["real_pix"].item() == pytest.approx(held.item(), rel=1e-4)
    assert logs["lo_pix"].item() == pytest.approx(F.mse_loss(back, lo).item(), rel=1e-4)
    assert {"pix", "gan", "real_gan", "lo_gan", "fake_spread"} < set(logs)


def test_the_cycle_reaches_l2h_and_the_pairs_do_not_reach_the_way_back():
    task = loop_of("semicycle", CFG.replace(w_gan=0.0), bilinear).task
    assert not task.discriminators
    _, logs = task.g_loss(task.batch())
    assert reached(logs["pix"], task.generators) == {"l2h"}
    assert reached(logs["real_pix"], task.generators) == {"l2h"}
    assert reached(logs["lo_pix"], task.generators) == {"l2h", "back"}


def test_each_discriminator_has_its_own_real_images():
    task = loop_of("semicycle", CFG, bilinear).task
    seen = {}
    for name, d in task.discriminators.items():
        d.register_forward_pre_hook(lambda m, x, name=name: seen.setdefault(name, x[0]))
    batch = task.batch()
    task.d_loss(batch)
    real = {name: x[: len(x) // 2] for name, x in seen.items()}
    assert torch.equal(real["d_hi"], batch["hi"]) and torch.equal(real["d_hi_real"], batch["hi"])
    assert torch.equal(real["d_lo"], batch["lo"])
    hi_real = task.generators["l2h"](batch["lo"])
    assert torch.allclose(seen["d_hi_real"][len(hi_real) :], hi_real, atol=1e-6)


# ---- pseudo-supervision --------------------------------------------------------------------------
def test_the_loss_of_pseudo_supervision_is_the_sum_of_its_terms():
    task = loop_of("pseudo", CFG, bilinear).task
    batch = task.batch()
    loss, logs = task.g_loss(batch)
    net, d = task.generators["pseudo"], task.discriminators
    hi, lo, clean = batch["hi"], batch["lo"], bicubic(batch["hi"], 8)
    pseudo, corrected = net.correct(batch["lo_fake"]), net.correct(lo)
    terms = {
        "cycle": F.l1_loss(pseudo, clean),
        "identity": F.l1_loss(net.correct(clean), clean),
        "turns": F.l1_loss(corrected, over_turns(net.correct, lo)),
        "pix": F.mse_loss(net.restore(pseudo), hi),
    }
    gan = -d["d_lo"](corrected).mean() - W_RESTORED * d["d_hi"](net(lo)).mean()
    want = 2 * sum(terms.values()) + 0.3 * gan
    assert loss.item() == pytest.approx(want.item(), rel=1e-4)
    for name, value in terms.items():
        assert logs[name].item() == pytest.approx(value.item(), rel=1e-4), name


def test_each_loss_trains_its_own_half():
    task = loop_of("pseudo", CFG, bilinear).task
    net = task.generators["pseudo"]
    halves = torch.nn.ModuleDict(dict(net.named_children()))
    _, logs = task.g_loss(task.batch())
    assert reached(logs["pix"], halves) == {"restore"}, "L2H's loss does not reach the correction"
    for name in ("cycle", "identity", "turns", "lo_gan", "hi_gan"):
        assert reached(logs[name], halves) == {"correct"}, name
    assert all(p.requires_grad for p in net.parameters())


def test_discriminators_of_pseudo_supervision_tell_real_from_pairs():
    task = loop_of("pseudo", CFG, bilinear).task
    seen = {}
    for name, d in task.discriminators.items():
        d.register_forward_pre_hook(lambda m, x, name=name: seen.setdefault(name, x[0]))
    batch = task.batch()
    task.d_loss(batch)
    net, n = task.generators["pseudo"], len(batch["lo"])
    want = {
        "d_lo": (bicubic(batch["hi"], 8), net.correct(batch["lo"])),
        "d_hi": (net(batch["lo_fake"]), net(batch["lo"])),
    }
    for name, (real, fake) in want.items():
        assert torch.allclose(seen[name][:n], real, atol=1e-6), name
        assert torch.allclose(seen[name][n:], fake, atol=1e-6), name


def test_over_turns_is_the_mean_of_all_eight():
    x = torch.rand(2, 3, 8, 8)
    assert torch.allclose(over_turns(torch.nn.Identity(), x), x, atol=1e-6)

    def moved(y):  # what it does to the right, its mean over turns does to all four sides
        return y.roll(1, -1)

    sides = [x.roll(k, axis) for k in (1, -1) for axis in (-1, -2)]
    assert torch.allclose(over_turns(moved, x), torch.stack(sides).mean(0), atol=1e-6)


# ---- both ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("stage", STAGES)
def test_one_batch_is_learned_by_heart(stage):
    task = loop_of(stage, TINY.replace(w_gan=0.0, l2h_width=8), bilinear).task
    batch = {"hi": HI[:4].batch(), "lo_fake": bilinear(HI[:4].batch(), None), "lo": LO[:4].batch()}
    opt = torch.optim.Adam(task.generators.parameters(), 5e-3)

    def step() -> float:
        opt.zero_grad()
        loss, _ = task.g_loss(batch)
        loss.backward()
        opt.step()
        return loss.item()

    first = step()
    for _ in range(25):
        last = step()
    assert last < 0.5 * first


@pytest.mark.parametrize("stage", STAGES)
def test_a_finished_run_restores(stage, tmp_path):
    short = {f"{stage}_steps": 2, "tick_images": 8}
    *_, tick = train(stage, TINY.replace(**short), out=tmp_path)
    assert tick.step == 2 and tick.samples is not None and tick.score > 0
    lo = LO[:3].batch()
    hi = hl.upscale(tmp_path, lo)
    assert hi.shape == (3, 3, 32, 32)
    net = hl.load_weights(tmp_path, stage="l2h")
    assert torch.equal(hl.upscale(net, lo), hi)
    assert type(net).__name__ == {"semicycle": "LowToHigh", "pseudo": "CorrectedLowToHigh"}[stage]


@pytest.mark.parametrize("stage", STAGES)
def test_relativistic_losses_train_them_too(stage):
    loop = loop_of(stage, TINY.replace(gan_loss="relativistic"), bilinear)
    loop.update()
    assert all(value == value for value in loop.means().values())
