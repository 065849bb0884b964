"""Seeded draws: numbers from a generator on any device, and subsets by seed."""

from __future__ import annotations

import torch
from torch import Tensor


class Draws:
    """Draws n numbers at a time from one generator, on its device, and hands them over on another."""

    def __init__(self, n: int, generator: torch.Generator, device: torch.device) -> None:
        self.n, self.generator, self.device = n, generator, device

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        u = torch.rand(self.n, *shape, generator=self.generator, device=self.generator.device)
        return (low + (high - low) * u).to(self.device)

    def log_uniform(self, low: float, high: float) -> Tensor:
        return torch.exp(
            self.uniform(torch.tensor(low).log().item(), torch.tensor(high).log().item())
        )

    def mild(self, largest: float, power: float) -> Tensor:
        """largest * u^power: mostly small, now and then large."""
        return largest * self.uniform(0, 1) ** power

    def middling(self, low: float, high: float) -> Tensor:
        """The mean of two uniform draws: a triangle around the middle of the range."""
        return (self.uniform(low, high) + self.uniform(low, high)) / 2

    def integer(self, low: int, high: int, *shape: int) -> Tensor:
        return self.uniform(low, high + 1, *shape).floor().clamp(max=high).long()

    def chance(self, p: float) -> Tensor:
        return self.uniform(0, 1) < p

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(
            self.n, *shape, generator=self.generator, device=self.generator.device
        ).to(self.device)


def restore(generator: torch.Generator, state: Tensor) -> bool:
    """Set a generator to a stored state; false, and nothing done, where that is of another kind of device."""
    state = state.cpu()
    fits = len(state) == len(generator.get_state())
    if fits:
        generator.set_state(state)
    return fits


def subsample(n: int, k: int, seed: int) -> Tensor:
    """At most k of n, in random order by seed."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed))[:k]
