"""Something that is no face: seeded houses, the chain at smoke, a page of what is stored."""

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools" / "results"), str(ROOT / "tools" / "objects")]
import make_houses  # noqa: E402
import objects  # noqa: E402


def test_a_house_is_of_its_number_alone():
    one, again, other = (make_houses.house(i) for i in (3, 3, 4))
    assert np.array_equal(one, again) and not np.array_equal(one, other)
    assert one.size == (96, 96) and np.asarray(one).std() > 20, "there is something to see"


def test_the_sides_show_different_houses_and_the_test_pairs_the_same(tmp_path):
    make_houses.make(tmp_path, size_lo=8, n=3, n_test=2)
    names = {d: sorted(p.name for p in (tmp_path / d).iterdir()) for d in ("hi", "lo", "test-hi")}
    assert names["hi"] == ["00000.png", "00001.png", "00002.png"]
    assert names["lo"] == ["00003.png", "00004.png", "00005.png"]
    assert names["test-hi"] == sorted(p.name for p in (tmp_path / "test-lo").iterdir())
    with Image.open(tmp_path / "lo/00003.png") as lo:
        assert lo.size == (8, 8)


def test_the_whole_chain_at_smoke(tmp_path):
    scores = objects.chain(tmp_path, 8, 32, "smoke", n=12, n_test=4)
    assert set(scores) == {"learned", "bilinear", "bicubic"}
    assert all(5 < s["psnr"]["value"] < 40 and s["psnr"]["n"] == 4 for s in scores.values())
    assert "8→32" in objects.table({"8->32": scores})


def test_the_page_holds_what_is_stored():
    rows = json.loads(objects.RESULT.read_text())["rows"]
    assert objects.table(rows) in objects.PAGE.read_text()
