"""The file of a FaceSet: an .npz whose images are mapped from the disk, so it opens at once.

`FaceSet.save` writes it. An .npz is a zip of .npy files; what is not compressed lies in it byte for
byte, so `np.memmap` can point into it. NumPy itself offers this for single .npy files only.
"""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import HLError
from .faces import FaceSet
from .pictures import reason
from .storage import verify

# A zip entry: a header of 30 bytes (the last 4: the lengths of two fields), the fields, the data.
HEADER_BYTES = 30
LENGTHS_AT = 26


MAX_NAME = 4096  # characters of a name: no system has longer paths
MAX_GROWTH = 200  # times that compressed images may grow when they are larger than SMALL bytes
SMALL = 256_000_000


def load_npz(path: Path, check: bool = False) -> FaceSet:
    """Open a FaceSet file; images that were saved compressed are read into memory.

    What the file says of its arrays is looked at before any of them is read.

    Args:
        path: an .npz file with `images`, uint8 (N, 3, H, W), and `names`, N strings.
        check: compare every image with its hash, where the file has them: see `storage.verify`.

    Returns:
        The set, its images mapped from the file where that is possible.

    Raises:
        HLError: for a broken file, for other contents, and for images that fail the check.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_heads(archive)
        images = _mapped(path)
        with open(path, "rb") as handle, np.load(handle, allow_pickle=False) as file:
            names = tuple(file["names"].tolist())
            if images is None:
                images = file["images"]
        hashes = verify(path, images, names) if check else ()
        return FaceSet(images, names, str(path), hashes=hashes)
    except HLError:
        raise
    # A damaged file raises whatever the readers of zip, zlib and .npy meet first.
    except Exception as error:
        raise HLError(
            f"{path} must be a FaceSet file with `images` and `names`, got: {reason(error)}: "
            "make one with FaceSet.save or hlgan prepare"
        ) from error


def _check_heads(archive: zipfile.ZipFile) -> None:
    """Raise ValueError where the arrays are not those of a FaceSet, or larger than it says."""
    images, names = (_head(archive, name) for name in ("images.npy", "names.npy"))
    if images.dtype != np.uint8 or len(images.shape) != 4 or images.shape[1] != 3:
        raise ValueError(f"images {images.dtype} {images.shape}, not uint8 (N, 3, H, W)")
    if names.dtype.kind != "U" or names.shape != images.shape[:1]:
        raise ValueError(f"names {names.dtype} {names.shape}, not {images.shape[0]} strings")
    if names.dtype.itemsize > 4 * MAX_NAME:
        raise ValueError(f"names of {names.dtype.itemsize // 4} characters, not at most {MAX_NAME}")
    for head in (images, names):
        claimed, packed = head.n_bytes, head.info.compress_size
        if head.info.file_size - claimed not in range(1, 100_000):
            raise ValueError(f"{head.info.filename} of {head.info.file_size} bytes, not {claimed}")
        if claimed > max(SMALL, MAX_GROWTH * packed):
            raise ValueError(f"{claimed:,} bytes packed into {packed:,}: no pictures are like that")


class _Head(NamedTuple):
    """What an .npz says of one of its arrays."""

    shape: tuple[int, ...]
    dtype: np.dtype
    fortran_order: bool
    info: zipfile.ZipInfo

    @property
    def n_bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def _head(archive: zipfile.ZipFile, name: str) -> _Head:
    """Of the array of that name, of which no more than the head is read."""
    info = archive.getinfo(name)
    if info.compress_type == zipfile.ZIP_STORED and archive.filename:
        # Of the file itself: a zip reader takes a small array whole and holds it against its
        # checksum, where `storage.verify` names the images that are damaged.
        with open(archive.filename, "rb") as raw:
            _to_member(raw, info)
            shape, fortran_order, dtype = _read_head(raw)
    else:
        with archive.open(name) as file:
            shape, fortran_order, dtype = _read_head(file)
    return _Head(shape, dtype, fortran_order, info)


def _to_member(file: Any, info: zipfile.ZipInfo) -> None:
    """Move to where a member's bytes begin inside the zip."""
    file.seek(info.header_offset + LENGTHS_AT)
    lengths = np.frombuffer(file.read(4), "<u2")
    file.seek(info.header_offset + HEADER_BYTES + int(lengths.sum()))


def _read_head(file: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, order and type of an .npy file, which is left at its data."""
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    return readers[np.lib.format.read_magic(file)](file)


def check_npz(path: Path) -> bool:
    """Compare every image of a FaceSet file with its hashes: see `storage.verify`.

    Args:
        path: the file.

    Returns:
        True where it holds what was written, False where it has no hashes, as older files.

    Raises:
        HLError: for a damaged or broken file.
    """
    return bool(load_npz(path, check=True).hashes)


def _mapped(path: Path) -> np.ndarray | None:
    """`images` of the file as a memory map, or None where it is compressed or of another kind."""
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("images.npy")
        if info.compress_type != zipfile.ZIP_STORED:
            return None
    with open(path, "rb") as file:
        # Behind the zip's header the .npy's own, and behind that the bytes of the array.
        _to_member(file, info)
        shape, fortran_order, dtype = _read_head(file)
        if dtype != np.uint8 or fortran_order or 0 in shape:
            return None
        return np.memmap(path, dtype, "r", file.tell(), shape)
