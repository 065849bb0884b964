"""Both stages and the joint fine-tune: losses by their terms, batches, who learns from whom."""

import pytest
import torch

import hlgan_lib as hl
from hlgan_lib import training
from hlgan_lib.data.domains import by_domain, mixed
from hlgan_lib.errors import HLError
from hlgan_lib.tasks.two_stage import H2LTask, RealStatistics
from tests.helpers import CPU, HI, LO, TINY, bilinear, grads, loop_of, same, train, weights


def test_the_gan_loss_reaches_the_generator_through_d():
    loop = loop_of("h2l")
    _, logs = loop.task.g_loss(loop.task.batch())
    logs["gan"].backward()
    assert grads(loop.task.generators) == {True} and any(
        p.grad.any() for p in loop.task.generators.parameters()
    )


@pytest.mark.parametrize("stage", ["h2l", "l2h", "joint"])
def test_without_gan_there_is_no_discriminator(stage):
    loop = loop_of(stage, TINY.replace(w_gan=0.0), bilinear)
    loop.update()
    assert len(loop.task.discriminators) == 0 and loop.opt_d is None
    assert loop.means().keys() == ({"pix"} if stage == "l2h" else {"pix", "fake_spread"}) | (
        {"hi_pix"} if stage == "joint" else {"fake_spread"}
    )


def test_loss_is_alpha_pixel_and_beta_gan():
    loop = loop_of("h2l", TINY.replace(w_pix=2.0, w_gan=0.3, w_stats=0.7))
    loss, logs = loop.task.g_loss(loop.task.batch())
    assert loss.item() == pytest.approx((2 * logs["pix"] + 0.3 * logs["gan"]).item(), rel=1e-5)
    assert logs.keys() == {"pix", "gan", "fake_spread"}, "the paper's two terms and no third"
    loop = loop_of("l2h", TINY.replace(w_pix=2.0, w_gan=0.3), bilinear)
    loss, logs = loop.task.g_loss({"hi": HI.batch(), "lo_fake": LO.batch()})
    assert loss.item() == pytest.approx((2 * logs["pix"] + 0.3 * logs["gan"]).item(), rel=1e-5)


@pytest.mark.parametrize("model", ["camera", "camera+network"])
def test_a_camera_is_led_by_gan_and_statistics_alone(model):
    cfg = TINY.replace(h2l_model=model, w_pix=2.0, w_gan=0.3, w_stats=0.7)
    loop = loop_of("h2l", cfg)
    loss, logs = loop.task.g_loss(loop.task.batch())
    wanted = 0.3 * logs["gan"] + 0.7 * logs["stats"]
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-5) and logs["pix"] > 0
    assert "stats" not in loop_of("h2l", cfg.replace(w_stats=0.0)).task.g_loss(loop.task.batch())[1]


def test_lo_pictures_are_only_flipped_and_pairs_share_the_transform():
    task = loop_of("h2l", TINY.replace(scale=0.3, rotate_deg=30, colour=0.5)).task
    known = {x.numpy().tobytes() for x in torch.cat([LO.batch(), LO.batch().flip(-1)])}
    hr = {x.numpy().tobytes() for x in torch.cat([HI.batch(), HI.batch().flip(-1)])}
    for _ in range(4):
        batch = task.batch()
        assert {x.numpy().tobytes() for x in batch["lo"]} <= known
        assert not {x.numpy().tobytes() for x in batch["hi"]} & hr
    pair = loop_of("l2h", TINY.replace(scale=0.3, rotate_deg=30), bilinear).task.batch()
    assert torch.equal(pair["lo_fake"], bilinear(pair["hi"], None))


@pytest.mark.parametrize("stage", ["h2l", "l2h"])
def test_one_batch_is_overfitted(stage, monkeypatch):
    cfg = TINY.replace(
        w_gan=0.0,
        skip=False,
        norm="batch",
        lr=5e-3,
        beta1=0.9,
        beta2=0.999,
        lr_schedule="constant",
        batch=2,
        h2l_width=8,
        l2h_width=16,
    )
    loop = loop_of(stage, cfg, bilinear)
    batch = loop.task.batch()
    monkeypatch.setattr(loop.task, "batch", lambda: batch)
    losses = []
    for _ in range(40):
        loop.sums, loop.n_summed = {}, 0
        loop.update()
        losses.append(loop.means()["pix"])
    assert losses[-1] < losses[0] / 5


def test_a_gan_step_moves_scores_the_right_way(monkeypatch):
    loop = loop_of("h2l", TINY.replace(lr_d=2e-3))
    batch = loop.task.batch()
    monkeypatch.setattr(loop.task, "batch", lambda: batch)
    gaps = []
    for _ in range(30):
        loop._half(loop.task.d_loss, loop.opt_d)
        _, logs = loop.task.d_loss(batch)
        gaps.append((logs["d_real"] - logs["d_fake"]).item())
    assert gaps[-1] > gaps[0] + 0.5  # D tells them apart
    scores = []
    for _ in range(30):
        _, logs = loop.task.g_loss(batch)
        scores.append(-logs["gan"].item())
        loop._half(lambda b: (loop.task.g_loss(b)[1]["gan"], {}), loop.opt_g)
    assert scores[-1] > scores[0] + 0.2  # and the generator pleases it


