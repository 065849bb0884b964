"""Runs, their keys, and many of them trained side by side: each once, stopped and resumed, a failure alone."""

import json
import threading
import time

import pytest

from hlgan_lib import preset, train
from hlgan_lib.config import RunConfig
from hlgan_lib.errors import HLError
from hlgan_lib.study.run import READERS, Run, folder_of, in_order, key_of
from hlgan_lib.study.train_all import train_all

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
    assert srgan.key == Run("srgan", SMOKE.replace(w_cycle=1.0, z_dim=3, n_lo=9), "bilinear").key
    assert set(READERS) < set(RunConfig.__dataclass_fields__)


def test_a_learned_run_is_keyed_by_its_h2l():
    another = Run("l2h", SMOKE, Run("h2l", SMOKE.replace(w_z=0.0)))
    keys = {Run("l2h", SMOKE, d).key for d in (H2L, "bilinear", "camera")} | {another.key}
    assert len(keys) == 4
    assert Run("l2h", SMOKE.replace(w_z=0.0), "bilinear").key == Run("l2h", SMOKE, "bilinear").key
    joint = Run("joint", SMOKE, h2l=H2L, l2h=PIXEL)
    assert joint.key != Run("joint", SMOKE, h2l=H2L, l2h=another).key
    assert joint.sources() == {"h2l": f"runs/{H2L.name}", "l2h": f"runs/{PIXEL.name}"}


def test_a_new_field_at_its_default_changes_no_key():
    """Pinned: a key that changes means every stored run is trained again; then raise VERSION knowingly."""
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
    with pytest.raises(HLError, match="must be the config.json of a run, got FileNotFoundError"):
        key_of(tmp_path / "config.json")
    about = {"stage": "l2h", "config": SMOKE.as_dict(), "hi": "faces:train-hi"}
    (tmp_path / "config.json").write_text(json.dumps(about | {"degradation": "learned:gone"}))
    with pytest.raises(HLError, match="started from gone, which is not there"):
        key_of(tmp_path / "config.json")
    (tmp_path / "config.json").write_text(json.dumps(about | {"hi": "mine"}))
    with pytest.raises(HLError, match="a run on the shipped faces, got hi mine"):
        key_of(tmp_path / "config.json")


def test_all_are_trained_once_and_a_failure_takes_only_what_needs_it(tmp_path):
    broken = Run("h2l", SMOKE.replace(n_lo=10**6))
    runs = [PIXEL, Run("l2h", SMOKE, broken)]
    outcome = train_all(runs, tmp_path, jobs=2)
    assert sorted(outcome.finished) == sorted([H2L.name, PIXEL.name]) and not outcome.stopped
    assert "n_lo must be at most" in outcome.failed[broken.name]
    assert outcome.failed[runs[1].name] == f"needs {broken.name}, which failed"
    about = json.loads(folder_of(PIXEL, tmp_path).config.read_text())
    assert about["degradation"] == f"learned:runs/{H2L.name}" and str(tmp_path) not in json.dumps(
        about
    )
    assert key_of(folder_of(PIXEL, tmp_path).config) == PIXEL.key
    before = folder_of(PIXEL, tmp_path).scores.stat().st_mtime_ns
    assert train_all([PIXEL], tmp_path, jobs=2).finished == [H2L.name, PIXEL.name]
    assert folder_of(PIXEL, tmp_path).scores.stat().st_mtime_ns == before


def test_a_stop_saves_and_the_next_call_goes_on(tmp_path):
    run = Run("l2h", SMOKE.replace(w_gan=0.0, l2h_steps=100), "bilinear")
    folder, stop = folder_of(run, tmp_path), threading.Event()

    def stop_when_it_trains():
        while not (folder.log.is_file() and len(folder.log.read_text().splitlines()) > 2):
            time.sleep(0.01)
        stop.set()

    threading.Thread(target=stop_when_it_trains, daemon=True).start()
    outcome = train_all([run], tmp_path, jobs=1, stop=stop.is_set)
    assert outcome.stopped and not outcome.failed and not outcome.finished
    assert folder.last.is_file() and not folder.finished
    before = folder.log.read_text().splitlines()
    assert train_all([run], tmp_path, jobs=1).finished == [run.name]
    after = folder.log.read_text().splitlines()
    assert after[: len(before)] == before, (
        "the lines of the first part stay: it went on, it did not start anew"
    )
    assert [json.loads(line)["step"] for line in after] == list(range(1, 101))


def test_wrong_jobs_and_out(tmp_path):
    with pytest.raises(HLError, match="--jobs must be 1 or more, got 0"):
        train_all([H2L], tmp_path, jobs=0)
    (tmp_path / "file").write_text("")
    with pytest.raises(HLError, match="is a file: choose a folder"):
        train_all([H2L], tmp_path / "file")
