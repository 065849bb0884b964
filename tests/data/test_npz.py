"""A saved FaceSet: mapped where it can be, read where it must be, else refused."""

import numpy as np
import pytest

from hlgan_lib.data.npz import load_npz
from hlgan_lib.errors import HLError


def test_a_saved_set_is_mapped_from_the_file(numbered, tmp_path):
    faces = numbered()
    path = faces.save(tmp_path / "set.npz")
    again = load_npz(path)
    assert isinstance(again.images, np.memmap)
    assert np.array_equal(again.images, faces.images)
    assert again.names == faces.names
    assert again.source == str(path)


def test_a_mapped_set_may_be_saved_over_its_own_file(numbered, tmp_path):
    path = numbered().save(tmp_path / "set.npz")
    load_npz(path).save(path)
    assert np.array_equal(load_npz(path).images, numbered().images)
    assert list(tmp_path.iterdir()) == [path]


def test_a_mapped_batch_is_a_copy(numbered, tmp_path):
    faces = load_npz(numbered().save(tmp_path / "set.npz"))
    assert faces.batch([9]).max().item() == pytest.approx(9 / 127.5 - 1)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_numpys_own_files_are_read_too(numbered, tmp_path, save):
    faces = numbered()
    save(tmp_path / "c.npz", images=faces.images, names=np.array(faces.names))
    again = load_npz(tmp_path / "c.npz")
    assert np.array_equal(again.images, faces.images)
    assert isinstance(again.images, np.memmap) == (save is np.savez)


def test_columns_first_is_read_not_mapped(numbered, tmp_path):
    faces = numbered()
    images = np.asfortranarray(faces.images)
    np.savez(tmp_path / "f.npz", images=images, names=np.array(faces.names))
    again = load_npz(tmp_path / "f.npz")
    assert not isinstance(again.images, np.memmap)
    assert np.array_equal(again.images, faces.images)


@pytest.mark.parametrize(
    "content",
    [
        dict(pictures=np.zeros((3, 3, 8, 8), np.uint8)),
        dict(images=np.zeros((3, 8, 8, 3), np.uint8), names=np.array(list("abc"))),
        dict(images=np.zeros((3, 3, 8, 8)), names=np.array(list("abc"))),
        dict(images=np.zeros((3, 3, 8, 8), np.uint8), names=np.array(list("ab"))),
        dict(images=np.array([{}], dtype=object), names=np.array(["a"])),
    ],
)
def test_other_contents_are_refused(tmp_path, content):
    np.savez(tmp_path / "x.npz", **content)
    with pytest.raises(HLError, match="FaceSet"):
        load_npz(tmp_path / "x.npz")


@pytest.mark.parametrize("n_bytes", [0, 400])
def test_a_cut_file_is_refused(numbered, tmp_path, n_bytes):
    path = numbered().save(tmp_path / "x.npz")
    path.write_bytes(path.read_bytes()[:n_bytes])
    with pytest.raises(HLError, match="must be a FaceSet file .*: make one with"):
        load_npz(path)


@pytest.mark.parametrize(
    ("images", "names"),
    [
        (np.zeros((40_000, 3, 64, 64), np.uint8), np.array(["a"] * 3)),  # another number of names
        (np.zeros((40_000, 3, 64, 64, 1), np.uint8), np.array(["a"] * 40_000)),
        (np.zeros((4, 3, 8, 8), np.uint8), np.array(["a" * 5000, "b", "c", "d"])),
        (np.zeros((4, 3, 8, 8), np.uint8), np.arange(4)),
    ],
)
def test_heads_are_compared_before_anything_is_read(tmp_path, monkeypatch, images, names):
    np.savez_compressed(tmp_path / "x.npz", images=images, names=names)
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("read"))
    with pytest.raises(HLError, match="must be a FaceSet file .*, not "):
        load_npz(tmp_path / "x.npz")


def test_what_unpacks_into_far_more_than_pictures_do_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "x.npz"
    images = np.zeros((2_000, 3, 64, 64), np.uint8)
    np.savez_compressed(path, images=images, names=np.array(["a"] * 2_000))
    assert len(load_npz(path)) == 2_000
    monkeypatch.setattr("hlgan_lib.data.npz.SMALL", 10_000_000)
    with pytest.raises(HLError, match="24,576,000 bytes packed into .*no pictures are like that"):
        load_npz(path)
