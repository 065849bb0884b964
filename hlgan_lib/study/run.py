"""What a training of the study is: its configuration, its sources, and the key that names its folder.

Nothing is trained twice: a run's folder is named by its stage and a key over all that decides its weights.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .. import config
from ..checkpoint import RunFolder
from ..config import RunConfig, differences
from ..errors import HLError

VERSION = 1  # of the training code: raised when the same configuration gives other weights, so that keys change
DATA = {"hi": "faces:train-hi", "lo": "faces:train-lo"}
LOOKS = {"tick_images", "save_images"}  # how often a run is looked at: changes no weight
# Fields that some stages alone read; beside them, the lengths of other stages count for none.
READERS = {
    **dict.fromkeys(
        (
            "h2l_model",
            "h2l_width",
            "z_dim",
            "z_input",
            "w_z",
            "w_coarse",
            "w_stats",
            "d_opponent",
            "down",
            "down_first",
            "jpeg",
        ),
        {"h2l", "joint"},
    ),
    "l2h_width": {"l2h", "joint"},
    "n_lo": {"h2l", "joint", "cyclegan"},
    "lr_d_hi": {"l2h", "joint", "srgan", "cyclegan"},
    **dict.fromkeys(("srgan_width", "w_perceptual", "perceptual", "w_gan_srgan"), {"srgan"}),
    **dict.fromkeys(("cyclegan_width", "w_cycle", "w_identity"), {"cyclegan"}),
}
KNOWN = set().union(*READERS.values())


@dataclass(frozen=True)
class Run:
    """One training: a stage (any that `hl.train` knows), its configuration, and the runs that it starts from.

    degradation: a name, or the H2L run that is to be learned from. h2l, l2h: the two runs of a joint fine-tune.
    """

    stage: str
    cfg: RunConfig
    degradation: str | Run | None = None
    h2l: Run | None = None
    l2h: Run | None = None

    @property
    def key(self) -> str:
        """Ten hex digits over stage, sources and every field that differs from the defaults and is read."""
        return _digest(
            self.stage,
            self.cfg,
            {k: v.key if isinstance(v, Run) else v for k, v in self._sources()},
        )

    @property
    def name(self) -> str:
        """The run's folder."""
        return f"{self.stage}-{self.key}"

    @property
    def needs(self) -> tuple[Run, ...]:
        """The runs that must be finished first."""
        return tuple(v for _, v in self._sources() if isinstance(v, Run))

    @property
    def n_images(self) -> int:
        return getattr(self.cfg, f"{self.stage}_steps") * self.cfg.batch

    def _sources(self) -> list[tuple[str, str | Run]]:
        return [
            (k, v) for k in ("degradation", "h2l", "l2h") if (v := getattr(self, k)) is not None
        ]

    def sources(self) -> dict[str, str]:
        """What `hl.train` takes beside the configuration, with paths as seen from the folder that holds runs/."""
        path = {k: f"runs/{v.name}" if isinstance(v, Run) else v for k, v in self._sources()}
        if isinstance(self.degradation, Run):
            path["degradation"] = "learned:" + path["degradation"]
        return path


def _digest(stage: str, cfg: RunConfig, sources: dict[str, str]) -> str:
    changed = {
        k: own for k, (_, own) in differences(cfg, RunConfig()).items() if k not in _unread(stage)
    }
    text = json.dumps([VERSION, stage, sources, changed], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _unread(stage: str) -> set[str]:
    lengths = {k for k in RunConfig.__dataclass_fields__ if k.endswith("_steps")} - {
        "d_steps",
        f"{stage}_steps",
    }
    return LOOKS | lengths | {k for k, readers in READERS.items() if stage in KNOWN - readers}


def key_of(config_json: str | Path) -> str:
    """The key of a run from its config.json; a run that it started from is looked for beside its folder first.

    Raises HLError where the file, or that run, cannot be read, and for a run on other pictures than the shipped ones.
    """
    path = Path(config_json)
    try:
        about = json.loads(path.read_text())
        stage, cfg = about["stage"], config.from_dict(about["config"])
    except (OSError, ValueError, KeyError) as error:
        raise HLError(
            f"{path} must be the config.json of a run, got {type(error).__name__}: give its path"
        ) from error
    if other := [k for k, usual in DATA.items() if about.get(k, usual) != usual]:
        raise HLError(
            f"{path}: a key stands for a run on the shipped faces, got {other[0]} {about[other[0]]}: "
            "this run has none"
        )
    sources = {k: about[k] for k in ("degradation", "h2l", "l2h") if about.get(k) is not None}
    for k, source in sources.items():
        if k != "degradation" or source.startswith("learned:"):
            sources[k] = _key_near(source.removeprefix("learned:"), path)
    return _digest(stage, cfg, sources)


def _key_near(source: str, path: Path) -> str:
    if found := re.fullmatch(r"\w+-([0-9a-f]{10})", Path(source).name):
        return found[1]
    for folder in (path.parent.parent / Path(source).name, Path(source)):
        if (folder / "config.json").is_file():
            return key_of(folder / "config.json")
    raise HLError(
        f"{path} started from {source}, which is not there: put that run's folder beside {path.parent}"
    )


def in_order(runs: Iterable[Run]) -> list[Run]:
    """Every run once, each after the runs that it needs."""
    order: dict[str, Run] = {}
    for run in runs:
        for r in (*in_order(run.needs), run):
            order.setdefault(r.name, r)
    return list(order.values())


def folder_of(run: Run, out: str | Path) -> RunFolder:
    return RunFolder(Path(out) / "runs" / run.name)
