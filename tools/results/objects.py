"""Something that is no face: the whole chain on made pictures of houses, 8 -> 32 and 16 -> 64.

    python tools/results/objects.py --work FOLDER           about ten minutes on two idle cores

Of each size the commands of the command line, one after another: prepare, train h2l, train l2h on
learned and on bilinear pairs, upscale, evaluate. Writes results/objects.json and
figures/objects.png. A finished training in FOLDER is not repeated.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from hlgan_lib import cli
from hlgan_lib.files import save_json, user_path
from hlgan_lib.viz.canvas import blank, save_figure

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools" / "objects"))
from make_houses import make  # noqa: E402 (of a folder beside this one)

RESULT = ROOT / "results" / "objects.json"
PAGE = ROOT / "docs" / "objects.md"
MARKS = "<!-- objects:begin -->\n", "<!-- objects:end -->\n"
METRICS = {"psnr": "PSNR, dB (95 %)", "ssim": "SSIM (95 %)"}
FIGURE = ROOT / "figures" / "objects.png"
ALT = (
    "Six made houses at both sizes: LR, bicubic, L2H of bilinear pairs, L2H of learned pairs, "
    "ground truth. Learned pairs bring back contrast and colour."
)
SIZES = ((8, 32), (16, 64))
STEPS = {8: (300, 150), 16: (150, 100)}  # updates of H2L, L2H: 16 pixels cost four times as much
PAIRS = ("learned", "bilinear")  # what L2H is trained on
N, N_TEST = 400, 80
N_SHOWN = 6


def hlgan(*argv: object) -> None:
    """A command. Ends this program where it fails."""
    if cli.main([str(a) for a in argv]):
        raise SystemExit(f"hlgan {argv[0]} failed")


def chain(work: Path, size_lo: int, size_hi: int, preset: str, n: int, n_test: int) -> dict:
    """All commands at one size; the scores of each kind of pairs, and of bicubic enlarging."""
    made = work / f"houses-{size_lo}"
    if not made.is_dir():
        make(made, size_lo, n, n_test)
    hi, lo = work / f"hi-{size_lo}.npz", work / f"lo-{size_lo}.npz"
    hlgan("prepare", "folder", made / "hi", "--out", hi, "--size", size_hi)
    hlgan("prepare", "folder", made / "lo", "--out", lo, "--role", "lo", "--size", size_lo)
    truth = work / f"truth-{size_lo}.npz"
    hlgan("prepare", "folder", made / "test-hi", "--out", truth, "--size", size_hi)

    sizes = "--preset", preset, "--size-hi", size_hi, "--size-lo", size_lo
    h2l = work / f"h2l-{size_lo}"
    n_h2l, n_l2h = STEPS[size_lo] if preset != "smoke" else (2, 2)
    hlgan("train", "h2l", "--hi", hi, "--lo", lo, "--out", h2l, *sizes, "--steps", n_h2l,
          "--resume")  # fmt: skip
    scores = {}
    for pairs in PAIRS:
        run, restored = work / f"l2h-{pairs}-{size_lo}", work / f"restored-{pairs}-{size_lo}"
        degradation = f"learned:{h2l}" if pairs == "learned" else pairs
        hlgan("train", "l2h", "--hi", hi, "--degradation", degradation, "--out", run, *sizes,
              "--w-gan", 0, "--steps", n_l2h, "--resume")  # fmt: skip
        hlgan("upscale", "--weights", run, "--input", made / "test-lo", "--out", restored)
        scores[pairs] = evaluated(restored, truth, work / f"{pairs}-{size_lo}.json")
    enlarged = work / f"restored-bicubic-{size_lo}"
    enlarge(made / "test-lo", enlarged, size_hi)
    scores["bicubic"] = evaluated(enlarged, truth, work / f"bicubic-{size_lo}.json")
    return scores


def evaluated(fake: Path, truth: Path, table: Path) -> dict:
    """`hlgan evaluate`: value and interval of each score."""
    hlgan("evaluate", "--fake", fake, "--real", truth, "--paired", "--json", table, "--overwrite")
    scores = {}
    for name, score in json.loads(table.read_text()).items():
        if isinstance(score, dict):
            held = {"value": score["value"], "ci": score["ci"], "n": score["n"]}
            scores[name] = held
    return scores


def enlarge(source: Path, out: Path, size: int) -> None:
    """Bicubic enlarging, which learns nothing."""
    out.mkdir(exist_ok=True)
    for file in sorted(source.iterdir()):
        Image.open(file).resize((size, size), Image.Resampling.BICUBIC).save(out / file.name)


def draw(work: Path, done: list[str]) -> None:
    """A block a size: LR, bicubic, L2H on bilinear pairs, on learned pairs, ground truth."""
    sizes = [tuple(map(int, size.split("->"))) for size in done]
    figure = blank(7.2, 5.4 * len(sizes))
    parts = figure.subfigures(len(sizes), 1, squeeze=False)[:, 0]
    for part, (size_lo, size_hi) in zip(parts, sizes):
        made = work / f"houses-{size_lo}"
        files = sorted((made / "test-lo").iterdir())
        chosen = [files[i] for i in np.linspace(0, len(files) - 1, N_SHOWN).astype(int)]
        rows = {
            f"LR, {size_lo}×{size_lo}": made / "test-lo",
            "bicubic": work / f"restored-bicubic-{size_lo}",
            "bilinear pairs": work / f"restored-bilinear-{size_lo}",
            "learned pairs": work / f"restored-learned-{size_lo}",
            f"truth, {size_hi}×{size_hi}": made / "test-hi",
        }
        axes = part.subplots(len(rows), N_SHOWN)
        for line, (label, folder) in zip(axes, rows.items()):
            for axis, file in zip(line, chosen):
                image = Image.open(folder / file.name).convert("RGB")
                if image.width > size_hi:
                    image = image.resize((size_hi, size_hi), Image.Resampling.LANCZOS)
                axis.imshow(np.asarray(image), interpolation="nearest")
                axis.set_xticks([])
                axis.set_yticks([])
            line[0].set_ylabel(label, fontsize=8)
    command = "python tools/results/objects.py"
    save_figure(figure, FIGURE, ALT, command=command, preset="quick", seed=0)


def table(rows: dict[str, dict]) -> str:
    """The stored scores as Markdown, a line a size and kind of pairs."""
    heads = ["pixels", "L2H trained on", *(METRICS.values())]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    words = {"learned": "learned pairs", "bilinear": "bilinear pairs", "bicubic": "none: bicubic"}
    for size, scores in rows.items():
        for kind in ("learned", "bilinear", "bicubic"):
            cells = [size.replace("->", "→"), words[kind]]
            for metric in METRICS:
                score = scores[kind][metric]
                value = f"{score['value']:.{3 if metric == 'ssim' else 2}f}"
                if score["ci"]:
                    low, high = (f"{v:.{3 if metric == 'ssim' else 2}f}" for v in score["ci"])
                    value += f" ({low} to {high})"
                cells.append(value)
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def write_table(rows: dict[str, dict]) -> None:
    """Put the table between its marks on the page."""
    text = PAGE.read_text()
    begin, end = (text.index(mark) for mark in MARKS)
    PAGE.write_text(text[: begin + len(MARKS[0])] + table(rows) + text[end:])


def main() -> None:
    """Train, measure, store, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=user_path, required=True, help="folder for sets and runs")
    parser.add_argument("--preset", default="quick")
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    rows = {}
    for size_lo, size_hi in SIZES:
        rows[f"{size_lo}->{size_hi}"] = chain(asked.work, size_lo, size_hi, asked.preset, N, N_TEST)
        about = {
            "what": "made houses, LR by `scan`; L2H trained on learned or on bilinear pairs",
            "preset": asked.preset,
            "updates": "H2L, L2H: "
            + ", ".join(f"{lo} pixels {n} and {m}" for lo, (n, m) in STEPS.items()),
            "images": f"{N} HR, {N} LR of other houses, {N_TEST} test pairs, one seed",
            "rows": rows,
        }
        save_json(RESULT, about)
        write_table(rows)
        draw(asked.work, list(rows))


if __name__ == "__main__":
    main()
