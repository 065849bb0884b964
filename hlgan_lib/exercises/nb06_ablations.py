"""The exercises of notebook 06, on ablations; what a check is, `nb01_data` says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ..errors import HLError
from ..presets import preset
from ..study.grid import CELLS, LIBRARY, MATRIX, PIXEL, Cell
from .checks import first, numbers

CLAIMS = (
    "one seed each, 0.1 apart in PSNR",
    "three seeds each, every one of A above every one of B",
    "A with more images seen than B",
    "A scored on 100 faces, B on 600, by distance",
)
HOLDS = {"three seeds each, every one of A above every one of B"}


def trainings_of_h2l() -> int:
    """How many H2L one seed of the matrix trains: equal trainings are shared."""
    runs = [cell.run(preset("study")) for cell in MATRIX]
    return len({need.name for run in runs for need in run.needs if need.stage == "h2l"})


def check_trainings_of_h2l(mine: int) -> str | None:
    """The number of `trainings_of_h2l`."""
    if isinstance(mine, bool) or not isinstance(mine, int):
        return f"a whole number is expected, and this is of type {type(mine).__name__}."
    right = trainings_of_h2l()
    return first(
        (mine == len(MATRIX), "this is one for each cell: who needs no H2L at all?"),
        (mine == 2 * right, "two cells that differ in stage two alone share their H2L."),
        (mine == 3 * right, "that is for three seeds: one is asked for."),
        (mine != right, "count the degradations that an H2L makes: the others are formulas."),
    )


def clear(a: Sequence[float], b: Sequence[float]) -> bool:
    """Whether two sets of scores, one a seed, differ by more than the larger of their ranges."""
    gap = abs(sum(a) / len(a) - sum(b) / len(b))
    return gap > max(max(a) - min(a), max(b) - min(b))


def check_clear(mine: Callable[[Sequence[float], Sequence[float]], bool]) -> str | None:
    """A function as `clear`."""
    cases = (
        ([20.0, 20.2, 20.1], [19.0, 19.1, 19.2]),
        ([19.0, 19.1, 19.2], [20.0, 20.2, 20.1]),
        ([20.0, 21.0], [19.9, 19.9]),
        ([19.9, 19.9], [20.0, 21.0]),
        ([1.0, 4.0], [3.0, 3.1]),
        ([2.0, 8.0], [7.5, 7.6]),
        ([5.0, 7.0], [3.2, 3.4]),
        ([1.0, 4.0], [2.0, 4.0]),
    )

    def on_all(f: Callable[[Sequence[float], Sequence[float]], bool]) -> list[float]:
        return [float(f(*case)) for case in cases]

    def mean(x: Sequence[float]) -> float:
        return sum(x) / len(x)

    def ranged(x: Sequence[float]) -> float:
        return max(x) - min(x)

    return numbers(
        on_all(mine),
        on_all(clear),
        (
            "a difference counts in either direction: take its size.",
            on_all(lambda a, b: mean(a) - mean(b) > max(ranged(a), ranged(b))),
        ),
        (
            "hold it against the *larger* of the two ranges.",
            on_all(lambda a, b: abs(mean(a) - mean(b)) > min(ranged(a), ranged(b))),
            on_all(lambda a, b: abs(mean(a) - mean(b)) > ranged(a)),
            on_all(lambda a, b: abs(mean(a) - mean(b)) > ranged(b)),
        ),
        ("this is turned round: True stands for a clear one.", [1 - v for v in on_all(clear)]),
        ("any two means differ: by how much, beside the seeds?", [1.0] * len(cases)),
    )


def check_claims(mine: Iterable[str]) -> str | None:
    """Which of CLAIMS show that A is better than B?"""
    if isinstance(mine, str) or not isinstance(mine, Iterable) or not set(mine) <= set(CLAIMS):
        return "a set of some of these is expected: " + "; ".join(CLAIMS) + "."
    chosen = set(mine)
    return first(
        (CLAIMS[0] in chosen, "with one seed nobody knows the scatter: what else may 0.1 be?"),
        (CLAIMS[2] in chosen, "two things differ here, and either may be the cause."),
        (CLAIMS[3] in chosen, "a distance falls with n by itself: notebook 05, *Small sets lie*."),
        (chosen != HOLDS, "one of them changes one thing and shows its scatter."),
    )


def own_cell() -> Cell:
    """A cell that the grid does not hold: half the weight of the statistics."""
    return Cell("mine", "statistics at half weight", h2l={"w_stats": 0.5}, l2h={"w_gan": 0.0})


def check_own_cell(mine: Cell) -> str | None:
    """A new cell that differs from PIXEL in one field of one stage."""
    if not isinstance(mine, Cell):
        return f"a grid.Cell is expected, and this is of type {type(mine).__name__}."
    base, study = CELLS[PIXEL], preset("study")
    try:
        run = mine.run(study)
    except (HLError, TypeError) as error:  # a value out of bounds; a field of no such name
        return f"the library refuses it: {error}."
    changed = {("both", k) for k in mine.both} | {("h2l", k) for k in mine.h2l}
    changed |= {("l2h", k) for k, v in mine.l2h.items() if base.l2h.get(k) != v}
    differs = len(changed) + (mine.degradation != base.degradation) + mine.joint
    others = [c for c in LIBRARY if CELLS[c].run(study).name == run.name]
    return first(
        (mine.id in LIBRARY, "the grid has a cell of this id: rename it."),
        ("w_gan" not in mine.l2h, "keep stage two pixel-only, as `learned-pixel` does."),
        (others, f"this trains what {', '.join(others)} trains: nothing new."),
        (differs > 1, "two things are changed: which of them would the score be of?"),
    )
