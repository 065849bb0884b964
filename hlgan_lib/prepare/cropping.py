"""From a file to its faces: read once, each face cut out as a square and reduced, never enlarged.

This is what runs in the processes of the pool, so it imports no torch.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from ..data.pictures import fit, read_image, to_array
from ..errors import HLError
from .detector import NO_FACE, find_boxes
from .plan import Box, Face, Job, face_name

MIN_INSIDE = 0.7  # share of a box's area that must lie in the picture
EYES_TO_MOUTH = 2.6  # of a tight box's side there are so many distances from the eyes to the mouth
BROW_TO_CHIN = 1.25  # the side of a tight box, in longer sides of the 68 points' own


@dataclass
class Cut:
    """What became of some jobs.

    Attributes:
        images: uint8 (3, size, size), one a face.
        faces: their names and columns.
        skipped: (name, reason) of the others.
        n_shrunk: faces that were reduced by more than the LR limit.
    """

    images: list[np.ndarray] = field(default_factory=list)
    faces: list[Face] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    n_shrunk: int = 0


def cut_job(job: Job, content: Path | bytes | str, size: int, limit: float, cut: Cut) -> None:
    """Read a file and add its faces to `cut`.

    Args:
        job: the file and its faces.
        content: the file's path; or its bytes; or, as str, why these could not be had.
        size: side of the faces, pixels.
        limit: a reduction beyond this factor is counted.
        cut: gets the faces.
    """
    try:
        if isinstance(content, str):
            raise HLError(content)
        file = io.BytesIO(content) if isinstance(content, bytes) else content
        whole = all(face.box is None for face in job.faces) and not job.search
        image = read_image(file, 4 * size if whole else None, job.file)
        faces = searched(job, image) if job.search else job.faces
    except HLError as error:
        cut.skipped += [(face.name, str(error)) for face in job.faces]
        return
    for face in faces:
        try:
            if face.box is None:
                side = float(min(image.size))
                square = fit(image, size)
            else:
                x, y, side = square_of(face.box, image.size, size)
                square = cut_square(image, (x, y, side), size)
        except HLError as error:
            cut.skipped.append((face.name, str(error)))
            continue
        cut.images.append(to_array(square))
        cut.faces.append(face)
        cut.n_shrunk += side > limit * size


def searched(job: Job, image: Image.Image) -> tuple[Face, ...]:
    """The faces that a detector finds in a photograph, each with the columns of the file.

    Raises:
        HLError: where it finds none.
    """
    boxes = find_boxes(image)
    if not boxes:
        raise HLError(NO_FACE)
    columns = job.faces[0].columns
    names = [face_name(job.faces[0].name, k, len(boxes)) for k in range(len(boxes))]
    return tuple(Face(name, box, columns) for name, box in zip(names, boxes, strict=True))


def cut_square(image: Image.Image, square: tuple[float, float, float], size: int) -> Image.Image:
    """The square (x, y, side) of an RGB image, which it lies in, reduced to size x size."""
    x, y, side = square
    inner = (x, y, x + side, y + side)
    return image.resize((size, size), Image.Resampling.LANCZOS, inner)


def square_of(box: Box, picture: tuple[int, int], size: int) -> tuple[float, float, float]:
    """The square to cut for a box: as wide as its longer side, moved into the picture.

    Args:
        box: x, y, width, height, pixels.
        picture: width and height, pixels.
        size: the side that the face will have, pixels.

    Returns:
        x, y and side of the square, which lies in the picture.

    Raises:
        HLError: for a box of no area, mostly outside, or smaller than the size.
    """
    x, y, w, h = box
    if not (w > 0 and h > 0) or not np.isfinite(box).all():
        raise HLError(f"box must have a width and a height above 0, got {w:g}x{h:g}")
    wide, high = picture
    seen_w = min(x + w, wide) - max(x, 0)
    seen_h = min(y + h, high) - max(y, 0)
    if seen_w <= 0 or seen_h <= 0 or seen_w * seen_h < MIN_INSIDE * w * h:
        raise HLError(
            f"box must lie in the picture of {wide}x{high}, got {w:g}x{h:g} at {x:g}, {y:g}"
        )
    side = min(max(w, h), wide, high)
    if side < size:
        raise HLError(f"box must be at least {size} pixels, got {side:g}: nothing is enlarged")
    left = min(max(x + w / 2 - side / 2, 0), wide - side)
    top = min(max(y + h / 2 - side / 2, 0), high - side)
    return left, top, side


def box_of_points(points: np.ndarray) -> Box:
    """A tight box, brow to chin, of landmarks.

    Args:
        points: (5, 2), both eyes, nose, both corners of the mouth; or (68, 2), the usual 68.

    Returns:
        x, y, width, height.

    Raises:
        HLError: for other shapes.

    Source: ours; the factors put the five points of an upright face where a tight box has them.
    """
    if points.shape == (5, 2):
        eyes, mouth = points[:2].mean(0), points[3:].mean(0)
        apart = np.linalg.norm(points[1] - points[0])
        side = EYES_TO_MOUTH * max(apart, np.linalg.norm(mouth - eyes))
        middle = eyes + 0.45 * (mouth - eyes)
    elif points.shape == (68, 2):
        low, high = points.min(0), points.max(0)
        side = BROW_TO_CHIN * (high - low).max()
        # The points end at the brow: most of what is added is forehead.
        middle = (low + high) / 2 - np.array([0, 0.08 * side])
    else:
        raise HLError(f"landmarks must be (5, 2) or (68, 2), got {points.shape}")
    left, top = middle - side / 2
    return float(left), float(top), float(side), float(side)
