"""The exercises of notebook 04, on the Low-to-High GAN; what a check is, `nb01_data` says."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, relu

from .. import losses, presets
from ..degradations.handmade import pool
from ..inference import new_z
from ..networks.blocks import ResBlock
from ..networks.paper import HighToLow
from .checks import first, letters, names, numbers, trained_through, val_faces

RESTORERS = ("bilinear pairs", "learned pairs", "pixels alone")
HALF = 0.5  # the mean's squared error as a part of that of a guess drawn like the ground truth


@torch.no_grad()
def degrade_anew(h2l: HighToLow, hi: Tensor, generator: torch.Generator) -> Tensor:
    """Faces as H2L degrades them, with a noise of its own for each, drawn from the generator.

    (B, 3, s, s).
    """
    return h2l(hi, new_z(h2l, len(hi), generator))


def check_degrade(mine: Callable[[HighToLow, Tensor, torch.Generator], Tensor]) -> str | None:
    """A function as `degrade_anew`; tried on one face four times over, twice."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        h2l = HighToLow(presets.preset("smoke")).requires_grad_(False)
        hi, rng = val_faces(1)[0].expand(4, -1, -1, -1), torch.Generator().manual_seed(5)
        one, two = (mine(h2l, hi, rng) for _ in range(2))
        again = mine(h2l, hi, torch.Generator().manual_seed(5))
    if not torch.is_tensor(one):
        return f"a tensor (4, 3, 16, 16) is expected, and this is of type {type(one).__name__}."
    if one.shape != (4, 3, 16, 16):
        return f"four LR pictures (4, 3, 16, 16) are expected, got {tuple(one.shape)}."

    def same(x: Tensor, y: Tensor) -> bool:
        return torch.allclose(x, y, atol=1e-6)

    return first(
        (
            same(one, two),
            "one noise for ever: the same face has the same damage in every batch, and L2H "
            "can learn that by heart.",
        ),
        (same(one[0], one[1]), "one noise for the whole batch: every face needs a row of its own."),
        (
            not same(one, again),
            "the noise does not come from the generator, so that a run cannot be repeated.",
        ),
    )


def residual_block(x: Tensor, conv1: Callable, conv2: Callable) -> Tensor:
    """y = x + conv2(relu(conv1(relu(x)))), as `networks.ResBlock` without normalisation."""
    return x + conv2(relu(conv1(relu(x))))


def check_residual_block(mine: Callable[[Tensor, Callable, Callable], Tensor]) -> str | None:
    """A function as `residual_block`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        block, given = ResBlock(4, norm="none"), torch.randn(2, 4, 8, 8).requires_grad_()
    one, two = (m for m in block.body if isinstance(m, nn.Conv2d))
    got, want = mine(given, one, two), block(given)
    with torch.no_grad():
        x = given.detach()
        said = numbers(
            got,
            want.detach(),
            (
                "the skip is missing: what goes in has to come out again, with something added.",
                two(relu(one(relu(x)))),
            ),
            (
                "the activations come after the convolutions here: this block has them before.",
                x + relu(two(relu(one(x)))),
                x + two(relu(one(x))),
            ),
            (
                "the sum is cut off at 0: nothing may stand in the way of the skip.",
                relu(x + two(relu(one(relu(x))))),
                relu(x + two(relu(one(x)))),
            ),
            (
                "the skip hands on relu(x): it has to carry the negative numbers too.",
                relu(x) + two(relu(one(relu(x)))),
            ),
            (
                "without a bend between them two convolutions are one: an activation is missing.",
                x + two(one(x)),
                x + two(one(relu(x))),
            ),
        )
    return said or trained_through(got, want, given, *block.parameters())


def pixel_loss(hi_fake: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
    """L2H's pixel loss on a batch with "hi" and "lo_fake", as `losses.pixel_l2h`."""
    return losses.pixel_l2h(hi_fake, batch["hi"])


def check_pixel_l2h(mine: Callable[[Tensor, Mapping[str, Tensor]], Tensor]) -> str | None:
    """A function as `pixel_loss`."""
    hi, lo = val_faces(6)
    restored = interpolate(lo, scale_factor=4, mode="bicubic").requires_grad_()
    hi_fake = restored.detach()
    off = hi_fake - hi
    got, want = mine(restored, {"hi": hi, "lo_fake": lo}), losses.pixel_l2h(restored, hi)
    said = numbers(
        got,
        want.detach(),
        (
            "a sum grows with the batch and the size, and beta would mean something else "
            "each time: take the mean.",
            off.square().sum(),
            off.square().sum((1, 2, 3)).mean(),
        ),
        ("absolute differences: the paper squares them.", off.abs().mean()),
        (
            "this compares with the LR picture: the network would be paid for leaving "
            "everything as it is.",
            *(
                (hi_fake - interpolate(lo, scale_factor=4, mode=m)).square().mean()
                for m in ("nearest", "bilinear")
            ),
            (pool(hi_fake) - lo).square().mean(),
        ),
        ("the difference itself has either sign, and errors cancel.", off.mean()),
        ("this is the root: the paper's loss is the mean square.", off.square().mean().sqrt()),
    )
    return said or trained_through(got, want, restored)


def check_half(mine: float) -> str | None:
    """The squared error of the mean as a part of that of a guess drawn like the ground truth."""
    return numbers(
        mine,
        HALF,
        (
            "this would be so if the guess were the ground truth itself. It is another of the "
            "twenty-five.",
            1.0,
        ),
        ("turn it over: the mean is the better one by this loss.", 2.0),
        (
            "noise averages out like this; but the ground truth is *one* of the faces, and keeps "
            "its own distance from the mean.",
            1 / 25,
            1 / 5,
        ),
        (
            "a mean that is right every time? The faces differ, so it is wrong about each of them.",
            0.0,
        ),
        tolerance=0.02,
    )


def unnamed(restored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Pictures by the name of RESTORERS -> by letter, A to C."""
    return {
        letter: restored[name] for letter, name in letters(RESTORERS).items() if name in restored
    }


def check_restorers(mine: Mapping[str, str]) -> str | None:
    """Which of RESTORERS is which letter of `unnamed`?"""
    return names(
        mine,
        letters(RESTORERS),
        {
            "A": "A invents no edge that it is not sure of. Which loss is served best by that?",
            "B": "B has edges, and hardly a grain of the noise became one: it has met noise "
            "before.",
            "C": "C turns noise into grids and spots. Which pairs hold no noise?",
        },
    )
