"""What is known of a field: shown in its help, and held by its check."""

import numpy as np
import pytest

from hlgan_lib.errors import HLError
from hlgan_lib.spec import Spec


def test_the_help_line_says_unit_source_bounds_and_readers():
    spec = Spec("side", "pixels", "ours", "as shipped", low=8, power_of_two=True, readers=("h2l",))
    assert spec.documentation == (
        "side [pixels; ours: as shipped; a power of two of 8 or more; only h2l]"
    )
    assert Spec("a name", "name", "ours", readers=()).documentation.endswith("changes no weight]")
    assert Spec("a rate", "share", "paper", low=0, below=1).bounds == "0 or more and below 1"


@pytest.mark.parametrize("value", [7, 48, 4, float("nan")])
def test_a_number_out_of_bounds_is_named_with_what_is_allowed(value):
    spec = Spec("side", "pixels", "ours", low=8, power_of_two=True)
    spec.check("size", 64)
    with pytest.raises(HLError, match=f"size must be a power of two of 8 or more, got {value}: si"):
        spec.check("size", value)


@pytest.mark.parametrize("value", ["left", None, 1, ["up"], np.array(["up", "down"])])
def test_a_choice_is_one_of_the_list(value):
    spec = Spec("how", "name", "ours")
    spec.choices = ("up", "down")
    spec.check("way", "up")
    with pytest.raises(HLError, match="way must be one of up, down, got "):
        spec.check("way", value)


WRONG = [
    (int, "8"),
    (int, 8.0),
    (int, True),
    (int, None),
    (int, np.int64(8)),
    (float, "0.5"),
    (float, np.ones(3)),
    (float, [0.5]),
    (bool, "no"),
    (bool, 1),
    (bool, None),
]


@pytest.mark.parametrize(("kind", "value"), WRONG, ids=[f"{k.__name__} {v!r}" for k, v in WRONG])
def test_a_value_of_another_type_is_refused_in_one_line(kind, value):
    spec = Spec("a setting", "units", "ours")
    spec.kind = kind
    with pytest.raises(HLError, match=f"^x must be {kind.__name__}, got .*: a setting$"):
        spec.check("x", value)
    spec.check("x", kind(1))
