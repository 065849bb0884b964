"""The exercises of notebook 07, find the bug.

Each check passes (None) or names the mistake in a hint.

A repair is tried on a small network and compared with what the library itself computes; what a
wrong repair gives stands beside its hint.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import presets
from ..config import RunConfig
from ..data.loading import load_faces
from ..degradations.handmade import pool
from ..errors import HLError
from ..loop import Loop
from ..losses import hinge_d, hinge_g, pixel_h2l
from ..metrics.pairs import psnr
from ..metrics.protocols import stretch
from ..networks.paper import LowToHigh
from ..tasks.base import Batch
from ..tasks.two_stage import H2LTask
from .bugs import DAMAGE, FAULTS, exam, flat, save_generator, score_to_trust, unit
from .checks import first, letters, names, numbers

PARTS = ("D's own loss", "the pixel loss", "H2L's GAN loss", "the update before")
COMPANY = (
    "other companions",
    "companions in another order",
    "the same batch again",
    "no companions",
)
# What is right: the references of the questions.
LEAKING = {"D's own loss", "H2L's GAN loss"}
MATTERING = {"other companions", "no companions"}
UNSEEN = {"faded", "darker"}
LOADED = 0
SYMPTOMS = letters(FAULTS)


# ---- 1: gradients leak ---------------------------------------------------------------------------
def check_leaking_parts(mine: Iterable[str]) -> str | None:
    """Which of PARTS are in D's gradient when LeakyLoop takes D's step?"""
    if said := _chosen(mine, PARTS):
        return said
    return first(
        (
            "D's own loss" not in mine,
            "its own loss is what D's step is for: backward() adds it to the rest.",
        ),
        (
            "the pixel loss" in mine,
            "the pixel loss knows nothing of D's weights, so it has no gradient there.",
        ),
        ("the update before" in mine, "the update before is gone: look at the first two lines."),
        (
            "H2L's GAN loss" not in mine,
            "H2L's loss is computed *through* D. Where do gradients stay on the way back?",
        ),
    )


def check_update(mine: Callable[[Loop], None]) -> str | None:
    """A function of a loop that updates both networks once, as `Loop.update`.

    Tried twice on a small H2L.
    """
    loop = Loop(*_small_task(w_gan=1.0), 9)
    task, batch = loop.task, loop.task.batch()
    # Always the same batch, so that the gradients of each loss can be taken again beside.
    setattr(task, "batch", lambda: batch)  # noqa: B010
    found: dict[str, list[tuple[Tensor, Tensor]]] = {"d": [], "g": []}

    def note(who: str, nets: nn.ModuleDict, loss_of: Callable) -> Callable:
        def at_step(*_: Any) -> None:
            weights = list(nets.parameters())
            own = torch.autograd.grad(loss_of(batch)[0], weights)
            present = [torch.zeros_like(p) if p.grad is None else p.grad for p in weights]
            found[who].append((flat(present), flat(own)))

        return at_step

    assert loop.opt_d is not None  # w_gan is 1
    loop.opt_d.register_step_pre_hook(note("d", task.discriminators, task.d_loss))
    loop.opt_g.register_step_pre_hook(note("g", task.generators, task.g_loss))
    try:
        for _ in range(2):
            mine(loop)
    except RuntimeError as error:
        if "does not require grad" not in str(error):
            raise
        return (
            "in the second update D can learn no more: what is off for H2L's step must be "
            "on again for D's."
        )
    if len(found["d"]) != 2 or len(found["g"]) != 2:
        return (
            f"in two updates D moved {len(found['d'])} times and H2L {len(found['g'])} "
            "times: twice each is wanted."
        )
    rest = [got - own for got, own in found["d"]]

    def big(x: Tensor, beside: Tensor) -> bool:
        return bool(x.norm() > 1e-3 * beside.norm())

    return first(
        (
            any(not got.any() for got, _ in found["d"] + found["g"]),
            "the step finds gradients of zero: they are cleared between backward() and step().",
        ),
        (
            not big(rest[0], found["d"][0][1])
            and not big(rest[1] - found["d"][0][0], found["d"][0][0]),
            "D's gradients of the last update are still there at the next one: who clears them?",
        ),
        (
            any(big(r, own) for r, (_, own) in zip(rest, found["d"], strict=True)),
            "D's step still uses what H2L's loss left in D: clear *after* H2L's "
            "backward(), or ask for none there.",
        ),
        (
            any(big(got - own, own) for got, own in found["g"]),
            "H2L's gradients of the last update are still there at the next one.",
        ),
    )


# ---- 2: unpaired pixels --------------------------------------------------------------------------
def loss_of_h2l(task: H2LTask, batch: Batch) -> Tensor:
    """H2L's loss alone, a scalar."""
    return task.g_loss(batch)[0]


