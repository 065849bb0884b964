"""Any text as one printable line: names of files may hold anything but a slash and a NUL."""

from __future__ import annotations

import unicodedata


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
