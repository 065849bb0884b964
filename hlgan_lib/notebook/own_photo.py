"""A photograph of one's own.

Drag a box over the face, degrade it, restore it, and read how far to trust the result.

Everything happens in the process that runs the notebook: nothing is sent, nothing is written.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from html import escape

from PIL import Image
from torch import Tensor
from torchvision.transforms.functional import pil_to_tensor

from .. import viz
from ..data.faces import to_float
from ..data.pictures import fit, read_image
from ..errors import HLError
from ..inference import Weights, degrade
from ..reliability.trust import pair_of_networks, trust
from ..text import shown as printable
from ..viz.canvas import Figure
from .hosts import custom_widgets, front_end
from .widgets import address, captioned

SHOWN = 480  # pixels of the longer side on the screen
INVENTED = (
    "Most of the fine detail here was invented: 16×16 pixels cannot say who was in "
    "front of the camera. "
    "Use it to learn about networks, never to recognise anybody."
)


@dataclass(frozen=True)
class Restored:
    """What became of a box.

    name -> picture (3, h, w) in [-1, 1], how far to trust it (0 as usual), and the words.
    """

    pictures: dict[str, Tensor]
    trust: float
    doubtful: bool
    words: str


def restored_box(
    image: Image.Image,
    box: tuple[int, int, int],
    l2h: Weights = "l2h",
    h2l: Weights = "h2l",
    *,
    is_lo: bool = False,
    seed: int = 0,
) -> Restored:
    """Crop a box from an RGB picture, degrade it with H2L, restore it with L2H, judge the result.

    Args:
        image: the picture.
        box: (x, y, side) in its pixels.
        l2h: weights, as in `load_weights`.
        h2l: the stage one that it was trained with.
        is_lo: the box is an LR image already: it is reduced to 16x16 and restored, not degraded.
        seed: of the noise z.

    Returns:
        The pictures, the trust and its words.

    Raises:
        HLError: for a box that leaves the picture or is smaller than the network's input.
    """
    restorer, degrader = pair_of_networks(l2h, h2l, "cpu")
    x, y, side = box
    if x < 0 or y < 0 or side < 1 or x + side > image.width or y + side > image.height:
        raise HLError(
            f"box must lie inside the picture of {image.width}x{image.height}, got "
            f"{side}x{side} at {x}, {y}"
        )
    face = image.crop((x, y, x + side, y + side))
    if is_lo:
        lo = as_picture(fit(face, restorer.cfg.size_lo))[None]
        pictures = {"your box, reduced": lo[0]}
    else:
        hi = as_picture(fit(face, restorer.cfg.size_hi))[None]
        lo = degrade(degrader, hi, seed=seed)[:, 0]
        pictures = {"your box": hi[0], "degraded by H2L": lo[0]}
    judged = trust(restorer, degrader, lo)
    score, grade, doubtful = judged.score.item(), judged.grade.item(), bool(judged.doubtful)
    words = (
        f"Trust {score:+.1f}: of the shipped camera's pictures, {grade:.0%} are trusted less. "
        + ("⚠ Doubtful: the networks contradict themselves on this picture. " if doubtful else "")
        + INVENTED
    )
    return Restored(pictures | {"restored by L2H": judged.restored[0]}, score, doubtful, words)


def as_picture(image: Image.Image) -> Tensor:
    """An RGB picture as float (3, h, w) in [-1, 1]."""
    return to_float(pil_to_tensor(image))


def own_photograph(static: Figure, l2h: Weights = "l2h", h2l: Weights = "h2l") -> None:
    """Show a figure, and where a person is watching, try it on a photograph of one's own.

    An upload button, a box to drag over the face, and the result.

    Args:
        static: the figure for everybody.
        l2h: weights, as in `load_weights`.
        h2l: the stage one that it was trained with.
    """
    viz.show(static)
    if not front_end():
        return
    import ipywidgets as w
    from IPython.display import display

    from .browser import FaceBox

    custom_widgets()
    networks = pair_of_networks(l2h, h2l, "cpu")
    upload = w.FileUpload(accept="image/*", description="your photograph", layout={"width": "16em"})
    kind = w.RadioButtons(
        options={"HR: degrade it first": False, "LR already: restore it as it is": True},
        description="The face is",
        style={"description_width": "initial"},
        layout={"width": "32em"},
    )
    go = w.Button(
        description="restore the box",
        button_style="primary",
        disabled=True,
        layout={"width": "16em"},
    )
    square, shown, held = FaceBox(alt="your photograph"), w.HTML(), {}
    square.layout.display = "none"

    def loaded(change: dict) -> None:
        if not change["new"]:  # just taken out
            return
        file = change["new"][0]
        # A saved notebook stores the state of its widgets, and with it the file and its GPS: it
        # leaves the widget before anything else is done.
        upload.value = ()
        try:
            image = held["image"] = read_image(io.BytesIO(file["content"]), name=file["name"])
        except HLError as error:
            shown.value = escape(printable(error))
            return
        side = min(image.size)
        small = image.copy()
        small.thumbnail((SHOWN, SHOWN))
        square.size = list(image.size)
        square.box = [
            (image.width - side * 2 // 3) // 2,
            (image.height - side * 2 // 3) // 3,
            side * 2 // 3,
        ]
        square.picture = address(small)
        square.layout.display, go.disabled, shown.value = None, False, ""

    def restore(_: object) -> None:
        try:
            x, y, side = square.box
            found = restored_box(held["image"], (x, y, side), *networks, is_lo=kind.value)
            shown.value = (
                captioned(found.pictures, 192, "from your photograph")
                + f'<p style="line-height:1.4">{escape(found.words)}</p>'
            )
        except HLError as error:
            shown.value = escape(str(error))

    upload.observe(loaded, names="value")
    go.on_click(restore)
    display(w.VBox([upload, square, kind, go, shown]))
