"""Tables of stored results as Markdown: for `figures/`, the README, the cards of weights."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..files import atomic, user_path
from .grid import AXES, BASELINES, CELLS, DEGRADATIONS, LEARNED, LOSSES, METRICS, TESTS
from .numbers import BETWEEN, NATURAL, Bar, bar_of, bar_of_cell, no_ratio, run_cells, said, written
from .results import Stored

COLUMNS = (  # test, metric, digits
    ("camera", "psnr", 2),
    ("camera", "ssim", 3),
    ("clean", "psnr", 2),
    ("wild", "frechet_lite0", 0),
    ("wild", "kernel_lite0", 0),
    ("wild", "consistency", 1),
)


# ---- a cell, a line ------------------------------------------------------------------------------
def markdown_row(cells: Sequence[object]) -> str:
    """A line of a table.

    >>> markdown_row(["bicubic", 19.0])
    '| bicubic | 19.0 |'
    """
    return f"| {' | '.join(str(c) for c in cells)} |"


def number(runs: list[dict], test: str, metric: str, digits: int) -> str:
    """Mean over seeds, with half the range where there are several.

    Args:
        runs: their stored entries, one a seed.
        test: "camera", "clean" or "wild".
        metric: its name.
        digits: behind the point.

    Returns:
        The text; "not run" without any.
    """
    bar = bar_of(runs, test, metric)
    if bar is None:
        return "not run"
    value = said(bar.value, f".{digits}f")
    if len(bar.seeds) == 1 or math.isnan(bar.value):
        return value
    return f"{value} +- {_range(bar) / 2:.{digits}f}"


def _range(bar: Bar) -> float:
    return max(bar.seeds) - min(bar.seeds)


def _minutes(runs: list[dict]) -> str:
    """Mean time of the trainings, with a digit where they are short."""
    seconds = [r["training"]["seconds"] for r in runs]
    minutes = sum(seconds) / len(seconds) / 60
    return f"{minutes:.1f}" if minutes < 10 else f"{minutes:.0f}"


def percent(gap: dict | None) -> str:
    """A closed gap in words: ratio and interval, or both ends where a ratio would mean nothing."""
    if gap is None:
        return "not run"
    if gap["ratio"] is None or gap["ratio_ci"] is None:
        return no_ratio(gap)
    low, high = gap["ratio_ci"]
    return f"{gap['ratio']:.0%} (95 % interval {low:.0%} to {high:.0%})"


def heading(stored: Stored) -> str:
    """What the numbers of a table are of."""
    a = stored.about
    floors = a["floors"]
    text = (
        f"Measured on `{a['test']}` (n = {a['n']}), preset `{a['preset']}`, {a['hardware']}; "
        "+- is half the range over seeds. Floor of the distances: "
        f"{floors['frechet_lite0']:.0f} and {floors['kernel_lite0']:.1f}."
    )
    if a["preset"] == "smoke":
        text += " **The smoke preset tests the machinery: no results.**"
    return text


# ---- whole tables --------------------------------------------------------------------------------
def axis_table(stored: Stored, axis: str) -> str:
    """The cells of an axis, a row each, on the three tests; of what was not run the names.

    Args:
        stored: the results.
        axis: of the grid, by name.

    Returns:
        The table as Markdown.
    """
    found = run_cells(stored, AXES[axis].cells)
    missing = [CELLS[c].label for c in AXES[axis].cells if c not in found]
    parts = []
    if len(found) > 1:  # one variant alone answers nothing
        head = [f"{METRICS[m]}, {TESTS[t]}" for t, m, _ in COLUMNS]
        lines = [
            markdown_row(["variant", "seeds", *head, "minutes"]),
            "|---" * (len(head) + 3) + "|",
        ]
        for c in found:
            runs = list(stored.found(c).values())
            scores = [number(runs, *column) for column in COLUMNS]
            lines.append(markdown_row([CELLS[c].label, len(runs), *scores, _minutes(runs)]))
        parts.append("\n".join(lines))
    if missing:
        parts.append(f"Not run: {'; '.join(missing)}.")
    return "\n\n".join(parts)


def against(stored: Stored, cell: str, base: str, test: str, metric: str) -> str:
    """A cell beside another in one sentence: both scores, their difference, the scatter of seeds.

    Args:
        stored: the results.
        cell: of the grid, by name.
        base: the other cell.
        test: "camera", "clean" or "wild".
        metric: its name.

    Returns:
        The sentence.

    >>> against(Stored({"preset": "study"}), "no-ema", "learned-gan", "camera", "psnr")
    'without EMA: not run'
    """
    a = bar_of_cell(stored, cell, test, metric)
    b = bar_of_cell(stored, base, test, metric)
    if a is None or b is None:
        return f"{CELLS[cell if a is None else base].label}: not run"
    ranges = [_range(bar) for bar in (a, b) if len(bar.seeds) > 1]
    scatter = "one seed each, scatter unknown"
    if ranges:
        scatter = f"seeds range over {max(ranges):.3g}"
    difference = said(a.value - b.value, "+.3g")
    return (
        f"{METRICS[metric]}: {CELLS[cell].label} {written(a.value)}, "
        f"{CELLS[base].label} {written(b.value)}, difference {difference} ({scatter})"
    )


def gap_table(stored: Stored) -> str:
    """The share of the gap from bilinear to the oracle, by degradation, loss and metric."""
    lines = [
        "| degradation | loss | by | bilinear | this | oracle | share closed | 95 % interval |",
        "|---" * 8 + "|",
    ]
    for loss, (words, _) in LOSSES.items():
        for d in BETWEEN:
            for metric in ("psnr", "frechet_lite0"):
                gap = stored.gaps.get(f"{metric}/{loss}/{d}")
                if gap:
                    lines.append(
                        markdown_row([DEGRADATIONS[d], words, METRICS[metric], *_gap_cells(gap)])
                    )
    return "\n".join(lines)


def _gap_cells(gap: dict) -> list[str]:
    """The last five cells of a row of `gap_table`."""
    scores = [written(gap[k]) for k in ("low", "mid", "high")]
    if gap["ratio"] is None or gap["ratio_ci"] is None:
        return [*scores, "no ratio", (gap["note"] or "").split(": ")[-1]]
    low, high = gap["ratio_ci"]
    return [*scores, f"{gap['ratio']:.0%}", f"{low:.0%} to {high:.0%}"]


# ---- the README ----------------------------------------------------------------------------------
README_COLUMNS = (  # heading, then as in COLUMNS
    ("PSNR dB, real LR", "camera", "psnr", 2),
    ("SSIM, real LR", "camera", "ssim", 3),
    ("Fréchet, real LR", "wild", "frechet_lite0", 0),
    ("PSNR dB, bilinear LR", "clean", "psnr", 2),
    ("Fréchet, bilinear LR", "clean", "frechet_lite0", 0),
)


def readme_table(stored: Stored) -> str:
    """The README's results: a row a method, how far degradations lie, which gaps are closed."""
    lines = [
        f"{heading(stored)} Made by `make results`, stored in `results/ablation.json`.",
        "",
        *_method_rows(stored),
    ]
    distances = _distances_of_degradations(stored)
    if distances:
        lines += ["", distances]
    lines.append("")
    missing = []
    for d in ("handmade", *LEARNED):
        for key, words in NATURAL.items():
            gap = stored.gaps.get(f"{key}/{d}")
            if gap is None:
                missing.append(f"{DEGRADATIONS[d]}, {words}")
                continue
            lines.append(
                "- Gap between bilinear and oracle that is closed by "
                f"{DEGRADATIONS[d]}, {words}: {percent(gap)}."
            )
    if missing:
        lines.append(f"- Not run: {'; '.join(missing)}.")
    return "\n".join(lines)


