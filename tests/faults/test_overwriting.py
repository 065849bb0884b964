"""One rule of every command: never over what it did not write, never among what it reads.

The long work of some commands is replaced by its files: what is tried is what stands around it.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hlgan_lib import adaptation, cli, export
from hlgan_lib.analysis import card
from hlgan_lib.analysis.classifier import TwoSample
from hlgan_lib.bench import speed
from hlgan_lib.checkpoint import save_weights
from hlgan_lib.commands import bench as bench_command
from hlgan_lib.commands import pictures
from hlgan_lib.commands.datasets import Prepare
from hlgan_lib.commands.outputs import LIST, writing
from hlgan_lib.commands.train import Train
from hlgan_lib.data.faces import Pairs
from hlgan_lib.data.npz import load_npz
from hlgan_lib.metrics import evaluation
from hlgan_lib.networks import high_to_low
from hlgan_lib.networks.paper import LowToHigh
from hlgan_lib.prepare import audit, audit_page, paper
from hlgan_lib.study import ablation, compare, figures, results
from hlgan_lib.study.train_all import Outcome
from tests.helpers import HI, LO, TINY

ROOT = Path(__file__).parents[2]


@dataclass
class Case:
    """A command as it is tried.

    Attributes:
        argv: its arguments but for the output; {in} is a folder of pictures.
        out: the flag of the output and its value in the folder {out}.
        files: what it writes, in the folder {out}.
        reads: does it read the folder {in}?
    """

    argv: str
    out: str
    files: tuple[str, ...]
    reads: bool = True


CASES = {
    "demo": Case("demo", "--out {out}", ("degradation.png", "scores.json"), reads=False),
    "prepare folder": Case(
        "prepare folder {in} --size 8 --role lo --workers 0",
        "--out {out}/a.npz --contact-sheet {out}/a.png",
        ("a.npz", "a.png"),
    ),
    "prepare paper": Case(
        "prepare paper --celeba {in}", "--out {out}", ("hi.npz", "parts/hi-celeba.npz")
    ),
    "audit": Case("audit {in}", "--out {out}/a.html", ("a.html",)),
    "degrade": Case("degrade --weights {h2l} --input {hi}", "--out {out}", ("0.png",)),
    "upscale": Case("upscale --weights {l2h} --input {in}", "--out {out}", ("0.png",)),
    "evaluate": Case(
        "evaluate --fake {in} --real {in} --paired --metrics psnr",
        "--json {out}/scores.json",
        ("scores.json",),
    ),
    "card": Case("card --weights h2l --hi {in} --lo {in}", "--out {out}", card.FILES),
    "adapt": Case("adapt --weights h2l --lo {in}", "--out {out}", adaptation.FILES),
    "compare": Case("compare", "--out {out}", ("compare.md", "compare.json"), reads=False),
    "figures": Case("figures --results {in}", "--out {out}", ("tables.md", "manifest.json")),
    "bench": Case("bench", "--out {out}", ("bench.json",), reads=False),
    "export": Case("export --weights l2h", "--out {out}/a.onnx", ("a.onnx",), reads=False),
}


def test_every_command_that_writes_is_tried():
    tried = {"ablate", *CASES}  # ablate has a test of its own

    def missing(commands, words=()):
        for name, kind in commands.items():
            command = " ".join((*words, name))
            if isinstance(kind, dict):
                yield from missing(kind, (*words, name))
            elif issubclass(kind, Train) or command in tried or command == "info":
                continue  # a run folder has its own, stricter rule; info writes nothing
            elif not issubclass(kind, Prepare):  # one class, and folder is tried
                yield command

    assert list(missing(cli.COMMANDS)) == []


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs a case with its output in a folder; (exit code, what it said)."""
    for name, faces in (("in", LO), ("hi", HI)):
        (tmp_path / name).mkdir()
        for i, image in enumerate(faces.images[:3]):
            Image.fromarray(image.transpose(1, 2, 0)).save(tmp_path / name / f"{i}.png")
    save_weights(tmp_path / "h2l.safetensors", high_to_low(TINY).state_dict(), "h2l", TINY)
    save_weights(tmp_path / "l2h.safetensors", LowToHigh(TINY).state_dict(), "l2h", TINY)

    def write(out, names):
        out.mkdir(parents=True, exist_ok=True)
        for name in names:
            (out / name).write_text("made\n")
        return [out / name for name in names]

    def part(kind, src, path, options, workers, progress):
        path.parent.mkdir(parents=True, exist_ok=True)
        LO[:3].save(path)
        return 3, []

    def compared(preset, out, **_):
        write(out, CASES["compare"].files)
        return Outcome(["a"])

    class Found:
        def sentences(self):
            return []

    class Adapted:
        before = after = adaptation.Gap(TwoSample(0.5, 0.0, 1.0, 2), 0.0, 0.0)

        def verdict(self):
            return "kept"

        def save(self, out):
            return write(out, adaptation.FILES)

    few = Pairs(HI[:8], LO[:8])
    real = pictures.load_faces
    monkeypatch.setattr(
        pictures, "load_faces", lambda s, *a, **k: few if s == "faces:test" else real(s, *a, **k)
    )
    weights = pictures.load_weights
    monkeypatch.setattr(
        pictures, "load_weights", lambda w, **k: None if w in ("h2l", "l2h") else weights(w, **k)
    )
    monkeypatch.setattr(pictures, "degrade", lambda w, hi, n: torch.zeros(len(hi), n, 3, 8, 8))
    monkeypatch.setattr(pictures, "upscale", lambda w, lo: torch.zeros(len(lo), 3, 32, 32))
    psnr = {"psnr": {"value": 1.0}}
    measured = evaluation.evaluate
    monkeypatch.setattr(
        evaluation, "evaluate", lambda x, *a, **k: psnr if len(x) == 8 else measured(x, *a, **k)
    )
    monkeypatch.setattr(paper, "plan_of", lambda *a, **k: None)
    monkeypatch.setattr(paper, "make_part", part)
    monkeypatch.setattr(audit, "audit", lambda files: Found())
    monkeypatch.setattr(audit_page, "save_page", lambda _, path: write(path.parent, [path.name]))
    monkeypatch.setattr(
        card, "card_files", lambda w, h, lo, out, seed: ({"verdicts": []}, write(out, card.FILES))
    )
    monkeypatch.setattr(adaptation, "adapt", lambda *a, **k: Adapted())
    monkeypatch.setattr(compare, "compare", compared)
    monkeypatch.setattr(results, "load", lambda folder: None)
    monkeypatch.setattr(figures, "draw_all", lambda _, out: write(out, CASES["figures"].files))
    measured_speed = {"stages": {}, "batch": 1, "hardware": "a machine", "threads": 1}
    monkeypatch.setattr(speed, "bench", lambda *a, **k: measured_speed)
    monkeypatch.setattr(bench_command, "table", lambda *a: None)
    monkeypatch.setattr(
        export,
        "export",
        lambda _, path: export.Exported(
            *write(path.parent, [path.name]), ("lo",), 0.0, {1: (1.0, 1.0)}
        ),
    )

    def started(name, out, *more):
        case = CASES[name]
        places = {"in": tmp_path / "in", "hi": tmp_path / "hi", "out": out}
        places |= {w: tmp_path / f"{w}.safetensors" for w in ("h2l", "l2h")}
        argv = [word.format(**places) for word in (*case.argv.split(), *case.out.split(), *more)]
        code = cli.main(argv)
        said = capsys.readouterr()
        return code, said.out + said.err

    return started


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("name", CASES)
def test_its_own_files_may_be_written_again_and_changed_ones_only_when_asked(name, run, tmp_path):
    out, files = tmp_path / "out", CASES[name].files
    code, said = run(name, out)
    assert code == 0, said
    assert all((out / file).is_file() for file in files)
    assert run(name, out)[0] == 0  # its own
    assert "of an earlier run" not in said

    for file in files:
        path = out / file
        made = path.read_bytes()
        path.write_bytes(b"changed by hand")
        before = contents(out)
        code, said = run(name, out)
        assert code == 2 and f"{file} is there already and hlgan {name.split()[0]}" in said
        assert "add --overwrite" in said and said.count("\n") == 1
        assert contents(out) == before
        assert run(name, out, "--overwrite")[0] == 0
        assert path.read_bytes() != b"changed by hand" and len(path.read_bytes()) == len(made)
        assert run(name, out)[0] == 0


