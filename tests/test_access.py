"""Accessibility and weight: contrast, no meaning by colour alone, alt texts, sizes."""

import json
import os
import re
import shutil
import subprocess
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgba
from matplotlib.patches import Polygon

from hlgan_lib import viz
from hlgan_lib.reliability.risk import risk_coverage
from hlgan_lib.study import figures as study_figures
from hlgan_lib.study.grid import AXES
from hlgan_lib.study.results import load
from hlgan_lib.viz import canvas
from hlgan_lib.viz.card import draw_card
from hlgan_lib.viz.charts import drift_figure, risk_figure

ROOT = Path(__file__).parents[1]
ALT = "a figure made by a test"
TEXT, MARK = (
    4.5,
    3.0,
)  # WCAG 2.1 AA: 1.4.3 for text, 1.4.11 for what a graphic needs to be understood
MAX_NOTEBOOK, MAX_CLONE = 500 * 1024, 165e6  # 61 MB of files, the rest their history


# ---- contrast ------------------------------------------------------------------------------------
def luminance(rgb) -> float:
    """Relative luminance of sRGB in [0, 1] (WCAG 2.1)."""
    c = np.asarray(rgb, dtype=float)
    return float(
        np.where(c <= 0.03928, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ (0.2126, 0.7152, 0.0722)
    )


def contrast(colour, ground="white") -> float:
    """(L1 + 0.05) / (L2 + 0.05), a transparent colour as it looks on its ground."""
    *rgb, alpha = to_rgba(colour)
    ground = np.array(to_rgba(ground)[:3])
    light = sorted((luminance(alpha * np.array(rgb) + (1 - alpha) * ground), luminance(ground)))
    return (light[1] + 0.05) / (light[0] + 0.05)


def test_contrast_is_that_of_the_standard():
    assert contrast("black") == pytest.approx(21) and contrast("white") == 1
    assert contrast("#767676") == pytest.approx(4.54, abs=0.01) and contrast("#777777") < TEXT
    assert contrast((0, 0, 0, 0.5)) == pytest.approx(contrast("#808080"), abs=0.05)


def test_every_colour_of_the_palette_stands_out_from_white():
    assert {k: round(contrast(v), 2) for k, v in viz.COLOURS.items() if contrast(v) < MARK} == {}
    assert contrast(canvas.GREY) >= TEXT and set(viz.CYCLE) <= set(viz.COLOURS.values())


def simulated(colour, kind) -> np.ndarray:
    """Linear RGB as seen without one kind of cone (Vienot, Brettel and Mollon 1999)."""
    matrix = {
        "protan": [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],
        "deutan": [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],
        "none": np.eye(3),
    }[kind]
    c = np.array(to_rgba(colour)[:3])
    return np.array(matrix) @ np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("kind", ["none", "protan", "deutan"])
def test_the_first_colours_differ_with_any_colour_vision(kind):
    seen = [simulated(c, kind) for c in viz.CYCLE]
    apart = [np.abs(a - b).max() for i, a in enumerate(seen) for b in seen[:i]]
    assert min(apart) > 0.04


# ---- figures -------------------------------------------------------------------------------------
def tick(images):
    losses = dict.fromkeys(
        ("d_real", "d_fake", "pix", "gan", "d_loss", "real_spread", "fake_spread", "z_spread"), 0.3
    )
    return types.SimpleNamespace(images=images, losses=losses, samples=None)


def drawn() -> dict:
    """Figures of every kind: as a notebook draws them, and those of the stored results."""
    x, seven = np.arange(1.0, 6.0), [f"s{i}" for i in range(7)]
    errors = torch.rand(40, generator=torch.Generator().manual_seed(0))
    stored, results = (
        load(ROOT / "results"),
        {
            n: json.loads((ROOT / "results" / f"{n}.json").read_text("utf-8"))
            for n in ("card", "protocols")
        },
    )
    curves = {
        name: risk_coverage(-errors + i, errors)
        for i, name in enumerate(("trust", "sharpness", "oracle"))
    }
    made = {
        "lines": viz.lines(
            {s: (x, x + i, x, x + 2) for i, s in enumerate(seven)}, xlabel="x", ylabel="y", alt=ALT
        ),
        "markers": viz.lines(
            dict.fromkeys(seven, (x, x + 1)), xlabel="x", ylabel="y", alt=ALT, markers=True
        ),
        "histograms": viz.histograms({s: x + i for i, s in enumerate(seven)}, xlabel="x", alt=ALT),
        "bars": viz.bars(
            dict.fromkeys(seven, (3.0, 2.0, 4.0)),
            xlabel="x",
            alt=ALT,
            reference={"a": 1.0, "b": 4.0},
        ),
        "panels": viz.panels({"a": x}, alt=ALT),
        "training": viz.training_curves({"a": [tick(1)], "b": [tick(1)]}),
        "network": viz.network({"in": (3, 64), "out": (3, 16)}, alt=ALT),
        "faces": viz.face_grid(
            {"a": torch.zeros(2, 3, 16, 16)}, columns=["a", "b"], title="T", alt=ALT
        ),
        "strip": viz.strip({"a": torch.zeros(3, 16, 16)}, title="T", alt=ALT),
        "risk": risk_figure({"look": curves, "pixels": curves}, alt=ALT),
        "protocols": drift_figure(results["protocols"]["scores"]),
        "card": draw_card(results["card"], name="h2l"),
        "scores": study_figures.scores(stored, AXES["matrix"].cells),
        "gap": study_figures.gap(stored),
        "plane": study_figures.plane(stored),
        "sweep": study_figures.sweep(stored, ["beta"]),
        "diversity": study_figures.diversity(stored),
        "cost": study_figures.cost(stored),
    }
    for figure in made.values():
        figure.draw_without_rendering()
    return made


@pytest.fixture(scope="module")
def figures():
    return drawn()


def words_of(figure):
    inside = [
        t
        for ax in figure.axes
        for t in (
            *ax.texts,
            ax.title,
            ax.xaxis.label,
            ax.yaxis.label,
            *ax.get_xticklabels(),
            *ax.get_yticklabels(),
        )
    ]
    legends = [t for ax in figure.axes if ax.get_legend() for t in ax.get_legend().get_texts()]
    return [
        t
        for t in (
            *figure.texts,
            *inside,
            *legends,
            *(t for g in figure.legends for t in g.get_texts()),
        )
        if t.get_text().strip() and t.get_visible()
    ]


def under(text):
    """The colour behind a text: that of the cell of a heat map, or the page."""
    if text.axes is None or not text.axes.images or text not in text.axes.texts:
        return "white"
    image, (x, y) = text.axes.images[0], text.get_position()
    return (
        image.to_rgba(image.get_array())[round(y), round(x), :3]
        if text.get_transform() == text.axes.transData
        else "white"
    )


def weak(figure) -> list[str]:
    """Texts, lines, markers and filled shapes of too little contrast with the white page."""
    found = [
        f"text {t.get_text()!r}: {contrast(t.get_color(), under(t)):.1f}"
        for t in words_of(figure)
        if contrast(t.get_color(), under(t)) < TEXT
    ]
    found += [
        f"small text {t.get_text()!r}: {t.get_fontsize():.0f}"
        for t in words_of(figure)
        if t.get_fontsize() < 8
    ]
    for ax in figure.axes:
        for line in ax.lines:
            colour = (
                line.get_color()
                if line.get_alpha() is None
                else (line.get_color(), line.get_alpha())
            )
            if contrast(colour) < MARK:
                found.append(f"line {line.get_label()}: {contrast(colour):.1f}")
        for patch in ax.patches:
            if patch.get_hatch() == "////":  # the band of what was not run: the words stand in it
                continue
            edge = 0 if not patch.get_linewidth() else contrast(patch.get_edgecolor())
            inside = contrast(patch.get_facecolor()) if patch.get_fill() else 0
            if max(edge, inside) < MARK:
                found.append(f"shape in {ax.get_xlabel()}: {max(edge, inside):.1f}")
    return found


def by_colour_alone(figure) -> list[str]:
    """Labelled lines, outlines and bars of one panel that differ in nothing but their colour."""
    found = []
    for ax in figure.axes:
        looks = [
            (
                line.get_linestyle(),
                str(getattr(line, "_unscaled_dash_pattern", "")),
                str(line.get_marker()),
                line.get_fillstyle(),
                line.get_label(),
            )
            for line in ax.lines
            if not line.get_label().startswith("_")
        ]
        looks += [
            (p.get_linestyle(), str(p._unscaled_dash_pattern), p.get_hatch(), "", p.get_label())
            for p in ax.patches
            if isinstance(p, Polygon) and not p.get_label().startswith("_")
        ]
        looks += [
            ("bars", c.patches[0].get_hatch(), "", "", c.get_label())
            for c in ax.containers
            if hasattr(c, "patches")
            and c.patches
            and not isinstance(c.patches[0], Polygon)
            and not c.get_label().startswith("_")
        ]
        keys = [look[:-1] for look in looks]
        found += [
            f"{look[-1]} in {ax.get_title() or ax.get_ylabel()}"
            for look in looks
            if keys.count(look[:-1]) > 1
        ]
    return found


def test_figures_have_contrast_and_letters_that_can_be_read(figures):
    assert {name: found for name, figure in figures.items() if (found := weak(figure))} == {}


def test_no_series_is_told_apart_by_colour_alone(figures):
    assert {
        name: found for name, figure in figures.items() if (found := by_colour_alone(figure))
    } == {}


def test_the_checks_see_a_poor_figure():
    figure = viz.lines(
        {"a": ([1, 2], [3, 4]), "b": ([1, 2], [5, 6])}, xlabel="x", ylabel="y", alt=ALT
    )
    assert weak(figure) == [] and by_colour_alone(figure) == []
    a, b = figure.axes[0].lines
    b.set_linestyle(a.get_linestyle())
    a.set_color("#F0E442")
    figure.axes[0].texts or figure.axes[0].text(1, 3, "pale", color="#999999", fontsize=6)
    assert [w.split(":")[0] for w in weak(figure)] == ["text 'pale'", "small text 'pale'", "line a"]
    assert [w.split()[0] for w in by_colour_alone(figure)] == ["a", "b"]


# ---- alt texts -----------------------------------------------------------------------------------
def pages() -> list[Path]:
    return [
        ROOT / "README.md",
        *sorted((ROOT / "docs").glob("*.md")),
        *sorted((ROOT / "figures").glob("*.md")),
        *sorted((ROOT / "hlgan_lib").rglob("*.md")),
    ]


def mute(text: str) -> list[str]:
    """Pictures of a Markdown page whose alt text says nothing."""
    pictures = re.findall(r"!\[([^\]]*)\]\(([^)\s]+)", text)
    tags = re.findall(r"<img[^>]*>", text)
    pictures += [(m[1] if (m := re.search(r'alt="([^"]*)"', tag)) else "", tag) for tag in tags]
    return [
        where
        for alt, where in pictures
        if len(alt.strip()) < 10 or re.fullmatch(r"\S+\.(png|jpg)", alt.strip())
    ]


def test_every_picture_of_readme_docs_and_cards_has_alt_text_and_exists():
    assert mute('![](a.png) ![a.png](b.png) <img src="c.png"> ![two rows of faces](d.png)') == [
        "a.png",
        "b.png",
        '<img src="c.png">',
    ]
    assert [f"{p.name}: {where}" for p in pages() for where in mute(p.read_text("utf-8"))] == []
    gone = [
        f"{p.name}: {to}"
        for p in pages()
        for to in re.findall(r"!?\[[^\]]*\]\(([^)#\s]+)", p.read_text("utf-8"))
        if not re.match(r"\w+:", to) and not (p.parent / to).exists()
    ]
    assert gone == []


def test_every_figure_file_has_its_alt_text_in_the_manifest():
    manifest = json.loads((ROOT / "figures" / "manifest.json").read_text("utf-8"))
    assert set(manifest) == {p.name for p in (ROOT / "figures").glob("*.png")}
    assert [name for name, entry in manifest.items() if len(entry["alt"]) < 20] == []


# ---- weight --------------------------------------------------------------------------------------
def test_each_notebook_is_small():
    sizes = {
        p.relative_to(ROOT).as_posix(): os.path.getsize(p)
        for p in (ROOT / "notebooks").rglob("*.ipynb")
        if ".ipynb_checkpoints" not in p.parts
    }
    assert (
        len(sizes) >= 6
        and {name: size for name, size in sizes.items() if size > MAX_NOTEBOOK} == {}
    )


@pytest.mark.slow
def test_a_fresh_clone_is_small():
    """The files of the last commit and its history, packed as git packs it for a clone."""

    def git(*args, given=b""):
        return subprocess.run(["git", *args], cwd=ROOT, input=given, capture_output=True)

    if not shutil.which("git") or git("rev-parse", "HEAD").returncode:
        pytest.skip("not a git checkout")
    sizes = re.findall(
        r"^\d+ blob \w+ +(\d+)\t", git("ls-tree", "-r", "-l", "HEAD").stdout.decode(), re.M
    )
    files, history = (
        sum(map(int, sizes)),
        len(git("pack-objects", "--revs", "--stdout", "-q", given=b"HEAD\n").stdout),
    )
    assert len(sizes) > 100 and history > 1e6
    assert files + history < MAX_CLONE, (
        f"{files / 1e6:.0f} MB of files, {history / 1e6:.0f} MB of history"
    )
