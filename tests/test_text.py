"""One escaping of names, whatever they hold."""

import json

import hypothesis
import pytest
from hypothesis import strategies as st

from hlgan_lib.text import shown


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("plain name, ümläut, 人脸 and $x$", "plain name, ümläut, 人脸 and $x$"),
        ("new\nline\ttab\r", r"new\nline\ttab\r"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        (b"caf\xe9".decode("utf-8", "surrogateescape"), r"caf\udce9"),
        ("\u202egnp.a", r"\u202egnp.a"),
        ("nul\0", r"nul\x00"),
        ("wide\u3000space", "wide\u3000space"),
    ],
)
def test_what_is_not_printable_is_escaped(name, line):
    assert shown(name) == line


@hypothesis.given(st.text(st.characters(exclude_categories=())))
def test_every_text_becomes_one_line_that_can_be_written(text):
    line = shown(text)
    assert line.encode() and len(line.splitlines()) <= 1 or text == ""
    assert "\x1b" not in line and json.loads(json.dumps(line)) == line
    assert shown(line) == line
