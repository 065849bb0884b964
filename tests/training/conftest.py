"""Runs that tests read and do not change."""

import pytest

from tests.helpers import TINY, train


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """The folder of an unbroken run."""
    out = tmp_path_factory.mktemp("whole")
    list(train("h2l", out=out))
    return out


@pytest.fixture(scope="session")
def two_runs(tmp_path_factory):
    out = tmp_path_factory.mktemp("stages")
    cfg = TINY.replace(h2l_steps=2, l2h_steps=2)
    list(train("h2l", cfg, out=out / "h2l"))
    list(train("l2h", cfg, degradation=f"learned:{out / 'h2l'}", out=out / "l2h"))
    return {"h2l": out / "h2l", "l2h": out / "l2h"}
