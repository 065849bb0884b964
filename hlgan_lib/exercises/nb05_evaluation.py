"""The exercises of notebook 05, on evaluation; what a check is, `nb01_data` says."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from ..errors import HLError
from ..metrics.distances import frechet
from ..metrics.pairs import psnr
from .checks import first, letters, names, numbers, val_faces

SLIPS = ("pairs out of order", "a tenth of the faces", "range of 1")
# Times fewer faces, 20 for 600: about as many times the distance of two samples of one dataset.
FEWER = 30


def decibels(x: Tensor, y: Tensor) -> Tensor:
    """PSNR of each pair of pictures in [-1, 1], whose range is 2: (B,) in dB."""
    return psnr((x + 1) / 2, (y + 1) / 2)


def check_decibels(mine: Callable[[Tensor, Tensor], Tensor]) -> str | None:
    """A function as `decibels`."""
    x = val_faces(6)[0]
    y = x.roll(1, 3) * torch.linspace(0.2, 0.9, 6)[:, None, None, None]
    off = (x - y).square()
    each = off.mean((1, 2, 3))

    def ten(ratio: Tensor) -> Tensor:
        return 10 * torch.log10(ratio)

    return numbers(
        mine(x, y),
        decibels(x, y),
        (
            "the range is 2 in here, from -1 to 1: the peak of the formula is that of [0, 1].",
            ten(1 / each),
        ),
        ("range 2 means a peak of 2 *squared*.", ten(2 / each)),
        (
            "one number for all: each picture has an MSE, and a PSNR, of its own.",
            ten(4 / off.mean()),
            ten(4 / each).mean(),
            ten(1 / off.mean()),
        ),
        ("this is the natural logarithm: decibels count in tens.", 10 * torch.log(4 / each)),
        (
            "the sign is turned: a smaller error has to give more decibels.",
            ten(each / 4),
            ten(each),
        ),
        ("20 belongs to a ratio of amplitudes. The MSE is a square already.", 2 * ten(4 / each)),
    )


def mean_part(a: Tensor, b: Tensor) -> Tensor:
    """The first part of the Fréchet distance of two sets of features (N, d).

    |mu_a - mu_b|^2, a scalar.
    """
    return (a.mean(0) - b.mean(0)).square().sum()


def check_mean_part(mine: Callable[[Tensor, Tensor], Tensor]) -> str | None:
    """A function as `mean_part`."""
    rng = torch.Generator().manual_seed(0)
    a, b = torch.randn(40, 5, generator=rng), torch.randn(30, 5, generator=rng) + torch.arange(5.0)
    gap = a.mean(0) - b.mean(0)
    return numbers(
        mine(a, b),
        mean_part(a, b),
        ("this is the length: the formula has its square.", gap.norm()),
        (
            "the length of a vector sums over its numbers; a mean makes it 80 times too "
            "small for 80 features.",
            gap.square().mean(),
        ),
        (
            "there is one mean for each feature: over which dimension are the pictures?",
            (a.mean() - b.mean()).square(),
            (a.mean() - b.mean()).square() * 5,
        ),
        (
            "the faces are compared one by one, and so their own spread counts too: take "
            "the means first.",
            (a[:, None] - b).square().sum(2).mean(),
            (a[:30] - b).square().sum(1).mean(),
        ),
        ("each feature on its own: one number is wanted.", gap.square()),
    )


def check_fewer(mine: float) -> str | None:
    """How many times further apart 20 faces are than 600, all of one crowd, by Fréchet distance."""
    if isinstance(mine, bool) or not isinstance(mine, (int, float)):
        return f"a number is expected, and this is of type {type(mine).__name__}."
    return first(
        (
            mine <= 0 or 0.9 < mine < 1.1,
            "the true distance is zero in both cases, but what is measured is not.",
        ),
        (mine < 0.9, "turn it over: fewer faces, more misfit."),
        (4 <= mine <= 7, "the means scatter like this, but the distance is their *square*."),
        (
            mine >= 300,
            "too much: a misfit shrinks like one over the root of n, and the distance is "
            "its square.",
        ),
        (
            not 20 <= mine <= 40,
            "how does the square of a misfit shrink with the number of faces? Compare 20 with 600.",
        ),
    )


def share(low: float, mid: float, high: float) -> float:
    """The part of the way from the low score to the high one that mid has gone.

    See `metrics.gap_closed`.
    """
    return (mid - low) / (high - low)


def check_share(mine: Callable[[float, float, float], float]) -> str | None:
    """A function as `share`; tried on distances, which fall, and on PSNR, which rises."""
    cases = ((300.0, 210.0, 180.0), (19.0, 19.75, 20.5))

    def both(f: Callable[[float, float, float], float]) -> list[float]:
        return [float(f(*case)) for case in cases]

    return numbers(
        both(mine),
        both(share),
        (
            "the sign is wrong: a score that has moved towards the camera's closes a "
            "positive share.",
            both(lambda low, mid, high: (mid - low) / (low - high)),
        ),
        ("this is what is left open.", both(lambda low, mid, high: (high - mid) / (high - low))),
        (
            "divide by the whole gap, from bilinear to camera.",
            both(lambda low, mid, high: (mid - low) / (high - mid)),
            both(lambda low, mid, high: (mid - low) / low),
            both(lambda low, mid, high: (mid - low) / high),
        ),
        (
            "these are per cent: the figure has 1 for all of the gap.",
            both(lambda *case: 100 * share(*case)),
        ),
        (
            "right for one kind of score only: here one falls on the way to the better, "
            "the other rises.",
            both(lambda low, mid, high: (low - mid) / abs(low - high)),
            both(lambda low, mid, high: (mid - low) / abs(low - high)),
        ),
    )


def slipped(
    fake: Tensor, real: Tensor, seen: Tensor, reference: Tensor
) -> dict[str, tuple[float, float]]:
    """(mean PSNR, Fréchet distance) of restored faces by the three slips of SLIPS, unnamed.

    fake, real: pairs (B, 3, H, W) in [-1, 1]; seen, reference: features (B, d) of the restored and
    of HR faces. Raises HLError for fewer than 20 pairs.
    """
    if len(fake) < 20:
        raise HLError(
            "fake must hold at least 20 faces, a tenth of which still has a spread, got "
            f"{len(fake)}"
        )
    few, whole = len(fake) // 10, frechet(seen, reference)
    rows = {
        "pairs out of order": (decibels(fake.roll(1, 0), real).mean(), whole),
        "a tenth of the faces": (
            decibels(fake[:few], real[:few]).mean(),
            frechet(seen[:few], reference[:few]),
        ),
        "range of 1": (
            psnr((fake + 1) / 2, (real + 1) / 2).mean() - 20 * torch.log10(torch.tensor(2.0)),
            whole,
        ),
    }
    return {
        letter: (float(rows[name][0]), float(rows[name][1]))
        for letter, name in letters(SLIPS).items()
    }


def check_slips(mine: Mapping[str, str]) -> str | None:
    """Which of SLIPS is which letter of `slipped`?"""
    hints = {
        "range of 1": "the set is the same, and every pair has lost the same six decibels: a "
        "constant.",
        "pairs out of order": "a set has no order, a pair has: the distance does not move, "
        "PSNR falls far.",
        "a tenth of the faces": "PSNR is a mean over faces and stays about; what grows when "
        "faces are few?",
    }
    return names(
        mine, letters(SLIPS), {letter: hints[name] for letter, name in letters(SLIPS).items()}
    )
