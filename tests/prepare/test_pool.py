"""Many files at once: in order, gone on with after a stop, the same file in the end."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from hlgan_lib.errors import HLError
from hlgan_lib.prepare import pool, prepare, prepare_file
from hlgan_lib.prepare.cropping import Cut
from tests.prepare.makers import picture, save


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Twenty pictures, two of them broken, in pieces of four."""
    monkeypatch.setattr(pool, "PIECE", 4)
    for i in range(20):
        save(tmp_path / f"in/{i:02d}.png", picture(70, 80, 10 * i))
    (tmp_path / "in/05.png").write_bytes(b"")
    (tmp_path / "in/11.png").write_text("no picture")
    return tmp_path / "in"


def test_processes_make_the_same_file_as_none(folder, tmp_path):
    one = prepare_file("folder", folder, tmp_path / "1.npz", workers=0)
    two = prepare_file("folder", folder, tmp_path / "2.npz", workers=2)
    assert one.n == two.n == 18 and [name for name, _ in two.skipped] == ["05.png", "11.png"]
    assert (tmp_path / "1.npz").read_bytes() == (tmp_path / "2.npz").read_bytes()


def stopping(after: int):
    """cut_piece that a power cut ends."""
    cut_piece, n = pool.cut_piece, 0

    def cut(loaded, size) -> Cut:
        nonlocal n
        n += 1
        if n > after:
            raise KeyboardInterrupt
        return cut_piece(loaded, size)

    return cut


def test_stopped_anywhere_it_goes_on_to_the_same_file(folder, tmp_path, monkeypatch):
    prepare_file("folder", folder, tmp_path / "whole.npz", workers=0)
    out = tmp_path / "out.npz"
    with monkeypatch.context() as patch:
        patch.setattr(pool, "cut_piece", stopping(3))
        with pytest.raises(KeyboardInterrupt):
            prepare_file("folder", folder, out, workers=0)
    assert not out.exists()
    journal = tmp_path / ".out.npz.journal"
    journal.write_text(journal.read_text() + '{"done": 16, "fa')
    with open(tmp_path / ".out.npz.unfinished", "ab") as file:
        file.write(b"half a piece")
    made = prepare_file("folder", folder, out, workers=0)
    assert made.n_before == 12 and made.n == 18 and len(made.skipped) == 2
    assert out.read_bytes() == (tmp_path / "whole.npz").read_bytes()
    assert not list(tmp_path.glob(".out*"))


@pytest.mark.parametrize("left", ['{"done": 16, "fa', "{}"], ids=["half a line", "no line end"])
def test_killed_twice_it_loses_nothing_of_the_first_time(left, folder, tmp_path, monkeypatch):
    journal = tmp_path / ".out.npz.journal"
    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(pool, "cut_piece", stopping(1))
            with pytest.raises(KeyboardInterrupt):
                prepare_file("folder", folder, tmp_path / "out.npz", workers=0)
        journal.write_text(journal.read_text() + left)
    made = prepare_file("folder", folder, tmp_path / "out.npz", workers=0)
    assert made.n_before == 8 and made.n == 18


@pytest.mark.parametrize("lost", [0, 1, 3 * 64 * 64 * 5])
def test_what_a_power_cut_lost_is_made_again(lost, folder, tmp_path, monkeypatch):
    """The journal was on the disk, the end of the images was not: cut off, or still zeros."""
    prepare_file("folder", folder, tmp_path / "whole.npz", workers=0)
    with monkeypatch.context() as patch:
        patch.setattr(pool, "cut_piece", stopping(3))
        with pytest.raises(KeyboardInterrupt):
            prepare_file("folder", folder, tmp_path / "out.npz", workers=0)
    with open(tmp_path / ".out.npz.unfinished", "r+b") as file:
        end = file.seek(0, 2)
        file.truncate(end - lost)
        file.truncate(end)
    made = prepare_file("folder", folder, tmp_path / "out.npz", workers=0)
    assert made.n_before == {0: 12, 1: 8}.get(lost, 4)
    assert (tmp_path / "out.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()


def test_another_job_starts_anew(folder, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(pool, "cut_piece", stopping(2))
        with pytest.raises(KeyboardInterrupt):
            prepare_file("folder", folder, tmp_path / "out.npz", workers=0)
    made = prepare_file("folder", folder, tmp_path / "out.npz", size=32, workers=0)
    assert made.n_before == 0 and made.n == 18


def test_nothing_usable_leaves_nothing_behind(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.png").write_bytes(b"")
    with pytest.raises(HLError, match="must hold usable pictures, got none .*a.png"):
        prepare("folder", tmp_path / "in", tmp_path / "x.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_the_processes_import_no_torch():
    code = "import hlgan_lib.prepare, hlgan_lib.cli, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.slow
def test_killed_it_goes_on_and_leaves_no_process(tmp_path):
    for i in range(1200):
        save(tmp_path / f"in/{i:04d}.bmp", picture(160, 160, i % 250))
    argv = ["prepare", "folder", str(tmp_path / "in"), "--out", str(tmp_path / "o.npz")]
    command = [sys.executable, "-m", "hlgan_lib", *argv, "--workers", "2"]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    journal = tmp_path / ".o.npz.journal"
    while not (journal.is_file() and journal.read_text().count("\n") > 2):
        time.sleep(0.02)
    run.send_signal(signal.SIGKILL)
    run.wait()
    done = journal.read_text().count("\n") - 1
    if done < 1200 // pool.PIECE:
        made = prepare_file("folder", tmp_path / "in", tmp_path / "o.npz", workers=0)
        assert made.n == 1200 and 0 < made.n_before < 1200
    for _ in range(500):  # its processes end by themselves
        try:
            os.killpg(run.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.02)
    raise AssertionError("processes are left")


def test_processes_are_copies_only_where_nothing_else_runs(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    assert pool.fast_context().get_start_method() == "fork"

    monkeypatch.setattr(threading, "active_count", lambda: 2)
    assert pool.fast_context().get_start_method() == "spawn"

    monkeypatch.setattr(threading, "active_count", lambda: 1)
    monkeypatch.setitem(sys.modules, "torch", object())
    assert pool.fast_context().get_start_method() == "spawn"


def test_processes_start_before_a_progress_bar_has_its_thread(folder, tmp_path, monkeypatch):
    """Beside the thread of tqdm they would be new interpreters, half a second of CPU each."""
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    order = []
    context = pool.fast_context
    monkeypatch.setattr(pool, "fast_context", lambda: order.append("processes") or context())

    def bar(pieces):
        order.append("bar")
        return pieces

    prepare_file("folder", folder, tmp_path / "o.npz", workers=1, progress=bar)
    assert order == ["processes", "bar"]
