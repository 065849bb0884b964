"""An update as one CUDA graph: recorded once, then replayed by a single launch.

An update is some thousand small kernels. A GPU is done with each before the processor has launched
the next, and stands idle for most of the time; a graph launches all of them at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import torch

from . import parallel
from .data.sampling import Sampler
from .loop import Loop
from .tasks.base import Logs

# Updates done one by one before a graph is recorded: libraries set themselves up in the first ones.
WARM_UP = 3

Penalties = tuple[bool, ...]  # of each discriminator update, whether its penalties are due


def can_be_recorded(loop: Loop) -> bool:
    """Whether an update is nothing but operations of one CUDA device.

    Several processes meet on the host, and CycleGAN's history of images grows there.
    """
    one_gpu = loop.task.device.type == "cuda" and parallel.size() == 1
    return loop.cfg.cuda_graphs and one_gpu and len(_samplers(loop)) == len(loop.task.samplers)


def _samplers(loop: Loop) -> list[Sampler]:
    return [s for s in loop.task.samplers.values() if isinstance(s, Sampler)]


def fastest_update(loop: Loop) -> Callable[[], None]:
    """`loop.update`, or on a GPU the same as a graph.

    Args:
        loop: where it stands: after a checkpoint was loaded.

    Returns:
        A function that does one update.
    """
    return GraphedUpdate(loop) if can_be_recorded(loop) else loop.update


class GraphedUpdate:
    """Calls do what `loop.update()` does, the first ones one by one, the others as a graph.

    Numbers that change from step to step lie in tensors that the graph reads: learning rates, the
    rate of the average, and which images a batch holds. So the images of an update's batches are
    drawn before it, not between its halves, which gives another order of random draws than
    `loop.update()`, and the same one in every run. What a task decides by the number of updates
    (lazy penalties) is a graph of its own.

    Args:
        loop: on a CUDA device, where it stands (after a checkpoint was loaded).
    """

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.n_batches = 1 + (loop.cfg.d_steps if loop.opt_d else 0)
        self.done: Counter[Penalties] = Counter()
        self.graphs: dict[Penalties, tuple[torch.cuda.CUDAGraph, Logs]] = {}
        device = loop.task.device
        self.side = torch.cuda.Stream(device)
        loop.ema_rate = torch.zeros((), device=device)
        for opt, _ in loop.lrs:
            for group in opt.param_groups:
                group["lr"] = torch.full((), float(group["lr"]), device=device)

    def __call__(self) -> None:
        """One update."""
        loop = self.loop
        loop.set_rates()
        for sampler in _samplers(loop):
            sampler.ahead(self.n_batches)
        key = self._penalties()
        if self.done[key] < WARM_UP:
            logs = self._one_by_one()
        else:
            if key not in self.graphs:
                self.graphs[key] = self._recorded()
            graph, logs = self.graphs[key]
            graph.replay()
            for sampler in _samplers(loop):
                sampler.come = self.n_batches
        self.done[key] += 1
        loop.count(logs)

    def _penalties(self) -> Penalties:
        loop = self.loop
        first, every = loop.step * loop.cfg.d_steps, loop.cfg.penalty_every
        return tuple((first + i) % every == 0 for i in range(self.n_batches - 1))

    def _one_by_one(self) -> Logs:
        """Not on the default stream, on which nothing can be recorded."""
        now = torch.cuda.current_stream(self.loop.task.device)
        self.side.wait_stream(now)
        with torch.cuda.stream(self.side):
            logs = self.loop.compute()
        now.wait_stream(self.side)
        return logs

    def _recorded(self) -> tuple[torch.cuda.CUDAGraph, Logs]:
        """The graph of an update, and where it leaves its log values. Nothing is computed yet."""
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self.loop.task.rng)
        with torch.cuda.graph(graph, stream=self.side):
            logs = self.loop.compute()
        return graph, {name: value.detach() for name, value in logs.items()}
