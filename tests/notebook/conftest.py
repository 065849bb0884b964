"""Each test of this folder: no preset from outside, stored results of its own, none at first."""

import IPython.display
import pytest

from hlgan_lib import viz
from hlgan_lib.notebook import explorer, own_photo, widgets


@pytest.fixture(autouse=True)
def no_preset(monkeypatch, tmp_path):
    monkeypatch.delenv("HLGAN_PRESET", raising=False)
    monkeypatch.setenv("HLGAN_RESULTS", str(tmp_path / "results"))


@pytest.fixture
def shown(monkeypatch):
    """The list of the figures that are shown."""
    figures = []
    monkeypatch.setattr(viz, "show", lambda figure, handle=None: figures.append(figure) or "handle")
    return figures


@pytest.fixture
def watched(monkeypatch, shown):
    """Somebody is there: the list of what is displayed."""
    boxes = []
    for module in (widgets, explorer, own_photo):
        monkeypatch.setattr(module, "front_end", lambda: True)
    monkeypatch.setattr(IPython.display, "display", boxes.append)
    return boxes
