"""The course of a training: exact resume, ticks, checkpoints, what stops it."""

import json
import math

import numpy as np
import pytest
import torch
from torch import nn

import hlgan_lib as hl
from hlgan_lib import losses, tasks
from hlgan_lib.checkpoint import RunFolder, load_checkpoint, save_checkpoint
from hlgan_lib.health import LONGEST
from hlgan_lib.loop import Loop, TrainingDiverged
from hlgan_lib.training.ticks import _tick
from tests.helpers import RICH, TINY, after, content, loop_of, same, train

# ---- exact resume --------------------------------------------------------------------------------
CASES = {
    "h2l": ("h2l", {}),
    "h2l rich": ("h2l", RICH | {"ema": 0.5}),
    "l2h": ("l2h", {"norm": "batch", "ema": 0.0}),
    "h2l wide ticks, pixels": ("h2l", {"tick_images": 8, "w_gan": 0.0}),
    "l2h rich": ("l2h", {"d_aug": True, "w_r1": 1.0}),
    "h2l camera": ("h2l", {"h2l_model": "camera"}),
    "h2l bf16": ("h2l", {"amp": "bf16", "w_r1": 1.0, "d_aug": True}),
    "srgan": ("srgan", {"norm": "batch"}),
    "l2h wavelet": ("l2h", {"l2h_model": "wavelet", "norm": "batch"}),
    "l2h deepdeblur": ("l2h", {"l2h_model": "deepdeblur"}),
    "flow": ("flow", {"norm": "batch"}),
    "semicycle": ("semicycle", {"d_aug": True}),
    "pseudo": ("pseudo", {}),
    "l2h relativistic": (
        "l2h",
        {"gan_loss": "relativistic", "w_r1": 1.0, "w_r2": 1.0, "penalty_every": 4},
    ),
    "cyclegan": ("cyclegan", {"batch": 12, "save_images": 24}),
}  # its history swaps from update 5 on


@pytest.mark.parametrize("case", CASES)
def test_six_updates_are_three_and_three(tmp_path, case):
    stage, changes = CASES[case]
    cfg = TINY.replace(**changes)
    whole = list(train(stage, cfg, out=tmp_path / "whole"))
    first = list(train(stage, cfg, out=tmp_path / "parts", stop=after(3)))
    folder = RunFolder(tmp_path / "parts")
    assert load_checkpoint(folder.last)["step"] == 3 and not folder.finished
    second = list(train(stage, cfg, out=tmp_path / "parts", resume=True))
    assert [t.step for t in first + second] == [t.step for t in whole] and whole[-1].step == 6
    want, got = content(tmp_path / "whole"), content(tmp_path / "parts")
    assert same(want, got) == []
    assert len(want["log"]) == len(whole) and want["weights"] and len(want["samples"]) == 3


class Killed(Exception):
    pass


def kill_after(n: int):
    stop = after(n)

    def kill():
        if stop():
            raise Killed
        return False

    return kill


@pytest.mark.parametrize("n", [1, 4])
def test_killed_between_checkpoints_the_log_is_cut_back(whole, tmp_path, n):
    with pytest.raises(Killed):  # after log lines that no checkpoint knows of, as by kill -9
        list(train("h2l", out=tmp_path, stop=kill_after(n)))
    folder = RunFolder(tmp_path)
    assert folder.last.is_file() == (n > 2)
    with open(folder.log, "a") as file:
        file.write('{"step": 3, "losses"')
    folder.save_sample(5, torch.zeros(3, 2, 2, dtype=torch.uint8))
    list(train("h2l", out=tmp_path, resume=True))
    assert same(content(whole), content(tmp_path)) == []


def test_killed_before_the_weights_were_written(tmp_path):
    cfg = TINY.replace(norm="batch", h2l_steps=2)
    list(train("h2l", cfg, out=tmp_path))
    want, folder = content(tmp_path), RunFolder(tmp_path)
    folder.weights.unlink(), folder.scores.unlink()
    assert list(train("h2l", cfg, out=tmp_path, resume=True)) == []
    assert folder.finished and same(want, content(tmp_path)) == []


def test_killed_between_last_and_best_the_best_is_made_again(whole, tmp_path):
    list(train("h2l", out=tmp_path, stop=after(2)))
    folder = RunFolder(tmp_path)
    folder.best.unlink()  # as if killed after last.pt
    list(train("h2l", out=tmp_path, resume=True))
    assert same(content(whole), content(tmp_path)) == []


