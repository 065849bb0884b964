"""Faces: from files to batches on the device.

- `faces`: arrays with names (`FaceSet`, `Pairs`) and their ranges of numbers.
- `domains`: several LR domains in one set, a folder each.
- `loading`: `load_faces`, the door; behind it `builtin`, `pictures` and `npz`.
- `storage`: writing a FaceSet file as it grows, with hashes.
- `sampling`: batches (`Sampler`) and augmentation.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .builtin import BUILT_IN, SIZES, load_camera_params
    from .domains import by_domain, mixed
    from .faces import FaceSet, Pairs, to_float, to_uint8, unit_range
    from .loading import load_faces
    from .pictures import fit, read_image
    from .sampling import Sampler, augment

# Loaded at first use: the processes that prepare a dataset read images and need no torch.
_HOMES = {
    "BUILT_IN": "builtin",
    "SIZES": "builtin",
    "load_camera_params": "builtin",
    "by_domain": "domains",
    "mixed": "domains",
    "FaceSet": "faces",
    "Pairs": "faces",
    "to_float": "faces",
    "to_uint8": "faces",
    "unit_range": "faces",
    "load_faces": "loading",
    "fit": "pictures",
    "read_image": "pictures",
    "Sampler": "sampling",
    "augment": "sampling",
}
__all__ = [
    "BUILT_IN",
    "SIZES",
    "FaceSet",
    "Pairs",
    "Sampler",
    "augment",
    "by_domain",
    "fit",
    "load_camera_params",
    "load_faces",
    "mixed",
    "read_image",
    "to_float",
    "to_uint8",
    "unit_range",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
