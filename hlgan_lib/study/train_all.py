"""Many trainings as one plan: what is missing is trained, side by side, and can be stopped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from .. import config
from ..checkpoint import log_entry
from ..errors import HLError
from ..files import Lock, out_folder
from ..runtime import BAR, pick_device, speech_may_fail, stop_signals
from ..text import as_json
from .run import Run, folder_of, in_order

EVERY_S = 60  # seconds between two lines on how far a plan is, where there is no terminal


@dataclass
class Outcome:
    """What became of a plan: names of the runs that are finished, and why the others are not."""

    finished: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    stopped: bool = False


def train_all(
    runs: Iterable[Run],
    out: str | Path,
    jobs: int | None = None,
    device: str | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Train what is not finished in out/runs, a process and one thread each, what they need first.

    An interrupted run goes on where it stopped. A run that fails takes along only what needs it.

    Args:
        runs: the trainings; what they need is trained too.
        out: folder for runs/ and, of what each run says, logs/.
        jobs: processes side by side; by default one a core, one alone on CUDA.
        device: of every run; by default CUDA where there is one.
        stop: asked again and again; once true, each run saves and ends.

    Returns:
        What became of the runs.

    Raises:
        HLError: for fewer than one job, and for an `out` that is a file.
    """
    if jobs is not None and jobs < 1:
        raise HLError(f"--jobs must be 1 or more, got {jobs}")
    out = out_folder(out)
    jobs = jobs or (os.cpu_count() or 1 if pick_device(device) == "cpu" else 1)
    plan = in_order(runs)
    waiting = [r for r in plan if not folder_of(r, out).finished]
    outcome = Outcome(finished=[r.name for r in plan if r not in waiting])
    tqdm.write(f"{len(plan)} runs, {len(outcome.finished)} finished before; {jobs} at a time")

    if not waiting:
        return outcome
    lock = Lock(out)  # two plans would start the same runs
    going: dict[Run, subprocess.Popen] = {}
    total = sum(r.n_images for r in waiting)
    begun: int | None = None
    start = said = time.monotonic()
    with tqdm(total=total, disable=None, bar_format=BAR, mininterval=0) as progress:
        try:
            while going or (waiting and not outcome.stopped):
                _collect(going, out, outcome)
                if stop() and not outcome.stopped:
                    outcome.stopped = True
                    for process in going.values():
                        process.terminate()
                if not outcome.stopped:
                    for run in _ready(waiting, outcome, jobs - len(going)):
                        waiting.remove(run)
                        tqdm.write(f"{run.name} starts; {len(waiting)} to come")
                        going[run] = _start(run, out, device)
                done = total - sum(r.n_images - _images(r, out) for r in (*waiting, *going))
                if begun is None or done < begun:  # runs that had begun before are no pace
                    begun = done
                left = _left(done - begun, total - done, time.monotonic() - start)
                progress.set_postfix_str(left, refresh=False)
                progress.n = done
                progress.refresh()
                if progress.disable and time.monotonic() - said > EVERY_S:
                    said = time.monotonic()
                    tqdm.write(f"{done:,} of {total:,} images  {left}")
                time.sleep(0.2)
        finally:  # a second signal: nothing of ours stays behind
            for process in going.values():
                process.kill()
            lock.release()
    return outcome


def _left(done: int, to_come: int, seconds: float) -> str:
    """How long the rest takes at the pace so far.

    >>> _left(1000, 9000, 60), _left(0, 9000, 60)
    ('about 09:00 left', 'no estimate yet')
    """
    if done <= 0:
        return "no estimate yet"
    return f"about {tqdm.format_interval(seconds * to_come / done)} left"


def _ready(waiting: list[Run], outcome: Outcome, n: int) -> list[Run]:
    """At most n runs that can start; those that never can are moved to the failed ones."""
    for run in list(waiting):
        lost = [need.name for need in run.needs if need.name in outcome.failed]
        if lost:
            waiting.remove(run)
            outcome.failed[run.name] = f"needs {lost[0]}, which failed"
    ready = [r for r in waiting if all(need.name in outcome.finished for need in r.needs)]
    return ready[: max(0, n)]


def _start(run: Run, out: Path, device: str | None) -> subprocess.Popen:
    """The run as a process; as its working folder is `out`, its config.json holds no other path."""
    job = {
        "stage": run.stage,
        "config": run.cfg.as_dict(),
        "sources": run.sources(),
        "out": f"runs/{run.name}",
        "device": device,
    }
    here = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
    (out / "logs").mkdir(parents=True, exist_ok=True)
    with open(out / "logs" / f"{run.name}.txt", "a") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "hlgan_lib.study.train_all", as_json(job)],
            cwd=out,
            stdout=said,
            stderr=said,
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path},
            start_new_session=True,  # Ctrl-C reaches it once, through train_all
        )


def _collect(going: dict[Run, subprocess.Popen], out: Path, outcome: Outcome) -> None:
    """Take ended processes out of `going`."""
    for run, process in list(going.items()):
        if process.poll() is None:
            continue
        del going[run]
        if folder_of(run, out).finished:
            outcome.finished.append(run.name)
        elif not outcome.stopped:
            log = out / "logs" / f"{run.name}.txt"
            words = log.read_text("utf-8", "replace").strip().splitlines() or [
                f"ended with {process.returncode}"
            ]
            outcome.failed[run.name] = words[-1]
            tqdm.write(f"{run.name} failed: {words[-1]} (all it said: {log})")


def _images(run: Run, out: Path) -> int:
    """Images that the run has seen, by the last whole line of its log."""
    log = folder_of(run, out).log
    lines = log.read_bytes().splitlines() if log.is_file() else []
    for line in reversed(lines):
        entry = log_entry(line)
        if entry:
            return entry["images"]
    return 0


def train_here(job: dict) -> int:
    """Train one run of a plan in this process, going on where it stopped; the exit code.

    It ends with its parent.
    """
    from ..training import train

    parent = os.getppid()
    with stop_signals() as stop, speech_may_fail():
        try:
            ticks = train(
                config.from_dict(job["config"], job["stage"]),
                job["stage"],
                out=job["out"],
                resume=True,
                device=job["device"],
                stop=lambda: stop() or os.getppid() != parent,
                **job["sources"],
            )
            for tick in ticks:
                if tick.score is not None or tick.health:
                    pace = f"{tick.step}/{tick.steps} {tick.rate:.0f} images/s"
                    print(f"{pace} {' '.join(tick.health)}", flush=True)
        except HLError as error:
            print(error, file=sys.stderr)
            return 2
    return stop.exit_code


if __name__ == "__main__":
    sys.exit(train_here(json.loads(sys.argv[1])))
