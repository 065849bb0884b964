"""hlgan prepare KIND and audit: a command a kind, with the flags that the kind reads."""

import dataclasses

import pytest

from hlgan_lib.cli import main
from hlgan_lib.commands.datasets import PREPARE, READ, Prepare
from hlgan_lib.data.npz import load_npz
from hlgan_lib.prepare.kinds import KINDS
from tests.prepare.makers import picture, save

COMMON = {f.name for f in dataclasses.fields(Prepare)} | {"role"}


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_has_the_flags_that_it_reads_and_no_other(name):
    kind, command = KINDS[name], PREPARE[name]
    fields = {f.name: f for f in dataclasses.fields(command)}
    assert set(fields) - COMMON == set(kind.reads) | ({"split"} if kind.splits else set())
    assert fields["role"].default == kind.role
    assert set(kind.reads) <= set(READ)
    assert kind.card.licence in command.__doc__ and kind.card.layout in command.__doc__


def test_a_folder_becomes_a_file_and_the_command_counts(tmp_path, capsys):
    for k in range(3):
        save(tmp_path / "in" / f"{k}.png", picture(80, 64, 60 * k))
    (tmp_path / "in" / "notes.png").write_text("no image")
    out = tmp_path / "hi.npz"
    assert main(["prepare", "folder", str(tmp_path / "in"), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert f"wrote {out}: 3 pictures of 64x64, 1 skipped" in said
    assert load_npz(out).images.shape == (3, 3, 64, 64)


def test_the_paper_without_any_source_is_refused_in_one_line(tmp_path, capsys):
    assert main(["prepare", "paper", "--out", str(tmp_path / "paper")]) == 2
    said = capsys.readouterr().err.strip()
    assert "--celeba" in said and "\n" not in said


def test_an_audit_that_is_no_page_is_refused(tmp_path, capsys):
    assert main(["audit", "faces:val", "--out", str(tmp_path / "page.txt")]) == 2
    assert "--out must be a file that ends in .html" in capsys.readouterr().err
