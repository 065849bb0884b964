"""One image file: read it whatever its format, turn it upright, make it sRGB, fit it to a size.

A folder of photographs holds more than one expects: 16-bit grey, CMYK, colour profiles, damaged
EXIF, animations, cut files, and files made to exhaust the memory. Each becomes sRGB of 8 bits by
one rule, or an `HLError` says why not: no value is guessed from a pixel.
"""

from __future__ import annotations

import io
import warnings
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageCms

from ..errors import HLError
from ..files import user_path

MAX_PIXELS = 64_000_000  # larger images are not decoded: 200 MB as RGB
MAX_SHRINK = 1.5  # an LR image reduced by more has lost what H2L should learn
RUNS_PROGRAMS = {"EPS", "WMF", "MPEG", "PDF"}  # formats that need other programs to be read
ORIENTATION = 0x0112  # the EXIF mark that says how the camera was held
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
OVERSHOOT = 0.05  # of white: resizing leaves as much above white and below black
DIM = 0.25  # of white: a picture nowhere brighter may well be counted on another scale
SIXTEEN = ("PNG", "PPM")  # formats whose integers are of 16 bits, whatever mode Pillow gives them
PROFILES = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK", "LAB": "Lab "}  # colour space of each mode
SRGB_GAMMA = 1 / 2.2  # what a PNG's gAMA says of sRGB


def read_image(
    path: str | Path | BinaryIO, at_least: int | None = None, name: str = ""
) -> Image.Image:
    """Read an image file: the first frame of an animation, upright, in sRGB.

    Args:
        path: a path or an open file, in any format that Pillow decodes by itself.
        at_least: pixels. A JPEG may be decoded at a half, a quarter or an eighth, which is faster,
            as long as its shorter side keeps this many; by default at full size.
        name: what an error calls the image; by default its path.

    Returns:
        An RGB image in sRGB: an ICC profile or a PNG's gAMA is converted from, and what has neither
        is taken to be sRGB. Transparency lies on white. Grey of more than 8 bits is scaled by its
        type (see `white_of`).

    Raises:
        HLError: where it cannot be read or its type does not say what white is, and for more than
            MAX_PIXELS pixels, before decoding.
    """
    if isinstance(path, (str, Path)):
        path = user_path(path)
    try:
        return read_unnamed(path, at_least)
    except HLError as error:
        raise HLError(f"cannot read {name or path}: {error}") from error


def read_unnamed(path: Path | BinaryIO, at_least: int | None = None) -> Image.Image:
    """`read_image`, whose error holds the reason alone: a folder names and counts what it skips."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on damaged metadata
            with Image.open(path, formats=_formats()) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise HLError(
                        f"{image.width}x{image.height} pixels, more than {MAX_PIXELS}: "
                        "reduce it first"
                    )
                if at_least:
                    factor = at_least / min(image.size)
                    width, height = int(image.width * factor), int(image.height * factor)
                    image.draft(image.mode, (width + 1, height + 1))
                return _upright(_to_srgb(image), _orientation(image))
    except HLError:
        raise
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise HLError(str(error.strerror)) from error
    except Exception as error:  # on hostile bytes Pillow's decoders raise anything
        raise HLError(reason(error)) from error


def size_of(path: Path) -> tuple[int, int]:
    """Width and height of an image file by its head, as it is stored; no pixel is decoded.

    Raises:
        HLError: where it is no image.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=_formats()) as image:
                return image.size
    except Exception as error:  # as `read_unnamed`
        raise HLError(reason(error)) from error


def fit(image: Image.Image, size: int) -> Image.Image:
    """Centre-crop to a square and reduce to a size, antialiased (LANCZOS).

    Args:
        image: an RGB image.
        size: side of the result, pixels.

    Returns:
        An image of size x size; the same pixels where nothing had to change.

    Raises:
        HLError: where the image would have to be enlarged: that invents detail.

    Source: ours.
    """
    side = min(image.size)
    if side < size:
        raise HLError(
            f"picture must be at least {size}x{size}, got {image.width}x{image.height}: "
            "enlarging would invent detail"
        )
    left = (image.width - side) // 2
    top = (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side))
    if side == size:
        return square
    return square.resize((size, size), Image.Resampling.LANCZOS)


def to_array(image: Image.Image) -> np.ndarray:
    """An RGB image as the library keeps it: uint8 (3, H, W)."""
    return np.asarray(image).transpose(2, 0, 1)


def to_image(array: np.ndarray) -> Image.Image:
    """The inverse of `to_array`: uint8 (3, H, W) as an RGB image."""
    return Image.fromarray(array.transpose(1, 2, 0))


def reason(error: Exception) -> str:
    """The first line of an error of Pillow or NumPy, in plain words."""
    if isinstance(error, Image.UnidentifiedImageError):
        return "not a picture that Pillow reads"
    if not str(error):
        return type(error).__name__
    return str(error).splitlines()[0][:200]


