"""The exercises of notebooks 04 and 05: each check passes (None) or names the mistake in a hint, never giving the line.

A check takes what a learner made: a number, names, or a function, which is tried on given inputs and compared with the
library's own. A hint is for one mistake: its condition, or what that mistake computes, stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, relu

from . import config, losses
from .apply import new_z
from .checks import first, letters, names, numbers
from .data import load_faces
from .degrade import pool
from .distances import frechet
from .errors import HLError
from .metrics import psnr
from .networks import HighToLow, ResBlock

RESTORERS = ("bilinear pairs", "learned pairs", "pixels alone")
SLIPS = ("pairs out of order", "a tenth of the faces", "range of 1")
HALF = 0.5  # the mean's squared error as a part of that of a guess drawn like the truth
FEWER = 30  # times fewer faces, 20 for 600: about as many times the distance of two samples of one crowd


def _faces(n: int) -> tuple[Tensor, Tensor]:
    return tuple(side.batch(slice(0, n)) for side in load_faces("faces:val"))


# ---- 04: low-to-high GAN ---------------------------------------------------------------------------------------------
@torch.no_grad()
def degrade_anew(h2l: HighToLow, hi: Tensor, generator: torch.Generator) -> Tensor:
    """Faces as H2L spoils them, with a noise of its own for each, drawn from the generator: (B, 3, s, s)."""
    return h2l(hi, new_z(h2l, len(hi), generator))


def check_degrade(mine: Callable[[HighToLow, Tensor, torch.Generator], Tensor]) -> str | None:
    """A function as `degrade_anew`; tried on one face four times over, twice."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        h2l = HighToLow(config.preset("smoke")).requires_grad_(False)
        hi, rng = _faces(1)[0].expand(4, -1, -1, -1), torch.Generator().manual_seed(5)
        one, two = (mine(h2l, hi, rng) for _ in range(2))
        again = mine(h2l, hi, torch.Generator().manual_seed(5))
    if not torch.is_tensor(one) or one.shape != (4, 3, 16, 16):
        return f"four poor pictures (4, 3, 16, 16) are expected, got {tuple(getattr(one, 'shape', ()))}."
    same = lambda x, y: torch.allclose(x, y, atol=1e-6)  # noqa: E731
    return first({
        "one noise for ever: the same face has the same damage in every batch, and L2H can learn that by heart.":
            same(one, two),
        "one noise for the whole batch: every face needs a row of its own.": same(one[0], one[1]),
        "the noise does not come from the generator, so that a run cannot be repeated.": not same(one, again)})


def residual_block(x: Tensor, conv1: Callable, conv2: Callable) -> Tensor:
    """y = x + conv2(relu(conv1(relu(x)))), the body of `networks.ResBlock` without normalisation."""
    return x + conv2(relu(conv1(relu(x))))


def check_residual_block(mine: Callable[[Tensor, Callable, Callable], Tensor]) -> str | None:
    """A function as `residual_block`."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        block, x = ResBlock(4, norm="none"), torch.randn(2, 4, 8, 8)
        one, two = (m for m in block.body if isinstance(m, nn.Conv2d))
        return numbers(
            mine(x, one, two), block(x),
            ("the skip is missing: what goes in has to come out again, with something added.",
             two(relu(one(relu(x))))),
            ("the activations come after the convolutions here: this block has them before.",
             x + relu(two(relu(one(x)))), x + two(relu(one(x)))),
            ("the sum is cut off at 0: nothing may stand in the way of the skip.",
             relu(x + two(relu(one(relu(x))))), relu(x + two(relu(one(x))))),
            ("the skip hands on relu(x): it has to carry the negative numbers too.",
             relu(x) + two(relu(one(relu(x))))),
            ("without a bend between them two convolutions are one: an activation is missing.",
             x + two(one(x)), x + two(one(relu(x)))))


def pixel_loss(hi_fake: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
    """L2H's pixel loss on a batch with "hi" and "lo_fake", as `losses.pixel_l2h`."""
    return losses.pixel_l2h(hi_fake, batch["hi"])


