"""Laws side by side: a panel a number, the same bins for both, nothing without alt text."""

import numpy as np
import pytest

from hlgan_lib.errors import HLError
from hlgan_lib.viz.laws import laws

RNG = np.random.default_rng(0)
VALUES = {
    "learned": {"a": RNG.normal(size=500), "b": RNG.normal(size=500)},
    "truth": {"a": RNG.normal(2, 1, 500), "b": RNG.normal(size=500)},
}
UNITS = {"a": "stops", "b": "pixels"}


def test_a_panel_a_number_an_outline_a_law():
    figure = laws(VALUES, units=UNITS, alt="two numbers under two laws", columns=2)
    assert [ax.get_title() for ax in figure.axes] == ["a", "b"]
    assert [ax.get_xlabel() for ax in figure.axes] == ["stops", "pixels"]
    for ax in figure.axes:
        outlines = [patch.get_xy()[:, 0] for patch in ax.patches]
        assert len(outlines) == 2
        assert outlines[0].min() == outlines[1].min() and outlines[0].max() == outlines[1].max()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["learned", "truth"]


def test_alt_text_is_needed():
    with pytest.raises(HLError):
        laws(VALUES, units=UNITS, alt="")
