"""The loop: which half step trains what, the average, learning rates, batch-norm statistics."""

import pytest
import torch
from torch import nn

from hlgan_lib.config import STAGES
from tests.helpers import TINY, bilinear, grads, loop_of, same, weights


@pytest.mark.parametrize("stage", STAGES)
def test_each_half_step_reaches_exactly_its_network(stage):
    loop = loop_of(stage, TINY.replace(w_r1=1.0), bilinear)
    g, d = loop.task.generators, loop.task.discriminators
    before_g, before_d = weights(g), {k: p.clone() for k, p in d.named_parameters()}
    assert bool(d) == (stage != "flow")  # which plays against nobody
    if d:
        loop._half(loop.task.d_loss, loop.opt_d)
        assert grads(g) == {False} and grads(d) == {True}
        assert same(before_g, weights(g)) == []
        assert all(not torch.equal(p, before_d[k]) for k, p in d.named_parameters() if p.grad.any())
    after_d = {k: p.clone() for k, p in d.named_parameters()}
    d.zero_grad(set_to_none=True)
    d.requires_grad_(False)
    loop._half(loop.task.g_loss, loop.opt_g)
    assert grads(d) <= {False}
    assert all((p.grad is not None) == p.requires_grad for p in g.parameters())
    assert same(after_d, dict(d.named_parameters())) == []
    assert same(before_g, weights(g)) != []


def test_update_computes_no_gradients_of_d_in_the_g_step(monkeypatch):
    loop, seen = loop_of("h2l"), []
    g_loss = loop.task.g_loss

    def watched(batch):
        seen.append({p.requires_grad for p in loop.task.discriminators.parameters()})
        return g_loss(batch)

    monkeypatch.setattr(loop.task, "g_loss", watched)
    loop.update(), loop.update()
    assert seen == [{False}, {False}]


@pytest.mark.parametrize("n", [1, 3])
def test_d_steps_for_each_g_step(n, monkeypatch):
    loop, calls = loop_of("h2l", TINY.replace(d_steps=n)), []

    def counted(name, loss):
        return lambda batch: (calls.append(name), loss(batch))[1]

    for name in ("d_loss", "g_loss"):
        monkeypatch.setattr(loop.task, name, counted(name, getattr(loop.task, name)))
    loop.update(), loop.update()
    assert calls == (["d_loss"] * n + ["g_loss"]) * 2
    assert {s["step"].item() for s in loop.opt_d.state.values()} == {2 * n}


def test_ema_formula():
    cfg = TINY.replace(ema=0.5, h2l_steps=6)
    loop, mean = loop_of("h2l", cfg), None
    for n in range(6):
        loop.update()
        new = weights(loop.task.generators)
        decay = min(
            1 - 1 / 3, (1 + n) / (10 + n)
        )  # a memory of half of 6 updates, shorter at the start
        mean = new if mean is None else {k: mean[k] + (1 - decay) * (new[k] - mean[k]) for k in new}
        assert all(torch.allclose(mean[k], v, atol=1e-6) for k, v in loop.nets.state_dict().items())
    assert same(new, weights(loop.nets)) != []


def test_ema_forgets_the_untrained_start():
    loop = loop_of("h2l", TINY.replace(ema=1.0, h2l_steps=50))
    loop.update()
    assert (
        same(weights(loop.task.generators), weights(loop.nets)) == []
    )  # the first weights are not in it at all


def test_without_ema_the_generators_themselves_are_shipped():
    loop = loop_of("h2l", TINY.replace(ema=0.0))
    assert loop.nets is loop.task.generators


def test_learning_rates():
    loop = loop_of("h2l", TINY.replace(lr=1e-3, lr_d=4e-3, lr_schedule="cosine", h2l_steps=10))
    for step, want in ((0, [1e-3, 4e-3]), (5, [0.55e-3, 2.2e-3]), (10, [1e-4, 4e-4])):
        loop.step = step
        loop.set_rates()
        assert [o.param_groups[0]["lr"] for o in (loop.opt_g, loop.opt_d)] == pytest.approx(want)
    loop = loop_of("h2l", TINY.replace(lr=1e-3, lr_d=0.0, lr_schedule="constant"))
    loop.step = 5
    loop.set_rates()
    assert [o.param_groups[0]["lr"] for o in (loop.opt_g, loop.opt_d)] == [1e-3, 1e-3]
    assert loop.opt_g.param_groups[0]["betas"] == (0.0, 0.9)


