"""Writing a FaceSet file: NumPy reads it, it can be gone on with, damage is found and named."""

import hashlib
import io
import json

import numpy as np
import pytest

from hlgan_lib.data import storage
from hlgan_lib.data.faces import FaceSet
from hlgan_lib.data.npz import check_npz, load_npz
from hlgan_lib.data.storage import ImageFile, load_about, load_columns, write_images
from hlgan_lib.errors import HLError

IMAGES = np.random.default_rng(0).integers(0, 256, (11, 3, 8, 8)).astype(np.uint8)
NAMES = tuple(f"ä/{i}.png" for i in range(11))


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Three blocks of four, four and three images."""
    monkeypatch.setattr(storage, "BLOCK", 4)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "set.npz"
    with open(path, "w+b") as file:
        write_images(file, IMAGES, NAMES, {"kind": "made"}, {"age": np.arange(11)})
    return path


def test_numpy_reads_the_file(path):
    with np.load(path, allow_pickle=False) as file:
        assert np.array_equal(file["images"], IMAGES)
        assert tuple(file["names"]) == NAMES
    import zipfile

    assert zipfile.ZipFile(path).testzip() is None


def test_it_is_mapped_with_its_columns_and_what_it_says_of_itself(path):
    faces = load_npz(path)
    assert isinstance(faces.images, np.memmap) and np.array_equal(faces.images, IMAGES)
    assert load_columns(path)["age"].tolist() == list(range(11))
    about = load_about(path)
    assert about["kind"] == "made" and len(about["sha256"]) == 3
    assert about["sha256"][0] == hashlib.sha256(IMAGES[:4].tobytes()).hexdigest()


@pytest.mark.parametrize("n", [0, 1, 4, 6, 11])
def test_stopped_after_any_image_it_becomes_the_same_file(path, n):
    file = io.BytesIO()
    ImageFile(file, (8, 8)).append(IMAGES[:n])
    file.write(b"half an image")
    again = ImageFile(file, (8, 8), n)
    for image in IMAGES[n:]:
        again.append(image[None])
    again.seal(NAMES, {"kind": "made"}, {"age": np.arange(11)})
    assert file.getvalue() == path.read_bytes()


def test_fewer_images_than_were_promised(path):
    file = io.BytesIO()
    ImageFile(file, (8, 8)).append(IMAGES[:3])
    with pytest.raises(HLError, match="must hold 4 images"):
        ImageFile(file, (8, 8), 4)


def test_a_changed_byte_is_found_and_its_block_named(path):
    assert check_npz(path)
    content = bytearray(path.read_bytes())
    at = content.find(IMAGES[5].tobytes())
    content[at + 7] ^= 1
    path.write_bytes(content)
    with pytest.raises(HLError, match=r"is damaged: images 4 to 7 \('ä/4.png' ...\) are not what"):
        check_npz(path)


def test_what_the_check_read_is_not_read_again_for_the_digest(path, monkeypatch):
    faces = load_npz(path, check=True)
    assert faces.hashes == tuple(load_about(path)["sha256"])
    wanted = FaceSet(IMAGES, NAMES, "in memory").digest()
    monkeypatch.setattr("hlgan_lib.data.faces.block_hashes", None)
    assert faces.digest() == wanted
    assert load_npz(path).hashes == () == faces[:4].hashes


def test_hashes_of_other_blocks_are_taken_anew(path, monkeypatch):
    monkeypatch.setattr(storage, "BLOCK", 8)
    faces = load_npz(path, check=True)
    assert len(load_about(path)["sha256"]) == 3 and len(faces.hashes) == 2
    assert faces.digest() == FaceSet(IMAGES, NAMES, "in memory").digest()


def test_an_older_file_has_no_hashes(path, tmp_path):
    np.savez(tmp_path / "old.npz", images=IMAGES, names=np.array(NAMES))
    assert check_npz(tmp_path / "old.npz") is False
    assert load_about(tmp_path / "old.npz") == {} and load_columns(tmp_path / "old.npz") == {}


def test_a_training_refuses_a_damaged_file(path):
    from hlgan_lib.training import build

    content = bytearray(path.read_bytes())
    content[content.find(IMAGES[0].tobytes())] ^= 255
    path.write_bytes(content)
    with pytest.raises(HLError, match="is damaged: images 0 to 3"):
        build._faces(path, 8, "hi")


def test_names_and_columns_must_be_as_many_as_images(path):
    held = ImageFile(io.BytesIO(), (8, 8))
    held.append(IMAGES)
    with pytest.raises(HLError, match="names must be 11 values"):
        held.seal(NAMES[:-1])
    with pytest.raises(HLError, match="age must be 11 values"):
        held.seal(NAMES, {}, {"age": np.arange(3)})


def test_what_is_no_set_is_refused(tmp_path):
    (tmp_path / "x.npz").write_text(json.dumps({}))
    for read in (load_about, load_columns):
        with pytest.raises(HLError, match="x.npz must be a FaceSet file"):
            read(tmp_path / "x.npz")
