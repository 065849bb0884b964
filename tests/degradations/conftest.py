"""HR faces to degrade."""

import pytest

from hlgan_lib.data.builtin import built_in


@pytest.fixture(scope="session")
def hi():
    """24 HR faces, (24, 3, 64, 64) in [-1, 1]."""
    return built_in("faces:val:hi").batch(slice(0, 24))
