"""What a kind of dataset says: which faces are in which files. And its card, for people."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path, PurePosixPath
from typing import cast

from ..data.pictures import MAX_SHRINK
from ..errors import HLError
from ..files import user_path
from ..text import counted
from .trees import Tree, open_tree

Box = tuple[float, float, float, float]  # x, y of the upper left corner, width, height: pixels


@dataclass(frozen=True)
class Face:
    """One face of a file.

    Attributes:
        name: what the FaceSet calls it.
        box: where it is, tightly, from brow to chin; None for the middle of the picture.
        columns: numbers to keep beside it, of the same names for each face of a plan.
    """

    name: str
    box: Box | None = None
    columns: tuple[tuple[str, int], ...] = ()

    @property
    def side(self) -> float:
        """The longer side of the box, pixels; infinite where there is none."""
        return max(self.box[2:]) if self.box else float("inf")


@dataclass(frozen=True)
class Job:
    """One file, which is read once, and its faces.

    Attributes:
        file: its name in the tree.
        faces: what is to be cut of it.
        search: the faces are not known: a detector looks for them, and `faces` is the one face
            whose name and columns they get.
    """

    file: str
    faces: tuple[Face, ...]
    search: bool = False


def face_name(file: str, k: int, n: int) -> str:
    """The name of the k-th of n faces of a file.

    >>> face_name("a/group.jpg", 0, 1), face_name("a/group.jpg", 2, 3)
    ('a/group.jpg', 'a/group#2.jpg')
    """
    if n == 1:
        return file
    path = PurePosixPath(file)
    return str(path.with_name(f"{path.stem}#{k}{path.suffix}"))


def rank(seed: int, name: str) -> str:
    """A place in a random order that depends on the seed and the name alone, on any machine."""
    return hashlib.sha256(f"{seed}/{name}".encode("utf-8", "surrogatepass")).hexdigest()


@dataclass
class Plan:
    """All that is to be read of a dataset.

    Attributes:
        jobs: the files with their faces.
        skipped: (name, reason) of what the dataset's own lists rule out.
        notes: what a user should know of the choice, a line each.
    """

    jobs: list[Job] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def n_faces(self) -> int:
        """Faces of all jobs."""
        return sum(len(job.faces) for job in self.jobs)

    def of_size(self, options: Options) -> None:
        """Leave out faces whose box is too small, and as LR, those too large for it."""
        largest = MAX_SHRINK * options.size if options.role == "lo" else float("inf")
        n_small = n_large = 0
        kept = []
        for job in self.jobs:
            faces = []
            for face in job.faces:
                n_small += face.side < options.size
                n_large += face.box is not None and face.side > largest
                if face.box is None or options.size <= face.side <= largest:
                    faces.append(face)
            if faces:
                kept.append(replace(job, faces=tuple(faces)))
        self.jobs = kept
        if n_small:
            small = counted(n_small, "face is", "faces are")
            self.notes.append(f"{small} smaller than {options.size} pixels: left out")
        if n_large:
            large = counted(n_large, "face is", "faces are")
            self.notes.append(f"{large} larger than {largest:g} pixels, too large for LR: left out")

    def at_most(self, n: int, seed: int) -> None:
        """Keep n faces, a seeded choice; 0 keeps all."""
        if n == 0 or n >= self.n_faces:
            return
        names = [face.name for job in self.jobs for face in job.faces]
        chosen = set(sorted(names, key=lambda name: rank(seed, name))[:n])
        self.notes.append(f"{n:,} of {len(names):,} faces, chosen by seed {seed}")
        kept = []
        for job in self.jobs:
            faces = tuple(face for face in job.faces if face.name in chosen)
            if faces:
                kept.append(replace(job, faces=faces))
        self.jobs = kept

    def search(self) -> None:
        """Let a detector look for the faces of each file of which no box is known."""
        unknown = [all(face.box is None for face in job.faces) for job in self.jobs]
        self.jobs = [
            replace(job, search=search) for job, search in zip(self.jobs, unknown, strict=True)
        ]
        self.notes.append(f"{sum(unknown):,} files are searched for faces")


@dataclass(frozen=True)
class Options:
    """What can be asked of a kind; each kind says which of them it reads.

    Attributes:
        role: "hi" or "lo".
        size: side of the faces, pixels.
        split: which of the owners' parts.
        seed: of every choice that is made at random.
        n: faces at most, a seeded choice; 0 takes all.
        n_per_person: faces of each identity (vggface2).
        poses: a file that lists the pictures to take, one a line (vggface2).
        boxes: a CSV of boxes (boxes).
        n_held_out: faces of the test part, whole photographs (wider).
        faces: a detector looks for the faces where the dataset has no boxes (folder, celeba, hub);
            `n` counts files then.
    """

    role: str = "hi"
    size: int = 64
    split: str | None = None
    seed: int = 0
    n: int = 0
    n_per_person: int = 10
    poses: Path | None = None
    boxes: Path | None = None
    n_held_out: int = 3000
    faces: bool = False


COMMON = ("role", "size", "seed", "n")


@dataclass(frozen=True)
class Card:
    """What a user must know of a dataset before he uses it.

    Attributes:
        title: its name and what it holds.
        origin: who made it of what.
        licence: as its owners state it.
        sharing: what of it may be passed on.
        getting: how to come by it; nothing is downloaded unasked.
        layout: the files that are read.
        pitfalls: what goes wrong with it.
    """

    title: str
    origin: str
    licence: str
    sharing: str
    getting: str
    layout: str
    pitfalls: str

    def markdown(self, kind: str) -> str:
        """The card as a section of docs/data.md."""
        lines = [f"## `{kind}`: {self.title}", ""]
        parts = [part.name for part in fields(self)[1:]]
        lines += [f"- **{name.capitalize()}**: {getattr(self, name)}" for name in parts]
        return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Kind:
    """A kind of dataset.

    Attributes:
        card: about it.
        plan: reads the tree's lists and says which faces are where.
        role: what its pictures are for, unless the user says otherwise.
        splits: the names of its parts, the usual one first; empty where it has none.
        reads: the options beyond COMMON that it reads.
        open: gets at its files.
    """

    card: Card
    plan: Callable[[Tree, Options], Plan]
    role: str = "hi"
    splits: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    open: Callable[[str | Path, Options], Tree] = lambda src, _: open_tree(src)

    def options(self, **given: object) -> Options:
        """The options with this kind's own defaults.

        Raises:
            HLError: for a wrong value, and for an option that this kind does not read.
        """
        usual = Options()
        for key, value in given.items():
            unused = value is not None and value != getattr(usual, key)
            if key not in (*COMMON, *self.reads, "split") and unused:
                flag = key.replace("_", "-")
                raise HLError(f"--{flag} {value} is not read by this kind: leave it out")
        split = given.get("split")
        if split is None and self.splits:
            given["split"] = self.splits[0]
        elif split is not None and split not in self.splits:
            known = ", ".join(self.splits) or "nothing, as this kind has no parts"
            raise HLError(f"--split must be one of {known}, got {split}")
        chosen = {key: value for key, value in given.items() if value is not None}
        for key in {"poses", "boxes"} & chosen.keys():
            chosen[key] = user_path(cast(str, chosen[key]))
        return Options(**chosen)  # type: ignore[arg-type]
