"""The grid: which questions, which variants answer them, and the trainings behind each variant.

A cell is one variant of the two-stage method; an axis is a question and the cells that answer it.
Every cell differs in one thing from `learned-gan`, the paper's method at the preset's size. The
fields hold for any preset.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..config import RunConfig, preset
from ..errors import HLError
from .run import Run

BASE = "learned-gan"
DEGRADATIONS = {
    "bilinear": "bilinear",
    "blur": "blur + bilinear",
    "handmade": "hand-made, second order",
    "learned": "learned (H2L)",
    "coded": "learned, JPEG measured",
    "camera": "camera (oracle)",
}
# Of these, those that an H2L makes, and what its configuration changes.
LEARNED = {"learned": {}, "coded": {"jpeg": "measured"}}
# The weight of the GAN loss in stage two; stage one is GAN-led always. 0.05 is the paper's beta.
LOSSES = {"pixel": ("pixel only", 0.0), "led": ("pixel-led", 0.005), "gan": ("GAN-led", 0.05)}
TESTS = {"camera": "camera shots", "clean": "bilinear", "wild": "shots, no truth"}
METRICS = {
    "psnr": "PSNR (dB)",
    "ssim": "SSIM",
    "frechet_lite0": "Frechet (Lite0)",
    "kernel_lite0": "kernel (Lite0)",
    "consistency": "consistency (dB)",
}
N_SHOWN = 8


@dataclass(frozen=True, eq=False)
class Cell:
    """One variant: what it changes in the configuration, and how many seeds it gets."""

    id: str
    label: str
    degradation: str = "learned"
    both: dict = field(default_factory=dict)  # changed fields of both stages
    h2l: dict = field(default_factory=dict)  # of stage one alone
    l2h: dict = field(default_factory=dict)  # of stage two alone
    joint: bool = False  # with the fine-tune at the end
    stage: str = "l2h"  # another for a baseline, which is trained in one go
    seeds: int = 1  # of a full grid
    cpu_seeds: int = 0  # of the part that a CPU trains; 0: it trains none

    def run(self, cfg: RunConfig) -> Run:
        """The training that gives this cell's restorer, with the trainings that it needs."""
        own = cfg.replace(**self.both)
        if self.stage != "l2h":
            return Run(self.stage, own, self.degradation or None)
        h2l = Run("h2l", own.replace(**self.h2l))
        degradation = h2l if self.degradation == "learned" else self.degradation
        restorer = Run("l2h", own.replace(**self.l2h), degradation)
        return Run("joint", own, h2l=h2l, l2h=restorer) if self.joint else restorer


@dataclass(frozen=True)
class Axis:
    """A question, and the cells that answer it."""

    name: str
    question: str
    cells: tuple[str, ...]
    xlabel: str = ""
    x: tuple[float, ...] = ()  # of each cell, where they lie on a scale of numbers


def _matrix() -> list[Cell]:
    """Degradation x loss.

    A CPU trains the corners of the argument with three seeds, and with one what the beta sweep
    needs beside them.
    """
    cells = []
    for loss, (words, beta) in LOSSES.items():
        for d, degradation in DEGRADATIONS.items():
            cpu_seeds = 3 if d != "blur" and loss != "led" else 0
            if (d, loss) == ("learned", "led"):
                cpu_seeds = 1
            cell = Cell(
                f"{d}-{loss}",
                f"{degradation}, {words}",
                "learned" if d in LEARNED else d,
                both=LEARNED.get(d, {}),
                l2h={"w_gan": beta},
                seeds=3,
                cpu_seeds=cpu_seeds,
            )
            cells.append(cell)
    return cells


MATRIX = _matrix()
BETAS = (0.015, 0.15, 0.5)  # beside the three of LOSSES
N_LO, N_HI = (100, 300, 1000, 3000), (100, 300, 1000)  # of the 4,800 and 3,000 shipped ones
BASELINES = (  # trained in one go
    Cell("srgan", "SRGAN, bilinear pairs", "bilinear", stage="srgan"),
    Cell("cyclegan", "CycleGAN, no pairs", "", stage="cyclegan"),
)
CHANGES = (
    Cell("z-none", "H2L without z", both={"z_input": "none", "w_z": 0.0}),
    Cell("z-concat", "z as a fourth channel", both={"z_input": "concat"}),
    Cell("z-inject", "noise with a learned weight", both={"z_input": "inject"}),
    Cell("z-film", "z in every layer too (film)", both={"z_input": "grain+shot+film"}),
    Cell("updates-5to1", "5 D updates, one rate", both={"d_steps": 5, "lr_d": 0.0, "lr_d_hi": 0.0}),
    Cell("no-ema", "without EMA", both={"ema": 0.0}),
    Cell("no-flip", "without mirroring", both={"flip": False}),
    Cell(
        "augment",
        "scale, rotation, colour too",
        both={"scale": 0.1, "rotate_deg": 10.0, "colour": 0.1},
    ),
    Cell("no-spectral", "D without spectral norm", both={"d_norm": "none"}),
    Cell("joint", "joint fine-tune at the end", joint=True),
    Cell("d-aug", "DiffAugment", both={"d_aug": True}),
    Cell("r1", "R1 penalty", both={"w_r1": 1.0}),
    Cell("no-seek", "without mode seeking", both={"w_z": 0.0}),
    Cell("no-skip", "without shortcuts", both={"skip": False, "z_input": "grain"}),
    Cell("no-coarse", "without the coarse D", both={"w_coarse": 0.0}),
    Cell("no-opponent", "D_low sees RGB", both={"d_opponent": False}),
    Cell("constant-rate", "constant learning rate", both={"lr_schedule": "constant"}),
    Cell("batch-norm", "batch norm in the generators", both={"norm": "batch"}),
)