def check_generator_loss(mine: Callable[[H2LTask, Batch], Tensor]) -> str | None:
    """A function (task, batch) -> H2L's loss, alpha pixel + beta GAN, as `H2LTask.g_loss`."""
    cfg, task = _small_task()
    batch = exam(task)
    lo_fake, hi, got = (
        task.generators["h2l"](batch["hi"], batch["z"]),
        batch["hi"],
        mine(task, batch),
    )
    gan, pixel = cfg.w_gan * hinge_g(task.discriminators["d_lo"](lo_fake)), pixel_h2l(lo_fake, hi)
    weights = list(task.generators.parameters())
    want = flat(torch.autograd.grad(pixel + gan, weights))
    with torch.no_grad():
        said = numbers(
            got,
            pixel + gan,
            (
                "this compares with `lo`, where somebody else is to be seen.",
                (lo_fake - batch["lo"]).square().mean() + gan,
            ),
            (
                "compared at 64x64 H2L would pay for detail that 16x16 pixels cannot hold: "
                "bring hi down instead.",
                *(
                    (F.interpolate(lo_fake, hi.shape[-2:], mode=m) - hi).square().mean() + gan
                    for m in ("nearest", "bilinear")
                ),
            ),
            ("without a pixel term nothing holds the face in place.", gan),
            ("the GAN term is gone: H2L would learn to reduce, and no degradation.", pixel),
        )
    if said is None:
        grads: tuple[Tensor | None, ...] = (None,)
        if got.requires_grad:
            grads = torch.autograd.grad(got, weights, allow_unused=True)
        if None in grads or not torch.allclose(flat(grads), want, atol=1e-6):
            return (
                "its value is right, but a gradient to H2L is missing: is there a detach() "
                "or no_grad() on the way?"
            )
    return said


# ---- 3: HR as real ----------------------------------------------------------------------------
def loss_of_d_low(task: H2LTask, batch: Batch) -> Tensor:
    """D_low's loss alone, a scalar."""
    return task.d_loss(batch)[0]


def check_discriminator_loss(mine: Callable[[H2LTask, Batch], Tensor]) -> str | None:
    """A function (task, batch) -> D_low's hinge loss, as `H2LTask.d_loss`."""
    _, task = _small_task()
    batch, d = exam(task), task.discriminators["d_lo"]
    hi, lo, lo_fake = batch["hi"], batch["lo"], task.generators["h2l"](batch["hi"], batch["z"])
    try:
        got = mine(task, batch)
    except HLError as error:
        if "x must be float" not in str(error):
            raise
        return (
            "D_low is shown pictures of 64x64. Smaller ones would fit, but which of the "
            "two sets is LR?"
        )
    with torch.no_grad():
        said = numbers(
            got,
            hinge_d(d(lo), d(lo_fake)),
            (
                "D is shown the HR faces, reduced, as real: then a clean reduction is the "
                "best H2L can make.",
                *(
                    hinge_d(d(x), d(lo_fake))
                    for x in (pool(hi), F.interpolate(hi, lo.shape[-2:], mode="bilinear"))
                ),
            ),
            ("real and made are swapped.", hinge_d(d(lo_fake), d(lo))),
            (
                "the reductions are shown as *made*, and H2L's pictures are never seen.",
                hinge_d(d(lo), d(pool(hi))),
            ),
        )
    if said is None:
        if not got.requires_grad:
            return "its value is right, but a detached tensor teaches D nothing."
        got.backward()
        if any(p.grad is not None for p in task.generators.parameters()):
            return "gradients of D's loss run back into H2L: its pictures are only looked at here."
    return said


