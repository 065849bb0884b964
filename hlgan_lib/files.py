"""Whole files or none: atomic writing, with one clear line where it cannot be done."""

from __future__ import annotations

import errno
import os
import re
import secrets
import socket
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from weakref import WeakSet

from PIL import Image

from .errors import HLError
from .schema import shortened
from .text import as_json

if TYPE_CHECKING:
    from torch import Tensor

try:
    import fcntl
except ImportError:  # a system without POSIX locks
    fcntl = None  # type: ignore[assignment]

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
PART = ".part"  # ending of files that are being written
PART_NAME = re.compile(r"\.[0-9a-f]{16}" + re.escape(PART))
LOCK = ".lock"


# ---- writing -------------------------------------------------------------------------------------
def atomic(path: Path, write: Callable[[BinaryIO], Any]) -> None:
    """Write a file whole or not at all: to a neighbour, flushed to the disk, then renamed.

    The neighbour is each writer's own, so two processes may write the same file; the last one wins.

    Args:
        path: the file; its folder is made where there is none.
        write: writes the content into the open file that it is given.

    Raises:
        HLError: in one line, when the disk is full or the folder cannot be written.
    """
    part = path.with_name(f".{secrets.token_hex(8)}{PART}")
    with _in_one_line(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(part, "w+b") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise


def append(path: Path, line: str) -> None:
    """Add a line to a text file, in one piece.

    Raises:
        HLError: where it cannot be written.
    """
    with _in_one_line(path), open(path, "ab", buffering=0) as file:
        file.write(f"{line}\n".encode())


def sweep(folder: Path) -> None:
    """Remove the parts that killed writers left in a folder in which nobody else writes."""
    for path in folder.glob(f".*{PART}"):
        if PART_NAME.fullmatch(path.name):
            with suppress(OSError):
                path.unlink()


def is_empty(folder: Path) -> bool:
    """Is nothing there but what a killed writer leaves, a lock and parts of files?"""
    return all(path.name == LOCK or PART_NAME.fullmatch(path.name) for path in folder.iterdir())


@contextmanager
def _in_one_line(path: Path) -> Iterator[None]:
    """What the system refuses becomes an HLError that says what to do."""
    try:
        yield
    except (OSError, RuntimeError) as error:  # torch.save turns a full disk into a RuntimeError
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


# ---- folders -------------------------------------------------------------------------------------
def user_path(path: str | Path) -> Path:
    """A path as a person gives it, `~` and `~name` expanded.

    Raises:
        HLError: for what is no path, a home that is not known, and a NUL, which no path holds.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise HLError(f"a path must be a text or a Path, got {shortened(path)}")
    if "\0" in str(path):
        raise HLError(f"a path must not hold a NUL character, got {path}: rename it")
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise HLError(
            f"the home folder in {path} is not known: give the path without the ~"
        ) from error


def out_folder(path: str | Path) -> Path:
    """The folder that `--out` names, `~` expanded; it need not exist.

    Raises:
        HLError: where it is a file.
    """
    path = user_path(path)
    if path.is_file():
        raise HLError(f"--out {path} is a file: choose a folder")
    return path


class Lock:
    """A folder that one process at a time writes into. It ends with `release` or the process.

    Where the file system knows no locks there is none. A copy of the process (fork) holds none.

    Args:
        folder: made where there is none.
        name: of the file in it that the lock is on; it stays.
        said: what an error calls the place; by default the folder.

    Raises:
        HLError: where another process, or another owner in this one, holds it.
    """

    fd = -1

    def __init__(self, folder: Path, name: str = LOCK, said: Path | None = None) -> None:
        _locks.add(self)
        with _in_one_line(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self.fd = os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if fcntl:
                fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.read(self.fd, 200).decode("utf-8", "replace").strip() or "another process"
            self.release()
            raise HLError(
                f"--out {said or folder} is being written by {owner}: stop that first, or choose "
                "another --out"
            ) from error
        except OSError:  # such as a network folder without a lock server
            pass
        with suppress(OSError):
            os.truncate(self.fd, 0)
            os.write(self.fd, f"process {os.getpid()} on {socket.gethostname()}\n".encode())

    def release(self) -> None:
        """Let others in."""
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1

    def __del__(self) -> None:
        self.release()


_locks: WeakSet[Lock] = WeakSet()


def _release_all() -> None:
    for lock in list(_locks):
        lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_release_all)


# ---- formats -------------------------------------------------------------------------------------
def check_zip(path: Path) -> None:
    """Refuse an archive whose files, not compressed, would be larger than itself.

    Raises:
        ValueError: for such an archive: a few bytes can claim gigabytes.
    """
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        claimed = sum(info.file_size for info in archive.infolist())
    if claimed > path.stat().st_size:
        raise ValueError(f"{claimed:,} bytes claimed in a file of {path.stat().st_size:,}")


def save_json(path: Path, values: dict[str, Any]) -> None:
    """Write `values` as indented JSON, atomically; NaN and infinity as null."""
    text = as_json(values, indent=1) + "\n"
    atomic(path, lambda file: file.write(text.encode()))


def save_png(path: Path, picture: Tensor) -> None:
    """Write a picture, uint8 (3, H, W), atomically."""
    image = Image.fromarray(picture.permute(1, 2, 0).contiguous().cpu().numpy())
    atomic(path, lambda file: image.save(file, "png"))
