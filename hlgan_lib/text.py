"""Text that leaves the library: any name as one printable line, any values as JSON."""

from __future__ import annotations

import json
import math
import unicodedata
from typing import Any


def shown(text: object) -> str:
    r"""The one escaping of names, for the terminal, JSON, CSV, metadata and figures.

    What is not printable becomes its escape, as `repr` writes it: control characters and escape
    codes, line breaks, marks that turn the direction of writing, and bytes that are no UTF-8.

    Args:
        text: a name, a path, or a message that holds some.

    Returns:
        One line that every encoding of Unicode holds.

    >>> print(shown("new\nline \x1b[31m caf\udce9 人脸"))
    new\nline \x1b[31m caf\udce9 人脸
    """
    line = str(text)
    if line.isprintable():
        return line
    return "".join(c if _is_printable(c) else ascii(c)[1:-1] for c in line)


def _is_printable(c: str) -> bool:
    return c.isprintable() or unicodedata.category(c) == "Zs"  # spaces of other scripts


def counted(n: int, one: str, several: str) -> str:
    """A number with its words.

    >>> counted(1, "pair is", "pairs are"), counted(2000, "pair is", "pairs are")
    ('1 pair is', '2,000 pairs are')
    """
    return f"{n:,} {one if n == 1 else several}"


def as_json(values: Any, **style: Any) -> str:
    """Values as JSON, the one way in which the library writes it.

    JSON has no NaN and no infinity, and other programs refuse a file that holds one: a number that
    is not finite was not measured, and becomes null.

    Args:
        values: nested dictionaries and lists of plain values.
        style: what `json.dumps` takes beside them, such as indent.

    Returns:
        The text.

    Raises:
        TypeError: for a value that JSON has no form for.

    >>> as_json({"psnr": math.inf, "ssim": 1.0, "faces": [math.nan, 2]})
    '{"psnr": null, "ssim": 1.0, "faces": [null, 2]}'
    """
    return json.dumps(_finite(values), allow_nan=False, **style)


def _finite(value: Any) -> Any:
    """The same with None for each number that is not finite."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(own) for key, own in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(own) for own in value]
    return value
