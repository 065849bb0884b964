"""A loop before its first update: what it is given, and what is refused."""

import math

import pytest
import torch

import hlgan_lib as hl
from hlgan_lib.analysis.jpeg_traces import measured_jpeg
from hlgan_lib.analysis.validation import coded
from hlgan_lib.data.domains import mixed
from hlgan_lib.data.faces import FaceSet, to_uint8
from hlgan_lib.inference import resolve_degradation
from hlgan_lib.training import build
from tests.helpers import CPU, HI, LO, TINY, loop_of, pictures, train


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


def test_domains_are_inferred_where_that_is_asked_for():
    dark = FaceSet(LO.images // 3, LO.names, "dark")
    both = {"hi": HI, "lo": mixed({"a": dark, "b": LO})}
    cfg = TINY.replace(h2l_model="camera", domains=2)
    for labels in ("folders", "inferred"):
        loop, about = build.new_loop(cfg.replace(domain_labels=labels), "h2l", device="cpu", **both)
        first, second = (s.images.float().mean() for s in loop.task._lo_samplers)
        assert first < 0.5 * second, labels
        assert about["data"]["lo"]["digest"] == both["lo"].digest(), "the run's data are as given"
    unsorted = FaceSet(both["lo"].images, tuple(str(i) for i in range(80)), "unsorted")
    with pytest.raises(hl.HLError, match="or domain_labels inferred"):
        build.new_loop(cfg, "h2l", device="cpu", hi=HI, lo=unsorted)
    inferred = cfg.replace(domain_labels="inferred")
    loop, _ = build.new_loop(inferred, "h2l", device="cpu", hi=HI, lo=unsorted)
    assert [len(s.images) for s in loop.task._lo_samplers] == [38, 38]


@pytest.mark.parametrize("n", [2, 3, 9])
def test_very_few_pictures_are_enough(n):
    *_, tick = train("h2l", TINY.replace(h2l_steps=2), hi=HI[:n], lo=LO[:n])
    assert math.isfinite(tick.score)


def test_training_leaves_the_global_stream_alone():
    before = torch.random.get_rng_state()
    next(train("h2l")), next(train("l2h"))
    assert torch.equal(before, torch.random.get_rng_state())


# ---- what is refused -----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            dict(stage="l2l"),
            "stage must be one of h2l, .* cyclegan, flow, semicycle, pseudo, got 'l2l'",
        ),
        (dict(stage="l2h", degradation=None), "degradation is missing"),
        (
            dict(stage="semicycle", cfg=TINY.replace(l2h_model="wavelet")),
            "l2h_model must be paper in the stage semicycle, got wavelet",
        ),
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
