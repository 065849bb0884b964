"""Parsing and the program: help without torch, mistakes in one line, signals, memory."""

import contextlib
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import hlgan_lib as hl
from hlgan_lib import __main__, cli
from hlgan_lib.config import STAGES
from tests.helpers import refused

ROOT = Path(__file__).parents[1]


def hlgan(*argv, **options):
    """The command line in a process of its own."""
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": str(torch.get_num_threads())}
    return subprocess.Popen(
        [sys.executable, "-m", "hlgan_lib", *map(str, argv)], env=env, text=True, **options
    )


def test_help_answers_without_torch():
    code = (
        "import sys; from hlgan_lib.cli import main; main(['--help']); "
        "assert 'torch' not in sys.modules"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        text=True,
        capture_output=True,
        check=True,
    ).stdout
    assert all(command in shown for command in cli.COMMANDS)


WRONG = [
    (["trin"], "trin"),
    (["train"], ", ".join(STAGES)),
    (["train", "srgan", "--preset", "smoke", "--out", "{}", "--degradation", "fog"], "learned:"),
    (
        ["train", "cyclegan", "--preset", "smoke", "--out", "{}", "--lo", "faces:train-hi"],
        "faces:train-lo",
    ),
    (["train", "h2l"], "--out"),
    (["train", "h2l", "--out", "{}", "--flp"], "did you mean --flip"),
    (["train", "h2l", "--out", "{}", "--lr", "fast"], "--lr"),
    (["train", "h2l", "--out", "{}", "--batch", "-1"], "batch must be"),
    (["train", "h2l", "--out", "{}", "--preset", "huge"], "'quick'"),
    (["train", "h2l", "--out", "{}", "--norm", "group"], "'batch', 'none'"),
    (["train", "h2l", "--out", "{}", "--steps", "0"], "h2l_steps must be 1 or more"),
    (["train", "h2l", "--out", "{}", "--size-lo", "12"], "power of two"),
    (["train", "h2l", "--preset", "smoke", "--out", "{}", "--hi", "nowhere"], "nowhere"),
    (
        ["train", "h2l", "--preset", "smoke", "--out", "{}", "--lo", "faces:train-hi"],
        "faces:train-lo",
    ),
    (["train", "h2l", "--preset", "smoke", "--out", "{}", "--size-hi", "128"], "128"),
    (
        ["train", "h2l", "--preset", "smoke", "--out", "{}", "--device", "tpu"],
        "--device must be one of cpu",
    ),
    (["train", "l2h", "--out", "{}"], "--degradation"),
    (
        ["train", "l2h", "--out", "{}", "--degradation", "bilinear", "--lo", "faces:val:lo"],
        "--lo is looked at with --n-near above 1 only, got faces:val:lo",
    ),
    (
        ["train", "l2h", "--degradation", "bilinear", "--out", "{}"]
        + ["--l2h-model", "wavelet", "--w-pix", "0"],
        "w_pix must be above 0 with l2h_model wavelet",
    ),
    (["train", "l2h", "--preset", "smoke", "--out", "{}", "--degradation", "fog"], "learned:"),
    (
        ["train", "l2h", "--preset", "smoke", "--out", "{}", "--degradation", "learned:nowhere"],
        "nowhere",
    ),
    (
        ["train", "joint", "--preset", "smoke", "--out", "{}", "--h2l", "a", "--l2h", "b"],
        "of a finished h2l run",
    ),
    (["degrade", "--weights", "nowhere", "--input", "faces:val", "--out", "{}"], "weights must be"),
    (["upscale", "--weights", "x"], "missing: --out"),
    (["evaluate", "--fake", "faces:val", "--real", "faces:val:hi"], "faces:val:hi or faces:val:lo"),
    (["prepare", "folder", "nowhere", "--out", "{}.npz"], "must be a folder, or a .zip or .tar"),
    (["prepare", "celeba", ".", "--out", "{}.npz"], "img_align_celeba"),
    (["prepare", "celebs", ".", "--out", "{}.npz"], "one of folder, boxes, celeba"),
    (["info", "--preset"], "--preset"),
]


@pytest.mark.parametrize(
    "argv, words", WRONG, ids=lambda a: " ".join(a)[:50] if isinstance(a, list) else None
)
def test_a_mistake_ends_with_one_line_and_writes_nothing(argv, words, tmp_path, capsys):
    line = refused([a.replace("{}", str(tmp_path / "out")) for a in argv], capsys)
    assert words in line and list(tmp_path.iterdir()) == []


