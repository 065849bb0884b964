"""Grade a folder of notebooks that were handed in, with otter-grader, into one table.

    python -m hlgan_lib.notebook.grading autograder.zip handed_in/ --out grades.csv

`make assignment NB=02` makes the autograder. Each notebook is run again by `otter run`, in a
process of its own and with a limit of time. That executes what somebody else wrote: grade on a
machine that holds nothing of yours, such as Colab.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib import util
from pathlib import Path

from ..errors import HLError
from ..files import atomic, user_path
from ..text import shown


@dataclass(frozen=True)
class Grade:
    """Of one notebook: the points of each exercise, and what was said of those without."""

    file: str
    points: dict[str, float] = field(default_factory=dict)
    possible: float = 0.0
    remarks: tuple[str, ...] = ()


def grade(handed_in: Path, autograder: Path, minutes: float, preset: str) -> Grade:
    """Run one notebook again and read what its exercises said.

    Args:
        handed_in: the notebook.
        autograder: zip file of `make assignment`.
        minutes: after these it is stopped and has no points.
        preset: for notebooks whose PRESET is "auto".

    Returns:
        Its grade.

    Raises:
        HLError: where otter-grader is missing.
    """
    if util.find_spec("otter") is None:
        raise HLError("grading needs otter-grader, which is not here: pip install otter-grader")
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "otter", "run", "--no-logo"]
        command += ["-a", str(autograder.resolve()), "-o", folder, str(handed_in.resolve())]
        environment = {**os.environ, "HLGAN_PRESET": preset}
        try:
            run = subprocess.run(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=60 * minutes,
            )
        except subprocess.TimeoutExpired:
            return Grade(handed_in.name, remarks=(f"stopped after {minutes:g} minutes",))
        stored = Path(folder) / "results.json"
        if not stored.is_file():
            last = next(reversed(run.stderr.strip().splitlines()), "no reason given")
            return Grade(handed_in.name, remarks=(f"could not be run: {shown(last)}",))
        return read(handed_in.name, json.loads(stored.read_text("utf-8")))


def read(name: str, results: dict) -> Grade:
    """The grade in otter's results.json.

    Args:
        name: of the notebook.
        results: the file's content.

    Returns:
        Points by exercise; a remark for each without.
    """
    tests = [t for t in results["tests"] if "max_score" in t]
    remarks = [
        f"{t['name']}: {_got(t.get('output', ''))}" for t in tests if t["score"] < t["max_score"]
    ]
    points = {t["name"]: float(t["score"]) for t in tests}
    return Grade(name, points, float(sum(t["max_score"] for t in tests)), tuple(remarks))


def _got(output: str) -> str:
    """What the doctest got: the hint, that nothing was tried, or else the error that it met."""
    after = output.partition("\nGot:\n" if "\nGot:\n" in output else "Got:\n")[2]
    lines = [line.strip() for line in (after or output).splitlines() if line.strip()]
    if not lines:
        return "no reason given"
    return lines[0] if after else lines[-1]


def table(grades: Sequence[Grade]) -> str:
    """The grades as CSV: file, points, possible, one column an exercise, remarks."""
    names = sorted({name for g in grades for name in g.points})
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["file", "points", "possible", *names, "remarks"])
    for g in grades:
        each = [f"{g.points[n]:g}" if n in g.points else "" for n in names]
        total = f"{sum(g.points.values()):g}"
        rows.writerow([g.file, total, f"{g.possible:g}", *each, " | ".join(g.remarks)])
    return text.getvalue()


def notebooks(folder: Path) -> list[Path]:
    """The notebooks in a folder, by name.

    Args:
        folder: what was handed in.

    Returns:
        Their paths.

    Raises:
        HLError: where there are none.
    """
    found = sorted(folder.glob("*.ipynb"))
    if not found:
        raise HLError(
            f"{shown(folder)} must be a folder of notebooks (*.ipynb), got none: "
            "give the folder that holds what was handed in"
        )
    return found


def _store(out: Path, text: str) -> None:
    atomic(out, lambda file: file.write(text.encode("utf-8")))


def grade_all(
    files: Iterable[Path], autograder: Path, out: Path, minutes: float, preset: str
) -> list[Grade]:
    """Grade each notebook; the table is written after each, so that nothing done is lost."""
    grades: list[Grade] = []
    for path in files:
        grades.append(grade(path, autograder, minutes, preset))
        _store(out, table(grades))
        last = grades[-1]
        said = f": {'; '.join(last.remarks)}" if last.remarks else ""
        points = sum(last.points.values())
        print(shown(f"{last.file}: {points:g} of {last.possible:g}{said}"), flush=True)
    return grades


def main(arguments: list[str] | None = None) -> int:
    """Grade a folder from the command line; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m hlgan_lib.notebook.grading",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("autograder", type=user_path, help="autograder.zip of make assignment")
    parser.add_argument("folder", type=user_path, help="folder of what was handed in")
    parser.add_argument("--out", type=user_path, default=Path("grades.csv"), help="table to write")
    parser.add_argument("--minutes", type=float, default=20, help="limit for one notebook")
    parser.add_argument("--preset", default="smoke", help='of notebooks that say PRESET = "auto"')
    args = parser.parse_args(arguments)
    try:
        if not args.autograder.is_file():
            raise HLError(f"{shown(args.autograder)} is not a file: make assignment NB=02 makes it")
        grade_all(notebooks(args.folder), args.autograder, args.out, args.minutes, args.preset)
    except HLError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{shown(args.out)}: the grades")
    return 0


if __name__ == "__main__":
    sys.exit(main())
