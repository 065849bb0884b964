"""Runs and their keys: what decides the weights, and nothing else."""

import json
from pathlib import Path

import pytest

from hlgan_lib import preset, train
from hlgan_lib.config import RunConfig
from hlgan_lib.errors import HLError
from hlgan_lib.study.grid import plan
from hlgan_lib.study.run import Run, in_order, key_of

SMOKE = preset("smoke")


H2L = Run("h2l", SMOKE)

PIXEL = Run("l2h", SMOKE.replace(w_gan=0.0), H2L)


def test_a_key_is_ten_hex_digits_of_what_the_stage_reads():
    assert len(H2L.key) == 10 and int(H2L.key, 16) >= 0 and H2L.name == f"h2l-{H2L.key}"
    same = [
        SMOKE.replace(l2h_steps=99),
        SMOKE.replace(joint_steps=9),
        SMOKE.replace(l2h_width=8),
        SMOKE.replace(tick_images=8),
    ]
    assert {Run("h2l", cfg).key for cfg in same} == {H2L.key}
    other = [
        SMOKE.replace(seed=1),
        SMOKE.replace(h2l_steps=7),
        SMOKE.replace(n_lo=100),
        SMOKE.replace(ema=0.0),
    ]
    assert len({H2L.key, *(Run("h2l", cfg).key for cfg in other)}) == 5


def test_what_only_another_stage_reads_changes_no_key():
    for field, value in {
        "perceptual": "vgg19",
        "srgan_width": 3,
        "w_cycle": 1.0,
        "cyclegan_steps": 9,
    }.items():
        assert Run("h2l", SMOKE.replace(**{field: value})).key == H2L.key
        assert PIXEL.key == Run("l2h", PIXEL.cfg.replace(**{field: value}), H2L).key
    srgan = Run("srgan", SMOKE, "bilinear")
    assert srgan.key != Run("srgan", SMOKE.replace(perceptual="vgg19"), "bilinear").key
    assert srgan.key == Run("srgan", SMOKE.replace(w_cycle=1.0, z_dim=32, n_lo=9), "bilinear").key


def test_a_learned_run_is_keyed_by_its_h2l():
    another = Run("l2h", SMOKE, Run("h2l", SMOKE.replace(w_stats=0.0)))
    keys = {Run("l2h", SMOKE, d).key for d in (H2L, "bilinear", "camera")} | {another.key}
    assert len(keys) == 4
    assert (
        Run("l2h", SMOKE.replace(w_stats=0.0), "bilinear").key == Run("l2h", SMOKE, "bilinear").key
    )
    joint = Run("joint", SMOKE, h2l=H2L, l2h=PIXEL)
    assert joint.key != Run("joint", SMOKE, h2l=H2L, l2h=another).key
    assert joint.sources() == {"h2l": f"runs/{H2L.name}", "l2h": f"runs/{PIXEL.name}"}


def test_a_new_field_at_its_default_changes_no_key():
    """Pinned: where a key changes every stored run is trained again; raise VERSION knowingly."""
    assert Run("h2l", RunConfig()).key == "6a1ecbbe72"
    assert Run("l2h", RunConfig(seed=3, w_gan=0.0), "camera").key == "fdc5ed5b6a"


def test_in_order_names_every_run_once_after_what_it_needs():
    joint = Run("joint", SMOKE, h2l=H2L, l2h=PIXEL)
    assert in_order([joint, PIXEL, H2L]) == [H2L, PIXEL, joint]


def test_key_of_a_stored_run_equals_the_run_s_wherever_the_folder_lies(tmp_path):
    list(train(SMOKE, "h2l", out=tmp_path / "a"))
    assert key_of(tmp_path / "a" / "config.json") == H2L.key
    about = {"stage": "l2h", "config": PIXEL.cfg.as_dict(), "hi": "faces:train-hi"}
    (tmp_path / "b").mkdir()
    for source in ("gone/from/here/a", str(tmp_path / "a"), f"anywhere/{H2L.name}"):
        (tmp_path / "b/config.json").write_text(
            json.dumps(about | {"degradation": f"learned:{source}"})
        )
        assert key_of(tmp_path / "b/config.json") == PIXEL.key
    del about["config"]["n_hi"]  # a run that is older than the field
    (tmp_path / "b/config.json").write_text(json.dumps(about | {"degradation": "bilinear"}))
    assert key_of(tmp_path / "b/config.json") == Run("l2h", PIXEL.cfg, "bilinear").key


def test_key_of_says_what_is_wrong(tmp_path):
    with pytest.raises(
        HLError,
        match="config.json of a run .*cannot be read .No such file or directory.: give its path",
    ):
        key_of(tmp_path / "config.json")
    about = {"stage": "l2h", "config": SMOKE.as_dict(), "hi": "faces:train-hi"}
    (tmp_path / "config.json").write_text(json.dumps(about | {"degradation": "learned:gone"}))
    with pytest.raises(HLError, match="started from gone, which is not there"):
        key_of(tmp_path / "config.json")
    (tmp_path / "config.json").write_text(json.dumps(about | {"hi": "mine"}))
    with pytest.raises(HLError, match="a run on the shipped faces, got hi mine"):
        key_of(tmp_path / "config.json")


def test_the_keys_of_the_stored_results_are_unchanged():
    """Of results/ablation.json: where one changes, its training would be repeated."""
    stored = json.loads((Path(__file__).parents[2] / "results" / "ablation.json").read_text())
    runs = {run.name: run for run in in_order(p.run for p in plan("study"))}
    assert set(stored["runs"]) <= set(runs)
    for name, entry in stored["runs"].items():
        assert entry["from"] == runs[name].sources()
