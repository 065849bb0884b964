"""VGGFace2 in its owners' layout: a few faces a person, by a list or by a seed, and said so."""

import pytest

from hlgan_lib.data.storage import load_columns
from hlgan_lib.errors import HLError
from hlgan_lib.prepare import prepare, prepare_file


def test_a_seeded_ten_of_each_person_and_said_so(vggface2, tmp_path):
    made = prepare_file("vggface2", vggface2, tmp_path / "v.npz")
    faces = prepare("vggface2", vggface2, tmp_path / "v.npz")
    people = load_columns(tmp_path / "v.npz")["person"].tolist()
    skipped = "n000002/0005_01" in dict(made.skipped)
    assert people.count(2) in (10, 9) and people.count(9) == 3
    assert "10 faces an identity chosen by seed 0" in made.notes[-1]
    assert skipped, "the broken row is named"
    again = prepare("vggface2", vggface2, tmp_path / "w.npz", seed=1)
    assert again.names != faces.names
    assert prepare("vggface2", vggface2, tmp_path / "x.npz").names == faces.names


def test_a_list_of_poses_is_followed(vggface2, tmp_path):
    listed = tmp_path / "poses.txt"
    listed.write_text("n000002/0003_01.jpg\nn000009/0002_01\nn000077/0001_01.jpg\n")
    faces = prepare("vggface2", vggface2, tmp_path / "v.npz", poses=listed)
    assert faces.names == ("n000002/0003_01.jpg", "n000009/0002_01.jpg")
    with pytest.raises(HLError, match="--poses .* cannot be read"):
        prepare("vggface2", vggface2, tmp_path / "v.npz", poses=tmp_path / "none")


def test_another_folder_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(HLError, match="must hold train/n000002/0001_01.jpg"):
        prepare("vggface2", tmp_path / "empty", tmp_path / "v.npz")
