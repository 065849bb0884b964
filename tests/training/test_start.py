"""`train` and its run folder: what it holds, what goes on from what."""

import json
import shutil

import pytest
import torch

import hlgan_lib as hl
from hlgan_lib.checkpoint import RunFolder, load_checkpoint, read_weights
from hlgan_lib.data.faces import FaceSet
from hlgan_lib.loop import Loop
from tests.helpers import HI, LO, TINY, after, content, same, train, weights


# ---- the folder ----------------------------------------------------------------------------------
def test_nothing_is_stored_without_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    list(train("h2l"))
    assert list(tmp_path.iterdir()) == []


def test_finished_weights_are_the_average_with_fresh_statistics(tmp_path):
    list(train("h2l", TINY.replace(norm="batch", ema=0.5), out=tmp_path))
    state, metadata = read_weights(tmp_path / "weights.safetensors")
    last = load_checkpoint(RunFolder(tmp_path).last)
    ema = {
        k.removeprefix("module.h2l."): v for k, v in last["ema"].items() if k.startswith("module.")
    }
    assert all(
        torch.equal(v, ema[k])
        for k, v in state.items()
        if "running" not in k and "num_batches" not in k
    )
    assert any(not torch.equal(v, ema[k]) for k, v in state.items() if "running" in k)
    assert metadata["stage"] == "h2l" and metadata["hi"] == "made32"
    assert json.loads((tmp_path / "scores.json").read_text())["images"] == 24


def test_machine_and_threads_are_stored_with_run_and_weights(whole):
    machine = json.loads((whole / "config.json").read_text())["machine"]
    assert machine == {"device": "cpu", "torch": torch.__version__, "threads": 1}
    assert read_weights(whole / "weights.safetensors")[1]["threads"] == "1"


# ---- what goes on from what ----------------------------------------------------------------------
def test_a_finished_run_is_left_alone(whole):
    times = {p: p.stat().st_mtime_ns for p in whole.rglob("*")}
    assert list(train("h2l", out=whole, resume=True)) == []
    assert {p: p.stat().st_mtime_ns for p in whole.rglob("*")} == times


def test_resume_with_another_flag_is_refused(tmp_path):
    list(train("h2l", out=tmp_path, stop=after(1)))
    with pytest.raises(hl.HLError, match="started with another lr, seed"):
        train("h2l", TINY.replace(lr=2e-3, seed=5), out=tmp_path, resume=True)
    with pytest.raises(hl.HLError, match="already holds a run"):
        train("h2l", out=tmp_path)


def test_the_same_data_goes_on_from_anywhere_and_changed_data_nowhere(tmp_path):
    def moved(faces, images=None, names=None):
        return FaceSet(
            faces.images if images is None else images, names or faces.names, "moved/here"
        )

    list(train("h2l", out=tmp_path, stop=after(1)))
    changed = HI.images.copy()
    changed[7, 2, 5, 5] ^= 1
    for hi in (moved(HI, changed), moved(HI, names=("x", *HI.names[1:])), HI[:39], HI[::-1]):
        with pytest.raises(hl.HLError, match="started with another hi"):
            train("h2l", out=tmp_path, resume=True, hi=hi)
    *_, tick = train("h2l", out=tmp_path, resume=True, hi=moved(HI), lo=moved(LO))
    assert tick.step == 6


def test_a_run_of_an_earlier_version_knows_its_data_again(tmp_path):
    list(train("h2l", out=tmp_path, stop=after(1)))
    config = tmp_path / "config.json"
    about = json.loads(config.read_text())
    for name, faces in {"hi": HI, "lo": LO}.items():
        about["data"][name]["digest"] = faces.digest(like="of pixels")
    config.write_text(json.dumps(about))
    with pytest.raises(hl.HLError, match="started with another hi"):
        train("h2l", out=tmp_path, resume=True, hi=HI[::-1])
    *_, tick = train("h2l", out=tmp_path, resume=True)
    assert tick.step == 6


def test_a_learned_degradation_is_known_by_its_weights(two_runs, tmp_path):
    copy = shutil.copytree(two_runs["h2l"], tmp_path / "copy")
    list(
        train("l2h", degradation=f"learned:{two_runs['h2l']}", out=tmp_path / "run", stop=after(1))
    )
    train("l2h", degradation=f"learned:{copy}", out=tmp_path / "run", resume=True).close()
    list(train("h2l", TINY.replace(seed=1, h2l_steps=2), out=tmp_path / "other"))
    with pytest.raises(hl.HLError, match="started with another degradation"):
        train("l2h", degradation=f"learned:{tmp_path / 'other'}", out=tmp_path / "run", resume=True)


def test_a_training_that_is_started_again_here_takes_over_from_the_first(whole, tmp_path):
    first = train("h2l", out=tmp_path)
    next(first)  # a cell that was cut off, and is run again
    list(train("h2l", out=tmp_path, resume=True))
    assert same(content(whole), content(tmp_path)) == []
    assert list(first) == []


def test_joint_goes_on_from_two_runs(two_runs, tmp_path, monkeypatch):
    started = {}
    update = Loop.update

    def watched(loop):
        if not started:
            nets = [*loop.task.generators.items(), *loop.task.discriminators.items()]
            started.update({name: weights(net) for name, net in nets})
        update(loop)

    monkeypatch.setattr(Loop, "update", watched)
    *_, tick = train("joint", out=tmp_path / "joint", **two_runs)
    assert tick.step == TINY.joint_steps
    assert {"pix", "hi_pix", "gan", "hi_gan", "d_loss", "hi_d_loss"} <= tick.losses.keys()
    for stage, d in (("h2l", "d_lo"), ("l2h", "d_hi")):
        folder = RunFolder(two_runs[stage])
        assert same(started[stage], read_weights(folder.weights)[0]) == []
        stored = load_checkpoint(folder.last)["discriminators"]
        assert same(started[d], {k.removeprefix(d + "."): v for k, v in stored.items()}) == []
    for stage in ("h2l", "l2h"):
        name = "weights.safetensors" if stage == "l2h" else "weights-h2l.safetensors"
        assert (
            same(weights(hl.load_weights(tmp_path / "joint" / name, stage=stage)), started[stage])
            != []
        )
    assert hl.load_weights(tmp_path / "joint").cfg == TINY
