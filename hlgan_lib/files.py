"""Whole files or none: atomic writing of bytes, JSON and PNG, with one clear line when the disk is full."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from torch import Tensor

from .errors import HLError

REASONS = {
    errno.ENOSPC: "the disk is full: free some space and run the same command again (training: with --resume)",
    errno.EROFS: "the folder is read-only: choose another --out",
    errno.EACCES: "the folder may not be written to: choose another --out",
    errno.EDQUOT: "the disk quota is used up: free some space and run the same command again (a training "
    "with --resume)",
    errno.ENOTDIR: "a part of the path is a file: choose another --out",
    errno.EEXIST: "a part of the path is a file: choose another --out",
}


def atomic(path: Path, write: Callable) -> None:
    """Write a file whole or not at all: `write(file)` to a neighbour, flushed to the disk, then renamed.

    Raises HLError in one line when the disk is full or the folder cannot be written.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(part, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except (OSError, RuntimeError) as error:  # torch.save turns a full disk into a RuntimeError
        part.unlink(missing_ok=True) if part.parent.is_dir() and os.access(
            part.parent, os.W_OK
        ) else None
        cause = error if isinstance(error, OSError) else error.__context__
        code = getattr(cause, "errno", None)
        if code is None and isinstance(error, RuntimeError) and "PytorchStreamWriter" in str(error):
            code = errno.ENOSPC
        if code is None:
            raise
        raise HLError(f"cannot write {path}: {REASONS.get(code) or os.strerror(code)}") from error


def out_folder(path: str | Path) -> Path:
    """The folder that `--out` names, `~` expanded; it need not exist. Raises HLError where it is a file."""
    path = Path(path).expanduser()
    if path.is_file():
        raise HLError(f"--out {path} is a file: choose a folder")
    return path


def save_json(path: Path, values: dict) -> None:
    """Write `values` as indented JSON, atomically."""
    atomic(path, lambda file: file.write((json.dumps(values, indent=1) + "\n").encode()))


def save_png(path: Path, picture: Tensor) -> None:
    """Write a picture, uint8 (3, H, W), atomically."""
    image = Image.fromarray(picture.permute(1, 2, 0).contiguous().cpu().numpy())
    atomic(path, lambda file: image.save(file, "png"))
