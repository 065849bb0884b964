"""Faces looked for in photographs, where neither boxes nor landmarks are known.

OpenCV's cascade: its weights come with a package that is kept up, and it finds more of the small
and blurred faces than the others of that kind, at the price of some false alarms (docs/data.md).
Its boxes are brought to the framing of the shipped faces. Imports no torch.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from ..data.cascade import grey_of, load_cascade
from .plan import Box

# The shipped frames in sides of the cascade's boxes, the median over training faces: the side, and
# the way from the middle of the one to that of the other (tools/results/detectors.py).
SCALE, RIGHT, DOWN = 1.188, 0.008, 0.002
LARGEST = 2.0  # enlarging beyond this finds nothing more
LONGEST = 1600  # pixels of the longer side that are looked through: time grows with the area
STEP = 1.1  # between two sizes of face that are tried
N_NEAR = 5  # boxes that must agree: with fewer there are more false alarms
NO_FACE = "no face found (faces must be upright, frontal and about 16 pixels or larger)"


def check_detector() -> None:
    """Raise HLError, one line, where the extra `faces` is not installed."""
    load_cascade()


def find_boxes(image: Image.Image) -> list[Box]:
    """The faces of a photograph, framed as the shipped faces are.

    Args:
        image: an upright RGB image.

    Returns:
        Square boxes x, y, width, height, pixels, from left to right; they may leave the image.

    Raises:
        HLError: without the extra `faces`.
    """
    cascade = load_cascade()
    import cv2  # is there now

    factor = min(LARGEST, LONGEST / max(image.size))
    grey = cv2.equalizeHist(grey_of(np.asarray(image), factor))
    boxes = []
    for x, y, w, h in cascade.detectMultiScale(grey, scaleFactor=STEP, minNeighbors=N_NEAR):
        side = float(max(w, h)) / factor
        middle_x = (x + w / 2) / factor + RIGHT * side
        middle_y = (y + h / 2) / factor + DOWN * side
        half = SCALE * side / 2
        boxes.append((middle_x - half, middle_y - half, 2 * half, 2 * half))
    return sorted(boxes)
