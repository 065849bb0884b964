"""What scores are tried on: faces in [0, 1], and their bilinear reductions."""

import pytest

import hlgan_lib as hl
from hlgan_lib.degradations.handmade import bilinear


@pytest.fixture(scope="session")
def faces():
    return hl.load_faces("faces:val:hi")


@pytest.fixture(scope="session")
def hi(faces):
    return (faces.batch(slice(0, 48)) + 1) / 2


@pytest.fixture(scope="session")
def lo(hi):
    return (bilinear(hi * 2 - 1) + 1) / 2
