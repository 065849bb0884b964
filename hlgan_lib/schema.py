"""Values that were read from a file, held against the types that they should have.

Everything that the library stores as JSON is described by a `TypedDict` or a dataclass, and comes
back through `read_json` and nothing else: what fits the description is returned, all else is one
`HLError`. Our own seventy lines, as the alternative, pydantic, brings a compiled package into
environments that pin theirs, turns "1" into 1 unless it is told not to, and speaks in many lines.
"""

from __future__ import annotations

import json
import math
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from .errors import HLError

MAX_BYTES = 256_000_000  # of a JSON file: a hundred times the largest that this library writes


class Misfit(ValueError):
    """A value of another type than it should have; the message says where, in one line."""


def read_json(path: Path, kind: Any, what: str, remedy: str) -> Any:
    """What a JSON file holds, where it is of that type.

    Args:
        path: the file.
        kind: a TypedDict, a dataclass, or any type that `checked` knows.
        what: the file in words.
        remedy: what an error tells to do.

    Returns:
        The value, of type `kind`.

    Raises:
        HLError: where the file cannot be read, is no JSON, or holds something else.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise Misfit(f"more than {MAX_BYTES:,} bytes")
        return checked(loads(path.read_bytes()), kind)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise HLError(f"{what} {path} cannot be read ({reason}): {remedy}") from error


def loads(text: str | bytes) -> Any:
    """The value of a JSON text. Raises ValueError, in one line, for anything else."""
    try:
        return json.loads(text)
    except UnicodeDecodeError as error:
        raise ValueError("it is no UTF-8 text") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def checked(value: Any, kind: Any, at: str = "it") -> Any:
    """The value, where it is of that type; lists, dictionaries and dataclasses all the way down.

    Args:
        value: what `json.loads` gave, or the state of a checkpoint.
        kind: a TypedDict (more keys are fine), a dataclass (they are not), a Literal, a union, a
            list, a tuple, a dict with keys of strings, or a class. Numbers must be finite, True is
            no number.
        at: where the value was found.

    Returns:
        The value; of a dataclass, an instance made of it.

    Raises:
        Misfit: where it is not.
    """
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin is Annotated:
        return checked(value, inner[0], at)
    if origin is Literal:
        return _that(
            any(type(value) is type(one) and value == one for one in inner), value, kind, at
        )
    if origin in (Union, UnionType):
        return _one_of(value, inner, kind, at)
    if is_typeddict(kind):
        return _typed_dict(value, kind, at)
    if is_dataclass(kind):
        return _instance(value, cast(type, kind), at)
    if origin is dict:
        _that(isinstance(value, dict), value, dict, at)
        of_keys = all(isinstance(key, inner[0]) for key in value)
        _that(of_keys, "other keys", kind, at)
        return {key: checked(v, inner[1], f"{at}.{_key(key)}") for key, v in value.items()}
    if origin is tuple:  # of JSON a list, of just so many
        fits = isinstance(value, (list, tuple)) and len(value) == len(inner)
        _that(fits, value, kind, at)
        return tuple(checked(v, k, f"{at}[{i}]") for i, (v, k) in enumerate(zip(value, inner)))
    if origin is list:
        _that(isinstance(value, list), value, list, at)
        return [checked(v, inner[0], f"{at}[{i}]") for i, v in enumerate(value)]
    if kind in (int, float):
        fits = _that(_is_number(value, kind), value, kind, at)
        return kind(fits)  # an int where a float is meant may be beyond all that torch takes
    return _that(isinstance(value, NoneType if kind is None else kind), value, kind, at)


def plain(error: Exception) -> str:
    """What an error of another library says of a damaged file: one printable line, not long."""
    return ascii(" ".join(str(error).split()))[1:-1][:200]


def _key(key: Any) -> str:
    """A key as an error may show it."""
    return ascii(key).strip("'")[:40]


def _is_number(value: Any, kind: type) -> bool:
    if isinstance(value, bool) or not isinstance(value, int if kind is int else (int, float)):
        return False
    try:
        return kind is int or math.isfinite(float(value))
    except OverflowError:  # an int beyond all floats
        return False


def _that(fits: bool, value: Any, kind: Any, at: str) -> Any:
    """The value. Raises Misfit where it does not fit."""
    if fits:
        return value
    name = kind.__name__ if isinstance(kind, type) else str(kind)
    raise Misfit(f"{at} must be {name.replace('typing.', '')}, got {shortened(value)}")


def shortened(value: Any) -> str:
    """At most 60 characters of a value, in ASCII and one line, and its type."""
    text = ascii(value) if isinstance(value, (str, int, float, bool)) else ""
    short = text if len(text) <= 60 else f"{text[:57]}..."
    return f"{type(value).__name__} {short}".strip()


def _one_of(value: Any, kinds: tuple[Any, ...], kind: Any, at: str) -> Any:
    wrong = []
    for one in kinds:
        try:
            return checked(value, one, at)
        except Misfit as error:
            wrong.append((one, error))
    reasons = [error for one, error in wrong if one is not NoneType]
    if len(reasons) == 1 and value is not None:  # it was to be that or None
        raise reasons[0]
    return _that(False, value, kind, at)


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _typed_dict(value: Any, kind: Any, at: str) -> dict[str, Any]:
    _that(isinstance(value, dict), value, kind, at)
    missing = sorted(kind.__required_keys__ - value.keys())
    if missing:
        raise Misfit(f"{at} lacks {', '.join(missing)}")
    kinds = _hints(kind)
    kept = {}
    for key, own in value.items():
        kept[key] = checked(own, kinds[key], f"{at}.{key}") if key in kinds else own
    return kept


def _instance(value: Any, kind: type, at: str) -> Any:
    _that(isinstance(value, dict), value, kind, at)
    own = {f.name: f for f in fields(kind) if f.init}
    unknown = sorted(ascii(key) for key in value.keys() - own.keys())
    needed = [n for n, f in own.items() if f.default is MISSING and f.default_factory is MISSING]
    missing = [name for name in needed if name not in value]
    if unknown or missing:
        wrong = f"unknown {', '.join(unknown)}" if unknown else f"lacks {', '.join(missing)}"
        raise Misfit(f"{at}: {wrong[:100]}")
    kinds = _hints(kind)
    return kind(**{key: checked(v, kinds[key], f"{at}.{key}") for key, v in value.items()})
