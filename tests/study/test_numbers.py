"""The numbers behind the figures are the stored ones."""

import pytest

from hlgan_lib.study import figures, numbers


def widths(ax):
    """Values of the bars of an axis (no hatched bands)."""
    return [p.get_width() for c in ax.containers for p in getattr(c, "patches", [])]


def test_diversity_and_cost_draw_the_stored_numbers(stored):
    rows = numbers.diversity_rows(stored)
    assert rows["learned camera"] == pytest.approx({"colour": 0.05, "detail": 0.06})
    assert "camera and network" not in rows
    assert widths(figures.diversity(stored).axes[0]) == pytest.approx(
        [r[k] for r in rows.values() for k in ("colour", "detail")]
    )
    rows = numbers.cost_rows(stored)
    assert rows["L2H, pixel only"].seeds == (*(1.0, 1.5) * 3, 1.0, 1.0)
    assert rows["H2L, camera"].value == 0.5
    assert widths(figures.cost(stored).axes[0]) == pytest.approx([r.value for r in rows.values()])
