"""Saves that leave no half file, checkpoints that can be trusted, folders never overwritten."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from hlgan_lib import HighToLow, HLError, preset
from hlgan_lib.checkpoint import (
    RunFolder,
    load_checkpoint,
    read_weights,
    save_checkpoint,
    save_weights,
    stored_config,
)

CFG = preset("smoke")


KILLED = """
import os, random, signal, sys, time
from pathlib import Path
import torch
from hlgan_lib.checkpoint import load_checkpoint, save_checkpoint
torch.set_num_threads(1)
path, rng = Path(sys.argv[1]), random.Random(0)
save_checkpoint(path, {"n": 0, "w": torch.zeros(100_000)})
for round in range(6):
    before = path.stat().st_mtime_ns
    child = os.fork()
    if not child:
        n = 0
        while True:
            n += 1
            save_checkpoint(path, {"n": n, "w": torch.full((100_000,), float(n))})
    while path.stat().st_mtime_ns == before:  # its first save
        time.sleep(0.002)
    time.sleep(rng.uniform(0, 0.04))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    state = load_checkpoint(path)
    assert (state["w"] == state["n"]).all()
    assert state["n"] > 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kill -9 needs a POSIX system")
def test_kill_9_while_saving_leaves_a_whole_checkpoint(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "last.pt")],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent.parent,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "damage",
    [
        lambda b: b[: len(b) // 2],
        lambda b: b"",
        lambda b: b"not a checkpoint",
        lambda b: b[:200] + bytes(200) + b[400:],
    ],
    ids=["cut", "empty", "text", "zeros"],
)
def test_damaged_checkpoint(tmp_path, damage):
    path = tmp_path / "last.pt"
    save_checkpoint(path, {"w": torch.arange(100.0)})
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(HLError, match="last.pt cannot be read .*go on from another one") as error:
        load_checkpoint(path)
    assert "\n" not in str(error.value)


def test_missing_checkpoint(tmp_path):
    with pytest.raises(HLError, match="no checkpoint at"):
        load_checkpoint(tmp_path / "last.pt")


class _Evil:
    def __reduce__(self):
        return print, ("a stranger's code ran",)


def test_a_checkpoint_runs_no_code(tmp_path, capsys):
    torch.save({"w": _Evil()}, tmp_path / "last.pt")
    with pytest.raises(HLError, match="cannot be read"):
        load_checkpoint(tmp_path / "last.pt")
    assert capsys.readouterr().out == ""


def test_weights_carry_stage_and_configuration(tmp_path):
    net, path = HighToLow(CFG), tmp_path / "weights.safetensors"
    save_weights(path, net.state_dict(), "h2l", CFG, {"images": 24})
    state, metadata = read_weights(path)
    assert (
        metadata["stage"] == "h2l" and metadata["images"] == "24" and stored_config(metadata) == CFG
    )
    assert state.keys() == net.state_dict().keys()
    assert all(torch.equal(v, state[k]) for k, v in net.state_dict().items())


