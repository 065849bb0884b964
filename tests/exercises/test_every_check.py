"""Every check of 01 to 06, 08 and 09: its reference passes, each usual mistake has its own hint.

The references and the mistakes are the CASES of the files beside this one. Notebook 07 has its own.
"""

import importlib

import pytest
import torch

from hlgan_lib import notebook

NOTEBOOKS = (
    "nb01_data",
    "nb02_h2l_gan",
    "nb03_degradation",
    "nb04_l2h_gan",
    "nb05_evaluation",
    "nb05b_judging",
    "nb06_ablations",
    "nb08_domains",
    "nb09_successors",
)
CASES = {nb: importlib.import_module(f"tests.exercises.test_{nb}").CASES for nb in NOTEBOOKS}
ALL = [(check, *case) for cases in CASES.values() for check, case in cases.items()]
each_case = pytest.mark.parametrize(
    ("check", "reference", "mistakes"), ALL, ids=[case[0].__name__ for case in ALL]
)


def endless(*_):
    return endless()


NO_ANSWERS = (
    3.5,
    "no idea",
    [],
    {"A": 1},
    endless,
    lambda *_: None,
    lambda *_: "text",
    torch.zeros(2),
    Exception,
)


@pytest.mark.parametrize("nb", NOTEBOOKS)
def test_every_check_is_tried(nb):
    module = importlib.import_module(f"hlgan_lib.exercises.{nb}")
    checks = {f for name, f in vars(module).items() if name.startswith("check_")}
    assert checks == set(CASES[nb])


@each_case
def test_the_reference_passes_and_each_mistake_has_its_own_hint(check, reference, mistakes):
    """Two forms of one mistake name the same part of a hint."""
    assert check(reference()) is None
    said = [check(mine) for mine, _ in mistakes]
    for hint, (_, part) in zip(said, mistakes, strict=True):
        assert isinstance(hint, str) and part in hint, f"{part!r} expected, got {hint!r}"
        assert hint.endswith((".", "?"))
    parts = {part for _, part in mistakes}
    assert len(set(said)) == len(parts) >= 2, "two mistakes share a hint"


@each_case
def test_what_cannot_be_an_answer_never_stops_the_notebook(check, reference, mistakes, capsys):
    """The notebook goes on with the reference and says so in one line."""
    for mine in NO_ANSWERS:
        assert notebook.attempt(mine, "reference", check) == "reference"
    said = capsys.readouterr().out.splitlines()
    assert len(said) == len(NO_ANSWERS)
    assert all(line.startswith("Not yet: ") for line in said)


@each_case
def test_the_right_numbers_that_are_no_tensor_pass_only_where_none_is_asked_for(
    check, reference, mistakes
):
    """What the next cell would die of: a list for a tensor; it keeps its words to itself too."""
    given = reference()
    answers = given if callable(given) else None
    if torch.is_tensor(given):
        assert "of type list" in check(given.tolist())
    if answers is None or given.__name__ in ("one_update", "degrade_anew"):
        return
    asked_for = []

    def as_list(*args):
        got = answers(*args)
        asked_for.append(torch.is_tensor(got))
        return got.tolist() if torch.is_tensor(got) else got

    said = check(as_list)
    assert (said is None) != any(asked_for)
    assert not any(asked_for) or "give the tensor back" in said


@each_case
def test_a_check_leaves_the_random_stream_alone(check, reference, mistakes):
    answer = reference()
    torch.manual_seed(3)
    wanted = torch.rand(2)
    torch.manual_seed(3)
    check(answer)
    assert torch.equal(torch.rand(2), wanted)
