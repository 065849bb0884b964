"""`train`: start a training, or go on with the one in a run folder; what is left at its end."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from typing import Any

import torch

from .. import parallel
from ..checkpoint import About, RunFolder, save_weights
from ..config import RunConfig
from ..data.faces import FaceSet
from ..degradations import Degradation
from ..inference import NETWORKS, Weights
from ..loop import Loop, Tick
from .build import new_loop
from .ticks import run


def train(
    cfg: RunConfig,
    stage: str,
    *,
    hi: str | Path | FaceSet = "faces:train-hi",
    lo: str | Path | FaceSet = "faces:train-lo",
    degradation: str | Degradation | None = None,
    h2l: str | Path | None = None,
    l2h: Weights | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    device: str | torch.device | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Tick, None, None]:
    """Train a stage; an iterator of ticks.

    "h2l" learns from unpaired `hi` and `lo`; "l2h" from `hi` and a `degradation`; "joint"
    fine-tunes finished runs of both together. The baselines: "srgan" learns as "l2h", by default on
    bilinear pairs, "cyclegan" as "h2l". Successors: "flow" learns as "l2h", around a restorer
    `l2h`; "semicycle" and "pseudo" as "l2h", and of real `lo` beside.

    Args:
        cfg: the configuration; its `<stage>_steps` is the length.
        stage: "h2l", "l2h", "joint", "srgan", "cyclegan", "flow", "semicycle" or "pseudo".
        hi: HR faces, as `load_faces` takes them, or a FaceSet.
        lo: LR faces, of other people (stages h2l, joint, cyclegan, semicycle, pseudo).
        degradation: what makes pairs (stages l2h, srgan, flow, semicycle, pseudo): "learned:W"
            (W as in `load_weights`), "bilinear", "bicubic", "blur", "handmade", "camera", or a
            function (hi, generator) -> lo.
        h2l: folder of a finished h2l run (stage joint).
        l2h: folder of a finished l2h run (stage joint); weights of an L2H, as in `load_weights`,
            whose width and switches the flow takes over (stage flow).
        out: the run folder; nothing is stored without one.
        resume: go on from the last checkpoint in `out`.
        device: "cpu", "cuda" or "cuda:N"; by default CUDA where there is one.
        stop: asked after each update; true saves and ends.

    Returns:
        An iterator of ticks, which trains as it is read; empty where the run in `out` is finished.

    Raises:
        HLError: for anything that a user can mend.
        TrainingDiverged: when a loss is not finite.
    """
    loop, about = new_loop(
        cfg, stage, hi=hi, lo=lo, degradation=degradation, h2l=h2l, l2h=l2h, device=device, out=out
    )
    if out is None:
        return run(loop, None, stop=stop)
    folder = RunFolder(out)
    parallel.on_first(lambda: _open(folder, about, resume))
    if parallel.on_first(lambda: folder.finished):
        return _no_ticks()
    write = partial(write_results, folder=folder, stage=stage, about=about)
    ticks = run(loop, folder, resume, stop, write)
    _RUNNING[folder.path.resolve()] = ticks
    return ticks


def _open(folder: RunFolder, about: About, resume: bool) -> None:
    """Make the folder ready for this run. Raises HLError where it cannot be."""
    folder.check(about, resume)
    _close_earlier(folder)
    folder.start(about, resume)


def _no_ticks() -> Generator[Tick, None, None]:
    """What a finished run has left to say."""
    yield from ()


# The trainings of this process that have a folder, as long as somebody holds them.
_RUNNING: weakref.WeakValueDictionary[Path, Any] = weakref.WeakValueDictionary()


def _close_earlier(folder: RunFolder) -> None:
    """End an earlier training into the same folder: of a cell that was cut off and is run again.

    Closing it saves and lets go of the folder. One that is at work in another thread goes on, and
    is told of by the folder's lock.
    """
    earlier = _RUNNING.pop(folder.path.resolve(), None)
    if earlier is not None and not earlier.gi_running:
        earlier.close()


def write_results(loop: Loop, folder: RunFolder, stage: str, about: About) -> dict[str, Any]:
    """Write the weights of a finished run and return its scores.

    Args:
        loop: at its end.
        folder: gets weights.safetensors (of joint: L2H's, and H2L's beside them).
        stage: the run's stage.
        about: what config.json says of the run; what it learned from, and on which machine, goes
            into the metadata.
    """
    loop.reestimate_batch_norm()
    _, score = loop.look()
    scores = {
        "images": loop.step * loop.cfg.batch,
        "seconds": round(loop.seconds),
        "val_frechet_lite0": round(score, 2),
    }
    notes: dict[str, Any] = {k: v for k, v in about.items() if isinstance(v, str) and k != "stage"}
    notes |= about["machine"]
    for name in loop.nets.keys() & NETWORKS.keys():
        path = folder.path / f"weights-{name}.safetensors"
        if name == loop.task.product:
            path = folder.weights
        if parallel.rank() == 0:
            save_weights(path, loop.nets[name].state_dict(), name, loop.cfg, scores | notes)
    return {"stage": stage, **scores, "device": loop.task.device.type}
