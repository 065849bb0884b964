"""The degradation explorer.

One face, z by sliders along its principal directions, and what is measured below.
"""

from __future__ import annotations

from html import escape

import torch
from torch import Tensor

from .. import viz
from ..analysis.z_directions import Directions, measure, placed
from ..degradations.handmade import bilinear
from ..errors import HLError
from ..networks.paper import HighToLow
from ..viz.canvas import Figure
from .hosts import front_end
from .widgets import captioned

# name -> (column of z_directions.PROPERTIES, unit, from what `measure` gives to that unit)
ROWS = {
    "blur width": (0, "px of hi", torch.exp2),
    "noise level": (1, "% of full scale", lambda v: 100 * 2**v),
    "exposure": (2, "stops", lambda v: v),
    "warmth": (3, "stops", lambda v: v),
    "tint": (4, "stops", lambda v: v),
}
REACH = 3.0  # of each slider, in spreads of z


class Explorer:
    """What the explorer shows.

    The face `face`, degraded by H2L at coordinates `at` of z's directions, and by others.

    hi (B, 3, N, N), real (B, 3, s, s) camera shots of the same faces, both in [-1, 1]. What no
    slider changes is measured once.
    """

    def __init__(
        self, h2l: HighToLow, directions: Directions, hi: Tensor, real: Tensor, seed: int = 0
    ):
        if len(hi) != len(real) or not len(hi):
            raise HLError(
                f"hi and real must show the same faces, got {len(hi)} and {len(real)}: take "
                "both of a Pairs"
            )
        self.h2l, self.hi, self.directions = h2l, hi, directions
        self.others = {"bilinear": bilinear(hi), "camera": real}
        self.measured = {name: measure(hi, lo) for name, lo in self.others.items()}
        most = directions.table.abs().argmax(1).tolist()
        self.names = [f"{k + 1}: {directions.names[i]}" for k, i in enumerate(most)]
        self.draw_rest(seed)

    def draw_rest(self, seed: int) -> None:
        """Draw anew what the sliders leave alone: z across the directions."""
        self.rest = torch.randn(
            self.directions.axes.shape[1], generator=torch.Generator().manual_seed(seed)
        )

    @torch.no_grad()
    def learned(self, face: int, at: tuple[float, ...]) -> Tensor:
        """H2L's picture of a face.

        Args:
            face: its number.
            at: how far along each direction, standard deviations.

        Returns:
            (1, 3, s, s) in [-1, 1].
        """
        z = placed(self.rest, self.directions.axes.float(), torch.tensor(at, dtype=torch.float32))
        return self.h2l(self.hi[face : face + 1], z[None].to(self.hi))

    def html(self, face: int, at: tuple[float, ...]) -> str:
        """HR, learned, bilinear and camera side by side; below each what it measures.

        Args:
            face: its number.
            at: how far along each direction, standard deviations.

        Returns:
            The HTML.
        """
        hi, made = self.hi[face : face + 1], self.learned(face, at)
        pictures = {"HR": hi, "learned": made}
        measured = {"learned": measure(hi, made)[0]}
        for name, lo in self.others.items():
            pictures[name] = lo[face : face + 1]
            measured[name] = self.measured[name][face]

        # One column a picture, one row a property.
        head = "".join(f'<th scope="col">{escape(name)}</th>' for name in ("", *measured, "unit"))
        rows = []
        for name, (i, unit, scale) in ROWS.items():
            cells = "".join(f"<td>{scale(v[i]).item():.2f}</td>" for v in measured.values())
            rows.append(f'<tr><th scope="row">{name}</th>{cells}<td>{unit}</td></tr>')
        where = ", ".join(f"{name} at {v:+.1f}" for name, v in zip(self.names, at))
        return (
            captioned(pictures, 128, f"face {face + 1}, {where}")
            + '<table style="margin-top:8px;text-align:right;border-spacing:12px 2px;'
            'border-collapse:separate">'
            f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        )


def degradation_explorer(
    h2l: HighToLow, directions: Directions, hi: Tensor, real: Tensor, static: Figure, seed: int = 0
) -> None:
    """Show `static`, and where a person is watching sliders for the face and the directions of z.

    As Explorer, which says what is shown. A move takes one face through H2L and the estimators:
    tens of milliseconds.

    Args:
        h2l: a trained one.
        directions: of z, as `analysis.z_directions` found them.
        hi: HR faces (N, 3, S, S) in [-1, 1].
        real: the ground truth's LR images of the same faces, for comparison.
        static: the figure for everybody.
        seed: of the z at the centre.
    """
    viz.show(static)
    if not front_end():
        return
    import ipywidgets as w
    from IPython.display import display

    explorer = Explorer(h2l, directions, hi, real, seed)
    wide = {"style": {"description_width": "11em"}, "layout": {"width": "34em"}}
    face = w.IntSlider(0, 0, len(hi) - 1, description="face", **wide)
    sliders = [
        w.FloatSlider(0, min=-REACH, max=REACH, step=0.1, description=name, **wide)
        for name in explorer.names
    ]
    again = w.Button(description="draw the rest of z anew", layout={"width": "16em"})
    shown, seeds = w.HTML(), iter(range(seed + 1, seed + 10_000))

    def redraw(_: object = None) -> None:
        shown.value = explorer.html(face.value, tuple(s.value for s in sliders))

    def anew(_: object) -> None:
        explorer.draw_rest(next(seeds))
        redraw()

    for slider in (face, *sliders):
        slider.observe(redraw, names="value")
    again.on_click(anew)
    redraw()
    display(w.VBox([face, *sliders, again, shown]))
