"""Make an assignment of one notebook: a student's copy and an autograder for otter-grader.

    make assignment NB=02        or: python tools/site/assignment.py 02 [--out DIR]

In DIR/NAME: NAME.ipynb to hand out, the students' copy with what to hand in at its end; and
autograder.zip for `otter run`, with the tests/ and the otter_config.json that it is made of. A test
asks what `notebook.attempt` said of an exercise, so the grade is what the student saw. The points
are those of the grading key in docs/teaching.md.
"""

from __future__ import annotations

import argparse
import ast
import json
import pprint
import re
import shutil
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import repo_url
import student

from hlgan_lib.files import user_path
from hlgan_lib.text import as_json

ROOT = Path(__file__).resolve().parents[2]
POINTS = {"Predict": 2, "Complete": 3, "Diagnose": 4}
HEAD = re.compile(r"\*\*Exercise (\d+) · (\w+)\.\*\*")
CONFIG = {"lang": "python"}


@dataclass(frozen=True)
class Exercise:
    """One exercise: its number, its kind (a key of POINTS), the name of its check."""

    number: int
    kind: str
    check: str

    @property
    def name(self) -> str:
        """As it is listed: of two digits, so that ten comes after nine."""
        return f"exercise_{self.number:02}"


def exercises(nb: dict) -> list[Exercise]:
    """The exercises of a notebook (as JSON), in its order."""
    found = []
    for asked, answer in zip(nb["cells"], nb["cells"][1:], strict=False):
        if head := HEAD.match("".join(asked["source"])):
            found.append(Exercise(int(head[1]), head[2], _check("".join(answer["source"]))))
    return found


def _check(source: str) -> str:
    """The name of the check that a cell hands to `notebook.attempt`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "notebook.attempt":
            return ast.unparse(node.args[2]).rpartition(".")[2]
    raise ValueError(f"an exercise's cell must call notebook.attempt, got: {source[:60]}")


def test_file(exercise: Exercise) -> str:
    """A test of otter's OK format: a doctest of one case, all or nothing."""
    code = (
        ">>> from hlgan_lib import notebook\n"
        f'>>> print(notebook.verdict("{exercise.check}"))\n'
        "Passed\n"
    )
    case = {"code": code, "hidden": False, "locked": False}
    test = {
        "name": exercise.name,
        "points": POINTS[exercise.kind],
        "suites": [{"type": "doctest", "cases": [case]}],
    }
    return f"OK_FORMAT = True\n\ntest = {pprint.pformat(test, sort_dicts=False)}\n"


def handed_out(master: dict, url: str) -> dict:
    """The copy to hand out: that of the students, with links that hold and what to hand in."""
    nb = student.student(master)
    docs = repo_url.GITHUB.fullmatch(url)
    for cell in nb["cells"]:
        if cell["cell_type"] == "markdown":
            text = "".join(cell["source"])
            if docs:
                text = text.replace("](../../docs/", f"]({docs_address(url)}/")
            else:  # no address, and the file does not lie in a clone
                text = re.sub(r"\[([^]]*)\]\(\.\./\.\./docs/[^)]*\)", r"\1", text)
            cell["source"] = text.splitlines(keepends=True)
    listed = exercises(nb)
    rows = [f"| {e.number} · {e.kind} | {POINTS[e.kind]} |" for e in listed]
    words = [
        "## Hand in",
        "*Run all* once more, from the top, and save. Hand in this notebook (Colab: *File > "
        "Download > Download .ipynb*). The autograder runs it again and gives the points of each "
        "exercise that says *Passed*; with a hint, you are nearly there.",
        "",
        "| exercise | points |",
        "|---|---|",
        *rows,
        f"| all | {sum(POINTS[e.kind] for e in listed)} |",
    ]
    source = "\n".join(words).splitlines(keepends=True)
    nb["cells"].append({"cell_type": "markdown", "id": "hand-in", "metadata": {}, "source": source})
    return nb


def docs_address(url: str) -> str:
    """Where GitHub shows the folder docs/ of this address."""
    found = repo_url.GITHUB.fullmatch(url)
    assert found, url
    return f"https://github.com/{found[1]}/blob/{found[2] or 'main'}/docs"


def write(master: Path, out: Path, url: str = "") -> list[Exercise]:
    """Write the assignment of a notebook.

    Args:
        master: the notebook, with solutions.
        out: folder; made anew.
        url: address of the repository, or "".

    Returns:
        The exercises that are graded.
    """
    nb = handed_out(json.loads(master.read_text("utf-8")), url)
    listed = exercises(nb)
    tests = out / "tests"
    shutil.rmtree(tests, ignore_errors=True)
    tests.mkdir(parents=True)
    nb = repo_url.dress(nb, f"notebooks/student/{master.name}", url)
    (out / master.name).write_text(as_json(nb, indent=1, ensure_ascii=False) + "\n", "utf-8")
    (out / "otter_config.json").write_text(as_json(CONFIG, indent=2) + "\n")
    for exercise in listed:
        (tests / f"{exercise.name}.py").write_text(test_file(exercise))
    with zipfile.ZipFile(out / "autograder.zip", "w") as archive:
        for path in (out / "otter_config.json", *sorted(tests.iterdir())):
            archive.write(path, path.relative_to(out))
    return listed


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("nb", nargs="?", default="", help="number of the notebook: 02, 05b")
    parser.add_argument("--out", type=user_path, default=ROOT / "outputs" / "assignments")
    args = parser.parse_args(arguments)
    masters = {p.name.partition("_")[0]: p for p in student.MASTERS.glob("[0-9][0-9]*_*.ipynb")}
    graded = [n for n, p in sorted(masters.items()) if exercises(json.loads(p.read_text("utf-8")))]
    if args.nb not in graded:
        print(
            f"NB must be the number of a notebook with exercises, got {args.nb!r}: "
            f"make assignment NB=02, or one of {', '.join(graded)}",
            file=sys.stderr,
        )
        return 2
    out = args.out / masters[args.nb].stem
    listed = write(masters[args.nb], out, repo_url.stored())
    points = sum(POINTS[e.kind] for e in listed)
    print(
        f"{out}: {masters[args.nb].name} to hand out, autograder.zip to grade with; "
        f"{len(listed)} exercises, {points} points (docs/teaching.md, Hand-in)"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