# ---- 4: batch statistics -------------------------------------------------------------------------
def check_company(mine: Iterable[str]) -> str | None:
    """Which of COMPANY change the score of a face in train mode?"""
    if said := _chosen(mine, COMPANY):
        return said
    return first(
        (
            "companions in another order" in mine,
            "mean and variance of a batch do not ask for the order.",
        ),
        (
            "the same batch again" in mine,
            "the same batch has the same mean: only the running averages move, and train "
            "mode does not use them.",
        ),
        (
            "other companions" not in mine,
            "the mean and variance are taken over all pictures of the batch: other "
            "pictures, another mean.",
        ),
        ("no companions" not in mine, "a batch of one has a mean too: that of the face itself."),
    )


def check_score(mine: Callable[[nn.Module, Tensor, Tensor], Tensor]) -> str | None:
    """A function (net, lo, hi) -> PSNR (B,), as `score_to_trust`.

    Tried on a small L2H with batch norm.
    """
    hi, lo = (side.batch(slice(0, 6)) for side in load_faces("faces:val"))
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        net = LowToHigh(presets.preset("smoke").replace(norm="batch")).train()
        for _ in range(4):
            net(lo.flip(0) * 0.7)  # running averages other than those of this batch
    with torch.no_grad():
        want, batch = (
            score_to_trust(copy.deepcopy(net), lo, hi),
            psnr(unit(copy.deepcopy(net)(lo)), unit(hi)),
        )
        alone = torch.cat(
            [psnr(unit(copy.deepcopy(net)(x[None])), unit(y[None])) for x, y in zip(lo, hi)]
        )
    before = {k: v.clone() for k, v in net.state_dict().items()}
    got = mine(net, lo, hi)
    said = numbers(
        got,
        want,
        (
            "each face still depends on who is beside it: no_grad() does not change what "
            "batch norm does.",
            batch,
        ),
        (
            "a batch of one has statistics of its own: the faces are alone now, but still "
            "not in eval mode.",
            alone,
        ),
    )
    return said or first(
        (
            not all(m.training for m in net.modules()),
            "the network is left in eval mode, and its training goes on like that: give it "
            "its mode back.",
        ),
        (
            any(not torch.equal(v, before[k]) for k, v in net.state_dict().items()),
            "scoring has changed the network: its running averages are not what they were.",
        ),
        (
            mine(net.eval(), lo, hi) is None or net.training,
            "a network that came in eval mode leaves in train mode: remember how it came.",
        ),
    )


# ---- 5: stretched --------------------------------------------------------------------------------
def check_unseen(mine: Iterable[str]) -> str | None:
    """Which kinds of DAMAGE are gone after a stretch of each picture?"""
    if said := _chosen(mine, DAMAGE):
        return said
    return first(
        (
            "faded" not in mine,
            "a stretch takes whatever range there is to the full one: half a range too.",
        ),
        ("blurred" in mine, "the range of a blurred face may be full; its edges stay soft."),
        (
            "reddish" in mine,
            "there is *one* minimum and *one* maximum for all three channels: a cast stays.",
        ),
        (
            "darker" not in mine,
            "less contrast and less light are one gain and one offset, and the stretch "
            "undoes both.",
        ),
    )