def _method_rows(stored: Stored) -> list[str]:
    """The README's table: bicubic, each degradation under both losses, the baselines."""
    rows = {"(bicubic enlargement)": [stored.references["bicubic"]]}
    cells = []
    for loss in ("gan", "pixel"):
        cells += [CELLS[f"{d}-{loss}"] for d in DEGRADATIONS if d != "blur"]
    for cell in (*cells, *BASELINES):
        if stored.found(cell):
            rows[cell.label] = list(stored.found(cell).values())

    headings = [column[0] for column in README_COLUMNS]
    lines = [
        markdown_row(["method", "seeds", *headings, "minutes"]),
        "|---" * (len(headings) + 3) + "|",
    ]
    for name, runs in rows.items():
        trained = [r for r in runs if "training" in r]  # bicubic needs none
        seeds = len(trained) or ""
        minutes = _minutes(trained) if trained else ""
        scores = [number(runs, *column[1:]) for column in README_COLUMNS]
        label = f"**{name}**" if name.startswith(DEGRADATIONS["learned"]) else name
        lines.append(markdown_row([label, seeds, *scores, minutes]))
    return lines


def _distances_of_degradations(stored: Stored) -> str:
    """A sentence: how far degraded images lie from the camera's shots; empty without an H2L run."""
    learned = []
    for d, changed in LEARNED.items():
        runs = [r for r in stored.runs.values() if r["stage"] == "h2l" and r["changed"] == changed]
        values = [r["scores"]["frechet_lite0"]["value"] for r in runs]
        if values:
            mean = sum(values) / len(values)
            spread = "one seed"
            if len(values) > 1:
                spread = f"{min(values):.0f} to {max(values):.0f} over {len(values)} seeds"
            learned.append(f"{DEGRADATIONS[d]} {mean:.0f} ({spread})")
    if not learned:
        return ""
    fixed = {}
    for d in ("bilinear", "handmade", "camera"):
        fixed[d] = stored.references[f"h2l:{d}"]["scores"]["frechet_lite0"]["value"]
    return (
        "How far degraded images lie from the camera's own of the same people (Fréchet): "
        f"{', '.join(learned)}; bilinear {fixed['bilinear']:.0f}, "
        f"hand-made {fixed['handmade']:.0f}, the camera again {fixed['camera']:.0f}."
    )


