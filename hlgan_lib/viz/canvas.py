"""The sheet that figures are drawn on: house style, alt text, and the ways out (notebook, file, manifest)."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from ..errors import HLError
from ..files import atomic, save_json

# Okabe and Ito's colours, told apart with any kind of colour vision; line style and markers differ as well. Orange
# and sky are darker than theirs by a seventh, for a contrast of 3 with white (WCAG 1.4.11); their yellow has none.
COLOURS = {
    "black": "#000000",
    "orange": "#C38700",
    "sky": "#4A9BC8",
    "green": "#009E73",
    "blue": "#0072B2",
    "vermilion": "#D55E00",
    "purple": "#CC79A7",
}
CYCLE = [COLOURS[k] for k in ("blue", "vermilion", "green", "orange", "purple", "sky", "black")]
DASHES = ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (3, 1)), (0, (1, 1))]
MARKERS = "osD^vPX"
GREY = (
    "#767676"  # for what is there without a result: words in it have a contrast of 4.5 with white
)
DPI = 100
N_COLOURS = 128  # of a PNG with lines and bars: enough to keep each of COLOURS apart
STYLE = {
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
    "font.size": 10,
    "axes.grid": True,
    "grid.color": "#DDDDDD",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "lines.linewidth": 1.8,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "legend.frameon": False,
}


def style() -> None:
    """The house style for matplotlib figures that a reader draws with pyplot: Okabe-Ito colours, quiet axes."""
    import matplotlib

    matplotlib.rcParams.update(
        STYLE | {"axes.prop_cycle": matplotlib.cycler(color=CYCLE, linestyle=DASHES)}
    )


def blank(width: float, height: float) -> Figure:
    """An empty white figure in inches, apart from pyplot: nothing to close, nothing drawn twice in a notebook."""
    figure = Figure((width, height), dpi=DPI, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    figure.alt, figure.photographic = "", False
    return figure


def line_style(i: int) -> dict[str, Any]:
    return {"color": CYCLE[i % len(CYCLE)], "linestyle": DASHES[i % len(DASHES)]}


def quiet(ax: Axes, xlabel: str, ylabel: str, title: str = "") -> None:
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    ax.grid(color="#DDDDDD")
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def with_alt(figure: Figure, alt: str) -> Figure:
    """The figure with its alt text set. Raises HLError where that says nothing."""
    if len(alt.strip()) < 10:
        raise HLError(
            f"alt must say what the figure shows, got {alt!r}: describe it to somebody who cannot see it"
        )
    figure.alt = " ".join(alt.split())
    return figure


# ---- out of the figure -----------------------------------------------------------------------------------------------
def encode(figure: Figure, kind: str | None = None) -> tuple[str, bytes]:
    """The figure as ("image/jpeg" or "image/png", bytes), of the kind asked for, or the smaller.

    Lines and bars: PNG of N_COLOURS. Faces: JPEG, or an exact PNG where that is smaller, as enlarged 16x16 pictures
    are.
    """
    raw, png, jpeg = io.BytesIO(), io.BytesIO(), io.BytesIO()
    figure.savefig(raw, format="png", dpi=figure.dpi)
    image = Image.open(raw).convert("RGB")
    still = image if figure.photographic else image.quantize(N_COLOURS, dither=Image.Dither.NONE)
    still.save(png, "PNG", optimize=True)
    image.save(jpeg, "JPEG", quality=72, subsampling=0, optimize=True, progressive=True)
    smaller = (
        "image/jpeg"
        if figure.photographic and len(jpeg.getvalue()) < len(png.getvalue())
        else "image/png"
    )
    kind = kind or smaller
    return kind, (jpeg if kind == "image/jpeg" else png).getvalue()


def bundle(figure: Figure) -> tuple[dict[str, str], dict[str, dict]]:
    """What a notebook stores of a figure: data and metadata, the alt text as words and beside the picture."""
    if not getattr(figure, "alt", ""):
        raise HLError("the figure has no alt text: give alt=..., or viz.with_alt(figure, '...')")
    kind, data = encode(figure)
    words, picture = f"[Figure: {figure.alt}]", base64.b64encode(data).decode()
    return {kind: picture, "text/plain": words}, {kind: {"alt": figure.alt}}


def show(figure: Figure, *, handle: Any = None) -> Any:
    """Display a figure in a notebook with its alt text; with a handle of an earlier call, in that figure's place."""
    from IPython.display import display

    data, metadata = bundle(figure)
    if handle is not None:
        handle.update(data, metadata=metadata, raw=True)
        return handle
    return display(data, metadata=metadata, raw=True, display_id=True)


def save_figure(figure: Figure, path: str | Path, alt: str | None = None, **manifest: Any) -> Path:
    """Write the figure (.png or .jpg) and its entry in manifest.json beside it: alt text, command, preset, seed, ...

    Raises HLError for another ending, a figure without alt text, or a folder that cannot be written.
    """
    path = Path(path)
    if path.suffix not in (".png", ".jpg"):
        raise HLError(f"a figure's path must end in .png or .jpg, got {path.name}")
    with_alt(figure, alt or getattr(figure, "alt", ""))
    _, data = encode(figure, "image/jpeg" if path.suffix == ".jpg" else "image/png")
    atomic(path, lambda file: file.write(data))
    listing = path.parent / "manifest.json"
    entries = json.loads(listing.read_text()) if listing.is_file() else {}
    entries[path.name] = {"alt": figure.alt, **manifest}
    save_json(listing, dict(sorted(entries.items())))
    return path