def test_joint_gradients_of_the_restorer_reach_the_degrader():
    loop = loop_of("joint")
    _, logs = loop.task.g_loss(loop.task.batch())
    logs["hi_pix"].backward()
    assert any(
        p.grad is not None and p.grad.any() for p in loop.task.generators["h2l"].parameters()
    )


def test_stage_two_leaves_stage_one_untouched(tmp_path):
    cfg = TINY.replace(norm="batch", h2l_steps=2, l2h_steps=2)
    list(train("h2l", cfg, out=tmp_path / "h2l"))
    files = {p: p.read_bytes() for p in (tmp_path / "h2l").rglob("*") if p.is_file()}
    h2l = hl.load_weights(tmp_path / "h2l", stage="h2l")
    before = weights(h2l)
    rng = torch.Generator().manual_seed(0)
    loop = loop_of(
        "l2h", cfg, lambda hi, g: h2l(hi, torch.randn(len(hi), cfg.z_dim, generator=rng))
    )
    loop.update(), loop.update()
    assert same(before, weights(h2l)) == [] and grads(h2l) == {False} and not h2l.training
    list(train("l2h", cfg, degradation=f"learned:{tmp_path / 'h2l'}", out=tmp_path / "l2h"))
    assert files == {p: p.read_bytes() for p in (tmp_path / "h2l").rglob("*") if p.is_file()}


def test_the_anchor_is_least_at_the_real_pictures_and_leads_back_to_them():
    anchor = RealStatistics(LO, CPU)
    torch.testing.assert_close(
        anchor.real.mean(0), torch.zeros(anchor.real.shape[1]), atol=1e-4, rtol=0
    )
    real = LO.batch()
    darker = (real - 0.4).clamp(min=-1).requires_grad_()

    def away(x):
        return anchor.distance(x, torch.Generator().manual_seed(0))

    away(darker).backward()
    assert away(darker) > 2 * away(real) and darker.grad.any()
    nearer = darker - 0.1 * darker.grad / darker.grad.abs().max()
    assert away(nearer) < away(darker)


def test_a_measured_jpeg_is_asked_for():
    cfg = TINY.replace(h2l_model="camera", jpeg="measured")
    with pytest.raises(hl.HLError, match="jpeg must be given"):
        H2LTask(cfg, HI, LO, torch.Generator(), CPU)


SEVERAL = TINY.replace(h2l_model="camera", domains=2, w_gan=0.3, w_stats=0.7, w_r1=1.0)
TWO = mixed({"old": LO[:20], "web": LO[20:]})


def test_a_batch_holds_as_many_of_each_domain_and_d_is_told():
    loop, _ = training.new_loop(SEVERAL, "h2l", hi=HI, lo=TWO, device="cpu")
    task = loop.task
    known = {}
    for name, part in by_domain(TWO, 2).items():
        known[name] = {
            x.numpy().tobytes() for x in torch.cat([part.batch(), part.batch().flip(-1)])
        }
    lo = task.batch()["lo"]
    assert task.domain.tolist() == [0, 0, 1, 1]
    assert {x.numpy().tobytes() for x in lo[:2]} <= known["old"]
    assert {x.numpy().tobytes() for x in lo[2:]} <= known["web"]
    before = weights(task.discriminators["d_lo"].embed)
    loop.update()
    assert same(before, weights(task.discriminators["d_lo"].embed))  # it has learned


def test_the_anchor_is_the_mean_over_domains():
    """Each domain's pictures are held against its own statistics, with the same draws."""
    loop, _ = training.new_loop(SEVERAL.replace(w_gan=0.0), "h2l", hi=HI, lo=TWO, device="cpu")
    task, batch = loop.task, loop.task.batch()
    state = task.rng.get_state()
    loss, logs = task.g_loss(batch)
    task.rng.set_state(state)
    parts = task.lo_fake(batch).split(2)
    wanted = [
        RealStatistics(part, CPU).distance(x, task.rng)
        for part, x in zip(by_domain(TWO, 2).values(), parts, strict=True)
    ]
    assert logs["stats"].item() == pytest.approx(sum(wanted).item() / 2, rel=1e-5)
    assert loss.item() == pytest.approx(0.7 * logs["stats"].item(), rel=1e-5)


def test_domains_resume_to_the_bit_and_are_used_as_a_mixture(tmp_path):
    given = {"hi": HI, "lo": TWO, "device": "cpu"}
    for name, stop in (("whole", 99), ("cut", 2)):
        for tick in hl.train(SEVERAL, "h2l", out=tmp_path / name, **given):
            if tick.step >= stop:
                break
    for _ in hl.train(SEVERAL, "h2l", out=tmp_path / "cut", resume=True, **given):
        pass
    whole, cut = (hl.load_weights(tmp_path / name) for name in ("whole", "cut"))
    assert not same(weights(whole), weights(cut))
    assert hl.degrade(whole, HI.batch(slice(0, 4)), n_z=2).shape == (4, 2, 3, 8, 8)
    assert whole.of_domain(1).cfg.domains == 1


def test_domains_are_the_cameras_and_fit_the_batch():
    with pytest.raises(HLError, match="domains must be 1 with h2l_model paper, got 2"):
        TINY.replace(domains=2)
    with pytest.raises(
        HLError, match="of each of 3 domains, got 4: set batch 6 or a multiple of 3"
    ):
        TINY.replace(h2l_model="camera", domains=3)
    with pytest.raises(HLError, match="lo must hold 2 folders"):
        training.new_loop(SEVERAL, "h2l", hi=HI, lo=LO, device="cpu")
