"""Figures: face grids, curves, bars, histograms, the card. Every function returns a Figure."""

from .canvas import (
    COLOURS,
    CYCLE,
    DASHES,
    MARKERS,
    blank,
    bundle,
    encode,
    save_figure,
    show,
    style,
    with_alt,
)
from .card import draw_card
from .charts import (
    bars,
    drift_figure,
    histograms,
    lines,
    network,
    panels,
    plain_log,
    risk_figure,
    spectra,
)
from .faces import Pictures, as_uint8, enlarge, face_grid, grid_of_shown, strip
from .training import last_samples, sample_row, samples_over_time, training_curves

__all__ = [
    "COLOURS",
    "CYCLE",
    "DASHES",
    "MARKERS",
    "Pictures",
    "as_uint8",
    "bars",
    "blank",
    "bundle",
    "draw_card",
    "drift_figure",
    "encode",
    "enlarge",
    "face_grid",
    "grid_of_shown",
    "histograms",
    "last_samples",
    "lines",
    "network",
    "panels",
    "plain_log",
    "risk_figure",
    "sample_row",
    "samples_over_time",
    "save_figure",
    "show",
    "spectra",
    "strip",
    "style",
    "training_curves",
    "with_alt",
]
