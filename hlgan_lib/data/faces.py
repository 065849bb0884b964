"""Faces as arrays: images with names, unpaired or in pairs, and the three ranges of numbers.

On the disk and in a `FaceSet` an image is uint8, 0 to 255, a byte a colour. Networks take and give
floats in [-1, 1] (`to_float`, `to_uint8`), as the last layer of a generator is a tanh. Metrics and
figures take [0, 1] (`unit_range`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, overload

import numpy as np
import torch
from torch import Tensor

from ..errors import HLError
from ..files import atomic, user_path
from ..schema import shortened
from .storage import block_hashes, write_images

SLACK = 1.001  # rounding beyond [-1, 1]
BY_BLOCKS = "blocks:"  # how a digest begins; those of earlier versions have no such word
TO_SIGNED = "no value lies below 0, so this looks like [0, 1]: pass x * 2 - 1"


@dataclass(frozen=True, eq=False)
class FaceSet:
    """A dataset of square images of one size, in memory or mapped from a file.

    `faces[3]` is one image, an array (3, H, W); `faces[:9]` and `faces[[1, 8]]` are FaceSets.

    Attributes:
        images: uint8 (N, 3, H, W), 0..255, read-only.
        names: the file name of each image.
        source: the folder, file or built-in name they came from.
        skipped: (file name, reason) of each file that could not be used.
        hashes: `storage.block_hashes` of the images, where they are known.

    Raises:
        HLError: where images and names do not fit together.
    """

    images: np.ndarray
    names: tuple[str, ...]
    source: str
    skipped: tuple[tuple[str, str], ...] = ()
    hashes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        shape = self.images.shape
        of_images = self.images.dtype == np.uint8 and len(shape) == 4 and shape[1] == 3
        if not of_images or len(self.names) != shape[0]:
            raise HLError(
                f"images of {self.source} must be uint8 (N, 3, H, W) with N names, got "
                f"{self.images.dtype} {shape} and {len(self.names)} names: "
                "save them with FaceSet.save"
            )
        if self.images.flags.writeable:
            self.images.flags.writeable = False

    def __len__(self) -> int:
        return len(self.images)

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...

    @overload
    def __getitem__(self, index: slice | np.ndarray | list) -> FaceSet: ...

    def __getitem__(self, index: int | slice | np.ndarray | list) -> np.ndarray | FaceSet:
        if isinstance(index, (int, np.integer)):
            return self.images[index]
        chosen = np.arange(len(self))[index]
        names = tuple(self.names[i] for i in chosen)
        return FaceSet(self.images[index], names, self.source)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, pixels."""
        return self.images.shape[2], self.images.shape[3]

    def batch(
        self, index: slice | np.ndarray | list = slice(None), device: torch.device | str = "cpu"
    ) -> Tensor:
        """The chosen images as a network takes them.

        Args:
            index: which of the N images; all of them by default.
            device: where the batch is needed.

        Returns:
            float32 (B, 3, H, W) in [-1, 1].
        """
        chosen = torch.from_numpy(np.array(self.images[index]))
        return to_float(chosen.to(device))

    def digest(self, like: str = "") -> str:
        """By it a training knows its data again: SHA-256 of names and of the hashes of the images.

        Args:
            like: a digest to compare it with. One of an earlier version is of the pixels
                themselves: then this one is so too.

        Returns:
            `BY_BLOCKS` and 64 digits, or 64 digits.
        """
        if like and not like.startswith(BY_BLOCKS):
            return self._digest_of_pixels()
        hashes = self.hashes or block_hashes(self.images)
        parts = (repr(self.images.shape), *hashes, *self.names)
        content = "\0".join(parts).encode("utf-8", "surrogatepass")
        return BY_BLOCKS + hashlib.sha256(content).hexdigest()

    def _digest_of_pixels(self) -> str:
        """SHA-256 of names and pixels, as earlier versions wrote it."""
        sha = hashlib.sha256(repr(self.images.shape).encode())
        for start in range(0, len(self), 256):  # a memory-mapped set is read in pieces
            sha.update(np.ascontiguousarray(self.images[start : start + 256]).data)
        sha.update("\0".join(self.names).encode("utf-8", "surrogatepass"))
        return sha.hexdigest()

    def save(self, path: str | Path) -> Path:
        """Write an .npz file that `load_faces` maps; a file of that name is replaced whole.

        Args:
            path: must end in .npz, in a folder that exists.

        Returns:
            The path written.

        Raises:
            HLError: for another ending, a missing folder, a full disk.
        """
        path = user_path(path)
        if path.suffix != ".npz":
            raise HLError(f"a FaceSet file must end in .npz, got {path}")
        if not path.parent.is_dir():
            raise HLError(f"cannot write {path}: make the folder {path.parent} first")
        atomic(path, lambda file: write_images(file, self.images, self.names))
        return path


