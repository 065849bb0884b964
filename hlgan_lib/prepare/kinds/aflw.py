"""AFLW: faces in the wild, their boxes in a database."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...errors import HLError
from ..plan import Card, Face, Job, Kind, Options, Plan
from ..trees import Tree

DATABASE = "aflw.sqlite"
QUERY = """
    SELECT FaceImages.filepath, Faces.face_id, FaceRect.x, FaceRect.y, FaceRect.w, FaceRect.h
    FROM Faces
    JOIN FaceImages ON FaceImages.file_id = Faces.file_id
    LEFT JOIN FaceRect ON FaceRect.face_id = Faces.face_id
    ORDER BY FaceImages.filepath, Faces.face_id
"""

CARD = Card(
    title="AFLW, about 25,000 annotated faces of 21,000 photographs",
    origin="Köstinger, Wohlhart, Roth, Bischof, *Annotated Facial Landmarks in the Wild*, ICCV "
    "Workshops 2011 (TU Graz); photographs from Flickr.",
    licence="Its owners: non-commercial research, after an agreement signed with TU Graz.",
    sharing="Nothing.",
    getting="By request to the owners: the images and `aflw.sqlite`.",
    layout="`data/aflw.sqlite` and `data/flickr/{0,2,3}/image00002.jpg`; the boxes by joining "
    "FaceImages, Faces and FaceRect.",
    pitfalls="A photograph may show several faces; a face may lack a box (skipped, named); boxes "
    "leave the photograph; some photographs of the database are missing from the archives.",
)


def plan(tree: Tree, options: Options) -> Plan:
    """Every face of the database whose photograph is there."""
    made = Plan()
    found = tree.find(DATABASE)
    if found is None:
        raise HLError(f"{tree.root} must hold {DATABASE} (the boxes), got none: see docs/data.md")
    by_file: dict[str, list[Face]] = {}
    for path, face_id, *box in rows_of(tree, found):
        name = f"{path.rpartition('.')[0]}#{face_id}.{path.rpartition('.')[2]}"
        file = tree.find(f"flickr/{path}") or tree.find(path)
        if file is None:
            made.skipped.append((name, "its photograph is missing"))
        elif None in box:
            made.skipped.append((name, "has no box in FaceRect"))
        else:
            x, y, w, h = map(float, box)
            by_file.setdefault(file, []).append(Face(name, (x, y, w, h)))
    made.jobs = [Job(file, tuple(faces)) for file, faces in by_file.items()]
    return made


def rows_of(tree: Tree, name: str) -> list[tuple]:
    """The rows of QUERY."""
    with on_disk(tree, name) as path:
        try:
            base = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
            try:
                rows = base.execute(QUERY).fetchall()
            finally:
                base.close()
        except sqlite3.Error as error:
            raise HLError(f"{name} must be AFLW's database, got: {error}") from error
    return [row for row in rows if isinstance(row[0], str) and "." in row[0]]


@contextmanager
def on_disk(tree: Tree, name: str) -> Iterator[Path]:
    """The file as SQLite can open it: of an archive, a copy that is deleted afterwards."""
    path = tree.path(name)
    if path is not None:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, DATABASE)
        copy.write_bytes(tree.read(name))
        yield copy


AFLW = Kind(CARD, plan)
