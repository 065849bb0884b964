"""The checks of notebooks 04 and 05: each passes the reference and gives every likely mistake a hint of its own."""

from types import SimpleNamespace

import pytest
import torch
from torch.nn.functional import interpolate, relu

import hlgan_lib as hl
from hlgan_lib import metrics, networks, notebook
from hlgan_lib.exercises import nb04_l2h_gan, nb05_evaluation
from hlgan_lib.exercises.checks import letters

ex = SimpleNamespace(**(vars(nb04_l2h_gan) | vars(nb05_evaluation)))
RESTORERS, SLIPS = letters(ex.RESTORERS), letters(ex.SLIPS)


def swap(right, a, b):
    return right | {a: right[b], b: right[a]}


def degrade(z):
    def mine(h2l, hi, generator):
        with torch.no_grad():
            return h2l(hi, z(len(hi), generator))

    return mine


FIXED = torch.randn(4, 64, generator=torch.Generator().manual_seed(1))
mse = lambda x, y: (x - y).square().mean((1, 2, 3))  # noqa: E731

REFERENCES = {
    "check_degrade": ex.degrade_anew,
    "check_residual_block": ex.residual_block,
    "check_pixel_l2h": ex.pixel_loss,
    "check_half": ex.HALF,
    "check_restorers": RESTORERS,
    "check_decibels": ex.decibels,
    "check_mean_part": ex.mean_part,
    "check_fewer": ex.FEWER,
    "check_share": ex.share,
    "check_slips": SLIPS,
}
MISTAKES = {
    "check_degrade": [
        (degrade(lambda n, g: FIXED), "for ever"),
        (
            degrade(lambda n, g: torch.randn(n, 64, generator=torch.Generator().manual_seed(0))),
            "for ever",
        ),
        (degrade(lambda n, g: torch.randn(1, 64, generator=g).expand(n, -1)), "whole batch"),
        (degrade(lambda n, g: torch.randn(n, 64)), "cannot be repeated"),
        (lambda h2l, hi, g: hi, "four poor pictures"),
    ],
    "check_residual_block": [
        (lambda x, one, two: two(relu(one(relu(x)))), "skip is missing"),
        (lambda x, one, two: x + relu(two(relu(one(x)))), "has them before"),
        (lambda x, one, two: x + two(relu(one(x))), "has them before"),
        (lambda x, one, two: relu(x + two(relu(one(relu(x))))), "cut off at 0"),
        (lambda x, one, two: relu(x) + two(relu(one(relu(x)))), "hands on relu(x)"),
        (lambda x, one, two: x + two(one(relu(x))), "an activation is missing"),
    ],
    "check_pixel_l2h": [
        (lambda fake, b: (fake - b["hi"]).square().sum(), "take the mean"),
        (lambda fake, b: (fake - b["hi"]).abs().mean(), "squares them"),
        (
            lambda fake, b: (fake - interpolate(b["lo_fake"], scale_factor=4)).square().mean(),
            "with the poor picture",
        ),
        (lambda fake, b: (fake - b["hi"]).mean(), "errors cancel"),
        (lambda fake, b: (fake - b["hi"]).square().mean().sqrt(), "this is the root"),
    ],
    "check_half": [
        (1.0, "the truth itself"),
        (2.0, "turn it over"),
        (0.04, "averages out"),
        (0.2, "averages out"),
        (0.0, "right every time"),
    ],
    "check_restorers": [
        (swap(RESTORERS, "A", "B"), "A invents"),
        (swap(RESTORERS, "B", "C"), "B has edges"),
        (RESTORERS | {"C": RESTORERS["B"]}, "C turns noise"),
        ({"A": "bilinear pairs"}, "a dict"),
    ],
    "check_decibels": [
        (lambda x, y: 10 * torch.log10(1 / mse(x, y)), "range is 2"),
        (lambda x, y: 10 * torch.log10(2 / mse(x, y)), "*squared*"),
        (lambda x, y: 10 * torch.log10(4 / (x - y).square().mean()), "of its own"),
        (lambda x, y: 10 * torch.log(4 / mse(x, y)), "natural logarithm"),
        (lambda x, y: 10 * torch.log10(mse(x, y) / 4), "sign is turned"),
        (lambda x, y: 20 * torch.log10(4 / mse(x, y)), "amplitudes"),
    ],
    "check_mean_part": [
        (lambda a, b: (a.mean(0) - b.mean(0)).norm(), "has its square"),
        (lambda a, b: (a.mean(0) - b.mean(0)).square().mean(), "too small"),
        (lambda a, b: (a.mean() - b.mean()).square(), "which dimension"),
        (lambda a, b: torch.cdist(a, b).square().mean(), "one by one"),
        (lambda a, b: (a.mean(0) - b.mean(0)).square(), "on its own"),
    ],
    "check_fewer": [
        (1, "true distance is zero"),
        (1 / 30, "turn it over"),
        (5.5, "*square*"),
        (900, "too much"),
        (15, "Compare 20"),
        ("many", "a number"),
    ],
    "check_share": [
        (lambda low, mid, high: (mid - low) / (low - high), "sign is wrong"),
        (lambda low, mid, high: (mid - high) / (low - high), "left open"),
        (lambda low, mid, high: (mid - low) / (high - mid), "whole gap"),
        (lambda low, mid, high: 100 * (mid - low) / (high - low), "per cent"),
        (lambda low, mid, high: (low - mid) / abs(low - high), "one kind of score"),
        (lambda low, mid, high: (mid - low) / abs(high - low), "one kind of score"),
    ],
    "check_slips": [
        (swap(SLIPS, "A", "B"), "same six decibels"),
        (swap(SLIPS, "B", "C"), "PSNR falls far"),
        (SLIPS | {"C": SLIPS["B"]}, "faces are few"),
        ("A", "a dict"),
    ],
}
# hints of one mistake in two forms
SHARED = {"check_degrade": 1, "check_residual_block": 1, "check_half": 1, "check_share": 1}


