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

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools" / "objects"))
from make_houses import make  # noqa: E402 (of a folder beside this one)

RESULT = ROOT / "results" / "objects.json"
FIGURE = ROOT / "figures" / "objects.png"
SIZES = ((8, 32), (16, 64))
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
    hlgan("train", "h2l", "--hi", hi, "--lo", lo, "--out", h2l, *sizes, "--resume")
    scores = {}
    for pairs in PAIRS:
        run, restored = work / f"l2h-{pairs}-{size_lo}", work / f"restored-{pairs}-{size_lo}"
        degradation = f"learned:{h2l}" if pairs == "learned" else pairs
        hlgan("train", "l2h", "--hi", hi, "--degradation", degradation, "--out", run, *sizes,
              "--resume")  # fmt: skip
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


def draw(work: Path) -> None:
    """A block a size: LR, bicubic, L2H on bilinear pairs, on learned pairs, ground truth."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 9.6), layout="constrained")
    parts = figure.subfigures(len(SIZES), 1, squeeze=False)[:, 0]
    for part, (size_lo, size_hi) in zip(parts, SIZES):
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
    figure.savefig(FIGURE, dpi=110)


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
            "images": f"{N} HR, {N} LR of other houses, {N_TEST} test pairs, one seed",
            "rows": rows,
        }
        save_json(RESULT, about)
    draw(asked.work)


if __name__ == "__main__":
    main()
