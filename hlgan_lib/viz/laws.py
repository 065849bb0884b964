"""The laws of many numbers side by side, learned beside true."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .canvas import Figure, blank, line_style, quiet, with_alt


def laws(
    values: Mapping[str, Mapping[str, Any]],
    *,
    units: Mapping[str, str],
    alt: str,
    columns: int = 4,
    bins: int = 40,
) -> Figure:
    """A panel a number, an outline a law, each of area 1 and on the same bins.

    Args:
        values: label of the law -> name of the number -> its values (n,).
        units: name of the number -> what it counts.
        alt: what a reader who cannot see it should know.
        columns: panels in a row.
        bins: of each panel, between the 0.5 and 99.5 percentiles of all its values.

    Returns:
        The figure.
    """
    rows = -(-len(units) // columns)
    figure = blank(2.3 * columns, 2.0 * rows)
    for i, (name, unit) in enumerate(units.items()):
        ax = figure.add_subplot(rows, columns, i + 1)
        numbers = {label: np.asarray(law[name], dtype=float) for label, law in values.items()}
        low, high = np.percentile(np.concatenate(list(numbers.values())), (0.5, 99.5))
        for k, (label, x) in enumerate(numbers.items()):
            style = {"histtype": "step", "density": True, "linewidth": 1.6, **line_style(k)}
            ax.hist(x, bins, range=(low, high), label=label, **style)
        quiet(ax, unit, "", "")
        ax.set_title(name, fontsize=9)
        ax.set_yticks([])
        ax.grid(visible=False)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    return with_alt(figure, alt)
