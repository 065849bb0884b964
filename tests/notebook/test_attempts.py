"""Exercises that never stop a notebook, and the verdict that a grader reads."""

import sys

import pytest

from hlgan_lib import notebook
from hlgan_lib.notebook import attempts


def agree(mine):
    """A check as an exercise would have it: one right answer, a hint for one likely mistake."""
    if mine(2) == 6:
        return "you added twice: square it first."
    assert mine(2) == 4, "square the number."
    return None


def endless(x):
    return endless(x + 1)


def interrupted():
    raise KeyboardInterrupt


def not_built():
    raise NotImplementedError("no such kernel")  # as torch does: somebody has tried


@pytest.mark.parametrize(
    ("mine", "said", "taken"),
    [
        (None, "Not tried yet", "reference"),
        (..., "Not tried yet", "reference"),
        (lambda x: x * x, "Passed", "mine"),
        (lambda x: x + 4, "you added twice", "reference"),
        (lambda x: x, "square the number", "reference"),
        (lambda x: 1 / 0, "ZeroDivisionError", "reference"),
        (lambda x: sys.exit("two\nlines"), "SystemExit: two.", "reference"),
        (3, "TypeError", "reference"),
        (lambda x: endless(x), "RecursionError", "reference"),
        (lambda x: interrupted(), "stopped by hand", "reference"),
        (lambda x: not_built(), "NotImplementedError: no such kernel.", "reference"),
    ],
)
def test_attempt_never_stops_and_goes_on_with_what_works(mine, said, taken, capsys):
    def reference(x):
        return x**2

    assert notebook.attempt(mine, reference, agree) is (mine if taken == "mine" else reference)
    out = capsys.readouterr().out
    assert said in out and out.count("\n") == 1


def test_attempt_knows_an_untouched_line_and_a_bare_no(capsys):
    def untouched(x):
        raise NotImplementedError

    assert notebook.attempt(untouched, abs, agree) is abs
    assert "Not tried yet" in capsys.readouterr().out
    assert notebook.attempt(3, 4, lambda mine: mine == 4) == 4
    assert "differs" in capsys.readouterr().out
    assert notebook.attempt(4, 5, lambda mine: mine == 4) == 4

    def bare(mine):
        if mine != 4:
            raise AssertionError

    assert notebook.attempt(3, 4, bare) == 4
    assert "differs" in capsys.readouterr().out


def test_a_verdict_is_of_the_last_attempt_and_carries_the_hint(monkeypatch, capsys):
    monkeypatch.setattr(attempts, "said_of", {})
    assert notebook.verdict("agree") == "Not tried yet", "its cell did not run"
    for mine, said in [
        (lambda x: x + 4, "Not yet: you added twice: square it first."),
        (lambda x: x * x, "Passed"),
        (..., "Not tried yet"),
    ]:
        notebook.attempt(mine, abs, agree)
        assert notebook.verdict("agree") == said
    notebook.attempt(3, 4, lambda mine: mine == 3)
    assert notebook.verdict("agree") == "Not tried yet", "another exercise changes nothing"
    assert capsys.readouterr().out.count("\n") == 4