@pytest.mark.parametrize("name", CASES)
def test_a_strangers_file_stays_and_so_does_what_a_link_leads_to(name, run, tmp_path):
    original = tmp_path / "original"
    original.write_bytes(b"an original")
    for kind in ("file", "link", "link that leads nowhere"):
        out = tmp_path / kind
        path = out / CASES[name].files[-1]
        path.parent.mkdir(parents=True)
        if kind == "file":
            path.write_bytes(b"a stranger's")
        else:
            path.symlink_to(original if kind == "link" else tmp_path / "nowhere")
        before = contents(out)
        code, said = run(name, out)
        assert code == 2 and "is there already" in said, said
        assert contents(out) == before and not (out / LIST).exists()
    assert original.read_bytes() == b"an original" and not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.reads])
def test_it_does_not_write_among_what_it_reads_through_links_either(name, run, tmp_path):
    read = tmp_path / ("hi" if name == "degrade" else "in")
    (tmp_path / "link").symlink_to(read)
    before = contents(read)
    for out in (read, read / "new", tmp_path / "link" / "new"):
        for more in ((), ("--overwrite",)):
            code, said = run(name, out, *more)
            assert code == 2 and "lies in the folder of the inputs" in said, said
    assert contents(read) == before and not (read / "new").exists()


