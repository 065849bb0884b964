"""What every file of exercises is tested by: its references pass, each mistake has its own hint."""

import pytest
import torch

from hlgan_lib import notebook


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


@pytest.fixture
def checks_of():
    """The checks that a module defines."""
    return lambda module: {f for name, f in vars(module).items() if name.startswith("check_")}


@pytest.fixture
def each_has_its_own_hint():
    """The reference passes; each mistake gets a hint that says what it must, and two share none.

    Two forms of one mistake name the same part of a hint.
    """

    def run(check, reference, mistakes):
        assert check(reference) is None
        said = [check(mine) for mine, _ in mistakes]
        for hint, (_, part) in zip(said, mistakes, strict=True):
            assert isinstance(hint, str) and part in hint, f"{part!r} expected, got {hint!r}"
            assert hint.endswith((".", "?"))
        parts = {part for _, part in mistakes}
        assert len(set(said)) == len(parts) >= 2, "two mistakes share a hint"

    return run


@pytest.fixture
def nothing_stops(capsys):
    """Whatever is handed in, the notebook goes on with the reference and says so in one line."""

    def run(check):
        for mine in NO_ANSWERS:
            assert notebook.attempt(mine, "reference", check) == "reference"
        said = capsys.readouterr().out.splitlines()
        assert len(said) == len(NO_ANSWERS)
        assert all(line.startswith("Not yet: ") for line in said)

    return run
