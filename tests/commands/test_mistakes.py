"""tyro's words for each kind of mistake, as read here; of an unknown format the raw text."""

import contextlib
import io
import sys

import pytest
import tyro

from hlgan_lib import cli
from hlgan_lib.commands.mistakes import TITLES, in_one_line
from hlgan_lib.config import preset
from hlgan_lib.errors import HLError

# title of tyro's box, the arguments, the line that is made of it
MISTAKES = [
    ("Unrecognized options", ["trin"], "Unrecognized options: trin"),
    (
        "Unrecognized options",
        ["train", "h2l", "--out", "x", "--flp"],
        "Unrecognized options: --flp, did you mean --flip",
    ),
    ("Missing subcommand", ["train"], "Expected one of {h2l, l2h, joint, srgan, cyclegan}"),
    ("Required options", ["upscale", "--weights", "x"], "missing: --input, --out"),
    (
        "Missing argument",
        ["info", "--preset"],
        "Missing value for argument '--preset'. Expected 1 values",
    ),
    (
        "Invalid choice",
        ["train", "h2l", "--out", "x", "--norm", "group"],
        "invalid choice 'group' for argument '--norm'. Expected one of ('batch', 'none')",
    ),
    (
        "Value error",
        ["train", "h2l", "--out", "x", "--lr", "fast"],
        "Error parsing --lr: could not convert string to float: 'fast'",
    ),
]


def box_of(argv):
    """What tyro itself says."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), pytest.raises(SystemExit):
        tyro.cli(cli._union(cli.COMMANDS, preset("quick")), prog="hlgan", args=argv)
    return said.getvalue()


def test_every_kind_of_mistake_is_pinned():
    assert {title for title, _, _ in MISTAKES} == set(TITLES)


@pytest.mark.parametrize(("title", "argv", "line"), MISTAKES, ids=lambda v: str(v)[:40])
def test_tyros_format_is_the_one_that_is_read(title, argv, line):
    box = box_of(argv)
    assert title in box.splitlines()[0], "tyro's format has changed"
    assert in_one_line(box) == line


def test_a_mistake_in_the_configuration_is_said_in_its_own_words():
    with pytest.raises(HLError) as own:
        preset("quick").replace(batch=-1)
    box = box_of(["train", "h2l", "--out", "x", "--batch", "-1"])
    assert in_one_line(box) == str(own.value).rstrip(".: ")


def test_a_box_of_ascii_is_read_too():
    box = "+- Invalid choice ---+\n| no fog here.       |\n| ---------------- |\n| more |\n+---+"
    assert in_one_line(box) == "no fog here"


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("Something new\nwent wrong: here.", "Something new went wrong: here"),
        ("╭─ New title ─────╮\n│ what it says    │\n╰────╯", "New title what it says"),
        (
            "╭─ Required options ─╮\n│ say where to write │\n╰──╯",
            "Required options say where to write",
        ),
        ("╭─ Value error ─────╮\n╰───────────────────╯", "Value error"),
        ("", "the command line cannot be understood"),
    ],
)
def test_the_raw_text_is_shown_where_the_format_is_unknown(said, line, monkeypatch, capsys):
    def refuses(*_, **__):
        print(said, file=sys.stderr)
        raise SystemExit(2)

    assert in_one_line(said) == line
    monkeypatch.setattr(tyro, "cli", refuses)
    with pytest.raises(HLError) as caught:
        cli.parse(["train", "h2l", "--new"])
    assert str(caught.value) == f"{line}: see hlgan train h2l --help"
    assert cli.main(["train", "h2l", "--new"]) == 2
    assert capsys.readouterr().err == f"hlgan: error: {line}: see hlgan train h2l --help\n"
