"""A dataset of the Hugging Face hub, by its name: an optional extra that downloads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import HLError
from ..plan import Card, Face, Job, Kind, Options, Plan
from ..trees import Tree

CARD = Card(
    title="a dataset of the Hugging Face hub, by name",
    origin="whoever uploaded it; often a copy of another's set.",
    licence="As the dataset's own page says. A copy has the terms of its original, whatever its "
    "page says.",
    sharing="As its licence says.",
    getting="`pip install 'hlgan_lib[hub]'`, then `hlgan prepare hub OWNER/NAME --out FILE`: this "
    "is the one kind that downloads, as its name asks for it.",
    layout="SRC is the name, or a local folder of parquet files. `--split` is train, validation or "
    "test; the first column of images is read.",
    pitfalls="Parquet only: since version 4 `datasets` runs no scripts of strangers. The cache "
    "holds a second copy of everything (`HF_HOME`).",
)


class HubTree(Tree):
    """The images of a dataset, by their number."""

    def __init__(self, name: str, split: str) -> None:
        super().__init__(Path(name))
        try:
            import datasets
        except ImportError as error:
            raise HLError("the kind hub needs an extra: pip install 'hlgan_lib[hub]'") from error
        try:
            held = datasets.load_dataset(name, split=split)
        except Exception as error:  # network, names, splits, formats: the library raises anything
            said = (str(error).splitlines() or [type(error).__name__])[0]
            raise HLError(f"{name} cannot be loaded, split {split}: {said}") from error
        columns = [key for key, form in held.features.items() if isinstance(form, datasets.Image)]
        if not columns:
            raise HLError(f"{name} must have a column of images, got {', '.join(held.features)}")
        self._column = columns[0]
        self._held: Any = held.cast_column(self._column, datasets.Image(decode=False))
        width = len(str(max(len(held) - 1, 0)))
        self.files = [f"{i:0{width}d}.png" for i in range(len(held))]

    def read(self, name: str) -> bytes:
        """The image's file, as it was uploaded."""
        value = self._held[int(name.removesuffix(".png"))][self._column]
        if value and value.get("bytes"):
            return value["bytes"]
        if value and value.get("path"):
            return Path(value["path"]).read_bytes()
        raise HLError(f"{name} is empty")


def open_hub(src: str | Path, options: Options) -> Tree:
    """The dataset of that name."""
    return HubTree(str(src), options.split or "train")


def plan(tree: Tree, options: Options) -> Plan:
    """Every image."""
    return Plan([Job(file, (Face(file),)) for file in tree.files])


HUB = Kind(
    CARD,
    plan,
    splits=("train", "validation", "test"),
    reads=("faces",),
    open=open_hub,
)
