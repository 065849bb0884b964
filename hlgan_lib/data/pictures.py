"""One image file: read it whatever its format, turn it upright, make it RGB, fit it to a size.

A folder of photographs holds more than one expects: 16-bit grey, CMYK, transparency, animations,
EXIF rotation, cut files, and files made to exhaust the memory. Each becomes RGB or an `HLError`.
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

from ..errors import HLError

MAX_PIXELS = 64_000_000  # larger images are not decoded: 200 MB as RGB
MAX_SHRINK = 1.5  # an LR image reduced by more has lost what H2L should learn
RUNS_PROGRAMS = {"EPS", "WMF", "MPEG", "PDF"}  # formats that need other programs to be read


def read_image(
    path: str | Path | BinaryIO, at_least: int | None = None, name: str = ""
) -> Image.Image:
    """Read an image file: the first frame of an animation, turned upright by its EXIF mark.

    Args:
        path: a path or an open file, in any format that Pillow decodes by itself.
        at_least: pixels. A JPEG may be decoded at a half, a quarter or an eighth, which is faster,
            as long as its shorter side keeps this many; by default at full size.
        name: what an error calls the image; by default its path.

    Returns:
        An RGB image. Grey of 16 bits or floats is scaled to 8 bits, transparency laid on white.

    Raises:
        HLError: where it cannot be read, and for more than MAX_PIXELS pixels, before decoding.
    """
    name = name or str(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on damaged metadata
            with Image.open(path, formats=_formats()) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise HLError(f"{image.width}x{image.height} pixels, more than {MAX_PIXELS}")
                if at_least:
                    factor = at_least / min(image.size)
                    width, height = int(image.width * factor), int(image.height * factor)
                    image.draft(image.mode, (width + 1, height + 1))
                return _to_rgb(ImageOps.exif_transpose(image))
    except HLError as error:
        raise HLError(f"cannot use {name}: {error}: reduce it first") from error
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise HLError(f"cannot read {name}: {error.strerror}") from error
    except Exception as error:  # on hostile bytes Pillow's decoders raise anything
        raise HLError(f"cannot read {name}: {reason(error)}") from error


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


def _to_rgb(image: Image.Image) -> Image.Image:
    """Any mode of Pillow as RGB."""
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image).astype(np.float64)
        levels = np.clip(values * (255 / _white(image.mode, values.max())) + 0.5, 0, 255)
        image = Image.fromarray(levels.astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def _white(mode: str, largest: float) -> int:
    """The number that stands for white in grey of 16 bits, 32 bits or floats: files do not say."""
    if mode == "F" and largest <= 1:
        return 1
    if largest <= 255 and not mode.startswith("I;16"):
        return 255
    return 65535


@lru_cache(maxsize=1)
def _formats() -> tuple[str, ...]:
    """The formats that Pillow decodes without starting another program."""
    Image.init()
    return tuple(name for name in Image.OPEN if name not in RUNS_PROGRAMS)