def test_what_an_earlier_larger_run_left_is_named(run, tmp_path, monkeypatch):
    out = tmp_path / "out"
    assert run("upscale", out)[0] == 0
    (tmp_path / "in" / "2.png").unlink()
    assert "1 files of an earlier run are still there: 2.png" in run("upscale", out)[1]

    def fewer(_, folder):
        (folder / "tables.md").write_text("fewer\n")
        return [folder / "tables.md"]

    assert run("figures", tmp_path / "figures")[0] == 0
    monkeypatch.setattr(figures, "draw_all", fewer)
    code, said = run("figures", tmp_path / "figures")
    assert code == 0 and "1 files of an earlier run are still there: manifest.json" in said


LOCKED = [name for name in CASES if name not in ("demo", "degrade", "upscale", "evaluate")]


@pytest.mark.parametrize("name", LOCKED)  # the others write each file whole, whoever else does
def test_one_at_a_time_writes_into_a_folder_or_a_file(name, run, tmp_path):
    out = tmp_path / "out"
    target = out / CASES[name].files[0]
    folder = None if CASES[name].out.split()[1] != "{out}" else out
    with writing("another command", [target], folder=folder):
        code, said = run(name, out)
        assert code == 2 and f"{folder or target} is being written by process" in said, said
        assert not target.exists()
    assert not out.exists()  # nothing was written
    assert run(name, out)[0] == 0
    assert not list(out.glob("*.lock"))


def test_two_processes_that_prepare_one_file_leave_it_whole(run, tmp_path):
    argv = ["prepare", "folder", str(tmp_path / "in"), "--size", "8", "--role", "lo"]
    argv += ["--workers", "0", "--out", str(tmp_path / "out" / "a.npz")]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "hlgan_lib", *argv]
    both = [subprocess.Popen(command, env=env, stderr=subprocess.PIPE) for _ in range(2)]
    for process in both:
        said = process.communicate()[1]
        assert process.returncode == 0 or b"is being written by " in said, said
    assert 0 in [process.returncode for process in both]
    assert len(load_npz(tmp_path / "out" / "a.npz")) == 3
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [LIST, "a.npz"]
    assert cli.main(argv) == 0  # it is known as this command's


def test_prepare_names_no_other_file_of_its_folder(run, tmp_path):
    assert run("prepare folder", tmp_path / "out")[0] == 0
    argv = ["prepare", "folder", str(tmp_path / "in"), "--size", "8", "--role", "lo"]
    assert cli.main([*argv, "--workers", "0", "--out", str(tmp_path / "out" / "b.npz")]) == 0
    assert sorted(p.name for p in (tmp_path / "out").glob("*.npz")) == ["a.npz", "b.npz"]


def test_a_work_that_fails_half_way_knows_its_files_again(run, tmp_path, monkeypatch):
    def half(_, folder):
        folder.mkdir()
        (folder / "tables.md").write_text("half\n")
        raise MemoryError

    monkeypatch.setattr(figures, "draw_all", half)
    assert run("figures", tmp_path / "out")[0] == 2
    whole = CASES["figures"].files
    monkeypatch.setattr(
        figures, "draw_all", lambda _, out: [(out / name).write_text("whole\n") for name in whole]
    )
    assert run("figures", tmp_path / "out")[0] == 0


def test_a_study_is_added_to_and_arrays_that_are_of_none_stay(tmp_path, monkeypatch, capsys):
    def planned(preset, out, **_):
        results.Stored({"preset": preset}).save(out)
        return Outcome(["a"])

    monkeypatch.setattr(ablation, "ablate", planned)
    out = tmp_path / "study"
    argv = ["ablate", "--out", str(out)]
    assert cli.main(argv) == 0 and cli.main(argv) == 0
    (out / "ablation.json").unlink()
    np.savez(out / "ablation.npz", mine=np.zeros(3))
    mine = (out / "ablation.npz").read_bytes()
    for command in ("ablate", "compare"):
        assert cli.main([command, "--out", str(out)]) == 2
        assert "ablation.npz is there already" in capsys.readouterr().err
    assert (out / "ablation.npz").read_bytes() == mine
    assert cli.main([*argv, "--overwrite"]) == 0
    assert json.loads((out / "ablation.json").read_text())["about"]["preset"] == "study"
