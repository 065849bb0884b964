"""The exercises of notebooks 01 and 02: each check passes (None) or names the mistake in a hint, never giving the line.

A check takes what a learner made: a number, names, or a function, which is tried on given inputs and compared with the
library's own. A hint is for one mistake: its condition, or what that mistake computes, stands beside it. What else may
be passed in gives a hint too, or an exception, which `notebook.attempt` turns into one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from . import config, losses
from .checks import first, letters, names, numbers
from .data import load_faces, to_float
from .degrade import bilinear, pool
from .tasks import H2LTask

PILES = ("formula", "camera")
STAGES = ("light", "lens", "sensor", "noise", "tone", "JPEG")
CHANGES = ("flip", "rotate", "zoom", "recolour")
HARMLESS = {"flip"}
BROKEN = ("no discriminator", "no pixel term", "far too fast")


# ---- 01: data --------------------------------------------------------------------------------------------------------
def finest_detail(x: Tensor) -> Tensor:
    """Spread of what differs between pixels that touch, both ways at once, log10: (B, 3, s, s) -> (B,).

    A light pixel beside a dark one counts; a slope, however steep, does not: the second difference removes it.
    """
    return x.diff(dim=2).diff(dim=3).std((1, 2, 3)).log10()


@cache
def _piles() -> tuple[Tensor, Tensor]:
    """The two piles that notebook 01 compares: 800 faces shrunk by a formula, 800 taken by the camera."""
    return (bilinear(load_faces("faces:train-hi").batch(slice(0, 800))),
            load_faces("faces:train-lo").batch(slice(0, None, 6)))


def measured_piles() -> dict[str, str]:
    """Which pile, "formula" or "camera", has the wider brightness, more of the finest detail, a wider spread of it."""
    light, detail = [x.mean((1, 2, 3)) for x in _piles()], [finest_detail(x) for x in _piles()]
    pairs = {"brightness": [x.std() for x in light], "detail": [x.mean() for x in detail],
             "spread of detail": [x.std() for x in detail]}
    return {k: PILES[int(b > a)] for k, (a, b) in pairs.items()}


def check_piles(mine: Mapping[str, str]) -> str | None:
    """The answers of `measured_piles`."""
    return names(mine, measured_piles(), {
        "brightness": "a formula leaves the light as it was. What does a camera set anew for every shot?",
        "detail": "noise adds fine detail, but blur takes what the face itself had, and more of it. Which one wins?",
        "spread of detail": "one filter treats every picture alike. And a camera that is sharp once and shaken next?"})


def check_finest_detail(mine: Callable[[Tensor], Tensor]) -> str | None:
    """A function of pictures (B, 3, 16, 16) as `finest_detail`."""
    x = load_faces("faces:train-lo").batch(slice(0, 24))
    both = x.diff(dim=2).diff(dim=3)
    return numbers(
        mine(x), finest_detail(x),
        ("one difference also counts a slow slope from light to dark as detail. What of the other direction?",
         x.diff(dim=3).std((1, 2, 3)).log10(), x.diff(dim=2).std((1, 2, 3)).log10()),
        ("this is one number for all pictures together: over which dimensions is the spread to be taken?",
         both.std().log10(), both.std()),
        ("this is the spread itself: the axis of the figure is its logarithm.", both.std((1, 2, 3))))


def same_picture() -> Tensor:
    """The one picture (3, 16, 16) that a pixel loss against random poor pictures of faces:train-lo[::6] ends with."""
    return _piles()[1].mean(0)


def check_same_picture(mine: Tensor) -> str | None:
    """The picture of `same_picture`."""
    shrunk, lo = _piles()
    return numbers(
        mine, same_picture(),
        ("one colour is not the best yet: every place in the picture can have its own best value.",
         lo.mean(), lo.mean((0, 2, 3)), lo.mean().expand(3, 16, 16)),
        ("this is the mean of the sharp pile, and the loss never looks at it.", shrunk.mean(0)),
        ("this is the median, the best for absolute distances. What is best for squared ones?", lo.median(0).values))


def check_stages(mine: Sequence[str]) -> str | None:
    """The six STAGES of the camera in order."""
    if isinstance(mine, str) or not isinstance(mine, Sequence) or sorted(map(str, mine)) != sorted(STAGES):
        return "each of these is wanted once, in a list: " + ", ".join(sorted(STAGES)) + "."
    at = {name: mine.index(name) for name in STAGES}
    return first({
        "a file is written last: what could still change the light after the picture is saved?": at["JPEG"] < 5,
        "noise comes from counting photons. Put after the tone curve, it would be as strong in shadows as in lights.":
            at["noise"] > at["tone"],
        "the lens is in front of the sensor: it blurs light, not pixels.": at["lens"] > at["sensor"],
        "noise belongs to the pixels of the sensor. Made before the lens, it would be blurred with the face.":
            at["noise"] < at["sensor"],
        "exposure and white balance scale the light that comes in, in this camera before anything else.":
            at["light"] > 0})


def check_harmless(mine: Iterable[str]) -> str | None:
    """Which of CHANGES leave the noise, blur and light of a poor picture as they were?"""
    if isinstance(mine, str) or not isinstance(mine, Iterable) or not set(mine) <= set(CHANGES):
        return "a set of some of these is expected: " + ", ".join(CHANGES) + "."
    if {"rotate", "zoom"} & set(mine):
        return "turned and zoomed pixels land between pixels, and a mean of neighbours takes their place: a blur."
    if "recolour" in mine:
        return "tint and exposure are part of what the camera did: new colours are another camera's."
    return None if "flip" in mine else "one of them moves every pixel to the place of another and computes nothing."


def check_to_float(mine: Callable[[Tensor], Tensor]) -> str | None:
    """A function from bytes (B, 3, H, W) uint8 to floats in [-1, 1], as `data.to_float`."""
    x = torch.arange(256, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 2, 2)
    got = mine(x)
    if not torch.is_tensor(got) or not got.is_floating_point():
        return "it still gives whole numbers: turn the bytes into floats."
    return numbers(
        got, to_float(x),
        ("this runs from 0 to 1, the range of a figure: inside, black is -1.", x.float() / 255),
        ("bytes wrap: 2 * 200 is 144 as a uint8. Make them floats *before* you compute.", 2 * x / 255 - 1),
        ("255 has to become exactly 1, and 0 exactly -1: what is half of 255?",
         x.float() / 128 - 1, x.float() / 127 - 1),
        tolerance=1e-5)


# ---- 02: high-to-low GAN ---------------------------------------------------------------------------------------------
def check_hinge_d(mine: Callable[[Tensor, Tensor], Tensor]) -> str | None:
    """A function (score_real (B,), score_fake (B',)) -> L_D, as `losses.hinge_d`."""
    real, fake = torch.tensor([2.0, 0.5, -1.0, 0.3]), torch.tensor([-2.5, 0.25])
    a, b = 1 - real, 1 + fake
    return numbers(
        mine(real, fake), losses.hinge_d(real, fake),
        ("the signs are swapped: a real picture with a high score has to cost nothing.", losses.hinge_d(-real, -fake)),
        ("without the bend at 0 D is rewarded for shouting ever louder: what of a real picture with score 5?",
         a.mean() + b.mean()),
        ("the larger pile counts for more: each pile is averaged on its own.", torch.cat([a, b]).relu().mean()),
        ("the bend is taken of the mean: D has to be done with each picture on its own.",
         a.mean().relu() + b.mean().relu()),
        ("a sum grows with the batch: take the mean over each pile.", a.relu().sum() + b.relu().sum()))


def check_by_hand(mine: Sequence[float]) -> str | None:
    """(L_D, L_G) of the scores 2, 0.5, -1 of real pictures and -2, 0 of made ones."""
    real, fake = torch.tensor([2.0, 0.5, -1.0]), torch.tensor([-2.0, 0.0])
    a, b, l_d, l_g = 1 - real, 1 + fake, losses.hinge_d(real, fake), losses.hinge_g(fake)
    return numbers(
        mine, (l_d, l_g),
        ("L_D holds sums: divide each by the number of its own pile.", (a.relu().sum() + b.relu().sum(), l_g)),
        ("L_D has lost its bend: a picture beyond the margin adds 0, not less than 0.", (a.mean() + b.mean(), l_g)),
        ("L_D is one mean over all five: each pile is averaged on its own.", (torch.cat([a, b]).relu().mean(), l_g)),
        ("L_G has the wrong sign: H2L wants high scores, so low ones must cost.", (l_d, -l_g)),
        ("L_G has no bend: only D's loss has one.", (l_d, b.relu().mean())), tolerance=5e-3)


def pixel_loss(lo_fake: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
    """`losses.pixel_h2l` of a batch as the tasks have it: "hi", "lo" (of other people) and "z"."""
    return losses.pixel_h2l(lo_fake, batch["hi"])


def check_pixel_loss(mine: Callable[[Tensor, Mapping[str, Tensor]], Tensor]) -> str | None:
    """A function (lo_fake, batch) -> scalar, as `pixel_loss`."""
    hi, lo = load_faces("faces:train-hi").batch(slice(0, 6)), load_faces("faces:train-lo").batch(slice(0, 6))
    made = bilinear(hi.flip(0)).lerp(bilinear(hi), 0.6)
    difference, size = made - pool(hi), hi.shape[-2:]
    batch = {"hi": hi, "lo": lo, "z": torch.zeros(6, 64)}
    return numbers(
        mine(made, batch), pixel_loss(made, batch),
        ("compared at 64x64 H2L would pay for detail that 16x16 pixels cannot hold: bring hi down instead.",
         *((interpolate(made, size, mode=mode) - hi).square().mean() for mode in ("nearest", "bilinear"))),
        ("a sum grows with the batch and the size, and beta would mean something else each time: take the mean.",
         difference.square().sum()),
        ("this compares with `lo`, the poor picture of *another* person: there are no pairs.",
         (made - lo).square().mean()),
        ("absolute differences: the paper squares them.", difference.abs().mean()))


def one_update(task: H2LTask, opt_d: torch.optim.Optimizer, opt_g: torch.optim.Optimizer, n_d: int = 5) -> None:
    """n_d updates of the discriminator, then one of the generator, as `training.Loop.update` makes them."""
    for loss_of, opt, n in ((task.d_loss, opt_d, n_d), (task.g_loss, opt_g, 1)):
        task.discriminators.requires_grad_(opt is opt_d)
        for _ in range(n):
            opt.zero_grad()
            loss_of(task.batch())[0].backward()
            opt.step()
    task.discriminators.requires_grad_(True)


class _Watched(H2LTask):
    """A task that notes what its generator step finds: gradients left of the last step, and D's before and after."""

    def __init__(self):
        faces = load_faces("faces:train-hi")[:24], load_faces("faces:train-lo")[:24]
        super().__init__(config.preset("smoke"), *faces, torch.Generator().manual_seed(0), torch.device("cpu"))
        self.stale, self.of_d = False, []

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
    """A function (task, opt_d, opt_g, n_d) as `one_update`; tried twice on a small H2L with n_d = 3."""
    task, steps, leaks = _Watched(), {"d": 0, "g": 0}, []
    opt_d, opt_g = (torch.optim.Adam(nets.parameters(), 1e-3) for nets in (task.discriminators, task.generators))
    opt_d.register_step_post_hook(lambda *_: steps.update(d=steps["d"] + 1))
    opt_g.register_step_post_hook(lambda *_: (steps.update(g=steps["g"] + 1), leaks.append(task.leaks())))
    try:
        for _ in range(2):
            mine(task, opt_d, opt_g, 3)
    except RuntimeError as error:
        if "does not require grad" not in str(error):
            raise
        return "at the second update D can learn no more: what is off for H2L's step must be on again for D's next one."
    return first({
        f"in two updates with n_d = 3 D moved {steps['d']} times, not 6.": steps["d"] != 6,
        "H2L never moves: its loss needs backward(), and its optimiser a step().": steps["g"] == 0,
        "H2L moves as often as D: its step comes once, after all of D's.": steps["g"] == 6,
        f"in two updates H2L moved {steps['g']} times, not twice.": steps["g"] != 2,
        "H2L's step leaves gradients in D's weights: they are not to be asked for while H2L learns.": any(leaks),
        "H2L's gradients of the last update are still there when new ones are added: clear them first.": task.stale})


def unnamed(runs: Mapping[str, Any]) -> dict[str, Any]:
    """The runs without their names: "A", "B", ... in place of those of BROKEN; what else there is keeps its own."""
    return {k: v for k, v in runs.items() if k not in BROKEN} | {a: runs[k] for a, k in letters(BROKEN).items()}


def check_broken_runs(mine: Mapping[str, str]) -> str | None:
    """Which of BROKEN is which letter of `unnamed`?"""
    return names(mine, letters(BROKEN), {
        "A": "A has scores, and they stay small. But one of its losses never comes down: which?",
        "A: far too fast": "A's faces get lost too, but its scores never leap: what is missing from its loss?",
        "B": "in B there are no scores to draw. Who gives them?",
        "C": "C has all its terms. Mind the scale of its scores and losses."})
