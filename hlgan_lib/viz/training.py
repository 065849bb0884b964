"""A training drawn: curves of losses and scores, and its samples over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ..errors import HLError
from .canvas import blank, line_style, quiet, with_alt
from .faces import grid_of_shown

PANELS = {
    "D's score": {"d_real": "real", "d_fake": "fake"},
    "losses": {"pix": "pixel", "gan": "GAN, of the generator", "d_loss": "hinge, of D"},
    "spread": {
        "real_spread": "real pictures",
        "fake_spread": "made pictures",
        "z_spread": "over z (part of 2)",
    },
}


def training_curves(
    history: Sequence | Mapping[str, Sequence], *, title: str = "", alt: str = ""
) -> Figure:
    """Scores of D, losses and spread over images seen; history: the ticks of one run, or name -> ticks of several.

    With several runs one panel row a run, on shared scales that are logarithmic beyond 2, so that a run that explodes
    fits beside a healthy one. alt is made from the numbers where none is given.
    """
    runs = history if isinstance(history, Mapping) else {"": history}
    if not runs or not all(runs.values()):
        raise HLError("history must hold at least one tick a run, got none: has the training run?")
    figure = blank(9.6, 2.7 * len(runs) + (0.3 if title else 0))
    axes = figure.subplots(
        len(runs), len(PANELS), squeeze=False, sharey="col" if len(runs) > 1 else False
    )
    for row, (name, ticks) in zip(axes, runs.items(), strict=True):
        for ax, (panel, keys) in zip(row, PANELS.items(), strict=True):
            held = [k for k in keys if k in ticks[-1].losses]
            for key in held:
                ax.plot(
                    [t.images for t in ticks],
                    [t.losses[key] for t in ticks],
                    label=keys[key],
                    **line_style(list(keys).index(key)),
                )
            quiet(ax, "images seen", "")
            if len(runs) > 1 and panel != "spread":
                ax.set_yscale("symlog", linthresh=2)
            ax.set_title((f"{name}: " if name else "") + panel, fontsize=8.5)
            if held:
                ax.legend(frameon=False, fontsize=8)
            else:
                ax.text(0.5, 0.5, "none in this run", ha="center", transform=ax.transAxes)
    if title:
        figure.suptitle(title, fontsize=11, weight="bold")
    return with_alt(figure, alt or _curves_in_words(runs))


def _curves_in_words(runs: Mapping[str, Sequence]) -> str:
    """From first to last tick: what the curves do, in numbers."""
    said = []
    for name, ticks in runs.items():
        changes = [
            f"{label} {ticks[0].losses[k]:.2f} to {ticks[-1].losses[k]:.2f}"
            for keys in PANELS.values()
            for k, label in keys.items()
            if k in ticks[-1].losses
        ]
        said.append(f"{name + ': ' if name else ''}{', '.join(changes)}")
    return (
        f"Training curves over {next(iter(runs.values()))[-1].images} images, first to last. "
        + "; ".join(said)
    )


def sample_row(samples: Tensor, row: int, n: int = 8, size: int = 64) -> Tensor:
    """A row of pictures out of a tick's sample grid: uint8 (3, H, W) -> (n, 3, size, size)."""
    at, pitch = 2 + row * (size + 2), size + 2
    if at + size > samples.shape[1]:
        raise HLError(f"row must be below {(samples.shape[1] - 2) // pitch}, got {row}")
    n = min(n, (samples.shape[2] - 2) // pitch)
    return torch.stack(
        [samples[:, at : at + size, 2 + k * pitch : 2 + k * pitch + size] for k in range(n)]
    )


def last_samples(history: Sequence) -> Tensor:
    """The newest sample grid of a run, uint8 (3, H, W). Raises HLError where none was taken."""
    taken = [t.samples for t in history if t.samples is not None]
    if not taken:
        raise HLError(
            "history holds no samples: they come with the checkpoints, so lower save_images"
        )
    return taken[-1]


def samples_over_time(
    history: Sequence, row: int, *, n: int = 8, title: str = "", alt: str
) -> Figure:
    """The same row of a run's sample grids at every time it was taken, first to last."""
    kept = {
        f"after {t.images:,} images": sample_row(t.samples, row, n)
        for t in history
        if t.samples is not None
    }
    last_samples(history)
    return grid_of_shown(kept, title, alt)
