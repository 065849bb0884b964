"""The checks of notebook 06 against the reference and each likely mistake."""

from hlgan_lib.exercises import nb06_ablations as ex
from hlgan_lib.study.grid import CELLS, MATRIX, Cell

PIXELS = {"w_gan": 0.0}


def mean(x):
    return sum(x) / len(x)


def ranged(x):
    return max(x) - min(x)


# check -> the reference, and mistake -> what its hint must say
CASES = {
    ex.check_trainings_of_h2l: (
        ex.trainings_of_h2l,
        [
            (len(MATRIX), "no H2L at all"),
            (6, "share their H2L"),
            (9, "three seeds"),
            (1, "the others are formulas"),
            (3.0, "whole number"),
        ],
    ),
    ex.check_clear: (
        lambda: ex.clear,
        [
            (lambda a, b: mean(a) - mean(b) > max(ranged(a), ranged(b)), "either direction"),
            (lambda a, b: abs(mean(a) - mean(b)) > min(ranged(a), ranged(b)), "*larger*"),
            (lambda a, b: abs(mean(a) - mean(b)) > ranged(a), "*larger*"),
            (lambda a, b: abs(mean(a) - mean(b)) > ranged(b), "*larger*"),
            (lambda a, b: not ex.clear(a, b), "turned round"),
            (lambda a, b: mean(a) != mean(b), "beside the seeds"),
        ],
    ),
    ex.check_claims: (
        lambda: ex.HOLDS,
        [
            ({ex.CLAIMS[0], ex.CLAIMS[1]}, "nobody knows the scatter"),
            ({ex.CLAIMS[1], ex.CLAIMS[2]}, "two things differ"),
            ({ex.CLAIMS[1], ex.CLAIMS[3]}, "falls with n"),
            (set(), "shows its scatter"),
            ("all", "a set of some"),
        ],
    ),
    ex.check_own_cell: (
        ex.own_cell,
        [
            (Cell("no-gan", "x", h2l={"w_stats": 0.5}, l2h=PIXELS), "rename it"),
            (Cell("mine", "x", h2l={"w_stats": 0.5}), "pixel-only"),
            (Cell("mine", "x", h2l={"w_stats": 0.0}, l2h=PIXELS), "trains what no-statistics"),
            (Cell("mine", "x", h2l={"w_stats": 0.5, "lr": 1e-3}, l2h=PIXELS), "two things"),
            (Cell("mine", "x", h2l={"w_stat": 0.5}, l2h=PIXELS), "the library refuses it"),
            ("learned-pixel", "a grid.Cell"),
        ],
    ),
}


def test_one_seed_of_the_matrix_shares_its_three_h2l():
    assert ex.trainings_of_h2l() == 3 and "mine" not in CELLS
