"""Tables of stored results as Markdown: for `figures/`, for the README, for the cards of shipped weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..files import atomic
from .grid import AXES, CELLS, DEGRADATIONS, LEARNED, LOSSES, METRICS, RIVALS, TESTS
from .numbers import NATURAL, WAYS, bar_of
from .results import Stored

COLUMNS = (
    ("camera", "psnr", 2),
    ("camera", "ssim", 3),
    ("clean", "psnr", 2),
    ("wild", "frechet_lite0", 0),
    ("wild", "kernel_lite0", 0),
    ("wild", "consistency", 1),
)  # test, metric, digits


def number(runs: list[dict], test: str, metric: str, digits: int) -> str:
    """Mean over seeds, with half the range where there are several; "not run" without any."""
    bar = bar_of(runs, test, metric)
    if bar is None:
        return "not run"
    spread = f" +- {(max(bar.seeds) - min(bar.seeds)) / 2:.{digits}f}" if len(bar.seeds) > 1 else ""
    return f"{bar.value:.{digits}f}{spread}"


def heading(stored: Stored) -> str:
    """What the numbers of a table are of."""
    a = stored.about
    smoke = (
        " **The smoke preset tests the machinery: no results.**" if a["preset"] == "smoke" else ""
    )
    return (
        f"Measured on `{a['test']}` (n = {a['n']}), preset `{a['preset']}`, {a['hardware']}; +- is half the range "
        f"over seeds. Floor of the distances: {a['floors']['frechet_lite0']:.0f} and "
        f"{a['floors']['kernel_lite0']:.1f}.{smoke}"
    )


def axis_table(stored: Stored, axis: str) -> str:
    """The cells of an axis, a row each, on the three tests."""
    head = [f"{METRICS[m]}, {TESTS[t]}" for t, m, _ in COLUMNS]
    lines = [f"| variant | seeds | {' | '.join(head)} | minutes |", "|---" * (len(head) + 3) + "|"]
    for c in AXES[axis].cells:
        runs = list(stored.found(c).values())
        cells = [number(runs, *column) for column in COLUMNS]
        minutes = (
            f"{sum(r['training']['seconds'] for r in runs) / len(runs) / 60:.0f}"
            if runs
            else "not run"
        )
        lines.append(f"| {CELLS[c].label} | {len(runs)} | {' | '.join(cells)} | {minutes} |")
    return "\n".join(lines)


def against(stored: Stored, cell: str, base: str, test: str, metric: str) -> str:
    """A cell beside another in one sentence: both scores, their difference, and the scatter of the seeds.

    >>> against(Stored({"preset": "study"}), "no-ema", "learned-gan", "camera", "psnr")
    'without EMA: not run'
    """
    a, b = (bar_of(list(stored.found(c).values()), test, metric) for c in (cell, base))
    for c, bar in ((cell, a), (base, b)):
        if bar is None:
            return f"{CELLS[c].label}: not run"
    ranges = [max(x.seeds) - min(x.seeds) for x in (a, b) if len(x.seeds) > 1]
    scatter = f"seeds range over {max(ranges):.3g}" if ranges else "one seed each, scatter unknown"
    return (
        f"{METRICS[metric]}: {CELLS[cell].label} {a.value:.4g}, {CELLS[base].label} {b.value:.4g}, difference "
        f"{a.value - b.value:+.3g} ({scatter})"
    )


def gap_table(stored: Stored) -> str:
    """The share of the gap between bilinear and the oracle that each degradation closes, by loss and metric."""
    lines = [
        "| degradation | loss | by | bilinear | this | oracle | share closed | 95 % interval |",
        "|---" * 8 + "|",
    ]
    for loss, (words, _) in LOSSES.items():
        for way in WAYS:
            for metric in ("psnr", "frechet_lite0"):
                if g := stored.gaps.get(f"{metric}/{loss}/{way}"):
                    share = (
                        ("no ratio", g["note"].split(": ")[-1])
                        if g["ratio"] is None
                        else (f"{g['ratio']:.0%}", "{:.0%} to {:.0%}".format(*g["ratio_ci"]))
                    )
                    ends = [f"{g[k]:.4g}" for k in ("low", "mid", "high")]
                    lines.append(
                        f"| {' | '.join([DEGRADATIONS[way], words, METRICS[metric], *ends, *share])} |"
                    )
    return "\n".join(lines)


def percent(gap: dict | None) -> str:
    """A closed gap in words: ratio and interval, or both ends where a ratio would mean nothing."""
    if gap is None:
        return "not run"
    if gap["ratio"] is None:
        return f"no ratio: from {gap['low']:.4g} over {gap['mid']:.4g} to {gap['high']:.4g}"
    low, high = gap["ratio_ci"]
    return f"{gap['ratio']:.0%} (95 % interval {low:.0%} to {high:.0%})"


def readme_table(stored: Stored) -> str:
    """The README's results: the argument in a row a method and two sentences."""
    rows = {"(bicubic enlargement)": [stored.references["bicubic"]]}
    for loss in ("gan", "pixel"):
        rows |= {
            CELLS[f"{d}-{loss}"].label: list(stored.found(f"{d}-{loss}").values())
            for d in DEGRADATIONS
            if d != "blur"
        }
    rows |= {c.label: list(stored.found(c).values()) for c in RIVALS}
    columns = (
        ("camera", "psnr", 2),
        ("camera", "ssim", 3),
        ("wild", "frechet_lite0", 0),
        ("clean", "psnr", 2),
        ("clean", "frechet_lite0", 0),
    )
    lines = [
        f"{heading(stored)} Made by `make results`, stored in `results/ablation.json`.",
        "",
        "| method | seeds | PSNR dB, shots | SSIM, shots | Frechet, shots | PSNR dB, clean | Frechet, clean | "
        "minutes |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, runs in rows.items():
        trained = [r["training"]["seconds"] for r in runs if "training" in r]
        seeds, minutes = (
            (len(trained), f"{sum(trained) / len(trained) / 60:.0f}") if trained else ("", "")
        )
        label = f"**{name}**" if name.startswith(DEGRADATIONS["learned"]) else name
        lines.append(
            f"| {label} | {seeds} | {' | '.join(number(runs, *c) for c in columns)} | {minutes} |"
        )
    h2l = {
        d: [
            r["scores"]["frechet_lite0"]["value"]
            for r in stored.runs.values()
            if r["stage"] == "h2l" and r["changed"] == changed
        ]
        for d, changed in LEARNED.items()
    }
    far = {
        d: stored.references[f"h2l:{d}"]["scores"]["frechet_lite0"]["value"]
        for d in ("bilinear", "handmade", "camera")
    }
    said = [
        f"{DEGRADATIONS[d]} {sum(v) / len(v):.0f} ({min(v):.0f} to {max(v):.0f} over {len(v)} seeds)"
        for d, v in h2l.items()
        if v
    ]
    if said:
        lines += [
            "",
            f"How far degraded pictures lie from the camera's shots of the same people (Frechet): "
            f"{', '.join(said)}; bilinear {far['bilinear']:.0f}, hand-made {far['handmade']:.0f}, the camera "
            f"again {far['camera']:.0f}.",
        ]
    lines += [
        "",
        *(
            f"- Gap between bilinear and oracle that is closed by {DEGRADATIONS[d]}, {words}: "
            f"{percent(stored.gaps.get(f'{key}/{d}'))}."
            for d in LEARNED
            for key, words in NATURAL.items()
        ),
    ]
    return "\n".join(lines)


# What docs/findings.md weighs: a cell, the one it is held against, test, metric.
CLAIMS = (
    ("learned-gan", "bilinear-gan", "wild", "frechet_lite0"),
    ("learned-pixel", "bilinear-pixel", "camera", "psnr"),
    ("learned-gan", "handmade-gan", "wild", "frechet_lite0"),
    ("learned-gan", "handmade-gan", "camera", "psnr"),
    ("learned-pixel", "handmade-pixel", "camera", "psnr"),
    ("learned-gan", "camera-gan", "wild", "frechet_lite0"),
    ("learned-pixel", "camera-pixel", "camera", "psnr"),
    ("coded-gan", "learned-gan", "wild", "frechet_lite0"),
    ("coded-gan", "learned-gan", "camera", "psnr"),
    ("coded-pixel", "learned-pixel", "camera", "psnr"),
    ("coded-pixel", "camera-pixel", "camera", "psnr"),
    ("learned-gan", "learned-pixel", "wild", "frechet_lite0"),
    ("learned-gan", "learned-pixel", "camera", "psnr"),
    ("learned-gan", "srgan", "clean", "psnr"),
    ("learned-gan", "srgan", "wild", "frechet_lite0"),
    ("learned-gan", "cyclegan", "wild", "frechet_lite0"),
    ("learned-gan", "cyclegan", "camera", "psnr"),
)


def findings(stored: Stored) -> str:
    """The numbers of docs/findings.md: shares of the gap, then the comparisons that it weighs, a line each."""
    lines = [
        f"- {TESTS[test].capitalize()}. {against(stored, cell, base, test, metric)}"
        for cell, base, test, metric in CLAIMS
    ]
    return "\n".join([heading(stored), "", gap_table(stored), "", *lines])


def write_tables(stored: Stored, out: str | Path) -> Iterator[Path]:
    """tables.md: every axis of the grid and the gaps."""
    parts = ["# The grid in tables", heading(stored)]
    for axis in AXES.values():
        parts += [f"## {axis.name}: {axis.question}", axis_table(stored, axis.name)]
    parts += ["## Share of the gap between bilinear and the oracle", gap_table(stored)]
    path = Path(out) / "tables.md"
    atomic(path, lambda file: file.write(("\n\n".join(parts) + "\n").encode()))
    yield path
