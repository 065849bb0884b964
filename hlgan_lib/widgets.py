"""Sliders where a person is watching; a static strip of the same pictures everywhere else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from matplotlib.figure import Figure

from . import viz
from .errors import HLError
from .notebook import front_end

V = TypeVar("V")


def explore(draw: Callable[[V], Figure], values: Sequence[V], name: str, static: Figure) -> None:
    """Show `static`, and under it, where a person is watching, a slider over values that redraws draw(value).

    name: what the slider changes, with its unit. A notebook that a script executes holds the strip alone, so that
    nothing in it needs a widget to be read. Raises HLError for no values.
    """
    if not len(values):
        raise HLError(f"values of {name} must hold at least one, got none")
    viz.show(static)
    if not front_end():
        return
    import ipywidgets
    from IPython.display import display

    slider = ipywidgets.SelectionSlider(options=list(values), description=name, continuous_update=False,
                                        style={"description_width": "initial"}, layout={"width": "32em"})
    display(slider)
    shown = viz.show(draw(slider.value))
    slider.observe(lambda change: viz.show(draw(change["new"]), handle=shown), names="value")
