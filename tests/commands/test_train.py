"""`hlgan train`: its flags; stopped, killed, resumed, refused."""

import io
import json
import os
import resource
import signal
import subprocess
import sys
from importlib import util
from pathlib import Path

import pytest
import torch

import hlgan_lib as hl
from hlgan_lib import cli
from hlgan_lib.commands import flags
from hlgan_lib.loop import Loop
from hlgan_lib.viz import tensorboard
from tests.commands.runs import train
from tests.helpers import refused

pytestmark = pytest.mark.usefixtures("one_thread")

ROOT = Path(__file__).parents[2]

TIMES = ("seconds", "rate")


def result(out: Path) -> dict:
    """What a run must repeat bit for bit: weights, samples, scores and log, but for times."""
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    scores = json.loads((out / "scores.json").read_text())
    weights = hl.load_weights(out).state_dict()
    return {
        "log": [{k: v for k, v in line.items() if k not in TIMES} for line in lines],
        "scores": {k: v for k, v in scores.items() if k not in TIMES},
        "weights": {k: v.numpy().tobytes() for k, v in weights.items()},
        "samples": {p.name: p.read_bytes() for p in (out / "samples").iterdir()},
    }


def contents(folder: Path) -> dict:
    return {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_flags_make_the_configuration():
    argv = "train h2l --h2l-width 16 --preset=smoke --out x --no-flip --w-gan 0 --seed 3".split()
    assert cli.parse(argv).config() == hl.preset("smoke").replace(
        h2l_width=16, flip=False, w_gan=0, seed=3
    )


@pytest.mark.parametrize(
    "stage, more, short",
    [
        ("h2l", [], {"h2l_steps": 7, "h2l_width": 8}),
        ("l2h", ["--degradation", "camera"], {"l2h_steps": 7, "l2h_width": 8}),
        ("srgan", [], {"srgan_steps": 7, "srgan_width": 8}),
        ("flow", ["--degradation", "bilinear", "--l2h", "a"], {"flow_steps": 7, "flow_width": 8}),
        ("cyclegan", [], {"cyclegan_steps": 7, "cyclegan_width": 8}),
    ],
)
def test_short_flags_set_the_stages_own_length_and_width(stage, more, short):
    command = cli.parse(["train", stage, "--out", "x", "--steps", "7", "--width", "8", *more])
    assert command.config() == hl.preset(flags.DEFAULT_PRESET).replace(**short)


def test_joint_has_a_length_of_its_own():
    argv = ["train", "joint", "--out", "x", "--h2l", "a", "--l2h", "b", "--steps", "7"]
    assert cli.parse(argv).config() == hl.preset(flags.DEFAULT_PRESET).replace(joint_steps=7)


def test_a_flow_is_told_its_restorer():
    argv = ["train", "flow", "--out", "x", "--degradation", "camera", "--l2h", "l2h-pixel"]
    assert cli.parse(argv).sources()["l2h"] == "l2h-pixel"
    with pytest.raises(hl.HLError, match="missing: --l2h"):
        cli.parse(argv[:-2])


@pytest.mark.parametrize("stage", ["semicycle", "pseudo"])
def test_what_learns_of_pairs_and_of_real_images_takes_both(stage):
    argv = ["train", stage, "--out", "x", "--degradation", "camera", "--lo", "y", "--steps", "7"]
    command = cli.parse(argv)
    assert command.sources() == {"degradation": "camera", "lo": "y"}
    assert command.config() == hl.preset(flags.DEFAULT_PRESET).replace(**{f"{stage}_steps": 7})


def send(monkeypatch, number: int, at: int, times: int = 1) -> None:
    """A signal to this process in the middle of update `at`."""
    update = Loop.update

    def updated(self):
        if self.step == at - 1:
            for _ in range(times):
                os.kill(os.getpid(), number)
        update(self)

    monkeypatch.setattr(Loop, "update", updated)


LONGER = (
    "--steps",
    10,
    "--tick-images",
    12,
    "--save-images",
    24,
)  # ticks at 3, 6, 9, 10; checkpoints at 6, 10


@pytest.mark.parametrize(
    "stage, number, at",
    [("h2l", signal.SIGINT, 2), ("l2h", signal.SIGTERM, 6), ("h2l", signal.SIGTERM, 8)],
)
def test_a_stopped_run_goes_on_bit_for_bit(stage, number, at, tmp_path, capsys, monkeypatch):
    assert cli.main(train(stage, tmp_path / "whole", *LONGER)) == 0
    with monkeypatch.context() as patch:
        send(patch, number, at)
        assert cli.main(train(stage, tmp_path / "parts", *LONGER)) == 128 + number
    assert capsys.readouterr().out.splitlines()[-1].endswith("--resume")
    checkpoint = torch.load(tmp_path / "parts" / "checkpoints" / "last.pt", weights_only=True)
    assert checkpoint["step"] == at
    assert cli.main(train(stage, tmp_path / "parts", *LONGER, "--resume")) == 0
    assert result(tmp_path / "parts") == result(tmp_path / "whole")


def test_a_second_signal_quits_at_once(tmp_path, capsys, monkeypatch):
    before = signal.getsignal(signal.SIGINT)
    send(monkeypatch, signal.SIGINT, at=2, times=2)
    assert cli.main(train("h2l", tmp_path / "run")) == 130
    assert capsys.readouterr().err == "hlgan: stopped\n"
    assert not (tmp_path / "run" / "checkpoints").exists()
    assert signal.getsignal(signal.SIGINT) is before


KILLED = """
import json, os, signal, sys
from hlgan_lib import checkpoint, cli, files, loop

def die_in(module, name, after):
    f, calls = getattr(module, name), []
    def last_call(*args, **options):
        calls.append(0)
        if len(calls) > after:
            os.kill(os.getpid(), signal.SIGKILL)
        return f(*args, **options)
    setattr(module, name, last_call)

for part, argv in json.loads(sys.argv[1]).items():
    child = os.fork()
    if not child:
        moment = {"update": (loop.Loop, "update", 7), "save": (files.os, "fsync", 5),
                  "finish": (checkpoint, "safetensors_bytes", 0)}
        die_in(*moment[part])
        os._exit(cli.main(argv))
    print(part, os.waitpid(child, 0)[1], file=sys.stderr)
"""


def test_kill_9_at_any_moment_then_resume_is_the_unbroken_run(tmp_path):
    flags = (
        "--steps",
        9,
        "--save-images",
        12,
    )  # files: config, then sample, best and last at each of 3 checkpoints
    runs = {part: train("l2h", tmp_path / part, *flags) for part in ("update", "save", "finish")}
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    died = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KILLED, json.dumps(runs)],
        env=env,
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=True,
    )
    assert died.stderr.split() == ["update", "9", "save", "9", "finish", "9"]  # SIGKILL each
    assert cli.main(train("l2h", tmp_path / "whole", *flags)) == 0
    for part, argv in runs.items():
        assert (tmp_path / part / "checkpoints" / "last.pt").is_file()
        assert not (tmp_path / part / "scores.json").exists()
        assert cli.main([*argv, "--resume"]) == 0
        assert result(tmp_path / part) == result(tmp_path / "whole"), part


