"""Successors: the flow's task, and those that are settings of the two stages."""

import pytest
import torch

import hlgan_lib as hl
from hlgan_lib.losses import RELATIVISTIC, colour_h2l, low_frequencies
from hlgan_lib.tasks import FlowTask, SRGANTask
from hlgan_lib.tasks.base import d_terms, g_terms
from tests.helpers import HI, LO, TINY, bilinear, loop_of, restorer, same, train

R3GAN = TINY.replace(
    gan_loss="relativistic", w_r1=1.0, w_r2=2.0, penalty_every=4, d_norm="none", h2l_model="camera"
)
FLOW = TINY.replace(flow_width=4, n_euler=2, flow_steps=3, z_dim=64)


# ---- relativistic --------------------------------------------------------------------------------
@pytest.mark.parametrize("stage", ["h2l", "l2h"])
def test_relativistic_losses_are_those_of_pairs(stage):
    task = loop_of(stage, R3GAN, bilinear).task
    assert task.gan is RELATIVISTIC
    batch = task.batch()
    loss, logs = task.g_loss(batch)
    d = task.discriminators["d_lo" if stage == "h2l" else "d_hi"]
    if stage == "h2l":
        fake, real = task.lo_fake(batch), batch["lo"]
    else:
        fake, real = task.generators["l2h"](batch["lo_fake"]), batch["hi"]
    assert logs["gan"].item() == pytest.approx(
        torch.nn.functional.softplus(d(real) - d(fake)).mean().item(), rel=1e-4
    )
    loss.backward()
    assert all(p.grad is not None for p in task.generators.parameters())


def test_penalties_are_lazy_and_as_heavy_on_average():
    task = loop_of("l2h", R3GAN, bilinear).task
    d, real, fake = task.discriminators["d_hi"], HI[:4].batch(), HI[4:8].batch()
    plain = R3GAN.replace(w_r1=0.0, w_r2=0.0)
    each, sums = [], []
    for update in range(8):
        loss, logs = d_terms(d, real, fake, R3GAN, task.rng, task.gan, update=update)
        without, _ = d_terms(d, real, fake, plain, task.rng, task.gan)
        each.append(logs["r1"].item())
        sums.append((loss - without).item())
    assert [x > 0 for x in each] == [True, False, False, False] * 2
    always = R3GAN.replace(penalty_every=1)
    _, logs = d_terms(d, real, fake, always, task.rng, task.gan)
    assert sum(each) / 8 == pytest.approx(logs["r1"].item(), rel=1e-4)
    want = logs["r1"].item() + 2 * logs["r2"].item()
    assert sum(sums) / 8 == pytest.approx(want, rel=1e-2)


def test_the_loop_counts_the_updates_of_d():
    loop = loop_of("l2h", TINY.replace(d_steps=3), bilinear)
    seen = []
    inner = loop.task.d_loss
    loop.task.d_loss = lambda batch: (seen.append(loop.task.d_updates), inner(batch))[1]
    loop.update()
    loop.update()
    assert seen == list(range(6))


def test_sure_of_pairs_is_how_far_they_lie_apart():
    def d(x):
        return x.mean((1, 2, 3))

    real, fake = (torch.full((2, 3, 8, 8), v) for v in (9.0, 6.5))
    rng = torch.Generator()
    _, logs = d_terms(d, real, fake, TINY, rng, RELATIVISTIC)
    assert logs["d_sure"] == 1
    _, logs = d_terms(d, real, real, TINY, rng, RELATIVISTIC)
    assert logs["d_sure"] == 0 and logs["d_loss"].item() == pytest.approx(0.6931, abs=1e-3)
    _, logs = g_terms(fake.mean(), d, fake, TINY, rng, RELATIVISTIC, real=real)
    assert logs["gan"].item() == pytest.approx(2.5789, abs=1e-3)  # log(1 + e^2.5)


def test_baselines_keep_the_loss_of_their_paper():
    task = loop_of("srgan", R3GAN, bilinear).task
    assert isinstance(task, SRGANTask) and task.gan is not RELATIVISTIC


# ---- frequency separation ------------------------------------------------------------------------
def test_separated_d_sees_high_frequencies_and_pixels_low_ones():
    cfg = TINY.replace(separate=True, w_pix=2.0, w_gan=0.3)
    task = loop_of("h2l", cfg).task
    batch = task.batch()
    lo_fake = task.lo_fake(batch)
    loss, logs = task.g_loss(batch)
    high = lo_fake - low_frequencies(lo_fake)
    want = -task.discriminators["d_lo"](high).mean()
    assert logs["gan"].item() == pytest.approx(want.item(), abs=0.005)  # spectral norm moves on
    assert logs["pix"].item() == pytest.approx(colour_h2l(lo_fake, batch["hi"]).item(), rel=1e-5)
    assert loss.item() == pytest.approx((2 * logs["pix"] + 0.3 * logs["gan"]).item(), rel=1e-4)
    flat = torch.full((1, 3, 8, 8), 0.3)
    assert task.judged(flat).abs().max() < 1e-6, "D cannot see a colour"
    with pytest.raises(hl.HLError, match="separate must be no with h2l_model camera"):
        cfg.replace(h2l_model="camera")


