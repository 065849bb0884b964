"""How long a training takes: its parts, each as often as the training has it."""

import pytest

from hlgan_lib.bench import estimate
from hlgan_lib.cli import main
from hlgan_lib.commands.bench import spoken
from tests.helpers import TINY, loop_of, train


def test_the_parts_are_counted_as_a_training_has_them():
    cfg = TINY.replace(tick_images=8, save_images=16, h2l_steps=7)
    found = estimate.added_up(loop_of("h2l", cfg), 100.0, 1.0, 10.0, 1000.0)
    ticks = list(train("h2l", cfg))
    n_looks = sum(tick.score is not None for tick in ticks) + 1  # and of the finished weights
    assert found.seconds == 100 + 7 + 10 * len(ticks) + 1000 * n_looks


def test_every_part_is_measured(monkeypatch):
    asked = []
    monkeypatch.setattr(estimate, "seconds_of", lambda work, device: asked.append(work()) or 2.0)
    found = estimate.estimate(
        TINY.replace(size_hi=64, size_lo=16), "l2h", seconds=0.0, device="cpu"
    )
    assert len(asked) == 5  # three updates, a look, a tick
    assert (found.update_s, found.look_s, found.tick_s) == (2.0, 2.0, 2.0)
    assert found.start_s > 0 and found.seconds > 6 * 2 + 6 * 2


def test_the_command_says_it_in_words(monkeypatch, capsys):
    made = estimate.Estimate(4000.0, 1.0, 0.25, 0.001, 3.0)
    monkeypatch.setattr(estimate, "estimate", lambda cfg, stage, **how: made)
    assert main(["bench", "--estimate", "colab"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("colab") and said.count("66.7 min") == 2 and "250 ms" in said


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.25, "250 ms"), (30, "30 s"), (600, "10 min"), (9000, "2.5 h"), (864_000, "10 days")],
)
def test_durations_in_the_unit_that_fits(seconds, words):
    assert spoken(seconds) == words
