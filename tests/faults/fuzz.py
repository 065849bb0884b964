"""A seeded fuzzer of everything that is stored: `make fuzz`, or python -m tests.faults.fuzz.

Each input is a whole file with one to three damages. Reading it must give a value, or one HLError
in one printable line; a cache must give what it would give without the file. Anything else is a
fault, and is printed with the number that repeats it.
"""

import argparse
import os
import random
import resource
import shutil
import signal
import tempfile
import time
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

import hlgan_lib as hl
from hlgan_lib.checkpoint import RunFolder, load_checkpoint, save_weights
from hlgan_lib.data.npz import load_npz
from hlgan_lib.errors import HLError
from hlgan_lib.inference import BUILDERS
from hlgan_lib.loop import TrainingDiverged
from hlgan_lib.metrics import feature_cache
from hlgan_lib.networks import H2L
from hlgan_lib.notebook.reruns import logged
from hlgan_lib.reliability.calibration import CALIBRATION, Calibration
from hlgan_lib.study import tables
from hlgan_lib.study.results import load
from hlgan_lib.study.run import key_of
from tests.faults.fuzz_datasets import Datasets
from tests.faults.mutations import mutated
from tests.helpers import LO, TINY, loop_of, train

SLOW_S, LARGE_KB = 20.0, 400_000  # more than this for one input is a fault
LOOPS = ("h2l", "cyclegan", "flow", "semicycle", "pseudo")
FEW = TINY.replace(
    **{f"{stage}_steps": 2 for stage in LOOPS}, n_val=2, tick_images=4, save_images=4
)
NETS = (
    ("h2l", TINY),
    ("l2h", TINY),
    ("h2l", TINY.replace(h2l_model="camera")),
    ("h2l", TINY.replace(h2l_model="camera", h2l_law="adaptive", domains=2)),
    ("h2l", TINY.replace(h2l_model="kernel+noise")),
    ("l2h", TINY.replace(l2h_model="wavelet")),
    ("l2h", TINY.replace(l2h_model="deepdeblur")),
    ("flow", TINY),
    ("pseudo", TINY),
)


@dataclass
class Report:
    """What became of the inputs: counts by kind, and the faults."""

    read: Counter = field(default_factory=Counter)
    refused: Counter = field(default_factory=Counter)
    seconds: Counter = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def table(self) -> str:
        """Counts and seconds of each kind, as Markdown."""
        rows = ["| stored file | inputs | read | refused | seconds |", "|---|---|---|---|---|"]
        for kind in sorted(self.seconds):
            read, refused = self.read[kind], self.refused[kind]
            cells = (kind, read + refused, read, refused, f"{self.seconds[kind]:.0f}")
            rows.append(f"| {' | '.join(map(str, cells))} |")
        n, seconds = self.read.total() + self.refused.total(), self.seconds.total()
        rows.append(f"| all | {n} | {self.read.total()} | {self.refused.total()} | {seconds:.0f} |")
        return "\n".join(rows)


