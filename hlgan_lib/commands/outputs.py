"""Nothing is written over but what the same command wrote, and that only while it is unchanged.

Beside its outputs a command keeps a hidden list of them: name, size and time of each. A file that
is not listed, or that was changed since, belongs to somebody.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ..data.folder import check_apart, check_no_input
from ..errors import HLError
from ..files import Lock
from ..text import as_json
from .console import say, some

LIST = ".hlgan-written.jsonl"


@contextmanager
def writing(
    command: str,
    paths: Sequence[Path],
    *,
    folder: Path | None = None,
    sources: Iterable[str | Path | None] = (),
    overwrite: bool = False,
    flag: str = "--out",
) -> Iterator[None]:
    """Around the work of a command: check what it will write, then note what it wrote.

    One process at a time writes into a folder, or a file. What an earlier, larger run left beside
    it is named.

    Args:
        command: the name of the command that writes.
        paths: what it may write.
        folder: where it writes, its --out; None where that is one file.
        sources: what it reads, in none of which the paths may lie.
        overwrite: files of others may be replaced.
        flag: what an error about the sources calls out.

    Raises:
        HLError: before the work, as `claim` and `check_apart`, and while another process writes.
    """
    for path in paths:
        check_apart(path, *sources, flag=flag)
    place = folder or paths[0].parent
    claim(command, place, paths, overwrite=overwrite)
    with _alone(place, folder or paths[0]):
        claim(command, place, paths, overwrite=overwrite)  # again: others may have been first
        before = {path: _state(path) for path in paths}
        try:
            yield
        finally:  # of a work that failed half way too
            written = [path for path in paths if _state(path) not in (None, before[path])]
            record(command, place, written)
    if folder:
        say_leftovers(command, folder, written)


@contextmanager
def _alone(place: Path, target: Path) -> Iterator[None]:
    """While this process alone writes `target`; an empty folder that was made for it goes again."""
    made = not place.exists()
    name = f".hlgan-{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]}.lock"
    lock = Lock(place, name, said=target)
    while not _is_at(lock.fd, place / name):  # the one before us has just taken it away
        lock.release()
        lock = Lock(place, name, said=target)
    try:
        yield
    finally:
        with suppress(OSError):
            (place / name).unlink()
        lock.release()
        if made:
            with suppress(OSError):  # it holds something
                place.rmdir()


def _is_at(fd: int, path: Path) -> bool:
    """Is the open file still the one of that name?"""
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except OSError:
        return False


def say_leftovers(command: str, folder: Path, written: Iterable[Path]) -> None:
    """Name what an earlier run of the command left beside what this one wrote."""
    left = leftovers(command, folder, written)
    if left:
        say(f"{len(left)} files of an earlier run are still there{some(left)}")


def claim(
    command: str,
    folder: Path,
    paths: Sequence[Path],
    *,
    overwrite: bool = False,
    inputs: Iterable[Path] = (),
) -> None:
    """Check, before the work, that all of these files may be written.

    Args:
        command: the name of the command that writes.
        folder: where its list of outputs is.
        paths: what it will write, in the folder.
        overwrite: files of others may be replaced; inputs never.
        inputs: the files that it reads.

    Raises:
        HLError: for a file that this command did not write, or that was changed since.
    """
    check_no_input(paths, inputs)
    if overwrite:
        return
    ours = _written(command, folder)
    others = [p for p in paths if os.path.lexists(p) and _state(p) != ours.get(_name(p, folder))]
    if others:
        raise HLError(
            f"{others[0]} is there already and hlgan {command} did not write it, or it was changed "
            f"since ({len(others)} such files): choose another --out, or add --overwrite"
        )


def record(command: str, folder: Path, paths: Iterable[Path]) -> None:
    """Add files that were just written to the list."""
    lines = []
    for path in paths:
        entry = {"command": command, "name": _name(path, folder), "state": _state(path)}
        lines.append(as_json(entry) + "\n")
    if lines:
        with open(folder / LIST, "a", encoding="ascii") as file:
            file.writelines(lines)


def leftovers(command: str, folder: Path, paths: Iterable[Path]) -> list[str]:
    """What an earlier run of the command wrote and this one, which wrote `paths`, did not."""
    now = {_name(path, folder) for path in paths}
    ours = _written(command, folder)
    earlier = [name for name in sorted(ours) if name not in now]
    return [name for name in earlier if _state(folder / name) == ours[name]]


def _written(command: str, folder: Path) -> dict[str, object]:
    """Name -> size and time of what the command wrote; a damaged line is passed over."""
    ours: dict[str, object] = {}
    try:
        lines = (folder / LIST).read_bytes().splitlines()
    except OSError:
        return ours
    for line in lines:
        try:
            entry = json.loads(line)
            if entry["command"] == command:
                ours[str(entry["name"])] = entry["state"]
        except (ValueError, TypeError, KeyError, RecursionError):
            continue
    return ours


def _state(path: Path) -> list[int] | None:
    """Size and time of a file, which a change changes; None where there is none."""
    try:
        status = path.lstat()
    except (OSError, ValueError):
        return None
    return [status.st_size, status.st_mtime_ns]


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()
