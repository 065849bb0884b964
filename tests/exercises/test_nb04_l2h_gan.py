"""The checks of notebook 04 against the reference and each likely mistake."""

import torch
from torch.nn.functional import interpolate, relu

import hlgan_lib as hl
from hlgan_lib import networks
from hlgan_lib.exercises import nb04_l2h_gan as ex
from hlgan_lib.exercises.checks import letters
from tests.helpers import untrainable

RESTORERS = letters(ex.RESTORERS)
FIXED = torch.randn(4, 64, generator=torch.Generator().manual_seed(1))


def swap(right, a, b):
    return right | {a: right[b], b: right[a]}


def degrade(z):
    def mine(h2l, hi, generator):
        with torch.no_grad():
            return h2l(hi, z(len(hi), generator))

    return mine


# check -> the reference, and mistake -> what its hint must say
CASES = {
    ex.check_degrade: (
        lambda: ex.degrade_anew,
        [
            (degrade(lambda n, g: FIXED), "for ever"),
            (
                degrade(
                    lambda n, g: torch.randn(n, 64, generator=torch.Generator().manual_seed(0))
                ),
                "for ever",
            ),
            (degrade(lambda n, g: torch.randn(1, 64, generator=g).expand(n, -1)), "whole batch"),
            (degrade(lambda n, g: torch.randn(n, 64)), "cannot be repeated"),
            (lambda h2l, hi, g: hi, "four LR pictures"),
        ],
    ),
    ex.check_residual_block: (
        lambda: ex.residual_block,
        [
            (lambda x, one, two: two(relu(one(relu(x)))), "skip is missing"),
            (lambda x, one, two: x + relu(two(relu(one(x)))), "has them before"),
            (lambda x, one, two: x + two(relu(one(x))), "has them before"),
            (lambda x, one, two: relu(x + two(relu(one(relu(x))))), "cut off at 0"),
            (lambda x, one, two: relu(x) + two(relu(one(relu(x)))), "hands on relu(x)"),
            (lambda x, one, two: x + two(one(relu(x))), "an activation is missing"),
            *untrainable(ex.residual_block),
            (lambda x, one, two: x.detach() + two(relu(one(relu(x)))), "another gradient"),
        ],
    ),
    ex.check_pixel_l2h: (
        lambda: ex.pixel_loss,
        [
            (lambda fake, b: (fake - b["hi"]).square().sum(), "take the mean"),
            (lambda fake, b: (fake - b["hi"]).abs().mean(), "squares them"),
            (
                lambda fake, b: (fake - interpolate(b["lo_fake"], scale_factor=4)).square().mean(),
                "with the LR picture",
            ),
            (lambda fake, b: (fake - b["hi"]).mean(), "errors cancel"),
            (lambda fake, b: (fake - b["hi"]).square().mean().sqrt(), "this is the root"),
            *untrainable(ex.pixel_loss),
        ],
    ),
    ex.check_half: (
        lambda: ex.HALF,
        [
            (1.0, "the ground truth itself"),
            (2.0, "turn it over"),
            (0.04, "averages out"),
            (0.2, "averages out"),
            (0.0, "right every time"),
        ],
    ),
    ex.check_restorers: (
        lambda: RESTORERS,
        [
            (swap(RESTORERS, "A", "B"), "A invents"),
            (swap(RESTORERS, "B", "C"), "B has edges"),
            (RESTORERS | {"C": RESTORERS["B"]}, "C turns noise"),
            ({"A": "bilinear pairs"}, "a dict"),
        ],
    ),
}


def test_degraded_anew_is_h2l_with_noise_of_the_generator():
    generator, other = (torch.Generator().manual_seed(2) for _ in range(2))
    h2l = networks.HighToLow(hl.preset("smoke"))
    hi = hl.load_faces("faces:val:hi").batch(slice(0, 3))
    wanted = h2l(hi, torch.randn(3, 64, generator=other))
    assert torch.equal(ex.degrade_anew(h2l, hi, generator), wanted)


def test_the_restorers_lose_their_names():
    named = ex.unnamed({"learned pairs": 1})
    assert named.keys() == {k for k, v in RESTORERS.items() if v == "learned pairs"}
