"""Whole files or none: what breaks off leaves the old file, what cannot be written is one line."""

import errno
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from hlgan_lib.checkpoint import load_checkpoint, save_checkpoint
from hlgan_lib.errors import HLError
from hlgan_lib.files import (
    REASONS,
    Lock,
    append,
    atomic,
    check_zip,
    out_folder,
    save_json,
    save_png,
    sweep,
    user_path,
)


def test_atomic_writes_and_leaves_nothing_else(tmp_path):
    atomic(tmp_path / "deep" / "file", lambda f: f.write(b"whole"))
    assert (tmp_path / "deep" / "file").read_bytes() == b"whole"
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["file"]


@pytest.mark.parametrize("error", [RuntimeError("boom"), ValueError("boom"), KeyboardInterrupt()])
def test_a_write_that_breaks_off_keeps_the_old_file(tmp_path, error):
    path = tmp_path / "last.pt"
    save_checkpoint(path, {"n": 1})

    def half(file):
        file.write(b"PK half a checkpoint")
        raise error

    with pytest.raises(type(error)):
        atomic(path, half)
    assert load_checkpoint(path) == {"n": 1}
    save_checkpoint(path, {"n": 2})  # and what it left behind is in nobody's way
    assert load_checkpoint(path) == {"n": 2}


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_full_disk_and_read_only_folder_are_one_line(tmp_path, monkeypatch, code):
    path = tmp_path / "last.pt"
    save_checkpoint(path, {"n": 1})

    def refuse(fd):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(HLError, match="cannot write .*last.pt: ") as error:
        save_checkpoint(path, {"n": 2})
    assert "\n" not in str(error.value)
    monkeypatch.undo()
    assert load_checkpoint(path) == {"n": 1} and len(list(tmp_path.iterdir())) == 1


def test_disk_full_within_torch_save(tmp_path):
    def write(file):
        class Full:
            def write(self, data):
                raise OSError(errno.ENOSPC, "No space left on device")

            def flush(self):
                pass

        torch.save({"w": torch.zeros(1000)}, Full())

    with pytest.raises(HLError, match="the disk is full: free some space"):
        atomic(tmp_path / "last.pt", write)


