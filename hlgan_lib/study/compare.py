"""Method x test x metric with intervals, from stored results; the paper's reported figures beside it, never in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from ..errors import HLError
from ..files import atomic, save_json
from .ablation import train_and_score
from .grid import AXES, CELLS, METRICS, TESTS, Cell, planned_of
from .reported import REPORTED, SURE, reported_table
from .results import Stored, load
from .train_all import Outcome

DIGITS = {"psnr": 2, "ssim": 3, "frechet_lite0": 0, "kernel_lite0": 0, "consistency": 1}
ABOUT = {
    "camera": "shots of the camera, with their truth; distances to the truth's own set",
    "clean": "the truth shrunk bilinearly, as most papers test",
    "wild": "the same shots without a truth; distances to as many sharp training faces",
}


def methods() -> list[Cell]:
    """The rows of the table below bicubic."""
    return [CELLS[c] for c in AXES["rivals"].cells]


def compare(
    preset_name: str,
    out: str | Path,
    *,
    seeds: int = 1,
    jobs: int | None = None,
    device: str | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Train what a method still lacks in out/runs (shared with `ablate`), score it, write compare.md and .json."""
    if seeds < 1:
        raise HLError(f"--seeds must be 1 or more, got {seeds}")
    planned = [p for cell in methods() for p in planned_of(cell, preset_name, range(seeds))]
    outcome = train_and_score(planned, preset_name, out, jobs, device, stop)
    if not outcome.stopped:
        write(load(out), out)
    return outcome


def table(stored: Stored) -> dict[str, dict[str, dict[str, dict]]]:
    """test -> method -> metric -> {value, ci, seeds}: means over seeds of the value and of its interval's ends.

    A method that was not run holds nothing.
    """
    rows = {"bicubic": [stored.references["bicubic"]]}
    rows |= {cell.label: list(stored.found(cell).values()) for cell in methods()}
    return {
        test: {
            name: {
                m: _over_seeds([r["scores"][test][m] for r in runs])
                for m in METRICS
                if runs and m in runs[0]["scores"][test]
            }
            for name, runs in rows.items()
        }
        for test in TESTS
    }


def _over_seeds(scores: list[dict]) -> dict:
    mean = lambda values: sum(values) / len(values)  # noqa: E731
    ci = (
        [mean([s["ci"][k] for s in scores]) for k in (0, 1)]
        if all(s["ci"] for s in scores)
        else None
    )
    return {"value": mean([s["value"] for s in scores]), "ci": ci, "seeds": len(scores)}


def write(stored: Stored, out: str | Path) -> None:
    """compare.json and compare.md in `out`."""
    out = Path(out).expanduser()
    save_json(
        out / "compare.json",
        {
            "about": stored.about,
            "tests": table(stored),
            "reported": [asdict(r) for r in REPORTED],
            "sure": SURE,
        },
    )
    atomic(out / "compare.md", lambda file: file.write(markdown(stored).encode()))


def markdown(stored: Stored) -> str:
    """The table for people: one part a test, then what is reported elsewhere."""
    about = stored.about
    lines = [
        "# Methods compared",
        "",
        f"Preset `{about['preset']}`, `{about['test']}`, n = {about['n']} in every set, "
        f"{about['hardware']}. In brackets: 95 % bootstrap interval over faces. Floor of the distances without a "
        f"truth: {about['floors']['frechet_lite0']:.0f} and {about['floors']['kernel_lite0']:.1f}.",
    ]
    if about["preset"] == "smoke":
        lines += [
            "",
            "**The smoke preset trains for seconds, to test the machinery: these scores are no results.**",
        ]
    for test, part in test_tables(stored).items():
        lines += ["", f"## {TESTS[test].capitalize()}: {ABOUT[test]}", "", part]
    return "\n".join([*lines, "", "## Reported elsewhere", "", reported_table(), ""])


def test_tables(stored: Stored) -> dict[str, str]:
    """test -> its part of the table as Markdown, a row a method."""
    parts = {}
    for test, rows in table(stored).items():
        metrics = [m for m in METRICS if any(m in row for row in rows.values())]
        lines = [
            f"| method | {' | '.join(METRICS[m] for m in metrics)} |",
            "|---" * (len(metrics) + 1) + "|",
        ]
        lines += [
            f"| {name} | "
            + (
                " | ".join(cell_text(m, row.get(m)) for m in metrics)
                if row
                else " | ".join(["not run"] * len(metrics))
            )
            + " |"
            for name, row in rows.items()
        ]
        parts[test] = "\n".join(lines)
    return parts


def cell_text(metric: str, score: dict | None) -> str:
    """A score with its interval, in the digits that it deserves."""
    if score is None:
        return ""
    d = DIGITS[metric]
    return f"{score['value']:.{d}f}" + (
        " [{:.{d}f}, {:.{d}f}]".format(*score["ci"], d=d) if score["ci"] else ""
    )
