"""Built-in names, folders and files in; one size out, or an error that says what to give."""

import io
import logging
import re
import warnings

import numpy as np
import pytest
import torch
from PIL import Image, ImageFile

from hlgan_lib.commands.pictures import evaluate_files, load_lo
from hlgan_lib.data.faces import FaceSet, Pairs
from hlgan_lib.data.loading import load_faces
from hlgan_lib.errors import HLError


# ---- built-in names ------------------------------------------------------------------------------
def test_role_and_size_of_shipped_faces():
    assert isinstance(load_faces("faces:val"), Pairs)
    assert load_faces("faces:val", role="lo").size == (16, 16)
    small = load_faces("faces:val:hi", size=32)
    assert small.size == (32, 32) and len(small) == 200
    pooled = torch.nn.functional.avg_pool2d(load_faces("faces:val:hi").batch(), 2)
    assert (small.batch() - pooled).abs().mean() < 0.05
    with pytest.raises(HLError, match="at least 128x128, got 64x64: did you mix up hi and lo"):
        load_faces("faces:val:hi", size=128)
    with pytest.raises(HLError, match="faces:val:hi or faces:val:lo"):
        load_faces("faces:val", size=32)


# ---- folders -------------------------------------------------------------------------------------
def test_folder_is_read_recursively_in_order(folder):
    faces = load_faces(folder, role="hi")
    assert faces.names == ("a/b/three.jpg", "a/two.png", "one.png")
    assert faces.size == (64, 64)
    assert faces.skipped == ()
    assert load_faces(folder).size == (80, 80)
    assert load_faces(str(folder), 24).size == (24, 24)


def test_hi_is_centre_cropped_and_antialiased(tmp_path):
    stripes = np.zeros((192, 256, 3), np.uint8)
    stripes[:, ::2] = 255  # finer than 64 pixels can show
    stripes[:, :32], stripes[:, -32:] = (255, 0, 0), (255, 0, 0)  # outside the centre square
    for name in ("a.png", "b.png"):
        Image.fromarray(stripes).save(tmp_path / name)
    faces = load_faces(tmp_path, role="hi")
    assert faces.size == (64, 64)
    assert np.abs(faces[0].astype(int)[:, :, 2:-2] - 128).max() < 12


def test_small_hi_is_skipped_by_name(folder, picture, caplog):
    picture((60, 200)).save(folder / "small.png")
    with caplog.at_level(logging.WARNING, "hlgan"):
        faces = load_faces(folder, role="hi")
    assert len(faces) == 3
    ((name, why),) = faces.skipped
    assert name == "small.png" and "at least 64x64, got 60x200" in why
    assert "skipped 1 of 4 files" in caplog.text and "small.png" in caplog.text


def test_lo_warns_once_where_it_shrinks(tmp_path, picture):
    for i, side in enumerate((16, 24, 25, 64)):
        picture((side, side)).save(tmp_path / f"{i}.png")
    message = "2 lo pictures shrink by more than 1.5 to 16x16"
    with pytest.warns(UserWarning, match=message) as caught:
        assert load_faces(tmp_path, role="lo").size == (16, 16)
    assert len(caught) == 1
    assert caught[0].filename == __file__  # the caller's line, not one of ours
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_faces("faces:train-lo", role="lo")
        load_faces(tmp_path, 16)  # without the role nobody learns from it


def test_mixed_sizes_without_a_size_are_an_error(folder, picture):
    picture((90, 90)).save(folder / "z.png")
    with pytest.raises(HLError, match="got z.png of 90x90: give size"):
        load_faces(folder)


def test_oblong_images_without_a_size_are_an_error(tmp_path, picture):
    picture((90, 80)).save(tmp_path / "a.png")
    with pytest.raises(HLError, match="must be square .* got a.png of 90x80: give size"):
        load_faces(tmp_path)


