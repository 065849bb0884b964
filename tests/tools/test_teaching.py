"""docs/teaching.md: its numbers are the stored ones, its sections exist, what it says of the
numbers is so.
"""

import importlib.util
import json
import re
from pathlib import Path

import pytest
import torch

from hlgan_lib.losses import hinge_d, hinge_g

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "teaching.md").read_text("utf-8")


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location(
        "teaching", ROOT / "tools" / "results" / "teaching.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def headings(stem: str) -> set[str]:
    """Headings of a notebook without their numbers."""
    [path] = (ROOT / "notebooks").glob(f"{stem}_*.ipynb")
    prose = "\n".join(
        "".join(c["source"])
        for c in json.loads(path.read_text("utf-8"))["cells"]
        if c["cell_type"] == "markdown"
    )
    return {h.strip() for h in re.findall(r"^#{2,3} (?:\d+\. )?(.+)$", prose, re.M)}


def test_its_numbers_are_the_stored_ones(tool):
    names = [row["name"] for row in tool.ROW.finditer(PAGE)]
    assert names == [f"N{i + 1}" for i in range(len(names))] and len(names) >= 15
    assert tool.filled(PAGE) == PAGE, "run tools/results/teaching.py"
    assert tool.filled(PAGE.replace("| N15 | restored", "| N15 | x")) != PAGE


def test_a_number_keeps_its_digits_and_its_per_cent(tool):
    assert tool.written(0.0917, "1.1 %") == "9.2 %" and tool.written(203.4, "1") == "203"
    assert tool.written([84.51, 141.58], "142 and 85") == "85 and 142"
    with pytest.raises(KeyError):
        tool.stored("results/trust.json", "failures > nowhere")


def test_every_number_that_the_text_points_to_is_in_the_table_and_every_row_is_used(tool):
    text = PAGE[: PAGE.index("<!-- numbers:begin -->")]
    rows = {row["name"] for row in tool.ROW.finditer(PAGE)}
    assert set(re.findall(r"\bN\d+\b", text)) == rows


def test_the_text_holds_no_measured_number_of_its_own():
    text = PAGE[: PAGE.index("<!-- numbers:begin -->")]
    assert re.findall(r"\d+\.\d+ ?dB|\d+(?:\.\d+)? ?%", text) == []


def test_every_section_that_it_names_exists():
    named = re.findall(r"`(0\db?)` \*([^*]+)\*", PAGE) + [
        (nb, last) for nb, last in re.findall(r"`(0\db?)` \*[^*]+\* to \*([^*]+)\*", PAGE)
    ]
    assert len(named) > 40 and {nb for nb, _ in named} >= {"01", "02", "03", "04", "05", "06"}
    known = {nb: headings(nb) for nb in {nb for nb, _ in named}}
    assert [f"{nb} {title}" for nb, title in named if title not in known[nb]] == []


def test_lessons_fit_their_minutes():
    for title, length in (
        ("45 minutes", 45),
        ("90 minutes", 90),
        ("Day 1", 90),
        ("Day 2", 90),
        ("Day 3", 90),
        ("Day 4", 90),
        ("Day 5", 90),
    ):
        part = re.search(rf"^(?:## |\*\*){title}.*?(?=^## |^\*\*Day|\Z)", PAGE, re.M | re.S)[0]
        starts = [int(m) for m in re.findall(r"^\| (\d+) \|", part, re.M)]
        assert starts[0] == 0 and starts == sorted(set(starts)) and starts[-1] < length, title
        assert len(starts) >= 6, title


def test_what_is_said_of_the_numbers_is_so(tool):
    at = {row["name"]: tool.stored(row["file"], row["keys"]) for row in tool.ROW.finditer(PAGE)}
    assert at["N18"] < at["N19"] < at["N20"], (
        "restoring helps a face descriptor, and HR faces help it more"
    )
    assert "prefers a stranger in one of eight" in " ".join(PAGE.split())
    assert 1 / 8.5 < 1 - at["N19"] < 1 / 7.5
    assert at["N1"] > at["N2"] > at["N3"] and at["N4"] < at["N10"] < 2 * at["N4"], (
        "learned pairs teach best, hand-made ones come near by distance"
    )
    assert at["N11"] > at["N14"], "plain enlargement beats small, hand-made, GAN-led by PSNR"
    assert at["N9"] < at["N8"], "the network of bilinear pairs wins the clean test"
    assert at["N12"][1] < at["N12"][0] and at["N13"][1] < at["N13"][0], (
        "nearer, and a worse teacher"
    )
    assert (
        0.5 < at["N5"] < 1
        and at["N6"] > 0.8
        and 0.5 < at["N7"] < 0.65
        and 0.5 < at["N16"] < 0.9
        and at["N17"] > 2
    )


def test_the_quiz_has_questions_of_every_level_and_every_goal_is_tested():
    quiz = re.findall(r"^(\d+)\. \((\d)\) .+\*[^*]+\*$", PAGE, re.M)
    assert [int(n) for n, _ in quiz] == list(range(1, len(quiz) + 1)) and 12 <= len(quiz) <= 20
    assert {level for _, level in quiz} == {"1", "2", "3"}
    said = {
        int(n) for line in re.findall(r"quiz [\d, to]+", PAGE) for n in re.findall(r"\d+", line)
    }
    assert max(said) <= len(quiz)
    real, made = torch.tensor([3.0, 0.0]), torch.tensor([-0.5, 1.0])
    assert f"= {hinge_d(real, made):.2f}, and {hinge_g(made):.2f}.*" in PAGE
    assert f"*{(300 - 240) / (300 - 200):.1f}. Ratio" in PAGE and 0.03**2 == pytest.approx(0.0009)


def test_every_exercise_that_it_names_is_in_its_notebook():
    named = re.findall(r"exercises ([\d, toand]+) of (\d\db?)", PAGE)
    assert {nb for _, nb in named} == {"01", "02", "03", "04", "05", "05b", "06", "08", "09"}
    for numbers, nb in named:
        [path] = (ROOT / "notebooks").glob(f"{nb}_*.ipynb")
        there = {int(n) for n in re.findall(r"\*\*Exercise (\d+) ", path.read_text("utf-8"))}
        assert {int(n) for n in re.findall(r"\d+", numbers)} <= there, (
            f"{nb} has exercises {sorted(there)}"
        )


# ---- docs/anchors.md -----------------------------------------------------------------------------
def test_every_claim_about_another_house_has_a_source_and_ours_a_file():
    page = (ROOT / "docs" / "anchors.md").read_text("utf-8")
    tables, sources = page.split("## Sources")
    cited = {
        int(n) for group in re.findall(r"\[(\d+(?:, \d+)*)\]", tables) for n in group.split(", ")
    }
    listed = [int(n) for n in re.findall(r"(?:^|· )(\d+)\s", sources, re.M)]
    assert listed == list(range(1, len(listed) + 1)) and cited == set(listed)
    ours = "\n".join(line for line in tables.splitlines() if line.startswith("| **this package**"))
    files = re.findall(r"`([\w./]+)`", ours)
    assert len(files) >= 10 and [f for f in files if not (ROOT / f).exists()] == []
    rows = [
        line for line in tables.splitlines() if re.match(r"\| (?!trains)\w", line)
    ]  # not a heading, not ours
    assert len(rows) == 15 and [row for row in rows if not re.search(r"\[\d+", row)] == []
