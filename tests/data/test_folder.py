"""Which files of a folder are pictures; outputs that may not lie among them."""

import os

import pytest

from hlgan_lib.data.folder import check_apart, check_no_input, input_files
from hlgan_lib.errors import HLError


def names(root):
    return input_files(root).names


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


def test_hidden_files_caches_and_trash_are_left_out(tmp_path):
    junk = """
        .DS_Store ._a.png .ipynb_checkpoints/a-checkpoint.png .thumbnails/x/a.png
        @eaDir/a.png/SYNOPHOTO_THUMB_M.png __MACOSX/._a.png $RECYCLE.BIN/b.png #recycle/c.png
        .Trash-1000/files/d.png Thumbs.db desktop.ini sub/Thumbs.db
    """.split()
    for name in ["b.png", "UPPER.JPG", "sub/a.png", "list.txt", *junk]:
        touch(tmp_path / name)
    listing = input_files(tmp_path)
    assert names(tmp_path) == ["UPPER.JPG", "b.png", "list.txt", "sub/a.png"]
    assert listing.n_hidden == len(junk) and listing.skipped == []


def test_the_folder_itself_may_be_hidden(tmp_path):
    touch(tmp_path / ".faces" / "a.png")
    assert names(tmp_path / ".faces") == ["a.png"]


def test_links_are_followed_and_none_twice(tmp_path):
    root, elsewhere = tmp_path / "in", tmp_path / "elsewhere"
    touch(root / "sub" / "own.png")
    touch(elsewhere / "deep" / "x.png")
    for link, to in (
        ("more", elsewhere),
        ("again", elsewhere),
        ("a_link_to_sub", root / "sub"),
        ("round", root),
        ("file.png", elsewhere / "deep" / "x.png"),
        ("gone.png", tmp_path / "nowhere.png"),
    ):
        (root / link).symlink_to(to)
    os.mkfifo(root / "pipe")
    assert names(root) == ["again/deep/x.png", "file.png", "sub/own.png"]
    read_already = "a link to a folder that is read already"
    assert input_files(root).skipped == [
        ("a_link_to_sub", read_already),
        ("gone.png", "a link that leads nowhere"),
        ("more", read_already),
        ("pipe", "not a file"),
        ("round", read_already),
    ]


def test_a_link_to_a_folder_above_reads_nothing_twice(tmp_path):
    root = tmp_path / "set"
    touch(root / "own.png")
    touch(root / "sub" / "more.png")
    touch(tmp_path / "beside" / "other.png")
    (root / "up").symlink_to("..")
    assert names(root) == ["own.png", "sub/more.png", "up/beside/other.png"]
    assert input_files(root).skipped == [("up/set", "a folder that is read already")]


def test_a_folder_that_is_a_link_is_read(tmp_path):
    touch(tmp_path / "elsewhere" / "x.png")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    assert names(tmp_path / "link") == ["x.png"]


def test_a_folder_that_cannot_be_opened_is_named(tmp_path, monkeypatch):
    touch(tmp_path / "a.png")
    touch(tmp_path / "private" / "b.png")
    scan = os.scandir

    def refuse(path):
        if os.fspath(path).endswith("private"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert names(tmp_path) == ["a.png"]
    assert input_files(tmp_path).skipped == [("private", "Permission denied")]


def test_outputs_may_not_lie_among_inputs(tmp_path):
    picture = touch(tmp_path / "in" / "a.png")
    (tmp_path / "link").symlink_to(tmp_path / "in")
    for out, source in (
        ("in", "in"),
        ("in/run1", "in"),
        ("in/not/there/yet", "in"),
        ("link/run1", "in"),
        ("in/run1", "link"),
        ("in", "in/a.png"),
        (".", "."),
    ):
        with pytest.raises(HLError, match="--out .* lies in the folder of the inputs, .*: choose"):
            check_apart(tmp_path / out, "faces:val", None, tmp_path / source)
    with pytest.raises(HLError, match="^--json "):
        check_apart(tmp_path / "in" / "x.json", tmp_path / "in", flag="--json")
    for out, source in (("out", "in"), (".", "in"), ("inside", "in"), ("in/out", "in/a.png")):
        check_apart(tmp_path / out, tmp_path / source)
    check_apart(tmp_path, "faces:val")
    with pytest.raises(HLError, match="a.png is one of the inputs: choose another --out"):
        check_no_input([tmp_path / "link" / "a.png"], [picture])
    check_no_input([tmp_path / "b.png"], [picture])
