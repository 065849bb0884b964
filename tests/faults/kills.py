"""kill -9 at the file operations of a training, whole or half done: python -m tests.faults.kills.

A child trains and dies at its n-th operation on files (make, write, flush, rename, remove), before
it or, of a write, in the middle. Another goes on with --resume to the end. What is then in the
folder must be what an unbroken run leaves, bit for bit.
"""

import argparse
import builtins
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

import torch

from hlgan_lib import files
from hlgan_lib.checkpoint import RunFolder, load_checkpoint, read_weights
from hlgan_lib.config import STAGES
from hlgan_lib.data.faces import FaceSet
from hlgan_lib.tasks import baselines
from tests.helpers import LO, TINY, same, train

CFG = TINY.replace(
    **{f"{stage}_steps": 4 for stage in STAGES}, n_val=2, tick_images=4, save_images=8
)
# The trainings that are killed: stage, and what is set.
TRAININGS: dict[str, tuple[str, dict]] = {stage: (stage, {}) for stage in STAGES} | {
    "wavelet": ("l2h", {"l2h_model": "wavelet"}),
    "deepdeblur": ("l2h", {"l2h_model": "deepdeblur"}),
    "near": ("l2h", {"n_near": 2}),
    "domains": ("h2l", {"h2l_model": "camera", "domains": 2}),
}
TWO_CAMERAS = FaceSet(LO.images, tuple(f"{i % 2}/{i}.png" for i in range(len(LO))), "two cameras")
baselines.HISTORY = 6  # images: full after two updates of four


class Operations:
    """Counts the operations on files; dies at one of them."""

    def __init__(self, fatal: int = 0, half: bool = False) -> None:
        self.fatal, self.half, self.n = fatal, half, 0
        self.landmarks: list[int] = []  # all but the writes, of which a checkpoint has thousands

    def start(self) -> None:
        """From now on, in this process."""
        for name in ("replace", "fsync", "unlink", "mkdir", "ftruncate"):
            setattr(os, name, self._counted(getattr(os, name)))
        files.open = self._open

    def due(self, landmark: bool = True) -> bool:
        """Is this the operation to die at?"""
        self.n += 1
        if landmark:
            self.landmarks.append(self.n)
        return self.n == self.fatal

    def _counted(self, call):
        def counted(*args, **options):
            if self.due():
                die()
            return call(*args, **options)

        return counted

    def _open(self, path, mode="r", **options):
        if self.due():
            die()
        return _File(builtins.open(path, mode, **options), self)


class _File:
    """A file whose writes are counted."""

    def __init__(self, file, operations: Operations) -> None:
        self.file, self.operations = file, operations

    def write(self, data):
        """Write; or half of it, and die."""
        if self.operations.due(landmark=False):
            if self.operations.half:
                self.file.write(bytes(data)[: len(data) // 2])
                self.file.flush()
            die()
        return self.file.write(data)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def __getattr__(self, name):
        return getattr(self.file, name)


def die() -> None:
    """As kill -9 does, or a power cut."""
    os.kill(os.getpid(), signal.SIGKILL)


def in_child(work) -> int:
    """Do `work` in a process of its own; its exit code, or minus the signal that ended it."""
    child = os.fork()
    if not child:
        try:
            work()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def whole(out: Path) -> dict:
    """All that a finished run must repeat to the bit: times are left out."""
    folder = RunFolder(out)
    entries, n_damaged = folder.read_log()
    timeless = [{k: v for k, v in e.items() if k not in ("seconds", "rate")} for e in entries]
    return {
        "finished": folder.finished,
        "log": timeless,
        "damaged": n_damaged,
        "last": load_checkpoint(folder.last) | {"seconds": 0},
        "best": load_checkpoint(folder.best) | {"seconds": 0},
        "weights": read_weights(folder.weights)[0],
        "samples": {p.name: p.read_bytes() for p in sorted(folder.samples.iterdir())},
        "left over": [p.name for p in out.rglob("*.part")],
    }


class Killing:
    """Whole runs of the trainings, and how many operations each takes."""

    def __init__(self, folder: Path, names: tuple[str, ...] = tuple(TRAININGS)) -> None:
        self.folder, self.more = folder, {"joint": {}, "domains": {"lo": TWO_CAMERAS}}
        if "joint" in names:
            for stage in ("h2l", "l2h"):
                list(
                    train(
                        stage, CFG.replace(h2l_steps=1, l2h_steps=1), out=folder / f"from-{stage}"
                    )
                )
                self.more["joint"][stage] = folder / f"from-{stage}"
        self.wanted: dict[str, dict] = {}
        self.n_operations: dict[str, int] = {}
        self.landmarks: dict[str, list[int]] = {}
        for name in names:
            operations = Operations()

            def work(name=name, operations=operations):
                operations.start()
                self.train(name, folder / name)
                counted = {"n": operations.n, "landmarks": operations.landmarks}
                (folder / f"{name}.json").write_text(json.dumps(counted))

            assert in_child(work) == 0
            self.wanted[name] = whole(folder / name)
            counted = json.loads((folder / f"{name}.json").read_text())
            self.n_operations[name] = counted["n"]
            self.landmarks[name] = counted["landmarks"]

    def train(self, name: str, out: Path, resume: bool = False) -> None:
        """To the end."""
        stage, changes = TRAININGS[name]
        cfg = CFG.replace(**changes)
        for _ in train(stage, cfg, out=out, resume=resume, **self.more.get(name, {})):
            pass

    def kill(self, name: str, fatal: int, half: bool, out: Path) -> list[str]:
        """Die at an operation, go on; what differs from the unbroken run."""

        def dying():
            Operations(fatal, half).start()
            self.train(name, out)

        died = in_child(dying)
        if died != -signal.SIGKILL:
            return [f"ended with {died}"]
        if in_child(lambda: self.train(name, out, resume=True)):
            return ["does not go on"]
        return same(self.wanted[name], whole(out))


def main() -> int:
    """Kill n times; 1 where something was lost."""
    parser = argparse.ArgumentParser(description="Kill trainings at their file operations.")
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    rng, lost = random.Random(args.seed), 0
    with tempfile.TemporaryDirectory() as folder:
        killing = Killing(Path(folder))
        print("operations:", killing.n_operations, flush=True)
        print("but writes:", {k: len(v) for k, v in killing.landmarks.items()}, flush=True)
        n = 0
        while n < args.n:
            name = list(TRAININGS)[n % len(TRAININGS)]
            half = rng.random() < 0.5
            fatal = rng.choice(killing.landmarks[name])
            if half:
                fatal = rng.randrange(1, killing.n_operations[name] + 1)
            out = Path(folder) / f"killed-{n}"
            try:
                wrong = killing.kill(name, fatal, half, out)
            except KeyboardInterrupt:  # what was done until then is reported
                break
            if wrong:
                lost += 1
                print(f"kill {n}: {name}, operation {fatal}, half {half}: {wrong[:3]}", flush=True)
            shutil.rmtree(out, ignore_errors=True)
            n += 1
    print(f"{n} kills, {lost} with something lost")
    return 1 if lost else 0


if __name__ == "__main__":
    raise SystemExit(main())