def test_a_lost_last_checkpoint_is_never_taken_for_none(tmp_path):
    list(train("h2l", out=tmp_path, stop=after(3)))
    folder = RunFolder(tmp_path)
    folder.last.unlink()
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    with pytest.raises(hl.HLError, match="last.pt is missing, and .*best.pt is there: copy it"):
        list(train("h2l", out=tmp_path, resume=True))
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
    folder.best.rename(folder.last)
    *_, tick = train("h2l", out=tmp_path, resume=True)
    assert tick.step == 6


def test_closing_the_iterator_saves(whole, tmp_path):
    ticks = train("h2l", out=tmp_path)
    next(ticks)
    ticks.close()
    assert load_checkpoint(RunFolder(tmp_path).last)["step"] == 1
    list(train("h2l", out=tmp_path, resume=True))
    assert same(content(whole), content(tmp_path)) == []


def test_joint_resumes_to_the_bit(two_runs, tmp_path):
    cfg = TINY.replace(joint_steps=2)
    list(train("joint", cfg, out=tmp_path / "whole", **two_runs))
    list(train("joint", cfg, out=tmp_path / "parts", stop=after(1), **two_runs))
    list(train("joint", cfg, out=tmp_path / "parts", resume=True, **two_runs))
    assert same(content(tmp_path / "whole"), content(tmp_path / "parts")) == []


def test_same_seed_same_run_other_seed_another():
    def end(cfg):
        *_, tick = train("h2l", cfg)
        return tick.losses, tick.score, tick.samples

    a, b, other = end(TINY), end(TINY), end(TINY.replace(seed=1))
    assert same(a, b) == [] and len(same(a, other)) > 5


def test_looking_does_not_change_training(tmp_path):
    often, seldom = (
        TINY.replace(norm="batch", ema=0.0, h2l_steps=4, save_images=n) for n in (4, 16)
    )
    list(train("h2l", often, out=tmp_path / "often"))
    list(train("h2l", seldom, out=tmp_path / "seldom"))
    a, b = (load_checkpoint(RunFolder(tmp_path / n).last) for n in ("often", "seldom"))
    for state in (a, b):
        state["best"] = state["best_step"] = state["seconds"] = 0
    assert same(a, b) == []


def test_a_checkpoint_of_another_kind_of_device_goes_on_with_new_random_numbers(tmp_path):
    """A CUDA generator's state is 16 bytes, the CPU's thousands; a scaler's is empty where off."""
    list(train("h2l", out=tmp_path, stop=after(3)))
    folder = RunFolder(tmp_path)
    state = load_checkpoint(folder.last)
    state["rng"] = torch.zeros(16, dtype=torch.uint8)
    for sampler in state["samplers"].values():
        sampler["generator"] = state["rng"]
    save_checkpoint(folder.last, state)
    with pytest.warns(UserWarning, match="another kind of device"):
        *_, tick = train("h2l", out=tmp_path, resume=True)
    assert (
        tick.step == 6 and all(math.isfinite(v) for v in tick.losses.values()) and folder.finished
    )


# ---- ticks ---------------------------------------------------------------------------------------
def test_ticks_report_position_speed_losses_and_scores(tmp_path):
    cfg = TINY.replace(tick_images=8, save_images=16, h2l_steps=5)
    ticks = list(train("h2l", cfg, out=tmp_path))
    assert [(t.step, t.steps, t.images) for t in ticks] == [(2, 5, 8), (4, 5, 16), (5, 5, 20)]
    assert [t.score is not None for t in ticks] == [False, True, True]
    assert all(
        (t.samples is None) == (t.score is None) and t.rate > 0 and t.left_s >= 0 for t in ticks
    )
    assert ticks[-1].left_s == 0 and ticks[0].seconds < ticks[-1].seconds
    assert ticks[0].losses.keys() == {
        "d_loss",
        "d_real",
        "d_fake",
        "d_sure",
        "real_spread",
        "pix",
        "gan",
        "fake_spread",
        "z_spread",
    }
    assert all(math.isfinite(v) for t in ticks for v in t.losses.values())
    folder = RunFolder(tmp_path)
    lines = [json.loads(line) for line in folder.log.read_text().splitlines()]
    assert [x["losses"] for x in lines] == [t.losses for t in ticks]
    assert sorted(p.name for p in folder.samples.iterdir()) == ["0000004.png", "0000005.png"]
    assert json.loads(folder.config.read_text())["config"] == cfg.as_dict()


def test_a_tick_is_a_mean_since_the_last():
    fine, coarse = (list(train("h2l", TINY.replace(tick_images=n))) for n in (4, 12))
    for name in ("pix", "gan", "d_loss"):
        want = np.mean([t.losses[name] for t in fine[:3]])
        assert coarse[0].losses[name] == pytest.approx(want, rel=1e-5)


