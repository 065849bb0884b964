"""The audit finds what was put in: copies, leakage, strangers, LR that is reduced HR."""

import io

import numpy as np
import pytest
from PIL import Image

from hlgan_lib.data.builtin import built_in
from hlgan_lib.data.faces import FaceSet
from hlgan_lib.data.pictures import fit, to_array, to_image
from hlgan_lib.errors import HLError
from hlgan_lib.prepare.audit import audit, light_of, near_pairs, same_images, small_grey

HI = built_in("faces:test", "hi")
LO = built_in("faces:test", "lo")


def spoiled(image: np.ndarray) -> np.ndarray:
    """A JPEG of low quality, mirrored and darker."""
    held = io.BytesIO()
    to_image(image).save(held, "jpeg", quality=40)
    again = Image.open(held).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return to_array(again.point(lambda v: int(v * 0.8)))


def made(images: np.ndarray) -> FaceSet:
    return FaceSet(images, tuple(f"{i}.png" for i in range(len(images))), "made")


def test_copies_and_near_copies_are_found_and_nothing_else():
    images = np.concatenate([HI.images[:60], HI.images[5:6], spoiled(HI.images[9])[None]])
    faces = made(images)
    assert same_images(faces) == [[5, 60]]
    near, n_near, likeness = near_pairs(small_grey(faces))
    assert n_near == 2 and {(pair.a, pair.b) for pair in near} == {(5, 60), (9, 61)}
    assert likeness.argmin() not in (5, 9, 60, 61)


def test_leakage_between_files_and_a_stranger_in_one(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (1, 3, 64, 64)).astype(np.uint8)
    train, test = tmp_path / "train.npz", tmp_path / "test.npz"
    made(np.concatenate([HI.images[:40], noise])).save(train)
    made(np.concatenate([HI.images[40:80], spoiled(HI.images[7])[None]])).save(test)
    report = audit([str(train), str(test)])
    assert [(pair.a, pair.b) for pair in report.leaks[0].near] == [(7, 40)]
    assert report.audits[0].least[0] == 40 and report.audits[0].checked
    assert any("leaks into the other" in line for line in report.sentences())
    damaged = bytearray(train.read_bytes())
    damaged[2000] ^= 1
    train.write_bytes(damaged)
    with pytest.raises(HLError, match="is damaged"):
        audit([str(train)])


def test_lr_that_is_reduced_hr_is_told_from_a_cameras(tmp_path):
    small = np.stack([to_array(fit(to_image(image), 16)) for image in HI.images[300:500]])
    HI[:200].save(tmp_path / "hi.npz")
    made(small).save(tmp_path / "reduced.npz")
    LO[300:500].save(tmp_path / "camera.npz")
    report = audit([str(tmp_path / name) for name in ("hi.npz", "reduced.npz", "camera.npz")])
    told = {found.lo.rpartition("/")[2]: found.told for found in report.reduced}
    assert told["reduced.npz"].low < 0.6 < 0.8 < told["camera.npz"].low
    assert sum("nothing but reduced HR" in line for line in report.sentences()) == 1


def test_light_is_what_it_says():
    flat = np.full((2, 3, 16, 16), 51, np.uint8)
    flat[1, 0] = 255
    flat[1, :, ::2, ::2] = 0
    light = light_of(made(flat))
    assert light["brightness"][0] == pytest.approx(0.2, abs=1e-6)
    assert light["saturation"][0] == 0 and light["contrast"][0] == pytest.approx(0, abs=1e-6)
    assert light["saturation"][1] > 0.5 and light["sharpness"][1] > 1
