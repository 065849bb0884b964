"""Each test of this folder: no preset from outside, stored results of its own, none at first."""

import pytest


@pytest.fixture(autouse=True)
def no_preset(monkeypatch, tmp_path):
    monkeypatch.delenv("HLGAN_PRESET", raising=False)
    monkeypatch.setenv("HLGAN_RESULTS", str(tmp_path / "results"))
