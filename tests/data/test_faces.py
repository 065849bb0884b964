"""FaceSet: what it holds, what it refuses; bytes, [-1, 1] and [0, 1]."""

import errno
import hashlib

import numpy as np
import pytest
import torch

from hlgan_lib.data.faces import (
    BY_BLOCKS,
    FaceSet,
    check_range,
    check_square,
    to_float,
    to_uint8,
    unit_range,
)
from hlgan_lib.errors import HLError


def test_indexing(numbered):
    faces = numbered()
    assert faces[7].shape == (3, 8, 8) and faces[7].max() == 7
    assert faces.size == (8, 8)
    some = faces[2:5]
    assert len(some) == 3
    assert some.names == ("2.png", "3.png", "4.png")
    assert some.source == "numbered"
    assert faces[[1, 8]].names == ("1.png", "8.png")


def test_a_batch_is_float_between_minus_one_and_one(numbered):
    x = numbered().batch([0, 9])
    assert x.dtype == torch.float32
    assert x.shape == (2, 3, 8, 8)
    assert x[0].max() == -1
    assert x[1, 0, 0, 0].item() == pytest.approx(9 / 127.5 - 1)
    assert len(numbered().batch()) == 10


def test_images_cannot_be_changed_by_accident(numbered):
    with pytest.raises(ValueError, match="read-only"):
        numbered().images[0] = 1
    batch = numbered().batch()
    batch.zero_()  # a copy: the set does not notice
    assert numbered().batch().min() == -1


@pytest.mark.parametrize(
    "images, n_names",
    [
        (np.zeros((3, 8, 8, 3), np.uint8), 3),
        (np.zeros((3, 3, 8, 8)), 3),
        (np.zeros((3, 8, 8), np.uint8), 3),
        (np.zeros((3, 3, 8, 8), np.uint8), 2),
    ],
)
def test_what_is_not_a_set_of_images_is_refused(images, n_names):
    with pytest.raises(HLError, match=r"must be uint8 \(N, 3, H, W\) with N names, got .*save"):
        FaceSet(images, ("x",) * n_names, "somewhere")


def test_a_digest_is_of_pixels_names_and_order(numbered):
    faces = numbered()
    again = FaceSet(faces.images.copy(), faces.names, "elsewhere", (("x.png", "grey"),))
    assert again.digest() == faces.digest() and faces.digest().startswith(BY_BLOCKS)
    changed = faces.images.copy()
    changed[9, 2, 7, 7] ^= 1
    renamed = ("0.PNG", *faces.names[1:])
    others = [
        FaceSet(changed, faces.names, "numbered"),
        FaceSet(faces.images, renamed, "numbered"),
        faces[:9],
        faces[::-1],
    ]
    assert len({faces.digest(), *(other.digest() for other in others)}) == 5


def test_a_digest_of_an_earlier_version_is_compared_as_it_was_made(numbered):
    faces = numbered()
    content = repr(faces.images.shape).encode() + faces.images.tobytes()
    earlier = hashlib.sha256(content + "\0".join(faces.names).encode()).hexdigest()
    assert faces.digest(like="0" * 64) == earlier
    assert faces.digest(like=BY_BLOCKS + "0" * 64) == faces.digest()


def test_save_to_a_wrong_place(numbered, tmp_path):
    with pytest.raises(HLError, match="must end in .npz"):
        numbered().save(tmp_path / "x.bin")
    with pytest.raises(HLError, match="cannot write .*x.npz: make the folder"):
        numbered().save(tmp_path / "no" / "x.npz")
    assert not (tmp_path / "no").exists()


def test_a_full_disk_leaves_the_old_file_and_one_clear_line(numbered, tmp_path, monkeypatch):
    path = numbered().save(tmp_path / "x.npz")
    before = path.read_bytes()

    def full(file, images, names):
        file.write(b"half of it")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("hlgan_lib.data.faces.write_images", full)
    with pytest.raises(HLError, match="cannot write .*x.npz: the disk is full"):
        numbered(3).save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_bytes_and_floats_are_inverse():
    v = torch.arange(256, dtype=torch.uint8)
    x = to_float(v)
    assert x.dtype == torch.float32 and x.min() == -1 and x.max() == 1
    assert torch.equal(to_uint8(x), v)
    assert to_uint8(torch.tensor([-2.0, 2.0])).tolist() == [0, 255]
    wanted = torch.tensor([0.5], requires_grad=True)
    assert not to_uint8(wanted).requires_grad


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_unit_range_keeps_precision_and_gradient(dtype):
    x = torch.tensor([-1.0, -0.5, 1.0, 1.5], dtype=dtype, requires_grad=True)
    y = unit_range(x)
    assert y.dtype == dtype
    assert y.tolist() == [0, 0.25, 1, 1.25]  # nothing is clipped
    y.sum().backward()
    assert x.grad.tolist() == [0.5] * 4


@pytest.mark.parametrize(
    "x",
    [
        torch.zeros(3, 8, 8),
        torch.zeros(1, 1, 8, 8),
        torch.zeros(1, 3, 8, 9),
        torch.zeros(1, 3, 8, 8, dtype=torch.uint8),
    ],
)
def test_check_square_names_what_it_got(x):
    check_square("lo", torch.zeros(1, 3, 8, 8))
    with pytest.raises(HLError, match=r"lo must be float \(B, 3, s, s\) in \[-1, 1\], got torch"):
        check_square("lo", x)


def test_check_square_counts_the_dimensions_of_the_shape_that_is_wanted():
    check_square("los", torch.zeros(2, 1, 3, 8, 8), "(n, B, 3, s, s)")
    with pytest.raises(HLError, match=r"los must be float \(n, B, 3, s, s\) .*: draw more"):
        check_square("los", torch.zeros(1, 3, 8, 8), "(n, B, 3, s, s)", "draw more")


@pytest.mark.parametrize("x", [None, "hi", [0.0], np.zeros((1, 3, 8, 8), np.float32)])
def test_what_is_no_tensor_is_said_to_be_none(x):
    for check in (check_range, check_square):
        with pytest.raises(HLError, match=r"lo must be a torch.Tensor, got .*FaceSet.batch"):
            check("lo", x)
