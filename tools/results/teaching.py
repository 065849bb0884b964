"""Fill in the numbers of docs/teaching.md from results/ (`make results` calls this).

    python tools/results/teaching.py

A row says where its number stands, `results/FILE.json` > key > key; the value keeps the digits and
the % that it has.
"""

from __future__ import annotations

import json
import re
from functools import reduce
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "teaching.md"
ROW = re.compile(
    r"^\| (?P<name>N\d+) \| (?P<what>.+) \| (?P<value>[^|]+) "
    r"\| `(?P<file>[\w/.-]+)` > (?P<keys>.+) \|$",
    re.M,
)


def stored(file: str, keys: str, root: Path = ROOT) -> float | list[float]:
    """The number at this place, or several."""
    whole = json.loads((root / file).read_text("utf-8"))
    return reduce(
        lambda at, key: at[int(key) if isinstance(at, list) else key], keys.split(" > "), whole
    )


def written(value: float | list[float], like: str) -> str:
    """The number with as many digits as `like` has, in per cent where that is.

    Several with "and" between.

    >>> written(0.0917, "1.1 %"), written([84.5, 141.6], "0")
    ('9.2 %', '84 and 142')
    """
    if isinstance(value, list):
        return " and ".join(written(v, like) for v in value)
    digits = len((re.search(r"\.(\d+)", like) or ["", ""])[1])
    return f"{100 * value:.{digits}f} %" if like.endswith("%") else f"{value:.{digits}f}"


def filled(text: str, root: Path = ROOT) -> str:
    """The page with the stored numbers in its rows."""

    def row(m: re.Match) -> str:
        value = written(stored(m["file"], m["keys"], root), m["value"])
        return f"| {m['name']} | {m['what']} | {value} | `{m['file']}` > {m['keys']} |"

    return ROW.sub(row, text)


if __name__ == "__main__":
    page = PAGE.read_text("utf-8")
    PAGE.write_text(filled(page), "utf-8")
    print(f"{PAGE.relative_to(ROOT)}: {len(ROW.findall(page))} numbers from results/")
