"""The checks of notebook 03 against the reference and each likely mistake."""

import statistics

import hlgan_lib as hl
from hlgan_lib import analysis, inference
from hlgan_lib.exercises import checks, nb03_degradation

SUSPECTS = {"A": "one setting", "B": "no blur", "C": "no colour"}


def colour_of(los, dims):
    return analysis.over_shots(los)[1].mean(dims).square().mean().sqrt()


# check -> the reference, and mistake -> what its hint must say
CASES = {
    nb03_degradation.check_colour_spread: (
        lambda: nb03_degradation.colour_spread,
        [
            (lambda los: analysis.over_shots(los)[1].square().mean().sqrt(), "this is the total"),
            (lambda los: analysis.diversity(los).detail, "this is the detail"),
            (lambda los: colour_of(los, (2, 3, 4)), "channels are mixed"),
            (lambda los: colour_of(los, 0), "over the draws"),
            (lambda los: colour_of(los, (3, 4)) ** 2, "take its root"),
        ],
    ),
    nb03_degradation.check_white_noise: (
        lambda: (0.0009, 0.0009),
        [
            ((0.03, 0.03), "the spread itself"),
            ((0.0036, 0.0036), "range of 2"),
            ((0.0018, 0.0001), "prefer no frequency"),
            (0.0009, "its shape is ()"),
            ("white", "of type str"),
        ],
    ),
    nb03_degradation.check_box_width: (
        nb03_degradation.box_width,
        [
            (1.25, "variance"),
            (2.0, "where the box ends"),
            (4, "where the box ends"),
            (4 / 12**0.5, "without pixels"),
            (statistics.stdev(range(4)), "divided by 3"),
        ],
    ),
    nb03_degradation.check_told_apart: (
        lambda: nb03_degradation.told_apart,
        [
            (lambda t: t.accuracy > 0.5, "ask the interval"),
            (lambda t: t.high > 0.5, "which end"),
            (lambda t: not t.low <= 0.5 <= t.high, "worse than guessing"),
            (lambda t: t.accuracy > 0.9, "the interval tells"),
            (lambda t: "yes", "of type str"),
        ],
    ),
    nb03_degradation.check_suspects: (
        lambda: checks.letters(nb03_degradation.FAULTS),
        [
            (SUSPECTS | {"A": "no blur", "B": "one setting"}, "*both* parts"),
            (SUSPECTS | {"A": "no colour", "C": "one setting"}, "hardly either"),
            (SUSPECTS | {"B": "no colour", "C": "no blur"}, "their sharpness"),
            (SUSPECTS | {"C": "no blur"}, "What does not?"),
        ],
    ),
}


def test_each_suspect_lacks_its_one_thing():
    hi = hl.load_faces("faces:val:hi").batch(slice(0, 30))
    makers = nb03_degradation.suspects() | {"camera": "camera"}
    los = {name: inference.shots(make, hi, 6) for name, make in makers.items()}
    apart = {name: analysis.diversity(x) for name, x in los.items()}
    width = {name: analysis.blur_fit(hi, x[0]).width.mean() for name, x in los.items()}
    for letter, fault in checks.letters(nb03_degradation.FAULTS).items():
        assert (apart[letter].colour < 0.3 * apart["camera"].colour) == (
            fault in ("no colour", "one setting")
        )
        assert (apart[letter].detail < 0.6 * apart["camera"].detail) == (fault == "one setting")
        assert (width[letter] < width["camera"] - 0.4) == (fault == "no blur")
