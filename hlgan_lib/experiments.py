"""Many trainings as one plan: what a run is, its key, and `train_all`, which trains what is missing and can be stopped.

Nothing is trained twice: a run's folder is named by its stage and a key over all that decides its weights.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from . import config
from .checkpoint import RunFolder
from .config import RunConfig, differences
from .console import BAR, stop_signals
from .errors import HLError

VERSION = 1     # of the training code: raised when the same configuration gives other weights, so that keys change
DATA = {"hi": "faces:train-hi", "lo": "faces:train-lo"}
LOOKS = {"tick_images", "save_images"}  # how often a run is looked at: changes no weight
# Fields that some stages alone read; beside them, the lengths of other stages count for none.
READERS = {**dict.fromkeys(("h2l_width", "z_dim", "z_input", "w_z", "w_coarse", "d_opponent", "down", "down_first",
                            "jpeg"), {"h2l", "joint"}),
           "l2h_width": {"l2h", "joint"}, "n_lo": {"h2l", "joint", "cyclegan"},
           "lr_d_hi": {"l2h", "joint", "srgan", "cyclegan"},
           **dict.fromkeys(("srgan_width", "w_perceptual", "perceptual", "w_gan_srgan"), {"srgan"}),
           **dict.fromkeys(("cyclegan_width", "w_cycle", "w_identity"), {"cyclegan"})}
KNOWN = set().union(*READERS.values())


@dataclass(frozen=True)
class Run:
    """One training: a stage (any that `hl.train` knows), its configuration, and the runs that it starts from.

    degradation: a name, or the H2L run that is to be learned from. h2l, l2h: the two runs of a joint fine-tune.
    """

    stage: str
    cfg: RunConfig
    degradation: str | Run | None = None
    h2l: Run | None = None
    l2h: Run | None = None

    @property
    def key(self) -> str:
        """Ten hex digits over stage, sources and every field that differs from the defaults and is read."""
        return _digest(self.stage, self.cfg, {k: v.key if isinstance(v, Run) else v for k, v in self._sources()})

    @property
    def name(self) -> str:
        """The run's folder."""
        return f"{self.stage}-{self.key}"

    @property
    def needs(self) -> tuple[Run, ...]:
        """The runs that must be finished first."""
        return tuple(v for _, v in self._sources() if isinstance(v, Run))

    @property
    def n_images(self) -> int:
        return getattr(self.cfg, f"{self.stage}_steps") * self.cfg.batch

    def _sources(self) -> list[tuple[str, str | Run]]:
        return [(k, v) for k in ("degradation", "h2l", "l2h") if (v := getattr(self, k)) is not None]

    def sources(self) -> dict[str, str]:
        """What `hl.train` takes beside the configuration, with paths as seen from the folder that holds runs/."""
        path = {k: f"runs/{v.name}" if isinstance(v, Run) else v for k, v in self._sources()}
        if isinstance(self.degradation, Run):
            path["degradation"] = "learned:" + path["degradation"]
        return path


