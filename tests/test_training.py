"""Training: exact resume, what a run folder holds, what goes on from what, what stops a run."""

import json
import math

import numpy as np
import pytest
import torch
from torch import nn

import hlgan_lib as hl
from hlgan_lib import losses, tasks, training
from hlgan_lib.analysis.jpeg_traces import measured_jpeg
from hlgan_lib.analysis.validation import coded
from hlgan_lib.checkpoint import RunFolder, load_checkpoint, read_weights, save_checkpoint
from hlgan_lib.data.faces import FaceSet, to_uint8
from hlgan_lib.health import LONGEST
from hlgan_lib.inference import resolve_degradation
from hlgan_lib.loop import Loop, TrainingDiverged
from tests.helpers import CPU, HI, LO, RICH, TINY, loop_of, pictures, same, train, weights


def content(out) -> dict:
    """All that a run folder must repeat to the bit: times are left out."""
    folder = RunFolder(out)
    log = [json.loads(line) for line in folder.log.read_text().splitlines()]
    state = load_checkpoint(folder.last) | {"seconds": 0}
    kept = {
        "log": [{k: v for k, v in entry.items() if k not in ("seconds", "rate")} for entry in log],
        "last": state,
        "best": load_checkpoint(folder.best) | {"seconds": 0},
        "samples": {p.name: p.read_bytes() for p in sorted(folder.samples.iterdir())},
    }
    if folder.finished:
        kept["weights"] = read_weights(folder.weights)[0]
        kept["scores"] = {
            k: v for k, v in json.loads(folder.scores.read_text()).items() if k != "seconds"
        }
    return kept


