"""`hlgan train ...`: a command a stage and a baseline; all fields of RunConfig are its flags."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from typing_extensions import Doc
from tyro.conf import OmitArgPrefixes

from ..config import RunConfig
from ..errors import HLError
from ..runtime import pick_device, speech_may_fail, stop_signals
from .console import follow
from .flags import DEFAULT_PRESET, FACES, WEIGHTS, Device, Number, PresetName, Switch

if TYPE_CHECKING:
    from ..loop import Tick


PairMaker = Annotated[
    str,
    Doc(
        "learned:W, bilinear, bicubic, blur, handmade, camera, or another one, camera:night "
        f"(docs/domains.md); W: {WEIGHTS}"
    ),
]


@dataclass(frozen=True, kw_only=True)
class Train:
    """What the trainings share."""

    out: Annotated[Path, Doc("the run folder")]
    hi: Annotated[str, Doc(f"HR images: {FACES}")] = "faces:train-hi"
    preset: Annotated[PresetName, Doc("where the defaults below come from")] = DEFAULT_PRESET
    resume: Annotated[Switch, Doc("go on from the last checkpoint in --out")] = False
    tensorboard: Annotated[
        Switch, Doc("also write curves and samples for TensorBoard into OUT/tensorboard")
    ] = False
    device: Device = None
    cfg: Annotated[
        OmitArgPrefixes[RunConfig],
        Doc("The configuration: meaning [unit; source] (preset's value)"),
    ] = RunConfig()

    stage: ClassVar[str]

    def config(self) -> RunConfig:
        """The configuration, with what the short flags set."""
        changed = {}
        for name in ("steps", "width"):
            value = getattr(self, name, None)
            if value is not None:
                changed[f"{self.stage}_{name}"] = value
        return self.cfg.replace(**changed)

    def sources(self) -> dict[str, str]:
        """What the stage takes beside hi."""
        return {}

    def logged(self, ticks: Generator[Tick, None, None]) -> Generator[Tick, None, None]:
        """The ticks, for TensorBoard too where that is asked for."""
        if not self.tensorboard:
            return ticks
        from ..viz.tensorboard import logged

        return logged(ticks, self.out)

    def run(self) -> int:
        from ..data.folder import check_apart
        from ..parallel import rank, together
        from ..training import train

        with (
            stop_signals() as stop,
            speech_may_fail(),
            together(pick_device(self.device)) as device,
        ):
            check_apart(self.out, self.hi, self.sources().get("lo"))
            cfg = self.config()
            start = partial(
                train,
                cfg,
                self.stage,
                hi=self.hi,
                out=self.out,
                resume=self.resume,
                device=device,
                stop=stop,
                **self.sources(),
            )
            if rank():  # the first process speaks for all
                for _ in start():
                    pass
                return 0
            n_images = getattr(cfg, f"{self.stage}_steps") * cfg.batch
            return follow(lambda: self.logged(start()), self.out, self.resume, stop, n_images)


@dataclass(frozen=True, kw_only=True)
class TrainH2L(Train):
    """Stage one: learn from unpaired HR and LR images how the world degrades."""

    stage: ClassVar[str] = "h2l"
    lo: Annotated[str, Doc(f"LR images: {FACES}")] = "faces:train-lo"
    steps: Annotated[Number, Doc("short for --h2l-steps [generator updates]")] = None
    width: Annotated[Number, Doc("short for --h2l-width [channels]")] = None

    def sources(self) -> dict[str, str]:
        return {"lo": self.lo}


@dataclass(frozen=True, kw_only=True)
class TrainL2H(Train):
    """Stage two: learn to restore from pairs made on the fly by a degradation."""

    stage: ClassVar[str] = "l2h"
    degradation: PairMaker
    lo: Annotated[str, Doc("real LR images, with --n-near above 1 (default: faces:train-lo)")] = ""
    steps: Annotated[Number, Doc("short for --l2h-steps [generator updates]")] = None
    width: Annotated[Number, Doc("short for --l2h-width [channels]")] = None

    def sources(self) -> dict[str, str]:
        if self.lo and self.cfg.n_near == 1:
            raise HLError(
                f"--lo is looked at with --n-near above 1 only, got {self.lo}: add --n-near 4, or "
                f"leave --lo out (train {self.stage} learns of --hi and --degradation)"
            )
        return {"degradation": self.degradation, "lo": self.lo or "faces:train-lo"}


@dataclass(frozen=True, kw_only=True)
class TrainJoint(Train):
    """The fine-tune at the end: both stages at once, started from two finished runs."""

    stage: ClassVar[str] = "joint"
    h2l: Annotated[str, Doc("folder of a finished h2l run")]
    l2h: Annotated[str, Doc("folder of a finished l2h run")]
    lo: Annotated[str, Doc(f"LR images: {FACES}")] = "faces:train-lo"
    steps: Annotated[Number, Doc("short for --joint-steps [generator updates]")] = None

    def sources(self) -> dict[str, str]:
        return {"lo": self.lo, "h2l": self.h2l, "l2h": self.l2h}


@dataclass(frozen=True, kw_only=True)
class TrainSRGAN(TrainL2H):
    """A baseline: SRResNet with a perceptual and a small GAN loss, on pairs of a degradation."""

    stage: ClassVar[str] = "srgan"
    degradation: Annotated[
        str, Doc(f"bilinear, bicubic, handmade, camera or learned:W; W: {WEIGHTS}")
    ] = "bilinear"
    steps: Annotated[Number, Doc("short for --srgan-steps [generator updates]")] = None
    width: Annotated[Number, Doc("short for --srgan-width [channels]")] = None


@dataclass(frozen=True, kw_only=True)
class TrainCycleGAN(TrainH2L):
    """A baseline: both directions between HR and LR faces at once, held by a cycle, unpaired."""

    stage: ClassVar[str] = "cyclegan"
    steps: Annotated[Number, Doc("short for --cyclegan-steps [generator updates]")] = None
    width: Annotated[Number, Doc("short for --cyclegan-width [channels]")] = None


@dataclass(frozen=True, kw_only=True)
class TrainFlow(TrainL2H):
    """A successor: a conditional flow, which draws several faces around that of a restorer."""

    stage: ClassVar[str] = "flow"
    l2h: Annotated[str, Doc(f"the restorer, an L2H, best of --w-gan 0: {WEIGHTS}")]
    steps: Annotated[Number, Doc("short for --flow-steps [generator updates]")] = None
    width: Annotated[Number, Doc("short for --flow-width [channels]")] = None

    def sources(self) -> dict[str, str]:
        return {**super().sources(), "l2h": self.l2h}


@dataclass(frozen=True, kw_only=True)
class TrainSemiCycle(Train):
    """A successor: L2H on pairs, and on real LR images that must lead back to themselves."""

    stage: ClassVar[str] = "semicycle"
    degradation: PairMaker
    lo: Annotated[str, Doc(f"real LR images: {FACES}")] = "faces:train-lo"
    steps: Annotated[Number, Doc("short for --semicycle-steps [generator updates]")] = None

    def sources(self) -> dict[str, str]:
        return {"degradation": self.degradation, "lo": self.lo}


@dataclass(frozen=True, kw_only=True)
class TrainPseudo(TrainSemiCycle):
    """A successor: L2H behind a network that corrects real LR images, by pseudo-supervision."""

    stage: ClassVar[str] = "pseudo"
    steps: Annotated[Number, Doc("short for --pseudo-steps [generator updates]")] = None


TRAIN = {
    "h2l": TrainH2L,
    "l2h": TrainL2H,
    "joint": TrainJoint,
    "srgan": TrainSRGAN,
    "cyclegan": TrainCycleGAN,
    "flow": TrainFlow,
    "semicycle": TrainSemiCycle,
    "pseudo": TrainPseudo,
}
