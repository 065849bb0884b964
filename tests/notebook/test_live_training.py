"""A training watched from a notebook: a bar outside of one, figures inside, a stop that saves."""

import signal

import pytest
import torch

import hlgan_lib as hl
from hlgan_lib import viz
from hlgan_lib.errors import HLError
from hlgan_lib.loop import Tick
from hlgan_lib.notebook import live_training

FACES = {"hi": hl.load_faces("faces:train-hi")[:12], "lo": hl.load_faces("faces:train-lo")[:12]}


def interrupted():
    raise KeyboardInterrupt


def ticks(n=3):
    grid = torch.zeros(3, 68, 134, dtype=torch.uint8)
    for i in range(1, n + 1):
        losses = {"pix": 0.1 / i, "gan": 0.1, "d_loss": 1.9, "d_real": 0.1, "d_fake": 0.0}
        yield Tick(
            i,
            n,
            16 * i,
            0.1 * i,
            160.0,
            0.1,
            losses,
            ("z is ignored",) if i == n else (),
            None,
            grid if i == n else None,
        )


def test_live_is_a_progress_bar_outside_a_notebook(capsys):
    history = live_training.live(ticks(), "H2L")
    assert [t.step for t in history] == [1, 2, 3]
    out = capsys.readouterr()
    assert "health: z is ignored" in out.out and "48/48" in out.err and "H2L" in out.err


def test_live_draws_in_a_notebook_once_where_nobody_watches(monkeypatch):
    drawn = []
    monkeypatch.setattr(live_training, "in_kernel", lambda: True)
    monkeypatch.setattr(live_training, "front_end", lambda: False)
    monkeypatch.setattr(viz, "show", lambda figure, handle=None: drawn.append(figure) or "handle")
    live_training.live(ticks(), "H2L", rows=("HR",))
    curves, samples = drawn
    assert "48 images" in curves.get_suptitle()
    assert "images/s" not in curves.get_suptitle(), "a stored figure holds no times"
    assert [t.get_text() for t in samples.texts] == ["samples after 48 images", "HR"]
    drawn.clear()
    monkeypatch.setattr(live_training, "front_end", lambda: True)
    monkeypatch.setattr(live_training, "REDRAW_S", -1)
    live_training.live(ticks(), "H2L")
    assert len(drawn) == 5, "with somebody watching: every tick, and the end"
    assert "images/s" in drawn[0].get_suptitle()


def test_live_keeps_what_there_is_when_interrupted(capsys):
    def stopped():
        yield from ticks(2)
        raise KeyboardInterrupt

    assert len(live_training.live(stopped(), "H2L")) == 2
    assert "Stopped after 2 ticks" in capsys.readouterr().out
    with pytest.raises(HLError, match="gave no ticks"):
        live_training.live(iter(()), "H2L")


def test_live_saves_what_there_is_when_the_stop_button_interrupts(tmp_path, capfd):
    """The button asks the server to interrupt the kernel: a SIGINT in the middle of an update."""

    def interrupted():
        for tick in (
            training := hl.train(
                hl.preset("smoke").replace(tick_images=4), "h2l", out=tmp_path, **FACES
            )
        ):
            if tick.step == 2:
                signal.raise_signal(signal.SIGINT)
            try:
                yield tick
            except GeneratorExit:
                training.close()
                raise

    history = live_training.live(interrupted(), "H2L")
    assert history[-1].step == 2 < hl.preset("smoke").h2l_steps
    assert "Stopped after" in capfd.readouterr().out
    rest = list(
        hl.train(
            hl.preset("smoke").replace(tick_images=4), "h2l", out=tmp_path, resume=True, **FACES
        )
    )
    assert rest[0].step == 3 and rest[-1].step == hl.preset("smoke").h2l_steps, (
        "it goes on where it was stopped"
    )
