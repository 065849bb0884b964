"""The exercises of notebook 01.

Each check passes (None) or names the mistake in a hint, never giving the line.

A check takes what a learner made: a number, names, or a function, which is tried on given inputs
and compared with the library's own. A hint is for one mistake: its condition, or what that mistake
computes, stands beside it. What else may be passed in gives a hint too, or an exception, which
`notebook.attempt` turns into one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache

import torch
from torch import Tensor

from ..data.faces import to_float
from ..data.loading import load_faces
from ..degradations.handmade import bilinear
from .checks import first, names, numbers

DATASETS = ("formula", "camera")
STAGES = ("light", "lens", "sensor", "noise", "tone", "JPEG")
CHANGES = ("flip", "rotate", "zoom", "recolour")
HARMLESS = {"flip"}


def finest_detail(x: Tensor) -> Tensor:
    """Spread of what differs between pixels that touch, both ways at once, log10.

    (B, 3, s, s) -> (B,).

    A light pixel beside a dark one counts; a slope, however steep, does not: the second difference
    removes it.
    """
    return x.diff(dim=2).diff(dim=3).std((1, 2, 3)).log10()


@cache
def _datasets() -> tuple[Tensor, Tensor]:
    """The two sets that notebook 01 compares.

    800 faces shrunk by a formula, 800 taken by the camera.
    """
    return (
        bilinear(load_faces("faces:train-hi").batch(slice(0, 800))),
        load_faces("faces:train-lo").batch(slice(0, None, 6)),
    )


def measured_datasets() -> dict[str, str]:
    """Which set, "formula" or "camera", has the larger value of each measure.

    The spread of brightness, the finest detail, the spread of that.
    """
    light = [x.mean((1, 2, 3)) for x in _datasets()]
    detail = [finest_detail(x) for x in _datasets()]
    pairs = {
        "brightness": [x.std() for x in light],
        "detail": [x.mean() for x in detail],
        "spread of detail": [x.std() for x in detail],
    }
    return {k: DATASETS[int(b > a)] for k, (a, b) in pairs.items()}


def check_datasets(mine: Mapping[str, str]) -> str | None:
    """The answers of `measured_datasets`."""
    return names(
        mine,
        measured_datasets(),
        {
            "brightness": "a formula leaves the light as it was. What does a camera set anew "
            "for every shot?",
            "detail": "noise adds fine detail, but blur takes what the face itself had, and "
            "more of it. Which one wins?",
            "spread of detail": "one filter treats every picture alike. And a camera that is "
            "steady once and shaken next?",
        },
    )


def check_finest_detail(mine: Callable[[Tensor], Tensor]) -> str | None:
    """A function of pictures (B, 3, 16, 16) as `finest_detail`."""
    x = load_faces("faces:train-lo").batch(slice(0, 24))
    both = x.diff(dim=2).diff(dim=3)
    return numbers(
        mine(x),
        finest_detail(x),
        (
            "one difference also counts a slow slope from light to dark as detail. What of "
            "the other direction?",
            x.diff(dim=3).std((1, 2, 3)).log10(),
            x.diff(dim=2).std((1, 2, 3)).log10(),
        ),
        (
            "this is one number for all pictures together: over which dimensions is the "
            "spread to be taken?",
            both.std().log10(),
            both.std(),
        ),
        (
            "this is the spread itself: the axis of the figure is its logarithm.",
            both.std((1, 2, 3)),
        ),
    )


def same_picture() -> Tensor:
    """The one picture (3, 16, 16) that a pixel loss against random LR pictures ends with.

    The pictures are faces:train-lo[::6].
    """
    return _datasets()[1].mean(0)


def check_same_picture(mine: Tensor) -> str | None:
    """The picture of `same_picture`."""
    shrunk, lo = _datasets()
    return numbers(
        mine,
        same_picture(),
        (
            "one colour is not the best yet: every place in the picture can have its own "
            "best value.",
            lo.mean(),
            lo.mean((0, 2, 3)),
            lo.mean().expand(3, 16, 16),
        ),
        (
            "this is the mean of the reduced HR faces, and the loss never looks at it.",
            shrunk.mean(0),
        ),
        (
            "this is the median, the best for absolute distances. What is best for squared ones?",
            lo.median(0).values,
        ),
    )


def check_stages(mine: Sequence[str]) -> str | None:
    """The six STAGES of the camera in order."""
    if (
        isinstance(mine, str)
        or not isinstance(mine, Sequence)
        or sorted(map(str, mine)) != sorted(STAGES)
    ):
        return "each of these is wanted once, in a list: " + ", ".join(sorted(STAGES)) + "."
    at = {name: mine.index(name) for name in STAGES}
    return first(
        (
            at["JPEG"] < 5,
            "a file is written last: what could still change the light after the picture is saved?",
        ),
        (
            at["noise"] > at["tone"],
            "noise comes from counting photons. Put after the tone curve, it would be as "
            "strong in shadows as in lights.",
        ),
        (
            at["lens"] > at["sensor"],
            "the lens is in front of the sensor: it blurs light, not pixels.",
        ),
        (
            at["noise"] < at["sensor"],
            "noise belongs to the pixels of the sensor. Made before the lens, it would be "
            "blurred with the face.",
        ),
        (
            at["light"] > 0,
            "exposure and white balance scale the light that comes in, in this camera "
            "before anything else.",
        ),
    )


def check_harmless(mine: Iterable[str]) -> str | None:
    """Which of CHANGES leave the noise, blur and light of an LR picture as they were?"""
    if isinstance(mine, str) or not isinstance(mine, Iterable) or not set(mine) <= set(CHANGES):
        return "a set of some of these is expected: " + ", ".join(CHANGES) + "."
    if {"rotate", "zoom"} & set(mine):
        return (
            "turned and zoomed pixels land between pixels, and a mean of neighbours takes "
            "their place: a blur."
        )
    if "recolour" in mine:
        return (
            "tint and exposure are part of what the camera did: new colours are another camera's."
        )
    return (
        None
        if "flip" in mine
        else "one of them moves every pixel to the place of another and computes nothing."
    )


def check_to_float(mine: Callable[[Tensor], Tensor]) -> str | None:
    """A function from bytes (B, 3, H, W) uint8 to floats in [-1, 1], as `data.to_float`."""
    x = torch.arange(256, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 2, 2)
    got = mine(x)
    if torch.is_tensor(got) and not got.is_floating_point():
        return "it still gives whole numbers: turn the bytes into floats."
    return numbers(
        got,
        to_float(x),
        ("this runs from 0 to 1, the range of a figure: inside, black is -1.", x.float() / 255),
        (
            "bytes wrap: 2 * 200 is 144 as a uint8. Make them floats *before* you compute.",
            2 * x / 255 - 1,
        ),
        (
            "255 has to become exactly 1, and 0 exactly -1: what is half of 255?",
            x.float() / 128 - 1,
            x.float() / 127 - 1,
        ),
        tolerance=1e-5,
    )
