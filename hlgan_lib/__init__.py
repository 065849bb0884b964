"""Learn image degradation with a GAN first, then super-resolution (after Bulat, Yang, Tzimiropoulos, ECCV 2018)."""

import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

from . import config
from .config import RunConfig, preset
from .errors import HLError

try:
    __version__ = version("hlgan_lib")
except PackageNotFoundError:  # run from a source tree that is not installed
    __version__ = "0+source"

# Loaded at first use, so that `hlgan --help` does not wait seconds for torch.
_MODULES = {"data": "data", "degradations": "degrade", "losses": "losses"}
_HOMES = {"degrade": "apply", "load_weights": "apply", "shipped_weights": "apply", "upscale": "apply",
          "FaceSet": "data", "Pairs": "data", "load_faces": "data", "Camera": "degrade", "evaluate": "metrics",
          "Discriminator": "networks", "HighToLow": "networks", "LowToHigh": "networks",
          "ReleasedLowToHigh": "released", "train": "stages", "Tick": "training", "TrainingDiverged": "training"}
__all__ = ["Camera", "Discriminator", "FaceSet", "HLError", "HighToLow", "LowToHigh", "Pairs", "ReleasedLowToHigh",
           "RunConfig", "Tick", "TrainingDiverged", "config", "data", "degradations", "degrade", "evaluate",
           "load_faces", "load_weights", "losses", "preset", "shipped_weights", "train", "upscale"]


def __getattr__(name: str):
    if name in _MODULES:
        return import_module(f".{_MODULES[name]}", __name__)
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__


class _Package(ModuleType):
    """Keeps `hl.degrade` the function when the module of that name is imported (the module is `hl.degradations`)."""

    @property
    def degrade(self):
        return __getattr__("degrade")

    @degrade.setter
    def degrade(self, module: ModuleType) -> None:
        """The import system sets each submodule as an attribute of its package; not this one."""


sys.modules[__name__].__class__ = _Package
