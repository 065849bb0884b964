"""VGGFace2: a few large-pose faces of each of its identities."""

from __future__ import annotations

import csv
import re
from pathlib import Path, PurePosixPath

from ...errors import HLError
from ..plan import Box, Card, Face, Job, Kind, Options, Plan, rank
from ..trees import Tree

PERSON = re.compile(r"n\d{6}")

CARD = Card(
    title="VGGFace2, 3.31 million photographs of 9,131 people",
    origin="Cao, Shen, Xie, Parkhi, Zisserman, *VGGFace2: A dataset for recognising faces across "
    "pose and age*, FG 2018 (University of Oxford); photographs found on the web.",
    licence="The owners' page is no longer there. Copies are marked CC BY-NC 4.0; the photographs "
    "are not the owners'. Ask yourself whether you may hold it at all.",
    sharing="Nothing without a licence that you have read yourself.",
    getting="The owners no longer hand it out.",
    layout="`train/n000002/0001_01.jpg`, `test/...` in folders or a tar; "
    "`loose_bb_train.csv`, `loose_bb_test.csv` (quoted NAME_ID, then X, Y, W, H) for the boxes.",
    pitfalls="The paper took ten large-pose faces an identity; which ones was never published. "
    "`--poses FILE` takes your list of pictures, a line each; without it "
    "`--n-per-person` are chosen by a seed, frontal ones among them, and the notes say so.",
)


def plan(tree: Tree, options: Options) -> Plan:
    """The pictures of the pose list, or a seeded few of each identity."""
    parts = ("train", "test") if options.split == "all" else (options.split or "train",)
    made = Plan()
    wanted = poses_of(options.poses) if options.poses else None
    for part in parts:
        people: dict[str, list[str]] = {}
        for file in tree.under(part, (".jpg", ".jpeg", ".png")):
            person = PurePosixPath(file).parent.name
            if PERSON.fullmatch(person):
                people.setdefault(person, []).append(file)
        listed = tree.lists(f"loose_bb_{part}.csv")
        boxes = boxes_of(listed, made) if listed else {}
        if people and not boxes:
            made.notes.append(f"no loose_bb_{part}.csv: the middle of each picture is cut")
        for person, files in sorted(people.items()):
            for file in chosen(files, wanted, options):
                key = f"{person}/{PurePosixPath(file).stem}"
                box = boxes.get(key)
                if boxes and box is None:
                    made.skipped.append((key, f"is not in loose_bb_{part}.csv"))
                    continue
                columns = (("person", int(person[1:])),)
                name = f"{person}/{PurePosixPath(file).name}"
                made.jobs.append(Job(file, (Face(name, box, columns),)))
    if not made.jobs and not made.skipped:
        raise HLError(
            f"{tree.root} must hold {parts[0]}/n000002/0001_01.jpg ..., got none"
            f"{' that --poses names' if wanted else ''}: see docs/data.md"
        )
    if wanted is None:
        made.notes.append(
            f"{options.n_per_person} faces an identity chosen by seed {options.seed}, of any pose: "
            "give --poses FILE for the paper's large poses"
        )
    return made


def chosen(files: list[str], wanted: set[str] | None, options: Options) -> list[str]:
    """Of one person's files those on the list, or a seeded few, in the order of their names."""
    if wanted is not None:
        return [f for f in files if "/".join(PurePosixPath(f).with_suffix("").parts[-2:]) in wanted]
    ordered = sorted(files, key=lambda f: rank(options.seed, "/".join(PurePosixPath(f).parts[-2:])))
    return sorted(ordered[: options.n_per_person])


def poses_of(path: Path) -> set[str]:
    """The pictures of a pose list, as `n000002/0001_01`."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError as error:
        raise HLError(f"--poses {path} cannot be read: {error.strerror}") from error
    words = [line.split(",")[0].strip().strip('"') for line in lines]
    return {"/".join(PurePosixPath(w).with_suffix("").parts[-2:]) for w in words if "/" in w}


def boxes_of(text: str, made: Plan) -> dict[str, Box]:
    """The box of each NAME_ID; a row that is none is skipped and named."""
    boxes = {}
    for row in csv.reader(text.splitlines()):
        if not row or row[0] == "NAME_ID":
            continue
        try:
            name, (x, y, w, h) = row[0], map(float, row[1:5])
        except ValueError:
            made.skipped.append((row[0][:80], "its row must be NAME_ID, X, Y, W, H"))
            continue
        boxes[name] = (x, y, w, h)
    return boxes


VGGFACE2 = Kind(CARD, plan, splits=("train", "test", "all"), reads=("n_per_person", "poses"))
