"""Where a dataset lies: a folder, or a zip or tar that is read in place and never unpacked.

As nothing of an archive is written to the disk, a name that climbs out of it can reach nothing;
such names, links, devices and members that would fill the memory are left out, counted and named.
"""

from __future__ import annotations

import stat
import tarfile
import zipfile
from abc import ABC, abstractmethod
from pathlib import Path, PurePosixPath

from ..data.folder import input_files, is_hidden
from ..data.pictures import reason
from ..errors import HLError
from ..files import user_path

MAX_BYTES = 256 << 20  # of one file: a larger one is no picture and no list of boxes
MAX_FILES = 5_000_000  # members of an archive
TAR_ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
ENCRYPTED = 1  # a zip's flag


class Tree(ABC):
    """The files of a dataset by name, the same for a folder and an archive.

    Attributes:
        root: the folder or archive.
        files: names relative to the root with `/` between the parts, in the order to read them in.
        left_out: (name, reason) of what is never read.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: list[str] = []
        self.left_out: list[tuple[str, str]] = []
        self._by_end: dict[str, list[str]] | None = None

    @abstractmethod
    def read(self, name: str) -> bytes:
        """The content of a file. Raises HLError where it cannot be read."""

    def path(self, name: str) -> Path | None:
        """Where the file lies on the disk; None inside an archive."""
        return None

    def find(self, end: str) -> str | None:
        """The first file whose last parts are those of `end`, the shortest name of several."""
        if self._by_end is None:
            self._by_end = {}
            for name in self.files:
                self._by_end.setdefault(PurePosixPath(name).name, []).append(name)
        same = self._by_end.get(PurePosixPath(end).name, [])
        fitting = [name for name in same if f"/{name}".endswith(f"/{end}")]
        return min(fitting, key=len, default=None)

    def lists(self, end: str) -> str | None:
        """The text of one of the owners' lists, in the tree or beside the archive."""
        found = self.find(end)
        if found is not None:
            return self.text(found)
        beside = self.root.parent / PurePosixPath(end).name
        if self.root.is_file() and beside.is_file():
            return text_of(read_file(beside))
        return None

    def need(self, end: str, why: str) -> str:
        """As `lists`. Raises HLError where there is none."""
        found = self.lists(end)
        if found is None:
            raise HLError(f"{self.root} must hold {end} ({why}), got none: see docs/data.md")
        return found

    def under(self, folder: str, endings: tuple[str, ...] = ()) -> list[str]:
        """The files below a folder of that name, anywhere in the tree."""
        inside = f"/{folder}/"
        found = [name for name in self.files if inside in f"/{name}"]
        if endings:
            found = [name for name in found if name.lower().endswith(endings)]
        return found

    def text(self, name: str) -> str:
        """A text file, as `text_of` reads it."""
        return text_of(self.read(name))


class FolderTree(Tree):
    """A folder, read as every command reads one: no hidden files, links followed, none twice."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        listing = input_files(root)
        self.files, self.left_out = listing.names, listing.skipped

    def path(self, name: str) -> Path:
        """Where the file lies."""
        return self.root / name

    def read(self, name: str) -> bytes:
        """The content of a file."""
        return read_file(self.path(name))


class ZipTree(Tree):
    """A zip archive."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        try:
            self.archive = zipfile.ZipFile(root)
        except (OSError, zipfile.BadZipFile, ValueError) as error:
            raise HLError(f"{root} must be a zip archive, got: {reason(error)}") from error
        members = self.archive.infolist()
        check_count(root, len(members))
        self._members: dict[str, zipfile.ZipInfo] = {}
        for info in members:
            mode = info.external_attr >> 16
            if info.is_dir():
                continue
            why = unsafe(info.filename, info.file_size)
            if stat.S_ISLNK(mode):
                why = "is a link"
            elif info.flag_bits & ENCRYPTED:
                why = "is encrypted"
            if not why and info.filename in self._members:
                why = "comes twice"
            keep(self, info.filename, why)
            if not why:
                self._members[info.filename] = info
        # In the order of the bytes, in which they are read fastest.
        self.files.sort(key=lambda name: self._members[name].header_offset)

    def read(self, name: str) -> bytes:
        """The content of a member."""
        try:
            with self.archive.open(self._members[name]) as member:
                return bounded(name, member.read(MAX_BYTES + 1))
        except HLError:
            raise
        except Exception as error:  # zlib, lzma and zipfile each raise errors of their own
            raise HLError(f"cannot read {name} of {self.root}: {reason(error)}") from error