def test_every_check_is_tried_with_its_reference_and_two_mistakes_or_more():
    checks = {name for name in vars(ex) if name.startswith("check_")}
    assert checks == set(REFERENCES) == set(MISTAKES)
    assert min(len(v) for v in MISTAKES.values()) >= 2


@pytest.mark.parametrize("name", REFERENCES)
def test_the_reference_passes_and_each_mistake_gets_its_own_hint(name):
    check = getattr(ex, name)
    assert check(REFERENCES[name]) is None
    said = [check(mine) for mine, _ in MISTAKES[name]]
    for hint, (_, part) in zip(said, MISTAKES[name], strict=True):
        assert isinstance(hint, str) and part in hint, f"{hint!r} for {part!r}"
    assert len(set(said)) == len(said) - SHARED.get(name, 0)


@pytest.mark.parametrize("name", REFERENCES)
def test_what_cannot_be_an_answer_never_stops_the_notebook(name, capsys):
    for mine in (
        3.5,
        "no idea",
        [],
        {"A": 1},
        lambda *_: None,
        lambda *_: "text",
        torch.zeros(2),
        Exception,
    ):
        assert notebook.attempt(mine, "reference", getattr(ex, name)) == "reference"
    assert capsys.readouterr().out.count("Not yet: ") == 8


def test_a_check_leaves_the_random_stream_alone():
    torch.manual_seed(3)
    wanted = torch.rand(2)
    torch.manual_seed(3)
    for name, right in REFERENCES.items():
        getattr(ex, name)(right)
    assert torch.equal(torch.rand(2), wanted)


def test_references_are_the_library_s():
    generator, other = (torch.Generator().manual_seed(2) for _ in range(2))
    h2l, hi = (
        networks.HighToLow(hl.preset("smoke")),
        hl.load_faces("faces:val:hi").batch(slice(0, 3)),
    )
    wanted = torch.randn(3, 64, generator=other)
    assert torch.equal(ex.degrade_anew(h2l, hi, generator), h2l(hi, wanted))
    low, mid, high = (torch.full((1, 30), v) + torch.linspace(0, 1, 30) for v in (19.0, 19.5, 20.5))
    gap = metrics.gap_closed(low, mid, high)
    assert ex.share(gap["low"], gap["mid"], gap["high"]) == pytest.approx(gap["ratio"])
    assert ex.unnamed({"learned pairs": hi}).keys() == {
        k for k, v in RESTORERS.items() if v == "learned pairs"
    }


def test_twenty_faces_are_about_as_many_times_further_apart_as_they_are_fewer():
    sharp = metrics.extract(hl.load_faces("faces:train-hi")[:1200])
    one, other = sharp[torch.randperm(1200, generator=torch.Generator().manual_seed(0))].chunk(2)
    pairs = {n: list(zip(one.split(n), other.split(n)))[:8] for n in (20, 600)}
    far = {n: sum(metrics.frechet(*pair) for pair in p) / len(p) for n, p in pairs.items()}
    assert (
        20 <= far[20] / far[600] <= ex.FEWER
    )  # 23 here: below 80 faces, the features' number, it rises more slowly


def test_each_slip_leaves_its_own_trace():
    hi, lo = (side.batch(slice(0, 60)) for side in hl.load_faces("faces:val"))
    made = interpolate(lo, scale_factor=4, mode="bicubic").clamp(-1, 1)
    seen, reference = (metrics.extract((x + 1) / 2) for x in (made, hi))
    rows = {SLIPS[k]: v for k, v in ex.slipped(made, hi, seen, reference).items()}
    psnr, distance = ex.decibels(made, hi).mean().item(), metrics.frechet(seen, reference)
    assert rows["range of 1"] == pytest.approx((psnr - 6.0206, distance), abs=1e-3)
    assert rows["pairs out of order"][0] < psnr - 5 and rows["pairs out of order"][1] == distance
    assert (
        abs(rows["a tenth of the faces"][0] - psnr) < 2
        and rows["a tenth of the faces"][1] > 1.1 * distance
    )
    with pytest.raises(hl.HLError, match="at least 20 faces"):
        ex.slipped(made[:10], hi[:10], seen, reference)
