"""What users bring, damaged: pictures, datasets of every kind, archives. For `make fuzz`.

Each input is a picture, or a small made dataset in its owners' layout of which one file is damaged.
Preparing it must give a FaceSet of what is whole, or one HLError in one printable line.
"""

import io
import random
import shutil
import tarfile
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

from hlgan_lib.data.npz import load_npz
from hlgan_lib.data.pictures import read_image
from hlgan_lib.errors import HLError
from hlgan_lib.prepare import prepare_file
from tests.faults.mutations import mutated
from tests.prepare import makers

FORMATS = ("jpeg", "png", "gif", "tiff", "webp", "bmp", "ppm", "tga", "ico")
PARTS = {"wider": "all"}


class Datasets:
    """Pictures, datasets and archives, and how each is read."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.work = folder, folder / "work"
        self.kinds = {
            "picture": (self.picture, 40),
            "dataset": (self.dataset, 40),
            "zip": (self.zip, 10),
            "tar": (self.tar, 10),
        }
        self.pictures = [coded(form) for form in FORMATS]
        self.pictures += [coded("png", mode) for mode in ("I;16", "P", "LA", "1")]
        self.pictures += [coded("jpeg", "CMYK"), coded("tiff", "F")]
        self.sets = {
            "folder": makers.folder_of(folder / "folder"),
            "boxes": makers.boxes_of(folder / "boxes"),
            "celeba": makers.celeba_of(folder / "celeba"),
            "wider": makers.wider_of(folder / "wider"),
            "vggface2": makers.vggface2_of(folder / "vggface2"),
            "aflw": makers.aflw_of(folder / "aflw"),
        }
        self.archives = {"zip": makers.zipped(self.sets["folder"], folder / "set.zip")}
        for name in ("set.tar", "set.tar.gz"):
            with tarfile.open(folder / name, "w:gz" if name.endswith("gz") else "w") as archive:
                archive.add(self.sets["folder"], "set")
            self.archives[name] = folder / name

    # ---- a kind each: damage it, read it ---------------------------------------------------------
    def picture(self, rng: random.Random) -> None:
        """A file of one of Pillow's formats."""
        image = read_image(io.BytesIO(mutated(rng.choice(self.pictures), rng)), name="it")
        assert image.mode == "RGB" and np.asarray(image).shape[2] == 3

    def dataset(self, rng: random.Random) -> None:
        """A dataset with one file damaged, more often one of the owners' lists."""
        kind = rng.choice(list(self.sets))
        root = self.work / kind
        shutil.copytree(self.sets[kind], root)
        files = sorted(path for path in root.rglob("*") if path.is_file())
        lists = [path for path in files if path.suffix in (".txt", ".csv")]
        file = rng.choice(lists if lists and rng.random() < 0.7 else files)
        file.write_bytes(mutated(file.read_bytes(), rng))
        self.prepared(kind, root)

    def zip(self, rng: random.Random) -> None:
        """A damaged zip."""
        self.archive_of("zip", "set.zip", rng)

    def tar(self, rng: random.Random) -> None:
        """A damaged tar, compressed or not."""
        name = rng.choice(("set.tar", "set.tar.gz"))
        self.archive_of(name, name, rng)

    def archive_of(self, held: str, name: str, rng: random.Random) -> None:
        """A damaged archive, read in place."""
        path = self.work / name
        path.write_bytes(mutated(self.archives[held].read_bytes(), rng))
        self.prepared("folder", path)

    def prepared(self, kind: str, src: Path) -> None:
        """Prepare it; what was made must open, with a name and whole pixels for each image."""
        out = self.work / "out.npz"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = prepare_file(kind, src, out, size=16, split=PARTS.get(kind), workers=0)
        faces = load_npz(out)
        assert len(faces) == made.n > 0 and faces.images[-1].size == 3 * 16 * 16
        beside = {path.name for path in self.work.iterdir()} - {"out.npz", src.name}
        assert not beside, f"left behind: {beside}"
        bad = [reason for _, reason in made.skipped if not reason or "\n" in reason]
        if bad:
            raise HLError(f"a reason of several lines:\n{bad[0]}")  # the fuzzer calls it a fault


def coded(form: str, mode: str = "RGB") -> bytes:
    """A small picture as a file."""
    image = makers.picture(24, 20, 90)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image.convert("L"), np.uint16) * 257)
    elif mode == "F":
        image = Image.fromarray(np.asarray(image.convert("L"), np.float32) / 255)
    else:
        image = image.convert(mode)
    held = io.BytesIO()
    image.save(held, form)
    return held.getvalue()
