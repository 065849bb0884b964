"""Many runs side by side: each once, stopped and resumed, a failure alone."""

import json
import threading
import time

import pytest

from hlgan_lib import preset
from hlgan_lib.errors import HLError
from hlgan_lib.study.run import Run, folder_of, key_of
from hlgan_lib.study.train_all import train_all

SMOKE = preset("smoke")


H2L = Run("h2l", SMOKE)

PIXEL = Run("l2h", SMOKE.replace(w_gan=0.0), H2L)


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