def _by_id() -> dict[str, Cell]:
    """Every cell, in the order in which they are trained within a seed."""
    cells = list(MATRIX)
    cells += [Cell(f"beta-{b:g}", f"beta {b:g}", l2h={"w_gan": b}, cpu_seeds=1) for b in BETAS]
    cells += [*CHANGES, *BASELINES]
    cells += [Cell(f"lo-{n}", f"{n} poor photographs", both={"n_lo": n}) for n in N_LO]
    cells += [Cell(f"hi-{n}", f"{n} sharp photographs", both={"n_hi": n}) for n in N_HI]
    return {cell.id: cell for cell in cells}


CELLS = _by_id()

_AXES = (
    Axis(
        "matrix",
        "Does a learned degradation restore real shots better than a made-up one, "
        "under which loss?",
        tuple(c.id for c in MATRIX),
    ),
    Axis(
        "beta",
        "How much should the GAN lead?",
        ("learned-pixel", "learned-led", "beta-0.015", BASE, "beta-0.15", "beta-0.5"),
        "beta, weight of the GAN loss",
        (0.0, 0.005, 0.015, 0.05, 0.15, 0.5),
    ),
    Axis(
        "z",
        "What does z do for the restorer, and how should it enter?",
        (BASE, "z-none", "z-concat", "z-inject", "z-film"),
    ),
    Axis(
        "schedule",
        "Five discriminator updates, or one with a rate of its own?",
        (BASE, "updates-5to1"),
    ),
    Axis(
        "parts",
        "What does each part of the training add?",
        (BASE, "no-ema", "no-flip", "augment", "no-spectral", "joint"),
    ),
    Axis(
        "single",
        "What does each improvement add by itself?",
        (
            BASE,
            "coded-gan",
            "updates-5to1",
            "no-ema",
            "d-aug",
            "r1",
            "no-seek",
            "z-film",
            "no-skip",
            "no-coarse",
            "no-opponent",
            "constant-rate",
            "batch-norm",
        ),
    ),
    Axis(
        "rivals",
        "What do other methods make of the same pictures?",
        ("srgan", "cyclegan", "bilinear-gan", "handmade-gan", BASE, "camera-gan"),
    ),
    Axis(
        "n-lo",
        "How many poor photographs does it need?",
        ("lo-100", "lo-300", "lo-1000", "lo-3000", BASE),
        "poor photographs",
        (*N_LO, 4800),
    ),
    Axis(
        "n-hi",
        "How many sharp photographs does it need?",
        ("hi-100", "hi-300", "hi-1000", BASE),
        "sharp photographs",
        (*N_HI, 3000),
    ),
)
AXES = {axis.name: axis for axis in _AXES}


@dataclass(frozen=True)
class Planned:
    """A cell under one seed, and its training."""

    cell: Cell
    seed: int
    run: Run


def plan(
    preset_name: str, seeds: int | None = None, only: Sequence[str] = (), full: bool = False
) -> list[Planned]:
    """The trainings of the grid, those that matter most first: seed by seed, the matrix first.

    Args:
        preset_name: the configuration that every cell changes.
        seeds: of every cell, in place of its own number.
        only: names of cells or axes; then all they name, also what a CPU would not train.
        full: all cells, not only those that a CPU trains.

    Raises:
        HLError: for an unknown name, and for less than one seed.
    """
    if seeds is not None and seeds < 1:
        raise HLError(f"--seeds must be 1 or more, got {seeds}")
    wanted: set[str] = set()
    for name in only:
        if name in AXES:
            wanted.update(AXES[name].cells)
        elif name in CELLS:
            wanted.add(name)
        else:
            raise HLError(
                f"--only must name cells ({', '.join(CELLS)}) or axes ({', '.join(AXES)}), "
                f"got {name!r}"
            )
    planned = []
    for cell in CELLS.values():
        if wanted and cell.id not in wanted:
            continue
        n = cell.seeds if full or wanted else cell.cpu_seeds
        if seeds and n:
            n = seeds
        planned += planned_of(cell, preset_name, range(n))
    return sorted(planned, key=lambda p: p.seed)  # stable: within a seed the grid's own order


def planned_of(cell: Cell, preset_name: str, seeds: Sequence[int]) -> list[Planned]:
    """A cell under each of the seeds."""
    cfg = preset(preset_name)
    return [Planned(cell, s, cell.run(cfg.replace(seed=s))) for s in seeds]
