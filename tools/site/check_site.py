"""Check a folder of HTML pages: python tools/site/check_site.py outputs/book

Every link and picture that does not leave the site must lead to a file in it, every anchor to an id
of that page, every picture needs alt text, and no page may load anything from another host.
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

SILENT = (
    "icon",
    "preload",
    "canonical",
    "next",
    "prev",
    "search",
    "index",
)  # link elements that load nothing to read


class Page(HTMLParser):
    """What one page has and what it points to.

    Ids, links, loaded files, pictures without alt text.
    """

    def __init__(self, text: str):
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.pictures = 0
        self.mute: list[str] = []  # addresses of pictures without alt text
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        a = {key: value or "" for key, value in attrs}
        href, src = a.get("href", ""), a.get("src", "")
        self.ids |= {a[k] for k in ("id", "name") if a.get(k)}
        if tag == "a" and href:
            self.links.append(href)
        if src and tag in ("img", "script", "source", "iframe", "video", "audio"):
            self.loads.append(src)
        if tag == "link" and href and "stylesheet" in a.get("rel", ""):
            self.loads.append(href)
        if tag == "img":
            self.pictures += 1
            if len(a.get("alt", "").strip()) < 3 and a.get("role") != "presentation":
                self.mute.append(src[:60])

    handle_startendtag = handle_starttag


def problems(site: Path) -> tuple[list[str], dict[str, int]]:
    """(what is wrong, one line each; how much was looked at: pages, links, pictures)."""
    pages = {path: Page(path.read_text("utf-8")) for path in sorted(site.rglob("*.html"))}
    wrong: list[str] = []
    for path, page in pages.items():
        name = path.relative_to(site)
        wrong += [f"{name}: picture without alt text: {src}" for src in page.mute]
        for target in page.links + page.loads:
            parts = urlsplit(target)
            if parts.scheme == "data" or target in page.links and (parts.scheme or parts.netloc):
                continue
            if parts.scheme or parts.netloc:
                wrong.append(f"{name}: loads from another host: {target}")
                continue
            to = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not to.is_relative_to(site.resolve()) or not to.is_file():
                wrong.append(f"{name}: leads nowhere: {target}")
            elif parts.fragment and to in pages and unquote(parts.fragment) not in pages[to].ids:
                wrong.append(f"{name}: no such place: {target}")
    return wrong, {
        "pages": len(pages),
        "links": sum(len(p.links) for p in pages.values()),
        "pictures": sum(p.pictures for p in pages.values()),
    }


def report(site: Path) -> int:
    """Print what is wrong and what was looked at; 1 if anything is wrong or there is no page."""
    wrong, seen = problems(site.resolve())
    print(*wrong, sep="\n", end="\n" if wrong else "")
    looked_at = ", ".join(f"{n} {what}" for what, n in seen.items())
    print(f"{site}: {looked_at}; {len(wrong)} problems")
    return int(bool(wrong) or not seen["pages"])


if __name__ == "__main__":
    sys.exit(report(Path(sys.argv[1]).expanduser()) if len(sys.argv) == 2 else print(__doc__) or 2)
