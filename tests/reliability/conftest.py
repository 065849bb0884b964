"""Two untrained networks that fit each other, and their calibration."""

import pytest
import torch

import hlgan_lib as hl
from hlgan_lib.networks.paper import HighToLow, LowToHigh
from hlgan_lib.reliability.calibration import (
    calibrate,
)

CFG = hl.preset("smoke")


LO, HI = hl.load_faces("faces:val:lo")[:24], hl.load_faces("faces:train-hi")[:48]


@pytest.fixture(scope="session")
def networks():
    torch.manual_seed(0)
    return LowToHigh(CFG).eval().requires_grad_(False), HighToLow(CFG).eval().requires_grad_(False)


@pytest.fixture(scope="session")
def calibration(networks):
    return calibrate(*networks, lo=LO, hi=HI, n_z=4)