def check_unit(mine: Callable[[Tensor], Tensor]) -> str | None:
    """A function of pictures in [-1, 1] (B, 3, H, W) -> [0, 1], as `unit`."""
    x = load_faces("faces:val:hi").batch(slice(0, 4))
    x = torch.cat(
        [0.5 * x[:2], 1.1 * x[2:]]
    )  # faded ones, and what a network may give beyond the range
    low, high = x.min(), x.max()
    return numbers(
        mine(x),
        unit(x),
        (
            "each picture is still stretched on its own: a faded one comes out with full contrast.",
            stretch((x + 1) / 2),
            stretch(unit(x)),
        ),
        (
            "one stretch for the whole batch: then a face looks otherwise in another batch.",
            (x - low) / (high - low),
        ),
        ("black is -1 in here: as it is, half of every picture is cut off.", x.clamp(0, 1)),
        ("what lies beyond the range has to be cut off, as a file would do.", (x + 1) / 2),
    )


# ---- 6: wrong key --------------------------------------------------------------------------------
def check_loaded_tensors(mine: int) -> str | None:
    """How many tensors of the file does `load_generator` put into the network?"""
    if not isinstance(mine, int):
        return f"a whole number is expected, and this is of type {type(mine).__name__}."
    return first(
        (mine == 1, "the file holds *one* entry, and no layer has its name."),
        (
            mine != 0,
            "compare what the network misses with all that it has: is anything left that "
            "was loaded?",
        ),
    )


def check_load(mine: Callable[[nn.Module, Path], nn.Module]) -> str | None:
    """A function (net, path) that loads what `save_generator` wrote, or says what is missing."""
    with torch.random.fork_rng(devices=[]), tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(0)
        trained, fresh, other = (nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2)) for _ in range(3))
        path = Path(folder) / "weights.pt"
        save_generator(trained, path)
        blank = flat(fresh.parameters())
        try:
            back = mine(fresh, path)
        except (RuntimeError, KeyError):
            return (
                "it keeps quiet no longer, which is right. Now: under which key is it in the file?"
            )
        if not isinstance(back, nn.Module):
            return "the function gives no network back: does it end with `return net`?"
        if torch.equal(flat(back.parameters()), blank):
            return "the network is what it was before: nothing was loaded, and nothing said so."
        if not torch.equal(flat(back.parameters()), flat(trained.parameters())):
            return "some of the weights are not those of the file."
        torch.save(
            {"net_g": {k: v for k, v in trained.state_dict().items() if k != "1.weight"}}, path
        )
        try:
            mine(other, path)
        except (RuntimeError, KeyError):
            return None
        return (
            "the key is right, but a file with a layer missing still loads without a word: "
            "strict=False."
        )


# ---- all six -------------------------------------------------------------------------------------
def check_symptoms(mine: Mapping[str, str]) -> str | None:
    """Which of FAULTS is which letter of SYMPTOMS?"""
    said = {
        "gradients leak": "D gets worse than guessing by something that moves its weights. "
        "What else does?",
        "unpaired pixels": "every face is drawn to the middle of a crowd. Which loss wants the "
        "mean of strangers?",
        "HR as real": "something is never looked at. Which set can be replaced by noise here?",
        "batch statistics": "the same weights, the same face: what differs is the company.",
        "stretched": "two pictures that differ by light alone get one score.",
        "wrong key": "as good as never trained: what if it is the untrained network?",
    }
    return names(mine, SYMPTOMS, {letter: said[fault] for letter, fault in SYMPTOMS.items()})


def _chosen(mine: Iterable[str], of: Iterable[str]) -> str | None:
    if isinstance(mine, str) or not isinstance(mine, Iterable) or not set(mine) <= set(of):
        return "a set of some of these is expected: " + ", ".join(of) + "."
    return None


def _small_task(**changes: Any) -> tuple[RunConfig, H2LTask]:
    """An H2L of 24 faces without spectral norm: the same batch gives the same numbers twice."""
    cfg = presets.preset("smoke").replace(h2l_model="paper", d_norm="none", ema=0.0, **changes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        faces = load_faces("faces:train-hi")[:24], load_faces("faces:train-lo")[:24]
        return cfg, H2LTask(cfg, *faces, torch.Generator().manual_seed(0), torch.device("cpu"))
