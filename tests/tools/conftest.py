"""What tests of the measuring tools share: the tool, and what it has stored."""

import importlib
import json
import sys
from pathlib import Path

import pytest

RESULTS = Path(__file__).resolve().parents[2] / "tools" / "results"


@pytest.fixture(scope="module")
def tool(request):
    """The tool of tools/results that the test file names in TOOL."""
    sys.path.insert(0, str(RESULTS))
    try:
        yield importlib.import_module(request.module.TOOL)
    finally:
        sys.path.pop(0)


@pytest.fixture(scope="module")
def stored(tool):
    """What the tool has stored."""
    return json.loads(tool.STORED.read_text())
