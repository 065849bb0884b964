"""Which files of a folder are its pictures, and that outputs never become inputs.

A folder of photographs holds what programs left there: previews, checkpoints of notebooks, the
trash. A preview trained on as one more face is a fault that no number shows.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import HLError
from ..files import user_path

# Folders and files of programs, beside all whose names begin with a dot.
NOT_PICTURES = frozenset(
    ("@eadir", "#recycle", "#snapshot", "$recycle.bin", "__macosx", "lost+found", "thumbs.db")
    + ("desktop.ini", "system volume information", "ehthumbs.db")
)

# The end of the names of what hlgan draws beside the pictures that it writes: no picture of them.
OVERVIEW = "hlgan-sheet.png"


@dataclass
class Listing:
    """What a folder holds; names are relative to it, with `/` between their parts.

    Attributes:
        root: the folder.
        names: of the files that may be pictures, in order.
        skipped: (name, reason) of what cannot be read.
        n_hidden: how many hidden files and folders, caches and trash were left out.
    """

    root: Path
    names: list[str] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    n_hidden: int = 0


def input_files(root: Path) -> Listing:
    """The files of a folder and its sub-folders, links followed, in the order of their names.

    Left out are hidden files and folders, the caches, previews and trash of other programs. A
    linked folder is read like another, but no folder twice: a link that leads back, or to a folder
    that is read anyway, is skipped and named. Source: ours.

    Args:
        root: a folder.

    Returns:
        The listing.
    """
    listing = Listing(root)
    seen: set[str] = set()
    links = [root]
    while links:  # the folders themselves first, so that a link never takes their names
        found = []
        for link in links:
            if link != root and os.path.realpath(link) in seen:
                why = "a link to a folder that is read already"
                listing.skipped.append((_name(link, root), why))
            else:
                found += _walk(link, root, listing, seen)
        links = sorted(found)
    listing.names.sort()
    listing.skipped.sort()
    return listing


def _walk(folder: Path, root: Path, listing: Listing, seen: set[str]) -> list[Path]:
    """List a folder and those below it; the linked folders are returned."""

    def unreadable(error: OSError) -> None:
        listing.skipped.append((_name(Path(error.filename), root), str(error.strerror)))

    links = []
    for place, folders, files in os.walk(folder, onerror=unreadable):
        seen.add(os.path.realpath(place))
        here = Path(place)
        before = "" if here == root else f"{_name(here, root)}/"
        own = []
        for name in folders:
            if is_hidden(name):
                listing.n_hidden += 1
            elif (here / name).is_symlink():
                links.append(here / name)
            elif os.path.realpath(here / name) in seen:  # within a folder that was linked
                listing.skipped.append((before + name, "a folder that is read already"))
            else:
                own.append(name)
        folders[:] = own
        for name in files:
            path = os.path.join(place, name)
            if is_hidden(name):
                listing.n_hidden += 1
            elif os.path.isfile(path):
                listing.names.append(before + name)
            else:
                why = "a link that leads nowhere" if os.path.islink(path) else "not a file"
                listing.skipped.append((before + name, why))
    return links


def is_hidden(name: str) -> bool:
    """Whether a file or folder of that name is hidden, or of a program's own, such as ours."""
    return name.startswith(".") or name.lower() in NOT_PICTURES or name.endswith(OVERVIEW)


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def check_apart(out: str | Path, *sources: str | Path | None, flag: str = "--out") -> None:
    """Check that what is written does not lie in a folder of inputs, links resolved.

    Args:
        out: a folder or file that is to be written; it need not exist.
        sources: where pictures are read from; built-in names and None are passed over.
        flag: what the error calls out.

    Raises:
        HLError: where it does: the next run would take outputs for inputs.
    """
    real = Path(os.path.realpath(user_path(out)))
    for source in sources:
        if source is None or str(source).startswith("faces:"):
            continue
        given = Path(os.path.realpath(user_path(source)))
        # A picture's own folder holds inputs too; what lies below it does not.
        nested = given == real or given in real.parents if given.is_dir() else given.parent == real
        if nested:
            raise HLError(
                f"{flag} {out} lies in the folder of the inputs, {source}: choose another, or the "
                "next run would take its outputs for inputs"
            )


def check_no_input(paths: Sequence[Path], inputs: Iterable[Path]) -> None:
    """Check that no path that is to be written is an input, links resolved.

    Raises:
        HLError: where one is.
    """
    taken = {os.path.realpath(path) for path in inputs}
    for path in paths:
        if os.path.realpath(path) in taken:
            raise HLError(f"{path} is one of the inputs: choose another --out, so that it stays")
