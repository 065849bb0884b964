"""Methods compared: means over seeds, what was not run, what is reported elsewhere."""

import pytest

from hlgan_lib.study.compare import markdown, table
from hlgan_lib.study.grid import CELLS


def test_compare_gives_means_over_seeds_and_says_what_was_not_run(stored):
    cell = table(stored)["camera"][CELLS["learned-gan"].label]["psnr"]
    assert cell["seeds"] == 2 and cell["value"] == pytest.approx(19.61)
    assert cell["ci"] == pytest.approx([19.31, 19.91])
    text = markdown(stored)
    assert (
        "19.61 [19.31, 19.91]" in text and "| not run | not run |" in text and "no results" in text
    )
    assert text.index("Reported elsewhere") > text.index("19.61")
