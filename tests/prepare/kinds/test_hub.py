"""A dataset of the hub: refused in one line without the extra; read, offline, where it is there."""

import importlib.util
import sys

import pytest

from hlgan_lib.errors import HLError
from hlgan_lib.prepare import prepare
from tests.prepare.makers import picture, png_bytes


def test_without_the_extra_one_line_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(HLError, match=r"pip install 'hlgan_lib\[hub\]'"):
        prepare("hub", "someone/faces", tmp_path / "h.npz")


@pytest.mark.skipif(not importlib.util.find_spec("datasets"), reason="needs the extra hub")
@pytest.mark.filterwarnings("ignore")
def test_parquet_files_are_read(monkeypatch, tmp_path):
    import datasets

    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    held = [{"bytes": png_bytes(picture(80, 90, level)), "path": None} for level in (40, 90)]
    features = datasets.Features({"label": datasets.Value("int64"), "photo": datasets.Image()})
    made = datasets.Dataset.from_dict({"label": [0, 1], "photo": held}, features=features)
    (tmp_path / "in").mkdir()
    made.to_parquet(tmp_path / "in/train.parquet")
    faces = prepare("hub", str(tmp_path / "in"), tmp_path / "h.npz")
    assert faces.images.mean((1, 2, 3)).round() == pytest.approx([40, 90], abs=2)
    with pytest.raises(HLError, match="cannot be loaded, split test"):
        prepare("hub", str(tmp_path / "in"), tmp_path / "h.npz", split="test")
