"""On the camera's own shots every estimator follows what the camera drew, and only that."""

import pytest
import torch

from hlgan_lib.analysis.camera_validation import validate_on_camera
from hlgan_lib.data.builtin import load_camera_params
from hlgan_lib.errors import HLError


def test_on_the_cameras_own_shots(val):
    drawn = {k: torch.from_numpy(v) for k, v in load_camera_params("faces:val").items()}
    rows = {
        (r.estimator, r.what.split()[0]): r
        for r in validate_on_camera(*(side.batch() for side in val), drawn)
    }
    least = {
        ("blur_fit", "log"): 0.5,
        ("colour_shift", "exposure"): 0.75,
        ("colour_shift", "warmth"): 0.8,
        ("colour_shift", "tint"): 0.5,
        ("jpeg_grid", "grid"): 0.85,
        ("chroma_detail", "4:2:0"): 0.85,
    }
    assert all(rows[key].measured > value for key, value in least.items())
    assert abs(rows["jpeg_grid", "quality,"].error) < 1
    shuffled = {
        k: v[torch.randperm(len(v), generator=torch.Generator().manual_seed(0))]
        for k, v in drawn.items()
    }
    wrong = validate_on_camera(val.hi.batch(), val.lo.batch(), shuffled)
    assert all(r.measured < 0.7 for r in wrong if r.unit in ("correlation", "share")), (
        "not for any parameters at all"
    )


def test_sets_of_other_shots_are_refused(val):
    drawn = {k: torch.from_numpy(v) for k, v in load_camera_params("faces:val").items()}
    with pytest.raises(HLError, match="the same shots"):
        validate_on_camera(val.hi.batch(slice(0, 9)), val.lo.batch(), drawn)
