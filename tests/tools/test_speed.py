"""Cost curves: what is stored is whole, the figure and the page show it, a cost is an update's."""

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "results"))
import speed  # noqa: E402


@pytest.fixture(scope="module")
def stored():
    return json.loads(speed.STORED.read_text())


def test_every_curve_was_run_at_every_value(stored):
    values = {
        "batch": speed.BATCHES,
        "side": speed.SIDES,
        "width": speed.FACTORS,
        "faces": speed.DATASETS,
        "processes": speed.PROCESSES,
    }
    assert set(values) == set(speed.PANELS)
    for stage in speed.STAGES:
        for name, wanted in values.items():
            points = stored["stages"][stage][name]
            assert [float(value) for value in points] == [float(value) for value in wanted]
            assert all(ms > 0 for ms in points.values())


def test_a_large_dataset_costs_an_update_nothing_is_held_once_and_starts_in_5_s(stored):
    for stage in speed.STAGES:
        costs = stored["stages"][stage]["faces"].values()
        assert max(costs) < 1.25 * min(costs)
    large = stored["start"]["200000"]
    assert large["memory_mib"] < 1.1 * large["dataset_mib"]
    assert large["start_s"] < 5


def test_estimates_are_within_a_fifth_of_a_training_of_more_than_seconds(stored):
    assert len(stored["estimates"]) == len(speed.ESTIMATED)
    longer = [row for row in stored["estimates"] if row["training_s"] > 10]
    assert {(row["preset"], row["stage"]) for row in longer} >= {("quick", "h2l"), ("quick", "l2h")}
    for row in longer:
        assert abs(row["ratio"] - 1) < 0.2, row


def test_the_page_and_the_figure_hold_what_is_stored(stored):
    page = speed.PAGE.read_text()
    for name, table in (speed.tables(stored) | {"bench": speed.bench_table()}).items():
        assert f"<!-- {name}:begin -->\n{table}\n<!-- {name}:end -->" in page
    assert speed.bench_table() in speed.README.read_text()
    manifest = json.loads((ROOT / "figures" / "manifest.json").read_text())
    assert manifest["speed.png"]["alt"] == speed.said(stored)
    assert len(speed.drawn(stored).axes) == len(speed.PANELS) + 1


def test_both_widths_were_benched_at_both_stages():
    table = speed.bench_table()
    for of in ("`study`, batch 16, H2L", "`study`, batch 16, L2H", "`paper`", "L2H"):
        assert of in table
    assert table.count("\n") == 1 + 2 * len(speed.BENCHES)


def test_made_images_repeat_after_the_first_thousands(monkeypatch):
    monkeypatch.setattr(speed, "N_FACES", 3)
    faces = speed.made(8, 7)
    assert faces.images.shape == (7, 3, 8, 8) and len(set(faces.names)) == 7
    assert (faces.images[0] == faces.images[6]).all()
    assert (faces.images[0] != faces.images[1]).any()


def test_a_cost_is_per_image_and_after_the_first_update(monkeypatch):
    class Ticking:
        class cfg:
            batch = 4

        n = 0

        def update(self):
            self.n += 1

    loop = Ticking()
    monkeypatch.setattr(speed, "varied", lambda stage: {"batch": {"4": loop}})
    monkeypatch.setattr(speed, "together_cost", lambda stage, n: 1.0)
    now = iter(range(100))
    monkeypatch.setattr(speed.time, "process_time", lambda: float(next(now)))
    assert speed.curves("h2l")["batch"] == {"4": 250.0}  # a second an update
    assert loop.n == 1 + speed.N_TIMED["h2l"]
