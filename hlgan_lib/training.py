"""`train`: from a configuration and pictures to a task, a loop and a run folder.

The training yields ticks and draws nothing; the caller prints, plots or stops.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from .analysis.jpeg_traces import measured_jpeg
from .checkpoint import RunFolder, load_checkpoint, save_checkpoint, save_weights
from .config import RunConfig
from .data.faces import FaceSet
from .data.loading import load_faces
from .degradations import Degradation
from .errors import HLError
from .files import save_json
from .health import diagnose
from .inference import NETWORKS, load_weights, resolve_degradation
from .loop import Loop, Tick, TrainingDiverged
from .tasks.base import Task
from .tasks.baselines import CycleGANTask, SRGANTask
from .tasks.two_stage import H2LTask, JointTask, L2HTask

UNPAIRED: dict[str, type[Task]] = {
    "h2l": H2LTask,
    "cyclegan": CycleGANTask,
    "joint": JointTask,
}  # of hi and lo
PAIRED: dict[str, type[L2HTask]] = {"l2h": L2HTask, "srgan": SRGANTask}  # of hi and a degradation
N_MEASURED = 5_000  # poor photographs, at most, of which the JPEG is measured: seconds
STAGES = ("h2l", "l2h", "joint", "srgan", "cyclegan")


def train(
    cfg: RunConfig,
    stage: str,
    *,
    hi: str | Path | FaceSet = "faces:train-hi",
    lo: str | Path | FaceSet = "faces:train-lo",
    degradation: str | Degradation | None = None,
    h2l: str | Path | None = None,
    l2h: str | Path | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    device: str | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Tick]:
    """Train a stage; an iterator of ticks.

    stage "h2l" learns from `hi` (sharp) and `lo` (poor, unpaired); "l2h" from `hi` and a `degradation`:
    "learned:W" (W as in `load_weights`), "bilinear", "bicubic", "blur", "handmade", "camera", or a function (hi,
    generator) -> lo; "joint" fine-tunes the runs (folders) `h2l` and `l2h` together on `hi` and `lo`. The rivals:
    "srgan" learns as "l2h", by default on bilinear pairs, "cyclegan" as "h2l". `hi`, `lo`: as `load_faces`.
    `out`: the run folder; nothing is stored without one. `resume`: go on from its last checkpoint. `device`: a CUDA
    device is used when there is one. `stop()`: asked after each update; true saves and ends.

    Raises HLError for anything a user can mend, TrainingDiverged when a loss is not finite.
    """
    if stage not in STAGES:
        raise HLError(f"stage must be one of {', '.join(STAGES)}, got {stage!r}")
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    hi_set = _faces(hi, cfg.size_hi, "hi", cfg.n_hi)
    lo_set = _faces(lo, cfg.size_lo, "lo", cfg.n_lo) if stage in UNPAIRED else None
    about = {"stage": stage, "config": cfg.as_dict(), "hi": hi_set.source}
    if lo_set:
        about["lo"] = lo_set.source
    if stage in PAIRED:
        degradation = degradation or ("bilinear" if stage == "srgan" else None)
        if degradation is None:
            raise HLError(
                "degradation is missing: give learned:W, bilinear, bicubic, blur, handmade, camera or a "
                "function"
            )
        about["degradation"] = (
            degradation
            if isinstance(degradation, str)
            else getattr(degradation, "__name__", type(degradation).__name__)
        )
    if stage == "joint":
        about |= {"h2l": str(h2l), "l2h": str(l2h)}
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(cfg.seed)  # the networks' first weights
        rng = torch.Generator(device).manual_seed(cfg.seed)
        task = _task(stage, cfg, hi_set, lo_set, degradation, rng, device)
        loop = Loop(cfg, task, getattr(cfg, f"{stage}_steps"))
    if stage == "joint":
        _start_from(task, {"h2l": h2l, "l2h": l2h})
    folder = RunFolder(out) if out is not None else None
    if folder:
        folder.start(about, resume)
        if folder.finished:
            return iter(())
    return run(loop, folder, resume, stop, lambda done: finish(done, folder, stage, about))


def _faces(source: str | Path | FaceSet, size: int, role: str, n: int = 0) -> FaceSet:
    faces = source if isinstance(source, FaceSet) else load_faces(source, size, role=role)
    if faces.size != (size, size):
        raise HLError(
            f"{role} must be {size}x{size} pictures, got {faces.size[0]}x{faces.size[1]}: set size_{role}, "
            "or give a folder, which is fitted"
        )
    if n > len(faces):
        raise HLError(
            f"n_{role} must be at most the {len(faces)} pictures of {faces.source}, got {n}: 0 uses all"
        )
    return faces[torch.linspace(0, len(faces) - 1, n).long().tolist()] if n else faces


def _task(
    stage: str,
    cfg: RunConfig,
    hi: FaceSet,
    lo: FaceSet | None,
    degradation: str | Degradation | None,
    rng: torch.Generator,
    device: torch.device,
) -> Task:
    if stage in PAIRED:
        return PAIRED[stage](cfg, hi, resolve_degradation(degradation, cfg, device), rng, device)
    task = UNPAIRED[stage]
    if cfg.jpeg == "measured" and issubclass(task, H2LTask):
        photographs = lo.batch(slice(None, None, 1 + len(lo) // N_MEASURED))
        return task(cfg, hi, lo, rng, device, jpeg=measured_jpeg(photographs))
    return task(cfg, hi, lo, rng, device)


def _start_from(task: Task, runs: dict[str, str | Path | None]) -> None:
    """Put the networks (discriminators too) of finished runs into the joint task."""
    for stage, path in runs.items():
        if path is None:
            raise HLError(f"joint needs the run folders of both stages: --{stage} is missing")
        folder = RunFolder(path)
        if not folder.finished:
            raise HLError(f"--{stage} {path} is not the folder of a finished {stage} run")
        own_net = load_weights(path, stage=stage)
        if other := [
            k
            for k in ("norm", "order", "down", "down_first", "d_pool", "d_opponent", "skip")
            if getattr(own_net.cfg, k) != getattr(task.cfg, k)
        ]:  # these do not show in the shapes
            raise HLError(
                f"--{stage} {path} was trained with another {', '.join(other)}: give the same "
                "preset and flags"
            )
        state = load_checkpoint(folder.last)
        try:
            task.generators[stage].load_state_dict(own_net.state_dict())
            for name, d in task.discriminators.items():
                own = {
                    k.removeprefix(name + "."): v
                    for k, v in state["discriminators"].items()
                    if k.startswith(name)
                }
                if own:
                    d.load_state_dict(own)
        except RuntimeError as error:
            raise HLError(
                f"--{stage} {path} was trained with another configuration: give the same preset and widths "
                "as for that run"
            ) from error


def finish(loop: Loop, folder: RunFolder, stage: str, about: dict) -> dict:
    """Write the weights of a finished run (joint: L2H's, and H2L's beside them) and return its scores."""
    loop.reestimate_batch_norm()
    _, score = loop.look()
    scores = {
        "images": loop.step * loop.cfg.batch,
        "seconds": round(loop.seconds),
        "val_frechet_lite0": round(score, 2),
    }
    notes = {k: v for k, v in about.items() if k not in ("stage", "config")}
    for name in loop.nets.keys() & NETWORKS.keys():
        path = (
            folder.weights
            if name == loop.task.product
            else folder.path / f"weights-{name}.safetensors"
        )
        save_weights(path, loop.nets[name].state_dict(), name, loop.cfg, scores | notes)
    return {"stage": stage, **scores, "device": loop.task.device.type}


def run(
    loop: Loop,
    folder: RunFolder | None,
    resume: bool = False,
    stop: Callable[[], bool] = lambda: False,
    finish: Callable[[Loop], dict] | None = None,
) -> Iterator[Tick]:
    """Train to the end, yielding ticks; keeps `folder` up to date where there is one.

    `stop()` is asked after each update: true saves and ends. Closing the iterator saves too. `finish(loop)` writes the
    weights and returns what goes into scores.json. Raises TrainingDiverged on a loss that is not finite.
    """
    cfg = loop.cfg
    if folder and resume:
        if folder.last.is_file():
            try:
                loop.load(load_checkpoint(folder.last))
            except (RuntimeError, KeyError, ValueError) as error:
                if isinstance(error, HLError):
                    raise
                raise HLError(
                    f"checkpoint {folder.last} is of another version: start in another --out"
                ) from error
        folder.cut_back(loop.step)
    tick_steps, save_steps = (max(1, n // cfg.batch) for n in (cfg.tick_images, cfg.save_images))
    save_steps = max(tick_steps, save_steps // tick_steps * tick_steps)  # checkpoints fall on ticks

    def save(last: bool = True) -> None:
        if folder:
            save_checkpoint(folder.last if last else folder.best, loop.state())

    def end() -> None:
        if loop.step == loop.steps and finish and folder and not folder.finished:
            save_json(folder.scores, finish(loop))

    end()  # a run that was stopped between its last checkpoint and its weights
    since, first = time.perf_counter(), loop.step
    while loop.step < loop.steps:
        loop.update()
        stopping, on_tick = stop(), loop.step % tick_steps == 0 or loop.step == loop.steps
        if not (on_tick or stopping):
            continue
        losses = loop.means()
        if bad := [k for k, v in losses.items() if not math.isfinite(v)] or loop.broken():
            raise TrainingDiverged(_diverged(bad, loop, folder))
        now = time.perf_counter()
        passed, since = now - since, now
        loop.seconds += passed
        if not on_tick:  # the log line belongs to the tick ahead, as in an unbroken run
            return save()
        rate, first = (loop.step - first) * cfg.batch / passed, loop.step
        loop.sums, loop.n_summed = {}, 0
        losses |= loop.vitals()
        due = loop.step % save_steps == 0 or loop.step == loop.steps
        samples, score = loop.look() if due else (None, None)
        loop.history.append({"step": loop.step, **losses})
        tick = Tick(
            loop.step,
            loop.steps,
            loop.step * cfg.batch,
            loop.seconds,
            rate,
            (loop.steps - loop.step) * cfg.batch / rate,
            losses,
            tuple(diagnose(loop.history, cfg)),
            score,
            samples,
        )
        if folder:
            folder.append_log(tick.log_line())
        if due:
            if folder:
                folder.save_sample(loop.step, samples)
            better, loop.best = score < loop.best, min(score, loop.best)
            if better:
                save(last=False)  # before last.pt, which remembers the best score
        if due or stopping:
            save()
        end()
        try:
            yield tick
        except GeneratorExit:
            if not (due or stopping):
                save()
            raise
        if stopping:
            return
        since = time.perf_counter()


def _diverged(bad: list[str], loop: Loop, folder: RunFolder | None) -> str:
    kept = (
        f"the last good checkpoint is {folder.last}"
        if folder and folder.last.is_file()
        else "no checkpoint yet"
    )
    said = "; ".join(diagnose(loop.history, loop.cfg)) or "nothing unusual before"
    return (
        f"{', '.join(bad)} became NaN or infinite before update {loop.step} ({kept}; {said}): try a smaller --lr, "
        "--amp off, or --w-r1 1"
    )
