"""One image file of any kind: upright RGB of the right size, or one clear line."""

import io
import struct
import zlib

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from PIL import Image, ImageCms, UnidentifiedImageError

from hlgan_lib.data.pictures import (
    fit,
    picture_endings,
    read_image,
    reason,
    to_array,
    to_image,
    white_of,
)
from hlgan_lib.errors import HLError


def chunk(kind, body):
    """A piece of a PNG."""
    length, checksum = struct.pack(">I", len(body)), struct.pack(">I", zlib.crc32(kind + body))
    return length + kind + body + checksum


def png(array, *chunks):
    """An RGB image as PNG, with pieces of one's own behind the header."""
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()[:33] + b"".join(chunks) + file.getvalue()[33:]


def wide_profile():
    """An ICC profile of wide primaries and a plain power curve of 2.2, as cameras write."""

    def fixed(*values):
        return b"".join(struct.pack(">i", round(v * 65536)) for v in values)

    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(2.2 * 256)) + bytes(2)
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", 5) + b"wide" + bytes(83),
        b"wtpt": b"XYZ " + bytes(4) + fixed(0.9642, 1, 0.8249),
        b"rXYZ": b"XYZ " + bytes(4) + fixed(0.6097, 0.3111, 0.0195),
        b"gXYZ": b"XYZ " + bytes(4) + fixed(0.2053, 0.6257, 0.0609),
        b"bXYZ": b"XYZ " + bytes(4) + fixed(0.1492, 0.0632, 0.7446),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    at, table, bodies = 132 + 12 * len(tags), b"", b""
    for name, body in tags.items():
        body += bytes(-len(body) % 4)
        table += name + struct.pack(">II", at + len(bodies), len(body))
        bodies += body
    content = struct.pack(">I", len(tags)) + table + bodies
    head = struct.pack(">I4xI", 128 + len(content), 0x02100000) + b"mntrRGB XYZ " + bytes(12)
    head += b"acsp" + bytes(28) + fixed(0.9642, 1, 0.8249)
    return head.ljust(128, b"\0") + content


def bomb(side=30_000):
    """A PNG that says it is side x side, in a few hundred bytes."""
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


DAMAGED = {
    "none after it": b"",
    "a rational nowhere": struct.pack(">HHII", 0x11A, 5, 1, 0xFFFFFF),
    "a unit that is text": struct.pack(">HHI4s", 0x128, 2, 2, b"2\0\0\0"),
    "a GPS folder that is text": struct.pack(">HHI4s", 0x8825, 2, 4, b"abc\0"),
    "a folder beyond the end": struct.pack(">HHII", 0x8769, 4, 1, 0x7FFFFFFF),
    "an empty maker": struct.pack(">HHII", 0x10F, 2, 0, 0),
}


@pytest.mark.parametrize("entry", DAMAGED.values(), ids=DAMAGED)
@pytest.mark.parametrize("mark", [struct.pack(">HIHH", 3, 1, 6, 0), b"\0\2\0\0\0\2" + b"6\0\0\0"])
def test_damaged_metadata_still_turns(tmp_path, picture, mark, entry):
    n_entries = struct.pack(">H", 2 if entry else 1)
    exif = b"Exif\0\0MM\0*\0\0\0\x08" + n_entries + b"\x01\x12" + mark + entry + bytes(4)
    image = picture((96, 80))
    image.save(tmp_path / "x.jpg", exif=exif, quality=95)
    got = read_image(tmp_path / "x.jpg")
    assert got.size == (80, 96)
    wanted = np.asarray(image.rotate(270, expand=True), float)
    assert np.abs(np.asarray(got, float) - wanted).mean() < 4


def test_metadata_that_is_noise_loses_no_picture(tmp_path, picture):
    exif = b"Exif\0\0" + np.random.default_rng(0).bytes(60)
    picture((96, 80)).save(tmp_path / "x.jpg", exif=exif)
    assert read_image(tmp_path / "x.jpg").size == (96, 80)


# ---- colours -------------------------------------------------------------------------------------
def in_wide(image):
    """The same colours, as numbers of the wide profile."""
    wide = ImageCms.ImageCmsProfile(io.BytesIO(wide_profile()))
    return ImageCms.profileToProfile(image, ImageCms.createProfile("sRGB"), wide)


@pytest.mark.parametrize("suffix", ["png", "tif", "webp", "jpg"])
def test_an_icc_profile_is_converted_to_srgb(tmp_path, picture, suffix):
    image = picture()
    exact = {"lossless": True} if suffix == "webp" else {}
    exact |= {"quality": 98, "subsampling": 0} if suffix == "jpg" else {}
    in_wide(image).save(tmp_path / f"x.{suffix}", icc_profile=wide_profile(), **exact)
    wanted, got = np.asarray(image, int), np.asarray(read_image(tmp_path / f"x.{suffix}"), int)
    unread = np.abs(np.asarray(in_wide(image), int) - wanted).max()
    assert np.abs(got - wanted).mean() < 1.5 and unread > 40


def test_an_icc_profile_of_transparent_colours_leaves_the_transparency(tmp_path, picture):
    image = in_wide(picture())
    image.putalpha(0)
    image.save(tmp_path / "x.png", icc_profile=wide_profile())
    assert np.asarray(read_image(tmp_path / "x.png")).min() == 255


