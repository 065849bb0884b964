"""What a training of the study is: its configuration, its sources, the key that names its folder.

Nothing is trained twice: a run's folder is named by its stage and a key over all that decides its
weights.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import config
from ..checkpoint import About, RunFolder
from ..config import RunConfig, reads
from ..errors import HLError
from ..files import user_path
from ..presets import differences
from ..schema import read_json
from ..text import as_json

# Of the training code: raised when the same configuration gives other weights, so that keys change.
VERSION = 1
DATA = {"hi": "faces:train-hi", "lo": "faces:train-lo"}


@dataclass(frozen=True)
class Run:
    """One training: its stage, its configuration, and what it starts from."""

    stage: str  # any that `hl.train` knows
    cfg: RunConfig
    degradation: str | Run | None = None  # a name, or the H2L run that has learned it
    h2l: Run | None = None  # the two runs that a joint fine-tune goes on from
    l2h: Run | None = None

    @property
    def key(self) -> str:
        """Ten hex digits over stage, sources and every changed field that the stage reads."""
        sources = {k: v.key if isinstance(v, Run) else v for k, v in self._sources().items()}
        return _digest(self.stage, self.cfg, sources)

    @property
    def name(self) -> str:
        """The run's folder."""
        return f"{self.stage}-{self.key}"

    @property
    def needs(self) -> tuple[Run, ...]:
        """The runs that must be finished first."""
        return tuple(v for v in self._sources().values() if isinstance(v, Run))

    @property
    def n_images(self) -> int:
        """Images that the training sees."""
        return getattr(self.cfg, f"{self.stage}_steps") * self.cfg.batch

    def _sources(self) -> dict[str, str | Run]:
        sources = {"degradation": self.degradation, "h2l": self.h2l, "l2h": self.l2h}
        return {k: v for k, v in sources.items() if v is not None}

    def sources(self) -> dict[str, str]:
        """What `hl.train` takes beside the configuration; paths start at the folder of runs/."""
        path = {
            k: f"runs/{v.name}" if isinstance(v, Run) else v for k, v in self._sources().items()
        }
        if isinstance(self.degradation, Run):
            path["degradation"] = "learned:" + path["degradation"]
        return path


def _digest(stage: str, cfg: RunConfig, sources: dict[str, str]) -> str:
    changed = {}
    for name, (_, own) in differences(cfg, RunConfig()).items():
        if reads(stage, name) and name != "amp":  # amp: rounding, as of another device
            changed[name] = own
    text = as_json([VERSION, stage, sources, changed], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def key_of(config_json: str | Path, came_from: tuple[Path, ...] = ()) -> str:
    """The key of a run from its config.json.

    A run that it started from is looked for beside its folder first.

    Args:
        config_json: the file.
        came_from: the files of the runs that started from this one.

    Raises:
        HLError: where the file, or that of a run that it started from, cannot be read, and for a
            run on other images than the shipped ones.
    """
    path = user_path(config_json)
    if path.resolve() in came_from:
        raise HLError(f"{path} must be of a run that started from another one, got itself")
    about: dict[str, Any] = read_json(path, About, "the config.json of a run", "give its path")
    stage = about["stage"]
    cfg = config.from_dict(about["config"], stage)
    gone = config.gone(about["config"], stage)
    if gone:
        raise HLError(
            f"{path}: the run was trained with {', '.join(gone)}, which this version no longer "
            "has: train it anew"
        )
    for side, usual in DATA.items():
        if about.get(side, usual) != usual:
            raise HLError(
                f"{path}: a key stands for a run on the shipped faces, got {side} {about[side]}: "
                "this run has none"
            )
    sources = {k: about[k] for k in ("degradation", "h2l", "l2h") if about.get(k) is not None}
    for k, source in sources.items():
        if k != "degradation" or source.startswith("learned:"):
            sources[k] = _key_near(source.removeprefix("learned:"), path, came_from)
    return _digest(stage, cfg, sources)


def _key_near(source: str, path: Path, came_from: tuple[Path, ...]) -> str:
    """The key of the run that another started from: its name says it, or its config.json."""
    found = re.fullmatch(r"\w+-([0-9a-f]{10})", Path(source).name)
    if found:
        return found[1]
    for folder in (path.parent.parent / Path(source).name, Path(source)):
        if (folder / "config.json").is_file():
            return key_of(folder / "config.json", (*came_from, path.resolve()))
    raise HLError(
        f"{path} started from {source}, which is not there: "
        f"put that run's folder beside {path.parent}"
    )


def in_order(runs: Iterable[Run]) -> list[Run]:
    """Every run once, each after the runs that it needs."""
    order: dict[str, Run] = {}
    for run in runs:
        for r in (*in_order(run.needs), run):
            order.setdefault(r.name, r)
    return list(order.values())


def folder_of(run: Run, out: str | Path) -> RunFolder:
    """Where a run of a plan lies.

    Args:
        run: of the study.
        out: folder of the study.

    Returns:
        Its run folder.
    """
    return RunFolder(user_path(out) / "runs" / run.name)
