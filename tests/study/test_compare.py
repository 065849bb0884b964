"""Methods compared: means over seeds, what was not run, what is reported elsewhere."""

import json

import pytest

from hlgan_lib.errors import HLError
from hlgan_lib.study import compare
from hlgan_lib.study.compare import markdown, table
from hlgan_lib.study.grid import CELLS
from hlgan_lib.study.train_all import Outcome


def test_compare_gives_means_over_seeds_and_says_what_was_not_run(stored):
    cell = table(stored)["camera"][CELLS["learned-gan"].label]["psnr"]
    assert cell["seeds"] == 2 and cell["value"] == pytest.approx(19.61)
    assert cell["ci"] == pytest.approx([19.31, 19.91])
    text = markdown(stored)
    assert "19.61 [19.31, 19.91]" in text and "no results" in text
    assert "Not run: SRGAN, bilinear pairs; CycleGAN" in text and "| not run" not in text
    assert text.index("Reported elsewhere") > text.index("19.61")


def test_every_method_is_planned_once_a_seed_and_the_table_is_written(
    stored, tmp_path, monkeypatch
):
    asked = []

    def train_and_score(planned, preset_name, out, *rest):
        asked.extend((p.cell.id, p.seed) for p in planned)
        stored.save(out)
        return Outcome()

    monkeypatch.setattr(compare, "train_and_score", train_and_score)
    assert compare.compare("smoke", tmp_path, seeds=2) == Outcome()
    assert sorted(asked) == sorted((c.id, seed) for c in compare.methods() for seed in (0, 1))
    assert (tmp_path / "compare.md").read_text() == markdown(stored)
    written = json.loads((tmp_path / "compare.json").read_text())
    psnr = written["tests"]["camera"][CELLS["learned-gan"].label]["psnr"]
    assert psnr["value"] == pytest.approx(19.61) and written["about"]["preset"] == "smoke"


def test_a_stopped_plan_writes_no_table(tmp_path, monkeypatch):
    stopped = Outcome(stopped=True)
    monkeypatch.setattr(compare, "train_and_score", lambda *_: stopped)
    assert compare.compare("smoke", tmp_path) is stopped
    assert not list(tmp_path.iterdir())


def test_less_than_one_seed_is_refused(tmp_path):
    with pytest.raises(HLError, match="--seeds must be 1 or more, got 0"):
        compare.compare("smoke", tmp_path, seeds=0)
