"""The paper's three sets, composed of whatever is there, beside the paper's counts.

HR: 60,000 faces of CelebA, and AFLW, LS3D-W and ten faces of each identity of VGGFace2, 182,866
together. LR: more than 50,000 small faces of WIDER FACE, and 3,000 more held out as a test set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..data.npz import load_npz
from ..data.storage import BLOCK, ImageFile, load_about
from ..errors import HLError
from ..files import atomic, out_folder
from . import plan_of, prepare_file
from .pool import Progress

N_CELEBA = 60_000


@dataclass(frozen=True)
class Part:
    """One source of one of the three files.

    Attributes:
        kind: the kind of dataset.
        goal: the file that it goes into: hi, lo or lo-test.
        options: what is asked of the kind.
        stated: the paper's number of faces; 0 where it gives none.
    """

    kind: str
    goal: str
    options: tuple[tuple[str, Any], ...] = ()
    stated: int = 0


PARTS = (
    Part("celeba", "hi", (("n", N_CELEBA),), N_CELEBA),
    Part("aflw", "hi"),
    Part("ls3dw", "hi"),
    Part("vggface2", "hi", (("n_per_person", 10),)),
    Part("wider", "lo", (("split", "train"),), 50_000),
    Part("wider", "lo-test", (("split", "test"),), 3000),
)
STATED = {"hi": 182_866, "lo": 50_000, "lo-test": 3000}
ROLES = {"hi": "hi", "lo": "lo", "lo-test": "lo"}


@dataclass(frozen=True)
class Row:
    """A line of the composition.

    Attributes:
        goal: hi, lo or lo-test.
        kind: the source, or "together".
        n: its faces; None where the source was not given.
        stated: the paper's number; 0 where it gives none.
        notes: what a user should know of the choice.
    """

    goal: str
    kind: str
    n: int | None
    stated: int
    notes: tuple[str, ...] = ()


def files_of(sources: Mapping[str, Path | None], out: Path) -> list[Path]:
    """The files that `prepare_paper` writes: of each source given, and each goal."""
    parts = [part for part in PARTS if sources.get(part.kind) is not None]
    goals = dict.fromkeys(part.goal for part in parts)
    return [*(_path_of(part, out) for part in parts), *(out / f"{goal}.npz" for goal in goals)]


def _path_of(part: Part, out: Path) -> Path:
    return out / "parts" / f"{part.goal}-{part.kind}.npz"


def prepare_paper(
    sources: Mapping[str, Path | None],
    out: str | Path,
    *,
    seed: int = 0,
    n_held_out: int = 3000,
    poses: Path | None = None,
    workers: int | None = None,
    progress: Progress = iter,
    wrote: Callable[[Path], None] = lambda path: None,
) -> list[Row]:
    """Make hi.npz, lo.npz and lo-test.npz of the sources that are given.

    Each source is a file of its own in OUT/parts, so a run that was stopped goes on; then they are
    joined. A part that is there is not made again: delete it to have it anew.

    Args:
        sources: kind -> its folder or archive; None, or no entry, where there is none.
        out: the folder.
        seed: of every choice made at random.
        n_held_out: LR faces of the test part.
        poses: VGGFace2's list of pictures, one a line.
        workers: processes, as in `prepare_file`.
        progress: shows how far the work is.
        wrote: is given each part once it is there.

    Returns:
        The composition, a row a source and a row a file.

    Raises:
        HLError: where no source is given, and as `prepare_file`.
    """
    given = {kind: src for kind, src in sources.items() if src is not None}
    if not given:
        flags = ", ".join(f"--{kind}" for kind in dict.fromkeys(part.kind for part in PARTS))
        raise HLError(f"hlgan prepare paper needs at least one of {flags}, got none")
    out = out_folder(out)
    asked = {}
    for part in (part for part in PARTS if part.kind in given):
        options = dict(part.options) | {"seed": seed, "role": ROLES[part.goal]}
        if part.kind == "wider":
            options["n_held_out"] = n_held_out
        if part.kind == "vggface2" and poses:
            options["poses"] = poses
        asked[part] = options
        # The last source is looked at before the first is read, which takes hours.
        if not _path_of(part, out).is_file():
            try:
                plan_of(part.kind, given[part.kind], **options)
            except HLError as error:
                raise HLError(f"--{part.kind}: {error}") from error
    rows = []
    for goal, stated in STATED.items():
        made: list[Path] = []
        total = 0
        for part in (part for part in PARTS if part.goal == goal):
            if part not in asked:
                rows.append(Row(goal, part.kind, None, part.stated))
                continue
            path = _path_of(part, out)
            n, notes = make_part(part.kind, given[part.kind], path, asked[part], workers, progress)
            wrote(path)
            rows.append(Row(goal, part.kind, n, part.stated, tuple(notes)))
            made.append(path)
            total += n
        if made:
            join(made, out / f"{goal}.npz")
        rows.append(Row(goal, "together", total if made else None, stated))
    return rows


def make_part(
    kind: str,
    src: Path,
    path: Path,
    options: dict[str, Any],
    workers: int | None,
    progress: Progress,
) -> tuple[int, list[str]]:
    """One source as a file: how many faces, and notes. A file that is there already stays."""
    if path.is_file():
        about = load_about(path)
        same = about.get("src") == str(src) and about.get("seed") == options["seed"]
        if same:
            return len(load_npz(path)), [*about["notes"], f"{path} was there already"]
    made = prepare_file(kind, src, path, workers=workers, progress=progress, **options)
    return made.n, made.notes


def join(parts: list[Path], out: Path) -> None:
    """Several FaceSet files as one; each name gets that of its part in front."""
    sets = {path: load_npz(path) for path in parts}
    names = []
    for path, faces in sets.items():
        kind = path.stem.rpartition("-")[2]
        names += [f"{kind}/{name}" for name in faces.names]

    def write(file: Any) -> None:
        held = ImageFile(file, sets[parts[0]].size)
        for faces in sets.values():
            for first in range(0, len(faces), BLOCK):
                held.append(faces.images[first : first + BLOCK])
        held.seal(names, {"kind": "paper", "parts": [path.name for path in parts]})

    atomic(out, write)


def composition(rows: list[Row]) -> str:
    """The rows as a text of aligned lines, and what is missing."""
    lines = [f"{'file':9}{'source':10}{'faces':>10}{'paper':>12}"]
    for row in rows:
        n = "missing" if row.n is None else f"{row.n:,}"
        stated = f"{row.stated:,}" if row.stated else "not stated"
        lines.append(f"{row.goal:9}{row.kind:10}{n:>10}{stated:>12}")
    for row in rows:
        lines += [f"{row.goal} {row.kind}: {note}" for note in row.notes]
    missing = dict.fromkeys(row.kind for row in rows if row.n is None and row.kind != "together")
    if missing:
        lines.append(f"missing: {', '.join(missing)}; docs/data.md says how to get them")
    return "\n".join(lines)