def test_a_path_through_a_file_is_one_line(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(HLError, match="a part of the path is a file"):
        save_json(tmp_path / "file" / "config.json", {})


def test_json_round_trips_and_ends_with_a_newline(tmp_path):
    values = {"losses": {"pix": 0.1, "gan": -2.5}, "health": [], "score": None, "lo": "Fotos/Größe"}
    save_json(tmp_path / "deep" / "scores.json", values)
    text = (tmp_path / "deep" / "scores.json").read_text(encoding="utf-8")
    assert json.loads(text) == values and text.endswith("}\n")


def test_values_that_are_no_json_leave_the_old_file(tmp_path):
    save_json(tmp_path / "scores.json", {"n": 1})
    with pytest.raises(TypeError, match="not JSON serializable"):
        save_json(tmp_path / "scores.json", {"n": torch.zeros(2)})
    assert json.loads((tmp_path / "scores.json").read_text()) == {"n": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["scores.json"]


def test_a_saved_picture_is_the_picture(tmp_path):
    rng = torch.Generator().manual_seed(0)
    picture = torch.randint(0, 256, (3, 5, 7), generator=rng, dtype=torch.uint8)
    save_png(tmp_path / "sample.png", picture)
    stored = np.array(Image.open(tmp_path / "sample.png"))
    assert np.array_equal(stored, picture.permute(1, 2, 0).numpy())


def test_every_reason_says_what_to_do(tmp_path):
    for code, reason in REASONS.items():

        def refuse(file, code=code):
            raise OSError(code, os.strerror(code))

        with pytest.raises(HLError) as error:
            atomic(tmp_path / "file", refuse)
        assert str(error.value) == f"cannot write {tmp_path / 'file'}: {reason}"
        assert any(what in reason for what in ("choose another --out", "free some space"))
    assert list(tmp_path.iterdir()) == []


def test_another_error_of_the_system_is_said_in_its_words(tmp_path):
    def refuse(file):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with pytest.raises(HLError, match=os.strerror(errno.EIO)):
        atomic(tmp_path / "file", refuse)


def test_out_is_a_folder_that_need_not_exist(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert out_folder("~/runs/a") == tmp_path / "runs" / "a"
    assert not (tmp_path / "runs").exists()
    (tmp_path / "file").write_text("x")
    with pytest.raises(HLError, match="--out .*file is a file: choose a folder"):
        out_folder(tmp_path / "file")


# ---- others in the same folder -------------------------------------------------------------------
def test_two_writers_of_one_file_have_parts_of_their_own(tmp_path):
    def outer(file):
        file.write(b"outer")
        atomic(tmp_path / "last.pt", lambda inner: inner.write(b"inner"))
        assert (tmp_path / "last.pt").read_bytes() == b"inner"

    atomic(tmp_path / "last.pt", outer)
    assert (tmp_path / "last.pt").read_bytes() == b"outer"
    assert [p.name for p in tmp_path.iterdir()] == ["last.pt"]


def test_a_name_of_255_bytes_can_be_written(tmp_path):
    atomic(tmp_path / ("x" * 255), lambda file: file.write(b"whole"))
    assert (tmp_path / ("x" * 255)).read_bytes() == b"whole"


def test_sweep_removes_what_killed_writers_left_and_nothing_else(tmp_path):
    others = [".hidden", ".video.mp4.part", "mine.part"]
    for name in (".0123456789abcdef.part", *others):
        (tmp_path / name).write_text("half")
    sweep(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == others


def test_a_line_is_added_in_one_piece(tmp_path):
    append(tmp_path / "log", "one")
    append(tmp_path / "log", "Größe")
    assert (tmp_path / "log").read_text("utf-8") == "one\nGröße\n"
    with pytest.raises(HLError, match="cannot write .*choose another --out"):
        append(tmp_path / "log" / "log", "x")


def test_a_locked_folder_says_who_writes_into_it(tmp_path):
    first = Lock(tmp_path / "run")
    with pytest.raises(HLError, match=f"is being written by process {os.getpid()} on .*: stop"):
        Lock(tmp_path / "run")
    first.release()
    Lock(tmp_path / "run").release()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no copies of processes here")
def test_a_copy_of_the_process_holds_no_lock(tmp_path):
    """Else a command that was killed would be refused as long as its workers are still ending."""
    code = """
import os, sys
from pathlib import Path
from hlgan_lib.files import Lock
lock = Lock(Path(sys.argv[1]))
wait, go = os.pipe()
copied, here = os.pipe()
if os.fork() == 0:
    os.close(go)
    os.write(here, b"1")
    os.read(wait, 1)
    os._exit(0)
os.read(copied, 1)
lock.release()
Lock(Path(sys.argv[1])).release()
"""
    subprocess.run([sys.executable, "-c", code, tmp_path / "run"], check=True)


@pytest.mark.parametrize("path", [None, 3, b"a", ["a"], True, "a\0b", "~no-such-person/a"])
def test_what_is_no_path_is_one_line(path):
    with pytest.raises(HLError, match="a path must|the home folder in"):
        user_path(path)


def test_an_archive_that_claims_more_than_it_holds_is_refused(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data", bytes(10_000_000))
    with pytest.raises(ValueError, match="10,000,000 bytes claimed in a file of"):
        check_zip(tmp_path / "bomb.pt")
    with pytest.raises(HLError, match="bomb.pt cannot be read"):
        load_checkpoint(tmp_path / "bomb.pt")
    save_checkpoint(tmp_path / "last.pt", {"w": torch.zeros(9)})
    check_zip(tmp_path / "last.pt")
