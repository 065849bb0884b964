"""Exercises that never stop *Run all*, and what was said of each, which a grader reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
PASSED = "Passed"
UNTRIED = "Not tried yet"
said_of: dict[str, str] = {}  # by the name of its check: what `attempt` said last


def attempt(mine: T | None, reference: T, check: Callable[[T], Any]) -> T:
    """Check an exercise and go on with what works. Prints one line, never raises.

    An endless loop ends with the stop button.

    Args:
        mine: the learner's; "not tried yet" where it is None, ... or raises a bare
            NotImplementedError.
        reference: what to go on with where `mine` does not pass.
        check: passes by returning None or True; fails by returning a hint (text) or False, or by
            raising.

    Returns:
        `mine` where it passes, else `reference`.
    """
    said = judged(mine, check)
    said_of[getattr(check, "__name__", "check")] = said
    if said == PASSED:
        print(f"{PASSED}: going on with yours.")
        return mine  # type: ignore[return-value]  # what has passed is not None
    if said == UNTRIED:
        print(f"{UNTRIED}: going on with the reference.")
    else:
        print(f"{said} Going on with the reference.")
    return reference


def judged(mine: Any, check: Callable[[Any], Any]) -> str:
    """What a check says of an answer: PASSED, UNTRIED, or "Not yet: " and the hint.

    Args:
        mine: as in `attempt`.
        check: as in `attempt`.

    Returns:
        One line.
    """
    if mine is None or mine is ...:
        return UNTRIED
    try:
        said = check(mine)
    except AssertionError as error:
        said = _first_line(error) or False
    except KeyboardInterrupt:
        said = "it was stopped by hand: does a loop never end?"
    except (
        Exception,
        SystemExit,
    ) as error:  # whatever a learner's line raises is a hint, not the end of Run all
        if isinstance(error, NotImplementedError) and not error.args:
            return UNTRIED
        said = f"it stops with {type(error).__name__}: {_first_line(error)}".rstrip(" :") + "."
    if said is None or said is True:
        return PASSED
    hint = said if isinstance(said, str) else "the result differs from what the reference gives."
    return f"Not yet: {hint}"


def verdict(check: str) -> str:
    """What was said of the last attempt of an exercise, for an autograder.

    Args:
        check: name of its check, such as "check_hinge_d".

    Returns:
        PASSED, UNTRIED (also where its cell did not run), or "Not yet: " and the hint.
    """
    return said_of.get(check, UNTRIED)


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "").rstrip(".")
