"""The command line, mostly in this process; real processes where only they can show it (help, kill -9, broken pipe)."""

import io
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import hlgan_lib as hl
from hlgan_lib import cli, config, runtime
from hlgan_lib.checkpoint import read_weights
from hlgan_lib.commands import flags
from hlgan_lib.loop import Loop

ROOT = Path(__file__).parent.parent
TIMES = ("seconds", "rate")


def train(stage, out, *flags):
    """Arguments of a training of seconds; l2h on bilinear."""
    more = ["--degradation", "bilinear"] if stage == "l2h" else []
    return ["train", stage, "--preset", "smoke", "--out", str(out), *more, *map(str, flags)]


def hlgan(*argv, **options):
    """The command line in a process of its own."""
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": str(torch.get_num_threads())}
    return subprocess.Popen(
        [sys.executable, "-m", "hlgan_lib.cli", *map(str, argv)], env=env, text=True, **options
    )


def refused(argv, capsys) -> str:
    """The one line with which a command ends."""
    assert cli.main([str(a) for a in argv]) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("hlgan: error: ") and shown.err.count("\n") == 1, shown.err
    return shown.err


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


def save_picture(path: Path, size: int, seed: int = 0, width: int | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (size, width or size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Tiny networks are fastest so, and bit for bit means with the same threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with finished runs of both stages."""
    folder = tmp_path_factory.mktemp("runs")
    assert cli.main(train("h2l", folder / "h2l")) == 0
    assert cli.main(train("l2h", folder / "l2h")) == 0
    return folder


# ---- help and flags --------------------------------------------------------------------------------------------------
def test_help_answers_without_torch():
    code = "import sys; from hlgan_lib.cli import main; main(['--help']); assert 'torch' not in sys.modules"
    shown = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        text=True,
        capture_output=True,
        check=True,
    ).stdout
    assert all(command in shown for command in cli.COMMANDS)


@pytest.mark.parametrize("stage", ["h2l", "l2h", "joint", "srgan", "cyclegan"])
def test_every_field_is_a_flag_with_meaning_unit_and_the_presets_value(stage, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    assert cli.main(["train", stage, "--preset", "study", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for name, spec in config.field_specs().items():
        value = getattr(hl.preset("study"), name)
        assert f"--{name.replace('_', '-')} " in shown.replace(",", " ")
        assert f"{spec.meaning} [{spec.unit}; {spec.source}" in shown
        assert f"(default: {value})" in shown.split(f"{spec.meaning} [{spec.unit}; ")[1][:200], name


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
        ("cyclegan", [], {"cyclegan_steps": 7, "cyclegan_width": 8}),
    ],
)
def test_short_flags_set_the_stages_own_length_and_width(stage, more, short):
    command = cli.parse(["train", stage, "--out", "x", "--steps", "7", "--width", "8", *more])
    assert command.config() == hl.preset(flags.DEFAULT_PRESET).replace(**short)


def test_joint_has_a_length_of_its_own():
    argv = ["train", "joint", "--out", "x", "--h2l", "a", "--l2h", "b", "--steps", "7"]
    assert cli.parse(argv).config() == hl.preset(flags.DEFAULT_PRESET).replace(joint_steps=7)


WRONG = [
    (["trin"], "trin"),
    (["train"], "h2l, l2h, joint, srgan, cyclegan"),
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
    (["upscale", "--weights", "x"], "--input, --out"),
    (["evaluate", "--fake", "faces:val", "--real", "faces:val:hi"], "faces:val:hi or faces:val:lo"),
    (["prepare", "folder", "nowhere", "--out", "{}.npz"], "SRC must be a folder"),
    (["prepare", "celeba", ".", "--out", "{}.npz"], "'folder'"),
    (["info", "--preset"], "--preset"),
]


@pytest.mark.parametrize(
    "argv, words", WRONG, ids=lambda a: " ".join(a)[:50] if isinstance(a, list) else None
)
def test_a_mistake_ends_with_one_line_and_writes_nothing(argv, words, tmp_path, capsys):
    line = refused([a.replace("{}", str(tmp_path / "out")) for a in argv], capsys)
    assert words in line and list(tmp_path.iterdir()) == []


# ---- training: stop, go on, refuse -----------------------------------------------------------------------------------
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
def test_a_rival_is_trained_and_restores_by_the_same_commands(stage, tmp_path, capsys):
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
        "hlgan_lib.training.diagnose",
        lambda history, _: ["z is ignored"] if len(history) > 2 else [],
    )
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert cli.main(train("h2l", tmp_path / "run")) == 0
    shown, out = sys.stderr.getvalue(), capsys.readouterr().out
    assert "12/24 images" in shown and "24/24 images" in shown and " left  pix " in shown
    assert out.count("health: z is ignored") == 1 and " images/s " not in out


# ---- degrade and upscale ---------------------------------------------------------------------------------------------
def pixels(path: Path) -> torch.Tensor:
    with Image.open(path) as image:
        return torch.from_numpy(np.asarray(image).transpose(2, 0, 1).copy())


def test_degrade_keeps_names_folders_and_noise(runs, tmp_path, capsys):
    source = tmp_path / "in"
    for k, name in enumerate(("a.jpg", "sub/b.png", "sub/b.jpg")):
        save_picture(source / name, 64 + 10 * k, k)
    (source / "notes.png").write_text("no picture")
    argv = ["degrade", "--weights", str(runs / "h2l"), "--input", str(source), "--n-z", "2"]
    for out, seed in (("x", "5"), ("y", "5"), ("z", "6")):
        assert cli.main([*argv, "--out", str(tmp_path / out), "--seed", seed]) == 0
    assert "notes.png" in capsys.readouterr().err
    x, y, z = (
        {str(p.relative_to(folder)): pixels(p) for p in folder.rglob("*.png")}
        for folder in (tmp_path / out for out in "xyz")
    )
    assert sorted(x) == [
        "a_z0.png",
        "a_z1.png",
        "sub/b.jpg_z0.png",
        "sub/b.jpg_z1.png",
        "sub/b.png_z0.png",
        "sub/b.png_z1.png",
    ]
    assert all(p.shape == (3, 16, 16) for p in x.values())
    assert all(torch.equal(x[k], y[k]) for k in x) and not any(torch.equal(x[k], z[k]) for k in x)
    assert not torch.equal(x["a_z0.png"], x["a_z1.png"])


def test_upscale_is_the_apis(runs, tmp_path):
    argv = [
        "upscale",
        "--weights",
        str(runs / "l2h"),
        "--input",
        "faces:val",
        "--out",
        str(tmp_path / "out"),
    ]
    assert cli.main(argv) == 0
    lo = hl.load_faces("faces:val:lo")
    ours = hl.data.to_uint8(hl.upscale(runs / "l2h", lo.batch()))
    for k in (0, 63, 64, 199):
        difference = pixels(tmp_path / "out" / lo.names[k]).int() - ours[k].int()
        assert difference.abs().max() <= 1  # batches of other sizes may round differently
    assert len(list((tmp_path / "out").iterdir())) == len(lo)


def test_upscale_takes_one_picture_and_a_face_set(runs, tmp_path):
    one, npz = save_picture(tmp_path / "in" / "one.bmp", 16), tmp_path / "set.npz"
    hl.load_faces("faces:val:lo")[:3].save(npz)
    for source in (one, npz):
        assert (
            cli.main(
                [
                    "upscale",
                    "--weights",
                    str(runs / "l2h"),
                    "--input",
                    str(source),
                    "--out",
                    str(tmp_path / "out"),
                ]
            )
            == 0
        )
    names = ["one.png", *hl.load_faces("faces:val:lo").names[:3]]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(names)
    assert all(pixels(p).shape == (3, 64, 64) for p in (tmp_path / "out").iterdir())


def test_other_sizes_are_refused_without_fit(runs, tmp_path, capsys):
    source, out = tmp_path / "in", tmp_path / "out"
    save_picture(source / "a.png", 16)
    save_picture(source / "b.png", 20, width=30)
    argv = ["upscale", "--weights", runs / "l2h", "--input", source, "--out", out]
    assert "--fit" in refused(argv, capsys) and not out.exists()
    save_picture(source / "c.png", 9)
    assert cli.main([*map(str, argv), "--fit"]) == 0
    shown = capsys.readouterr()
    assert sorted(p.name for p in out.iterdir()) == ["a.png", "b.png"] and "c.png" in shown.err
    (source / "a.png").unlink()
    (source / "c.png").unlink()
    save_picture(source / "b.png", 20)
    assert "20x20" in refused(argv, capsys)


def test_inputs_are_never_overwritten(runs, tmp_path, capsys):
    source = tmp_path / "in"
    picture = save_picture(source / "a.png", 16)
    before = contents(tmp_path)
    for given, out in (
        (source, source),
        (picture, source),
        (source, source / "out"),
        (picture, picture),
    ):
        line = refused(
            ["upscale", "--weights", runs / "l2h", "--input", given, "--out", out], capsys
        )
        assert "choose" in line
    assert contents(tmp_path) == before


def test_names_of_a_strangers_file_stay_inside_out(runs, tmp_path, capsys):
    for name in ("../../evil", "/tmp/evil"):
        npz = tmp_path / "set.npz"
        hl.FaceSet(np.zeros((2, 3, 16, 16), np.uint8), ("a", name), "made").save(npz)
        argv = ["upscale", "--weights", runs / "l2h", "--input", npz, "--out", tmp_path / "out"]
        assert "leads out" in refused(argv, capsys) and not (tmp_path / "out").exists()


def test_weights_of_the_other_stage_are_refused(runs, tmp_path, capsys):
    argv = ["upscale", "--weights", runs / "h2l", "--input", "faces:val", "--out", tmp_path / "out"]
    assert "stage h2l, expected l2h" in refused(argv, capsys)
    damaged, (state, metadata) = (
        tmp_path / "w.safetensors",
        read_weights(runs / "l2h" / "weights.safetensors"),
    )
    save_file(dict(list(state.items())[1:]), damaged, metadata)
    argv = ["upscale", "--weights", damaged, "--input", "faces:val", "--out", tmp_path / "out"]
    assert "do not fit this version" in refused(argv, capsys)
    damaged.write_bytes((runs / "l2h" / "weights.safetensors").read_bytes()[:-100])
    assert "cannot be read" in refused(argv, capsys) and not (tmp_path / "out").exists()


# ---- prepare, evaluate, info, demo -----------------------------------------------------------------------------------
def test_prepare_makes_a_set_and_a_contact_sheet(tmp_path, capsys):
    for k in range(5):
        save_picture(tmp_path / "in" / f"{k}.png", 80, k)
    save_picture(tmp_path / "in" / "small.png", 30)
    argv = [
        "prepare",
        "folder",
        str(tmp_path / "in"),
        "--out",
        str(tmp_path / "new" / "set.npz"),
        "--contact-sheet",
        str(tmp_path / "sheet.png"),
    ]
    assert cli.main(argv) == 0
    faces = hl.load_faces(tmp_path / "new" / "set.npz")
    assert faces.names == tuple(f"{k}.png" for k in range(5)) and faces.size == (64, 64)
    assert np.array_equal(faces.images, hl.load_faces(tmp_path / "in", 64, role="hi").images)
    assert pixels(tmp_path / "sheet.png").shape == (3, 2 + 3 * 66, 2 + 2 * 66)
    assert cli.main([*argv, "--size", "32"]) == 0
    assert hl.load_faces(tmp_path / "new" / "set.npz").size == (32, 32)
    shown = capsys.readouterr()
    assert "5 pictures of 64x64, 1 skipped" in shown.out and "small.png" in shown.err


def test_evaluate_matches_pairs_by_name(tmp_path, capsys):
    hi = hl.load_faces("faces:val:hi")[:4]
    hi.save(tmp_path / "real.npz")
    shuffled = hl.FaceSet(np.array(hi.images[::-1]) // 2, hi.names[::-1], "made")
    shuffled.save(tmp_path / "fake.npz")
    argv = [
        "evaluate",
        "--fake",
        str(tmp_path / "fake.npz"),
        "--real",
        str(tmp_path / "real.npz"),
        "--paired",
        "--metrics",
        "psnr",
        "--json",
        str(tmp_path / "scores.json"),
    ]
    assert cli.main(argv) == 0
    scores = json.loads((tmp_path / "scores.json").read_text())
    error = ((hi.images / 255 - hi.images // 2 / 255) ** 2).mean((1, 2, 3))
    assert scores["psnr"]["value"] == pytest.approx((-10 * np.log10(error)).mean(), abs=0.01)
    assert f"{scores['psnr']['value']:.4g}" in capsys.readouterr().out
    hi[:3].save(tmp_path / "real.npz")
    before = contents(tmp_path)
    assert "no partner" in refused(argv, capsys) and contents(tmp_path) == before


def test_evaluate_takes_channel_border_poor_and_training_pictures(tmp_path, capsys):
    pairs = hl.load_faces("faces:val")
    hi, lo = pairs.hi[:4], pairs.lo[:4]
    fake = hl.FaceSet(np.array(hi.images) // 2, hi.names, "made")
    for name, faces in (("fake", fake), ("hi", hi), ("lo", lo[[3, 2, 1, 0]])):
        faces.save(tmp_path / f"{name}.npz")
    argv = [
        "evaluate",
        "--fake",
        str(tmp_path / "fake.npz"),
        "--real",
        str(tmp_path / "hi.npz"),
        "--paired",
        "--metrics",
        "psnr,consistency",
        "--channel",
        "y",
        "--border",
        "3",
        "--lo",
        str(tmp_path / "lo.npz"),
        "--json",
        str(tmp_path / "scores.json"),
    ]
    assert cli.main(argv) == 0
    stored = json.loads((tmp_path / "scores.json").read_text())
    want = hl.evaluate(fake, hi, True, ["psnr", "consistency"], channel="y", border=3, lo=lo)
    assert all(
        stored[name]["value"] == pytest.approx(score["value"]) for name, score in want.items()
    )
    assert "border 3 px" in capsys.readouterr().out
    pairs.lo[:3].save(tmp_path / "lo.npz")
    assert "--lo needs pictures of the same names" in refused(argv, capsys)
    argv = [
        "evaluate",
        "--fake",
        "faces:val:hi",
        "--real",
        "faces:val:hi",
        "--metrics",
        "frechet_lite0_paper",
    ]
    assert "pass train=" in refused(argv, capsys)
    assert "faces:val:hi or faces:val:lo" in refused([*argv, "--train", "faces:val"], capsys)
    assert "channel" in refused([*argv, "--channel", "cb"], capsys)


def test_info_names_versions_presets_and_weights(capsys):
    assert cli.main(["info"]) == 0
    shown = capsys.readouterr().out
    assert torch.__version__.split("+")[0] in shown
    assert all(name in shown for name in [*config.PRESETS, *hl.shipped_weights()])


@pytest.mark.parametrize("name", config.PRESETS)
def test_info_prints_exactly_the_differences_of_a_preset(name, capsys):
    assert cli.main(["info", "--preset", name]) == 0
    changed, fields = capsys.readouterr().out.split("\n\n")
    differing = config.differences(hl.preset(name))
    assert [line.split() for line in changed.splitlines()[1:]] == [
        [field, str(own), "paper:", str(paper)] for field, (paper, own) in differing.items()
    ]
    for line, (field, spec) in zip(
        fields.splitlines()[1:], config.field_specs().items(), strict=True
    ):
        assert line.split()[:2] == [field, str(getattr(hl.preset(name), field))]
        assert spec.meaning in line and spec.source in line and spec.unit in line


def test_demo_writes_pictures_and_scores(runs, tmp_path, capsys, monkeypatch):
    pairs = hl.Pairs(*(side[:12] for side in hl.load_faces("faces:test")))
    monkeypatch.setattr("hlgan_lib.commands.pictures.load_faces", lambda source: pairs)
    argv = [
        "demo",
        "--out",
        str(tmp_path / "demo"),
        "--h2l",
        str(runs / "h2l"),
        "--l2h",
        str(runs / "l2h"),
    ]
    assert cli.main(argv) == 0
    shown = capsys.readouterr().out
    files = ["degradation.png", "restoration.png", "scores.json"]
    assert sorted(p.name for p in (tmp_path / "demo").iterdir()) == files and all(
        f in shown for f in files
    )
    scores = json.loads((tmp_path / "demo" / "scores.json").read_text())
    bicubic = torch.nn.functional.interpolate(pairs.lo.batch(), size=64, mode="bicubic").clamp(
        -1, 1
    )
    for way, x in {"bicubic": bicubic, "ours": hl.upscale(runs / "l2h", pairs.lo.batch())}.items():
        error = ((x - pairs.hi.batch()) / 2).square().mean((1, 2, 3))
        assert scores[way]["psnr"]["value"] == pytest.approx(
            (-10 * error.log10()).mean().item(), abs=0.01
        )
    assert f"{scores['ours']['psnr']['value']:.4g}" in shown


# ---- the rest --------------------------------------------------------------------------------------------------------
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


def test_signals_are_left_alone_in_other_threads():
    from threading import Thread

    heard = []

    def listen():
        with runtime.stop_signals() as stop:
            heard.append(stop())

    thread = Thread(target=listen)
    thread.start()
    thread.join()
    assert heard == [False]
