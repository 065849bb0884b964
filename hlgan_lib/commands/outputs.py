"""Nothing is written over but what the same command wrote, and that only while it is unchanged.

Beside its outputs a command keeps a hidden list of them: name, size and time of each. A file that
is not listed, or that was changed since, belongs to somebody.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..data.folder import check_no_input
from ..errors import HLError

LIST = ".hlgan-written.jsonl"


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
        lines.append(json.dumps(entry) + "\n")
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