@pytest.mark.parametrize("profile", [b"no profile", wide_profile()[:200]])
def test_a_profile_that_cannot_be_read_is_none(tmp_path, picture, profile):
    picture().save(tmp_path / "x.png", icc_profile=profile)
    assert read_image(tmp_path / "x.png").tobytes() == picture().tobytes()


def test_a_profile_of_other_colours_than_the_pictures_is_none(tmp_path, picture):
    picture(mode="L").save(tmp_path / "x.png", icc_profile=wide_profile())
    assert read_image(tmp_path / "x.png").tobytes() == picture(mode="L").convert("RGB").tobytes()


def test_gama_is_converted_to_srgb(tmp_path):
    light = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, 2)

    def read(*chunks):
        (tmp_path / "x.png").write_bytes(png(light, *chunks))
        return np.asarray(read_image(tmp_path / "x.png"))

    linear = chunk(b"gAMA", struct.pack(">I", 100_000))
    # Of linear light half is level 188 in sRGB, and a hundredth is 25.
    assert read(linear)[8, 0].tolist() == [188] * 3 and read(linear)[0, 3].tolist() == [28] * 3
    # What sRGB itself says, and nonsense, change nothing; a mark of sRGB wins.
    assert np.array_equal(read(chunk(b"gAMA", struct.pack(">I", 45_455))), light)
    assert np.array_equal(read(chunk(b"gAMA", bytes(4))), light)
    assert np.array_equal(read(linear, chunk(b"sRGB", b"\0")), light)


# ---- grey of more than 8 bits --------------------------------------------------------------------
@pytest.mark.parametrize(
    ("dtype", "scale", "extreme"),
    [
        (np.float32, 1 / 255, 1.004),
        (np.float32, 1, 256.2),
        (np.float32, 257, 65_700),
        (np.int32, 1, 256),
        (np.int32, 257, 65_600),
        (np.uint16, 257, 65_535),
    ],
)
def test_one_extreme_pixel_changes_no_other(tmp_path, picture, dtype, scale, extreme):
    grey = np.asarray(picture(mode="L"), np.float64)
    deep = (grey * scale).astype(dtype)
    deep[0, 0] = extreme
    Image.fromarray(deep).save(tmp_path / "x.tif")
    got = np.asarray(read_image(tmp_path / "x.tif"), int)[..., 0]
    assert got[0, 0] == 255 and np.abs(got - grey).flatten()[1:].max() <= 1


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (np.array([[0, 4095]], np.uint16), "grey of 16 bits must run .* got 0 to 4095"),
        (np.array([[0, 5000]], np.int32), "grey of 32 bits must run .* got 0 to 5000"),
        (np.array([[0, 99_000]], np.int32), "got 0 to 99000: save it as 8 bits"),
        (np.array([[-30, 200]], np.int32), "got -30 to 200"),
        (np.array([[0, 2.5]], np.float32), "grey of floats must run .* got 0 to 2.5"),
        (np.array([[0, np.nan]], np.float32), "must be finite, got NaN"),
    ],
)
def test_what_fits_no_scale_or_two_is_refused(tmp_path, values, why):
    Image.fromarray(values).save(tmp_path / "x.tif")
    with pytest.raises(HLError, match=why):
        read_image(tmp_path / "x.tif")


@hypothesis.given(
    most=st.floats(0, 1.05),
    least=st.floats(-0.05, 0),
    scale=st.sampled_from([1.0, 255.0, 65535.0]),
)
@hypothesis.settings(max_examples=300)
def test_a_scale_is_found_or_refused_never_another(most, least, scale):
    try:
        white = white_of(least * scale, most * scale, "floats")
    except HLError:
        assert most <= 0.25 and scale > 1
    else:
        assert white == scale or most * scale <= 1.05 * white


@hypothesis.given(
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    mode=st.sampled_from(
        ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "I;16", "I", "F", "YCbCr", "LAB"]
    ),
    level=st.integers(0, 255),
    seed=st.integers(0, 99),
)
@hypothesis.settings(max_examples=150)
def test_every_shape_and_mode_is_read_or_refused_in_one_line(shape, mode, level, seed):
    noise = np.random.default_rng(seed).integers(0, level + 1, (*shape, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    image = Image.fromarray(noise[..., 0]) if mode in ("I;16", "LAB") else image
    image = Image.merge("LAB", [image] * 3) if mode == "LAB" else image.convert(mode)
    file = io.BytesIO()
    image.save(file, "TIFF")
    try:
        got = read_image(file, name="x.tif")
    except HLError as error:
        no_scale = mode in ("I;16", "F") and "must run from 0 to" in str(error)
        no_ycbcr = mode == "YCbCr" and "truncated" in str(error)  # Pillow 10 cannot read its own
        assert (no_scale or no_ycbcr) and "\n" not in str(error)
    else:
        assert got.mode == "RGB" and got.size == shape[::-1]


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


def test_endings_of_pictures_are_in_lower_case():
    assert {".png", ".jpg", ".jpeg", ".tif", ".bmp", ".webp"} <= picture_endings()
    assert not {".happy", ".txt", ".v2", ".PNG"} & picture_endings()
