"""Small tables: the same rows as HTML and as text."""

import re

import hlgan_lib.notebook as notebook
from hlgan_lib.notebook.tables import Table

ROWS = {"bicubic": {"PSNR": 18.789, "SSIM": "0.53 [0.52, 0.54]"}, "a <b>": {"PSNR": 9.0, "n": 3}}


def test_columns_come_in_their_first_order_and_what_is_not_named_stays_blank():
    assert Table(ROWS, ".2f").lines == [
        ["", "PSNR", "SSIM", "n"],
        ["bicubic", "18.79", "0.53 [0.52, 0.54]", ""],
        ["a <b>", "9.00", "", "3.00"],
    ]


def test_as_text_names_stand_left_and_numbers_right():
    assert repr(Table({"one": {"x": 1.0}, "eleven": {"x": 11.5}}, ".1f")).splitlines() == [
        "           x",
        "one      1.0",
        "eleven  11.5",
    ]


def test_as_html_every_cell_is_there_escaped_and_on_one_line():
    html = Table(ROWS, ".2f")._repr_html_()
    cells = re.findall(r"<t[dh] ([^>]*)>(.*?)</t[dh]>", html)
    assert len(cells) == 3 * 4
    assert all("nowrap" in style for style, _ in cells)
    assert ("a &lt;b&gt;" in [text for _, text in cells]) and "<b>" not in html
    assert [("left" in style) for style, _ in cells] == [True, False, False, False] * 3


def test_it_shows_itself_in_the_middle_of_a_cell_and_nothing_for_no_rows(capsys):
    assert notebook.table(ROWS, ".2f", "Two & three") is None
    title, head, *_ = capsys.readouterr().out.splitlines()
    assert title == "Two & three" and head.split() == ["PSNR", "SSIM", "n"]
    assert "<strong>Two &amp; three</strong>" in Table(ROWS, ".2f", "Two & three")._repr_html_()
    notebook.table({})
    assert capsys.readouterr().out == ""