# ---- docs/findings.md and figures/tables.md ------------------------------------------------------
# What docs/findings.md weighs: a cell, the one it is held against, test, metric.
CLAIMS = (
    ("learned-gan", "bilinear-gan", "wild", "frechet_lite0"),
    ("learned-pixel", "bilinear-pixel", "camera", "psnr"),
    ("learned-gan", "handmade-gan", "wild", "frechet_lite0"),
    ("learned-gan", "handmade-gan", "camera", "psnr"),
    ("learned-pixel", "handmade-pixel", "camera", "psnr"),
    ("learned-gan", "camera-gan", "wild", "frechet_lite0"),
    ("learned-pixel", "camera-pixel", "camera", "psnr"),
    ("learned-gan", "paper-gan", "wild", "frechet_lite0"),
    ("learned-pixel", "paper-pixel", "camera", "psnr"),
    ("paperjpeg-gan", "paper-gan", "wild", "frechet_lite0"),
    ("paperjpeg-pixel", "paper-pixel", "camera", "psnr"),
    ("blur-pixel", "bilinear-pixel", "camera", "psnr"),
    ("learned-gan", "learned-pixel", "wild", "frechet_lite0"),
    ("learned-gan", "learned-pixel", "camera", "psnr"),
    ("learned-gan", "srgan", "clean", "psnr"),
    ("learned-gan", "srgan", "wild", "frechet_lite0"),
    ("learned-gan", "cyclegan", "wild", "frechet_lite0"),
    ("learned-gan", "cyclegan", "camera", "psnr"),
)


def findings(stored: Stored) -> str:
    """The numbers of docs/findings.md: shares of the gap, then a line a comparison."""
    lines = [heading(stored), "", gap_table(stored), ""]
    missing: dict[str, None] = {}  # their labels, each once
    for cell, base, test, metric in CLAIMS:
        absent = [CELLS[c].label for c in (cell, base) if not stored.found(c)]
        missing.update(dict.fromkeys(absent))
        if not absent:
            lines.append(f"- On {TESTS[test]}. {against(stored, cell, base, test, metric)}")
    if missing:
        lines.append(f"- Not run: {'; '.join(missing)}.")
    return "\n".join(lines)


def write_tables(stored: Stored, out: str | Path) -> Iterator[Path]:
    """tables.md: every axis of the grid and the gaps.

    Args:
        stored: the results.
        out: the folder.

    Yields:
        Its path once it is written.
    """
    parts = ["# The grid in tables", heading(stored)]
    for axis in AXES.values():
        parts += [f"## {axis.name}: {axis.question}", axis_table(stored, axis.name)]
    parts += ["## Share of the gap between bilinear and the oracle", gap_table(stored)]
    text = "\n\n".join(parts) + "\n"
    path = user_path(out) / "tables.md"
    atomic(path, lambda file: file.write(text.encode()))
    yield path
