"""`hlgan bench`: how fast a training is on this machine, and how long one will take."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro
from typing_extensions import Doc

from ..errors import HLError
from ..presets import preset
from .console import table
from .flags import Device, Overwrite, PresetName

if TYPE_CHECKING:
    from ..bench.estimate import Estimate
    from ..config import RunConfig

Stage = Annotated[
    Literal["h2l", "l2h"] | None, tyro.conf.arg(metavar="{h2l,l2h}"), Doc("only this stage")
]


@dataclass(frozen=True, kw_only=True)
class Bench:
    """How fast this machine trains, beside a plain training loop: a table and bench.json.

    With --estimate how long the trainings of a preset take here; nothing is trained to its end.
    """

    preset: Annotated[PresetName, Doc("what to train")] = "study"
    stage: Stage = None
    batch: Annotated[
        int | None,
        tyro.conf.arg(metavar="N"),
        Doc("images a batch, where the preset's own would take too long or too much memory"),
    ] = None
    out: Annotated[Path, Doc("folder for bench.json")] = Path("bench")
    seconds: Annotated[float, Doc("to measure for, in all [s]")] = 60.0
    estimate: Annotated[
        PresetName | None,
        tyro.conf.arg(metavar="PRESET"),
        Doc("how long its trainings take here, from half a minute each of measuring; no bench"),
    ] = None
    overwrite: Overwrite = False
    device: Device = None

    def run(self) -> int:
        if not self.seconds > 0:
            raise HLError(f"--seconds must be more than 0, got {self.seconds}: try 60")
        stages = (self.stage,) if self.stage else ("h2l", "l2h")
        return self._estimate(stages) if self.estimate else self._bench(stages)

    def _config(self, name: str) -> RunConfig:
        """The preset, with the batch that is asked for."""
        cfg = preset(name)
        return cfg if self.batch is None else cfg.replace(batch=self.batch)

    def _bench(self, stages: tuple[str, ...]) -> int:
        from ..bench.speed import bench
        from ..files import out_folder, save_json
        from .outputs import writing

        path = out_folder(self.out) / "bench.json"
        cfg = self._config(self.preset)
        with writing("bench", [path], folder=self.out, overwrite=self.overwrite):
            result = bench(cfg, stages, device=self.device, seconds=self.seconds, say=print)
            save_json(path, {"preset": self.preset} | result)
        head = f"{self.preset}, batch {result['batch']}, {result['hardware']}"
        table(rows_of(result), f"{head}, {result['threads']} threads; plain / ours is a ratio")
        for stage, speed in result["stages"].items():
            shares = [f"{name} {share:.0%}" for name, share in speed["time"].items()]
            print(f"time of an update, {stage}: {', '.join(shares)}")
        print(f"wrote {path}")
        return 0

    def _estimate(self, stages: tuple[str, ...]) -> int:
        from ..bench.estimate import estimate

        assert self.estimate is not None
        cfg = self._config(self.estimate)
        seconds = min(self.seconds, 60.0) / 2
        rows = {}
        for stage in stages:
            found = estimate(cfg, stage, device=self.device, seconds=seconds)
            rows[stage] = parts_of(found)
        table(rows, f"{self.estimate}, to the end of a training on this machine as busy as it is")
        return 0


def rows_of(result: dict[str, Any]) -> dict[str, dict[str, object]]:
    """A row a stage of what `bench` measured."""
    rows: dict[str, dict[str, object]] = {}
    for stage, speed in result["stages"].items():
        rows[stage] = {
            "step, plain / ours": speed["step_ratio"],
            "loop, plain / ours": speed["loop_ratio"],
            "images/s": speed["images_per_s"],
            "share of ceiling": f"{speed['share_of_ceiling']:.0%}",
            "precision": speed["amp"],
            "GFLOP an update": speed["gflop"],
            "peak MiB": speed["peak_mib"],
        }
    return rows


def parts_of(found: Estimate) -> dict[str, object]:
    """A row of what an estimate is made of."""
    return {
        "in all": spoken(found.seconds),
        "start": spoken(found.start_s),
        "update": spoken(found.update_s),
        "tick": spoken(found.tick_s),
        "validation": spoken(found.look_s),
        "batch norm": spoken(found.norm_s),
    }


def spoken(seconds: float) -> str:
    """A duration in the unit that fits it."""
    units = [(1, 1000, "ms"), (120, 1, "s"), (7200, 1 / 60, "min"), (172_800, 1 / 3600, "h")]
    for limit, scale, unit in units:
        if seconds < limit:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds / 86_400:.3g} days"
