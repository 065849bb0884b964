"""The exercises of notebook 03, on measuring a degradation; what a check is, `nb01_data` says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from .. import analysis, inference
from ..analysis.classifier import TwoSample
from ..data.loading import load_faces
from ..degradations import Degradation
from ..degradations.camera import Camera, lacking
from ..stats import wilson
from .checks import first, letters, names, numbers

FAULTS = ("no colour", "one setting", "no blur")


def colour_spread(los: Tensor) -> float:
    """The colour part of `analysis.diversity` of shots (n, B, 3, s, s), full scale 1."""
    return analysis.diversity(los).colour


def check_colour_spread(mine: Callable[[Tensor], Tensor]) -> str | None:
    """A function of shots (n, B, 3, s, s), as `colour_spread`."""
    los = inference.shots("camera", load_faces("faces:val:hi").batch(slice(0, 4)), 4)
    _, d = analysis.over_shots(los)
    split = analysis.diversity(los)
    return numbers(
        mine(los),
        split.colour,
        (
            "this is the total: what is the same all over a picture has to be taken out of "
            "it first.",
            split.total,
        ),
        ("this is the detail, the other part.", split.detail),
        (
            "the channels are mixed: one that goes up and one that goes down would cancel. "
            "A mean for each.",
            d.mean((2, 3, 4)).square().mean().sqrt(),
        ),
        (
            "over the draws d has mean 0 by its making: m is the mean over the *pixels* of "
            "a picture.",
            d.mean(0).square().mean().sqrt(),
        ),
        (
            "this is the mean square: take its root, so that it is in units of full scale.",
            split.colour**2,
        ),
        tolerance=1e-3,
    )


def check_white_noise(mine: Sequence[float]) -> str | None:
    """The power of white noise of spread 0.03 at 1/8 and at 1/2 cycles per pixel."""
    s = 0.03
    said = numbers(
        mine,
        (s**2, s**2),
        ("this is the spread itself. Power is counted in full scale *squared*.", (s, s)),
        (
            "pictures run over a range of 2 inside, but power is in units of full scale: "
            "black 0, white 1.",
            (4 * s**2, 4 * s**2),
        ),
        tolerance=0.02,
    )
    if said and isinstance(mine, Sequence) and len(mine) == 2 and mine[0] != mine[1]:
        return (
            "pixels that know nothing of each other prefer no frequency: white light holds "
            "all colours alike."
        )
    return said


def box_width(n: int = 4) -> float:
    """The standard deviation of the n pixel positions under a box of n pixels.

    Sqrt((n^2 - 1) / 12).
    """
    return ((n**2 - 1) / 12) ** 0.5


def check_box_width(mine: float) -> str | None:
    """The width `box_width` of a box of 4 pixels."""
    at = torch.arange(4).double()
    return numbers(
        mine,
        box_width(),
        ("this is the variance: the width is its root.", at.var(correction=0)),
        (
            "this is where the box ends, not how far its weight lies from the middle on average.",
            2.0,
            4.0,
        ),
        (
            "this is a box without pixels: the kernel has weight at four points, not between them.",
            4 / 12**0.5,
        ),
        ("a sample of 4 would be divided by 3: these are all the positions there are.", at.std()),
        tolerance=2e-3,
    )


def told_apart(test: TwoSample) -> bool:
    """Does the test show, at 95%, that the classifier can tell the two sets apart?"""
    return test.low > 0.5


def check_told_apart(mine: Callable[[TwoSample], bool]) -> str | None:
    """A function of a TwoSample -> may one say that the classifier tells the sets apart?"""
    tests = [TwoSample(right / 400, *wilson(right, 400), 400) for right in (226, 210, 200, 160)]
    answers = [mine(test) for test in tests]
    if not all(isinstance(said, (bool, np.bool_)) for said in answers):
        return f"True or False is expected, and this is of type {type(answers[0]).__name__}."
    clear, perhaps, even, below = answers
    return first(
        (
            not clear,
            "it says no to 226 right of 400, and chance hardly ever gives that: the "
            "interval tells.",
        ),
        (
            even,
            "it says yes to 200 right of 400, which is guessing: which end of the interval counts?",
        ),
        (
            perhaps,
            "210 right of 400 is more than half, but chance gives that often: ask the "
            "interval, not the share.",
        ),
        (
            below,
            "160 right of 400 is worse than guessing: a fault of the test, no knowledge of "
            "the pictures.",
        ),
    )


def suspects() -> dict[str, Degradation]:
    """Three degradations that each lack one thing that the camera has.

    Letter -> (hi, generator) -> lo; see FAULTS.

    "one setting": one draw of the camera's parameters for every shot, as if z made nothing but
    grain; "no blur": neither motion nor defocus, and a fine sensor; "no colour": exposure, white
    balance and tone as in the HR face.
    """
    camera = Camera()
    makers = {
        "no blur": lacking(motion_px=0, defocus_px=0, sensor_px=40, between_px=40),
        "no colour": lacking(exposure_ev=0, white_balance=1, gamma=1, contrast=1),
    }

    def one_setting(hi: Tensor, generator: torch.Generator) -> Tensor:
        one = camera.draw(1, torch.Generator(hi.device).manual_seed(3), hi.device)
        return camera.shoot(
            hi, {k: v.expand(len(hi), *v.shape[1:]) for k, v in one.items()}, generator
        )

    makers["one setting"] = one_setting
    return {letter: makers[fault] for letter, fault in letters(FAULTS).items()}


def check_suspects(mine: Mapping[str, str]) -> str | None:
    """Which of FAULTS is which letter of `suspects`?"""
    return names(
        mine,
        letters(FAULTS),
        {
            "A": "two shots of one face by A differ in grain and little else. Look at *both* "
            "parts of its diversity.",
            "A: no colour": "A's colour hardly varies, true. But its detail, where blur and "
            "contrast count, hardly either.",
            "B": "B's shots differ as much as the camera's do. What of their sharpness?",
            "C": "C is as blurred as the camera, and its detail varies. What does not?",
        },
    )
