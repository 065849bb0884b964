"""Writing the file of a FaceSet: image by image, stopped and gone on with, checked by hash.

The file is an .npz as NumPy reads it: `images.npy`, not compressed, first, so that it is mapped
from the disk; then `names.npy`, columns of numbers about the images, and `about.json`. The images
lie at a fixed place, so they can be appended before anybody knows how many there will be, and the
SHA-256 of each block of them is kept, so that damage is found and named, and a set is known again
by what its check has read already (`FaceSet.digest`). Imports no torch.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..errors import HLError
from ..files import user_path
from ..text import as_json

BLOCK = 4096  # images a hash: 50 MB of 64x64
MAX_THREADS = 4  # that hash; more wait for the memory
EPOCH = (1980, 1, 1, 0, 0, 0)  # a zip's first moment: the same images make the same file
ABOUT = "about.json"
COLUMNS = "columns/"  # the folder of the columns inside the file


class ImageFile:
    """The images of a FaceSet file that is being written; `seal` makes the file whole.

    Args:
        file: open for reading and writing, its images (if any) as an earlier ImageFile left them.
        size: height and width of the images, pixels.
        n: images that the file holds already; what lies behind them is cut off.

    Raises:
        HLError: where the file holds fewer.
    """

    def __init__(self, file: BinaryIO, size: tuple[int, int], n: int = 0) -> None:
        self.file = file
        self.size = size
        self.n = 0
        self.hashes: list[str] = []
        self._hash = hashlib.sha256()
        self._image_bytes = 3 * size[0] * size[1]
        self._start = len(self._head())

        file.seek(0)
        file.write(self._head())
        for first in range(0, n, BLOCK):
            count = min(BLOCK, n - first)
            held = file.read(count * self._image_bytes)
            if len(held) < count * self._image_bytes:
                raise HLError(f"the unfinished file must hold {n} images, got fewer: start anew")
            self._count(held)
        file.truncate()

    @classmethod
    def offset(cls, size: tuple[int, int]) -> int:
        """Where the first image of such a file lies, bytes."""
        return cls(BytesIO(), size)._start

    def append(self, images: np.ndarray) -> None:
        """Write images, uint8 (N, 3, H, W), behind the others."""
        content = np.ascontiguousarray(images).tobytes()
        self.file.write(content)
        self._count(content)

    def seal(
        self,
        names: Sequence[str],
        about: Mapping[str, Any] | None = None,
        columns: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """Write everything that stands behind the images.

        Args:
            names: a name an image.
            about: what else is known of the set, as JSON holds it.
            columns: name -> N numbers, one an image.

        Raises:
            HLError: where there are not as many names, or numbers of a column, as images.
        """
        lengths = {"names": len(names)}
        lengths |= {name: len(values) for name, values in (columns or {}).items()}
        for what, length in lengths.items():
            if length != self.n:
                raise HLError(f"{what} must be {self.n} values, one an image, got {length}")
        if self._hash_open:
            self._close_block()
        known = dict(about or {}) | {
            "sha256": self.hashes,
            "names_sha256": _hash_of_names(names),
            "block": BLOCK,
        }

        # The images are in the file already; the archive is told that they are its first member.
        crc = self._crc()
        self.file.seek(0)
        self.file.write(self._head(crc))
        self.file.seek(0, 2)
        with zipfile.ZipFile(self.file, "w") as archive:
            archive.infolist().insert(0, self._entry(crc))
            _add_array(archive, "names.npy", np.array(names, dtype=np.str_))
            for name, values in (columns or {}).items():
                _add_array(archive, f"{COLUMNS}{name}.npy", np.asarray(values))
            archive.writestr(zipfile.ZipInfo(ABOUT, EPOCH), as_json(known, indent=1))

    @property
    def _hash_open(self) -> bool:
        return self.n > len(self.hashes) * BLOCK

    def _count(self, content: bytes) -> None:
        """Take note of images that are in the file: their number and hashes."""
        view = memoryview(content)
        while view:
            room = (len(self.hashes) + 1) * BLOCK - self.n
            part = view[: room * self._image_bytes]
            self._hash.update(part)
            self.n += len(part) // self._image_bytes
            view = view[len(part) :]
            if self.n == (len(self.hashes) + 1) * BLOCK:
                self._close_block()

    def _close_block(self) -> None:
        self.hashes.append(self._hash.hexdigest())
        self._hash = hashlib.sha256()

    def _head(self, crc: int = 0) -> bytes:
        """All that stands before the first image, of the same length for any number of them."""
        return self._entry(crc).FileHeader(zip64=True) + self._array_head()

    def _array_head(self) -> bytes:
        """The head of images.npy; NumPy leaves room in it for the first number to grow."""
        head = BytesIO()
        shape = self.n, 3, *self.size
        values = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(head, values)
        return head.getvalue()

    def _entry(self, crc: int) -> zipfile.ZipInfo:
        """What the archive says of images.npy."""
        entry = zipfile.ZipInfo("images.npy", EPOCH)
        entry.file_size = len(self._array_head()) + self.n * self._image_bytes
        entry.compress_size = entry.file_size
        entry.CRC = crc
        entry.header_offset = 0
        entry.external_attr = 0o600 << 16
        return entry

    def _crc(self) -> int:
        """The zip's checksum of images.npy, read from the file."""
        crc = zlib.crc32(self._array_head())
        self.file.seek(self._start)
        while content := self.file.read(1 << 22):
            crc = zlib.crc32(content, crc)
        return crc