class TarTree(Tree):
    """A tar archive, compressed or not."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._members: dict[str, tarfile.TarInfo] = {}
        try:
            self.archive = tarfile.open(root)  # noqa: SIM115 (read as long as the tree lives)
            for n, info in enumerate(self.archive):
                check_count(root, n)
                if info.isdir():
                    continue
                why = unsafe(info.name, info.size)
                if info.issym() or info.islnk():
                    why = "is a link"
                elif not info.isfile():
                    why = "is no file"
                if not why and info.name in self._members:
                    why = "comes twice"
                keep(self, info.name, why)
                if not why:
                    self._members[info.name] = info
        except HLError:
            raise
        except Exception as error:  # gzip, bz2, lzma and tarfile each raise errors of their own
            raise HLError(f"{root} must be a tar archive, got: {reason(error)}") from error

    def read(self, name: str) -> bytes:
        """The content of a member."""
        try:
            member = self.archive.extractfile(self._members[name])
            assert member is not None  # only files were kept
            with member:
                return bounded(name, member.read(MAX_BYTES + 1))
        except HLError:
            raise
        except Exception as error:
            raise HLError(f"cannot read {name} of {self.root}: {reason(error)}") from error


def open_tree(src: str | Path) -> Tree:
    """The dataset at a path.

    Args:
        src: a folder, or a .zip or .tar file (.tar.gz, .tgz, .tar.bz2, .tar.xz too).

    Returns:
        The tree of its files.

    Raises:
        HLError: where there is none.
    """
    path = user_path(src)
    if path.is_dir():
        return FolderTree(path)
    if path.is_file() and path.suffix.lower() == ".zip":
        return ZipTree(path)
    if path.is_file() and path.name.lower().endswith(TAR_ENDINGS):
        return TarTree(path)
    why = "another file" if path.exists() else "nothing there"
    raise HLError(f"{path} must be a folder, or a .zip or .tar archive, got {why}")


# ---- what is read and what is not ----------------------------------------------------------------
def read_file(path: Path) -> bytes:
    """The content of a file on the disk. Raises HLError where it cannot be read or is too large."""
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise HLError(too_large(path.name, size))
        return path.read_bytes()
    except OSError as error:
        raise HLError(f"cannot read {path}: {error.strerror}") from error


def text_of(content: bytes) -> str:
    """Text in UTF-8 with or without its mark; other bytes become question marks."""
    return content.decode("utf-8-sig", "replace")


def keep(tree: Tree, name: str, reason: str) -> None:
    """Put a member among the files, or among what is left out where there is a reason.

    Hidden ones, caches and trash are passed over, as in a folder.
    """
    if reason:
        tree.left_out.append((name, reason))
    elif not any(is_hidden(part) for part in PurePosixPath(name).parts):
        tree.files.append(name)


def unsafe(name: str, size: int) -> str:
    """Why a member is not read; empty where it may be."""
    path = PurePosixPath(name.replace("\\", "/"))
    if not path.parts:
        return "has no name"
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        return "its name leads out of the archive"
    if size > MAX_BYTES:
        return too_large(name, size)
    return ""


def bounded(name: str, content: bytes) -> bytes:
    """The content, which may be longer than its archive says. Raises HLError for too much."""
    if len(content) > MAX_BYTES:
        raise HLError(too_large(name, len(content)))
    return content


def too_large(name: str, size: int) -> str:
    """What is said of a file of so many bytes."""
    return f"{name} must be at most {MAX_BYTES >> 20} MB, got {size >> 20} MB"


def check_count(root: Path, n: int) -> None:
    """Raise HLError for an archive of more members than any dataset has."""
    if n > MAX_FILES:
        raise HLError(f"{root} must hold at most {MAX_FILES:,} files, got more: divide it")
