"""The checks of notebook 02 against the reference and each likely mistake."""

import torch
from torch.nn.functional import interpolate, mse_loss

import hlgan_lib as hl
from hlgan_lib import presets
from hlgan_lib.exercises import checks, nb02_h2l_gan
from hlgan_lib.loop import Loop
from hlgan_lib.tasks.two_stage import H2LTask
from tests.helpers import untrainable

RUNS = {"A": "no pixel term", "B": "no discriminator", "C": "far too fast"}
pool = hl.degradations.pool


def update(n_d=None, g_inside=False, g_moves=True, leak=False, off_for_good=False, g_clear=True):
    """An update as a learner might write it, right but for what is asked for."""

    def step_g(task, opt):
        if g_clear:
            opt.zero_grad()
        task.g_loss(task.batch())[0].backward()
        if g_moves:
            opt.step()

    def mine(task, opt_d, opt_g, n):
        for _ in range(n_d or n):
            opt_d.zero_grad()
            task.d_loss(task.batch())[0].backward()
            opt_d.step()
            if g_inside:
                step_g(task, opt_g)
        task.discriminators.requires_grad_(leak)
        if not g_inside:
            step_g(task, opt_g)
        task.discriminators.requires_grad_(not off_for_good)

    return mine


# check -> the reference, and mistake -> what its hint must say
CASES = {
    nb02_h2l_gan.check_hinge_d: (
        lambda: hl.losses.hinge_d,
        [
            (lambda r, f: (1 + r).relu().mean() + (1 - f).relu().mean(), "signs are swapped"),
            (lambda r, f: (1 - r).mean() + (1 + f).mean(), "bend at 0"),
            (lambda r, f: torch.cat([(1 - r).relu(), (1 + f).relu()]).mean(), "larger set"),
            (
                lambda r, f: (1 - r.mean()).relu() + (1 + f.mean()).relu(),
                "bend is taken of the mean",
            ),
            (lambda r, f: (1 - r).relu().sum() + (1 + f).relu().sum(), "a sum grows"),
            (lambda r, f: None, "`return`"),
            (lambda r, f: (1 - r).relu(), "its shape is (4,)"),
            *untrainable(hl.losses.hinge_d),
            (lambda r, f: hl.losses.hinge_d(r, f.detach()), "another gradient"),
        ],
    ),
    nb02_h2l_gan.check_by_hand: (
        lambda: (4 / 3, 1),
        [
            ((3.5, 1.0), "holds sums"),
            ((0.5, 1.0), "lost its bend"),
            ((3.5 / 5, 1.0), "all five"),
            ((1.333, -1.0), "wrong sign"),
            ((1.333, 0.5), "no bend"),
            (1.333, "its shape is ()"),
            ("1.3", "of type str"),
        ],
    ),
    nb02_h2l_gan.check_pixel_loss: (
        lambda: nb02_h2l_gan.pixel_loss,
        [
            (lambda lo_fake, b: mse_loss(interpolate(lo_fake, 64), b["hi"]), "compared at 64x64"),
            (
                lambda lo_fake, b: mse_loss(
                    interpolate(lo_fake, (64, 64), mode="bilinear"), b["hi"]
                ),
                "compared at 64x64",
            ),
            (lambda lo_fake, b: mse_loss(lo_fake, pool(b["hi"]), reduction="sum"), "a sum grows"),
            (lambda lo_fake, b: mse_loss(lo_fake, b["lo"]), "another* person"),
            (lambda lo_fake, b: (lo_fake - pool(b["hi"])).abs().mean(), "squares"),
            *untrainable(nb02_h2l_gan.pixel_loss),
        ],
    ),
    nb02_h2l_gan.check_one_update: (
        lambda: nb02_h2l_gan.one_update,
        [
            (update(g_inside=True), "once, after all"),
            (update(leak=True), "leaves gradients in D"),
            (update(off_for_good=True), "on again"),
            (update(g_moves=False), "never moves"),
            (update(g_clear=False), "clear them first"),
            (update(n_d=1), "D moved 2 times"),
        ],
    ),
    nb02_h2l_gan.check_broken_runs: (
        lambda: checks.letters(nb02_h2l_gan.BROKEN),
        [
            (RUNS | {"A": "no discriminator", "B": "no pixel term"}, "never comes down"),
            (RUNS | {"A": "far too fast", "C": "no pixel term"}, "never leap"),
            (RUNS | {"B": "far too fast", "C": "no discriminator"}, "no scores to draw"),
            (RUNS | {"C": "no pixel term"}, "Mind the scale"),
            (RUNS | {"C": "too fast"}, "none of the names"),
            ("no pixel term", "a dict with these keys"),
        ],
    ),
}


def test_one_update_is_the_loop_s_own():
    cfg = presets.preset("smoke").replace(h2l_model="paper", d_steps=3)
    faces = [hl.load_faces(f"faces:train-{side}")[:24] for side in ("hi", "lo")]
    loops = []
    for _ in range(2):
        torch.manual_seed(1)
        loops.append(
            Loop(
                cfg, H2LTask(cfg, *faces, torch.Generator().manual_seed(1), torch.device("cpu")), 2
            )
        )
    one, other = loops
    start = [p.clone() for p in one.task.generators.parameters()]
    one.update()
    other.set_rates()
    nb02_h2l_gan.one_update(other.task, other.opt_d, other.opt_g, cfg.d_steps)
    for a, b in zip(
        (*one.task.generators.parameters(), *one.task.discriminators.parameters()),
        (*other.task.generators.parameters(), *other.task.discriminators.parameters()),
        strict=True,
    ):
        assert torch.equal(a, b)
    assert not all(map(torch.equal, start, one.task.generators.parameters())), (
        "the generator has not moved"
    )


def test_the_runs_lose_their_names_but_for_the_healthy_one():
    runs = dict.fromkeys(("healthy", *nb02_h2l_gan.BROKEN), 0) | {"no pixel term": 1}
    assert nb02_h2l_gan.unnamed(runs) == {"healthy": 0, "A": 1, "B": 0, "C": 0}
