"""Degradations by their names."""

import pytest
import torch

from hlgan_lib.degradations import DEGRADATIONS, degradation
from hlgan_lib.degradations.camera import Camera
from hlgan_lib.errors import HLError


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_degradation_by_name(hi):
    for name in DEGRADATIONS:
        assert degradation(name)(hi, seeded()).shape == (24, 3, 16, 16)
    assert torch.equal(degradation("camera")(hi, seeded(4)), Camera()(hi, seeded(4)).lo)
    with pytest.raises(HLError, match="bilinear, bicubic, blur, handmade, camera, got 'fog'"):
        degradation("fog")
