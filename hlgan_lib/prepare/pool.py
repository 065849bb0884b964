"""From a plan to a FaceSet file: a pool of processes reads, one process writes, in order.

The file grows under another name, and a journal beside it says after each piece how far it is and
what the checksum of its images was. So a run that was stopped, even by a power cut that lost the
end of the file, goes on; what was made is the same file, bit for bit, as if it had never stopped.
The processes import no torch, which keeps them small.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import sys
import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

import numpy as np

from ..data.pictures import MAX_SHRINK
from ..data.storage import ImageFile
from ..errors import HLError
from ..text import as_json
from .cropping import Cut, cut_job
from .plan import Face, Job, Plan
from .trees import Tree

PIECE = 64  # files a task of the pool
FEW = 512  # files below which starting processes costs more than it saves
AHEAD = 8  # pieces a process that wait for it, so that it never waits for this one

Progress = Callable[[Iterable[Any]], Iterable[Any]]
Content = Path | bytes | str


@dataclass
class Made:
    """What became of a plan.

    Attributes:
        path: the FaceSet file.
        n: faces in it.
        size: their side, pixels.
        skipped: (name, reason) of what could not be used.
        notes: what a user should know of the choice.
        n_shrunk: faces that were reduced by more than LR should be.
        n_before: files that an earlier, stopped run had done.
    """

    path: Path
    n: int = 0
    size: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    n_shrunk: int = 0
    n_before: int = 0


def make_file(
    tree: Tree,
    plan: Plan,
    size: int,
    out: Path,
    about: dict[str, Any],
    workers: int | None = None,
    progress: Progress = iter,
) -> Made:
    """Read the faces of a plan and write them as a FaceSet file; go on where a run was stopped.

    Args:
        tree: where the files are.
        plan: which faces of which files.
        size: side of the faces, pixels.
        out: the .npz file; replaced whole, at the end.
        about: what the file says of itself.
        workers: processes; 0 works in this one, None takes one a core where it pays.
        progress: wraps the pieces, to show how far the work is.

    Returns:
        What was made.

    Raises:
        HLError: where no face was usable, and where nothing can be written.
    """
    made = Made(out, size=size, skipped=tree.left_out + plan.skipped, notes=list(plan.notes))
    unfinished = out.with_name(f".{out.name}.unfinished")
    journal = out.with_name(f".{out.name}.journal")
    job_print = fingerprint(plan, size)
    lines = intact(read_journal(journal, job_print), unfinished, size)
    kept: list[Face] = []
    for line in lines:
        take(line, made, kept)
    first = lines[-1]["done"] if lines else 0
    made.n_before = first

    out.parent.mkdir(parents=True, exist_ok=True)
    if not lines:
        unfinished.unlink(missing_ok=True)
        journal.write_text(as_json({"job": job_print}) + "\n")
    cut_journal(journal, 1 + len(lines))
    with (
        processes(workers, len(plan.jobs) - first) as pool,
        open(unfinished, "r+b" if lines else "w+b") as file,
    ):
        images = ImageFile(file, (size, size), len(kept))
        with open(journal, "a") as log:
            pieces = range(first, len(plan.jobs), PIECE)
            results = run_all(tree, plan.jobs[first:], size, pool)
            for start, cut in zip(progress(pieces), results):
                batch = np.array(cut.images, np.uint8).reshape(-1, 3, size, size)
                images.append(batch)
                line = {
                    "done": min(start + PIECE, len(plan.jobs)),
                    "crc": zlib.crc32(batch.tobytes()),
                    "faces": [[face.name, face.columns] for face in cut.faces],
                    "skipped": cut.skipped,
                    "n_shrunk": cut.n_shrunk,
                }
                file.flush()
                log.write(as_json(line) + "\n")
                log.flush()
                take(line, made, kept)
        if kept:
            about = about | {"skipped": made.skipped, "notes": made.notes}
            images.seal([face.name for face in kept], about, columns_of(kept))
            file.flush()
            os.fsync(file.fileno())
    if kept:
        os.replace(unfinished, out)
    unfinished.unlink(missing_ok=True)
    journal.unlink()
    made.n = len(kept)
    return made


# ---- stopped and gone on with --------------------------------------------------------------------
def fingerprint(plan: Plan, size: int) -> str:
    """What makes two runs the same: the same faces of the same files at the same size."""
    total = hashlib.sha256(f"{size} {PIECE}".encode())
    for job in plan.jobs:
        total.update(repr(job).encode("utf-8", "surrogatepass"))
    return total.hexdigest()


def read_journal(path: Path, job_print: str) -> list[dict[str, Any]]:
    """The pieces that are done; none where the journal is of another job, or of none."""
    try:
        text = path.read_text()
    except OSError:
        return []
    lines = []
    for row in text.splitlines(keepends=True):
        try:
            line = json.loads(row)
        except ValueError:
            break
        if not row.endswith("\n"):  # the last line of a killed run may be cut
            break
        lines.append(line)
    if not lines or lines[0] != {"job": job_print}:
        return []
    return lines[1:]


def intact(lines: list[dict[str, Any]], path: Path, size: int) -> list[dict[str, Any]]:
    """The pieces up to the first whose images the file does not hold as they were written."""
    if not lines or not path.is_file():
        return []
    with open(path, "rb") as file:
        file.seek(ImageFile.offset((size, size)))
        for k, line in enumerate(lines):
            content = file.read(len(line["faces"]) * 3 * size * size)
            if zlib.crc32(content) != line.get("crc"):
                return lines[:k]
    return lines


def cut_journal(path: Path, n: int) -> None:
    """Keep the first n lines: half a line behind them would spoil the next that is written."""
    with open(path, "r+b") as file:
        for _ in range(n):
            file.readline()
        file.truncate()


def take(line: dict[str, Any], made: Made, kept: list[Face]) -> None:
    """Add a piece to what was made."""
    for name, columns in line["faces"]:
        kept.append(Face(name, None, tuple((key, value) for key, value in columns)))
    made.skipped += [(name, reason) for name, reason in line["skipped"]]
    made.n_shrunk += line["n_shrunk"]


def columns_of(faces: list[Face]) -> dict[str, np.ndarray]:
    """The columns that the faces carry, as arrays; -1 where a face lacks a number."""
    heads: dict[str, None] = {}
    for face in faces:
        heads |= dict.fromkeys(key for key, _ in face.columns)
    held = [dict(face.columns) for face in faces]
    return {head: np.array([row.get(head, -1) for row in held], np.int64) for head in heads}


# ---- the processes -------------------------------------------------------------------------------
@dataclass(frozen=True)
class Pool:
    """Processes that wait for work.

    Attributes:
        executor: gives it to them; None where this process does it itself.
        ahead: pieces that wait, so that no process does.
    """

    executor: ProcessPoolExecutor | None
    ahead: int = 0


@contextmanager
def processes(workers: int | None, n_files: int) -> Iterator[Pool]:
    """The processes that read so many files; they end with the block.

    They start here, before a progress bar does: a bar brings a thread, and beside a thread no copy
    of this process is safe.
    """
    if workers is None:
        workers = n_cores() if n_files >= FEW else 0
    if workers == 0:
        yield Pool(None)
        return
    executor = ProcessPoolExecutor(workers, fast_context(), initializer=start_process)
    try:
        executor.submit(int)  # processes start with the first task
        yield Pool(executor, AHEAD * workers)
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def n_cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_all(tree: Tree, jobs: list[Job], size: int, pool: Pool) -> Iterator[Cut]:
    """The faces of PIECE jobs after PIECE jobs, in order."""
    pieces = (jobs[k : k + PIECE] for k in range(0, len(jobs), PIECE))
    if pool.executor is None:
        for piece in pieces:
            yield cut_piece(load(tree, piece), size)
        return
    waiting: deque[tuple[list[Job], Future[Cut]]] = deque()
    for piece in pieces:
        waiting.append((piece, pool.executor.submit(cut_piece, load(tree, piece), size)))
        if len(waiting) >= pool.ahead:
            yield result(*waiting.popleft())
    while waiting:
        yield result(*waiting.popleft())


def fast_context() -> BaseContext:
    """How the processes start: as copies of this one where that is safe, else as new interpreters.

    A copy starts in no time and shares this process's memory. It is safe where nothing else runs
    here: no other thread, so no lock that a copy would wait for, and no torch, as at the command
    line. In a notebook each process is a new interpreter, about 0.3 s of a core.
    """
    alone = threading.active_count() == 1 and "torch" not in sys.modules
    return multiprocessing.get_context("fork" if sys.platform == "linux" and alone else "spawn")


def load(tree: Tree, piece: list[Job]) -> list[tuple[Job, Content]]:
    """Each job with its path, or, of an archive, with its bytes, which this process reads."""
    loaded: list[tuple[Job, Content]] = []
    for job in piece:
        content: Content | None = tree.path(job.file)
        if content is None:
            try:
                content = tree.read(job.file)
            except HLError as error:
                content = str(error)
        loaded.append((job, content))
    return loaded


def cut_piece(loaded: list[tuple[Job, Content]], size: int) -> Cut:
    """The faces of some jobs."""
    cut = Cut()
    for job, content in loaded:
        cut_job(job, content, size, MAX_SHRINK, cut)
    return cut


def result(piece: list[Job], future: Future[Cut]) -> Cut:
    """What a process made of a piece. Raises HLError where the process died of it."""
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise HLError(
            f"a process died between {piece[0].file} and {piece[-1].file} (out of memory?): run "
            "the same command again to go on, with --workers 1 if it dies again"
        ) from error


def start_process() -> None:
    """Ctrl-C is for the process that writes; where that one is gone, this one ends too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
