"""Real datasets into FaceSet files, each kind read in its owners' own layout.

- `trees`: a folder, or a zip or tar read in place.
- `plan`: what a kind says: which faces are where; its card.
- `kinds`: one module a dataset.
- `cropping`: from a file to its faces. `detector` finds them where no box is known.
- `photograph`: the faces of one photograph, numbered.
- `pool`: many files at once, stopped and gone on with.
- `paper`: the paper's sets, composed of what is there.

Nothing here imports torch before a set is loaded again, so the processes of the pool stay small.
"""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ..data.pictures import MAX_SHRINK
from ..errors import HLError
from ..files import atomic, user_path
from ..text import shown
from .detector import check_detector
from .kinds import KINDS
from .pool import Made, Progress, make_file

if TYPE_CHECKING:
    from ..data.faces import FaceSet
    from .plan import Options, Plan
    from .trees import Tree

log = logging.getLogger("hlgan")

SIZES = {"hi": 64, "lo": 16}
N_SHEET = 64  # pictures on a contact sheet
SHEET_TILE = 64  # pixels a side that small ones are enlarged to
SHEET_GAP = 2
N_NAMED = 5  # skipped files that the log names


def prepare(
    kind: str,
    src: str | Path,
    out: str | Path,
    *,
    role: str | None = None,
    size: int | None = None,
    contact_sheet: str | Path | None = None,
    workers: int | None = None,
    **options: Any,
) -> FaceSet:
    """Read a dataset in its owners' layout and write it as a FaceSet file, which is returned.

    Arguments and errors are those of `prepare_file`.
    """
    from ..data.npz import load_npz

    made = prepare_file(
        kind,
        src,
        out,
        role=role,
        size=size,
        contact_sheet=contact_sheet,
        workers=workers,
        **options,
    )
    return load_npz(made.path)


def prepare_file(
    kind: str,
    src: str | Path,
    out: str | Path,
    *,
    role: str | None = None,
    size: int | None = None,
    contact_sheet: str | Path | None = None,
    workers: int | None = None,
    progress: Progress = iter,
    **options: Any,
) -> Made:
    """Read a dataset in its owners' layout and write it as a FaceSet file.

    A run that was stopped goes on. Nothing is enlarged, and nothing is downloaded but by the kind
    hub, whose SRC asks for it.

    Args:
        kind: a name of KINDS.
        src: the dataset's folder, zip or tar; of the kind hub, the dataset's name.
        out: the .npz file.
        role: "hi" (HR; by default 64 pixels) or "lo" (LR; 16); by default the kind's own.
        size: side of the faces, pixels.
        contact_sheet: also a PNG of 64 evenly spaced faces.
        workers: processes; 0 works in this one, None takes one a core where it pays.
        progress: wraps the pieces, to show how far the work is.
        options: further fields of `plan.Options` that the kind reads.

    Returns:
        What was made: counts, skipped files with reasons, notes.

    Raises:
        HLError: before anything is written where an input or an output cannot be right.
    """
    out = checked_out(out, contact_sheet)
    tree, plan, asked = plan_of(kind, src, role=role, size=size, **options)
    if asked.faces:
        plan.search()
        _some(src, plan.n_faces, plan.skipped)

    # ... and the reading.
    about = {"kind": kind, "src": str(src)}
    about |= {key: getattr(asked, key) for key in ("role", "size", "split", "seed")}
    made = make_file(tree, plan, asked.size, out, about, workers, progress)
    _some(src, made.n, made.skipped)
    report(made, str(src), asked.role)
    if contact_sheet:
        save_contact_sheet(user_path(contact_sheet), made.path)
    return made