def test_broken_files_are_skipped_counted_and_named(folder, picture, caplog):
    whole = io.BytesIO()
    picture().save(whole, "PNG")
    noise = np.random.default_rng(0).bytes(500)
    broken = {
        "cut.png": whole.getvalue()[: len(whole.getvalue()) // 2],
        "empty.jpg": b"",
        "notes.txt": b"hello",
        "noise.gif": b"GIF89a" + noise,
        "noise.tif": b"II*\0" + noise,
        "noise.webp": b"RIFF" + noise,
    }
    for name, content in broken.items():
        (folder / name).write_bytes(content)
    (folder / ".hidden").write_bytes(b"")
    with caplog.at_level(logging.INFO, "hlgan"):
        faces = load_faces(folder, role="hi")
    assert len(faces) == 3
    assert {name for name, _ in faces.skipped} == set(broken)
    assert all(why for _, why in faces.skipped)
    for message in (
        "skipped 5 of 9 files of .*: not a picture that Pillow reads .empty.jpg, noise.gif, ",
        "skipped 1 of 9 files of .*: image file is truncated .cut.png",
    ):
        assert re.search(message, caplog.text)
    assert len(caplog.records) == 2  # a line a reason


def test_however_many_are_skipped_the_lines_are_few(folder, picture, caplog):
    for i in range(300):
        (folder / f"empty{i:03d}.png").write_bytes(b"")
    for i in range(8):
        picture((50, 40 + i)).save(folder / f"small{i}.png")
    load_faces(folder, role="hi")
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 6 and "300 of 311" in lines[0] and lines[0].endswith("and 295 more)")
    assert lines[-1] == f"skipped 4 of 311 files of {folder} for other reasons"


def test_hi_and_lo_mixed_up_is_said(tmp_path, picture):
    for i in range(3):
        picture((16, 16)).save(tmp_path / f"{i}.png")
    with pytest.raises(HLError, match="got 0 .3 skipped, .*: did you mix up hi and lo"):
        load_faces(tmp_path, role="hi")
    for i in range(3):
        picture((64, 64)).save(tmp_path / f"{i}.png")
    with pytest.warns(UserWarning, match="of about that size; did you mix up hi and lo"):
        load_faces(tmp_path, role="lo")


def test_a_path_of_no_home_or_with_a_nul_is_one_line(monkeypatch):
    with pytest.raises(HLError, match="the home folder in ~nobody_of_that_name/x is not known"):
        load_faces("~nobody_of_that_name/x")
    with pytest.raises(HLError, match="must not hold a NUL"):
        load_faces("a\0b")


def test_what_was_left_out_is_named_where_nothing_is_left(tmp_path, picture):
    (tmp_path / ".thumbnails").mkdir()
    picture().save(tmp_path / ".thumbnails" / "a.png")
    with pytest.raises(HLError, match="got 0 .1 hidden or of other programs left out"):
        load_faces(tmp_path)


def test_fewer_than_two_images_is_an_error(tmp_path, picture):
    with pytest.raises(HLError, match="at least 2 usable pictures, got 0: give a folder with more"):
        load_faces(tmp_path)
    picture().save(tmp_path / "one.png")
    (tmp_path / "two.png").write_bytes(b"no")
    with pytest.raises(HLError, match="got 1 .1 skipped, the first: two.png"):
        load_faces(tmp_path, role="hi")


# ---- single files --------------------------------------------------------------------------------
def test_one_image_where_one_is_enough(folder):
    with pytest.raises(HLError, match="at least 2 usable"):
        load_faces(folder / "one.png", role="hi")
    faces = load_faces(folder / "one.png", role="hi", minimum=1)
    assert faces.names == ("one.png",)


def test_a_saved_set_is_loaded_and_resized(folder, tmp_path):
    faces = load_faces(folder, role="hi")
    path = faces.save(tmp_path / "set.npz")
    again = load_faces(path)
    assert isinstance(again.images, np.memmap)
    assert np.array_equal(again.images, faces.images)
    assert load_faces(path, 32).size == (32, 32)
    with pytest.warns(UserWarning, match="3 lo pictures shrink") as caught:
        load_faces(path, role="lo")
    assert caught[0].filename == __file__
    with pytest.raises(HLError, match="at least 4 usable pictures, got 3"):
        load_faces(path, minimum=4)


def test_a_resized_set_keeps_names_and_what_was_skipped(folder):
    (folder / "zero.png").write_bytes(b"")
    faces = load_faces(folder, role="hi")
    path = faces.save(folder / "set.npz")
    small = load_faces(path, 32)
    assert isinstance(small, FaceSet) and small.names == faces.names


# ---- what is refused -----------------------------------------------------------------------------
@pytest.mark.parametrize("source", ["no/such/folder", "no.npz", ""])
def test_wrong_paths_say_what_to_give(tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(HLError, match="give a folder"):
        load_faces(source)


def test_wrong_role_and_size(folder):
    with pytest.raises(HLError, match="role must be 'hi' or 'lo', got 'mid'"):
        load_faces(folder, role="mid")
    with pytest.raises(HLError, match="size must be at least 1 pixel, got 0"):
        load_faces(folder, 0)


@pytest.fixture
def decoded(monkeypatch):
    """The pixels that were decoded, of all images together."""
    n = [0]
    load = ImageFile.ImageFile.load

    def counted(image):
        if image.tile:  # what is still to be decoded
            n[0] += image.width * image.height
        return load(image)

    monkeypatch.setattr(ImageFile.ImageFile, "load", counted)
    return n


def test_large_pictures_that_are_refused_are_not_decoded(tmp_path, picture, decoded):
    for i in range(40):
        (tmp_path / "large").mkdir(exist_ok=True)
        picture((300, 300)).save(tmp_path / "large" / f"{i:02}.png")
        (tmp_path / "oblong").mkdir(exist_ok=True)
        picture((300, 200)).save(tmp_path / "oblong" / f"{i:02}.jpg")
    (tmp_path / "small").mkdir()
    picture((16, 16)).save(tmp_path / "small" / "a.png")
    decoded[0] = 0
    refused = [
        (lambda: load_lo(tmp_path / "large", 16, False), "holds 300x300 pictures, the network"),
        (lambda: load_lo(tmp_path / "oblong", 16, False), "holds 300x200 pictures, the network"),
        (lambda: load_lo(tmp_path, 16, False), "holds pictures of several sizes, the network"),
        (lambda: load_lo(tmp_path / "large" / "00.png", 16, False), "holds 300x300 pictures"),
        (lambda: load_faces(tmp_path / "oblong"), "got 00.jpg of 300x200: give size"),
        (lambda: load_faces(tmp_path), "got oblong/00.jpg of 300x200: give size"),
        (lambda: evaluate_files(tmp_path / "large", tmp_path / "small"), "300x300 and 16x16"),
    ]
    for load, message in refused:
        with pytest.raises(HLError, match=message):
            load()
        assert decoded[0] == 0
    assert len(load_lo(tmp_path / "large", 16, True)) == 40
    assert decoded[0] == 40 * 300 * 300  # the count counts
