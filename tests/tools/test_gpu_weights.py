"""The large weights: one command trains them and resumes; what is stored is what is shipped."""

import json
from pathlib import Path

import numpy as np
import pytest

import hlgan_lib as hl
from hlgan_lib.checkpoint import read_weights
from hlgan_lib.inference import shipped_weights

ROOT = Path(__file__).resolve().parents[2]
TOOL = "gpu"
TINY = {"h2l_width": 4, "l2h_width": 16, "d_width": 8, "batch": 4, "n_val": 8, "tick_images": 8}
TINY |= {"h2l_steps": 4, "l2h_steps": 4}


@pytest.fixture(scope="module")
def gpu(tool):
    return tool


@pytest.mark.slow
def test_runs_stop_in_time_and_go_on(gpu, tmp_path):
    faces = tmp_path / "more.npy"
    np.save(faces, hl.load_faces("faces:val:hi").images[:5])
    assert not gpu.train_one(gpu.H2L, tmp_path, None, 0, TINY)
    assert gpu.train_one(gpu.H2L, tmp_path, None, 60, TINY)
    assert gpu.train_one("l2h", tmp_path, faces, 60, TINY)
    about = json.loads((tmp_path / "l2h" / "config.json").read_text())
    assert about["degradation"] == f"learned:{tmp_path / gpu.H2L}" and "5 of more" in about["hi"]


def test_shipped_weights_are_those_of_the_stored_scores(gpu):
    stored = json.loads((ROOT / "results" / "gpu-weights.json").read_text())
    for name in (gpu.H2L, *gpu.PAIRS):
        _, metadata = read_weights(shipped_weights()[name])
        assert metadata["images"] == stored[name]["notes"]["images"]
        card = shipped_weights()[name].with_suffix(".md").read_text("utf-8")
        scores = stored[name]["scores"]
        if name == gpu.H2L:
            shown = f"{scores['frechet_lite0']['value']:.1f}"
        else:
            shown = f"{scores['camera']['psnr']['value']:.2f} dB"
        assert shown in card


def test_the_readme_holds_the_stored_table(gpu):
    stored = json.loads((ROOT / "results" / "gpu-weights.json").read_text())
    assert gpu.large_table(stored) in (ROOT / "README.md").read_text("utf-8")
