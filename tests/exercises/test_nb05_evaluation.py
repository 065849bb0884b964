"""The checks of notebook 05 against the reference and each likely mistake."""

import pytest
import torch
from torch.nn.functional import interpolate

import hlgan_lib as hl
from hlgan_lib import metrics
from hlgan_lib.exercises import nb05_evaluation as ex
from hlgan_lib.exercises.checks import letters

SLIPS = letters(ex.SLIPS)


def swap(right, a, b):
    return right | {a: right[b], b: right[a]}


def mse(x, y):
    return (x - y).square().mean((1, 2, 3))


# check -> the reference, and mistake -> what its hint must say
CASES = {
    ex.check_decibels: (
        lambda: ex.decibels,
        [
            (lambda x, y: 10 * torch.log10(1 / mse(x, y)), "range is 2"),
            (lambda x, y: 10 * torch.log10(2 / mse(x, y)), "*squared*"),
            (lambda x, y: 10 * torch.log10(4 / (x - y).square().mean()), "of its own"),
            (lambda x, y: 10 * torch.log(4 / mse(x, y)), "natural logarithm"),
            (lambda x, y: 10 * torch.log10(mse(x, y) / 4), "sign is turned"),
            (lambda x, y: 20 * torch.log10(4 / mse(x, y)), "amplitudes"),
        ],
    ),
    ex.check_mean_part: (
        lambda: ex.mean_part,
        [
            (lambda a, b: (a.mean(0) - b.mean(0)).norm(), "has its square"),
            (lambda a, b: (a.mean(0) - b.mean(0)).square().mean(), "too small"),
            (lambda a, b: (a.mean() - b.mean()).square(), "which dimension"),
            (lambda a, b: torch.cdist(a, b).square().mean(), "one by one"),
            (lambda a, b: (a.mean(0) - b.mean(0)).square(), "on its own"),
        ],
    ),
    ex.check_fewer: (
        lambda: ex.FEWER,
        [
            (1, "true distance is zero"),
            (1 / 30, "turn it over"),
            (5.5, "*square*"),
            (900, "too much"),
            (15, "Compare 20"),
            ("many", "a number"),
        ],
    ),
    ex.check_share: (
        lambda: ex.share,
        [
            (lambda low, mid, high: (mid - low) / (low - high), "sign is wrong"),
            (lambda low, mid, high: (mid - high) / (low - high), "left open"),
            (lambda low, mid, high: (mid - low) / (high - mid), "whole gap"),
            (lambda low, mid, high: 100 * (mid - low) / (high - low), "per cent"),
            (lambda low, mid, high: (low - mid) / abs(low - high), "one kind of score"),
            (lambda low, mid, high: (mid - low) / abs(high - low), "one kind of score"),
        ],
    ),
    ex.check_slips: (
        lambda: SLIPS,
        [
            (swap(SLIPS, "A", "B"), "same six decibels"),
            (swap(SLIPS, "B", "C"), "PSNR falls far"),
            (SLIPS | {"C": SLIPS["B"]}, "faces are few"),
            ("A", "a dict"),
        ],
    ),
}


def test_the_share_is_that_of_gap_closed():
    low, mid, high = (torch.full((1, 30), v) + torch.linspace(0, 1, 30) for v in (19.0, 19.5, 20.5))
    gap = metrics.gap_closed(low, mid, high)
    assert ex.share(gap["low"], gap["mid"], gap["high"]) == pytest.approx(gap["ratio"])


def test_twenty_faces_are_about_as_many_times_further_apart_as_they_are_fewer():
    features = metrics.extract(hl.load_faces("faces:train-hi")[:1200])
    order = torch.randperm(1200, generator=torch.Generator().manual_seed(0))
    one, other = features[order].chunk(2)
    pairs = {n: list(zip(one.split(n), other.split(n)))[:8] for n in (20, 600)}
    far = {n: sum(metrics.frechet(*pair) for pair in p) / len(p) for n, p in pairs.items()}
    # 23 here: below 80 faces, the features' number, it rises more slowly.
    assert 20 <= far[20] / far[600] <= ex.FEWER


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
