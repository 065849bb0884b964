"""Each diagnosis fires on a short real training broken that way, and on no healthy one."""

import numpy as np
import pytest
import torch

import hlgan_lib as hl
from hlgan_lib.config import RunConfig
from hlgan_lib.data.faces import FaceSet
from hlgan_lib.health import CHECKS, diagnose

N = 52
SMALL = RunConfig(
    size_hi=32,
    size_lo=8,
    h2l_width=8,
    l2h_width=16,
    d_width=16,
    norm="none",
    down_first=True,
    skip=True,
    batch=8,
    h2l_steps=N,
    l2h_steps=N,
    d_steps=1,
    lr=5e-4,
    lr_d=5e-4,
    lr_schedule="cosine",
    ema=0.1,
    scale=0,
    rotate_deg=0,
    colour=0,
    channels_last=True,
    n_val=8,
    tick_images=32,
    save_images=10**6,
)
PRESET = dict(
    lr=1e-3,
    lr_d=1e-4,
    lr_d_hi=6e-4,
    ema=0.05,
    h2l_model="camera",
)  # as in the presets quick and study


@pytest.fixture(scope="module")
def faces():
    def half(name: str) -> FaceSet:
        some = hl.load_faces(name)[:200]
        small = (
            torch.nn.functional.avg_pool2d(torch.from_numpy(np.array(some.images)).float(), 2)
            .round()
            .byte()
        )
        return FaceSet(small.numpy(), some.names, some.source)

    return {"hi": half("faces:train-hi"), "lo": half("faces:train-lo")}


def found(faces: dict, stage: str = "h2l", **changes) -> set[str]:
    """Names of all that was diagnosed at any tick of a training."""
    data = faces if stage == "h2l" else {"hi": faces["hi"], "degradation": "bilinear"}
    words = {
        w
        for tick in hl.train(SMALL.replace(**changes), stage, device="cpu", **data)
        for w in tick.health
    }
    names = {c.name for c in CHECKS if c.words in words}
    assert len(names) == len(words)
    return names


HEALTHY = [
    ("h2l", dict(seed=0, h2l_model="camera")),
    ("h2l", dict(seed=1, h2l_model="camera")),
    ("h2l", PRESET | dict(seed=2)),
    ("h2l", dict(seed=3, skip=False, norm="batch", lr=1e-3, lr_d=1e-3)),
    ("l2h", PRESET | dict(seed=4)),
]


@pytest.mark.parametrize(("stage", "changes"), HEALTHY, ids=str)
def test_healthy_seeds_are_left_in_peace(faces, stage, changes):
    assert found(faces, stage, **changes) == set()


BROKEN = {
    "diverging": dict(lr=0.1, lr_schedule="constant"),
    "saturated": dict(
        lr=1e-7, lr_d=1e-3, skip=False, lr_schedule="constant"
    ),  # D learns, its opponent does not
    "blind": dict(lr_d=1e-9),
    "collapsed": dict(lr=0.5, skip=False),
    "z ignored": dict(w_gan=1e-6),  # the pixel loss wants one LR picture of a face
    "pixels lead": dict(w_gan=1e-6),
    "pixels unheard": dict(w_pix=1e-4),
}


@pytest.mark.parametrize("name", [c.name for c in CHECKS])
def test_a_run_broken_that_way_is_diagnosed(faces, name):
    assert name in found(faces, **BROKEN[name])


def ticks(n: int, **values) -> list[dict]:
    return [
        {
            "step": i + 1,
            "pix": 0.01,
            "gan": 0.2,
            "d_loss": 1.0,
            "d_sure": 0.4,
            "d_real": 0.5 + 0.2 * (i % 2),
            "real_spread": 0.35,
            "fake_spread": 0.3,
            "z_spread": 0.03,
        }
        | values
        for i in range(n)
    ]


SIGNS = {
    "diverging": dict(pix=0.9),
    "saturated": dict(d_loss=0.01, d_sure=0.99),
    "blind": dict(d_loss=2.1),
    "collapsed": dict(fake_spread=0.05),
    "z ignored": dict(z_spread=0.001),
    "pixels lead": dict(gan=1e-4),
    "pixels unheard": dict(pix=1e-6),
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.name)
def test_each_sign_gives_its_words_and_only_when_it_lasts(check):
    cfg, ill = RunConfig(), SIGNS[check.name]
    assert diagnose(ticks(20), cfg) == []
    assert diagnose(ticks(check.ticks, **ill), cfg) == [check.words]
    assert diagnose(ticks(check.ticks - 1, **ill), cfg) == []  # too short a log
    assert diagnose(ticks(20, **ill) + ticks(12), cfg) == []  # past and gone
    small = RunConfig(batch=8)  # ticks of 8 images: four of them count as one
    assert diagnose(ticks(4 * check.ticks, **ill), small) == [check.words]
    assert diagnose(ticks(4 * check.ticks - 4, **ill), small) == []
    assert "; try " in check.words and "\n" not in check.words


def test_what_is_switched_off_is_not_missed():
    quiet = ticks(12, z_spread=0.0)
    assert (
        diagnose(quiet, RunConfig(z_input="none")) == []
        and diagnose(quiet, RunConfig(w_gan=0)) == []
    )
    assert diagnose(ticks(12, pix=0.9), RunConfig(w_pix=0)) == []
    assert (
        diagnose(
            [{"step": i, "pix": 0.01, "fake_spread": 0.3} for i in range(12)], RunConfig(w_gan=0)
        )
        == []
    )
    assert diagnose([], RunConfig()) == []


def test_the_joint_fine_tune_names_the_network():
    l2h = {"hi_pix": 0.05, "hi_gan": 3.0, "hi_d_loss": 0.01, "hi_d_sure": 0.99, "hi_d_real": 3.0}
    history = [tick | l2h for tick in ticks(12)]
    (words,) = diagnose(history, RunConfig())
    assert words.startswith("L2H: the discriminator is saturated")
