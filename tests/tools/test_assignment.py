"""`make assignment`: what is handed out, and the autograder over the whole way.

Blank fails, right passes, each usual mistake fails with its hint. What otter-grader itself does is
tested where it is installed.
"""

import doctest
import importlib
import io
import json
import runpy
import sys
import zipfile
from contextlib import redirect_stdout
from pathlib import Path

import nbformat
import pytest

from hlgan_lib import exercises as library
from hlgan_lib import notebook
from hlgan_lib.notebook import attempts

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "site"))
import assignment  # noqa: E402
import student  # noqa: E402

MASTERS = {
    p.stem: p
    for p in sorted((ROOT / "notebooks").glob("[0-9][0-9]*_*.ipynb"))
    if not p.name.startswith("00")
}
URL = "https://github.com/ann/course"
NB02 = "02_high_to_low_gan"


@pytest.fixture(autouse=True)
def nothing_said_yet(monkeypatch):
    monkeypatch.setattr(attempts, "said_of", {})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The assignment of notebook 02."""
    out = tmp_path_factory.mktemp("assignment") / NB02
    assignment.write(MASTERS[NB02], out)
    return out


def plainly(path):
    """Run a test file as a doctest in an empty namespace: (passed, what it printed)."""
    test = runpy.run_path(str(path))["test"]
    (suite,) = test["suites"]
    (case,) = suite["cases"]
    runner = doctest.DocTestRunner(verbose=False)
    parsed = doctest.DocTestParser().get_doctest(case["code"], {}, test["name"], None, None)
    said = io.StringIO()
    runner.run(parsed, out=said.write)
    return runner.failures == 0, said.getvalue()


def cases_of(stem):
    """Check's name -> (check, the reference, its usual mistakes), as the tests of the hints."""
    number = stem.partition("_")[0]
    (path,) = (ROOT / "tests" / "exercises").glob(f"test_nb{number}_*.py")
    tests = importlib.import_module(f"tests.exercises.{path.stem}")
    module = importlib.import_module(f"{library.__name__}.{path.stem.removeprefix('test_')}")
    if hasattr(tests, "CASES"):
        return {c.__name__: (c, ref(), wrong) for c, (ref, wrong) in tests.CASES.items()}
    return {
        name: (getattr(module, name), right, tests.MISTAKES[name])
        for name, right in tests.REFERENCES.items()
    }


@pytest.mark.parametrize("stem", MASTERS)
def test_each_exercise_is_graded_once_by_a_check_that_the_hints_are_tested_of(stem):
    nb = json.loads(MASTERS[stem].read_text("utf-8"))
    found = assignment.exercises(nb)
    assert [e.number for e in found] == list(range(1, len(found) + 1))
    assert len({e.check for e in found}) == len(found) >= 3
    assert {e.check for e in found} == set(cases_of(stem))
    assert all(assignment.POINTS[e.kind] >= 2 for e in found)


def test_what_is_made_is_the_student_copy_and_an_archive_of_its_tests(made):
    assert sorted(p.name for p in made.iterdir()) == [
        f"{NB02}.ipynb",
        "autograder.zip",
        "otter_config.json",
        "tests",
    ]
    copy = nbformat.read(made / f"{NB02}.ipynb", as_version=4)
    nbformat.validate(copy)
    master = json.loads(MASTERS[NB02].read_text("utf-8"))
    usual = student.student(master)["cells"]
    assert [c.id for c in copy.cells] == [c["id"] for c in usual] + ["hand-in"]
    code = [(a.source, "".join(b["source"])) for a, b in zip(copy.cells, usual)]
    assert all(a == b for a, b in code if not b.startswith(("#", "**", "A ", "The ")))
    everything = "".join(c.source for c in copy.cells)
    assert student.MARK not in everything and "docs/glossary.md" not in everything
    assert "| 5 · Diagnose | 4 |" in copy.cells[-1].source
    assert "| all | 15 |" in copy.cells[-1].source
    archive = zipfile.ZipFile(made / "autograder.zip")
    listed = [f"tests/exercise_0{i}.py" for i in range(1, 6)]
    assert archive.namelist() == ["otter_config.json", *listed]
    for name in listed:
        assert archive.read(name) == (made / name).read_bytes()


def test_links_lead_to_the_address_where_there_is_one(tmp_path):
    assignment.write(MASTERS[NB02], tmp_path, URL)
    text = (tmp_path / f"{NB02}.ipynb").read_text("utf-8")
    assert f"[glossary]({URL}/blob/main/docs/glossary.md)" in text
    assert f"git+{URL}" in text and "../docs" not in text


def test_made_again_there_is_no_test_of_an_exercise_that_is_gone(tmp_path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "exercise_09.py").write_text("left over")
    assignment.write(MASTERS[NB02], tmp_path)
    assert "tests/exercise_09.py" not in zipfile.ZipFile(tmp_path / "autograder.zip").namelist()


@pytest.mark.parametrize("wanted", ["", "00", "2", "ten"])
def test_a_number_that_is_none_is_one_line(wanted, capsys):
    assert assignment.main([wanted]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and f"got {wanted!r}" in said and "05b, 06, 07" in said


def test_make_hands_the_number_on(tmp_path, capsys):
    assert assignment.main(["05b", "--out", str(tmp_path)]) == 0
    assert "3 exercises, 10 points" in capsys.readouterr().out
    recipe = (ROOT / "Makefile").read_text().partition("\nassignment:")[2]
    assert "assignment.py $(NB)" in recipe.partition("\n\n")[0]


@pytest.mark.parametrize("stem", [NB02, "05b_judging"])
def test_blank_fails_right_passes_and_each_usual_mistake_fails_with_its_hint(stem, tmp_path):
    listed = assignment.write(MASTERS[stem], tmp_path)
    cases = cases_of(stem)
    for exercise in listed:
        path = tmp_path / "tests" / f"{exercise.name}.py"
        check, right, mistakes = cases[exercise.check]
        assert plainly(path)[0] is False, "nothing has been tried"
        for mine, part in [(..., "Not tried yet"), *mistakes]:
            with redirect_stdout(io.StringIO()):
                notebook.attempt(mine, right, check)
            passed, said = plainly(path)
            assert not passed and (part or "") in said, f"{part!r} expected, got {said}"
        with redirect_stdout(io.StringIO()):
            notebook.attempt(right, None, check)
        assert plainly(path) == (True, "")


# ---- with otter-grader ---------------------------------------------------------------------------
def test_otter_reads_the_tests_and_counts_the_points(tmp_path):
    files = pytest.importorskip("otter.test_files", reason="needs the extra hlgan_lib[grading]")
    cases = cases_of("05b_judging")
    for exercise in assignment.write(MASTERS["05b_judging"], tmp_path):
        check, right, mistakes = cases[exercise.check]
        path = str(tmp_path / "tests" / f"{exercise.name}.py")
        points = assignment.POINTS[exercise.kind]
        for mine, part in [(..., "Not tried yet"), *mistakes, (right, None)]:
            with redirect_stdout(io.StringIO()):
                notebook.attempt(mine, right, check)
            graded = files.OKTestFile.from_file(path)
            graded.run({})
            assert graded.possible == points
            assert graded.score == (points if part is None else 0)
            assert (part or "passed") in graded.summary()
