"""TensorBoard logs beside a training: what they hold, a resume, and that they cost no training."""

import sys
import types
from importlib import util

import pytest
import torch

import hlgan_lib as hl
from hlgan_lib.loop import Tick
from hlgan_lib.viz import tensorboard
from tests.helpers import TINY, pictures

HERE = pytest.mark.skipif(
    util.find_spec("tensorboard") is None, reason="needs the extra hlgan_lib[tensorboard]"
)


def tick(step, look=False):
    samples = torch.full((3, 10, 12), step, dtype=torch.uint8) if look else None
    return Tick(
        step=step,
        steps=8,
        images=4 * step,
        seconds=1.0,
        rate=2.0,
        left_s=1.0,
        losses={"pix": 0.1 * step, "gan": -1.0},
        health=("z is ignored",) if look else (),
        score=10.0 - step if look else None,
        samples=samples,
        lr={"generators": 1e-3 / step, "d_lo": 2e-3},
    )


def ticks(*steps):
    for step in steps:
        yield tick(step, look=step % 2 == 0)


class Broken:
    """A writer of another version, on a full disk."""

    def __init__(self, *_, **__):
        pass

    def add_scalar(self, *_):
        raise OSError("No space left on device\nand more")

    def close(self):
        pass


@pytest.fixture
def a_writer(monkeypatch):
    """Put a class in the place of torch's writer, as if the package were here."""

    def put(kind):
        module = types.ModuleType("torch.utils.tensorboard")
        module.SummaryWriter = kind
        monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
        monkeypatch.setattr(tensorboard.util, "find_spec", lambda name: "there")

    return put


def test_without_the_package_there_is_one_line_and_every_tick(tmp_path, monkeypatch):
    monkeypatch.setattr(tensorboard.util, "find_spec", lambda name: None)
    with pytest.warns(UserWarning, match="pip install tensorboard.*the training goes on") as said:
        got = [t.step for t in tensorboard.logged(ticks(1, 2, 3), tmp_path)]
    assert got == [1, 2, 3] and len(said) == 1
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_one_line_and_every_tick(tmp_path, a_writer):
    a_writer(Broken)
    with pytest.warns(UserWarning, match="OSError: No space left on device") as said:
        got = [t.step for t in tensorboard.logged(ticks(1, 2, 3), tmp_path)]
    assert got == [1, 2, 3] and len(said) == 1
    assert "and more" not in str(said[0].message)


def test_the_writer_gets_everything_at_its_images(tmp_path, a_writer):
    written = []

    class Writer:
        def __init__(self, folder, purge_step):
            written.append(("folder", folder, purge_step))

        def add_scalar(self, name, value, step):
            written.append((name, value, step))

        def add_text(self, name, value, step):
            written.append((name, value, step))

        def add_image(self, name, value, step):
            written.append((name, tuple(value.shape), step))

        def flush(self):
            pass

        def close(self):
            written.append("closed")

    a_writer(Writer)
    list(tensorboard.logged(ticks(2), tmp_path))
    assert written == [
        ("folder", str(tmp_path / "tensorboard"), 8),
        ("train/pix", 0.2, 8),
        ("train/gan", -1.0, 8),
        ("lr/generators", 5e-4, 8),
        ("lr/d_lo", 2e-3, 8),
        ("speed/images per s", 2.0, 8),
        ("validation/frechet_lite0", 8.0, 8),
        ("health", "z is ignored", 8),
        ("samples", (3, 10, 12), 8),
        "closed",
    ]


def test_closing_closes_the_training_which_saves(tmp_path, monkeypatch):
    monkeypatch.setattr(tensorboard.util, "find_spec", lambda name: None)
    saved = []

    def training():
        try:
            yield tick(1)
            yield tick(2)
        finally:
            saved.append(True)

    with pytest.warns(UserWarning):
        followed = tensorboard.logged(training(), tmp_path)
        next(followed)
        followed.close()
    assert saved == [True]


def test_an_error_of_the_training_comes_through(tmp_path, monkeypatch):
    monkeypatch.setattr(tensorboard.util, "find_spec", lambda name: None)

    def training():
        yield tick(1)
        raise hl.errors.HLError("diverged")

    with pytest.warns(UserWarning), pytest.raises(hl.errors.HLError, match="diverged"):
        list(tensorboard.logged(training(), tmp_path))


def test_ticks_carry_the_learning_rates_of_their_update():
    cfg = TINY.replace(lr=4e-4, lr_d=2e-4)
    told = list(hl.train(cfg, "h2l", hi=pictures(32), lo=pictures(8), device="cpu"))
    first, last = told[0].lr, told[-1].lr
    assert first.keys() == last.keys() == {"generators", "d_lo"}
    assert first["generators"] == pytest.approx(4e-4) and first["d_lo"] == pytest.approx(2e-4)
    assert last["generators"] < 0.3 * first["generators"], "along a cosine to a tenth"
    assert last["d_lo"] / last["generators"] == pytest.approx(0.5)
    assert "lr" not in told[0].log_line(), "log.jsonl is what it was"


@HERE
@pytest.mark.filterwarnings("ignore")  # of a package that is not ours
def test_a_resume_goes_on_without_doubled_steps(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    list(tensorboard.logged(ticks(1, 2, 3, 4), tmp_path))
    list(tensorboard.logged(ticks(3, 4, 5, 6), tmp_path))  # its last checkpoint was at 2
    read = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [e.step for e in read.Scalars("train/pix")] == [4, 8, 12, 16, 20, 24]
    assert [e.value for e in read.Scalars("train/pix")][-1] == pytest.approx(0.6)
    assert [e.step for e in read.Scalars("validation/frechet_lite0")] == [8, 16, 24]
    assert [e.step for e in read.Images("samples")] == [8, 16, 24]
    assert {"lr/generators", "lr/d_lo", "train/gan"} <= set(read.Tags()["scalars"])
