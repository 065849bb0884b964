"""`hlgan export`: a table of speeds and where the file is; a clear word without the packages."""

import builtins

from hlgan_lib import export
from hlgan_lib.cli import main


def test_it_tells_of_speed_difference_and_file(monkeypatch, tmp_path, capsys):
    path = tmp_path / "l2h.onnx"
    asked = []

    def write(weights, out):
        asked.append((weights, out))
        out.write_bytes(bytes(1_500_000))
        return export.Exported(out, ("lo",), 2e-6, {1: (5.0, 4.0), 32: (90.0, 70.0)})

    monkeypatch.setattr(export, "export", write)
    assert main(["export", "--weights", "l2h", "--out", str(path)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert asked == [("l2h", path)]
    assert said[0] == "l2h: images differ by at most 2e-06 of a range of 2"
    assert said[1].split() == "PyTorch, ms ONNX Runtime, ms".split()
    assert [line.split() for line in said[2:4]] == [
        ["batch", "1", "5", "4"],
        ["batch", "32", "90", "70"],
    ]
    assert said[4] == f"wrote {path}, 1.5 MB, inputs lo"


def test_without_the_packages_it_says_what_to_install(monkeypatch, tmp_path, capsys):
    really = builtins.__import__

    def without(name, *args):
        if name.startswith("onnx"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return really(name, *args)

    monkeypatch.setattr(builtins, "__import__", without)
    out = str(tmp_path / "l2h.onnx")
    assert main(["export", "--weights", "l2h", "--out", out]) == 2
    assert "package onnx: pip install 'hlgan_lib[onnx]'" in capsys.readouterr().err
