"""How long a training takes: its parts, each as often as the training has it."""

from hlgan_lib.bench import estimate
from tests.helpers import TINY, loop_of, train


def test_the_parts_are_counted_as_a_training_has_them():
    cfg = TINY.replace(tick_images=8, save_images=16, h2l_steps=7)
    found = estimate.added_up(loop_of("h2l", cfg), 100.0, 1.0, 10.0, 1000.0, 1e5)
    ticks = list(train("h2l", cfg))
    n_looks = sum(tick.score is not None for tick in ticks) + 1  # and of the finished weights
    assert found.seconds == 1e5 + 100 + 7 + 10 * len(ticks) + 1000 * n_looks


def test_every_part_is_measured(monkeypatch):
    asked = []
    monkeypatch.setattr(
        estimate, "seconds_of", lambda work, device, clock: asked.append(work()) or 2.0
    )
    found = estimate.estimate(
        TINY.replace(size_hi=64, size_lo=16), "l2h", seconds=0.0, device="cpu"
    )
    assert len(asked) == 6  # three updates, a look, a tick, a batch of batch norm
    assert (found.update_s, found.look_s, found.tick_s) == (2.0, 2.0, 2.0)
    assert found.norm_s == 50 * 2
    assert found.start_s >= 0 and found.seconds > 6 * 2 + 6 * 2 + 50 * 2


def test_without_batch_norm_its_statistics_cost_nothing_and_with_it_they_do():
    small = TINY.replace(size_hi=64, size_lo=16, n_val=4)
    without, having = (
        estimate.estimate(small.replace(norm=norm), "l2h", seconds=0.0, device="cpu")
        for norm in ("none", "batch")
    )
    assert without.norm_s < 0.1 * without.update_s * 50
    assert having.norm_s > 0.1 * having.update_s * 50
