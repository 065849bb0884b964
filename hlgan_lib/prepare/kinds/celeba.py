"""CelebA, its aligned and cropped images with the owners' lists."""

from __future__ import annotations

from pathlib import PurePosixPath

import numpy as np

from ...errors import HLError
from ..cropping import box_of_points
from ..plan import Card, Face, Job, Kind, Options, Plan
from ..trees import Tree

FOLDER = "img_align_celeba"
PARTITION = "list_eval_partition.txt"
LANDMARKS = "list_landmarks_align_celeba.txt"
IDENTITY = "identity_CelebA.txt"
PARTS = {"train": "0", "val": "1", "test": "2"}

CARD = Card(
    title="CelebA, 202,599 photographs of 10,177 celebrities",
    origin="Liu, Luo, Wang, Tang, *Deep Learning Face Attributes in the Wild*, ICCV 2015 (Chinese "
    "University of Hong Kong); photographs found on the web.",
    licence="Its owners: non-commercial research only. The photographs are not theirs.",
    sharing="Nothing: neither images nor what is derived of them, but for copies inside one "
    "organisation at one site. Keep the FaceSet file to yourself.",
    getting="From the owners' page, after their agreement: `img_align_celeba.zip` and the lists.",
    layout="`img_align_celeba/000001.jpg` (178x218), in a folder or in the zip; "
    "`list_eval_partition.txt` is needed for `--split`, `list_landmarks_align_celeba.txt` for a "
    "tight crop, `identity_CelebA.txt` adds the column `person`. The lists may lie beside the zip.",
    pitfalls="`list_bbox_celeba.txt` and `list_landmarks_celeba.txt` belong to the uncropped "
    "images and are not read. Without landmarks the middle of each picture is cut, which is wider "
    "than a detector's box. The splits are disjoint by person, a share of it at random is not.",
)


def plan(tree: Tree, options: Options) -> Plan:
    """Every image of the split, cropped by its landmarks where the list is there."""
    files = tree.under(FOLDER, (".jpg", ".png"))
    if not files:
        raise HLError(f"{tree.root} must hold {FOLDER}/000001.jpg ..., got none: see docs/data.md")
    made = Plan()

    # The owners' lists, each of which may be missing where nothing depends on it.
    part_of: dict[str, str] = {}
    if options.split != "all":
        part_of = pairs_of(tree.need(PARTITION, "which images are of which split"))
    landmarks = tree.lists(LANDMARKS)
    points = points_of(landmarks) if landmarks else {}
    if not points:
        made.notes.append(f"no {LANDMARKS}: the middle of each picture is cut")
    identities = tree.lists(IDENTITY)
    person_of = pairs_of(identities) if identities else {}

    for file in files:
        name = PurePosixPath(file).name
        listed = f"{PurePosixPath(file).stem}.jpg"  # the lists say .jpg of the .png images too
        if options.split != "all" and part_of.get(listed) != PARTS[options.split or ""]:
            continue
        box = None
        if points:
            if listed not in points:
                made.skipped.append((name, f"is not in {LANDMARKS}"))
                continue
            box = box_of_points(points[listed])
        columns = (("person", int(person_of.get(listed, -1))),) if person_of else ()
        made.jobs.append(Job(file, (Face(name, box, columns),)))
    return made


def pairs_of(text: str) -> dict[str, str]:
    """`000001.jpg 0` a line, as a dictionary; other lines are left out."""
    rows = (line.split() for line in text.splitlines())
    return {row[0]: row[1] for row in rows if len(row) == 2 and row[1].lstrip("-").isdigit()}


def points_of(text: str) -> dict[str, np.ndarray]:
    """Five points a line behind the file's name, (5, 2); the two lines of heads are left out."""
    points = {}
    for line in text.splitlines():
        name, *numbers = line.split() or [""]
        if len(numbers) == 10 and all(n.lstrip("-").isdigit() for n in numbers):
            points[name] = np.array(numbers, float).reshape(5, 2)
    return points


CELEBA = Kind(CARD, plan, splits=("all", *PARTS), reads=("faces",))
