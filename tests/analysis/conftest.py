"""The pairs that degradations are measured on."""

import pytest

from hlgan_lib.data.loading import load_faces


@pytest.fixture(scope="session")
def val():
    return load_faces("faces:val")


@pytest.fixture(scope="session")
def hi(val):
    return val.hi.batch(slice(0, 64))