class Stored:
    """Whole files of every kind, and how each is read."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.work = folder, folder / "work"
        self.kinds = {
            "weights": (self.weights, 24),
            "FaceSet": (self.faces, 20),
            "config.json": (self.config, 12),
            "log.jsonl": (self.log, 10),
            "scores.json": (self.scores, 6),
            "checkpoint": (self.checkpoint, 10),
            "results": (self.results, 10),
            "calibration": (self.calibration, 8),
            "cache": (self.cache, 8),
            "run folder": (self.run_folder, 1),
        }
        self.loops = {stage: loop_of(stage, FEW) for stage in LOOPS}
        for stage in self.loops:
            list(train(stage, FEW, out=folder / stage, stop=_after(1)))
        list(train("h2l", FEW, out=folder / "done"))
        for i, (kind, cfg) in enumerate(NETS):
            state = BUILDERS[kind](cfg).state_dict()
            save_weights(folder / f"{i}.safetensors", state, kind, cfg, {"hi": "a"})
        LO[:6].save(folder / "plain.npz")
        few = LO[:6]
        np.savez_compressed(folder / "packed.npz", images=few.images, names=np.array(few.names))
        (folder / "results").mkdir()
        self._make_results()
        os.environ["HLGAN_CACHE"] = str(folder / "cache")
        self.pictures = torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))
        self.features = self.pictures.mean((2, 3)).double()
        feature_cache.cached(self.pictures, {}, lambda: self.features)
        [self.entry] = (folder / "cache").glob("*.safetensors")
        self.entry_data = self.entry.read_bytes()

    def _make_results(self) -> None:
        """Results of the library's own, cut down to two runs, so that an input takes no second."""
        whole = load(Path(hl.__file__).parents[1] / "results")
        names = [*list(whole.runs)[:2]]
        whole.runs = {name: whole.runs[name] for name in names}
        for entry in (*whole.runs.values(), *whole.references.values()):
            entry.pop("psnr_faces", None)
        kept = ["faces/bicubic", *(k for k in whole.arrays if k.split("/")[1] in names)]
        whole.arrays = {k: whole.arrays[k][:2] for k in kept}
        whole.save(self.folder / "results")

    def damaged(self, source: Path, rng: random.Random, name: str = "") -> Path:
        """A damaged copy of a file in the work folder."""
        path = self.work / (name or source.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(mutated(source.read_bytes(), rng))
        return path

    # ---- a kind each: damage it, read it ---------------------------------------------------------
    def weights(self, rng: random.Random) -> None:
        """hl.load_weights, and the network it gives used."""
        i = rng.randrange(len(NETS))
        net = hl.load_weights(self.damaged(self.folder / f"{i}.safetensors", rng))
        if isinstance(net, H2L):
            net(torch.zeros(1, 3, 32, 32), torch.zeros(1, net.cfg.z_dim))
        else:
            net(torch.zeros(1, 3, 8, 8))

    def faces(self, rng: random.Random) -> None:
        """A FaceSet file opened, its pictures and names used."""
        source = self.folder / rng.choice(("plain.npz", "packed.npz"))
        faces = load_npz(self.damaged(source, rng))
        faces.batch(slice(0, 50))
        faces.digest()

    def config(self, rng: random.Random) -> None:
        """config.json, as --resume and the study read it."""
        path = self.damaged(self.folder / "h2l" / "config.json", rng)
        about = RunFolder(self.folder / "h2l").read_about()
        if rng.random() < 0.5:
            key_of(path)
        RunFolder(path.parent).check(about, resume=True)

    def log(self, rng: random.Random) -> None:
        """log.jsonl, as a notebook and --resume read it; good lines stay."""
        path = self.damaged(self.folder / "done" / "log.jsonl", rng)
        folder = RunFolder(path.parent)
        n = len(list(logged(folder, 6)))
        folder.cut_back(10**40)
        assert len(folder.read_log()[0]) == n and folder.read_log()[1] == 0

    def scores(self, rng: random.Random) -> None:
        """scores.json."""
        path = self.damaged(self.folder / "done" / "scores.json", rng)
        RunFolder(path.parent).read_scores()

    def checkpoint(self, rng: random.Random) -> None:
        """last.pt, its loop one update on."""
        stage = rng.choice(list(self.loops))
        path = self.damaged(self.folder / stage / "checkpoints" / "last.pt", rng)
        loop = self.loops[stage]
        state = load_checkpoint(path)
        try:
            loop.load(state)
        except Exception as error:  # as training.run does
            raise HLError("of another version") from error
        loop.update()
        loop.means()

    def results(self, rng: random.Random) -> None:
        """ablation.json and .npz, and the tables of them."""
        for name in ("ablation.json", "ablation.npz"):
            shutil.copy(self.folder / "results" / name, self.work)
        self.damaged(self.folder / "results" / rng.choice(("ablation.json", "ablation.npz")), rng)
        stored = load(self.work)
        tables.heading(stored)
        tables.gap_table(stored)
        if stored.references:
            tables.readme_table(stored)

    def calibration(self, rng: random.Random) -> None:
        """The stored usual values of trust, and a picture held against them."""
        calibration = Calibration.load(self.damaged(CALIBRATION, rng))
        found = {name: torch.ones(3) for name in calibration.mean}
        calibration.grade(calibration.score(found))
        calibration.hr_features()

    def cache(self, rng: random.Random) -> None:
        """An entry of the cache of features: never another value than without it."""
        self.entry.write_bytes(mutated(self.entry_data, rng))
        features = feature_cache.cached(self.pictures, {}, lambda: self.features)
        assert torch.equal(features, self.features)

    def run_folder(self, rng: random.Random) -> None:
        """A stopped run with one of its files damaged, gone or copied, gone on with to its end."""
        stage = rng.choice(list(self.loops))
        out = self.work / "run"
        shutil.copytree(self.folder / stage, out)
        file = rng.choice([p for p in sorted(out.rglob("*")) if p.is_file() and p.name != ".lock"])
        what = rng.random()
        if what < 0.2:
            file.unlink()
        elif what < 0.3:
            shutil.copy(file, file.with_name(f"{file.stem} (copy){file.suffix}"))
        else:
            file.write_bytes(mutated(file.read_bytes(), rng))
        resume = (out / "config.json").is_file()
        for _ in train(stage, FEW, out=out, resume=resume):
            pass
        assert RunFolder(out).finished


def _after(n: int):
    count = iter(range(1, 10**6))
    return lambda: next(count) == n


def fuzz(n: int, seed: int, folder: Path, first: int = 0, what: str = "stored") -> Report:
    """Read n damaged files; the input number i is the same in every run of the same seed.

    Ctrl-C ends it before its time: what was read until then is reported.
    """
    report = Report()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stored = INPUTS[what](folder)
        names = [name for name, (_, share) in stored.kinds.items() for _ in range(share)]
        for i in range(first, first + n):
            try:
                _one(stored, names, i, seed, report)
            except KeyboardInterrupt:
                print(f"stopped before input {i}")
                break
    return report


# What the library stored, and what users bring.
INPUTS = {"stored": Stored, "datasets": Datasets}


def _one(stored, names: list[str], i: int, seed: int, report: Report) -> None:
    """Damage and read the input i, and report what became of it."""
    rng = random.Random(f"{seed}-{i}")
    kind = rng.choice(names)
    shutil.rmtree(stored.work, ignore_errors=True)
    stored.work.mkdir()
    peak, start = _peak_kb(), time.process_time()
    fault = ""
    try:
        stored.kinds[kind][0](rng)
        report.read[kind] += 1
    except (HLError, TrainingDiverged) as error:
        report.refused[kind] += 1
        if not str(error).isprintable():
            fault = f"says {str(error)!r}"
    except Exception as error:
        report.refused[kind] += 1
        fault = f"{type(error).__name__}: {str(error)[:200]!r}"
    seconds = time.process_time() - start
    report.seconds[kind] += seconds
    if seconds > SLOW_S:
        fault = fault or f"takes {seconds:.0f} s"
    if _peak_kb() - peak > LARGE_KB:
        fault = fault or f"takes {(_peak_kb() - peak) / 1e6:.1f} GB"
    if fault:
        report.faults.append(f"input {i} of seed {seed}, {kind}: {fault}")
        print(report.faults[-1], flush=True)


def _peak_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> int:
    """Fuzz, print the table of counts; 1 where there were faults."""
    parser = argparse.ArgumentParser(description="Damage stored files and read them.")
    parser.add_argument("--n", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--what", choices=INPUTS, default="stored")
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    args = parser.parse_args()
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background shell ignores it
    with tempfile.TemporaryDirectory() as folder:
        report = fuzz(args.n, args.seed, Path(folder), args.first, args.what)
    print(report.table())
    print(f"{len(report.faults)} faults")
    return 1 if report.faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
