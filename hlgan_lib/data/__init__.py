"""Faces: from files to batches on the device.

- `faces`: arrays with names (`FaceSet`, `Pairs`) and their ranges of numbers.
- `loading`: `load_faces`, the door; behind it `builtin`, `pictures` and `npz`.
- `sampling`: batches (`Sampler`) and augmentation.
"""

from .builtin import BUILT_IN, SIZES, load_camera_params
from .faces import FaceSet, Pairs, to_float, to_uint8, unit_range
from .loading import load_faces
from .pictures import fit, read_image
from .sampling import Sampler, augment

__all__ = [
    "BUILT_IN",
    "SIZES",
    "FaceSet",
    "Pairs",
    "Sampler",
    "augment",
    "fit",
    "load_camera_params",
    "load_faces",
    "read_image",
    "to_float",
    "to_uint8",
    "unit_range",
]
