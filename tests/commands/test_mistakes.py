"""tyro's words for each kind of mistake, as read here; of an unknown format the raw text."""

import contextlib
import io
import sys

import pytest
import tyro

from hlgan_lib import cli
from hlgan_lib.commands.mistakes import (
    TITLES,
    flags_of,
    in_one_line,
    several_values,
    unknown_command,
    unknown_flag,
)
from hlgan_lib.config import STAGES
from hlgan_lib.errors import HLError
from hlgan_lib.presets import preset

# title of tyro's box, the arguments, the line that is made of it
MISTAKES = [
    ("Unrecognized options", ["trin"], "Unrecognized options: trin"),
    (
        "Unrecognized options",
        ["train", "h2l", "--out", "x", "--flp"],
        "Unrecognized options: --flp, did you mean --flip",
    ),
    ("Missing subcommand", ["train"], f"Expected one of {{{', '.join(STAGES)}}}"),
    ("Required options", ["degrade", "--weights", "x"], "missing: --input, --out"),
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


def test_a_box_in_colour_is_read_too():
    box = "\x1b[31m╭─\x1b[0m \x1b[1mInvalid choice\x1b[0m ─╮\n│ no \x1b[32mfog\x1b[0m. │\n╰────╯"
    assert in_one_line(box) == "no fog"


def test_the_first_flag_that_there_is_not_is_named_with_the_one_that_was_meant():
    known = flags_of("  \x1b[1m--weights\x1b[0m STR  --n-z INT --out PATH; see --fit")
    assert known == ["--fit", "--n-z", "--out", "--weights"]
    assert unknown_flag(["--weights", "x", "--n_z=-1", "--out", "-1.5"], known) is None
    assert unknown_flag(["-weights", "x"], known) == "no flag -weights, did you mean --weights"
    assert unknown_flag(["--zzzzzz"], known) == "no flag --zzzzzz"


def test_a_command_that_there_is_not():
    line = unknown_command("hlgan train", None, ["h2l", "l2h"])
    assert line == "hlgan train must be followed by one of h2l, l2h, got nothing"


def test_what_a_shell_makes_of_a_pattern_is_one_short_line():
    argv = ["--weights", "w", "--input", *(f"{i}.png" for i in range(3000)), "--out", "o"]
    line = "--input takes one value, got 3000, 0.png and others: give the folder that holds them"
    assert several_values(argv) == line
    assert several_values(["word", "--out", "o", "--fit"]) is None


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
