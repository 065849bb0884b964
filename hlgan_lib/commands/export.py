"""`hlgan export`: a trained network as an ONNX file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typing_extensions import Doc

from .console import table
from .flags import WEIGHTS, Overwrite


@dataclass(frozen=True, kw_only=True)
class Export:
    """Write a network as ONNX, for a browser or a phone; checked against PyTorch at once."""

    weights: Annotated[str, Doc(WEIGHTS)]
    out: Annotated[Path, Doc("the file, .onnx")]
    overwrite: Overwrite = False

    def run(self) -> int:
        from ..export import export
        from .outputs import writing

        with writing("export", [self.out], overwrite=self.overwrite):
            made = export(self.weights, self.out)
        rows: dict[str, dict[str, object]] = {}
        for batch, (torch_ms, onnx_ms) in made.ms.items():
            rows[f"batch {batch}"] = {"PyTorch, ms": torch_ms, "ONNX Runtime, ms": onnx_ms}
        table(rows, f"{self.weights}: images differ by at most {made.apart:.1g} of a range of 2")
        size = made.path.stat().st_size / 1e6
        print(f"wrote {made.path}, {size:.1f} MB, inputs {', '.join(made.inputs)}")
        return 0
