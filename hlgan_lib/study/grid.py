"""The grid: which questions, which variants answer them, and the trainings behind each variant.

A cell is one variant of the two-stage method; an axis is a question and the cells that answer it.
Every cell differs in one thing from one of two, the learned camera with or without the GAN loss in
stage two, or from the paper's H2L. The fields hold for any preset.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..config import RunConfig
from ..errors import HLError
from ..presets import preset
from .run import Run

BASE = "learned-gan"
PIXEL = "learned-pixel"  # five times as fast, and enough to judge a degradation by
DEGRADATIONS = {
    "bilinear": "bilinear",
    "blur": "blur + bilinear",
    "handmade": "hand-made, second order",
    "paper": "paper's H2L",
    "paperjpeg": "paper's H2L, JPEG measured",
    "learned": "learned camera",
    "camera": "camera (oracle)",
}
# Of these, those that an H2L makes, and what its configuration changes.
LEARNED: dict[str, dict] = {
    "paper": {"h2l_model": "paper"},
    "paperjpeg": {"h2l_model": "paper", "jpeg": "measured"},
    "learned": {},
}
# The weight of the GAN loss in stage two; stage one is GAN-led always. 0.05 is the paper's beta.
LOSSES = {"pixel": ("pixel only", 0.0), "gan": ("GAN-led", 0.05)}
TESTS = {"camera": "real LR", "clean": "bilinear LR", "wild": "real LR, unpaired"}
METRICS = {
    "psnr": "PSNR (dB)",
    "ssim": "SSIM",
    "frechet_lite0": "Fréchet (Lite0)",
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
    seeds: int = 1

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
    """Degradation x loss: the argument, with three seeds."""
    cells = []
    for loss, (words, beta) in LOSSES.items():
        for d, degradation in DEGRADATIONS.items():
            cell = Cell(
                f"{d}-{loss}",
                f"{degradation}, {words}",
                "learned" if d in LEARNED else d,
                h2l=LEARNED.get(d, {}),
                l2h={"w_gan": beta},
                seeds=3,
            )
            cells.append(cell)
    return cells


def pixel_only(id: str, label: str, both: dict | None = None, h2l: dict | None = None) -> Cell:
    """A cell that asks what becomes of the degradation, answered by a pixel-only L2H."""
    return Cell(id, label, both=both or {}, h2l=h2l or {}, l2h={"w_gan": 0.0})


MATRIX = _matrix()
BETAS = (0.005, 0.015, 0.15, 0.5)  # beside the two of LOSSES
N_LO, N_HI = (100, 300, 1000), (100, 300, 1000)  # of the 4,800 and 3,000 shipped ones
BASELINES = (  # trained in one go
    Cell("srgan", "SRGAN, bilinear pairs", "bilinear", stage="srgan"),
    Cell("cyclegan", "CycleGAN, no pairs", "", stage="cyclegan"),
)
H2L_PARTS = (
    pixel_only("z-none", "one camera for all: z off", h2l={"z_input": "none"}),
    pixel_only("residual", "camera and network", h2l={"h2l_model": "camera+network"}),
    pixel_only("no-statistics", "GAN loss alone", h2l={"w_stats": 0.0}),
    pixel_only("no-gan", "statistics alone", h2l={"w_gan": 0.0}),
)
# What a short training of the paper's H2L changes of the paper, taken back.
_PAPER = LEARNED["paper"]
_LETTER = {
    "skip": False,
    "norm": "batch",
    "d_steps": 5,
    "lr": 1e-4,
    "lr_d": 0.0,
    "ema": 0.0,
    "lr_schedule": "constant",
    "scale": 0.1,
    "rotate_deg": 10.0,
    "colour": 0.1,
}
PAPER_PARTS = (
    pixel_only("paper-no-skip", "without shortcuts", h2l={**_PAPER, "skip": False}),
    pixel_only("paper-batch-norm", "with batch norm", h2l={**_PAPER, "norm": "batch"}),
    pixel_only("paper-5to1", "5 D updates, one rate", h2l={**_PAPER, "d_steps": 5, "lr_d": 0.0}),
    pixel_only("paper-letter", "all of the paper's settings", h2l={**_PAPER, **_LETTER}),
)
L2H_PARTS = (
    Cell("updates-5to1", "5 D updates, one rate", l2h={"d_steps": 5, "lr_d": 0.0, "lr_d_hi": 0.0}),
    Cell("no-ema", "without EMA", l2h={"ema": 0.0}),
    Cell("no-spectral", "D without spectral norm", l2h={"d_norm": "none"}),
    Cell(
        "augment",
        "scale, rotation, colour too",
        l2h={"scale": 0.1, "rotate_deg": 10.0, "colour": 0.1},
    ),
    Cell("d-aug", "DiffAugment", l2h={"d_aug": True}),
    Cell("joint", "joint fine-tune at the end", joint=True),
)


def _by_id() -> dict[str, Cell]:
    """Every cell, in the order in which they are trained within a seed."""
    cells = [*MATRIX, *BASELINES, *H2L_PARTS]
    cells += [pixel_only(f"lo-{n}", f"{n} LR images", h2l={"n_lo": n}) for n in N_LO]
    cells += [pixel_only(f"hi-{n}", f"{n} HR images", both={"n_hi": n}) for n in N_HI]
    cells += PAPER_PARTS
    cells += [Cell(f"beta-{b:g}", f"beta {b:g}", l2h={"w_gan": b}) for b in BETAS]
    cells += L2H_PARTS
    return {cell.id: cell for cell in cells}


CELLS = _by_id()
LIBRARY = tuple(CELLS)  # what add_cell cannot replace


def _ids(cells: Sequence[Cell]) -> tuple[str, ...]:
    return tuple(cell.id for cell in cells)


_AXES = (
    Axis(
        "matrix",
        "Does a learned degradation restore real LR images better than a made-up one, "
        "under which loss?",
        _ids(MATRIX),
    ),
    Axis(
        "beta",
        "How much should the GAN lead?",
        (PIXEL, "beta-0.005", "beta-0.015", BASE, "beta-0.15", "beta-0.5"),
        "beta, weight of the GAN loss",
        (0.0, 0.005, 0.015, 0.05, 0.15, 0.5),
    ),
    Axis(
        "camera",
        "What does each part of the learned camera do for the restorer?",
        (PIXEL, *_ids(H2L_PARTS)),
    ),
    Axis(
        "paper",
        "What does the paper's H2L need in a short training?",
        ("paper-pixel", *_ids(PAPER_PARTS)),
    ),
    Axis("parts", "What does each part of stage two add?", (BASE, *_ids(L2H_PARTS))),
    Axis(
        "baselines",
        "What do other methods make of the same pictures?",
        (*_ids(BASELINES), "bilinear-gan", "handmade-gan", "paper-gan", BASE, "camera-gan"),
    ),
    Axis(
        "n-lo",
        "How many LR images does it need?",
        (*(f"lo-{n}" for n in N_LO), PIXEL),
        "LR images",
        (*N_LO, 4800),
    ),
    Axis(
        "n-hi",
        "How many HR images does it need?",
        (*(f"hi-{n}" for n in N_HI), PIXEL),
        "HR images",
        (*N_HI, 3000),
    ),
)
AXES = {axis.name: axis for axis in _AXES}


def add_cell(cell: Cell) -> Cell:
    """Add a cell to the grid of this process, so that it is trained, scored and drawn as any other.

    Args:
        cell: the new one; it takes the place of an added one of its name.

    Returns:
        The cell.

    Raises:
        HLError: where a cell of the library has this name, or trains the same.
    """
    if cell.id in LIBRARY:
        label = CELLS[cell.id].label
        raise HLError(f"the cell's id must be new, got {cell.id!r}, {label}: rename it")
    cfg = preset("study")
    for other in LIBRARY:
        if cell.run(cfg).name == CELLS[other].run(cfg).name:
            raise HLError(
                f"the cell must train something new, got {cell.id!r}, which trains what "
                f"{other!r} does: change a field"
            )
    CELLS[cell.id] = cell
    return cell


@dataclass(frozen=True)
class Planned:
    """A cell under one seed, and its training."""

    cell: Cell
    seed: int
    run: Run


def plan(preset_name: str, seeds: int | None = None, only: Sequence[str] = ()) -> list[Planned]:
    """The trainings of the grid, those that matter most first: seed by seed, the matrix first.

    Args:
        preset_name: the configuration that every cell changes.
        seeds: of every cell, in place of its own number.
        only: names of cells or axes.

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
        planned += planned_of(cell, preset_name, range(seeds or cell.seeds))
    return sorted(planned, key=lambda p: p.seed)  # stable: within a seed the grid's own order


def planned_of(cell: Cell, preset_name: str, seeds: Sequence[int]) -> list[Planned]:
    """A cell under each of the seeds."""
    cfg = preset(preset_name)
    return [Planned(cell, s, cell.run(cfg.replace(seed=s))) for s in seeds]
