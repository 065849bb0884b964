"""Seeded draws: numbers from a generator on any device, and subsets by seed.

Every random number of the library comes from a `torch.Generator` that the caller seeds, so that the
same seed gives the same pixels. A generator belongs to a device; `Draws` draws there and hands the
numbers over where they are needed.
"""

from __future__ import annotations

import operator

import numpy as np
import torch
from torch import Tensor

from .errors import HLError
from .schema import shortened


def seeded(seed: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A stream of random numbers of its own: the same seed gives the same numbers.

    Args:
        seed: any whole number of 64 bits.
        device: where the numbers are drawn.

    Returns:
        The generator.

    Raises:
        HLError: for another seed.
    """
    try:
        number = operator.index(seed)
    except TypeError:
        number = 2**64  # no seed either
    if isinstance(seed, bool) or not -(2**63) <= number < 2**64:
        raise HLError(f"seed must be a whole number of 64 bits, got {shortened(seed)}")
    return torch.Generator(device).manual_seed(number)


class Draws:
    """Draws n numbers at a time, one for each image of a batch.

    Args:
        n: how many numbers each call draws.
        generator: where they come from; each call moves it on.
        device: where the numbers are needed.
    """

    def __init__(self, n: int, generator: torch.Generator, device: torch.device) -> None:
        self.n = n
        self.generator = generator
        self.device = device

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Uniform between low and high: (n, *shape).

        Args:
            low: the smallest.
            high: the largest.
            *shape: of each draw.

        Returns:
            (n, *shape).
        """
        u = torch.rand(self.n, *shape, generator=self.generator, device=self.generator.device)
        return (low + (high - low) * u).to(self.device)

    def log_uniform(self, low: float, high: float) -> Tensor:
        """Between low and high, uniform in their logarithm: (n,).

        Args:
            low: the smallest, above 0.
            high: the largest.

        Returns:
            (n,).
        """
        low, high = (float(np.log(np.float32(bound))) for bound in (low, high))
        return torch.exp(self.uniform(low, high))

    def mild(self, largest: float, power: float) -> Tensor:
        """largest * u^power: mostly small, now and then large.

        Args:
            largest: the largest.
            power: how rarely it is large.

        Returns:
            (n,).
        """
        return largest * self.uniform(0, 1) ** power

    def middling(self, low: float, high: float) -> Tensor:
        """The mean of two uniform draws, a triangle around the middle of the range.

        Args:
            low: the smallest.
            high: the largest.

        Returns:
            (n,).
        """
        return (self.uniform(low, high) + self.uniform(low, high)) / 2

    def integer(self, low: int, high: int, *shape: int) -> Tensor:
        """Whole numbers, each as likely.

        Args:
            low: the smallest.
            high: the largest, included.
            *shape: of each draw.

        Returns:
            int64 (n, *shape).
        """
        return self.uniform(low, high + 1, *shape).floor().clamp(max=high).long()

    def chance(self, p: float) -> Tensor:
        """True with probability p: bool (n,)."""
        return self.uniform(0, 1) < p

    def normal(self, *shape: int) -> Tensor:
        """Normal numbers of mean 0 and standard deviation 1: (n, *shape)."""
        drawn = torch.randn(self.n, *shape, generator=self.generator, device=self.generator.device)
        return drawn.to(self.device)


def restore(generator: torch.Generator, state: Tensor) -> bool:
    """Set a generator to a stored state.

    Args:
        generator: the one to set.
        state: what `get_state` gave, perhaps on another kind of device.

    Returns:
        False, and nothing done, where the state is of another kind of device.
    """
    state = state.cpu()
    fits = len(state) == len(generator.get_state())
    if fits:
        generator.set_state(state)
    return fits


def subsample(n: int, k: int, seed: int) -> Tensor:
    """At most k of the numbers 0..n-1, in random order by seed: int64 (min(n, k),).

    Args:
        n: how many there are.
        k: how many are wanted.
        seed: of the order.

    Returns:
        int64 (min(n, k),).
    """
    return torch.randperm(n, generator=seeded(seed))[:k]
