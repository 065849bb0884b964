"""Stored results: what is scored is found again, by cell and seed."""

import pytest

from hlgan_lib.errors import HLError
from hlgan_lib.study.grid import CELLS
from hlgan_lib.study.results import load

RUN = {
    "bilinear-pixel": 2,
    "learned-pixel": 2,
    "camera-pixel": 2,
    "bilinear-gan": 1,
    "learned-gan": 2,
    "camera-gan": 1,
    "beta-0.5": 1,
    "joint": 1,
    "lo-300": 1,
}


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
