"""The tool that makes the students' copies.

what is blanked, what is left out, and that those on disk are its own.
"""

import copy
import json
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "site"))
import repo_url  # noqa: E402
import student  # noqa: E402

MASTERS = sorted((ROOT / "notebooks").glob("[0-9][0-9]*_*.ipynb"))
FUNCTION = """def my_loss(a, b):
    c = a - b
    d = c.square()  # solution
    return d.mean()  # solution

loss = notebook.attempt(my_loss, mse, check)"""
NUMBER = """x = 2
answer = {"A": x,  # solution
          "B": 3}  # solution
answer = notebook.attempt(answer, reference, check)"""


def put_back(blanked, source):
    """The copy of a cell with the master's lines in place of what is to be filled in."""
    lines, taken = (
        blanked.splitlines(),
        [source.splitlines()[start:end] for start, end in student.runs(source)],
    )
    places = [
        i
        for i, line in enumerate(lines)
        if line.endswith(("# your answer", "# your line", "# your lines"))
    ]
    assert len(places) == len(taken)
    for place, run in zip(reversed(places), reversed(taken)):
        lines[place : place + 1] = run
    return "\n".join(lines)


def notebook(*cells):
    return {
        "cells": [
            {
                "cell_type": kind,
                "id": str(i),
                "metadata": {"tags": [tag] if tag else []},
                "source": source.splitlines(keepends=True),
            }
            | ({"outputs": [1], "execution_count": i} if kind == "code" else {})
            for i, (kind, tag, source) in enumerate(cells)
        ],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def test_a_run_becomes_one_line_to_fill_in():
    assert student.blank(FUNCTION).splitlines()[1:3] == [
        "    c = a - b",
        "    raise NotImplementedError  # your lines",
    ]
    assert student.blank(NUMBER).splitlines()[:3] == [
        "x = 2",
        "answer = ...  # your answer",
        "answer = notebook.attempt(answer, reference, check)",
    ]
    assert (
        student.blank("if x:\n    return  # solution")
        == "if x:\n    raise NotImplementedError  # your line"
    )
    assert student.blank("a, b = 1, 2  # solution") == "raise NotImplementedError  # your line", (
        "two names, no answer"
    )
    assert (
        student.blank("y = f(\n    1,  # solution\n)")
        == "y = f(\n    raise NotImplementedError  # your line\n)"
    )
    two = student.blank("a = 1  # solution\nprint(a)\nb = 2  # solution")
    assert two == "a = ...  # your answer\nprint(a)\nb = ...  # your answer"
    assert student.blank("x = 1  # the solution") == "x = 1  # the solution"


@pytest.mark.parametrize("source", [FUNCTION, NUMBER])
def test_solutions_put_back_give_the_master_again(source):
    assert put_back(student.blank(source), source) == source != student.blank(source)


def test_the_copy_keeps_all_but_answers_outputs_and_words_for_the_teacher():
    master = notebook(
        ("markdown", "", "# Title"),
        ("code", "", "x = 1  # solution"),
        ("markdown", "instructor", "**Discuss.**"),
        ("code", "solution", "y = 2  # solution"),
    )
    before = copy.deepcopy(master)
    made = student.student(master)
    assert master == before, "the master is not touched"
    title, plain, exercise = made["cells"]
    assert title == master["cells"][0]
    assert plain["source"] == ["x = 1  # solution"], "only cells with the tag are blanked"
    assert exercise["source"] == ["y = ...  # your answer"] and exercise["metadata"]["tags"] == [
        "exercise"
    ]
    assert all((c["outputs"], c["execution_count"]) == ([], None) for c in (plain, exercise))


def test_the_tool_writes_finds_what_is_old_and_removes_what_is_left_over(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(student, "MASTERS", tmp_path)
    monkeypatch.setattr(student, "COPIES", tmp_path / "student")
    cells = (
        ("markdown", "", "# Title\nwords"),
        ("code", "", "# Set-up"),
        ("code", "solution", "y = 2  # solution"),
    )
    for name in ("01_one", "02_two"):
        (tmp_path / f"{name}.ipynb").write_text(json.dumps(notebook(*cells)))
    (tmp_path / "notes.ipynb").write_text("{}")

    def run(*args):
        monkeypatch.setattr(sys, "argv", ["student.py", *args])
        return student.main()

    assert (
        run("--check") == 1
        and "01_one.ipynb, 02_two.ipynb: run make student" in capsys.readouterr().err
    )
    assert not (tmp_path / "student").exists(), "--check writes nothing"
    assert run() == 0 and run("--check") == 0
    assert sorted(p.name for p in (tmp_path / "student").iterdir()) == [
        "01_one.ipynb",
        "02_two.ipynb",
    ]
    assert "your answer" in (tmp_path / "student" / "01_one.ipynb").read_text()
    (tmp_path / "student" / "01_one.ipynb").write_text("{}")
    (tmp_path / "02_two.ipynb").unlink()
    assert run("--check") == 1 and run() == 0 and run("--check") == 0
    assert [p.name for p in (tmp_path / "student").iterdir()] == ["01_one.ipynb"]


def test_the_copies_on_disk_are_what_the_tool_makes():
    assert student.stale() == [], "run make student"


@pytest.mark.parametrize("path", MASTERS, ids=lambda p: p.stem)
def test_each_copy_is_a_notebook_without_answers_that_gives_the_master_again(path):
    master, made = (
        nbformat.read(p, as_version=4) for p in (path, ROOT / "notebooks" / "student" / path.name)
    )
    nbformat.validate(made)
    for cell in master.cells:  # the copy lies one folder deeper
        if cell.cell_type == "markdown":
            cell.source = cell.source.replace("](../docs/", "](../../docs/")
    kept = [c for c in master.cells if "instructor" not in c.metadata.get("tags", [])]
    assert [c.id for c in made.cells] == [c.id for c in kept]
    titles = [repo_url.under_title(nb.cells.pop(0).source, "") for nb in (made, master)]
    assert titles[0] == titles[1], "the same but for badges, which open each its own"
    for cell, of_master in zip(made.cells, kept[1:], strict=True):
        if "solution" in of_master.metadata.get("tags", []):
            assert student.MARK not in cell.source
            assert put_back(cell.source, of_master.source) == of_master.source
        else:
            assert cell.source == of_master.source
