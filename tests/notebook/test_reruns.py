"""A training in a notebook that is run again: it goes on where it was cut off, or starts anew."""

import pytest
import torch

import hlgan_lib as hl
from hlgan_lib import training
from hlgan_lib.checkpoint import RunFolder, read_weights
from hlgan_lib.errors import HLError
from hlgan_lib.notebook import reruns

FACES = {"hi": hl.load_faces("faces:train-hi")[:12], "lo": hl.load_faces("faces:train-lo")[:12]}
CFG = hl.preset("smoke").replace(
    h2l_steps=6, batch=4, n_val=2, tick_images=4, save_images=8
)  # 6 ticks, 3 checkpoints
TIMES = {"seconds", "rate", "left_s"}


def told(tick):
    """What the log holds of a tick: its rates are not in it."""
    values = {k: v for k, v in vars(tick).items() if k not in (*TIMES, "lr")}
    return values | {"samples": None if tick.samples is None else tick.samples.tolist()}


def cut_off(out, n, cfg=CFG, stage="h2l", **what):
    """A run that dies after n ticks, as a session does: nothing is saved on the way out."""

    def stop():
        if len(seen) == n:
            raise KeyboardInterrupt

    seen, ticks = [], reruns.train(cfg, stage, out=out, **(what or FACES), stop=stop)
    with pytest.raises(KeyboardInterrupt):
        seen.extend(ticks)
    return seen


def test_a_run_that_was_cut_off_goes_on_and_tells_the_whole_story(tmp_path, capsys):
    whole = list(reruns.train(CFG, "h2l", out=tmp_path / "whole", **FACES))
    assert capsys.readouterr().out == ""
    seen = cut_off(tmp_path / "run", 3)
    assert [t.step for t in seen] == [1, 2, 3], "one tick past the checkpoint at 2"
    updates = []
    again = list(
        reruns.train(CFG, "h2l", out=tmp_path / "run", **FACES, stop=lambda: updates.append(1))
    )
    assert len(updates) == 4, "the first two updates were not done again"
    assert [told(t) for t in again] == [told(t) for t in whole]
    assert "cut off: going on" in capsys.readouterr().out
    a, b = (read_weights(tmp_path / k / "weights.safetensors")[0] for k in ("whole", "run"))
    assert all(torch.equal(a[k], b[k]) for k in a)


def test_a_run_that_was_cut_off_before_its_weights_were_written_is_finished(tmp_path):
    list(reruns.train(CFG, "h2l", out=tmp_path, **FACES))
    (tmp_path / "scores.json").unlink()
    assert [t.step for t in reruns.train(CFG, "h2l", out=tmp_path, **FACES)] == [1, 2, 3, 4, 5, 6]
    assert RunFolder(tmp_path).finished


@pytest.mark.parametrize("n", [None, 1, 3], ids=["finished", "no checkpoint yet", "other settings"])
def test_what_cannot_go_on_starts_anew(tmp_path, n, capsys):
    cfg = CFG.replace(seed=1) if n == 3 else CFG
    if n is None:
        list(reruns.train(cfg, "h2l", out=tmp_path, **FACES))
    else:
        cut_off(tmp_path, n, cfg)
    (tmp_path / "samples" / "0000099.png").touch() if (tmp_path / "samples").is_dir() else None
    updates = []
    ticks = list(reruns.train(CFG, "h2l", out=tmp_path, **FACES, stop=lambda: updates.append(1)))
    assert len(updates) == 6 and len(ticks) == 6 and RunFolder(tmp_path).finished
    assert (
        not (tmp_path / "samples" / "0000099.png").exists()
        and "going on" not in capsys.readouterr().out
    )


def test_another_degradation_is_another_run(tmp_path, capsys):
    cfg, what = CFG.replace(l2h_steps=6), {"hi": FACES["hi"]}
    cut_off(tmp_path, 3, cfg, "l2h", degradation="bilinear", **what)
    assert len(list(reruns.train(cfg, "l2h", out=tmp_path, degradation="bicubic", **what))) == 6
    assert "going on" not in capsys.readouterr().out


def test_closing_a_run_that_goes_on_saves_it(tmp_path):
    cut_off(tmp_path, 3)
    ticks = reruns.train(CFG, "h2l", out=tmp_path, **FACES)
    assert [next(ticks).step for _ in range(5)][-1] == 5
    ticks.close()
    assert torch.load(RunFolder(tmp_path).last, weights_only=True)["step"] == 5


def test_a_wrong_stage_and_foreign_files_are_refused(tmp_path):
    with pytest.raises(HLError, match="stage must be one of"):
        reruns.train(CFG, "up", out=tmp_path)
    (tmp_path / "me.jpg").write_text("dear to somebody")
    with pytest.raises(HLError, match="holds other files"):
        reruns.train(CFG, "h2l", out=tmp_path, **FACES)
    assert (tmp_path / "me.jpg").exists()


def test_step_0_shows_what_the_training_starts_from():
    loop, _ = training.new_loop(CFG, "h2l", **FACES)
    start = reruns.step_0(loop)
    assert (start.step, start.images) == (0, 0) and start.losses["z_spread"] > 0
    assert start.samples.shape[0] == 3 and start.score > 0
    again = reruns.step_0(training.new_loop(CFG, "h2l", **FACES)[0])
    assert torch.equal(start.samples, again.samples)
    loop.update()
    with pytest.raises(HLError, match="before its first update, got one after 1"):
        reruns.step_0(loop)


def test_notebooks_have_it_under_their_own_roof():
    assert reruns.train is reruns.train and reruns.fresh is reruns.fresh
