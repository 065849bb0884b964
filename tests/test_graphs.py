"""What the host does for a graph; that a real one computes the same is in test_gpu.py."""

from types import SimpleNamespace

import pytest
import torch

from hlgan_lib import graphs
from hlgan_lib.graphs import GraphedUpdate, can_be_recorded, fastest_update
from tests.helpers import TINY, bilinear, loop_of, same

N = 12  # each kind of update comes often enough to be recorded


class Replayed:
    """In place of a CUDA graph: does an update's work anew, and leaves its log values in place."""

    def __init__(self, loop):
        self.loop = loop
        self.logs = {}

    def replay(self):
        for sampler in self.loop.task.samplers.values():
            sampler.come = 0
        # A graph reads numbers where it was recorded: the same tensors, or nothing new is read.
        self.read = [g["lr"] for opt, _ in self.loop.lrs for g in opt.param_groups]
        self.read.append(self.loop.ema_rate)
        for name, value in self.loop.compute().items():
            self.logs.setdefault(name, torch.zeros(())).copy_(value.detach())


@pytest.fixture
def pretend(monkeypatch):
    """A CPU that passes for a CUDA device; the graphs that were recorded."""
    made = []

    def recorded(update):
        graph = Replayed(update.loop)
        made.append(graph)
        return graph, graph.logs

    monkeypatch.setattr(torch.cuda, "Stream", lambda device: None)
    monkeypatch.setattr(GraphedUpdate, "_one_by_one", lambda update: update.loop.compute())
    monkeypatch.setattr(GraphedUpdate, "_recorded", recorded)
    return made


def trained(cfg, graph, stage="l2h"):
    loop = loop_of(stage, cfg, *[bilinear] * (stage == "l2h"))
    if graph:
        update = GraphedUpdate(loop)
        for _ in range(N):
            update()
        return loop
    for _ in range(N):
        for sampler in loop.task.samplers.values():
            sampler.ahead(1 + cfg.d_steps * bool(loop.opt_d))
        loop.update()
    return loop


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"w_gan": 0.0},
        {"d_steps": 2},
        {"lr_schedule": "cosine", "ema": 0.1},
        {"w_r1": 1.0, "penalty_every": 3},
    ],
    ids=str,
)
def test_it_does_what_updates_one_by_one_do(change, pretend):
    cfg = TINY.replace(**change)
    graph, plain = (trained(cfg, g) for g in (True, False))
    differing = same(graph.state(), plain.state())
    assert all("/lr: " in of for of in differing)  # a float32 where the host has a float64
    assert graph.means() == plain.means() and graph.rates() == pytest.approx(plain.rates())
    assert len(pretend) == (2 if "penalty_every" in change else 1)


def test_numbers_that_change_lie_where_the_graph_reads_them(pretend):
    loop = loop_of("l2h", TINY.replace(lr_schedule="cosine", ema=10.0, h2l_steps=2 * N), bilinear)
    update = GraphedUpdate(loop)
    seen = []
    for _ in range(N):
        update()
        if pretend:
            seen.append([(id(x), float(x)) for x in pretend[0].read])
    first, last = seen[0], seen[-1]
    assert [i for i, _ in first] == [i for i, _ in last]
    assert all(a > b for (_, a), (_, b) in zip(first, last, strict=True)), (first, last)


def test_only_what_one_gpu_does_alone_is_recorded(monkeypatch):
    loop = loop_of("l2h", TINY, bilinear)
    assert not can_be_recorded(loop) and fastest_update(loop) == loop.update
    loop.task.device = SimpleNamespace(type="cuda")
    assert can_be_recorded(loop)
    monkeypatch.setattr(graphs.parallel, "size", lambda: 2)
    assert not can_be_recorded(loop)
    monkeypatch.undo()
    loop.task.samplers["past"] = SimpleNamespace()
    assert not can_be_recorded(loop)
    del loop.task.samplers["past"]
    loop.cfg = loop.cfg.replace(cuda_graphs=False)
    assert not can_be_recorded(loop)
