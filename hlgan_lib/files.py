"""Whole files or none: atomic writing, with one clear line where it cannot be done."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from PIL import Image

from .errors import HLError

if TYPE_CHECKING:
    from torch import Tensor

REASONS = {
    errno.ENOSPC: "the disk is full: free some space and run the same command again (training: "
    "with --resume)",
    errno.EROFS: "the folder is read-only: choose another --out",
    errno.EACCES: "the folder may not be written to: choose another --out",
    errno.EDQUOT: "the disk quota is used up: free some space and run the same command again (a "
    "training with --resume)",
    errno.ENOTDIR: "a part of the path is a file: choose another --out",
    errno.EEXIST: "a part of the path is a file: choose another --out",
}


def atomic(path: str | Path, write: Callable[[BinaryIO], Any]) -> None:
    """Write a file whole or not at all: to a neighbour, flushed to the disk, then renamed.

    Args:
        path: the file; its folder is made where there is none.
        write: writes the content into the open file that it is given.

    Raises:
        HLError: in one line, when the disk is full or the folder cannot be written.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(part, "w+b") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except (OSError, RuntimeError) as error:  # torch.save turns a full disk into a RuntimeError
        if part.parent.is_dir() and os.access(part.parent, os.W_OK):
            part.unlink(missing_ok=True)
        code = _code_of(error)
        if code is None:
            raise
        raise HLError(f"cannot write {path}: {REASONS.get(code) or os.strerror(code)}") from error


def _code_of(error: OSError | RuntimeError) -> int | None:
    """The system's number of what went wrong; None where it was not the system."""
    cause = error if isinstance(error, OSError) else error.__context__
    code = getattr(cause, "errno", None)
    if code is None and isinstance(error, RuntimeError) and "PytorchStreamWriter" in str(error):
        return errno.ENOSPC
    return code


def out_folder(path: str | Path) -> Path:
    """The folder that `--out` names, `~` expanded; it need not exist.

    Raises:
        HLError: where it is a file.
    """
    path = Path(path).expanduser()
    if path.is_file():
        raise HLError(f"--out {path} is a file: choose a folder")
    return path


def save_json(path: str | Path, values: dict[str, Any]) -> None:
    """Write `values` as indented JSON, atomically."""
    text = json.dumps(values, indent=1) + "\n"
    atomic(path, lambda file: file.write(text.encode()))


def save_png(path: str | Path, picture: Tensor) -> None:
    """Write a picture, uint8 (3, H, W), atomically."""
    image = Image.fromarray(picture.permute(1, 2, 0).contiguous().cpu().numpy())
    atomic(path, lambda file: image.save(file, "png"))
