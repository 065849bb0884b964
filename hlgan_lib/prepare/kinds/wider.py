"""WIDER FACE: small faces of crowds, the real low-resolution images of the paper."""

from __future__ import annotations

from collections.abc import Iterator

from ...errors import HLError
from ..plan import Card, Face, Job, Kind, Options, Plan, face_name, rank
from ..trees import Tree

# The owners' readme: x1, y1, w, h, blur, expression, illumination, invalid, occlusion, pose.
FLAGS = {"blur": 4, "expression": 5, "illumination": 6, "occlusion": 8, "pose": 9}
INVALID = 7
N_NUMBERS = 10

CARD = Card(
    title="WIDER FACE, 32,203 photographs of crowds with 393,703 boxes",
    origin="Yang, Luo, Loy, Tang, *WIDER FACE: A Face Detection Benchmark*, CVPR 2016 (Chinese "
    "University of Hong Kong); photographs found on the web.",
    licence="Its card at the Hugging Face hub says CC BY-NC-ND 4.0. The photographs are not the "
    "owners'.",
    sharing="Under these words, whole and unchanged with its name, not for gain; crops are a "
    "derivative. Keep the FaceSet file to yourself.",
    getting="From the owners' page: `WIDER_train.zip`, `WIDER_val.zip`, `wider_face_split.zip`, "
    "unpacked side by side. The test images have no boxes.",
    layout="`WIDER_train/images/0--Parade/*.jpg`, `WIDER_val/images/...`, "
    "`wider_face_split/wider_face_{train,val}_bbx_gt.txt`. Faces of `--size` to 1.5 times that "
    "are taken, as reducing more would wipe out their own blur and noise. The flags blur, "
    "expression, illumination, occlusion and pose become columns "
    "(`hlgan_lib.data.storage.load_columns`).",
    pitfalls="An image without faces still has a row of zeros; some boxes have a width or height "
    "of 0 or less; boxes leave the image: all counted, none silently mended. torchvision names "
    "the last three columns occlusion, pose, invalid; the owners' order is invalid, occlusion, "
    "pose, and so it is read here. Boxes marked invalid are left out. `--split test` holds "
    "`--n-held-out` faces back, whole photographs, so that no photograph is in both parts.",
)


def plan(tree: Tree, options: Options) -> Plan:
    """Faces of the right size of both lists, divided by photograph into train and test."""
    made = Plan()
    n_lists = n_invalid = 0
    for part in ("train", "val"):
        text = tree.lists(f"wider_face_{part}_bbx_gt.txt")
        if text is None:
            continue
        n_lists += 1
        n_images = 0
        for name, rows in images_of(text, made):
            file = tree.find(f"WIDER_{part}/images/{name}")
            n_images += file is not None
            if file is None:
                made.skipped.append((name, f"is not in WIDER_{part}/images"))
                continue
            faces = []
            for k, row in enumerate(rows):
                n_invalid += row[INVALID] == 1
                if row[INVALID] == 1:
                    continue
                called = face_name(name, k, len(rows))
                if row[2] <= 0 or row[3] <= 0:
                    made.skipped.append((called, f"its box is {row[2]} wide and {row[3]} high"))
                    continue
                columns = tuple((flag, row[place]) for flag, place in FLAGS.items())
                faces.append(Face(called, (row[0], row[1], row[2], row[3]), columns))
            if faces:
                made.jobs.append(Job(file, tuple(faces)))
        if not n_images:
            made.notes.append(f"WIDER_{part}/images is missing: its list is not used")
    if not n_lists:
        raise HLError(
            f"{tree.root} must hold wider_face_split/wider_face_train_bbx_gt.txt (the boxes), got "
            "none: see docs/data.md"
        )
    if n_invalid:
        made.notes.append(f"{n_invalid:,} boxes are marked invalid: left out")
    made.of_size(options)
    divide(made, options)
    return made


def images_of(text: str, made: Plan) -> Iterator[tuple[str, list[list[int]]]]:
    """Each image's name with its rows of ten numbers; rows that are none are skipped and named."""
    lines = iter(text.splitlines())
    line = next(lines, None)
    while line is not None:
        name = line.strip()
        line = next(lines, None)
        if not name.lower().endswith((".jpg", ".jpeg", ".png")):
            if name:
                made.skipped.append((name[:80], "is no line of the list of boxes"))
            continue
        count = line.strip() if line is not None else ""
        if not count.isdigit():
            made.skipped.append((name, f"must have a number of boxes, got {count[:20]!r}"))
            continue
        rows = []
        line = next(lines, None)
        while line is not None and not line.strip().lower().endswith((".jpg", ".jpeg", ".png")):
            numbers = line.split()
            if len(numbers) != N_NUMBERS or not all(n.lstrip("-").isdigit() for n in numbers):
                made.skipped.append((name, f"must have rows of ten numbers, got {line[:60]!r}"))
            elif int(count) > 0:  # an image without faces has a row of zeros
                rows.append([int(n) for n in numbers])
            line = next(lines, None)
        if len(rows) != int(count):
            made.skipped.append((name, f"must have {count} boxes, got {len(rows)}"))
        yield name, rows


def divide(made: Plan, options: Options) -> None:
    """Keep the part that `split` names: photographs in a seeded order, the first ones held out."""
    if options.split == "all":
        return
    if not 0 < options.n_held_out < made.n_faces:
        raise HLError(
            f"--n-held-out must be 1 to {made.n_faces - 1}, fewer than there are faces of this "
            f"size, got {options.n_held_out}: choose fewer, or --split all"
        )
    held: list[Job] = []
    n_held = 0
    ordered = sorted(made.jobs, key=lambda job: rank(options.seed, job.file.rpartition("/")[2]))
    for job in ordered:
        # Of the photograph that fills the part, some faces may belong to neither.
        room = options.n_held_out - n_held
        if room == 0:
            break
        held.append(Job(job.file, job.faces[:room]))
        n_held += len(held[-1].faces)
    photographs = {job.file for job in held}
    if options.split == "test":
        made.jobs = sorted(held, key=lambda job: job.file)
    else:
        made.jobs = [job for job in made.jobs if job.file not in photographs]
    made.notes.append(
        f"{n_held:,} faces of {len(held):,} photographs are held out as the test part"
    )


WIDER = Kind(CARD, plan, role="lo", splits=("train", "test", "all"), reads=("n_held_out",))
