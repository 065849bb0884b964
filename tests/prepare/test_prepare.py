"""Real pictures into a FaceSet file: what is kept, what the sheet shows, what is refused."""

import numpy as np
import pytest
from PIL import Image

import hlgan_lib as hl
from hlgan_lib.errors import HLError
from hlgan_lib.prepare import contact, prepare


@pytest.fixture
def folder(tmp_path):
    """Three pictures, one of them in a folder below, of three sizes and of one grey each."""
    source = tmp_path / "own"
    (source / "more").mkdir(parents=True)
    for name, level, size in (
        ("a.png", 10, (80, 64)),
        ("b.png", 120, (64, 64)),
        ("more/c.png", 250, (128, 200)),
    ):
        Image.new("RGB", size, (level, level, level)).save(source / name)
    return source


def test_a_folder_becomes_a_file_that_loads_again(folder, tmp_path):
    out = tmp_path / "sets" / "own.npz"
    made = prepare("folder", folder, out)
    again = hl.load_faces(str(out))
    assert len(made) == len(again) == 3 and again.size == (64, 64)
    assert np.array_equal(made.images, again.images) and made.names == again.names
    levels = sorted(again.images.mean((1, 2, 3)).round().tolist())
    assert levels == [10, 120, 250], "cropped and reduced, not recoloured"


def test_the_role_sets_the_size_and_a_size_overrules_it(folder, tmp_path):
    with pytest.warns(UserWarning, match="shrink by more than 1.5"):
        assert prepare("folder", folder, tmp_path / "lo.npz", role="lo").size == (16, 16)
    assert prepare("folder", folder, tmp_path / "s.npz", size=32).size == (32, 32)


def test_the_sheet_shows_evenly_spaced_pictures_small_ones_enlarged():
    images = np.arange(130, dtype=np.uint8).reshape(-1, 1, 1, 1) * np.ones((3, 16, 16), np.uint8)
    sheet = contact(images, n=4)
    assert sheet.dtype == np.uint8 and sheet.shape[2] == 3
    seen = set(np.unique(sheet)) - {255}
    assert {0, 129} <= seen and len(seen) == 4
    assert (sheet[:, :, 0] == 129).sum() == 64 * 64, "16 pixels become 64, each repeated"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "celebs"}, "KIND must be one of folder, boxes, .* got 'celebs'"),
        ({"src": "nowhere"}, "must be a folder, or a .zip or .tar"),
        ({"out": "own.zip"}, "--out must end in .npz"),
        ({"contact_sheet": "sheet.jpg"}, "--contact-sheet must end in .png"),
    ],
)
def test_what_cannot_be_right_is_refused_before_anything_is_written(
    folder, in_tmp, change, message
):
    before = sorted(in_tmp.rglob("*"))
    with pytest.raises(HLError, match=message):
        prepare(**({"kind": "folder", "src": folder, "out": in_tmp / "own.npz"} | change))
    assert sorted(in_tmp.rglob("*")) == before


def test_a_folder_in_place_of_a_file_is_named(folder, in_tmp):
    (in_tmp / "own.npz").mkdir()
    with pytest.raises(HLError, match="is a folder: give the name of a file"):
        prepare("folder", folder, in_tmp / "own.npz")
