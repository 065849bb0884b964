"""The measure of the house, on a house of two modules whose numbers are counted by hand."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("house", ROOT / "tools" / "site" / "house.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_counts_what_stands_there(tool, tmp_path):
    library, tests = tmp_path / "hlgan_lib", tmp_path / "tests" / "wing"
    library.mkdir()
    tests.mkdir(parents=True)
    (library / "a.py").write_text(
        'def f(x, y):\n    """Do.\n\n    Args:\n        x: one.\n    """\n'
    )
    (library / "b.py").write_text(f"def _g(x, y): ...\nb = [i for i in 'ab']\n# {'x' * 100}\n")
    (tests / "test_a.py").write_text("")
    got = list(tool.measured(tmp_path).values())
    assert got[0] == "2" and got[1] == "9" and got[3] == "1"
    assert got[4] == str(round(1000 / 9)) and got[5] == "1 of 1" and got[6] == "1"


def test_the_house_itself_holds(tool):
    """Lines of at most 100, and most of what students call says its arguments."""
    got = tool.measured(ROOT)
    assert got["lines over 100"] == "0"
    assert int(got["mean characters a line"]) <= 48
    said, public = got["public functions of two arguments or more with Args"].split(" of ")
    assert int(said) > int(public) * 3 / 5