def test_nobody_listening_is_no_error():
    reader, writer = os.pipe()
    os.close(reader)
    process = hlgan("info", "--preset", "paper", stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert process.communicate()[1] == "" and process.returncode == 141


def test_ctrl_c_elsewhere_is_one_line(monkeypatch, capsys):
    def interrupted(name):
        raise KeyboardInterrupt

    monkeypatch.setattr("hlgan_lib.commands.info.about_preset", interrupted)
    assert cli.main(["info", "--preset", "quick"]) == 130
    assert capsys.readouterr().err == "hlgan: stopped\n"


def test_ctrl_c_elsewhere_with_nobody_listening_is_130_too(monkeypatch):
    def interrupted(name):
        raise KeyboardInterrupt

    reader, writer = os.pipe()
    os.close(reader)
    monkeypatch.setattr("hlgan_lib.commands.info.about_preset", interrupted)
    monkeypatch.setattr(sys, "stderr", os.fdopen(writer, "w", buffering=1))
    assert cli.main(["info", "--preset", "quick"]) == 130
    with contextlib.suppress(BrokenPipeError):
        sys.stderr.close()


def test_ctrl_c_in_prepare_says_how_to_go_on(monkeypatch, capsys, tmp_path):
    def interrupted(*what, **how):
        raise KeyboardInterrupt

    monkeypatch.setattr("hlgan_lib.commands.datasets.prepare_file", interrupted)
    argv = ["prepare", "folder", "my photos", "--out", str(tmp_path / "out.npz")]
    assert cli.main(argv) == 130
    said = capsys.readouterr().err
    assert said == f"hlgan: stopped; go on with: hlgan {shlex.join(argv)}\n"


def test_ctrl_c_while_the_commands_are_imported_is_silent(monkeypatch, capsys):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "main", interrupted)
    assert __main__.main() == 130
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a disk that is full")
@pytest.mark.parametrize("argv", [["--version"], ["info", "--preset", "quick"]])
def test_a_full_disk_under_the_output_is_one_line(argv):
    with open("/dev/full", "w") as full:
        process = hlgan(*argv, stdout=full, stderr=subprocess.PIPE)
        said = process.communicate()[1]
    assert process.returncode == 2 and "No space left on device" in said
    assert said.startswith("hlgan: error: ") and "Traceback" not in said


def test_used_up_memory_is_one_line_but_a_bug_is_not_hidden(monkeypatch, capsys):
    def fail(name):
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr("hlgan_lib.commands.info.about_preset", fail)
    assert "--batch" in refused(["info", "--preset", "quick"], capsys)

    def bug(name):
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr("hlgan_lib.commands.info.about_preset", bug)
    with pytest.raises(RuntimeError, match="shapes"):
        cli.main(["info", "--preset", "quick"])


@pytest.mark.parametrize("module", ["hlgan_lib", "hlgan_lib.cli"])
def test_python_m_is_the_command_line(module):
    shown = subprocess.run(
        [sys.executable, "-m", module, "--version"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        text=True,
        capture_output=True,
        check=True,
    ).stdout
    assert shown == f"hlgan {hl.__version__}\n"


def test_the_version(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"hlgan {hl.__version__}\n"


NO_SUCH = [
    (["trian"], "got 'trian', did you mean train: see hlgan --help"),
    (["train", "l2"], "got 'l2', did you mean l2h: see hlgan train --help"),
    # A flag that there is not goes before one that is missing.
    (["upscale", "--wieghts", "x"], "no flag --wieghts, did you mean --weights: see hlgan upscale"),
    (
        ["upscale", "--weights", "l2h", "--input", "a.png", "b.png", "--out", "o"],
        "got 2, a.png and",
    ),
    (["upscale", "--\x1b[31m", "x"], r"no flag --\x1b[31m"),
]


@pytest.mark.parametrize(
    "terminal",
    [
        {"TERM": "dumb"},
        {"TERM": "xterm-256color", "FORCE_COLOR": "1", "COLORTERM": "truecolor"},
        {"TERM": "xterm", "COLUMNS": "1"},
        {"TERM": "xterm", "COLUMNS": "none"},
    ],
    ids=lambda terminal: " ".join(terminal.values()),
)
def test_a_mistake_is_one_plain_line_on_every_terminal(terminal, monkeypatch, capsys):
    for name, value in terminal.items():
        monkeypatch.setenv(name, value)
    # tyro asks the output whether it is a terminal.
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda self: True, raising=False)
    for argv, words in NO_SUCH:
        line = refused(argv, capsys)
        assert words in line and line.rstrip("\n").isprintable()


def test_help_ends_in_a_column_of_one(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "1")
    assert cli.main(["upscale", "--help"]) == 0
    assert "--overwrite" in capsys.readouterr().out
    assert os.environ["COLUMNS"] == "1"


LOCALES = [{"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}]
LOCALES += [{"PYTHONIOENCODING": "latin-1"}, {"PYTHONIOENCODING": "utf-8"}]


@pytest.mark.parametrize("locale", LOCALES, ids=lambda locale: " ".join(locale.values()))
def test_names_of_any_bytes_are_said_in_every_locale(locale, tmp_path):
    folder = os.fsencode(tmp_path) + b"/caf\xe9 \xe4\xba\xba\x1b[31m\n"
    os.mkdir(folder)
    env = os.environ | {"PYTHONPATH": str(ROOT)} | locale
    code = "import sys; from hlgan_lib import cli; sys.exit(cli.main())"
    argv = [sys.executable, "-c", code, "evaluate", "--fake", folder, "--real", folder]
    ended = subprocess.run(argv, env=env, capture_output=True)
    assert ended.returncode == 2 and b"Traceback" not in ended.stderr
    assert ended.stderr.count(b"\n") == 1 and b"\x1b" not in ended.stderr
    assert b"caf" in ended.stderr and b"got 0: give a folder with more" in ended.stderr
