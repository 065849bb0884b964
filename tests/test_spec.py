"""What is known of a field: shown in its help, and held by its check."""

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


def test_a_choice_and_a_name_of_parts():
    spec = Spec("how", "name", "ours")
    spec.choices = ("up", "down")
    with pytest.raises(HLError, match="way must be one of up, down, got 'left'"):
        spec.check("way", "left")
    joined = Spec("how", "names", "ours", parts=("a", "b"))
    joined.check("way", "a+b")
    with pytest.raises(HLError, match=r"way must join a, b by \+, got \['c'\]"):
        joined.check("way", "a+c")
