"""Results are saved, found and refused; finished runs are scored once."""

import json

import numpy as np
import pytest
import torch

from hlgan_lib import LowToHigh
from hlgan_lib.checkpoint import save_weights
from hlgan_lib.errors import HLError
from hlgan_lib.files import save_json
from hlgan_lib.networks import high_to_low
from hlgan_lib.runtime import one_thread
from hlgan_lib.study.ablation import load_or_new, score_all
from hlgan_lib.study.grid import CELLS, planned_of
from hlgan_lib.study.results import load
from hlgan_lib.study.run import folder_of


def test_saved_and_loaded_it_is_the_same(stored, tmp_path):
    stored.save(tmp_path)
    again = load(tmp_path)
    assert (again.about, again.runs, again.references, again.gaps) == (
        stored.about,
        stored.runs,
        stored.references,
        stored.gaps,
    )
    assert (
        all(np.array_equal(v, stored.arrays[k]) for k, v in again.arrays.items())
        and again.arrays.keys()
    )
    assert load_or_new(tmp_path, "smoke").runs == stored.runs
    with pytest.raises(HLError, match="holds results of preset smoke, got --preset study"):
        load_or_new(tmp_path, "study")


def test_finished_runs_are_scored_once_and_gaps_are_closed(tmp_path):
    cells = ("bilinear-pixel", "learned-pixel", "camera-pixel")
    planned = [p for c in cells for p in planned_of(CELLS[c], "smoke", [0])]
    for p in planned:
        for run in (*p.run.needs, p.run):
            folder, net = (
                folder_of(run, tmp_path),
                {"h2l": high_to_low, "l2h": LowToHigh}[run.stage],
            )
            torch.manual_seed(len(run.name) + ord(run.name[-1]))
            save_weights(folder.weights, net(run.cfg).state_dict(), run.stage, run.cfg)
            about = {"stage": run.stage, "images": 24, "seconds": 1.0}
            save_json(folder.scores, about | {"val_frechet_lite0": None, "device": "cpu"})
    said = []
    results = load_or_new(tmp_path, "smoke")
    score_all(results, planned, tmp_path, said.append)
    assert len(said) == 4 and set(results.runs) == {
        r.name for p in planned for r in (*p.run.needs, p.run)
    }
    assert set(results.gaps) == {"psnr/pixel/learned", "frechet_lite0/pixel/learned"}
    before = json.loads((tmp_path / "ablation.json").read_text())
    again = load(tmp_path)
    score_all(again, planned, tmp_path, said.append)
    assert len(said) == 4 and json.loads((tmp_path / "ablation.json").read_text()) == before
    with one_thread():
        assert torch.get_num_threads() == 1