def plan_of(
    kind: str,
    src: str | Path,
    *,
    role: str | None = None,
    size: int | None = None,
    **options: Any,
) -> tuple[Tree, Plan, Options]:
    """What would be read of a dataset; looks at its lists and names, not at its pictures.

    Args as `prepare_file`.

    Returns:
        The dataset, the faces to read of it, and the options with their defaults.

    Raises:
        HLError: where it is not there, or not in the layout of its kind.
    """
    if kind not in KINDS:
        raise HLError(f"KIND must be one of {', '.join(KINDS)}, got {kind!r}")
    chosen = KINDS[kind]
    role = role or chosen.role
    if role not in SIZES:
        raise HLError(f"role must be 'hi' or 'lo', got {role!r}")
    size = SIZES[role] if size is None else size
    if size < 1:
        raise HLError(f"--size must be at least 1 pixel, got {size}")
    asked = chosen.options(role=role, size=size, **options)
    if asked.faces:
        check_detector()
    tree = chosen.open(src, asked)
    plan = chosen.plan(tree, asked)
    plan.of_size(asked)
    plan.at_most(asked.n, asked.seed)
    if not asked.faces:  # else they have yet to be found
        _some(src, plan.n_faces, plan.skipped)
    return tree, plan, asked


def _some(src: str | Path, n: int, skipped: list[tuple[str, str]]) -> None:
    """Raise HLError where nothing is left, and say why of the first that was skipped."""
    if not n:
        raise HLError(f"{src} must hold usable pictures, got none{first_of(skipped)}")


def checked_out(out: str | Path, contact_sheet: str | Path | None) -> Path:
    """The path to write to. Raises HLError where it, or that of the sheet, cannot be right."""
    out = user_path(out)
    if out.suffix != ".npz":
        raise HLError(f"--out must end in .npz, got {out}")
    if contact_sheet and user_path(contact_sheet).suffix.lower() != ".png":
        raise HLError(f"--contact-sheet must end in .png, got {contact_sheet}")
    for path in (out, contact_sheet):
        if path is not None and user_path(path).is_dir():
            raise HLError(f"{path} is a folder: give the name of a file")
    return out


def report(made: Made, src: str, role: str) -> None:
    """Log what was left out, and warn where LR pictures lost what H2L should learn."""
    if made.skipped:
        named = ", ".join(shown(name) for name, _ in made.skipped[:N_NAMED])
        more = " ..." if len(made.skipped) > N_NAMED else ""
        log.warning(
            "skipped %d of %d in %s: %s%s",
            len(made.skipped),
            len(made.skipped) + made.n,
            src,
            named,
            more,
        )
        for name, reason in made.skipped[:N_NAMED]:
            log.info("skipped %s: %s", shown(name), shown(reason))
    if role == "lo" and made.n_shrunk:
        warnings.warn(
            f"{made.n_shrunk} lo pictures shrink by more than {MAX_SHRINK} to "
            f"{made.size}x{made.size}: this wipes out the noise and blur that H2L should learn; "
            "give pictures of about that size",
            UserWarning,
            stacklevel=3,
        )


def first_of(skipped: list[tuple[str, str]]) -> str:
    """The first reason, in brackets."""
    if not skipped:
        return ""
    name, reason = skipped[0]
    return f" ({len(skipped)} skipped, the first: {shown(name)}, {shown(reason)})"


def save_contact_sheet(path: Path, faces: Path) -> None:
    """Write a PNG of evenly spaced faces of a FaceSet file."""
    from ..data.npz import load_npz

    sheet = Image.fromarray(contact(load_npz(faces).images))
    atomic(path, lambda file: sheet.save(file, "png"))


def contact(images: np.ndarray, n: int = N_SHEET) -> np.ndarray:
    """n evenly spaced images, nothing selected, uint8 (N, 3, s, s) -> uint8 (H, W, 3).

    Small images are enlarged without smoothing.
    """
    chosen = np.unique(np.linspace(0, len(images) - 1, min(n, len(images))).astype(int))
    factor = max(1, SHEET_TILE // images.shape[2])
    side = images.shape[2] * factor
    pitch = side + SHEET_GAP
    n_across = max(1, int(len(chosen) ** 0.5))
    n_down = -(-len(chosen) // n_across)
    sheet = np.full((SHEET_GAP + n_down * pitch, SHEET_GAP + n_across * pitch, 3), 255, np.uint8)
    for k, index in enumerate(chosen):
        tile = images[index].transpose(1, 2, 0).repeat(factor, 0).repeat(factor, 1)
        y, x = SHEET_GAP + k // n_across * pitch, SHEET_GAP + k % n_across * pitch
        sheet[y : y + side, x : x + side] = tile
    return sheet