def check_pixel_l2h(mine: Callable[[Tensor, Mapping[str, Tensor]], Tensor]) -> str | None:
    """A function as `pixel_loss`."""
    hi, lo = _faces(6)
    hi_fake = interpolate(lo, scale_factor=4, mode="bicubic")
    off = hi_fake - hi
    return numbers(
        mine(hi_fake, {"hi": hi, "lo_fake": lo}), losses.pixel_l2h(hi_fake, hi),
        ("a sum grows with the batch and the size, and beta would mean something else each time: take the mean.",
         off.square().sum(), off.square().sum((1, 2, 3)).mean()),
        ("absolute differences: the paper squares them.", off.abs().mean()),
        ("this compares with the poor picture: the network would be paid for leaving everything as it is.",
         *((hi_fake - interpolate(lo, scale_factor=4, mode=m)).square().mean() for m in ("nearest", "bilinear")),
         (pool(hi_fake) - lo).square().mean()),
        ("the difference itself has either sign, and errors cancel.", off.mean()),
        ("this is the root: the paper's loss is the mean square.", off.square().mean().sqrt()))


def check_half(mine: float) -> str | None:
    """The squared error of the mean as a part of that of a guess drawn like the truth."""
    return numbers(
        mine, HALF,
        ("this would be so if the guess were the truth itself. It is another of the twenty-five.", 1.0),
        ("turn it over: the mean is the better one by this loss.", 2.0),
        ("noise averages out like this; but the truth is *one* of the faces, and keeps its own distance from the mean.",
         1 / 25, 1 / 5),
        ("a mean that is right every time? The faces differ, so it is wrong about each of them.", 0.0),
        tolerance=0.02)


