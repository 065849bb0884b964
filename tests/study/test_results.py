"""Stored results: what is scored is found again, by cell and seed."""

import json

import pytest

from hlgan_lib.errors import HLError
from hlgan_lib.study.grid import CELLS
from hlgan_lib.study.results import load
from tests.study.conftest import RUN


def test_a_stored_run_is_found_by_cell_and_seed(stored):
    assert {c: len(stored.found(c)) for c in CELLS if stored.found(c)} == RUN
    assert stored.values("camera-pixel", "camera", "psnr") == [20.5, 20.52]
    names = stored.names(["joint"])
    assert len(names) == 3 and {n.split("-")[0] for n in names} == {"h2l", "l2h", "joint"}


def test_load_says_what_is_wrong(tmp_path):
    with pytest.raises(HLError, match="no stored results at .*run hlgan ablate"):
        load(tmp_path)
    (tmp_path / "ablation.json").write_text("{")
    with pytest.raises(HLError, match="cannot be read .*score the runs again"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v["about"].update(preset="none"), "preset 'none' is none of"),
        (lambda v: v["about"].pop("floors"), "it.about lacks floors"),
        (lambda v: v["references"].pop("bicubic"), "references must be bicubic, h2l:bicubic"),
        (lambda v: v["references"]["bicubic"].pop("scores"), "bicubic lacks scores"),
        (
            lambda v: v["runs"][next(iter(v["runs"]))]["scores"].clear(),
            "must be dict, got NoneType",
        ),
    ],
)
def test_what_figures_would_miss_is_found_when_results_are_read(stored, tmp_path, change, message):
    stored.save(tmp_path)
    whole = load(tmp_path)
    assert whole.runs == stored.runs and whole.arrays.keys() == stored.arrays.keys()
    path = tmp_path / "ablation.json"
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))
    with pytest.raises(HLError, match=message) as error:
        load(tmp_path)
    assert str(error.value).isprintable()


def test_damaged_arrays_are_one_line(stored, tmp_path):
    stored.save(tmp_path)
    path = tmp_path / "ablation.npz"
    data = path.read_bytes()
    for damaged in (data[: len(data) // 2], data[:200] + bytes(400) + data[600:], b""):
        path.write_bytes(damaged)
        with pytest.raises(HLError, match="and .npz beside it. cannot be read") as error:
            load(tmp_path)
        assert str(error.value).isprintable()
