"""The exercises of notebook 09, on the paper's successors; what a check is, `nb01_data` says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from .checks import first, names, numbers, trained_through

# What adding one number to all scores does to D's loss.
SHIFTED = {"hinge": "changes", "relativistic": "stays"}
HIDDEN = ("darkness", "a colour cast", "noise", "JPEG blocks")
UNSEEN = {"darkness", "a colour cast"}  # by a D that sees high frequencies alone


def pair_loss(score_fake: Tensor, score_real: Tensor) -> Tensor:
    """The relativistic loss of the generator: -E[log s(D(fake) - D(real))]."""
    return F.softplus(score_real - score_fake).mean()


def check_pair_loss(mine: Callable[[Tensor, Tensor], Tensor]) -> str | None:
    """A function as `pair_loss`."""
    fake = torch.tensor([0.5, -1.0, 2.0], requires_grad=True)
    real = torch.tensor([1.5, 0.25, -0.5], requires_grad=True)
    want, got = pair_loss(fake, real), mine(fake, real)
    wrong = numbers(
        got,
        want,
        ("this is D's side: the generator wants *its* image to win.", pair_loss(real, fake)),
        ("each pair has a loss of its own: the batch has their mean.", F.softplus(real - fake)),
        ("this forgets the real image: a pair is compared.", F.softplus(-fake).mean()),
        ("this is the log itself, which grows as the generator wins: minus it.", -want),
        ("this is the probability to win: its log is asked for.", (fake - real).sigmoid().mean()),
        ("this is the difference of scores: put it through log s.", (real - fake).mean()),
    )
    return wrong or trained_through(got, want, fake, real)


def check_shifted(mine: Mapping[str, str]) -> str | None:
    """Loss -> does it change when one number is added to every score?"""
    return names(
        mine,
        SHIFTED,
        {
            "hinge": "hinge asks for real above 1 and generated below -1: where is the zero?",
            "relativistic": "only differences enter: what does a number do that is in both?",
        },
    )


def path(noise: Tensor, hi: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """Where the straight path from noise (B, 3, S, S) to hi is at t (B,), and its speed."""
    at = t[:, None, None, None]
    return (1 - at) * noise + at * hi, hi - noise


def check_path(mine: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]) -> str | None:
    """A function as `path`."""
    noise = torch.linspace(-2, 2, 24).view(2, 3, 2, 2)
    hi = torch.linspace(0.9, -0.8, 24).view(2, 3, 2, 2) ** 2
    t = torch.tensor([0.25, 0.75])
    given = mine(noise, hi, t)
    if not isinstance(given, tuple) or len(given) != 2:
        return "two things are expected: the place on the path, and the speed there."
    x, v = path(noise, hi, t)
    return numbers(
        given[0],
        x,
        ("at t = 0 this is the face: the path starts at the noise.", path(hi, noise, t)[0]),
        ("this adds the face to all of the noise.", noise + t[:, None, None, None] * hi),
    ) or numbers(
        given[1],
        v,
        ("this speed leads from the face to the noise.", noise - hi),
        ("this is where the path ends: the speed is the way in one unit of time.", hi),
        ("this is where it still has to go: speed is the same all along.", hi - x),
    )


def high(x: Tensor) -> Tensor:
    """What the mean of 5x5 pixels around each leaves out of x (B, 3, s, s)."""
    return x - F.avg_pool2d(x, 5, stride=1, padding=2, count_include_pad=False)


def check_high(mine: Callable[[Tensor], Tensor]) -> str | None:
    """A function as `high`."""
    x = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    x.requires_grad_()
    low = x - high(x)
    padded = x - F.avg_pool2d(x, 5, stride=1, padding=2)
    want, got = high(x), mine(x)
    wrong = numbers(
        got,
        want,
        ("these are the low frequencies: what do they leave out?", low),
        ("this is low minus x: the other way round.", -want),
        ("zeros beyond the border darken the mean there: count_include_pad=False.", padded),
    )
    return wrong or trained_through(got, want, x)


def check_unseen(mine: Iterable[str]) -> str | None:
    """Which of HIDDEN a discriminator of high frequencies cannot see."""
    if isinstance(mine, str) or not isinstance(mine, Iterable) or not set(mine) <= set(HIDDEN):
        return "a set of some of these is expected: " + "; ".join(HIDDEN) + "."
    chosen = set(mine)
    return first(
        ("darkness" not in chosen, "what is left of a grey picture when its mean is taken off?"),
        ("a colour cast" not in chosen, "add one colour to all pixels: does x - low(x) change?"),
        ("noise" in chosen, "noise changes from pixel to pixel: is that in the mean of 25?"),
        ("JPEG blocks" in chosen, "the edge of a block is a step from one pixel to the next."),
    )
