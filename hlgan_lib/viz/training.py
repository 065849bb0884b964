"""A training drawn: curves of losses and scores, and its samples over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from matplotlib.axes import Axes
from torch import Tensor

from ..errors import HLError
from .canvas import Figure, blank, line_style, quiet, with_alt
from .faces import grid_of_shown

# panel -> logged loss -> its name in the legend
PANELS = {
    "D's score": {"d_real": "real", "d_fake": "generated"},
    "losses": {
        "pix": "pixel",
        "gan": "GAN, of the generator",
        "d_loss": "hinge, of D",
        "flow": "flow matching",
    },
    "spread": {
        "real_spread": "real images",
        "fake_spread": "generated images",
        "z_spread": "over z (part of 2)",
    },
}


def training_curves(
    history: Sequence | Mapping[str, Sequence], *, title: str = "", alt: str = ""
) -> Figure:
    """Scores of the discriminator, losses and spread of the images, over images seen.

    Several runs get a row of panels each, on shared scales that are logarithmic beyond 2: so a run
    that explodes fits beside a healthy one.

    Args:
        history: the ticks of one run, or name -> the ticks of a run.
        title: a line over the whole figure.
        alt: what a reader who cannot see the figure should know; by default made of the numbers.

    Returns:
        The figure.

    Raises:
        HLError: where a run has no tick.
    """
    runs = history if isinstance(history, Mapping) else {"": history}
    if not runs or not all(runs.values()):
        raise HLError("history must hold at least one tick a run, got none: has the training run?")
    several = len(runs) > 1
    figure = blank(9.6, 2.7 * len(runs) + 0.5 + (0.3 if title else 0))
    axes = figure.subplots(
        len(runs), len(PANELS), squeeze=False, sharey="col" if several else False
    )
    for row, (name, ticks) in zip(axes, runs.items(), strict=True):
        for ax, panel in zip(row, PANELS, strict=True):
            _panel(ax, ticks, PANELS[panel])
            if several and panel != "spread":
                ax.set_yscale("symlog", linthresh=2)
            ax.set_title(f"{name}: {panel}" if name else panel, fontsize=8.5)
    for column in axes.T:
        _legend_below(column)
    if title:
        figure.suptitle(title, fontsize=11, weight="bold")
    return with_alt(figure, alt or _curves_in_words(runs))


def _panel(ax: Axes, ticks: Sequence, names: Mapping[str, str]) -> None:
    """A curve for each of the losses that this run logs; a loss looks the same in every run."""
    images = [t.images for t in ticks]
    held = False
    for i, (key, label) in enumerate(names.items()):
        if key in ticks[-1].losses:
            held = True
            ax.plot(images, [t.losses[key] for t in ticks], label=label, **line_style(i))
    quiet(ax, "images seen", "")
    if not held:
        ax.text(0.5, 0.5, "none in this run", ha="center", transform=ax.transAxes)
        ax.set(xticks=[], yticks=[], xlabel="")


def _legend_below(column: Sequence[Axes]) -> None:
    """One legend for the panels of a column, under the last of them: over no curve."""
    named: dict[str, Any] = {}
    for ax in column:
        handles, labels = ax.get_legend_handles_labels()
        named |= dict(zip(labels, handles, strict=True))
    if named:
        column[-1].legend(
            handles=list(named.values()),
            labels=list(named),
            frameon=False,
            fontsize=8,
            ncols=2,
            loc="upper center",
            bbox_to_anchor=(0.5, -0.24),
        )


def _curves_in_words(runs: Mapping[str, Sequence]) -> str:
    """From first to last tick: what the curves do, in numbers."""
    parts = []
    for name, ticks in runs.items():
        first, last = ticks[0].losses, ticks[-1].losses
        changes = []
        for names in PANELS.values():
            for key, label in names.items():
                if key in last:
                    changes.append(f"{label} {first[key]:.2f} to {last[key]:.2f}")
        said = ", ".join(changes)
        parts.append(f"{name}: {said}" if name else said)
    some = next(iter(runs.values()))
    return f"Training curves over {some[-1].images} images, first to last. {'; '.join(parts)}"


def sample_row(samples: Tensor, row: int, n: int = 8, size: int = 64) -> Tensor:
    """A row of images, cut out of a tick's sample grid.

    Args:
        samples: uint8 (3, H, W), images with two pixels between them.
        row: which row, from 0.
        n: at most so many images.
        size: pixels a side of an image in the grid.

    Returns:
        uint8 (n, 3, size, size).

    Raises:
        HLError: where the grid has fewer rows.
    """
    pitch = size + 2
    top = 2 + row * pitch
    if top + size > samples.shape[1]:
        raise HLError(f"row must be below {(samples.shape[1] - 2) // pitch}, got {row}")
    n = min(n, (samples.shape[2] - 2) // pitch)
    lefts = [2 + k * pitch for k in range(n)]
    return torch.stack([samples[:, top : top + size, x : x + size] for x in lefts])


def last_samples(history: Sequence) -> Tensor:
    """The newest sample grid of a run.

    Args:
        history: the ticks of a run.

    Returns:
        uint8 (3, H, W).

    Raises:
        HLError: where none was taken.
    """
    taken = [t.samples for t in history if t.samples is not None]
    if not taken:
        raise HLError(
            "history holds no samples: they come with the checkpoints, so lower save_images"
        )
    return taken[-1]


def samples_over_time(
    history: Sequence, row: int, *, n: int = 8, title: str = "", alt: str
) -> Figure:
    """The same row of a run's sample grids at every time it was taken, first to last.

    Args:
        history: the ticks of a run.
        row: which row of the grids, from 0.
        n: at most so many images of it.
        title: a line over the whole figure.
        alt: what a reader who cannot see the figure should know.

    Returns:
        The figure.

    Raises:
        HLError: where no samples were taken, or the grids have fewer rows.
    """
    last_samples(history)  # refuses a run without any
    kept = {}
    for tick in history:
        if tick.samples is not None:
            kept[f"after {tick.images:,} images"] = sample_row(tick.samples, row, n)
    return grid_of_shown(kept, title, alt)
