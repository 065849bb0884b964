"""docs/domains.md says what is stored; sets of pictures share no people; what is kept is said."""

import importlib
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def tool():
    sys.path.insert(0, str(ROOT / "tools" / "results"))
    try:
        yield importlib.import_module("domains")
    finally:
        sys.path.pop(0)


@pytest.fixture(scope="module")
def stored(tool):
    return json.loads(tool.STORED.read_text())


def test_the_page_holds_the_stored_tables_and_no_others(tool, stored):
    page = tool.PAGE.read_text("utf-8")
    for mark, (key, table) in tool.TABLES.items():
        text = table(stored) if stored.get(key) else "not run"
        assert f"<!-- {mark}:begin -->\n{text}\n<!-- {mark}:end -->" in page


def test_no_person_is_in_two_sets(tool):
    sets = [tool.load_faces("faces:train-hi")[: tool.HALF].names]
    sets += [tool.lo_of(camera, 3).names for camera in tool.DOMAINS]
    sets.append(tool.load_faces("faces:test:hi").names)
    people = [name for names in sets for name in set(names)]
    assert len(people) == len(set(people))


def test_the_judges_see_every_camera_and_train_on_no_held_out_one(tool, stored):
    for row in stored.get("psnr", {}).values():
        assert tuple(row) == tool.CAMERAS and all(10 < v < 30 for v in row.values())
    assert tool.HELD_OUT not in tool.DOMAINS and tool.HELD_OUT in tool.CAMERAS


def test_what_is_kept_is_what_the_rule_says(tool, stored):
    for row in stored["adapt"].values():
        assert row["kept"] == (row["gain"] > tool.adaptation.Z * row["error"])
