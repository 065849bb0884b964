"""Times in turns: medians of calls that alternate, so that what slows a machine bends no ratio."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from hlgan_lib.bench import timing
from tests.helpers import CPU


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until a work moves it on."""

    class Clock:
        now = 0.0

        def move(self, seconds):
            self.now += seconds

    clock = Clock()
    monkeypatch.setattr(timing.time, "perf_counter", lambda: clock.now)
    return clock


def test_works_alternate_and_the_median_forgets_a_hitch(clock):
    calls = []

    def work(name, *seconds):
        taken = iter(seconds)

        def call():
            calls.append(name)
            clock.move(next(taken))

        return call

    works = {"a": work("a", 9, 1, 50, 1), "b": work("b", 9, 2, 2, 60)}
    took = timing.in_turns(works, 1.0, CPU)
    assert took == {"a": 1, "b": 2}  # the first call is a warm-up
    assert calls == ["a", "b"] * 4


def test_rounds_go_on_until_the_time_is_up(clock):
    calls = []
    timing.in_turns({"a": lambda: (calls.append(1), clock.move(1.0))}, 10.0, CPU)
    assert len(calls) == 10  # the warm-up is of the time too


@pytest.mark.parametrize("make", [timing.convolution, timing.matrix_product])
def test_ceilings_count_what_pytorch_counts(make):
    work, flops = make(CPU, torch.float32)
    with FlopCounterMode(display=False) as counter:
        work()
    assert counter.get_total_flops() == flops
