"""Kinds that need no list of their own: folders, LFW, FFHQ, the authors' archive; and a CSV."""

from __future__ import annotations

import csv
from pathlib import PurePosixPath

from ...errors import HLError
from ..plan import Card, Face, Job, Kind, Options, Plan, face_name
from ..trees import FolderTree, Tree

PICTURES = (".jpg", ".jpeg", ".png")
LFW_BOX = (68.0, 68.0, 114.0, 114.0)  # the detector's box, enlarged 2.2 times, is the 250x250 image
FFHQ_TRAIN = 60_000  # the owners: the first 60,000 are for training
AUTHORS_PARTS = {("hi", "train"): "HIGH", ("lo", "train"): "LOW", ("lo", "test"): "testset"}
BOX_COLUMNS = ("file", "x", "y", "w", "h")


def whole(files: list[str]) -> Plan:
    """The middle of each file."""
    return Plan([Job(file, (Face(file),)) for file in files])


# ---- your own ------------------------------------------------------------------------------------
def folder(tree: Tree, options: Options) -> Plan:
    """Every file of the tree; what is no picture is skipped and named."""
    return whole(tree.files)


FOLDER = Kind(
    Card(
        title="any pictures",
        origin="yours: faces, or any other object that fills its pictures.",
        licence="Yours to know.",
        sharing="As far as the people in the pictures and their photographers agree.",
        getting="Put them into a folder, a zip or a tar. Sub-folders are read too.",
        layout="any format that Pillow reads. The middle of each picture is cut as a square and "
        "reduced. `--role lo` for LR.",
        pitfalls="A photograph of a room is no face: `--faces` looks for the faces of each picture "
        "(needs the extra `faces`), `hlgan prepare boxes` takes boxes of your own. "
        "Smaller pictures are skipped, as enlarging invents detail. LR pictures should have "
        "about 16 pixels already.",
    ),
    folder,
    reads=("faces",),
)


def boxes(tree: Tree, options: Options) -> Plan:
    """The faces of a CSV with the columns file, x, y, w, h; other whole numbers are kept beside."""
    if options.boxes:
        text = FolderTree(options.boxes.parent).text(options.boxes.name)
    else:
        text = tree.need("boxes.csv", "or give --boxes FILE")
    rows = csv.DictReader(text.splitlines())
    heads = {head.strip().lower(): head for head in rows.fieldnames or ()}
    missing = [name for name in BOX_COLUMNS if name not in heads]
    if missing:
        raise HLError(f"the CSV must have the columns file,x,y,w,h, got no {', '.join(missing)}")
    others = [name for name in heads if name not in BOX_COLUMNS]

    made = Plan()
    by_file: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        by_file.setdefault(str(row[heads["file"]]).strip(), []).append(row)
    for listed, held in by_file.items():
        file = tree.find(listed)
        if file is None:
            made.skipped.append((listed, "is not in the folder"))
            continue
        faces = []
        for k, row in enumerate(held):
            name = face_name(file, k, len(held))
            try:
                x, y, w, h = (float(row[heads[head]]) for head in BOX_COLUMNS[1:])
                columns = tuple((other, int(row[heads[other]])) for other in others)
            except (TypeError, ValueError):
                made.skipped.append((name, f"its row must be numbers, got {list(row.values())}"))
                continue
            faces.append(Face(name, (x, y, w, h), columns))
        if faces:
            made.jobs.append(Job(file, tuple(faces)))
    return made


BOXES = Kind(
    Card(
        title="any pictures with a CSV of boxes",
        origin="yours, or a detector's.",
        licence="Yours to know.",
        sharing="As far as the people in the pictures and their photographers agree.",
        getting="Any detector or labelling tool writes such a file.",
        layout="pictures and `boxes.csv` (or `--boxes FILE`) with the columns `file,x,y,w,h`, "
        "pixels, a line a face; further columns of whole numbers are kept beside the faces.",
        pitfalls="Boxes are tight, brow to chin; the square is as wide as their longer side. Those "
        "outside the picture, of no area or smaller than `--size` are skipped and named.",
    ),
    boxes,
    reads=("boxes",),
)


# ---- collections of faces ------------------------------------------------------------------------
def lfw(tree: Tree, options: Options) -> Plan:
    """Each person's pictures, cut where the owners' detector saw the face."""
    made = Plan()
    for file in tree.files:
        path = PurePosixPath(file)
        named = path.stem.rpartition("_")[0] == path.parent.name and path.parent.name
        if named and file.lower().endswith(PICTURES):
            made.jobs.append(Job(file, (Face("/".join(path.parts[-2:]), LFW_BOX),)))
    if not made.jobs:
        raise HLError(f"{tree.root} must hold NAME/NAME_0001.jpg ..., got none: see docs/data.md")
    return made


