"""Made pictures and folders for tests of prepare: colours and noise, no people."""

import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image


def picture(width: int, height: int, level: int = 0) -> Image.Image:
    """Noise around a level, so that each picture is known again."""
    rng = np.random.default_rng(level)
    pixels = np.clip(level + rng.integers(-8, 8, (height, width, 3)), 0, 255)
    return Image.fromarray(pixels.astype(np.uint8))


def save(path: Path, image: Image.Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def coloured(width: int, height: int, squares: dict) -> Image.Image:
    """Black, with squares (x, y, side) -> level."""
    pixels = np.zeros((height, width, 3), np.uint8)
    for (x, y, side), level in squares.items():
        pixels[y : y + side, x : x + side] = level
    return Image.fromarray(pixels)


def zipped(folder: Path, to: Path) -> Path:
    """The folder as a zip."""
    with zipfile.ZipFile(to, "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder).as_posix())
    return to


def png_bytes(image: Image.Image) -> bytes:
    held = io.BytesIO()
    image.save(held, "png")
    return held.getvalue()