def test_best_is_the_checkpoint_of_the_lowest_score(tmp_path, monkeypatch):
    scores = iter([5.0, 3.0, 4.0, 4.0])
    monkeypatch.setattr(tasks.H2LTask, "validate", lambda self, nets: next(scores))
    ticks = list(train("h2l", out=tmp_path))
    assert [t.score for t in ticks if t.score] == [5, 3, 4]
    folder = RunFolder(tmp_path)
    assert load_checkpoint(folder.best)["step"] == 4 and load_checkpoint(folder.last)["step"] == 6
    assert load_checkpoint(folder.last)["best"] == 3


def test_history_is_bounded():
    loop = loop_of("h2l", TINY.replace(h2l_steps=500))
    loop.history = [{"step": n, "pix": 0.1} for n in range(1, 3001)]
    loop.step = 3000
    loop.update()
    _tick(loop, {"pix": 0.1}, 1.0, look=False)
    assert len(loop.history) == LONGEST and loop.history[-1]["step"] == 3001
    assert len(json.dumps(loop.history)) < 60_000


# ---- what stops a run ----------------------------------------------------------------------------
def check_diverged(error, folder, step):
    text = str(error.value)
    assert all(
        part in text for part in ("became NaN or infinite", "try a smaller --lr", str(folder.last))
    )
    assert "\n" not in text
    state = load_checkpoint(folder.last)
    assert state["step"] == step and all(v.isfinite().all() for v in state["generators"].values())
    assert isinstance(error.value, hl.HLError)


def test_nan_loss_stops_and_the_checkpoint_is_kept(tmp_path, monkeypatch):
    cfg = TINY.replace(tick_images=8)
    list(train("h2l", cfg, out=tmp_path, stop=after(2)))
    broken = losses.GAN(losses.hinge_d, lambda score: score.mean() * math.nan)
    monkeypatch.setitem(losses.GANS, cfg.gan_loss, broken)
    with pytest.raises(TrainingDiverged) as error:
        list(train("h2l", cfg, out=tmp_path, resume=True))
    check_diverged(error, RunFolder(tmp_path), 2)
    assert "gan, " in str(error.value)
    monkeypatch.undo()
    assert [t.step for t in train("h2l", cfg, out=tmp_path, resume=True)] == [
        4,
        6,
    ]  # and training can go on


def test_nan_weights_behind_finite_losses_are_not_saved(tmp_path, monkeypatch):
    update = Loop.update

    def poison(loop):
        update(loop)
        if loop.step == 4:  # a gradient that overflowed: the losses show it one update later
            nn.init.constant_(next(loop.task.generators["l2h"].parameters()), math.inf)

    monkeypatch.setattr(Loop, "update", poison)
    with pytest.raises(TrainingDiverged, match="weights of l2h became") as error:
        list(train("l2h", out=tmp_path))
    check_diverged(error, RunFolder(tmp_path), 2)


def test_an_absurd_learning_rate_diverges_by_itself():
    with pytest.raises(TrainingDiverged, match="no checkpoint yet"):
        list(train("h2l", TINY.replace(lr=1e30, lr_d=1e30, h2l_steps=20)))


# ---- GPU -----------------------------------------------------------------------------------------
needs_gpu = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


@pytest.mark.parametrize("amp", [pytest.param(a, marks=needs_gpu) for a in ("off", "bf16", "fp16")])
@pytest.mark.parametrize("stage", ["h2l", "l2h"])
def test_gpu_trains_and_resumes_in_every_precision(tmp_path, stage, amp):
    cfg = hl.preset("smoke").replace(amp=amp)
    data = {"hi": "faces:train-hi"} | (
        {"degradation": "bilinear"} if stage == "l2h" else {"lo": "faces:train-lo"}
    )
    list(hl.train(cfg, stage, out=tmp_path, stop=after(3), **data))
    *_, tick = hl.train(cfg, stage, out=tmp_path, resume=True, **data)
    assert tick.step == 6 and all(math.isfinite(v) for v in tick.losses.values())
    assert (
        RunFolder(tmp_path).finished
        and json.loads((tmp_path / "scores.json").read_text())["device"] == "cuda"
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the compiler's advice
@pytest.mark.parametrize("stage", [pytest.param("h2l", marks=needs_gpu)])
def test_gpu_compiled_networks_keep_their_names(tmp_path, stage):
    list(hl.train(hl.preset("smoke").replace(compile=True), stage, out=tmp_path))
    assert hl.load_weights(tmp_path).cfg.compile