def test_foreign_and_damaged_weights(tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / "w.safetensors"
    save_file({"w": torch.zeros(2)}, path)
    with pytest.raises(HLError, match="carry no stage and configuration"):
        read_weights(path)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(HLError, match="cannot be read"):
        read_weights(path)


ABOUT = {"stage": "h2l", "config": CFG.as_dict(), "hi": "faces:train-hi"}


def test_a_folder_that_holds_a_run_is_refused(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.start(ABOUT, resume=False)
    with pytest.raises(HLError, match="already holds a run: add --resume"):
        folder.start(ABOUT, resume=False)
    folder.start(ABOUT, resume=True)
    other = ABOUT | {"hi": "mine", "config": ABOUT["config"] | {"lr": 1.0}}
    with pytest.raises(HLError, match="started with another lr, hi"):
        folder.start(other, resume=True)
    assert json.loads(folder.config.read_text()) == ABOUT


def test_a_home_folder_is_no_run_folder_and_what_a_killed_run_left_is(tmp_path):
    for name in (".lock", ".0123456789abcdef.part"):  # killed while it wrote its config.json
        (tmp_path / name).write_text("")
    RunFolder(tmp_path).check(ABOUT, resume=False)
    (tmp_path / ".profile").write_text("years")
    with pytest.raises(HLError, match="holds other files: choose an empty or new folder"):
        RunFolder(tmp_path).start(ABOUT, resume=False)
    assert len(list(tmp_path.iterdir())) == 3


def test_other_peoples_files_are_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years")
    with pytest.raises(HLError, match="holds other files"):
        RunFolder(tmp_path).start(ABOUT, resume=False)
    with pytest.raises(HLError, match="is a file"):
        RunFolder(tmp_path / "thesis.tex").start(ABOUT, resume=False)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_run_killed_before_its_configuration_was_written_can_start(tmp_path):
    (tmp_path / ".0123456789abcdef.part").write_text("{")
    RunFolder(tmp_path).start(ABOUT, resume=True)
    assert json.loads(RunFolder(tmp_path).config.read_text()) == ABOUT


def line_of(step: int) -> dict:
    return dict(step=step, images=4 * step, losses={"pix": 0.1}, health=[], seconds=1.0, rate=2.0)


def test_cut_back_drops_what_is_later_than_the_checkpoint(tmp_path):
    folder = RunFolder(tmp_path)
    for step in (1, 2, 3):
        folder.append_log(line_of(step))
        folder.save_sample(step, torch.zeros(3, 2, 2, dtype=torch.uint8))
    with open(folder.log, "a") as file:
        file.write('{"step": 4, "los')  # killed in the middle of a line
    folder.cut_back(2)
    assert [json.loads(line)["step"] for line in folder.log.read_text().splitlines()] == [1, 2]
    assert sorted(p.name for p in folder.samples.iterdir()) == ["0000001.png", "0000002.png"]


# ---- identity and damage -------------------------------------------------------------------------
DATA = ABOUT | {"data": {"hi": {"n": 40, "digest": "aa"}}, "machine": {"device": "cpu"}}


def test_a_run_knows_its_data_wherever_it_lies(tmp_path):
    RunFolder(tmp_path).start(DATA, resume=False)
    RunFolder(tmp_path).start(DATA | {"hi": "moved/here"}, resume=True)
    other = DATA | {"hi": "mine", "data": {"hi": {"n": 39, "digest": "bb"}}}
    with pytest.raises(HLError, match=r"another hi \(40 of faces:train-hi then, 39 of mine now\)"):
        RunFolder(tmp_path).start(other, resume=True)


def test_a_run_of_an_earlier_version_knows_its_data_by_name(tmp_path):
    RunFolder(tmp_path).start(ABOUT, resume=False)
    RunFolder(tmp_path).start(DATA, resume=True)
    with pytest.raises(HLError, match="another hi: use the same flags and data"):
        RunFolder(tmp_path).start(DATA | {"hi": "mine"}, resume=True)


def test_another_machine_is_told_of(tmp_path):
    RunFolder(tmp_path).start(DATA, resume=False)
    with pytest.warns(UserWarning, match=r"goes on elsewhere \(device cpu then, cuda now\)"):
        RunFolder(tmp_path).start(DATA | {"machine": {"device": "cuda"}}, resume=True)


def test_a_folder_in_training_is_refused_and_free_again_afterwards(tmp_path):
    first = RunFolder(tmp_path)
    first.start(ABOUT, resume=False)
    with pytest.raises(HLError, match="is being written by process"):
        RunFolder(tmp_path).start(ABOUT, resume=True)
    first.release()
    RunFolder(tmp_path).start(ABOUT, resume=True)


def test_a_damaged_log_line_costs_that_line_only(tmp_path):
    folder = RunFolder(tmp_path)
    for step in (1, 2, 3, 4):
        folder.append_log(line_of(step))
    lines = folder.log.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b"images", b"im\xffges")
    folder.log.write_bytes(b"".join([*lines, lines[0], b'{"step": 5, "los']))
    entries, n_damaged = folder.read_log()
    assert [e["step"] for e in entries] == [1, 3, 4] and n_damaged == 2
    with pytest.warns(UserWarning, match="2 damaged lines"):
        folder.cut_back(3)
    assert [json.loads(line)["step"] for line in folder.log.read_text().splitlines()] == [1, 3]


def test_somebodys_copy_of_a_sample_stays(tmp_path):
    folder = RunFolder(tmp_path)
    folder.save_sample(3, torch.zeros(3, 2, 2, dtype=torch.uint8))
    for name in ("0000003 (copy).png", "best.png"):
        (folder.samples / name).write_bytes(b"")
    folder.cut_back(0)
    assert sorted(p.name for p in folder.samples.iterdir()) == ["0000003 (copy).png", "best.png"]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"stage": "x2x", "config": {}}', "\xff"])
def test_a_damaged_config_json_is_one_line(tmp_path, text):
    (tmp_path / "config.json").write_text(text, "latin1")
    with pytest.raises(HLError, match="config.json cannot be read .*restore it") as error:
        RunFolder(tmp_path).start(ABOUT, resume=True)
    assert str(error.value).isprintable()


def test_damaged_scores_are_no_end_of_a_run(tmp_path):
    folder = RunFolder(tmp_path)
    folder.weights.write_bytes(b"")
    for text in ("", "{", '{"images": 4}'):
        folder.scores.write_text(text)
        assert not folder.finished


def test_weights_with_a_foreign_configuration_are_one_line(tmp_path):
    for config in ("", "[]", "{", '{"h2l_width": "4"}', '{"seed": null}', '{"seed": 1, "x": 2}'):
        with pytest.raises(HLError) as error:
            stored_config({"stage": "h2l", "config": config})
        assert str(error.value).isprintable()