# ---- kernel and noise ----------------------------------------------------------------------------
def test_kernel_and_noise_train_as_an_h2l(tmp_path):
    cfg = TINY.replace(h2l_model="kernel+noise", h2l_steps=2)
    *_, tick = train("h2l", cfg, out=tmp_path)
    assert tick.losses["gan"] != 0
    assert hl.degrade(tmp_path, HI[:2].batch(), n_z=2).shape == (2, 2, 3, 8, 8)
    loop = loop_of("l2h", TINY, hl.load_weights(tmp_path))
    assert not hasattr(loop.task.degrade, "generators")


# ---- flow ----------------------------------------------------------------------------------------
def test_the_flow_learns_the_speed_along_a_straight_path_around_its_restorer():
    task = loop_of("flow", FLOW, bilinear).task
    assert isinstance(task, FlowTask) and not task.discriminators
    assert same(task.flow.mean.state_dict(), restorer(FLOW).state_dict()) == []
    batch = task.batch()
    flow, state = task.flow, task.rng.get_state()
    loss, logs = task.g_loss(batch)
    task.rng.set_state(state)
    hi, lo = batch["hi"], batch["lo_fake"]
    noise = torch.randn(hi.shape, generator=task.rng)
    t = torch.randn(len(hi), generator=task.rng).sigmoid()
    start, r = flow.spread * noise, flow.spectrum(hi - flow.mean(lo))
    v = flow.velocity(start + t.view(-1, 1, 1, 1) * (r - start), t, lo)
    speed = ((v - (r - start)) / flow.sizes(t)[2]).square().mean()
    assert loss.item() == pytest.approx(speed.item(), rel=1e-4)
    assert logs.keys() == {"flow"}


def test_an_untrained_flow_draws_with_the_spread_of_what_its_restorer_leaves():
    task = loop_of("flow", FLOW, bilinear).task
    hi = HI[:4].batch()
    lo = bilinear(hi, task.rng)
    with torch.no_grad():
        r = hi - task.flow.mean(lo)
        drawn = torch.stack([task.flow(lo, task.flow.noise(4, seed)) for seed in range(8)])
    assert 0.6 < (drawn.std(0).square().mean() / r.square().mean()).sqrt() < 1.4


def test_a_flow_is_of_its_restorers_width_and_refuses_what_cannot_be_one():
    *_, tick = train("flow", FLOW, l2h=restorer(TINY.replace(l2h_width=4)))
    assert tick.step == 3
    with pytest.raises(hl.HLError, match="l2h is missing; give weights of an L2H"):
        train("flow", FLOW, l2h=None)
    with pytest.raises(hl.HLError, match="l2h must be weights of the paper's L2H, got SRResNet"):
        train("flow", FLOW, l2h="srgan")
    with pytest.raises(hl.HLError, match="l2h must restore 8 to 32 pixels, got one of 16 to 64"):
        train("flow", FLOW, l2h="l2h-pixel")


def test_a_flow_does_not_go_on_around_another_restorer(tmp_path):
    list(train("flow", FLOW, out=tmp_path, stop=lambda: True))
    with pytest.raises(hl.HLError, match="started with another l2h"):
        train(
            "flow", FLOW, out=tmp_path, resume=True, l2h=loop_of("l2h", FLOW).task.generators["l2h"]
        )


def test_the_flow_learns_one_batch_by_heart():
    task = loop_of("flow", FLOW.replace(flow_width=16, lr=3e-3), bilinear).task
    hi = HI[:4].batch()
    batch = {"hi": hi, "lo_fake": LO[:4].batch()}
    flow = task.generators["flow"]
    opt = torch.optim.Adam(flow.parameters(), 3e-3)

    def error() -> float:
        with torch.no_grad():
            return (flow(batch["lo_fake"]) - hi).square().mean().item()

    before = error()
    for _ in range(500):
        opt.zero_grad()
        task.g_loss(batch)[0].backward()
        opt.step()
    assert error() < 0.5 * before


def test_a_finished_flow_draws_several_faces(tmp_path):
    *_, tick = train("flow", FLOW, out=tmp_path)
    assert tick.step == 3 and tick.samples is not None
    lo = LO[:3].batch()
    drawn = hl.sample(tmp_path, lo, n=4)
    assert drawn.shape == (3, 4, 3, 32, 32)
    assert torch.equal(hl.sample(tmp_path, lo, n=4), drawn)
    assert not torch.equal(hl.sample(tmp_path, lo, n=4, seed=1), drawn)
    assert (drawn[:, 0] - drawn[:, 1]).abs().max() > 0.01
    assert torch.allclose(hl.upscale(tmp_path, lo), hl.sample(tmp_path, lo, n=1)[:, 0], atol=1e-6)
    with pytest.raises(hl.HLError, match="n must be 1 or more"):
        hl.sample(tmp_path, lo, n=0)


def test_what_draws_one_face_only_says_so():
    with pytest.raises(hl.HLError, match="weights must be of a flow .* use upscale"):
        hl.sample("l2h-pixel", torch.zeros(1, 3, 16, 16))
