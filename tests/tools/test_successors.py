"""docs/successors.md holds the stored tables; what it says of them is so."""

import json

import pytest

from hlgan_lib.files import Lock

TOOL = "successors"


def test_the_page_holds_the_stored_tables(tool, stored):
    page = tool.PAGE.read_text("utf-8")
    for mark, table in tool.TABLES.items():
        between = page.split(f"<!-- {mark}:begin -->\n")[1].split(f"<!-- {mark}:end -->")[0]
        assert between.strip() == table(stored).strip(), "python tools/results/successors.py"


def test_every_planned_row_is_in_a_table_and_what_was_not_run_is_named(tool, stored):
    assert set(tool.ROWS) == {*tool.RESTORERS, *tool.DEGRADATIONS}
    tables = {tool.RESTORERS: tool.restorer_table, tool.DEGRADATIONS: tool.degradation_table}
    for names, table in tables.items():
        rows, _, missing = table(stored).partition("Not run: ")
        for name in names:
            label = "learned camera" if (name, names) == ("pixel only", tool.DEGRADATIONS) else name
            said = rows if name in stored["scores"] else missing
            assert label in said or name in said, name


def test_a_row_differs_from_its_neighbour_in_what_it_is_named_after(tool):
    for name in tool.RESTORERS:
        bilinear = name.endswith(", bilinear pairs")
        assert tool.ROWS[name].pairs == ("bilinear" if bilinear else "learned camera")
    for name in tool.DEGRADATIONS:
        row = tool.ROWS[name]
        assert row.stage == "l2h" and row.changes == tool.PIXEL
    of_rows = {
        getattr(tool.Study("quick", "cpu", tool.ROOT).config(row.changes), f"{row.stage}_steps")
        for row in tool.ROWS.values()
    }
    assert of_rows == {tool.LENGTHS["quick"][1]}, "as many images for all"


def test_what_is_said_of_the_numbers_is_so(stored):
    psnr = {name: on["camera"]["psnr"] for name, on in stored["scores"].items()}
    learned, bilinear = psnr["pixel only"], psnr["bilinear"]
    assert 0.4 < learned["value"] - bilinear["value"] < 0.6
    assert learned["ci"][0] < bilinear["ci"][1] < learned["value"], "their intervals just touch"
    far = {k: on["frechet_lite0"]["value"] for k, on in stored["degradations"].items()}
    assert far["learned camera"] < far["bilinear"] < far["DSGAN"]
    assert stored["degradations"]["DSGAN"]["diversity"]["total"] < 1e-6, "always the same one"
    assert abs(psnr["PDM"]["value"] - bilinear["value"]) < 0.1
    spreads = {k: on["diversity"]["total"] for k, on in stored["degradations"].items()}
    assert 0.05 < spreads["PDM"] / spreads["learned camera"] < 0.15


def test_a_row_is_trained_once_and_seeds_are_merged(tool, tmp_path, monkeypatch):
    monkeypatch.setitem(tool.LENGTHS, "smoke", (2, 2))
    monkeypatch.setattr(tool, "N_TEST", 8)
    for seed in (0, 1):
        tool.score(tool.Study("smoke", "cpu", tmp_path, seed), "bilinear")
    once = {p: p.stat().st_mtime_ns for p in tmp_path.glob("*/*.json")}
    assert len(once) == 6  # of a row its cost and scores, of the pairs their scores, for each seed
    tool.score(tool.Study("smoke", "cpu", tmp_path), "bilinear")
    assert once == {p: p.stat().st_mtime_ns for p in tmp_path.glob("*/*.json")}
    found = tool.merged(tmp_path)
    assert found["seeds"] == {"bilinear": 2} and found["cost"]["bilinear"]["images"] == 8
    each = [json.loads((tmp_path / f"bilinear-{s}/scores.json").read_text()) for s in (0, 1)]
    psnr = [on["scores"]["camera"]["psnr"] for on in each]
    assert psnr[0]["value"] != psnr[1]["value"]
    both = found["scores"]["bilinear"]["camera"]["psnr"]
    assert both["value"] == pytest.approx(sum(p["value"] for p in psnr) / 2)
    assert both["ci"] == [min(p["ci"][0] for p in psnr), max(p["ci"][1] for p in psnr)]
    assert "Not run:" in tool.restorer_table(found) and "bilinear" in tool.degradation_table(found)


def test_a_run_that_another_process_trains_is_waited_for(tool, tmp_path, monkeypatch):
    held, seen = Lock(tmp_path), []

    def sleep(seconds):
        seen.append(seconds)
        held.release()

    monkeypatch.setattr(tool.time, "sleep", sleep)
    with tool.only_one(tmp_path):
        assert seen == [tool.WAIT_S]