def write_images(
    file: BinaryIO,
    images: np.ndarray,
    names: Sequence[str],
    about: Mapping[str, Any] | None = None,
    columns: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Write a whole FaceSet file at once.

    Args:
        file: empty, open for reading and writing.
        images: uint8 (N, 3, H, W).
        names: a name an image.
        about: what else is known of the set, as JSON holds it.
        columns: name -> N numbers, one an image.
    """
    held = ImageFile(file, images.shape[2:])
    for first in range(0, len(images), BLOCK):
        held.append(images[first : first + BLOCK])
    held.seal(names, about, columns)


def load_about(path: str | Path) -> dict[str, Any]:
    """What a FaceSet file says of itself: kind, source, skipped files, hashes; {} for an old one.

    Args:
        path: the .npz file.

    Returns:
        The contents of its about.json.

    Raises:
        HLError: for a file that is none.
    """
    try:
        with zipfile.ZipFile(user_path(path)) as archive:
            if ABOUT not in archive.namelist():
                return {}
            return json.loads(archive.read(ABOUT))
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise HLError(f"{path} must be a FaceSet file, got: {error}: {AGAIN}") from error


def load_columns(path: str | Path) -> dict[str, np.ndarray]:
    """The numbers that a FaceSet file keeps beside its images, such as WIDER FACE's flags.

    Args:
        path: the .npz file.

    Returns:
        name -> N numbers, one an image, in their order.

    Raises:
        HLError: for a file that is none.
    """
    try:
        with np.load(user_path(path), allow_pickle=False) as file:
            keys = [key for key in file.files if key.startswith(COLUMNS)]
            return {key.removeprefix(COLUMNS): file[key] for key in keys}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise HLError(f"{path} must be a FaceSet file, got: {error}: {AGAIN}") from error


AGAIN = "copy it again, or make it again with hlgan prepare"


def block_hashes(images: np.ndarray, block: int | None = None) -> tuple[str, ...]:
    """SHA-256 of each block of images, on several threads: hashlib lets them work at once.

    Args:
        images: uint8 (N, 3, H, W), in memory or mapped from a file.
        block: images a hash; BLOCK by default.

    Returns:
        A hash a block, 64 digits each.
    """
    size = block or BLOCK

    def of(first: int) -> str:
        content = np.ascontiguousarray(images[first : first + size])
        return hashlib.sha256(content.data).hexdigest()

    with ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1)) as pool:
        return tuple(pool.map(of, range(0, len(images), size)))


def verify(path: str | Path, images: np.ndarray, names: Sequence[str]) -> tuple[str, ...]:
    """Compare every image of a FaceSet file with the hashes that were written with them.

    A set of 200,000 takes a second or two, besides reading the file, as a training does anyway.

    Args:
        path: the .npz file.
        images: its images, as `load_faces` maps them.
        names: their names.

    Returns:
        What `block_hashes` gives of the images; nothing where the file has no hashes, as older
        ones.

    Raises:
        HLError: names the images that are not.
    """
    about = load_about(path)
    hashes, block = about.get("sha256"), about.get("block")
    if not isinstance(hashes, list) or not isinstance(block, int) or block < 1:
        return ()
    found = block_hashes(images, block)
    bad = []
    for k, digest in enumerate(found):
        if k >= len(hashes) or digest != hashes[k]:
            bad.append(k * block)
    if bad:
        last = min(bad[0] + block, len(images)) - 1
        more = f" and {len(bad) - 1} more blocks" if len(bad) > 1 else ""
        raise HLError(
            f"{path} is damaged: images {bad[0]} to {last} ({names[bad[0]]!r} ...){more} are not "
            f"what was written: {AGAIN}"
        )
    if _hash_of_names(names) != about.get("names_sha256"):
        raise HLError(f"{path} is damaged: its names are not what was written: {AGAIN}")
    return found if block == BLOCK else block_hashes(images)


# ---- the parts of the file -----------------------------------------------------------------------
def _hash_of_names(names: Sequence[str]) -> str:
    text = "\0".join(names)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _add_array(archive: zipfile.ZipFile, name: str, array: np.ndarray) -> None:
    with archive.open(zipfile.ZipInfo(name, EPOCH), "w", force_zip64=True) as member:
        np.lib.format.write_array(member, array, allow_pickle=False)
