"""The sheet that figures are drawn on: style, alt text, and the way into a notebook or a file."""

from __future__ import annotations

import base64
import io
from contextlib import suppress
from pathlib import Path
from typing import Any

import matplotlib.figure
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from ..errors import HLError
from ..files import atomic, save_json, user_path
from ..schema import read_json
from ..text import shown

# Okabe and Ito's colours, told apart with any kind of colour vision; line style and markers differ
# as well. Orange and sky are darker than theirs by a seventh, for a contrast of 3 with white (WCAG
# 1.4.11); their yellow has none.
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
GREY = "#767676"  # for what has no result: words in it have a contrast of 4.5 with white
DPI = 100
N_COLOURS = 128  # of a PNG with lines and bars: enough to keep each of COLOURS apart
STYLE: dict[Any, Any] = {
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


class Figure(matplotlib.figure.Figure):
    """A matplotlib figure that knows what it says and what it shows.

    Attributes:
        alt: what a reader who cannot see it should know; empty until `with_alt`.
        photographic: shows faces, not lines and bars; decides the kind of file.
    """

    alt: str = ""
    photographic: bool = False


def style() -> None:
    """Set the style of this package for figures that a reader draws with pyplot himself."""
    cycle = cycler(color=CYCLE, linestyle=DASHES)
    matplotlib.rcParams.update(STYLE | {"axes.prop_cycle": cycle})


def blank(width: float, height: float) -> Figure:
    """An empty white figure, apart from pyplot: nothing to close, nothing is drawn twice.

    Args:
        width: of the figure, inches; 100 pixels each.
        height: of the figure, inches.

    Returns:
        The figure, with no alt text yet (`alt`), and taken for lines and bars (`photographic`).
    """
    figure = Figure((width, height), dpi=DPI, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def line_style(i: int) -> dict[str, Any]:
    """Colour and dash of the i-th line."""
    return {"color": CYCLE[i % len(CYCLE)], "linestyle": DASHES[i % len(DASHES)]}


def quiet(ax: Axes, xlabel: str, ylabel: str, title: str = "") -> None:
    """Label an axis; a light grid behind the data, no frame above and to the right.

    Args:
        ax: what to label.
        xlabel: what runs to the right, with its unit.
        ylabel: what runs upwards, with its unit.
        title: above.
    """
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    ax.grid(color="#DDDDDD")
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def with_alt(figure: Figure, alt: str) -> Figure:
    """Set the alt text of a figure.

    Args:
        figure: the figure.
        alt: what a reader who cannot see it should know.

    Returns:
        The same figure.

    Raises:
        HLError: where the text says nothing.
    """
    if len(alt.strip()) < 10:
        raise HLError(
            f"alt must say what the figure shows, got {alt!r}: "
            "describe it to somebody who cannot see it"
        )
    figure.alt = " ".join(alt.split())
    return figure


# ---- out of the figure ---------------------------------------------------------------------------
def encode(figure: Figure, kind: str | None = None) -> tuple[str, bytes]:
    """A figure as the bytes of a file.

    Lines and bars become a PNG of N_COLOURS colours. Faces become a JPEG, or an exact PNG where
    that is smaller, as it is for enlarged 16x16 images.

    Args:
        figure: the figure.
        kind: "image/jpeg" or "image/png"; by default the smaller of the two.

    Returns:
        The kind, and the bytes.
    """
    raw = io.BytesIO()
    figure.savefig(raw, format="png", dpi=figure.dpi)
    image = Image.open(raw).convert("RGB")
    kinds = [kind or "image/png"]
    if figure.photographic and not kind:
        kinds.append("image/jpeg")
    encoded = {k: _encoded(image, k, figure.photographic) for k in kinds}
    smallest = min(encoded, key=lambda k: len(encoded[k]))
    return smallest, encoded[smallest]


def _encoded(image: Image.Image, kind: str, photographic: bool) -> bytes:
    data = io.BytesIO()
    if kind == "image/jpeg":
        image.save(data, "JPEG", quality=72, subsampling=0, optimize=True, progressive=True)
    elif photographic:
        image.save(data, "PNG", optimize=True)
    else:
        few = image.quantize(N_COLOURS, dither=Image.Dither.NONE)
        few.save(data, "PNG", optimize=True)
    return data.getvalue()


def bundle(figure: Figure) -> tuple[dict[str, str], dict[str, dict]]:
    """What a notebook stores of a figure.

    Args:
        figure: a figure with alt text.

    Returns:
        Data (the image in base 64, the alt text as words) and metadata (the alt text beside the
        image).

    Raises:
        HLError: for a figure without alt text.
    """
    if not getattr(figure, "alt", ""):
        raise HLError("the figure has no alt text: give alt=..., or viz.with_alt(figure, '...')")
    kind, data = encode(figure)
    picture = base64.b64encode(data).decode()
    words = f"[Figure: {figure.alt}]"
    return {kind: picture, "text/plain": words}, {kind: {"alt": figure.alt}}


def show(figure: Figure, *, handle: Any = None) -> Any:
    """Display a figure in a notebook, with its alt text.

    Args:
        figure: a figure with alt text.
        handle: what an earlier call returned; the figure then takes the place of that one.

    Returns:
        A handle for the next call.

    Raises:
        HLError: for a figure without alt text.
    """
    from IPython.display import display

    data, metadata = bundle(figure)
    if handle is not None:
        handle.update(data, metadata=metadata, raw=True)
        return handle
    return display(data, metadata=metadata, raw=True, display_id=True)


def plain(text: object) -> str:
    """A name as a figure shows it letter by letter: printable, and no formula between two $."""
    return shown(text).replace("$", r"\$")


def save_figure(figure: Figure, path: str | Path, alt: str | None = None, **manifest: Any) -> Path:
    """Write a figure, and its entry in manifest.json beside it.

    Args:
        figure: the figure.
        path: the file, .png or .jpg.
        alt: its alt text; by default the figure's own.
        **manifest: what else the entry says, such as command, preset, seed.

    Returns:
        The path.

    Raises:
        HLError: for another ending, no alt text, or a folder that cannot be written.
    """
    path = user_path(path)
    if path.suffix not in (".png", ".jpg"):
        raise HLError(f"a figure's path must end in .png or .jpg, got {path.name}")
    with_alt(figure, alt or str(getattr(figure, "alt", "")))
    _, data = encode(figure, "image/jpeg" if path.suffix == ".jpg" else "image/png")
    atomic(path, lambda file: file.write(data))
    listing = path.parent / "manifest.json"
    entries: dict[str, Any] = {}
    with suppress(HLError):  # none yet, or damaged: it is made anew
        entries = read_json(listing, dict[str, dict[str, Any]], "the list of figures", "")
    entries[path.name] = {"alt": figure.alt, **manifest}
    save_json(listing, dict(sorted(entries.items())))
    return path