def after(n: int):
    """A `stop` that says yes at the n-th update."""
    count = iter(range(1, 10**6))
    return lambda: next(count) == n


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


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of an unbroken run."""
    out = tmp_path_factory.mktemp("whole")
    list(train("h2l", out=out))
    return out


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


def test_closing_the_iterator_saves(whole, tmp_path):
    ticks = train("h2l", out=tmp_path)
    next(ticks)
    ticks.close()
    assert load_checkpoint(RunFolder(tmp_path).last)["step"] == 1
    list(train("h2l", out=tmp_path, resume=True))
    assert same(content(whole), content(tmp_path)) == []


def test_a_finished_run_is_left_alone(whole):
    times = {p: p.stat().st_mtime_ns for p in whole.rglob("*")}
    assert list(train("h2l", out=whole, resume=True)) == []
    assert {p: p.stat().st_mtime_ns for p in whole.rglob("*")} == times


def test_same_seed_same_run_other_seed_another():
    def end(cfg):
        *_, tick = train("h2l", cfg)
        return tick.losses, tick.score, tick.samples

    a, b, other = end(TINY), end(TINY), end(TINY.replace(seed=1))
    assert same(a, b) == [] and len(same(a, other)) > 5


def test_training_leaves_the_global_stream_alone():
    before = torch.random.get_rng_state()
    next(train("h2l")), next(train("l2h"))
    assert torch.equal(before, torch.random.get_rng_state())


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


# ---- what a run is given -------------------------------------------------------------------------
def test_learned_pairs_are_seeded_and_carry_no_gradient(whole):
    degrade = resolve_degradation(f"learned:{whole}", TINY, CPU)
    task = loop_of("l2h", degrade=degrade).task
    assert not task.batch()["lo_fake"].requires_grad
    a, b, c = (degrade(HI.batch(), torch.Generator().manual_seed(s)) for s in (0, 0, 1))
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_h2l_measures_the_jpeg_of_its_own_lr_pictures(tmp_path):
    lo, rng = pictures(16), torch.Generator().manual_seed(0)
    noisy = (lo.batch() + 0.2 * torch.randn(40, 3, 16, 16, generator=rng)).clamp(-1, 1)
    lo = FaceSet(to_uint8(coded(noisy, 30, True, rng)[0]).numpy(), lo.names, "coded")
    cfg = TINY.replace(size_lo=16, jpeg="measured")
    assert list(train("h2l", cfg, lo=lo, out=tmp_path))
    jpeg = hl.load_weights(tmp_path).jpeg
    assert jpeg.quality.median() == pytest.approx(30, abs=1)
    assert jpeg.subsampled.item() == pytest.approx(measured_jpeg(lo.batch())[1])


# ---- ticks and folders ---------------------------------------------------------------------------
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


@pytest.mark.parametrize("n", [2, 3, 9])
def test_very_few_pictures_are_enough(n):
    *_, tick = train("h2l", TINY.replace(h2l_steps=2), hi=HI[:n], lo=LO[:n])
    assert math.isfinite(tick.score)


# ---- joint ---------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def two_runs(tmp_path_factory):
    out = tmp_path_factory.mktemp("stages")
    cfg = TINY.replace(h2l_steps=2, l2h_steps=2)
    list(train("h2l", cfg, out=out / "h2l"))
    list(train("l2h", cfg, degradation=f"learned:{out / 'h2l'}", out=out / "l2h"))
    return {"h2l": out / "h2l", "l2h": out / "l2h"}


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


def test_joint_resumes_to_the_bit(two_runs, tmp_path):
    cfg = TINY.replace(joint_steps=2)
    list(train("joint", cfg, out=tmp_path / "whole", **two_runs))
    list(train("joint", cfg, out=tmp_path / "parts", stop=after(1), **two_runs))
    list(train("joint", cfg, out=tmp_path / "parts", resume=True, **two_runs))
    assert same(content(tmp_path / "whole"), content(tmp_path / "parts")) == []


def test_joint_needs_two_finished_runs_of_this_configuration(two_runs, tmp_path):
    with pytest.raises(hl.HLError, match="--l2h is missing"):
        train("joint", h2l=two_runs["h2l"])
    with pytest.raises(hl.HLError, match="not the folder of a finished h2l run"):
        train("joint", h2l=tmp_path, l2h=two_runs["l2h"])
    with pytest.raises(hl.HLError, match="of stage l2h, expected h2l"):
        train("joint", h2l=two_runs["l2h"], l2h=two_runs["l2h"])
    with pytest.raises(hl.HLError, match="another configuration"):
        train("joint", TINY.replace(h2l_width=8), **two_runs)
    with pytest.raises(hl.HLError, match="another skip"):  # does not show in the shapes
        train("joint", TINY.replace(skip=False), **two_runs)


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
    monkeypatch.setattr(
        tasks.H2LTask, "gan", losses.GAN(losses.hinge_d, lambda score: score.mean() * math.nan)
    )
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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(stage="l2l"), "stage must be one of h2l, l2h, joint, srgan, cyclegan, got 'l2l'"),
        (dict(stage="l2h", degradation=None), "degradation is missing"),
        (dict(stage="l2h", degradation="blurry"), "degradation must be one of"),
        (dict(stage="l2h", degradation="learned:nowhere"), "weights must be a run folder"),
        (dict(hi=LO), "hi must be 32x32 pictures, got 8x8"),
        (dict(lo=HI), "lo must be 8x8 pictures, got 32x32"),
        (dict(hi="no/such/folder"), "no such folder or file"),
    ],
)
def test_wrong_calls_are_one_line_and_make_no_folder(tmp_path, change, message):
    with pytest.raises(hl.HLError, match=message) as error:
        train(**({"stage": "h2l", "out": tmp_path / "run"} | change))
    assert "\n" not in str(error.value) and not (tmp_path / "run").exists()


def test_a_learned_degradation_of_other_sizes_is_refused(two_runs):
    with pytest.raises(hl.HLError, match="makes 8x8 from 32x32"):
        resolve_degradation(f"learned:{two_runs['h2l']}", TINY.replace(size_hi=64), CPU)


def test_resume_with_another_flag_is_refused(tmp_path):
    list(train("h2l", out=tmp_path, stop=after(1)))
    with pytest.raises(hl.HLError, match="started with another lr, seed"):
        train("h2l", TINY.replace(lr=2e-3, seed=5), out=tmp_path, resume=True)
    with pytest.raises(hl.HLError, match="already holds a run"):
        train("h2l", out=tmp_path)


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


def test_killed_between_last_and_best_the_best_is_made_again(whole, tmp_path):
    list(train("h2l", out=tmp_path, stop=after(2)))
    folder = RunFolder(tmp_path)
    folder.best.unlink()  # as if killed after last.pt
    list(train("h2l", out=tmp_path, resume=True))
    assert same(content(whole), content(tmp_path)) == []


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


def test_a_learned_degradation_is_known_by_its_weights(two_runs, tmp_path):
    import shutil

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


def test_machine_and_threads_are_stored_with_run_and_weights(whole):
    machine = json.loads((whole / "config.json").read_text())["machine"]
    assert machine == {"device": "cpu", "torch": torch.__version__, "threads": 1}
    assert read_weights(whole / "weights.safetensors")[1]["threads"] == "1"


def test_history_is_bounded():
    loop = loop_of("h2l", TINY.replace(h2l_steps=500))
    loop.history = [{"step": n, "pix": 0.1} for n in range(1, 3001)]
    loop.step = 3000
    loop.update()
    training._tick(loop, {"pix": 0.1}, 1.0, look=False)
    assert len(loop.history) == LONGEST and loop.history[-1]["step"] == 3001
    assert len(json.dumps(loop.history)) < 60_000


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