def white_of(least: float, most: float, kind: str) -> float:
    """The number that stands for white in grey of more than 8 bits.

    The type decides: 65535 for 16 bits; 255 or 65535 for integers of 32 bits; 1, 255 or 65535 for
    floats, the least that no value exceeds by more than 5 %. Where the values do not settle which,
    nothing is guessed. Source: ours.

    Args:
        least: the smallest value of the image.
        most: the largest.
        kind: "16 bits", "32 bits" or "floats".

    Returns:
        1, 255 or 65535.

    Raises:
        HLError: for values that fit no scale or might fit two.

    >>> white_of(0, 1.004, "floats"), white_of(0, 256, "32 bits")
    (1, 255)
    """
    whites = {"16 bits": [65535], "32 bits": [255, 65535], "floats": [1, 255, 65535]}[kind]
    for white in whites:
        if most <= white * (1 + OVERSHOOT):
            break
    # Few levels of 16 bits may be 12 bits, and 2.5 of floats neither of 1 nor of 255.
    several = white == 65535 or white > whites[0]
    dim = several and 0 < most <= white * DIM
    if not (-OVERSHOOT * white <= least and most <= white * (1 + OVERSHOOT)) or dim:
        raise HLError(
            f"grey of {kind} must run from 0 to {' or '.join(map(str, whites))} and use the upper "
            f"three quarters, got {least:g} to {most:g}: save it as 8 bits, or scaled so"
        )
    return white


def _orientation(image: Image.Image) -> int:
    """The EXIF mark, 1 to 8; 1 where there is none that can be read."""
    try:
        return int(image.getexif().get(ORIENTATION, 1))  # some writers leave "6", a text
    except Exception:  # damaged metadata is no reason to lose a picture
        return 1


def _upright(image: Image.Image, mark: int) -> Image.Image:
    """Turned and mirrored as the mark says; nothing of the metadata is written again."""
    return image.transpose(TURNS[mark]) if mark in TURNS else image


def _to_srgb(image: Image.Image) -> Image.Image:
    """Any mode of Pillow as RGB of 8 bits in sRGB, transparency on white."""
    image.load()  # a PNG may say more behind its pixels
    profile, gamma = image.info.get("icc_profile"), _gamma(image)
    if image.mode.startswith(("I", "F")):
        levels = _unit(image)
        if not profile:
            levels, gamma = _encoded(levels, gamma), SRGB_GAMMA
        image = Image.fromarray(np.round(levels * 255).astype(np.uint8))

    alpha = None
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
    if image.mode not in PROFILES:
        image = image.convert("RGB")

    image = _from_profile(image, profile) if profile else image
    image = image.convert("RGB")
    if not profile and gamma != SRGB_GAMMA:
        table = np.round(_encoded(np.arange(256) / 255, gamma) * 255)
        image = image.point(table.astype(int).tolist() * 3)
    if alpha is not None:
        image = Image.composite(image, Image.new("RGB", image.size, "white"), alpha)
    return image


def _unit(image: Image.Image) -> np.ndarray:
    """Grey of more than 8 bits, or of floats, in [0, 1]."""
    values = np.asarray(image).astype(np.float64)
    if not np.isfinite(values).all():
        raise HLError("grey of floats must be finite, got NaN or infinity: save it as 8 bits")
    if image.mode == "F":
        kind = "floats"
    elif image.mode.startswith("I;16") or image.format in SIXTEEN:
        kind = "16 bits"
    else:
        kind = "32 bits"
    white = white_of(float(values.min()), float(values.max()), kind)
    return np.clip(values / white, 0, 1)


def _from_profile(image: Image.Image, profile: bytes) -> Image.Image:
    """From the colours of a profile to sRGB; a profile that is none, or not of these, is none."""
    try:
        transform = _transform(profile, image.mode)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image
    return image if transform is None else transform.apply(image)


@lru_cache(maxsize=8)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """What takes a profile's colours to sRGB; None where it describes pictures of another kind."""
    own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    if own.profile.xcolor_space.strip() != PROFILES[mode].strip():
        return None
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    return ImageCms.ImageCmsTransform(own, srgb, mode, "RGB")


def _gamma(image: Image.Image) -> float:
    """A PNG's gAMA: light = value^(1 / gamma). An sRGB mark, or one that is as good, wins."""
    gamma = image.info.get("gamma", SRGB_GAMMA)
    if "srgb" in image.info or not 0.01 < gamma < 100 or abs(gamma - SRGB_GAMMA) < 0.005:
        return SRGB_GAMMA
    return gamma


def _encoded(levels: np.ndarray, gamma: float) -> np.ndarray:
    """Levels in [0, 1] of another gamma as those of sRGB (IEC 61966-2-1)."""
    if gamma == SRGB_GAMMA:
        return levels
    light = levels ** (1 / gamma)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


@lru_cache(maxsize=1)
def _formats() -> tuple[str, ...]:
    """The formats that Pillow decodes without starting another program."""
    Image.init()
    return tuple(name for name in Image.OPEN if name not in RUNS_PROGRAMS)


@lru_cache(maxsize=1)
def picture_endings() -> frozenset[str]:
    """The endings of the pictures that Pillow reads, in lower case, with their dots."""
    endings = Image.registered_extensions().items()
    return frozenset(ending for ending, kind in endings if kind in Image.OPEN)
