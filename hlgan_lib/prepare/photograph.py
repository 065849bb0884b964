"""A photograph of several people: its faces found, cut out, and shown numbered. For `upscale`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from ..data.faces import FaceSet
from ..data.pictures import MAX_SHRINK, read_image
from ..errors import HLError
from ..files import user_path
from .cropping import cut_square, square_of
from .detector import find_boxes
from .plan import Box

SHOWN = 800  # pixels of the longer side on the sheet
LINE = (240, 228, 66)  # the yellow of Okabe and Ito


@dataclass(frozen=True)
class Found:
    """The faces of a photograph.

    Attributes:
        photo: the photograph, RGB, upright.
        boxes: x, y, width, height of each face's square, pixels, from left to right.
        faces: each face cut out and reduced; NAME-1.png is the first.
        skipped: (place and size, reason) of faces that were found and cannot be cut.
    """

    photo: Image.Image
    boxes: tuple[Box, ...]
    faces: FaceSet
    skipped: tuple[tuple[str, str], ...] = ()

    @property
    def large(self) -> list[str]:
        """Names of faces that were reduced by more than LR images should be."""
        limit = MAX_SHRINK * self.faces.size[0]
        return [
            name
            for name, box in zip(self.faces.names, self.boxes, strict=True)
            if max(box[2:]) > limit
        ]

    def cut(self, size: int) -> FaceSet:
        """The same faces at another size, for looking only: small ones are enlarged."""
        tiles = [self.photo.resize((size, size), box=corners(box)) for box in self.boxes]
        return face_set(tiles, self.faces.names, self.faces.source, size)

    def numbered(self) -> Image.Image:
        """The photograph with a numbered square around each face, as a sheet shows it."""
        factor = min(1.0, SHOWN / max(self.photo.size))
        size = [max(1, round(side * factor)) for side in self.photo.size]
        shown = self.photo.resize((size[0], size[1]), Image.Resampling.LANCZOS)
        draw = ImageDraw.Draw(shown)
        for number, box in enumerate(self.boxes, 1):
            left, top, right, low = (factor * value for value in corners(box))
            draw.rectangle((left, top, right, low), outline=LINE, width=2)
            # The number stands above the face, where there is room.
            y = max(0, top - 14)
            draw.rectangle((left, y, left + 8 + 7 * len(str(number)), y + 14), fill=LINE)
            draw.text((left + 4, y + 1), str(number), fill="black")
        return shown


def find_faces(photo: str | Path | Image.Image, size: int = 16) -> Found:
    """Find the faces of a photograph and cut them out, framed as the shipped faces are.

    Args:
        photo: a path, or an RGB image.
        size: side of the faces, pixels: 16 to restore them (LR), 64 as HR.

    Returns:
        The faces, from left to right; there may be none.

    Raises:
        HLError: where the photograph cannot be read, and without the extra `faces`.

    A photograph in, restored faces out::

        found = hl.find_faces("group.jpg")
        hi = hl.upscale("l2h", found.faces.batch())
    """
    if size < 1:
        raise HLError(f"size must be at least 1 pixel, got {size}")
    image = photo if isinstance(photo, Image.Image) else read_image(user_path(photo))
    image = image.convert("RGB")
    source = "a photograph" if isinstance(photo, Image.Image) else str(user_path(photo))
    stem = "face" if isinstance(photo, Image.Image) else Path(source).stem
    boxes, tiles, skipped = [], [], []
    for box in find_boxes(image):
        try:
            x, y, side = square_of(box, image.size, size)
            tiles.append(cut_square(image, (x, y, side), size))
            boxes.append((x, y, side, side))
        except HLError as error:
            x, y, w, h = box
            skipped.append((f"{w:.0f}x{h:.0f} at {x:.0f}, {y:.0f}", str(error)))
    names = tuple(f"{stem}-{k}.png" for k in range(1, len(tiles) + 1))
    return Found(image, tuple(boxes), face_set(tiles, names, source, size), tuple(skipped))


def face_set(tiles: list[Image.Image], names: tuple[str, ...], source: str, size: int) -> FaceSet:
    """Square RGB images of one size as a FaceSet, which may be empty."""
    images = np.empty((len(tiles), 3, size, size), np.uint8)
    for k, tile in enumerate(tiles):
        images[k] = np.asarray(tile).transpose(2, 0, 1)
    return FaceSet(images, names, source)


def corners(box: Box) -> tuple[float, float, float, float]:
    """Left, top, right and low edge of a box."""
    x, y, w, h = box
    return x, y, x + w, y + h
