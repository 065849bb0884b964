"""Method x test x metric with intervals, from stored results; reported figures beside it, apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from ..errors import HLError
from ..files import atomic, save_json, user_path
from .ablation import train_and_score
from .grid import AXES, CELLS, METRICS, TESTS, Cell, planned_of
from .numbers import said
from .reported import REPORTED, SURE, reported_table
from .results import Stored, load
from .tables import markdown_row
from .train_all import Outcome

DIGITS = {"psnr": 2, "ssim": 3, "frechet_lite0": 0, "kernel_lite0": 0, "consistency": 1}
ABOUT = {
    "camera": "LR images of the camera, with their ground truth; distances to that set",
    "clean": "the HR images shrunk bilinearly, as most papers test",
    "wild": "the camera's LR images again; distances to as many HR training faces",
}


def methods() -> list[Cell]:
    """The rows of the table below bicubic."""
    return [CELLS[c] for c in AXES["baselines"].cells]


def compare(
    preset_name: str,
    out: str | Path,
    *,
    seeds: int = 1,
    jobs: int | None = None,
    device: str | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Train what a method still lacks in out/runs (shared with `ablate`), score it, compare.

    Writes compare.md and compare.json.

    Args:
        preset_name: the configuration that every run starts from.
        out: folder of the study.
        seeds: of each method.
        jobs: as in `train_all`.
        device: as in `train_all`.
        stop: as in `train_all`.

    Returns:
        Which runs are finished, and which failed.

    Raises:
        HLError: as `train_and_score`, and for less than one seed.
    """
    if seeds < 1:
        raise HLError(f"--seeds must be 1 or more, got {seeds}")
    planned = []
    for cell in methods():
        planned += planned_of(cell, preset_name, range(seeds))
    outcome = train_and_score(planned, preset_name, out, jobs, device, stop)
    if not outcome.stopped:
        write(load(out), out)
    return outcome


def table(stored: Stored) -> dict[str, dict[str, dict[str, dict]]]:
    """test -> method -> metric -> {value, ci, seeds}.

    Means over seeds, of the value and of both ends of its interval. A method that was not run holds
    nothing.
    """
    runs_of = {"bicubic": [stored.references["bicubic"]]}
    for cell in methods():
        runs_of[cell.label] = list(stored.found(cell).values())
    tests = {}
    for test in TESTS:
        rows = {}
        for name, runs in runs_of.items():
            scores = [r["scores"][test] for r in runs]
            held = [m for m in METRICS if scores and m in scores[0]]
            rows[name] = {m: _over_seeds([s[m] for s in scores]) for m in held}
        tests[test] = rows
    return tests


def _over_seeds(scores: list[dict]) -> dict:
    ci = None
    if all(s["ci"] for s in scores):
        ci = [_mean([s["ci"][end] for s in scores]) for end in (0, 1)]
    return {"value": _mean([s["value"] for s in scores]), "ci": ci, "seeds": len(scores)}


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def write(stored: Stored, out: str | Path) -> None:
    """compare.json and compare.md in `out`.

    Args:
        stored: the results.
        out: the folder.
    """
    out = user_path(out)
    values = {
        "about": stored.about,
        "tests": table(stored),
        "reported": [asdict(r) for r in REPORTED],
        "sure": SURE,
    }
    text = markdown(stored).encode()
    save_json(out / "compare.json", values)
    atomic(out / "compare.md", lambda file: file.write(text))


def markdown(stored: Stored) -> str:
    """The table for people: one part a test, then what is reported elsewhere."""
    about = stored.about
    floors = about["floors"]
    lines = [
        "# Methods compared",
        "",
        f"Preset `{about['preset']}`, `{about['test']}`, n = {about['n']} in every set, "
        f"{about['hardware']}. In brackets: 95 % bootstrap interval over faces. "
        "Floor of the distances without a truth: "
        f"{floors['frechet_lite0']:.0f} and {floors['kernel_lite0']:.1f}.",
    ]
    if about["preset"] == "smoke":
        lines += [
            "",
            "**The smoke preset trains for seconds, to test the machinery: "
            "these scores are no results.**",
        ]
    for test, part in test_tables(stored).items():
        lines += ["", f"## On {TESTS[test]}: {ABOUT[test]}", "", part]
    lines += ["", "## Reported elsewhere", "", reported_table(), ""]
    return "\n".join(lines)


def test_tables(stored: Stored) -> dict[str, str]:
    """test -> its part of the table as Markdown, a row a method; of what was not run the names."""
    parts = {}
    for test, rows in table(stored).items():
        metrics = [m for m in METRICS if any(m in row for row in rows.values())]
        lines = [
            markdown_row(["method", *(METRICS[m] for m in metrics)]),
            "|---" * (len(metrics) + 1) + "|",
        ]
        for name, row in rows.items():
            if row:
                lines.append(markdown_row([name, *(cell_text(m, row.get(m)) for m in metrics)]))
        missing = [name for name, row in rows.items() if not row]
        if missing:
            lines += ["", f"Not run: {'; '.join(missing)}."]
        parts[test] = "\n".join(lines)
    return parts


def cell_text(metric: str, score: dict | None) -> str:
    """A score with its interval, in the digits that it deserves.

    Args:
        metric: its name.
        score: "value", "ci" and "seeds"; None where it was not run.

    Returns:
        The text of the cell.

    >>> cell_text("psnr", {"value": 19.614, "ci": [19.5, 19.7], "seeds": 1})
    '19.61 [19.50, 19.70]'
    """
    if score is None:
        return ""
    digits = DIGITS[metric]
    text = said(score["value"], f".{digits}f")
    if score["ci"]:
        low, high = score["ci"]
        text += f" [{low:.{digits}f}, {high:.{digits}f}]"
    return text
