"""A mistake on the command line, in one line.

Commands and flags that do not exist are found here, with the one that was probably meant; of all
else tyro speaks, in a framed box for people. Its format is no promise:
`tests/commands/test_mistakes.py` pins what is read, and of a box that is not recognised the raw
text is shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
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
    box = COLOUR.sub("", box)
    title, *lines = [line.strip(FRAME) for line in box.strip().splitlines()] or [""]
    parts = _parts(lines)
    if title.strip("─- ") not in TITLES or not parts:
        return _flat(box)

    if "Required options" in title:
        flags = [match[0] for match in map(FLAG.match, parts[0]) if match]
        return f"missing: {', '.join(flags)}" if flags else _flat(box)

    # The first part says what is wrong; a later one may know the flag that was meant.
    text = re.sub(r"^Error parsing \S+\.cfg: ", "", " ".join(parts[0]))
    text = re.sub(r"\('(--[\w-]+)',\)", r"\1", text)  # how older versions name a flag
    text = text.rstrip(".: ")
    for part in parts[1:]:
        meant = FLAG.match(part[1]) if len(part) > 1 else None
        if part[0] == "Perhaps you meant:" and meant:
            text += f", did you mean {meant[0]}"
    return text


def unknown_command(before: str, word: str | None, commands: Iterable[str]) -> str:
    """What is wrong with a word that is no command.

    >>> unknown_command("hlgan", "trian", ["train", "demo"])
    "hlgan must be followed by one of train, demo, got 'trian', did you mean train"
    """
    known = list(commands)
    got = "nothing" if word is None else f"{word!r}{_meant(word, known)}"
    return f"{before} must be followed by one of {', '.join(known)}, got {got}"


def unknown_flag(argv: Sequence[str], flags: Iterable[str]) -> str | None:
    """What is wrong with the first flag that does not exist; None where all do.

    >>> unknown_flag(["--wieghts=x"], ["--out", "--weights"])
    'no flag --wieghts, did you mean --weights'
    """
    known = list(flags)
    for word in argv:
        flag = word.split("=")[0]
        dashes = len(flag) - len(flag.lstrip("-"))
        if dashes == 0 or flag.lstrip("-")[:1] in tuple("0123456789."):  # a number may be negative
            continue
        flag = "--" + flag.strip("-").replace("_", "-")
        if dashes != 2 or flag not in known:
            return f"no flag {word.split('=')[0]}{_meant(flag, known)}"
    return None


def flags_of(help_text: str) -> list[str]:
    """The flags that a command's help names."""
    return sorted(set(FLAG.findall(COLOUR.sub("", help_text))))


def several_values(argv: Sequence[str]) -> str | None:
    """Which flag has more than one value, as of a pattern that a shell has expanded."""
    flag, values = "", [""]
    for word in [*argv, "--"]:
        if not word.startswith("--"):
            values.append(word)
        else:
            if flag and len(values) > 1:
                return (
                    f"{flag} takes one value, got {len(values)}, {values[0]} and others: give the "
                    "folder that holds them"
                )
            flag, values = word, []
    return None


def _meant(word: str, known: list[str]) -> str:
    close = get_close_matches(word, known, n=1)
    return f", did you mean {close[0]}" if close else ""


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
