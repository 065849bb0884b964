"""Faces: arrays with names (`faces`), where they come from (`loading`), batches on the device (`sampling`)."""

from .faces import FaceSet, Pairs, to_float, to_uint8
from .loading import BUILT_IN, SIZES, fit, load_camera_params, load_faces, read_image
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
]