def test_a_finished_run_says_so_and_is_never_overwritten(runs, capsys):
    before = contents(runs / "h2l")
    assert cli.main(train("h2l", runs / "h2l", "--resume")) == 0
    assert "finished already" in capsys.readouterr().out
    assert "add --resume" in refused(train("h2l", runs / "h2l"), capsys)
    assert "another seed" in refused(train("h2l", runs / "h2l", "--resume", "--seed", 1), capsys)
    assert contents(runs / "h2l") == before


def test_a_folder_with_other_files_is_refused(tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("years of work")
    assert "other files" in refused(train("h2l", tmp_path), capsys)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_checkpoint_of_another_version_gives_one_line(tmp_path, capsys, monkeypatch):
    with monkeypatch.context() as patch:
        send(patch, signal.SIGINT, at=2)
        assert cli.main(train("l2h", tmp_path / "run")) == 130
    capsys.readouterr()
    state = torch.load(tmp_path / "run" / "checkpoints" / "last.pt", weights_only=True)
    for broken in ({k: v for k, v in state.items() if k != "sums"}, state | {"generators": {}}):
        torch.save(broken, tmp_path / "run" / "checkpoints" / "last.pt")
        assert "another version" in refused(train("l2h", tmp_path / "run", "--resume"), capsys)


def test_joint_starts_from_two_runs(runs, tmp_path):
    argv = train("joint", tmp_path / "joint", "--h2l", runs / "h2l", "--l2h", runs / "l2h")
    assert cli.main(argv) == 0
    assert (tmp_path / "joint" / "weights-h2l.safetensors").is_file()
    hl.load_weights(tmp_path / "joint", stage="l2h")


@pytest.mark.parametrize("stage", ["srgan", "cyclegan"])
def test_a_baseline_is_trained_and_restores_by_the_same_commands(stage, tmp_path, capsys):
    assert cli.main(train(stage, tmp_path / "run")) == 0
    argv = [
        "upscale",
        "--weights",
        str(tmp_path / "run"),
        "--input",
        "faces:val:lo",
        "--out",
        str(tmp_path / "out"),
    ]
    assert cli.main(argv) == 0 and len(list((tmp_path / "out").glob("*.png"))) == 200
    capsys.readouterr()
    assert "expected h2l" in refused(["degrade", *argv[1:4], "faces:val:hi", *argv[5:]], capsys)


def test_a_full_disk_gives_one_line_and_resume_goes_on(tmp_path, capsys):
    assert cli.main(train("l2h", tmp_path / "whole")) == 0
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    capsys.readouterr()
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (500_000, hard)
    )  # bytes a file: less than a checkpoint
    try:
        line = refused(train("l2h", tmp_path / "parts"), capsys)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "cannot write" in line and ".pt" in line
    assert not list(tmp_path.glob("parts/checkpoints/*"))
    assert cli.main(train("l2h", tmp_path / "parts", "--resume")) == 0
    assert result(tmp_path / "parts") == result(tmp_path / "whole")