def unnamed(restored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Pictures by the name of RESTORERS -> by letter, A to C."""
    return {letter: restored[name] for letter, name in letters(RESTORERS).items() if name in restored}


def check_restorers(mine: Mapping[str, str]) -> str | None:
    """Which of RESTORERS is which letter of `unnamed`?"""
    return names(mine, letters(RESTORERS), {
        "A": "A invents no edge that it is not sure of. Which loss is served best by that?",
        "B": "B has edges, and hardly a grain of the noise became one: it has met noise before.",
        "C": "C turns noise into grids and spots. Which pairs hold no noise?"})


# ---- 05: evaluation --------------------------------------------------------------------------------------------------
def decibels(x: Tensor, y: Tensor) -> Tensor:
    """PSNR of each pair of pictures in [-1, 1], whose range is 2: (B,) in dB."""
    return psnr((x + 1) / 2, (y + 1) / 2)


def check_decibels(mine: Callable[[Tensor, Tensor], Tensor]) -> str | None:
    """A function as `decibels`."""
    x, y = _faces(6)[0], _faces(6)[0].roll(1, 3) * torch.linspace(0.2, 0.9, 6)[:, None, None, None]
    off = (x - y).square()
    each, ten = off.mean((1, 2, 3)), lambda v: 10 * torch.log10(v)  # noqa: E731
    return numbers(
        mine(x, y), decibels(x, y),
        ("the range is 2 in here, from -1 to 1: the peak of the formula is that of [0, 1].", ten(1 / each)),
        ("range 2 means a peak of 2 *squared*.", ten(2 / each)),
        ("one number for all: each picture has an MSE, and a PSNR, of its own.", ten(4 / off.mean()),
         ten(4 / each).mean(), ten(1 / off.mean())),
        ("this is the natural logarithm: decibels count in tens.", 10 * torch.log(4 / each)),
        ("the sign is turned: a smaller error has to give more decibels.", ten(each / 4), ten(each)),
        ("20 belongs to a ratio of amplitudes. The MSE is a square already.", 2 * ten(4 / each)))


def mean_part(a: Tensor, b: Tensor) -> Tensor:
    """The first part of the Frechet distance of two sets of features (N, d): |mu_a - mu_b|^2, a scalar."""
    return (a.mean(0) - b.mean(0)).square().sum()


def check_mean_part(mine: Callable[[Tensor, Tensor], Tensor]) -> str | None:
    """A function as `mean_part`."""
    rng = torch.Generator().manual_seed(0)
    a, b = torch.randn(40, 5, generator=rng), torch.randn(30, 5, generator=rng) + torch.arange(5.0)
    gap = a.mean(0) - b.mean(0)
    return numbers(
        mine(a, b), mean_part(a, b),
        ("this is the length: the formula has its square.", gap.norm()),
        ("the length of a vector sums over its numbers; a mean makes it 80 times too small for 80 features.",
         gap.square().mean()),
        ("there is one mean for each feature: over which dimension are the pictures?", (a.mean() - b.mean()).square(),
         (a.mean() - b.mean()).square() * 5),
        ("the faces are compared one by one, and so their own spread counts too: take the means first.",
         (a[:, None] - b).square().sum(2).mean(), (a[:30] - b).square().sum(1).mean()),
        ("each feature on its own: one number is wanted.", gap.square()))


def check_fewer(mine: float) -> str | None:
    """How many times further apart 20 faces are than 600, all of one crowd, by Frechet distance."""
    if isinstance(mine, bool) or not isinstance(mine, (int, float)):
        return f"a number is expected, and this is of type {type(mine).__name__}."
    return first({
        "the true distance is zero in both cases, but what is measured is not.": mine <= 0 or 0.9 < mine < 1.1,
        "turn it over: fewer faces, more misfit.": mine < 0.9,
        "the means scatter like this, but the distance is their *square*.": 4 <= mine <= 7,
        "too much: a misfit shrinks like one over the root of n, and the distance is its square.": mine >= 300,
        "how does the square of a misfit shrink with the number of faces? Compare 20 with 600.":
            not 20 <= mine <= 40})


def share(low: float, mid: float, high: float) -> float:
    """The part of the way from the low score to the high one that mid has gone; see `stats.gap_closed`."""
    return (mid - low) / (high - low)


def check_share(mine: Callable[[float, float, float], float]) -> str | None:
    """A function as `share`; tried on distances, which fall, and on PSNR, which rises."""
    cases = ((300.0, 210.0, 180.0), (19.0, 19.75, 20.5))
    both = lambda f: [float(f(*case)) for case in cases]  # noqa: E731
    return numbers(
        both(mine), both(share),
        ("the sign is wrong: a score that has moved towards the camera's closes a positive share.",
         both(lambda low, mid, high: (mid - low) / (low - high))),
        ("this is what is left open.", both(lambda low, mid, high: (high - mid) / (high - low))),
        ("divide by the whole gap, from bilinear to camera.", both(lambda low, mid, high: (mid - low) / (high - mid)),
         both(lambda low, mid, high: (mid - low) / low), both(lambda low, mid, high: (mid - low) / high)),
        ("these are per cent: the figure has 1 for all of the gap.", both(lambda *case: 100 * share(*case))),
        ("right for one kind of score only: here one falls on the way to the better, the other rises.",
         both(lambda low, mid, high: (low - mid) / abs(low - high)),
         both(lambda low, mid, high: (mid - low) / abs(low - high))))


def slipped(fake: Tensor, real: Tensor, seen: Tensor, reference: Tensor) -> dict[str, tuple[float, float]]:
    """(mean PSNR, Frechet distance) of restored faces by three slips of evaluation, SLIPS, without their names.

    fake, real: pairs (B, 3, H, W) in [-1, 1]; seen, reference: features (B, d) of the restored and of sharp faces.
    Raises HLError for fewer than 20 pairs.
    """
    if len(fake) < 20:
        raise HLError(f"fake must hold at least 20 faces, a tenth of which still has a spread, got {len(fake)}")
    few, whole = len(fake) // 10, frechet(seen, reference)
    rows = {"pairs out of order": (decibels(fake.roll(1, 0), real).mean(), whole),
            "a tenth of the faces": (decibels(fake[:few], real[:few]).mean(), frechet(seen[:few], reference[:few])),
            "range of 1": (psnr((fake + 1) / 2, (real + 1) / 2).mean() - 20 * torch.log10(torch.tensor(2.0)), whole)}
    return {letter: (float(rows[name][0]), float(rows[name][1])) for letter, name in letters(SLIPS).items()}


def check_slips(mine: Mapping[str, str]) -> str | None:
    """Which of SLIPS is which letter of `slipped`?"""
    hints = {"range of 1": "the pile is the same, and every pair has lost the same six decibels: a constant.",
             "pairs out of order": "a pile has no order, a pair has: the distance does not move, PSNR falls far.",
             "a tenth of the faces": "PSNR is a mean over faces and stays about; what grows when faces are few?"}
    return names(mine, letters(SLIPS), {letter: hints[name] for letter, name in letters(SLIPS).items()})
