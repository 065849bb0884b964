"""One image file of any kind: upright RGB of the right size, or one clear line."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

from hlgan_lib.data.pictures import fit, read_image, reason, to_array, to_image
from hlgan_lib.errors import HLError


def bomb(side=30_000):
    """A PNG that says it is side x side, in a few hundred bytes."""

    def chunk(kind, body):
        length, checksum = struct.pack(">I", len(body)), struct.pack(">I", zlib.crc32(kind + body))
        return length + kind + body + checksum

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + content + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "mode, suffix",
    [
        ("L", "png"),
        ("1", "png"),
        ("P", "gif"),
        ("CMYK", "jpg"),
        ("CMYK", "tiff"),
        ("RGBA", "png"),
        ("LA", "png"),
        ("RGB", "bmp"),
        ("RGB", "webp"),
        ("RGB", "ppm"),
        ("I;16", "png"),
        ("I;16", "tiff"),
        ("I", "tiff"),
        ("F", "tiff"),
        ("YCbCr", "jpg"),
    ],
)
def test_any_mode_looks_like_the_original(tmp_path, picture, mode, suffix):
    is_grey = mode in ("L", "1", "LA", "I;16", "I", "F")
    wanted = np.asarray(picture(mode="L" if is_grey else "RGB").convert("RGB"), np.float64)
    grey = np.asarray(picture(mode="L"))
    if mode == "I;16":
        image = Image.fromarray(grey.astype(np.uint16) * 257)
    elif mode == "I":  # 32 bits that hold no more than 8
        image = Image.fromarray(grey.astype(np.int32))
    elif mode == "F":
        image = Image.fromarray(grey.astype(np.float32) / 255)
    else:
        image = picture(mode=mode)
    image.save(tmp_path / f"x.{suffix}")
    got = np.asarray(read_image(tmp_path / f"x.{suffix}"), np.float64)
    assert got.shape == (80, 80, 3)
    # Modes 1 and P are dithered: alike from afar.
    coarse = [x.reshape(10, 8, 10, 8, 3).mean((1, 3)) for x in (got, wanted)]
    assert np.abs(coarse[0] - coarse[1]).mean() < 12
    if mode in ("L", "LA", "I;16", "I", "F"):
        assert np.abs(got - wanted).max() <= 1


def test_transparency_lies_on_white(tmp_path, picture):
    image = picture(mode="RGBA")
    image.putalpha(0)
    image.save(tmp_path / "clear.png")
    assert np.asarray(read_image(tmp_path / "clear.png")).min() == 255


def test_animation_gives_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (70, 70), c) for c in ("red", "green", "blue")]
    for suffix in ("gif", "webp", "png"):
        frames[0].save(tmp_path / f"x.{suffix}", save_all=True, append_images=frames[1:])
        r, g, b = np.asarray(read_image(tmp_path / f"x.{suffix}"))[35, 35].astype(int)
        assert r > 200 and g < 60 and b < 60


@pytest.mark.parametrize("mark, turn", [(1, 0), (3, 180), (6, 270), (8, 90)])
def test_exif_rotation_is_honoured(tmp_path, picture, mark, turn):
    exif = Image.Exif()
    exif[0x0112] = mark
    picture((96, 80)).save(tmp_path / "x.jpg", exif=exif, quality=95)
    wanted = picture((96, 80)).rotate(turn, expand=True)
    got = read_image(tmp_path / "x.jpg")
    assert got.size == wanted.size
    assert np.abs(np.asarray(got, float) - np.asarray(wanted, float)).mean() < 4


def test_a_large_jpeg_is_decoded_smaller_but_never_too_small(tmp_path, picture):
    picture((1600, 1200)).save(tmp_path / "x.jpg")
    assert read_image(tmp_path / "x.jpg").size == (1600, 1200)
    for at_least in (64, 256, 500, 1200):
        image = read_image(tmp_path / "x.jpg", at_least)
        assert at_least <= min(image.size) <= 1200
    assert min(read_image(tmp_path / "x.jpg", 64).size) == 150  # an eighth


def test_an_open_file_is_called_by_the_given_name(picture):
    file = io.BytesIO()
    picture().save(file, "PNG")
    assert read_image(file, name="mine.png").size == (80, 80)
    with pytest.raises(HLError, match="cannot read mine.png: not a picture"):
        read_image(io.BytesIO(b"hello"), name="mine.png")


@pytest.mark.parametrize(
    "name, content, why",
    [
        ("empty.jpg", b"", "not a picture"),
        ("notes.txt", b"hello", "not a picture"),
        ("page.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 80 80\n", "not a picture"),
        ("bomb.png", bomb(), "decompression bomb"),
        ("large.png", bomb(8_100), "8100x8100 pixels, more than .*: reduce it first"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path, name, content, why):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(HLError, match=f"cannot .* .*{name}: .*{why}"):
        read_image(tmp_path / name)


@pytest.mark.parametrize(
    "start", [b"GIF89a", b"II*\0", b"RIFF", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"]
)
def test_noise_behind_a_good_start_is_an_error_of_ours(tmp_path, start):
    (tmp_path / "noise").write_bytes(start + np.random.default_rng(0).bytes(500))
    with pytest.raises(HLError, match="cannot read .*noise: "):
        read_image(tmp_path / "noise")


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    (tmp_path / "large.png").write_bytes(bomb(8_100))
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    with pytest.raises(HLError, match="8100x8100 pixels, more than"):
        read_image(tmp_path / "large.png")


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(HLError, match="cannot read .*no.png: No such file"):
        read_image(tmp_path / "no.png")
    with pytest.raises(HLError, match="cannot read .*: Is a directory"):
        read_image(tmp_path)


def test_fit_crops_the_middle(picture):
    image = picture((90, 60))
    middle = np.asarray(image)[:, 15:75]
    assert np.array_equal(np.asarray(fit(image, 60)), middle)
    assert fit(image, 16).size == (16, 16)


def test_fit_is_antialiased():
    stripes = np.zeros((128, 128, 3), np.uint8)
    stripes[:, ::2] = 255  # finer than 64 pixels can show
    inside = np.asarray(fit(Image.fromarray(stripes), 64), int)[:, 2:-2]
    assert np.abs(inside - 128).max() < 12


def test_fit_never_enlarges(picture):
    with pytest.raises(HLError, match="at least 64x64, got 60x200: enlarging would invent"):
        fit(picture((60, 200)), 64)


def test_arrays_are_channels_first(picture):
    image = picture((90, 60))
    array = to_array(image)
    assert array.shape == (3, 60, 90) and array.dtype == np.uint8
    assert array[1, 20, 30] == image.getpixel((30, 20))[1]
    assert to_image(array).tobytes() == image.tobytes()


def test_reasons_are_one_short_line():
    assert reason(ValueError("first\nsecond")) == "first"
    assert reason(EOFError()) == "EOFError"
    assert len(reason(ValueError("x" * 999))) == 200
    assert (
        reason(UnidentifiedImageError("<_io.BytesIO object>")) == "not a picture that Pillow reads"
    )