def test_diagnostics_and_look_leave_batch_norm_alone():
    loop = loop_of("h2l", TINY.replace(norm="batch", ema=0.0))
    loop.update()
    before = weights(loop.nets)
    loop.diagnostics(), loop.look()
    assert same(before, weights(loop.nets)) == []
    assert all(m.training for m in loop.nets.modules())


def test_batch_norm_statistics_are_taken_anew():
    loop = loop_of("h2l", TINY.replace(norm="batch", ema=0.0, lr=2e-3, h2l_steps=40))
    for _ in range(5):
        loop.update()
    net, seen = loop.nets["h2l"], []
    norm = (
        net.encoder[0][0]
        if isinstance(net.encoder[0][0], nn.BatchNorm2d)
        else net.encoder[0][0].body[0]
    )
    before, params = weights(loop.nets), {k: p.clone() for k, p in loop.nets.named_parameters()}
    hook = norm.register_forward_hook(lambda m, x, y: seen.append(x[0].detach()))
    loop.reestimate_batch_norm(7)
    hook.remove()
    assert len(seen) == 7 and norm.momentum == 0.1
    means, variances = (
        torch.stack([f(x, (0, 2, 3)) for x in seen]).mean(0) for f in (torch.mean, torch.var)
    )
    assert torch.allclose(norm.running_mean, means, atol=1e-5)
    assert torch.allclose(norm.running_var, variances, rtol=1e-4)
    assert same(params, dict(loop.nets.named_parameters())) == []
    assert same(before, weights(loop.nets)) != []


def test_train_and_eval_outputs_of_a_trained_h2l_are_close():
    cfg = TINY.replace(norm="batch", ema=0.0, batch=16, lr=1e-3, w_gan=0.0, h2l_steps=30)
    loop = loop_of("h2l", cfg)
    for _ in range(30):
        loop.update()
    loop.reestimate_batch_norm(20)
    h2l = loop.nets["h2l"]
    hi, z = loop.task.hi.batch(), loop.task.new_z(len(loop.task.hi))
    with torch.no_grad():
        moving = {m: m.momentum for m in h2l.modules() if isinstance(m, nn.BatchNorm2d)}
        for m in moving:
            m.momentum = 0.0
        in_train, in_eval = h2l.train()(hi, z), h2l.eval()(hi, z)
        for m in moving:
            m.reset_running_stats()
        untaken = h2l(hi, z)
    gap = (in_train - in_eval).abs().mean().item()
    assert gap < 0.05  # of a range of 2
    assert gap < (in_train - untaken).abs().mean().item() / 3  # what wrong statistics would do


def test_channels_last_changes_the_layout_and_not_the_result():
    plain, last = (loop_of("h2l", TINY.replace(channels_last=c)) for c in (False, True))
    for loop in (plain, last):
        loop.update(), loop.update()
    a, b = plain.means(), last.means()
    assert a.keys() == b.keys() and all(a[k] == pytest.approx(b[k], abs=1e-3) for k in a)
    assert next(
        p for p in last.nets.parameters() if p.ndim == 4 and min(p.shape) > 1
    ).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    "damage, message",
    [
        # Each was found by the fuzzer: a division by zero at the next tick, a gigabyte compared.
        ({"n_summed": -1, "sums": {}}, "0 sums of -1 updates"),
        ({"best": torch.zeros(1).expand(10**9)}, "best must be float, got Tensor"),
        ({"step": 7}, "step 7 of 6"),
        ({"best": float("nan")}, "best must be float"),
    ],
    ids=lambda x: "" if isinstance(x, str) else next(iter(x)),
)
def test_progress_that_cannot_be_is_refused_before_it_is_used(damage, message):
    loop = loop_of("h2l")
    whole = loop.state()
    with pytest.raises(ValueError, match=message):
        loop.load(whole | damage)
    loop.load(whole)
    assert loop.best == float("inf")  # a run without a score yet goes on
