"""The book: a site of all notebooks and docs, without dead links, mute pictures or anything from
other hosts.
"""

import html
import importlib.util
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / "tools" / "site"


@pytest.fixture(scope="module")
def check():
    spec = importlib.util.spec_from_file_location("check_site", TOOLS / "check_site.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def book(out):
    """Build the site in `out`; the seconds that it took."""
    for name in ("sphinx", "myst_nb", "furo", "latex2mathml"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f'{name} is not installed: pip install "hlgan_lib[book]"')
    start = time.monotonic()
    ran = subprocess.run(
        [sys.executable, str(TOOLS / "make_book.py"), str(out)], capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "; 0 problems" in ran.stdout
    return time.monotonic() - start


@pytest.mark.slow
def test_the_book_holds_every_page_and_alt_text_and_no_student_copy(tmp_path):
    out, seconds = tmp_path, book(tmp_path)
    pages = {p.relative_to(out).as_posix() for p in out.rglob("*.html")}
    wanted = {
        f"{p.parent.name}/{p.stem}.html"
        for folder, kind in (("notebooks", "ipynb"), ("docs", "md"))
        for p in (ROOT / folder).glob(f"*.{kind}")
    }
    assert pages - {"genindex.html", "search.html"} == wanted | {"index.html"}
    front = (out / "index.html").read_text("utf-8")
    assert "learn the degradation first" in front and all(
        f'href="{page}"' in front for page in wanted
    )
    assert seconds < 120
    assert alt_texts_lost(out) == [] and "<math" in (
        out / "notebooks" / "05_evaluation.html"
    ).read_text("utf-8")


def alt_texts_lost(out):
    """Alt texts of pictures in the notebooks' outputs that are no picture's in the site."""
    alts = []
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        page = (out / "notebooks" / f"{path.stem}.html").read_text("utf-8")
        cells = json.loads(path.read_text("utf-8"))["cells"]
        said = [
            about["alt"]
            for c in cells
            for o in c.get("outputs", [])
            for kind, about in o.get("metadata", {}).items()
            if kind.startswith("image/")
        ]
        there = [html.unescape(a) for a in re.findall(r'<img[^>]* ?alt="([^"]+)"', page)]
        assert len(there) >= len(said)
        alts += [a for a in said if a not in there]
    return alts


GOOD = (
    '<html><body id="top"><a href="b.html#here">b</a><img src="dot.png" alt="a '
    'grey dot"></body></html>'
)


@pytest.mark.parametrize(
    "page, word",
    [
        ('<a href="c.html">c</a>', "leads nowhere: c.html"),
        ('<a href="b.html#there">b</a>', "no such place: b.html#there"),
        ('<a href="#top2">up</a>', "no such place: #top2"),
        ('<a href="../../etc">out</a>', "leads nowhere"),
        ('<img src="none.png" alt="nothing here">', "leads nowhere: none.png"),
        ('<img src="dot.png">', "picture without alt text: dot.png"),
        ('<img src="dot.png" alt=" ">', "picture without alt text: dot.png"),
        ('<script src="https://cdn.example.org/x.js"></script>', "loads from another host"),
        ('<link rel="stylesheet" href="//example.org/x.css">', "loads from another host"),
    ],
)
def test_the_check_finds_what_is_wrong(check, tmp_path, page, word, capsys):
    (tmp_path / "a.html").write_text(GOOD)
    (tmp_path / "b.html").write_text(
        '<p id="here">b <a href="https://example.org/else">out</a></p>'
    )
    (tmp_path / "dot.png").write_bytes(b"")
    assert check.report(tmp_path) == 0 and "2 pages" in capsys.readouterr().out
    (tmp_path / "a.html").write_text(GOOD + page)
    wrong, _ = check.problems(tmp_path)
    assert len(wrong) == 1 and word in wrong[0] and wrong[0].startswith("a.html: ")
    assert check.report(tmp_path) == 1


def test_no_page_is_no_site(check, tmp_path):
    assert check.report(tmp_path) == 1
