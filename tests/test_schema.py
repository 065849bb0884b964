"""Values held against their types: what fits comes back, all else is one line that says where."""

import json
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

import pytest

from hlgan_lib.errors import HLError
from hlgan_lib.schema import Misfit, checked, loads, read_json, shortened


class Score(TypedDict):
    value: float
    ci: list[float] | None


@dataclass(frozen=True)
class Cell:
    name: str
    seeds: list[int]
    scores: dict[str, Score]
    kind: Literal["a", "b"] = "a"


WHOLE = {"name": "x", "seeds": [0, 1], "scores": {"psnr": {"value": 1, "ci": None}}}


def test_what_fits_comes_back():
    cell = checked(WHOLE, Cell)
    assert cell == Cell("x", [0, 1], {"psnr": {"value": 1, "ci": None}}, "a")
    assert checked({"value": 0.5, "ci": [0, 1], "later": "field"}, Score)["later"] == "field"
    assert checked([{"a": None}], list[dict[str, int | None]]) == [{"a": None}]
    assert checked(b"anything", Any) == b"anything"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": 1}, "it.name must be str, got int 1"),
        ({"seeds": [0, True]}, r"it.seeds\[1\] must be int, got bool True"),
        ({"seeds": [0, 1.0]}, r"it.seeds\[1\] must be int, got float 1.0"),
        ({"seeds": {"0": 1}}, "it.seeds must be list, got dict"),
        ({"scores": {"psnr": {"value": "1", "ci": None}}}, "it.scores.psnr.value must be float"),
        ({"scores": {"psnr": {"value": 10**400, "ci": None}}}, "psnr.value must be float, got int"),
        ({"scores": {"psnr": {"value": float("nan"), "ci": None}}}, "must be float, got float nan"),
        ({"scores": {"psnr": {"value": 1, "ci": [None]}}}, r"psnr.ci\[0\] must be float, got None"),
        ({"scores": {"psnr": {"value": 1}}}, "it.scores.psnr lacks ci"),
        ({"scores": {"a\n\x1b[31m": 1}}, r"it.scores.a.n.x1b\[31m must be Score, got int 1"),
        ({"kind": "c"}, "it.kind must be Literal.*'a', 'b'.*got str 'c'"),
        ({"kind": ["a"]}, "it.kind must be Literal.*got list"),
        ({"more": 1}, "it: unknown 'more'"),
    ],
)
def test_what_does_not_fit_is_one_line_that_says_where(change, message):
    with pytest.raises(Misfit, match=message) as error:
        checked(WHOLE | change, Cell)
    assert str(error.value).isprintable() and len(str(error.value)) < 200


def test_a_missing_field_is_named():
    with pytest.raises(Misfit, match="it: lacks name, seeds"):
        checked({"scores": {}}, Cell)


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 100_000, b"\xff\xfe\x00", "9" * 9000, '{"a": 1} x']
)
def test_what_is_no_json_is_one_line(text, tmp_path):
    with pytest.raises(ValueError) as error:
        loads(text)
    assert str(error.value).isprintable()
    path = tmp_path / "x.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(
        HLError, match="the list .*x.json cannot be read .*: write it again"
    ) as error:
        read_json(path, dict[str, int], "the list", "write it again")
    assert str(error.value).isprintable()


def test_a_file_is_read_into_its_type(tmp_path):
    path = tmp_path / "cell.json"
    path.write_text(json.dumps(WHOLE))
    assert read_json(path, Cell, "cell", "none").seeds == [0, 1]
    with pytest.raises(HLError, match="cannot be read .No such file or directory.: none"):
        read_json(tmp_path / "nothing.json", Cell, "cell", "none")


def test_a_value_is_shown_short_and_plain():
    assert shortened("\x1b[31mred\n") == r"str '\x1b[31mred\n'"
    assert len(shortened("x" * 10_000)) < 70 and shortened({"a": 1}) == "dict"


def test_a_number_of_the_type_float_is_a_float_however_it_is_written():
    whole = checked({"a": 3, "b": 10**30}, dict[str, float])
    assert whole == {"a": 3.0, "b": 1e30} and {type(v) for v in whole.values()} == {float}


def test_a_tuple_is_a_list_of_just_so_many():
    assert checked([1, 2.5], tuple[float, float]) == (1.0, 2.5)
    assert checked(None, tuple[float, float] | None) is None
    for wrong in ([1.0], [1.0, 2.0, 3.0], ["1", 2.0], "12", {"0": 1.0}):
        with pytest.raises(Misfit, match="it.* must be"):
            checked(wrong, tuple[float, float])
