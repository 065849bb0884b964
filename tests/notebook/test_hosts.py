"""Colab, Kaggle and a machine of one's own.

And the set-up cell on each of them, in a clean environment.
"""

import sys
import types
from pathlib import Path

import pytest
import torch

from hlgan_lib import notebook
from hlgan_lib.errors import HLError
from hlgan_lib.notebook import hosts


@pytest.fixture(autouse=True)
def nowhere(monkeypatch, tmp_path):
    monkeypatch.delenv("KAGGLE_KERNEL_RUN_TYPE", raising=False)
    monkeypatch.delenv("HLGAN_PRESET", raising=False)
    monkeypatch.delitem(sys.modules, "google.colab", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(hosts, "DRIVE", tmp_path / "content" / "drive")


@pytest.fixture
def colab(monkeypatch):
    """A stand-in for google.colab; the list of what was mounted, or asked for."""
    asked = []
    drive = types.SimpleNamespace(
        mount=lambda path: (asked.append(path), Path(path, "MyDrive").mkdir(parents=True))
    )
    package = types.ModuleType("google.colab")
    package.drive = drive
    monkeypatch.setitem(sys.modules, "google", types.ModuleType("google"))
    monkeypatch.setitem(sys.modules, "google.colab", package)
    return asked


def test_each_host_is_told_what_to_do_there(monkeypatch, capsys):
    assert hosts.host() == "local" and hosts.keeping() == ""
    notebook.hello()
    said = capsys.readouterr().out
    assert "fine" in said and "Drive" not in said and "Persistence" not in said
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    assert hosts.host() == "kaggle"
    notebook.hello()
    said = capsys.readouterr().out
    assert "Settings > Accelerator" in said and "Persistence" in said and "Runtime >" not in said


def test_colab_is_told_of_drive_and_of_its_gpu_only_where_none_is_on(colab, monkeypatch, capsys):
    notebook.hello()
    said = capsys.readouterr().out
    assert (
        "Runtime > Change runtime type" in said and f'OUT = "{hosts.DRIVE}/MyDrive/hlgan"' in said
    )
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Tesla T4")
    notebook.hello()
    said = capsys.readouterr().out
    assert "Tesla T4" in said and "Runtime >" not in said
    assert colab == [], "Drive is not mounted unless OUT lies on it"


def test_drive_is_mounted_where_out_lies_on_it(colab, in_tmp, capsys):
    assert notebook.setup("smoke").out == Path("runs/smoke") and colab == []
    lesson = notebook.setup("smoke", out=str(hosts.DRIVE / "MyDrive" / "hlgan"))
    assert colab == [str(hosts.DRIVE)]
    assert lesson.out == hosts.DRIVE / "MyDrive" / "hlgan" / "smoke" and lesson.out.is_dir()
    assert f"runs go to {lesson.out}/" in capsys.readouterr().out


def test_only_colab_mounts(tmp_path):
    out = hosts.DRIVE / "MyDrive" / "hlgan"
    assert hosts.run_folder(out, "smoke") == out and out.is_dir()


def test_no_drive_and_no_folder_are_said_in_one_line(colab, monkeypatch, tmp_path):
    def refuse(path):
        raise ValueError("mount failed")

    monkeypatch.setattr(sys.modules["google.colab"].drive, "mount", refuse)
    with pytest.raises(HLError, match="not mounted .mount failed.: allow it, or set OUT"):
        hosts.run_folder(hosts.DRIVE / "MyDrive", "smoke")
    (tmp_path / "file").touch()
    with pytest.raises(HLError, match="OUT must be a folder that can be made here"):
        hosts.run_folder(tmp_path / "file" / "runs", "smoke")


def test_nobody_watches_a_test_or_a_script(monkeypatch):
    assert not hosts.in_kernel() and not hosts.front_end()
    shell = types.SimpleNamespace(kernel=1, user_ns={})
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    assert hosts.in_kernel() and not hosts.front_end(), "a kernel alone is nbclient's"
    monkeypatch.setenv("JPY_SESSION_NAME", "01_data.ipynb")
    assert hosts.front_end()
