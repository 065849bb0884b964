"""Learn image degradation with a GAN first, then super-resolution.

After Bulat, Yang, Tzimiropoulos, ECCV 2018.
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from . import config
from .config import RunConfig
from .errors import HLError
from .presets import preset

try:
    __version__ = version("hlgan_lib")
except PackageNotFoundError:  # run from a source tree that is not installed
    __version__ = "0+source"

# Loaded at first use, so that `hlgan --help` does not wait seconds for torch.
_MODULES = ("data", "degradations", "losses")
_HOMES = {
    "adapt": "adaptation",
    "degrade": "inference",
    "load_weights": "inference",
    "sample": "inference",
    "shipped_weights": "inference",
    "upscale": "inference",
    "FaceSet": "data",
    "Pairs": "data",
    "load_faces": "data",
    "Camera": "degradations",
    "evaluate": "metrics",
    "Discriminator": "networks",
    "HighToLow": "networks",
    "LowToHigh": "networks",
    "ReleasedLowToHigh": "networks",
    "find_faces": "prepare.photograph",
    "train": "training",
    "Tick": "loop",
    "TrainingDiverged": "loop",
}
__all__ = [
    "Camera",
    "Discriminator",
    "FaceSet",
    "HLError",
    "HighToLow",
    "LowToHigh",
    "Pairs",
    "ReleasedLowToHigh",
    "RunConfig",
    "Tick",
    "TrainingDiverged",
    "adapt",
    "config",
    "data",
    "degradations",
    "degrade",
    "evaluate",
    "find_faces",
    "load_faces",
    "load_weights",
    "losses",
    "preset",
    "sample",
    "shipped_weights",
    "train",
    "upscale",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f".{name}", __name__)
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
