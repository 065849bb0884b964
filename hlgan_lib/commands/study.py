"""Commands that work through a plan of many trainings, and draw what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typing_extensions import Doc

from ..errors import HLError
from ..runtime import Stop, pick_device, stop_signals
from .console import say
from .flags import Device, File, Number, Overwrite, PresetName

if TYPE_CHECKING:
    from ..study.train_all import Outcome


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """What the commands of many trainings share."""

    out: Annotated[
        Path,
        Doc("folder for runs/, logs/ and the scores; a folder that holds some goes on from there"),
    ]
    preset: Annotated[PresetName, Doc("the configuration that every run starts from")] = "study"
    jobs: Annotated[
        Number,
        Doc("trainings side by side, a thread each [processes]; one a core, one alone on CUDA"),
    ] = None
    overwrite: Overwrite = False
    device: Device = None

    def check(self) -> None:
        """Refuse a folder with arrays that belong to no study; a study is read, and added to."""
        from ..files import out_folder
        from .outputs import claim

        out = out_folder(self.out)
        if not (out / "ablation.json").is_file():
            claim("ablate", out, [out / "ablation.npz"], overwrite=self.overwrite)

    def finish(self, outcome: Outcome, stop: Stop) -> int:
        """Say what became of the plan; the exit code."""
        if outcome.failed:
            name, why = next(iter(outcome.failed.items()))
            raise HLError(
                f"{len(outcome.failed)} runs failed, {name} first: {why} "
                f"(see {self.out / 'logs'}); the others are stored"
            )
        if outcome.stopped:
            return stop.exit_code
        print(f"{len(outcome.finished)} runs are finished and scored: {self.out / 'ablation.json'}")
        return 0


@dataclass(frozen=True, kw_only=True)
class Compare(_Plan):
    """Method x test x metric, one table: trains what is missing, writes compare.md and .json."""

    seeds: Annotated[int, Doc("seeds of every method [seeds]")] = 1

    def run(self) -> int:
        from ..files import out_folder
        from ..study.compare import compare
        from .outputs import writing

        self.check()
        out = out_folder(self.out)
        paths = [out / "compare.md", out / "compare.json"]
        writes = writing("compare", paths, folder=out, overwrite=self.overwrite)
        with stop_signals() as stop, writes:
            outcome = compare(
                self.preset,
                self.out,
                seeds=self.seeds,
                jobs=self.jobs,
                device=pick_device(self.device),
                stop=stop,
            )
            code = self.finish(outcome, stop)
        if not code:
            print(paths[0].read_text())
        return code


@dataclass(frozen=True, kw_only=True)
class Ablate(_Plan):
    """The grid of the paper's argument: trains and scores what is missing; stopped, goes on."""

    seeds: Annotated[
        Number, Doc("seeds of every cell [seeds]; by default each cell's own number")
    ] = None
    only: Annotated[
        tuple[str, ...], Doc("names of cells or axes of the grid; without it all of it")
    ] = ()

    def run(self) -> int:
        from ..study.ablation import ablate

        self.check()
        device = pick_device(self.device)
        with stop_signals() as stop:
            outcome = ablate(
                self.preset,
                self.out,
                seeds=self.seeds,
                only=self.only,
                jobs=self.jobs,
                device=device,
                stop=stop,
            )
            return self.finish(outcome, stop)


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Draw every figure and table again, from stored results alone."""

    results: Annotated[
        File,
        Doc(
            "folder that holds ablation.json and ablation.npz; by default results/ here, else that "
            "of the clone that this library runs from"
        ),
    ] = None
    out: Annotated[Path, Doc("folder for the figures, the tables and their manifest.json")]
    overwrite: Overwrite = False

    def run(self) -> int:
        from ..files import out_folder
        from ..study.figures import FILES, draw_all
        from ..study.results import load
        from .outputs import writing

        here, clone = Path("results"), Path(__file__).parents[2] / "results"
        folder = self.results or next((p for p in (here, clone) if p.is_dir()), here)
        stored = load(folder)
        out = out_folder(self.out)
        paths = [out / name for name in FILES]
        with writing("figures", paths, folder=out, sources=[folder], overwrite=self.overwrite):
            for path in draw_all(stored, out):
                say(f"wrote {path}")
        return 0
