"""OpenCV's cascade for upright frontal faces, in one place: for `prepare` and for `face_rate`."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from ..errors import HLError

FILE = "haarcascade_frontalface_alt2.xml"


@lru_cache(maxsize=1)
def load_cascade() -> Any:
    """The cascade `alt2`, whose weights come with OpenCV 4. Source: Viola and Jones (2001).

    Returns:
        A cv2.CascadeClassifier.

    Raises:
        HLError: where OpenCV or its cascades are missing.
    """
    try:
        import cv2.data

        cascade = cv2.CascadeClassifier(f"{cv2.data.haarcascades}{FILE}")
        missing = cascade.empty()
    except (ImportError, AttributeError):
        missing = True
    if missing:
        raise HLError(
            "looking for faces needs OpenCV 4 with its cascades, got none (5.x ships none): pip "
            "install 'hlgan_lib[faces]'"
        )
    return cascade


def grey_of(pixels: np.ndarray, factor: float) -> np.ndarray:
    """RGB, uint8 (H, W, 3), as grey of `factor` times the size: the cascade's window is 20 wide."""
    import cv2

    grey = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)
    how = cv2.INTER_CUBIC if factor > 1 else cv2.INTER_AREA
    return cv2.resize(grey, None, fx=factor, fy=factor, interpolation=how)
