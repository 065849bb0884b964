"""docs/learned_camera.md says what is stored, and the stored law is that of the shipped weights."""

import json
import re
from pathlib import Path

import pytest

import hlgan_lib as hl
from hlgan_lib.analysis.camera_law import learned_law

ROOT = Path(__file__).resolve().parents[2]


TOOL = "learned_camera"


def test_the_page_holds_the_stored_tables(tool, stored):
    page = (ROOT / "docs" / "learned_camera.md").read_text("utf-8")
    assert tool.law_table(stored) in page
    assert tool.robustness_table(stored) in page
    assert tool.cleared_table(stored) in page


def test_the_stored_law_is_that_of_the_shipped_weights(stored):
    for name, numbers in learned_law(hl.load_weights("h2l")).items():
        entry = stored["law"][name]["learned"]
        assert numbers.mean().item() == pytest.approx(entry["mean"], abs=1e-3)
        assert numbers.std().item() == pytest.approx(entry["spread"], abs=1e-3)


def test_what_the_page_claims_holds(stored):
    law, rows = stored["law"], stored["robustness"]
    for name in ("exposure", "warmth", "tint", "contrast", "blur"):
        learned, true = law[name]["learned"], law[name]["camera (truth)"]
        assert abs(learned["mean"] - true["mean"]) < 0.1 * true["spread"] + 0.02
    keeps = stored["coupling"]
    assert keeps["learned"]["warmth"] > 0.9 and keeps["network (h2l)"]["warmth"] < 0.8
    recipe = [row for row in rows.values() if row["recipe"] == "both"]
    assert len(recipe) == 40  # five cameras, four numbers of pictures, two seeds
    for row in recipe:
        pairs = {
            name: rows[f"{name}-{row['camera']}-0-{row['seed']}"]["psnr"]
            for name in ("handmade", "camera itself", "bilinear")
        }
        assert row["psnr"] > pairs["handmade"] + 0.5  # asked is not below it by more than 0.2
        assert row["psnr"] > pairs["camera itself"] - 1.1
        if row["camera"] in ("shipped", "webcam", "night"):
            assert row["psnr"] > pairs["camera itself"] - 0.5
        if row["camera"] == "clean":
            assert 0.7 <= round(pairs["bilinear"] - row["psnr"], 1) <= 1.1
        all_of_them = rows[f"both-{row['camera']}-0-{row['seed']}"]["psnr"]
        assert row["n_lo"] != 100 or row["psnr"] > all_of_them - 0.4


def test_the_grid_names_each_run_once_and_knows_what_is_stored(tool, stored):
    names = [planned["id"] for planned in tool.jobs(3)]
    assert len(names) == len(set(names)) and set(stored["robustness"]) <= set(names)


def test_the_page_quotes_the_stored_card():
    """Shares of the classifier and of JPEG's grid, as the verdicts of the card give them."""
    card = json.loads((ROOT / "results" / "card.json").read_text())
    verdicts = " ".join(map(str, card["verdicts"]))
    page = " ".join((ROOT / "docs" / "learned_camera.md").read_text("utf-8").split())
    told = re.search(
        r"learned from real in (\d+%) of cases \(bilinear (\d+%), real from real (\d+%)", verdicts
    )
    grid = re.search(r"a block grid in (\d+%) of learned and (\d+%) of real", verdicts)
    learned, bilinear, real = told.groups()
    assert f"from the camera's own in {learned} of cases" in page
    assert f"apart in {real}, bilinear ones in {bilinear}" in page
    assert f"found in {grid[1]} of them and in {grid[2]} of the camera's" in page
