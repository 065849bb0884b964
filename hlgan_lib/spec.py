"""What is known of one configuration field: meaning, unit, bounds, source, and who reads it."""

from __future__ import annotations

import math
from typing import Any

from typing_extensions import Doc

from .errors import HLError
from .schema import Misfit, checked

SOURCES = ("paper", "released code", "ours")


class Spec(Doc):
    """What is known of a field. The command line shows it, `RunConfig` checks by it.

    Args:
        meaning: what the field means.
        unit: its unit.
        source: where the default comes from: `paper`, `released code` or `ours` (see
            `docs/paper.md`).
        why: a note on the source.
        low: the smallest number allowed; without it any will do.
        below: what a number must stay below.
        power_of_two: must the number be one?
        readers: the stages whose weights the field decides; None means every stage.

    Attributes:
        kind: the type of the field.
        choices: the values of a field with a closed list.
    """

    kind: Any = Any

    def __init__(
        self,
        meaning: str,
        unit: str,
        source: str,
        why: str = "",
        *,
        low: float | None = None,
        below: float = math.inf,
        power_of_two: bool = False,
        readers: tuple[str, ...] | None = None,
    ) -> None:
        self.meaning, self.unit, self.source, self.why = meaning, unit, source, why
        self.low, self.below, self.power_of_two = low, below, power_of_two
        self.readers = readers
        self.choices: tuple[str, ...] = ()
        notes = [unit, f"{source}: {why}" if why else source]
        if low or below < math.inf:
            notes.append(self.bounds)
        if readers is not None:
            notes.append(f"only {', '.join(readers)}" if readers else "changes no weight")
        super().__init__(f"{meaning} [{'; '.join(notes)}]")

    @property
    def bounds(self) -> str:
        """What a number must be, in words."""
        words = f"{self.low} or more"
        if self.power_of_two:
            words = f"a power of two of {words}"
        if self.below < math.inf:
            words += f" and below {self.below}"
        return words

    def check(self, name: str, value: Any) -> None:
        """Raise HLError, in one line, unless the field called `name` may have this value."""
        if self.choices and not (isinstance(value, str) and value in self.choices):
            raise HLError(f"{name} must be one of {', '.join(self.choices)}, got {value!r}")
        try:
            checked(value, self.kind, name)
        except Misfit as error:
            raise HLError(f"{error}: {self.meaning}") from error
        if self.low is not None:
            inside = self.low <= value < self.below  # false for NaN
            if not inside or (self.power_of_two and value & (value - 1)):
                raise HLError(f"{name} must be {self.bounds}, got {value}: {self.meaning}")
