"""A score: a number and what must stand beside it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Score:
    """A number and what must stand beside it, for a number alone says little.

    Attributes:
        value: the score itself.
        interval: [low, high] of its 95 % interval; None where it has none.
        n: how many pictures (or faces, or groups of faces) it was measured on.
        features: what was compared and how: feature network, protocol, colour channels, unit.
        floor: the same score where there is no difference to find: nearer is no better.
        floor_n: how many pictures the floor was measured on.
        sd: standard deviation over random subsets (kernel distance).
        note: what a reader must know beside, such as that a set was subsampled.

    >>> Score(21.5, [21.0, 22.0], n=600).as_dict("value", "ci", "n")
    {'value': 21.5, 'ci': [21.0, 22.0], 'n': 600}
    """

    value: float
    interval: list[float] | None = None
    n: int | None = None
    features: str | None = None
    floor: float | None = None
    floor_n: int | None = None
    sd: float | None = None
    note: str | None = None

    def as_dict(self, *keys: str) -> dict:
        """The form in which JSON holds a score; the interval is `ci` there.

        Args:
            keys: which to take, in this order; by default all eight.

        Returns:
            {"value", "n", "ci", "floor", "floor_n", "features", "sd", "note"}, or the keys asked
            for.
        """
        stored = {
            "value": self.value,
            "n": self.n,
            "ci": self.interval,
            "floor": self.floor,
            "floor_n": self.floor_n,
            "features": self.features,
            "sd": self.sd,
            "note": self.note,
        }
        return {key: stored[key] for key in keys} if keys else stored
