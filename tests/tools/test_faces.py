"""The tools that made the shipped faces: crops, mosaics, the camera, the stored bytes."""

import hashlib
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
FACES = ROOT / "hlgan_lib" / "faces"


def loaded(name):
    path = ROOT / "tools" / "faces" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


build, make = loaded("build_faces"), loaded("make_faces")


def noise(n, s):
    return np.random.default_rng(s).integers(0, 256, (n, s, s, 3), dtype=np.uint8)


@pytest.mark.parametrize("index", range(0, 5000, 500))
def test_a_crop_lies_inside_its_source_and_is_the_same_again(index):
    corners = build.framing(index, 0)
    assert all(0 <= p <= 160 for corner in corners for p in corner)
    assert corners == build.framing(index, 0) != build.framing(index, 1)
    (x0, y0), (x1, y1) = corners[0], corners[1]
    side = float(np.hypot(x1 - x0, y1 - y0))
    assert 127.5 / 1.08 <= side <= 127.5 / 0.92


def test_a_mosaic_comes_apart_again():
    tiles = noise(2 * build.COLUMNS, 16)
    sheet = build.mosaic(tiles)
    assert sheet.size == (16 * build.COLUMNS, 32)
    assert np.array_equal(build.untile(sheet, 16), tiles)
    assert np.array_equal(np.asarray(sheet)[16:, :16], tiles[build.COLUMNS])


def test_the_shipped_lr_pictures_are_those_of_the_camera_and_its_seed():
    """The first camera batch of the test split, taken again from the shipped HR faces."""
    meta = json.loads((FACES / "meta.json").read_text())
    split = meta["splits"]["test"]
    with Image.open(FACES / split["hi"]) as image:
        hi = build.untile(image, 64)[: build.CAMERA_BATCH]
    with Image.open(FACES / split["lo"]) as image:
        shipped = build.untile(image, 16)[: build.CAMERA_BATCH]
    lo, params = build.taken(hi, split["camera_seed"])
    apart = np.abs(lo.astype(int) - shipped)
    assert (apart <= 1).mean() > 0.999, "rounding may differ between machines, nothing else"
    assert all(len(values) == len(lo) for values in params.values())


def test_the_hashes_are_those_of_the_shipped_files():
    meta = json.loads((FACES / "meta.json").read_text())
    for name, want in meta["sha256"].items():
        assert hashlib.sha256((FACES / name).read_bytes()).hexdigest() == want, name


def test_a_source_is_160_pixels_and_agrees_with_itself(tmp_path):
    face = Image.fromarray(noise(1, 64)[0]).resize((1024, 1024))
    for name in ("a.jpg", "b.jpg"):
        make.write(face, tmp_path / name)
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.size == (160, 160)
    assert make.agreement(tmp_path / "a.jpg", tmp_path / "b.jpg") == (0, float("inf"))
    make.write(face.transpose(Image.Transpose.FLIP_LEFT_RIGHT), tmp_path / "b.jpg")
    largest, psnr = make.agreement(tmp_path / "a.jpg", tmp_path / "b.jpg")
    assert largest > 50 and psnr < 20
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.jpg", "b.jpg"]