LFW = Kind(
    Card(
        title="LFW, 13,233 photographs of 5,749 people",
        origin="Huang, Ramesh, Berg, Learned-Miller, *Labeled Faces in the Wild*, 2007 "
        "(University of Massachusetts); photographs from news.",
        licence="Its owners state none; the photographs belong to news agencies.",
        sharing="Nothing beyond the owners' own archive.",
        getting="From the owners' page (`lfw.tgz`), or one of its copies.",
        layout="`lfw/Aaron_Eckhart/Aaron_Eckhart_0001.jpg`, 250x250, in a folder or the `.tgz`; "
        "`lfw_funneled` and `lfw-deepfunneled` too.",
        pitfalls="The owners enlarged a detector's box 2.2 times, so the middle 114 are cut. "
        "Mostly public figures of the 2000s; its owners warn that many groups are missing.",
    ),
    lfw,
)


def ffhq(tree: Tree, options: Options) -> Plan:
    """The thumbnails, or the large images, of the split."""
    files = tree.under("thumbnails128x128", PICTURES) or tree.under("images1024x1024", PICTURES)
    files = [file for file in files if PurePosixPath(file).stem.isdigit()]
    if not files:
        raise HLError(
            f"{tree.root} must hold thumbnails128x128/00000/00000.png ..., got none: see "
            "docs/data.md"
        )
    if options.split != "all":
        train = options.split == "train"
        files = [f for f in files if (int(PurePosixPath(f).stem) < FFHQ_TRAIN) == train]
    return whole(files)


FFHQ = Kind(
    Card(
        title="FFHQ, 70,000 photographs of faces",
        origin="Karras, Laine, Aila, *A Style-Based Generator Architecture for GANs*, CVPR 2019 "
        "(NVIDIA); photographs from Flickr.",
        licence="The collection CC BY-NC-SA 4.0; each photograph under its own: CC BY 2.0, CC "
        "BY-NC 2.0, public domain or U.S. Government Works.",
        sharing="Not for gain, with credit, changes marked, under the same licence. People may ask "
        "to be taken out: keep your copy current.",
        getting="From the owners' repository (`ffhq-dataset`): the 128x128 thumbnails are enough.",
        layout="`thumbnails128x128/00000/00000.png` (or without the inner folders), else "
        "`images1024x1024`; numbers below 60,000 are `--split train`, the others `val`.",
        pitfalls="The frame is wider than a tight box: brow to chin fills about 0.7 of it. Train "
        "HR and LR of one framing.",
    ),
    ffhq,
    splits=("all", "train", "val"),
)


def authors(tree: Tree, options: Options) -> Plan:
    """HIGH, LOW or testset, as the authors' archive unpacks."""
    part = AUTHORS_PARTS.get((options.role, options.split or "train"))
    if part is None:
        raise HLError("the authors' test set is LR only: give --role lo, or --split train")
    files = tree.under(part, PICTURES)
    if not files:
        raise HLError(f"{tree.root} must hold {part}/... (the authors' archive), got none")
    if options.role == "lo" and part == "LOW":
        # Their LR faces alone, where the folder holds more.
        files = [file for file in files if "/wider_lnew/" in f"/{file}"] or files
    made = whole(files)
    if part == "HIGH":
        kept = [job for job in made.jobs if "/HIGH/" in f"/{job.file}"]
        counts: dict[str, int] = {}
        for job in kept:
            inner = PurePosixPath(f"/{job.file}".split("/HIGH/")[1]).parent
            counts[str(inner)] = counts.get(str(inner), 0) + 1
        made.notes += [f"HIGH/{inner}: {n:,} pictures" for inner, n in sorted(counts.items())]
    return made


AUTHORS = Kind(
    Card(
        title="the authors' archive of the paper's own crops",
        origin="Bulat, Yang, Tzimiropoulos, 2018: crops of CelebA, AFLW, LS3D-W, VGGFace2 (HR) "
        "and WIDER FACE (LR).",
        licence="None is stated; each part keeps the terms of the set that it was cut from.",
        sharing="Nothing.",
        getting="Through the authors' repository, as long as their link lives.",
        layout="`HIGH/celea_60000_SFD`, `HIGH/SRtrainset_2`, "
        "`HIGH/vggface2/vggcrop_{train,test}_lp10`, `LOW/wider_lnew`, `testset` (16x16 JPEGs). "
        "`--role hi` takes HIGH, `--role lo` LOW, `--role lo --split test` testset.",
        pitfalls="`SRtrainset_2` is what the authors measured FID against, though it is training "
        "data. A JPEG of 16x16 pixels carries a second compression.",
    ),
    authors,
    splits=("train", "test"),
)
