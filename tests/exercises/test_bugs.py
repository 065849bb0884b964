"""The six faults: each shows the symptom that notebook 07 promises, and the healthy variant beside
it does not.
"""

import copy

import pytest
import torch

import hlgan_lib as hl
from hlgan_lib import losses, tasks
from hlgan_lib.degradations import degradation
from hlgan_lib.degradations.handmade import pool
from hlgan_lib.exercises import bugs
from hlgan_lib.loop import Loop

CFG = bugs.small(hl.preset("smoke"))


def test_small_keeps_to_seconds_and_to_the_seed():
    assert bugs.small(hl.preset("paper").replace(seed=7)).seed == 7
    assert bugs.small(hl.preset("paper")).h2l_width == hl.preset("quick").h2l_width
    assert CFG.h2l_width == hl.preset("smoke").h2l_width and CFG.batch <= 8


def test_runs_begin_alike():
    healthy, broken = bugs.start(CFG), bugs.start(CFG, bugs.UnpairedPixels, bugs.LeakyLoop)
    assert all(
        map(
            torch.equal, *(loop.task.generators.state_dict().values() for loop in (healthy, broken))
        )
    )
    assert all(map(torch.equal, *(bugs.exam(loop.task).values() for loop in (healthy, broken))))
    with pytest.raises(hl.HLError, match="at least 1 update"):
        bugs.advance(healthy, 0)
    with pytest.raises(hl.HLError, match="at least 1 update"):
        bugs.train_d(healthy.task, 0)


def loss_of_d(task):
    return task.d_loss(bugs.exam(task))[0].item()


def test_leaking_gradients_make_d_worse_than_guessing_where_the_gan_loss_weighs_one():
    cfg = CFG.replace(w_gan=1.0)
    healthy, leaky = (
        bugs.watch(bugs.start(cfg, loop=loop), 12, loss_of_d)[-1] for loop in (Loop, bugs.LeakyLoop)
    )
    assert healthy < 2.05 and leaky > 2.5


def test_the_leak_grows_with_the_weight_and_is_none_without_a_gan_loss():
    small, large = (bugs.leak(bugs.start(CFG.replace(w_gan=w)).task) for w in (0.05, 1.0))
    assert large == pytest.approx(20 * small, rel=1e-2) and small > 0.01


def test_unpaired_pixels_drown_the_faces_in_a_mean():
    loops = {
        task: bugs.start(CFG.replace(w_gan=0.0), task)
        for task in (tasks.H2LTask, bugs.UnpairedPixels)
    }
    for loop in loops.values():
        bugs.advance(loop, 20)
    made = {
        task: loop.task.generators["h2l"](*(bugs.exam(loop.task)[k] for k in ("hi", "z")))
        for task, loop in loops.items()
    }
    exam = bugs.exam(loops[tasks.H2LTask].task)
    off = {task: losses.pixel_h2l(x, exam["hi"]).item() for task, x in made.items()}
    assert off[bugs.UnpairedPixels] > 2 * off[tasks.H2LTask]
    assert tasks.spread(made[bugs.UnpairedPixels]) < tasks.spread(made[tasks.H2LTask])


def test_sharp_as_real_never_looks_at_the_lr_faces():
    for task, looks in ((tasks.H2LTask, True), (bugs.HRAsReal, False)):
        made = bugs.start(CFG.replace(d_norm="none"), task).task
        batch = bugs.exam(made)
        of = [
            made.d_loss(batch | {"lo": lo})[0]
            for lo in (batch["lo"], torch.zeros_like(batch["lo"]))
        ]
        assert torch.equal(*of) is not looks


def test_sharp_as_real_teaches_d_that_clean_reductions_are_lr_faces():
    prefers = {}
    for task in (tasks.H2LTask, bugs.HRAsReal):
        made = bugs.train_d(bugs.start(CFG, task).task, 30)
        batch, d = bugs.exam(made), made.discriminators["d_lo"]
        prefers[task] = (d(pool(batch["hi"])).mean() - d(batch["lo"]).mean()).item()
    assert prefers[bugs.HRAsReal] > max(prefers[tasks.H2LTask], 0)


def test_batch_statistics_make_a_face_depend_on_its_company():
    loop = bugs.start(CFG.replace(norm="batch", w_gan=0.0), degrade=degradation("bilinear"))
    bugs.advance(loop, 6)
    net, (hi, lo) = (
        loop.task.generators["l2h"],
        (s.batch(slice(0, 40)) for s in hl.load_faces("faces:val")),
    )
    order = lo.mean((1, 2, 3)).argsort().tolist()
    for score, depends in ((bugs.score_as_it_is, True), (bugs.score_to_trust, False)):
        own = copy.deepcopy(net)
        a, b = (score(own, lo[part], hi[part])[0] for part in (order[:8], [order[0], *order[-7:]]))
        assert (abs(a - b) > 0.05) == depends
        assert own.training and depends != all(
            map(torch.equal, own.state_dict().values(), net.state_dict().values())
        )


def test_a_stretched_score_is_blind_to_light_and_contrast():
    hi = hl.load_faces("faces:val:hi").batch(slice(0, 8))
    made = 0.9 * pool(hi).repeat_interleave(4, 2).repeat_interleave(4, 3)
    whole = bugs.score_of_stretched(made, hi)
    for name, x in bugs.damage(made).items():
        assert x.shape == made.shape and x.abs().max() <= 1
        assert torch.allclose(bugs.score_of_stretched(x, hi), whole, atol=1e-3) == (
            name in ("faded", "darker")
        )
    assert set(bugs.damage(made)) == set(bugs.DAMAGE)


def test_the_wrong_key_loads_nothing_and_says_nothing(tmp_path):
    torch.manual_seed(0)
    trained, fresh = (hl.LowToHigh(CFG) for _ in range(2))
    bugs.save_generator(trained, tmp_path / "w.pt")
    before = bugs.flat(fresh.parameters())
    assert torch.equal(
        bugs.flat(bugs.load_generator(fresh, tmp_path / "w.pt").parameters()), before
    )
    assert torch.equal(
        bugs.flat(bugs.load_strictly(fresh, tmp_path / "w.pt").parameters()),
        bugs.flat(trained.parameters()),
    )
