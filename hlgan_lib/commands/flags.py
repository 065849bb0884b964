"""The kinds of flags that the commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro
from typing_extensions import Doc
from tyro.conf import FlagCreatePairsOff

from ..presets import PRESETS

Switch = FlagCreatePairsOff[bool]
if TYPE_CHECKING:
    PresetName = str
else:
    PresetName = Literal[tuple(PRESETS)]
DEFAULT_PRESET = "quick"
FACES = (
    "a folder of pictures, an .npz file, or faces:train-hi, faces:train-lo, faces:val, "
    "faces:test (of the last two :hi or :lo picks a side)"
)
WEIGHTS = (
    "a run folder, a .safetensors file, a shipped name (hlgan info), or the authors' model.pkl"
)
Device = Annotated[
    str | None, tyro.conf.arg(metavar="STR"), Doc("cpu, cuda or cuda:N; CUDA where there is one")
]
Name = Annotated[str | None, tyro.conf.arg(metavar="STR")]
Names = Annotated[str | None, tyro.conf.arg(metavar="NAMES")]
Number = Annotated[int | None, tyro.conf.arg(metavar="INT")]
File = Annotated[Path | None, tyro.conf.arg(metavar="PATH")]
Overwrite = Annotated[
    Switch, Doc("also write over files that this command did not write; inputs stay in any case")
]
Source = Annotated[str | None, tyro.conf.arg(metavar="PATH")]
