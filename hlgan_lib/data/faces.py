"""Faces as arrays: `FaceSet` and `Pairs` in memory or mapped from a file, and the two ranges of numbers."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..errors import HLError


@dataclass(frozen=True, eq=False)
class FaceSet:
    """Square pictures in memory or mapped from a file: images uint8 (N, 3, H, W), a name each, their source.

    skipped holds (file name, reason) of what could not be used. faces[3] is an array (3, H, W); faces[:9] a FaceSet.
    """

    images: np.ndarray
    names: tuple[str, ...]
    source: str
    skipped: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        shape = self.images.shape
        if (
            self.images.dtype != np.uint8
            or len(shape) != 4
            or shape[1] != 3
            or len(self.names) != shape[0]
        ):
            raise HLError(
                f"images of {self.source} must be uint8 (N, 3, H, W) with N names, got "
                f"{self.images.dtype} {shape} and {len(self.names)} names: save them with FaceSet.save"
            )
        if self.images.flags.writeable:
            self.images.flags.writeable = False

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int | slice | np.ndarray | list) -> np.ndarray | FaceSet:
        if isinstance(index, (int, np.integer)):
            return self.images[index]
        chosen = np.arange(len(self))[index]
        return FaceSet(self.images[index], tuple(self.names[i] for i in chosen), self.source)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.images.shape[2], self.images.shape[3]

    def batch(
        self, index: slice | np.ndarray | list = slice(None), device: torch.device | str = "cpu"
    ) -> Tensor:
        """The chosen pictures as float (B, 3, H, W) in [-1, 1] on the device."""
        return to_float(torch.from_numpy(np.array(self.images[index])).to(device))

    def save(self, path: str | Path) -> Path:
        """Write an .npz that load_faces maps into memory, replacing it in one step; HLError where it cannot."""
        path = Path(path)
        if path.suffix != ".npz":
            raise HLError(f"a FaceSet file must end in .npz, got {path}")
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            with open(part, "wb") as file:
                np.savez(file, images=self.images, names=np.array(self.names, dtype=np.str_))
            os.replace(part, path)
        except OSError as error:
            raise HLError(f"cannot write {path}: {error.strerror or error}") from error
        finally:
            part.unlink(missing_ok=True)
        return path


class Pairs(NamedTuple):
    """Sharp faces and their poor shots: hi[i] and lo[i] show the same face in the same framing."""

    hi: FaceSet
    lo: FaceSet


def to_float(images: Tensor) -> Tensor:
    """uint8 0..255 to float32 in [-1, 1]: v / 127.5 - 1."""
    return images.to(torch.float32) / 127.5 - 1


def to_uint8(images: Tensor) -> Tensor:
    """Float in [-1, 1] (clipped) to uint8: round((x + 1) 127.5)."""
    return ((images.detach().float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def unit_range(x: Tensor) -> Tensor:
    """[-1, 1] -> [0, 1], as metrics and figures take it."""
    return (x + 1) / 2


def check_square(
    name: str, x: Tensor, shape: str = "(B, 3, s, s)", remedy: str = "take it from FaceSet.batch"
) -> None:
    """Raise HLError unless x is a float batch of square RGB pictures of that shape."""
    if (
        x.ndim != shape.count(",") + 1
        or x.shape[-3] != 3
        or x.shape[-1] != x.shape[-2]
        or not x.is_floating_point()
    ):
        raise HLError(
            f"{name} must be float {shape} in [-1, 1], got {x.dtype} {tuple(x.shape)}: {remedy}"
        )
