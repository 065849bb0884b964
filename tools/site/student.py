"""Make the students' copies of the notebooks.

Notebooks/student/NAME.ipynb from each master notebooks/NN_NAME.ipynb.

    python tools/site/student.py [--check]

In cells tagged `solution` every run of lines that end with `# solution` becomes one line to fill
in, and the tag becomes `exercise`. Cells tagged `instructor` are left out, outputs cleared, links
to docs/ reach one folder further up; all else stays. --check writes nothing and ends with exit code
1 where a copy on disk is missing, left over, or not what would be written.
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
import textwrap
from copy import deepcopy
from pathlib import Path

import repo_url

ROOT = Path(__file__).resolve().parents[2]
MASTERS, COPIES = ROOT / "notebooks", ROOT / "notebooks" / "student"
MARK = "  # solution"


def runs(source: str) -> list[tuple[int, int]]:
    """Where the solution stands.

    (first line, line after the last) of each maximal run of marked lines.
    """
    marked = [i for i, line in enumerate(source.splitlines()) if line.endswith(MARK)]
    starts = [i for i in marked if i - 1 not in marked]
    return list(zip(starts, (i + 1 for i in marked if i + 1 not in marked)))


def blank(source: str) -> str:
    """The source with each run replaced by a line to fill in.

    `name = ...` for an assignment, else a raise.
    """
    lines = source.splitlines()
    for start, end in reversed(runs(source)):
        run = textwrap.dedent("\n".join(lines[start:end]))
        indent = lines[start][: len(lines[start]) - len(lines[start].lstrip())]
        lines[start:end] = [indent + _to_fill_in(run)]
    return "\n".join(lines)


def _to_fill_in(run: str) -> str:
    try:
        body = ast.parse(run).body
    except SyntaxError:  # lines out of the middle of a statement
        body = []
    if len(body) == 1 and isinstance(body[0], ast.Assign) and len(body[0].targets) == 1:
        target = body[0].targets[0]
        if isinstance(target, ast.Name):
            return f"{target.id} = ...  # your answer"
    several = "s" if "\n" in run else ""
    return f"raise NotImplementedError  # your line{several}"


def student(master: dict) -> dict:
    """The student's copy of a notebook, as JSON."""
    nb = deepcopy(master)
    nb["cells"] = [c for c in nb["cells"] if "instructor" not in c["metadata"].get("tags", [])]
    for cell in nb["cells"]:
        tags = cell["metadata"].get("tags", [])
        if "solution" in tags:
            cell["source"] = blank("".join(cell["source"])).splitlines(keepends=True)
            cell["metadata"]["tags"] = ["exercise" if t == "solution" else t for t in tags]
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
        else:  # a copy lies one folder deeper
            text = "".join(cell["source"]).replace("](../docs/", "](../../docs/")
            cell["source"] = text.splitlines(keepends=True)
    return nb


def copies() -> dict[Path, str]:
    """Every copy as it should be: path -> text."""
    masters = sorted(MASTERS.glob("[0-9][0-9]*_*.ipynb"))
    made = {COPIES / p.name: student(json.loads(p.read_text("utf-8"))) for p in masters}
    url = repo_url.stored()  # the badges of a copy open the copy
    return {
        p: json.dumps(
            repo_url.dress(nb, f"notebooks/student/{p.name}", url),
            indent=1,
            ensure_ascii=False,
            allow_nan=False,
        )
        + "\n"
        for p, nb in made.items()
    }


def stale() -> list[str]:
    """Names of the copies on disk that differ from what they should be.

    Old, missing, or of a master that is gone.
    """
    wanted, there = copies(), set(COPIES.glob("*.ipynb"))
    return sorted(
        {p.name for p, text in wanted.items() if p not in there or p.read_text("utf-8") != text}
        | {p.name for p in there - set(wanted)}
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; exit code 1 where a copy is out of date",
    )
    args = parser.parse_args()
    if old := stale():
        if args.check:
            print(
                f"out of date in notebooks/student: {', '.join(old)}: run make student",
                file=sys.stderr,
            )
            return 1
        COPIES.mkdir(exist_ok=True)
        for path in set(COPIES.glob("*.ipynb")) - set(copies()):
            path.unlink()
        for path, text in copies().items():
            path.write_text(text, "utf-8")
    print(
        f"{len(copies())} copies in notebooks/student, "
        + (f"new: {', '.join(old)}" if old else "all up to date")
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
