"""Finished runs, and one thread, for tests of the commands."""

import pytest
import torch

from hlgan_lib import cli
from tests.commands.runs import train


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with finished runs of both stages."""
    folder = tmp_path_factory.mktemp("runs")
    assert cli.main(train("h2l", folder / "h2l")) == 0
    assert cli.main(train("l2h", folder / "l2h")) == 0
    return folder


@pytest.fixture(scope="module")
def one_thread():
    """Tiny networks are fastest so, and bit for bit means with the same threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
