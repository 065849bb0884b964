"""The exercises of notebook 02, on the High-to-Low GAN; what a check is, `nb01_data` says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from .. import losses, presets
from ..data.loading import load_faces
from ..degradations.handmade import bilinear, pool
from ..tasks.two_stage import H2LTask
from .checks import first, letters, names, numbers, trained_through

BROKEN = ("no discriminator", "no pixel term", "far too fast")


def check_hinge_d(mine: Callable[[Tensor, Tensor], Tensor]) -> str | None:
    """A function (score_real (B,), score_fake (B',)) -> L_D, as `losses.hinge_d`."""
    real = torch.tensor([2.0, 0.5, -1.0, 0.3], requires_grad=True)
    fake = torch.tensor([-2.5, 0.25], requires_grad=True)
    a, b = (1 - real).detach(), (1 + fake).detach()
    got, want = mine(real, fake), losses.hinge_d(real, fake)
    said = numbers(
        got,
        want.detach(),
        (
            "the signs are swapped: a real picture with a high score has to cost nothing.",
            losses.hinge_d(-real, -fake).detach(),
        ),
        (
            "without the bend at 0 D is rewarded for shouting ever louder: what of a real "
            "picture with score 5?",
            a.mean() + b.mean(),
        ),
        (
            "the larger set counts for more: each set is averaged on its own.",
            torch.cat([a, b]).relu().mean(),
        ),
        (
            "the bend is taken of the mean: D has to be done with each picture on its own.",
            a.mean().relu() + b.mean().relu(),
        ),
        (
            "a sum grows with the batch: take the mean over each set.",
            a.relu().sum() + b.relu().sum(),
        ),
    )
    return said or trained_through(got, want, real, fake)


def check_by_hand(mine: Sequence[float]) -> str | None:
    """(L_D, L_G) of the scores 2, 0.5, -1 of real pictures and -2, 0 of made ones."""
    real, fake = torch.tensor([2.0, 0.5, -1.0]), torch.tensor([-2.0, 0.0])
    a, b, l_d, l_g = 1 - real, 1 + fake, losses.hinge_d(real, fake), losses.hinge_g(fake)
    return numbers(
        mine,
        (l_d, l_g),
        (
            "L_D holds sums: divide each by the number of its own set.",
            (a.relu().sum() + b.relu().sum(), l_g),
        ),
        (
            "L_D has lost its bend: a picture beyond the margin adds 0, not less than 0.",
            (a.mean() + b.mean(), l_g),
        ),
        (
            "L_D is one mean over all five: each set is averaged on its own.",
            (torch.cat([a, b]).relu().mean(), l_g),
        ),
        ("L_G has the wrong sign: H2L wants high scores, so low ones must cost.", (l_d, -l_g)),
        ("L_G has no bend: only D's loss has one.", (l_d, b.relu().mean())),
        tolerance=5e-3,
    )


def pixel_loss(lo_fake: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
    """`losses.pixel_h2l` of a batch as the tasks have it: "hi", "lo" (of other people) and "z"."""
    return losses.pixel_h2l(lo_fake, batch["hi"])


def check_pixel_loss(mine: Callable[[Tensor, Mapping[str, Tensor]], Tensor]) -> str | None:
    """A function (lo_fake, batch) -> scalar, as `pixel_loss`."""
    hi, lo = (
        load_faces("faces:train-hi").batch(slice(0, 6)),
        load_faces("faces:train-lo").batch(slice(0, 6)),
    )
    lo_fake = bilinear(hi.flip(0)).lerp(bilinear(hi), 0.6).requires_grad_()
    made = lo_fake.detach()
    difference, size = made - pool(hi), hi.shape[-2:]
    batch = {"hi": hi, "lo": lo, "z": torch.zeros(6, 64)}
    got, want = mine(lo_fake, batch), pixel_loss(lo_fake, batch)
    said = numbers(
        got,
        want.detach(),
        (
            "compared at 64x64 H2L would pay for detail that 16x16 pixels cannot hold: "
            "bring hi down instead.",
            *(
                (interpolate(made, size, mode=mode) - hi).square().mean()
                for mode in ("nearest", "bilinear")
            ),
        ),
        (
            "a sum grows with the batch and the size, and beta would mean something else "
            "each time: take the mean.",
            difference.square().sum(),
        ),
        (
            "this compares with `lo`, the LR picture of *another* person: there are no pairs.",
            (made - lo).square().mean(),
        ),
        ("absolute differences: the paper squares them.", difference.abs().mean()),
    )
    return said or trained_through(got, want, lo_fake)


def one_update(
    task: H2LTask, opt_d: torch.optim.Optimizer, opt_g: torch.optim.Optimizer, n_d: int = 5
) -> None:
    """n_d updates of the discriminator, then one of the generator, as `loop.Loop.update`."""
    for loss_of, opt, n in ((task.d_loss, opt_d, n_d), (task.g_loss, opt_g, 1)):
        task.discriminators.requires_grad_(opt is opt_d)
        for _ in range(n):
            opt.zero_grad()
            loss_of(task.batch())[0].backward()
            opt.step()
    task.discriminators.requires_grad_(True)


class _Watched(H2LTask):
    """A task that notes what its generator step finds.

    Gradients left of the last step, and D's before and after.
    """

    def __init__(self) -> None:
        hi, lo = load_faces("faces:train-hi")[:24], load_faces("faces:train-lo")[:24]
        rng = torch.Generator().manual_seed(0)
        cfg = presets.preset("smoke").replace(h2l_model="paper")
        super().__init__(cfg, hi, lo, rng, torch.device("cpu"))
        self.stale = False
        self.of_d: list[Tensor] = []

    def grads(self, nets: torch.nn.Module) -> list[Tensor]:
        return [p.grad.clone() for p in nets.parameters() if p.grad is not None]

    def g_loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict]:
        loss, logs = super().g_loss(batch)
        self.of_d = self.grads(self.discriminators)
        loss.register_hook(self.note)  # called when backward() starts
        return loss, logs

    def note(self, _: Tensor) -> None:
        self.stale |= any(g.any() for g in self.grads(self.generators))

    def leaks(self) -> bool:
        now = self.grads(self.discriminators)
        return len(now) != len(self.of_d) or not all(map(torch.equal, now, self.of_d))


def check_one_update(mine: Callable[..., None]) -> str | None:
    """A function (task, opt_d, opt_g, n_d) as `one_update`.

    Tried twice on a small H2L with n_d = 3.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        task = _Watched()
    steps = {"d": 0, "g": 0}
    leaks: list[bool] = []

    def d_moved(*_: object) -> None:
        steps["d"] += 1

    def g_moved(*_: object) -> None:
        steps["g"] += 1
        leaks.append(task.leaks())

    opt_d = torch.optim.Adam(task.discriminators.parameters(), 1e-3)
    opt_g = torch.optim.Adam(task.generators.parameters(), 1e-3)
    opt_d.register_step_post_hook(d_moved)
    opt_g.register_step_post_hook(g_moved)
    try:
        for _ in range(2):
            mine(task, opt_d, opt_g, 3)
    except RuntimeError as error:
        if "does not require grad" not in str(error):
            raise
        return (
            "at the second update D can learn no more: what is off for H2L's step must be "
            "on again for D's next one."
        )
    return first(
        (steps["d"] != 6, f"in two updates with n_d = 3 D moved {steps['d']} times, not 6."),
        (
            steps["g"] == 0,
            "H2L never moves: its loss needs backward(), and its optimiser a step().",
        ),
        (steps["g"] == 6, "H2L moves as often as D: its step comes once, after all of D's."),
        (steps["g"] != 2, f"in two updates H2L moved {steps['g']} times, not twice."),
        (
            any(leaks),
            "H2L's step leaves gradients in D's weights: they are not to be asked for "
            "while H2L learns.",
        ),
        (
            task.stale,
            "H2L's gradients of the last update are still there when new ones are added: "
            "clear them first.",
        ),
    )


def unnamed(runs: Mapping[str, Any]) -> dict[str, Any]:
    """The runs without their names: "A", "B", ...

    In place of those of BROKEN; what else there is keeps its own.
    """
    return {k: v for k, v in runs.items() if k not in BROKEN} | {
        a: runs[k] for a, k in letters(BROKEN).items()
    }


def check_broken_runs(mine: Mapping[str, str]) -> str | None:
    """Which of BROKEN is which letter of `unnamed`?"""
    return names(
        mine,
        letters(BROKEN),
        {
            "A": "A has scores, and they stay small. But one of its losses never comes down: "
            "which?",
            "A: far too fast": "A's faces get lost too, but its scores never leap: what is "
            "missing from its loss?",
            "B": "in B there are no scores to draw. Who gives them?",
            "C": "C has all its terms. Mind the scale of its scores and losses.",
        },
    )
