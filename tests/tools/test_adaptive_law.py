"""docs/domains.md says of the adaptive law what is stored; what it claims holds of the numbers."""

import importlib
import json
import sys
from pathlib import Path

import pytest

from hlgan_lib.health import Z_IGNORED

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def tool():
    sys.path.insert(0, str(ROOT / "tools" / "results"))
    try:
        yield importlib.import_module("adaptive_law")
    finally:
        sys.path.pop(0)


@pytest.fixture(scope="module")
def stored(tool):
    return json.loads(tool.STORED.read_text())


def test_the_page_holds_the_stored_tables_and_no_others(tool, stored):
    page = tool.PAGE.read_text("utf-8")
    for mark, table in tool.TABLES.items():
        assert f"<!-- {mark}:begin -->\n{table(stored)}\n<!-- {mark}:end -->" in page


def test_the_page_says_how_long_they_were_trained(tool, stored):
    images = tool.H2L.h2l_steps * tool.H2L.batch
    assert f"{images:,} images" in tool.PAGE.read_text("utf-8")
    assert all(row["images"] == images for laws in stored.values() for row in laws.values())


def test_what_the_page_claims_of_the_law_holds(stored):
    found = stored["auto"]["adaptive"]
    true = found["true"]
    at = {k: (row["light"], true[k]["light"]) for k, row in found["learned"].items()}
    found_of = ("exposure", "shot noise", "read noise", "blur")
    share = {name: at[name][0] / at[name][1] for name in found_of}
    assert 0.7 < share["exposure"] < 1.3 and 0.7 < share["shot noise"] < 0.85
    assert 0.2 < share["read noise"] < 0.3 and 0.2 < share["blur"] < 0.3
    assert abs(at["contrast"][0]) > 0.1 > abs(at["contrast"][1])
    assert found["z_spread"] > Z_IGNORED