class Pairs(NamedTuple):
    """HR faces and LR images of them: hi[i] and lo[i] show the same face in the same framing.

    Attributes:
        hi: the HR images.
        lo: the LR images, as many, in the same order.
    """

    hi: FaceSet
    lo: FaceSet


def to_float(images: Tensor) -> Tensor:
    """From bytes to what a network takes: v / 127.5 - 1.

    Args:
        images: uint8, any shape, 0..255.

    Returns:
        float32 of the same shape in [-1, 1].

    >>> to_float(torch.tensor([0, 255], dtype=torch.uint8))
    tensor([-1.,  1.])
    """
    return images.to(torch.float32) / 127.5 - 1


def to_uint8(images: Tensor) -> Tensor:
    """From what a network gives to bytes: round((x + 1) 127.5), the inverse of `to_float`.

    Args:
        images: float, any shape; what lies outside [-1, 1] is clipped.

    Returns:
        uint8 of the same shape, 0..255, without a gradient.

    >>> to_uint8(torch.tensor([-1.0, 0.0, 3.0]))
    tensor([  0, 128, 255], dtype=torch.uint8)
    """
    return ((images.detach().float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def unit_range(x: Tensor) -> Tensor:
    """From a network's range to that of metrics and figures: [-1, 1] -> [0, 1], (x + 1) / 2.

    Args:
        x: float, any shape and precision, in [-1, 1]; nothing is clipped.

    Returns:
        The same shape and precision, in [0, 1].

    >>> unit_range(torch.tensor([-1.0, 0.0, 1.0]))
    tensor([0.0000, 0.5000, 1.0000])
    """
    return (x + 1) / 2


def check_tensor(name: str, x: Tensor) -> None:
    """Check that x is a tensor, and no array, list or path.

    Args:
        name: what the error calls x.
        x: any shape and type of numbers.

    Raises:
        HLError: where it is not.
    """
    if not isinstance(x, Tensor):
        raise HLError(
            f"{name} must be a torch.Tensor, got {shortened(x)}: take it from FaceSet.batch, or "
            "torch.from_numpy"
        )


def check_range(name: str, x: Tensor) -> None:
    """Check that the values of a batch lie in [-1, 1].

    Args:
        name: what the error calls x.
        x: float, any shape.

    Raises:
        HLError: for values beyond it, for NaN, and for no tensor.
    """
    check_tensor(name, x)
    if x.numel() and not (x.amin() >= -SLACK and x.amax() <= SLACK):
        raise HLError(
            f"{name} must lie in [-1, 1], got {float(x.amin()):.3g} to {float(x.amax()):.3g}: clip "
            "it, or see data.to_float"
        )


def is_unit_range(x: Tensor) -> bool:
    """Are pictures in [0, 1], by all appearances? None is darker than the middle of [-1, 1]."""
    return x.numel() > 0 and bool(x.amin() >= 0 and x.amax() > x.amin())


def check_square(
    name: str, x: Tensor, shape: str = "(B, 3, s, s)", remedy: str = "take it from FaceSet.batch"
) -> None:
    """Check that x is a float batch of square RGB images.

    Args:
        name: what the error calls x.
        x: the batch.
        shape: its shape in words; the number of dimensions is counted from it.
        remedy: what the error tells to do.

    Raises:
        HLError: where it is not.
    """
    check_tensor(name, x)
    n_dims = shape.count(",") + 1
    fits = x.ndim == n_dims and x.shape[-3] == 3 and x.shape[-1] == x.shape[-2]
    if not fits or not x.is_floating_point():
        raise HLError(
            f"{name} must be float {shape} in [-1, 1], got {x.dtype} {tuple(x.shape)}: {remedy}"
        )
