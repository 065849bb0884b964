"""For maintainers: train the study runs, score them, and rewrite `results/` and `figures/` (`make results`).

    python tools/results.py train   [--runs DIR] [--jobs 2] [--only PREFIX ...]   finished runs are not trained again
    python tools/results.py score   [--runs DIR]                                  results/study.json
    python tools/results.py ship    [--runs DIR]                                  weights and cards into the package
    python tools/results.py figures [--runs DIR]                                  figures/ and the README's table

The plan: H2L with three seeds; L2H on bilinear, learned and camera degradation, pixel-only with three seeds and
GAN-led with one. A run trains on one thread, `--jobs` of them side by side: on two cores that is faster than one run
on two threads.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DEGRADATIONS = ("bilinear", "learned", "camera")
LOSSES = {"gan": {}, "pixel": {"w_gan": 0.0}}


@dataclass(frozen=True)
class Run:
    """One training of the plan."""

    stage: str
    seed: int
    degradation: str = ""
    loss: str = "gan"

    @property
    def name(self) -> str:
        return f"h2l-s{self.seed}" if self.stage == "h2l" else f"l2h-{self.degradation}-{self.loss}-s{self.seed}"

    def needs(self) -> str | None:
        """The run that must be finished first."""
        return f"h2l-s{self.seed}" if self.degradation == "learned" else None


def plan() -> list[Run]:
    """All runs, the ones that matter most first."""
    h2l = [Run("h2l", s) for s in range(3)]
    gan = [Run("l2h", 0, d) for d in ("learned", "bilinear", "camera")]
    pixel = [Run("l2h", s, d, "pixel") for s in range(3) for d in DEGRADATIONS]
    return [h2l[0], *pixel[:3], *gan, *h2l[1:], *pixel[3:]]


def train_one(name: str, runs: Path) -> None:
    """Train one run of the plan here and now, going on where it stopped."""
    import hlgan_lib as hl

    r = next(r for r in plan() if r.name == name)
    cfg = hl.preset("study").replace(seed=r.seed, **LOSSES[r.loss])
    degradation = f"learned:{runs / r.needs()}" if r.needs() else r.degradation or None
    for tick in hl.train(cfg, r.stage, degradation=degradation, out=runs / name, resume=True):
        if tick.score is not None or tick.health:
            print(
                f"{name} {tick.step}/{tick.steps} {tick.rate:.0f} images/s {tick.left_s / 60:.0f} min left "
                f"score {tick.score} {' '.join(tick.health)}",
                flush=True,
            )


def finished(runs: Path, name: str) -> bool:
    return (runs / name / "scores.json").is_file()


def train_all(runs: Path, jobs: int, only: list[str]) -> None:
    """Train what is not finished, `jobs` at a time, one thread each."""
    waiting = [r for r in plan() if not finished(runs, r.name) and (not only or r.name.startswith(tuple(only)))]
    going: dict[str, subprocess.Popen] = {}
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    try:
        while waiting or going:
            for name, process in list(going.items()):
                if process.poll() is not None:
                    del going[name]
                    if process.returncode:
                        raise SystemExit(f"{name} ended with {process.returncode}: see what it printed above")
            ready = [r for r in waiting if not r.needs() or finished(runs, r.needs())]
            if waiting and not ready and not going:
                raise SystemExit(f"{waiting[0].name} needs {waiting[0].needs()}: leave out --only")
            for r in ready[: jobs - len(going)]:
                waiting.remove(r)
                print(f"{r.name} starts; {len(waiting)} to come", flush=True)
                going[r.name] = subprocess.Popen(
                    [sys.executable, __file__, "one", r.name, "--runs", str(runs)], env=env
                )
            time.sleep(1)
    finally:
        for process in going.values():
            process.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["train", "one", "score", "ship", "figures", "all"], nargs="?", default="all")
    parser.add_argument("name", nargs="?", help="the run to train (with `one`)")
    parser.add_argument("--runs", type=Path, default=Path("runs/study"))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", nargs="*", default=[], help="beginnings of the names of the runs to train")
    args = parser.parse_args()
    if args.what == "one":
        train_one(args.name, args.runs)
    if args.what in ("train", "all"):
        train_all(args.runs, args.jobs, args.only)
    if args.what in ("score", "ship", "figures", "all"):
        import report

        for step in (report.score, report.ship, report.figures):
            if args.what in (step.__name__, "all"):
                step(args.runs)


if __name__ == "__main__":
    main()
