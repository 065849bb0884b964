"""Any picture file as RGB: turned upright, converted, cropped, reduced; a huge or broken one is one clear error."""

from __future__ import annotations

import warnings
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

from .errors import HLError

MAX_PIXELS = 64_000_000                    # larger pictures are not decoded: 200 MB as RGB
RUNS_PROGRAMS = {"EPS", "WMF", "MPEG", "PDF"}       # formats that need other programs to be read


def _to_rgb(image: Image.Image) -> Image.Image:
    """Any PIL mode as RGB: 16-bit and float grey scaled to 8 bits, transparency laid on white."""
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image).astype(np.float64)
        if image.mode == "F" and values.max() <= 1:
            top = 1
        else:
            top = 255 if values.max() <= 255 and not image.mode.startswith("I;16") else 65535
        image = Image.fromarray(np.clip(values * (255 / top) + 0.5, 0, 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


@lru_cache(maxsize=1)
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in Image.OPEN if name not in RUNS_PROGRAMS)


def read_image(path: str | Path | BinaryIO, at_least: int | None = None, name: str = "") -> Image.Image:
    """The picture, a path or an open file, as RGB, turned upright by its EXIF mark, the first frame of an animation.

    name: what an error calls it, by default its path. at_least: a JPEG may be decoded at a half, quarter or eighth, its
    shorter side staying at least that many pixels. Raises HLError where it cannot be read or has more than MAX_PIXELS
    pixels (known before decoding).
    """
    name = name or str(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")                # Pillow's remarks on damaged metadata
            with Image.open(path, formats=_formats()) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise HLError(f"{image.width}x{image.height} pixels, more than {MAX_PIXELS}")
                if at_least:
                    factor = at_least / min(image.size)
                    image.draft(image.mode, (int(image.width * factor) + 1, int(image.height * factor) + 1))
                return _to_rgb(ImageOps.exif_transpose(image))
    except HLError as error:
        raise HLError(f"cannot use {name}: {error}: reduce it first") from error
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise HLError(f"cannot read {name}: {error.strerror}") from error
    except Exception as error:                             # on hostile bytes Pillow's decoders raise anything
        raise HLError(f"cannot read {name}: {reason(error)}") from error


def reason(error: Exception) -> str:
    """The first line of an error of Pillow or NumPy, in plain words."""
    if isinstance(error, Image.UnidentifiedImageError):
        return "not a picture that Pillow reads"
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__


def fit(image: Image.Image, size: int) -> Image.Image:
    """Centre-crop to a square and reduce to size with antialiasing (LANCZOS).

    Raises HLError where the picture would have to be enlarged: that invents detail. Source: ours.
    """
    side = min(image.size)
    if side < size:
        raise HLError(f"picture must be at least {size}x{size}, got {image.width}x{image.height}: "
                      "enlarging would invent detail")
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side))
    return square if side == size else square.resize((size, size), Image.Resampling.LANCZOS)
