"""Small made datasets in their owners' own layouts, odd rows included."""

import pytest

from tests.prepare import makers


@pytest.fixture
def celeba(tmp_path):
    return makers.celeba_of(tmp_path / "celeba")


@pytest.fixture
def wider(tmp_path):
    return makers.wider_of(tmp_path / "wider")


@pytest.fixture
def vggface2(tmp_path):
    return makers.vggface2_of(tmp_path / "vgg")
