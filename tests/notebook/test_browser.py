"""What runs in the browser is shipped, and names only what Python holds."""

import re

import pytest

from hlgan_lib.notebook.browser import BeforeAfter, FaceBox, StopButton


@pytest.mark.parametrize("kind", [BeforeAfter, FaceBox, StopButton])
def test_what_runs_in_the_browser_is_shipped_and_names_only_what_python_holds(kind):
    text = str(kind._esm)
    assert "export default { render }" in text
    used = set(re.findall(r'model\.(?:get|set|on)\("(?:change:)?(\w+)"', text))
    assert used and used <= set(kind().keys)
