"""hlgan bench: what it says, and what it refuses."""

import pytest

from hlgan_lib.bench import estimate
from hlgan_lib.cli import main
from hlgan_lib.commands.bench import rows_of, spoken


def test_the_command_says_it_in_words(monkeypatch, capsys):
    made = estimate.Estimate(4000.0, 1.0, 0.25, 0.001, 3.0, 2.0)
    batches = []
    monkeypatch.setattr(
        estimate, "estimate", lambda cfg, stage, **how: batches.append(cfg.batch) or made
    )
    assert main(["bench", "--estimate", "colab", "--batch", "8"]) == 0
    assert batches == [8, 8]
    said = capsys.readouterr().out
    assert said.startswith("colab") and said.count("66.7 min") == 2 and "250 ms" in said
    assert "2 s" in said  # batch norm


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.25, "250 ms"), (30, "30 s"), (600, "10 min"), (9000, "2.5 h"), (864_000, "10 days")],
)
def test_durations_in_the_unit_that_fits(seconds, words):
    assert spoken(seconds) == words


def test_no_time_at_all_is_refused(capsys):
    assert main(["bench", "--seconds", "0"]) == 2
    assert "--seconds must be more than 0, got 0" in capsys.readouterr().err


def test_a_row_a_stage_with_the_ratios_first():
    speed = {"step_ratio": 2.0, "loop_ratio": 3.0, "images_per_s": 9.0, "share_of_ceiling": 0.256}
    speed |= {"amp": "off", "gflop": 7.0, "peak_mib": 100.0, "time": {}}
    row = rows_of({"stages": {"h2l": speed}})["h2l"]
    assert list(row)[:2] == ["step, plain / ours", "loop, plain / ours"]
    assert row["share of ceiling"] == "26%" and row["precision"] == "off"
