"""The one door through which faces come in: `load_faces`, from a built-in name, a folder or a file.

`builtin` holds the shipped sets, `pictures` reads one image file, `npz` a saved FaceSet. Here they
are brought to one size, and what cannot be used is skipped, counted and named.
"""

from __future__ import annotations

import logging
import warnings
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, overload

import numpy as np

from ..errors import HLError
from ..files import user_path
from .builtin import BUILT_IN, SIZES, built_in
from .faces import FaceSet, Pairs
from .folder import Listing, input_files
from .npz import load_npz
from .pictures import MAX_SHRINK, fit, read_unnamed, size_of, to_array, to_image

log = logging.getLogger("hlgan")

N_NAMED = 5  # skipped files that the log names, of as many reasons
MIXED_UP = "did you mix up hi and lo?"


# What a built-in name gives is known to a type checker; what a path gives, only when it is read.
PairsName = Literal["faces:val", "faces:test"]
SideName = Literal[
    "faces:train-hi",
    "faces:train-lo",
    "faces:val:hi",
    "faces:val:lo",
    "faces:test:hi",
    "faces:test:lo",
]


@overload
def load_faces(
    source: PairsName, size: int | None = None, *, role: None = None, minimum: int = 2
) -> Pairs: ...
@overload
def load_faces(
    source: SideName, size: int | None = None, *, role: str | None = None, minimum: int = 2
) -> FaceSet: ...
@overload
def load_faces(
    source: str | Path,
    size: int | None = None,
    *,
    role: str,
    minimum: int = 2,
    check: bool = False,
) -> FaceSet: ...
@overload
def load_faces(
    source: str | Path,
    size: int | None = None,
    *,
    role: str | None = None,
    minimum: int = 2,
    check: bool = False,
) -> FaceSet | Pairs: ...
def load_faces(
    source: str | Path,
    size: int | None = None,
    *,
    role: str | None = None,
    minimum: int = 2,
    check: bool = False,
) -> FaceSet | Pairs:
    """Load faces from a built-in name, a folder of images, one image or an .npz file.

    Larger images are centre-cropped and reduced. Smaller, unreadable and huge ones are skipped,
    counted and logged, a line a reason.

    Args:
        source: "faces:train-hi", "faces:train-lo", "faces:val" or "faces:test"; or a path. The last
            two names hold Pairs: ":hi" or ":lo" behind them picks a side, as role does. A folder is
            read recursively, in the order of its names.
        size: side of the images, pixels; by default 64 for role "hi", 16 for role "lo", and the
            images' own without a role.
        role: "hi" or "lo", what the images are for. LR images that shrink by more than 1.5 cause a
            UserWarning: their own noise and blur, which H2L should learn, are averaged away.
        minimum: how many usable images there must be.
        check: compare every image of an .npz file with its hash, a second or so a GB.

    Returns:
        A FaceSet, or Pairs for a built-in name of two sides of which none was picked.

    Raises:
        HLError: for a wrong path, name, role or size, for fewer images than the minimum, and for
            images that fail the check.

    Source: ours.
    """
    if role not in (None, *SIZES):
        raise HLError(f"role must be 'hi' or 'lo', got {role!r}")
    if size is not None and size < 1:
        raise HLError(f"size must be at least 1 pixel, got {size}")

    # Shipped faces have their size already; another one is made only where it is asked for.
    name = str(source)
    if name.startswith("faces:"):
        shipped = built_in(name, role)
        if isinstance(shipped, FaceSet):
            return _resized(shipped, size, role)
        if size is not None:
            raise HLError(
                f"{name} holds pairs of two sizes, got size={size}: ask for {name}:hi or {name}:lo"
            )
        return shipped

    if size is None and role is not None:
        size = SIZES[role]
    path = user_path(source)
    if path.suffix == ".npz" and path.is_file():
        faces = _resized(load_npz(path, check), size, role)
    elif path.is_dir():
        faces = _read_files(input_files(path), size, role, minimum)
    elif path.is_file():
        faces = _read_files(Listing(path.parent, [path.name]), size, role, minimum)
    else:
        raise HLError(
            f"no such folder or file: {name}: give a folder of pictures, an .npz file, or one of "
            f"{', '.join(BUILT_IN)}"
        )
    _check_enough(len(faces), minimum, name, faces.skipped)
    return faces


