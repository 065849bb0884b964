"""Grading a folder: the table, what cannot be graded, and otter-grader itself where it is here."""

import csv
import io
import json
import subprocess
import sys
from importlib import util
from pathlib import Path

import pytest

from hlgan_lib.errors import HLError
from hlgan_lib.notebook import grading
from hlgan_lib.notebook.grading import Grade

OTTER = pytest.mark.skipif(
    util.find_spec("otter") is None, reason="needs the extra hlgan_lib[grading]"
)
FAILED = """exercise_02 results:
    exercise_02 - 1 result:
        Failed example:
            print(notebook.verdict("check_it"))
        Expected:
            Passed
        Got:
            Not yet: a sum grows with the batch.
"""
RESULTS = {
    "tests": [
        {"name": "Public Tests", "output": "all of them"},
        {"name": "exercise_01", "score": 3.0, "max_score": 3.0, "output": "passed!"},
        {"name": "exercise_02", "score": 0.0, "max_score": 2.0, "output": FAILED},
    ]
}
TEST = """OK_FORMAT = True
CODE = '>>> from hlgan_lib import notebook\\n>>> print(notebook.verdict("agree"))\\nPassed\\n'
CASE = {"code": CODE, "hidden": False, "locked": False}
SUITE = {"type": "doctest", "cases": [CASE]}
test = {"name": "exercise_01", "points": 2, "suites": [SUITE]}
"""
CELL = """from hlgan_lib import notebook

def agree(mine):
    return None if mine == 4 else "square it."

four = notebook.attempt(ANSWER, 4, agree)
assert ANSWER == 4, "a cell that fails does not end the grading"
"""


BROKEN = """exercise_03 results:
    exercise_03 - 1 result:
        Failed example:
            from hlgan_lib import notebook
        Exception raised:
            Traceback (most recent call last):
            ModuleNotFoundError: No module named 'hlgan_lib'
"""


def test_a_test_that_cannot_run_says_why_in_its_remark():
    tests = [{"name": "exercise_03", "score": 0.0, "max_score": 4.0, "output": BROKEN}]
    (remark,) = grading.read("a.ipynb", {"tests": tests}).remarks
    assert remark == "exercise_03: ModuleNotFoundError: No module named 'hlgan_lib'"


@pytest.fixture
def archive(tmp_path):
    """An autograder of one exercise."""
    import zipfile

    path = tmp_path / "autograder.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("otter_config.json", "{}")
        made.writestr("tests/exercise_01.py", TEST)
    return path


def hand_in(folder, **answers):
    """A notebook for each name, with its answer."""
    folder.mkdir(exist_ok=True)
    for name, answer in answers.items():
        cell = {
            "cell_type": "code",
            "id": "a",
            "metadata": {},
            "outputs": [],
            "execution_count": None,
            "source": CELL.replace("ANSWER", answer),
        }
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nb = {"cells": [cell], "metadata": {"kernelspec": kernel}, "nbformat": 4}
        (folder / f"{name}.ipynb").write_text(json.dumps(nb | {"nbformat_minor": 5}))
    return folder


def test_a_grade_holds_points_and_what_was_said():
    got = grading.read("ann.ipynb", RESULTS)
    assert got.points == {"exercise_01": 3.0, "exercise_02": 0.0} and got.possible == 5
    assert got.remarks == ("exercise_02: Not yet: a sum grows with the batch.",)


def test_the_table_has_a_row_a_notebook_and_a_column_an_exercise():
    grades = [
        grading.read("ann.ipynb", RESULTS),
        Grade("ben.ipynb", remarks=("stopped after 20 minutes",)),
    ]
    head, ann, ben = csv.reader(io.StringIO(grading.table(grades)))
    assert head == ["file", "points", "possible", "exercise_01", "exercise_02", "remarks"]
    assert ann[:5] == ["ann.ipynb", "3", "5", "3", "0"]
    assert ben == ["ben.ipynb", "0", "0", "", "", "stopped after 20 minutes"]


def test_without_otter_it_is_one_line(tmp_path, archive, monkeypatch, capsys):
    monkeypatch.setattr(grading.util, "find_spec", lambda name: None)
    hand_in(tmp_path / "in", ann="4")
    assert grading.main([str(archive), str(tmp_path / "in")]) == 2
    said = capsys.readouterr().err
    assert "pip install otter-grader" in said and said.count("\n") == 1


def test_wrong_paths_are_one_line(tmp_path, archive, capsys):
    assert grading.main([str(tmp_path / "none.zip"), str(tmp_path)]) == 2
    assert "make assignment" in capsys.readouterr().err
    assert grading.main([str(archive), str(tmp_path)]) == 2
    assert "must be a folder of notebooks" in capsys.readouterr().err


def test_a_notebook_that_never_ends_or_cannot_be_run_is_a_remark(tmp_path, archive, monkeypatch):
    monkeypatch.setattr(grading.util, "find_spec", lambda name: "there")
    seen = []

    def run(command, **how):
        seen.append((command, how))
        if len(seen) == 1:
            raise subprocess.TimeoutExpired(command, how["timeout"])
        return subprocess.CompletedProcess(command, 1, "", "Traceback\nValueError: no notebook\n")

    monkeypatch.setattr(grading.subprocess, "run", run)
    paths = sorted(hand_in(tmp_path / "in", ann="4", ben="5").iterdir())
    grades = grading.grade_all(paths, archive, tmp_path / "g.csv", 0.5, "smoke")
    assert [g.remarks for g in grades] == [
        ("stopped after 0.5 minutes",),
        ("could not be run: ValueError: no notebook",),
    ]
    command, how = seen[0]
    assert command[1:4] == ["-m", "otter", "run"] and how["timeout"] == 30
    assert how["env"]["HLGAN_PRESET"] == "smoke"
    assert len((tmp_path / "g.csv").read_text().splitlines()) == 3


@OTTER
@pytest.mark.slow
def test_otter_grades_right_wrong_and_blank(tmp_path, archive):
    folder = hand_in(tmp_path / "in", ann="4", ben="6", eve="...")
    out = tmp_path / "grades.csv"
    command = [sys.executable, "-m", "hlgan_lib.notebook.grading", str(archive), str(folder)]
    ran = subprocess.run([*command, "--out", str(out)], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    rows = list(csv.DictReader(out.open()))
    assert [(r["file"], r["points"], r["possible"]) for r in rows] == [
        ("ann.ipynb", "2", "2"),
        ("ben.ipynb", "0", "2"),
        ("eve.ipynb", "0", "2"),
    ]
    assert rows[1]["remarks"] == "exercise_01: Not yet: square it."
    assert rows[2]["remarks"] == "exercise_01: Not tried yet"


def test_notebooks_are_found_by_name(tmp_path):
    hand_in(tmp_path / "in", ben="4", ann="4")
    assert [p.stem for p in grading.notebooks(tmp_path / "in")] == ["ann", "ben"]
    with pytest.raises(HLError, match="got none"):
        grading.notebooks(Path(tmp_path / "elsewhere"))