def _digest(stage: str, cfg: RunConfig, sources: dict[str, str]) -> str:
    changed = {k: own for k, (_, own) in differences(cfg, RunConfig()).items() if k not in _unread(stage)}
    text = json.dumps([VERSION, stage, sources, changed], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _unread(stage: str) -> set[str]:
    lengths = {k for k in RunConfig.__dataclass_fields__ if k.endswith("_steps")} - {"d_steps", f"{stage}_steps"}
    return LOOKS | lengths | {k for k, readers in READERS.items() if stage in KNOWN - readers}


def key_of(config_json: str | Path) -> str:
    """The key of a run from its config.json; a run that it started from is looked for beside its folder first.

    Raises HLError where the file, or that run, cannot be read, and for a run on other pictures than the shipped ones.
    """
    path = Path(config_json)
    try:
        about = json.loads(path.read_text())
        stage, cfg = about["stage"], config.from_dict(about["config"])
    except (OSError, ValueError, KeyError) as error:
        raise HLError(f"{path} must be the config.json of a run, got {type(error).__name__}: give its path") from error
    if other := [k for k, usual in DATA.items() if about.get(k, usual) != usual]:
        raise HLError(f"{path}: a key stands for a run on the shipped faces, got {other[0]} {about[other[0]]}: "
                      "this run has none")
    sources = {k: about[k] for k in ("degradation", "h2l", "l2h") if about.get(k) is not None}
    for k, source in sources.items():
        if k != "degradation" or source.startswith("learned:"):
            sources[k] = _key_near(source.removeprefix("learned:"), path)
    return _digest(stage, cfg, sources)


def _key_near(source: str, path: Path) -> str:
    if found := re.fullmatch(r"\w+-([0-9a-f]{10})", Path(source).name):
        return found[1]
    for folder in (path.parent.parent / Path(source).name, Path(source)):
        if (folder / "config.json").is_file():
            return key_of(folder / "config.json")
    raise HLError(f"{path} started from {source}, which is not there: put that run's folder beside {path.parent}")


# ---- training --------------------------------------------------------------------------------------------------------
@dataclass
class Outcome:
    """What became of a plan: names of the runs that are finished, and why the others are not."""

    finished: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    stopped: bool = False


def in_order(runs: Iterable[Run]) -> list[Run]:
    """Every run once, each after the runs that it needs."""
    order: dict[str, Run] = {}
    for run in runs:
        for r in (*in_order(run.needs), run):
            order.setdefault(r.name, r)
    return list(order.values())


def folder_of(run: Run, out: str | Path) -> RunFolder:
    return RunFolder(Path(out) / "runs" / run.name)


def train_all(runs: Iterable[Run], out: str | Path, jobs: int | None = None, device: str | None = None,
              stop: Callable[[], bool] = lambda: False) -> Outcome:
    """Train what is not finished in out/runs, a process and one thread each, what they need first.

    jobs: processes side by side; by default one a core, one alone on CUDA. An interrupted run goes on where it stopped.
    `stop()` true: each run saves and ends. A run that fails takes along only what needs it; what it said is in
    out/logs. Raises HLError for fewer than one job and for an --out that is a file.
    """
    if jobs is not None and jobs < 1:
        raise HLError(f"--jobs must be 1 or more, got {jobs}")
    out = Path(out).expanduser()
    if out.is_file():
        raise HLError(f"--out {out} is a file: choose a folder")
    plan, outcome, going = in_order(runs), Outcome(), {}
    waiting = [r for r in plan if not folder_of(r, out).finished]
    outcome.finished = [r.name for r in plan if r not in waiting]
    jobs = jobs or (1 if _on_cuda(device) else os.cpu_count() or 1)
    total = sum(r.n_images for r in waiting)
    tqdm.write(f"{len(plan)} runs, {len(outcome.finished)} finished before; {jobs} at a time")
    with tqdm(total=total, disable=None, bar_format=BAR, mininterval=0) as progress:
        try:
            while going or (waiting and not outcome.stopped):
                _collect(going, out, outcome)
                if stop() and not outcome.stopped:
                    outcome.stopped = True
                    for process in going.values():
                        process.terminate()
                for run in () if outcome.stopped else _ready(waiting, outcome, jobs - len(going)):
                    waiting.remove(run)
                    tqdm.write(f"{run.name} starts; {len(waiting)} to come")
                    going[run] = _start(run, out, device)
                progress.n = total - sum(r.n_images - _images(r, out) for r in (*waiting, *going))
                progress.refresh()
                time.sleep(0.2)
        finally:  # a second signal: nothing of ours stays behind
            for process in going.values():
                process.kill()
    return outcome


def _on_cuda(device: str | None) -> bool:
    from .console import pick_device

    return pick_device(device) != "cpu"


def _ready(waiting: list[Run], outcome: Outcome, n: int) -> list[Run]:
    """At most n runs that can start; those that never can are moved to the failed ones."""
    for run in list(waiting):
        if lost := [r.name for r in run.needs if r.name in outcome.failed]:
            waiting.remove(run)
            outcome.failed[run.name] = f"needs {lost[0]}, which failed"
    return [r for r in waiting if all(need.name in outcome.finished for need in r.needs)][:max(0, n)]


def _start(run: Run, out: Path, device: str | None) -> subprocess.Popen:
    """The run as a process whose working folder is `out`, so that its config.json holds no path of this machine."""
    job = {"stage": run.stage, "config": run.cfg.as_dict(), "sources": run.sources(), "out": f"runs/{run.name}",
           "device": device}
    path = os.pathsep.join(filter(None, [str(Path(__file__).resolve().parents[1]), os.environ.get("PYTHONPATH")]))
    (out / "logs").mkdir(parents=True, exist_ok=True)
    with open(out / "logs" / f"{run.name}.txt", "a") as said:
        return subprocess.Popen(  # a session of its own: Ctrl-C reaches it once, through train_all
            [sys.executable, "-m", "hlgan_lib.experiments", json.dumps(job)], cwd=out, stdout=said, stderr=said,
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path}, start_new_session=True)


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
            words = log.read_text().strip().splitlines() or [f"ended with {process.returncode}"]
            outcome.failed[run.name] = words[-1]
            tqdm.write(f"{run.name} failed: {words[-1]} (all it said: {log})")


def _images(run: Run, out: Path) -> int:
    """Images that the run has seen, by its log."""
    log = folder_of(run, out).log
    lines = log.read_text().splitlines() if log.is_file() else []
    try:
        return json.loads(lines[-1])["images"] if lines else 0
    except ValueError:  # a line that is being written
        return 0


def train_here(job: dict) -> int:
    """Train one run of a plan in this process, going on where it stopped; the exit code. It ends with its parent."""
    from .stages import train

    parent = os.getppid()
    with stop_signals() as stop:
        try:
            for tick in train(config.from_dict(job["config"]), job["stage"], out=job["out"], resume=True,
                              device=job["device"], stop=lambda: stop() or os.getppid() != parent, **job["sources"]):
                if tick.score is not None or tick.health:
                    print(f"{tick.step}/{tick.steps} {tick.rate:.0f} images/s {' '.join(tick.health)}", flush=True)
        except HLError as error:
            print(error, file=sys.stderr)
            return 2
    return 128 + stop.signal if stop.signal else 0


if __name__ == "__main__":
    sys.exit(train_here(json.loads(sys.argv[1])))
