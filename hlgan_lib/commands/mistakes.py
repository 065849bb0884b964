"""What tyro says of a mistake on the command line, in one line.

tyro prints a framed box for people. Its format is no promise: `tests/commands/test_mistakes.py`
pins what is read here, and of a box that is not recognised the raw text is shown.
"""

from __future__ import annotations

import re

FRAME = "│╭╰╮╯|+ "  # of ASCII in plain terminals
RULE = re.compile(r"[─-]{3,}")
FLAG = re.compile(r"--\w[\w-]*")
TITLES = (
    "Required options",
    "Unrecognized options",
    "Missing subcommand",
    "Missing argument",
    "Invalid choice",
    "Value error",
)


def in_one_line(box: str) -> str:
    r"""The gist of one of tyro's boxes; the raw text, as one line, of anything else.

    >>> in_one_line("╭─ Invalid choice ─╮\n│ no fog here.     │\n╰──────────────────╯")
    'no fog here'
    >>> in_one_line("Something\nelse: ")
    'Something else'
    """
    title, *lines = [line.strip(FRAME) for line in box.strip().splitlines()] or [""]
    parts = _parts(lines)
    if title.strip("─- ") not in TITLES or not parts:
        return _flat(box)

    if "Required options" in title:
        flags = [match[0] for match in map(FLAG.match, parts[0]) if match]
        return f"missing: {', '.join(flags)}" if flags else _flat(box)

    # The first part says what is wrong; a later one may know the flag that was meant.
    text = re.sub(r"^Error parsing \S+\.cfg: ", "", " ".join(parts[0]))
    text = text.rstrip(".: ")
    for part in parts[1:]:
        meant = FLAG.match(part[1]) if len(part) > 1 else None
        if part[0] == "Perhaps you meant:" and meant:
            text += f", did you mean {meant[0]}"
    return text


def _parts(lines: list[str]) -> list[list[str]]:
    """The lines of a box between its rules, without empty ones."""
    parts: list[list[str]] = [[]]
    for line in lines:
        if RULE.fullmatch(line):
            parts.append([])
        elif line:
            parts[-1].append(line)
    return [part for part in parts if part]


def _flat(text: str) -> str:
    """The words of a text that is in no known form, without frames."""
    words = [word for word in text.split() if word.strip(f"{FRAME}─-")]
    return " ".join(words).rstrip(".: ") or "the command line cannot be understood"