def test_a_folder_that_cannot_be_made_gives_one_line(capsys):
    assert "/proc/hlgan" in refused(train("h2l", "/proc/hlgan/run"), capsys)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_gives_one_line(tmp_path, capsys):
    tmp_path.chmod(0o555)
    assert "choose another --out" in refused(train("h2l", tmp_path / "run"), capsys)


def test_a_line_a_tick_without_a_terminal(tmp_path, capsys):
    assert cli.main(train("h2l", tmp_path / "run")) == 0
    shown = capsys.readouterr()
    ticks = [line for line in shown.out.splitlines() if " images/s " in line]
    assert [line.split()[0] for line in ticks] == [
        "4",
        "8",
        "12",
        "16",
        "20",
        "24",
    ] and shown.err == ""
    assert all(" left " in line and " pix " in line and " gan " in line for line in ticks)


def test_one_bar_on_a_terminal_and_a_new_diagnosis_once(tmp_path, capsys, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(
        "hlgan_lib.training.ticks.diagnose",
        lambda history, _: ["z is ignored"] if len(history) > 2 else [],
    )
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert cli.main(train("h2l", tmp_path / "run")) == 0
    shown, out = sys.stderr.getvalue(), capsys.readouterr().out
    assert "12/24 images" in shown and "24/24 images" in shown and " left  pix " in shown
    assert out.count("health: z is ignored") == 1 and " images/s " not in out


# ---- where nobody listens ------------------------------------------------------------------------
TEE = """
import os, signal, sys
from hlgan_lib import cli, loop

update = loop.Loop.update

def updated(self):
    if self.step == 1:
        os.kill(os.getpid(), signal.SIGINT)  # Ctrl-C reaches tee as well, which is gone at once
    update(self)

loop.Loop.update = updated
mode = sys.argv.pop(1)
if mode == "tee":
    reads, writes = os.pipe()
    os.close(reads)
    os.dup2(writes, 1)
    os.dup2(writes, 2)
else:
    os.close(1)
    os.close(2)
    sys.stdout = sys.stderr = None
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["tee", "closed"])
def test_ctrl_c_saves_though_nobody_listens(mode, tmp_path):
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    argv = train("h2l", tmp_path / "run", "--tick-images", 4)
    ended = subprocess.run([sys.executable, "-c", TEE, mode, *argv], env=env)
    assert ended.returncode == 130
    checkpoint = torch.load(tmp_path / "run" / "checkpoints" / "last.pt", weights_only=True)
    assert checkpoint["step"] == 2
    assert b"finishing" not in b"".join(contents(tmp_path).values())


def test_closed_output_is_no_end_of_a_training(tmp_path, monkeypatch):
    class Closed(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Closed())
    monkeypatch.setattr(sys, "stderr", Closed())
    assert cli.main(train("h2l", tmp_path / "run")) == 0
    assert (tmp_path / "run" / "scores.json").is_file()


@pytest.mark.parametrize("name", ["SIGHUP", "SIGUSR1", "SIGXCPU"])
def test_what_a_cluster_or_a_closed_terminal_sends_saves(name, tmp_path, monkeypatch):
    number = getattr(signal, name)
    send(monkeypatch, number, at=2, times=3)
    assert cli.main(train("h2l", tmp_path / "run")) == 128 + number
    checkpoint = torch.load(tmp_path / "run" / "checkpoints" / "last.pt", weights_only=True)
    assert checkpoint["step"] == 2


def test_two_trainings_of_one_folder(tmp_path, capsys):
    from hlgan_lib.files import Lock

    other = Lock(tmp_path / "run")
    assert f"written by process {os.getpid()}" in refused(train("h2l", tmp_path / "run"), capsys)
    other.release()
    assert cli.main(train("h2l", tmp_path / "run")) == 0


@pytest.mark.filterwarnings("ignore", "default:no TensorBoard")
def test_tensorboard_changes_nothing_of_a_run(tmp_path, capsys, monkeypatch):
    assert cli.main(train("h2l", tmp_path / "plain")) == 0
    there = util.find_spec("tensorboard") is not None
    assert cli.main(train("h2l", tmp_path / "logged", "--tensorboard")) == 0
    assert (tmp_path / "logged" / "tensorboard").is_dir() == there
    monkeypatch.setattr(tensorboard.util, "find_spec", lambda name: None)
    capsys.readouterr()
    assert cli.main(train("h2l", tmp_path / "without", "--tensorboard")) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if "TensorBoard" in line]
    assert len(said) == 1 and "pip install tensorboard" in said[0]
    plain = result(tmp_path / "plain")
    assert plain == result(tmp_path / "logged") == result(tmp_path / "without")
