"""The GPU's bench: the page holds what is stored, and what is stored reaches what was aimed at."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOL = "bench_gpu"
PAGE = (ROOT / "docs" / "speed.md").read_text()


@pytest.fixture(scope="module")
def measured():
    return json.loads((ROOT / "results" / "gpu-h100-80gb-hbm3.json").read_text())


def test_the_page_holds_what_is_stored(tool, measured):
    assert tool.graph_table(measured) in PAGE
    h2l, l2h = (measured["beside_plain"][stage] for stage in ("h2l", "l2h"))
    row = "TF32 in convolutions | {step_ratio:.1f} | {loop_ratio:.1f} |"
    assert f"camera, {row.format(**h2l)}" in PAGE and f"pairs, {row.format(**l2h)}" in PAGE
    keys = ("preset", "stage", "precision", "how", "degradation")
    cells = [cell for cell in measured["cells"] if cell["batch"] == 64]
    ms = {}
    for cell in reversed(cells):  # the matrix comes before its single cells
        ms[tuple(cell[key] for key in keys)] = cell["ms"]
    plain = l2h["images_per_s"]["plain step, float32"]
    for how, words in (
        ("graph", "| the same in bf16 |"),
        ("compile, graph", "(66 s before the first update) |"),
    ):
        rate = 64_000 / ms["colab", "l2h", "bf16", how, "bilinear"]
        assert f"{words} {rate / plain:.1f} |" in PAGE
    h2l_paper, l2h_paper = (
        [ms["paper", stage, "TF32", how, pairs] for how in ("graph", "eager")]
        for stage, pairs in (("h2l", None), ("l2h", "bilinear"))
    )
    assert (
        "takes {:.0f} ms an update for H2L, with five of D ({:.0f} one".format(*h2l_paper) in PAGE
    )
    assert "and {:.0f} ms for L2H ({:.0f})".format(*l2h_paper) in PAGE
    hours = (571 * pair[0] / 3600 for pair in (h2l_paper, l2h_paper))
    assert "would be {:.0f} and {:.0f} hours".format(*hours) in PAGE


def test_what_was_aimed_at_and_what_is_missed(measured):
    h2l, l2h = (measured["beside_plain"][stage] for stage in ("h2l", "l2h"))
    assert "H2L has both, L2H the step" in PAGE
    assert h2l["step_ratio"] > 2.5 and h2l["loop_ratio"] > 8
    assert l2h["step_ratio"] > 2.5 and l2h["loop_ratio"] < 8
    said = "of H2L is {:.1f} times as fast as the plain one, that of L2H {:.1f} times"
    readme = (ROOT / "README.md").read_text()
    assert said.format(h2l["loop_ratio"], l2h["loop_ratio"]) in readme


def test_trainings_side_by_side_and_their_minutes(measured):
    beside = measured["side_by_side"]
    alone, _, graphs, crowded = beside["updates_a_second"].values()
    page = " ".join(PAGE.split())
    assert f"made {graphs:.0f} updates a second together, one alone {alone:.0f};" in page
    assert f"24 processes on the 16 cores made {crowded:.0f}," in page
    assert round(beside["study_trained_and_scored_s"] / 60) == 7 and "took seven minutes" in page
    cells = json.loads((ROOT / "results" / "study_on_cpu.json").read_text())["cells"].values()
    minutes = [sum(cell["minutes"]) / len(cell["minutes"]) for cell in cells]
    said = f"of {min(minutes):.0f} to {max(minutes):.0f} minutes of a CPU core"
    assert said in (ROOT / "README.md").read_text()


def test_a_graph_never_costs_more(measured):
    for row in measured["graphs"]:
        assert row["graph_ms"] < row["one_by_one_ms"]