def _read_files(listing: Listing, size: int | None, role: str | None, minimum: int) -> FaceSet:
    """The files as one set, each fitted to the size; without a size all must have the same."""
    root = listing.root
    images = np.empty((0, 3, 0, 0), np.uint8)
    names: list[str] = []
    skipped = list(listing.skipped)
    n_shrunk = n_small = 0
    if size is None:
        _check_heads(_sizes(listing), root)
    for name in listing.names:
        try:
            image = read_unnamed(root / name, 4 * size if size else None)
            n_small += min(image.size) < (size or 0)
            square = fit(image, size or min(image.size))
        except HLError as error:
            skipped.append((name, str(error)))
            continue
        if not names:  # the first image that can be used decides the size of the set
            images = np.empty((len(listing.names), 3, square.height, square.width), np.uint8)
        goal = images.shape[3]
        if size is None and image.size != (goal, goal):  # its head had said otherwise
            _check_heads({(goal, goal): names[0] if names else name, image.size: name}, root)
        n_shrunk += min(image.size) > MAX_SHRINK * goal
        images[len(names)] = to_array(square)
        names.append(name)

    mixed_up = role == "hi" and n_small > len(names)
    _check_enough(len(names), minimum, str(root), skipped, listing.n_hidden, mixed_up)
    _log_skipped(skipped, len(names) + len(skipped), root)
    if role == "lo":
        _warn_shrunk(n_shrunk, size, len(names))
    return FaceSet(images[: len(names)], tuple(names), str(root), tuple(skipped))


def sizes_of(source: str | Path) -> dict[tuple[int, int], str]:
    """The sizes of the images of a folder, or of one image, by their heads alone.

    Args:
        source: as in `load_faces`; of built-in names and .npz files nothing is known.

    Returns:
        (width, height) -> the name of the first image of that size.
    """
    path = user_path(source)
    if path.is_dir():
        return _sizes(input_files(path))
    return _sizes(Listing(path.parent, [path.name] if path.is_file() else []))


def _sizes(listing: Listing) -> dict[tuple[int, int], str]:
    sizes: dict[tuple[int, int], str] = {}
    for name in listing.names:
        with suppress(HLError):
            sizes.setdefault(size_of(listing.root / name), name)
    return sizes


def _check_heads(sizes: dict[tuple[int, int], str], root: Path) -> None:
    """Refuse images that cannot be one set before any of them is decoded."""
    first = min(next(iter(sizes), (0, 0)))
    for (width, height), name in sizes.items():
        if (width, height) != (first, first):
            raise HLError(
                f"pictures of {root} must be square and of one size where none is asked for, got "
                f"{name} of {width}x{height}: give size (64 for hi, 16 for lo)"
            )


def _log_skipped(skipped: list[tuple[str, str]], n: int, root: Path) -> None:
    """How many of n files were skipped: a line a reason, a few names each."""
    names = defaultdict(list)
    for name, why in skipped:
        names[why].append(name)
    reasons = sorted(names, key=lambda why: -len(names[why]))
    for why in reasons[:N_NAMED]:
        of = names[why]
        more = f" and {len(of) - N_NAMED} more" if len(of) > N_NAMED else ""
        log.warning(
            "skipped %d of %d files of %s: %s (%s%s)",
            len(of), n, root, why, ", ".join(of[:N_NAMED]), more,
        )  # fmt: skip
    rest = sum(len(names[why]) for why in reasons[N_NAMED:])
    if rest:
        log.warning("skipped %d of %d files of %s for other reasons", rest, n, root)


def _resized(faces: FaceSet, size: int | None, role: str | None) -> FaceSet:
    """The same set at another size, by the rules of `fit`."""
    height, width = faces.size
    if size is None or (height, width) == (size, size):
        return faces
    side = min(height, width)
    if side < size:
        raise HLError(
            f"{faces.source} must hold pictures of at least {size}x{size}, got {height}x{width}: "
            + MIXED_UP
        )
    if role == "lo" and side > MAX_SHRINK * size:
        _warn_shrunk(len(faces), size, len(faces))
    images = np.empty((len(faces), 3, size, size), np.uint8)
    for i, image in enumerate(faces.images):
        images[i] = to_array(fit(to_image(image), size))
    return FaceSet(images, faces.names, faces.source, faces.skipped)


def _warn_shrunk(n: int, size: int | None, n_all: int) -> None:
    if n:
        mixed_up = f"; {MIXED_UP}" if n == n_all else ""
        warnings.warn(
            f"{n} lo pictures shrink by more than {MAX_SHRINK} to {size}x{size}: this wipes out "
            f"the noise and blur that H2L should learn; give pictures of about that size{mixed_up}",
            UserWarning,
            stacklevel=4,  # the line that called load_faces
        )


def _check_enough(
    n: int,
    minimum: int,
    source: str,
    skipped: Sequence[tuple[str, str]],
    n_hidden: int = 0,
    mixed_up: bool = False,
) -> None:
    if n >= minimum:
        return
    facts = []
    if skipped:
        name, reason = skipped[0]
        facts.append(f"{len(skipped)} skipped, the first: {name}, {reason}")
    if n_hidden:
        facts.append(f"{n_hidden} hidden or of other programs left out")
    why = f" ({'; '.join(facts)})" if facts else ""
    remedy = MIXED_UP if mixed_up else "give a folder with more pictures"
    raise HLError(f"{source} must hold at least {minimum} usable pictures, got {n}{why}: {remedy}")
