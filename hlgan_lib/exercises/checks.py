"""How the exercises compare.

what a learner made against the library's own, with a hint for each known mistake.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from ..data.loading import load_faces


def numbers(got: Any, want: Any, *mistakes: tuple, tolerance: float = 1e-4) -> str | None:
    """None where `got` is `want`.

    Else the hint of the mistake that gives it, else where the two differ.

    got, want: a number, a sequence of numbers or a tensor; where `want` is a tensor, `got` must be
    one too, as the next cell goes on with it. mistakes: (hint, what that mistake gives, ...).
    tolerance: as a part of the largest number of `want`.
    """
    if got is None:
        return "the function gives nothing back: does it end with `return`?"
    right = no_tensor(got) if torch.is_tensor(want) else None
    try:
        got = torch.as_tensor(got).detach().double()
    except (TypeError, ValueError, RuntimeError):
        return f"a number or a tensor is expected, and this is of type {type(got).__name__}."
    want = torch.as_tensor(want).double()
    for hint, *values in ((right, want), *mistakes):
        for value in (torch.as_tensor(v).double() for v in values):
            if (
                got.shape == value.shape
                and (got - value).abs().max() <= tolerance * want.abs().max()
            ):
                return hint
    if got.shape != want.shape:
        return f"its shape is {tuple(got.shape)}, and {tuple(want.shape)} is expected."
    return f"it gives {_some(got)} where the reference gives another number."


def no_tensor(got: Any) -> str | None:
    """None for a tensor; of what holds the right numbers otherwise, what to give back."""
    if torch.is_tensor(got):
        return None
    number = isinstance(got, (int, float))
    kind = "a plain number" if number else f"of type {type(got).__name__}"
    return (
        f"the value is right, but it is {kind}, which knows no gradient and none of a tensor's "
        "methods: give the tensor back, without `.item()`, `float()`, `.tolist()` or `.numpy()`."
    )


def trained_through(got: Tensor, want: Tensor, *inputs: Tensor) -> str | None:
    """None where backward() of `got` gives each input the gradient that backward() of `want` does.

    For what is a tensor of the right value already (`numbers`): a detached one is too, and nothing
    can be trained by it.

    Args:
        got: the tensor that the learner's function gave.
        want: what the reference gives.
        *inputs: leaves with `requires_grad`, of which both were made.

    Returns:
        None, or the hint of what stands in the way.
    """
    if not got.requires_grad:
        return (
            "the value is right, but its gradient is cut off: without `.detach()`, `.data`, "
            "`torch.tensor(...)` or `torch.no_grad()` backward() can go through."
        )
    gradients = [torch.autograd.grad(x.sum(), inputs, allow_unused=True) for x in (got, want)]
    for mine, right in zip(*gradients, strict=True):
        if mine is None or not torch.allclose(mine, right, rtol=1e-3, atol=1e-7):
            return (
                "the value is right, but backward() brings another gradient: is a part of it "
                "detached, or put together from numbers?"
            )
    return None


def _some(x: Tensor) -> str:
    return ", ".join(f"{v:.3g}" for v in x.flatten()[:2].tolist()) + (
        ", ..." if x.numel() > 2 else ""
    )


def names(got: Any, want: Mapping[str, str], hints: Mapping[str, str]) -> str | None:
    """None where `got` gives every key of `want` its name.

    Else the hint of the first that is wrong.

    hints: by key, or by "key: name" where a wrong name has a hint of its own.
    """
    if not isinstance(got, Mapping) or set(got) != set(want):
        return "a dict with these keys is expected: " + ", ".join(map(repr, want)) + "."
    unknown = [v for v in got.values() if v not in want.values()]
    if unknown:
        return f"{unknown[0]!r} is none of the names: {', '.join(dict.fromkeys(want.values()))}."
    wrong = next((k for k in want if got[k] != want[k]), None)
    return None if wrong is None else hints.get(f"{wrong}: {got[wrong]}") or hints[wrong]


def letters(given: Iterable[str]) -> dict[str, str]:
    """Letter -> name, in the order of the names read backwards.

    An order that gives nothing away.
    """
    return dict(zip("ABCDEFGH", sorted(given, key=lambda name: name[::-1])))


def first(*wrong: tuple[Any, str]) -> str | None:
    """The hint of the first pair (condition, hint) whose condition is true, or None."""
    for condition, hint in wrong:
        if condition:
            return hint
    return None


def val_faces(n: int) -> tuple[Tensor, Tensor]:
    """The first n pairs of faces:val: HR and LR, in [-1, 1]."""
    hi, lo = load_faces("faces:val")
    return hi.batch(slice(0, n)), lo.batch(slice(0, n))
