"""The file of a FaceSet: an .npz whose images are mapped from the disk, so it opens at once.

`FaceSet.save` writes it. An .npz is a zip of .npy files; what is not compressed lies in it byte for
byte, so `np.memmap` can point into it. NumPy itself offers this for single .npy files only.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from ..errors import HLError
from .faces import FaceSet
from .pictures import reason
from .storage import verify

# A zip entry: a header of 30 bytes (the last 4: the lengths of two fields), the fields, the data.
HEADER_BYTES = 30
LENGTHS_AT = 26


def load_npz(path: Path) -> FaceSet:
    """Open a FaceSet file; images that were saved compressed are read into memory.

    Args:
        path: an .npz file with `images`, uint8 (N, 3, H, W), and `names`, N strings.

    Returns:
        The set, its images mapped from the file where that is possible.

    Raises:
        HLError: for a broken file and for other contents.
    """
    try:
        with open(path, "rb") as handle, np.load(handle, allow_pickle=False) as file:
            names = tuple(file["names"].tolist())
            images = _mapped(path)
            if images is None:
                images = file["images"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise HLError(
            f"{path} must be a FaceSet file with `images` and `names`, got: {reason(error)}: "
            "make one with FaceSet.save or hlgan prepare"
        ) from error
    return FaceSet(images, names, str(path))


def check_npz(path: Path) -> bool:
    """Compare every image of a FaceSet file with its hashes: see `storage.verify`.

    Args:
        path: the file.

    Returns:
        True where it holds what was written, False where it has no hashes, as older files.

    Raises:
        HLError: for a damaged or broken file.
    """
    faces = load_npz(path)
    return verify(path, faces.images, faces.names)


def _mapped(path: Path) -> np.ndarray | None:
    """`images` of the file as a memory map, or None where it is compressed or of another kind."""
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("images.npy")
        if info.compress_type != zipfile.ZIP_STORED:
            return None
    with open(path, "rb") as file:
        # Where the .npy begins inside the zip ...
        file.seek(info.header_offset + LENGTHS_AT)
        lengths = np.frombuffer(file.read(4), "<u2")
        file.seek(info.header_offset + HEADER_BYTES + int(lengths.sum()))

        # ... and where, behind its own header, the bytes of the array do.
        readers = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        version = np.lib.format.read_magic(file)
        shape, fortran_order, dtype = readers[version](file)
        if dtype != np.uint8 or fortran_order or 0 in shape:
            return None
        return np.memmap(path, dtype, "r", file.tell(), shape)
