"""`train`: from a configuration and datasets to a task, a loop and a run folder.

The training yields ticks and draws nothing; the caller prints, plots or stops.
"""

from __future__ import annotations

import math
import time
import weakref
from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from . import parallel
from .analysis.jpeg_traces import measured_jpeg
from .checkpoint import (
    About,
    RunFolder,
    Source,
    fingerprint,
    load_checkpoint,
    save_checkpoint,
    save_weights,
)
from .config import STAGES, RunConfig, reads
from .data.domains import by_domain
from .data.faces import FaceSet
from .data.loading import load_faces
from .data.npz import check_npz
from .degradations import DEGRADATIONS, Degradation
from .errors import HLError
from .files import save_json, user_path
from .health import LONGEST, diagnose
from .inference import NETWORKS, load_weights, resolve_degradation
from .loop import Loop, Tick, TrainingDiverged
from .precision import what_pays
from .runtime import pick_device
from .schema import plain
from .tasks.base import Task
from .tasks.baselines import CycleGANTask, SRGANTask
from .tasks.two_stage import H2LTask, JointTask, L2HTask

UNPAIRED: dict[str, Callable[..., Task]] = {  # stages that learn of hi and lo
    "h2l": H2LTask,
    "cyclegan": CycleGANTask,
    "joint": JointTask,
}
PAIRED: dict[str, Callable[..., Task]] = {  # stages that learn of hi and a degradation
    "l2h": L2HTask,
    "srgan": SRGANTask,
}
WITH_H2L = ("h2l", "joint")  # stages that train an H2L
SMALLEST = 16  # side of an LR image, pixels, in which a JPEG can be measured
N_MEASURED = 5_000  # LR images, at most, of which the JPEG is measured: seconds
# Fields that decide a network and do not show in the shapes of its weights.
HIDDEN = ("norm", "order", "down", "down_first", "d_pool", "skip", "h2l_model", "z_input")


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
    device: str | torch.device | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Tick, None, None]:
    """Train a stage; an iterator of ticks.

    "h2l" learns from unpaired `hi` and `lo`; "l2h" from `hi` and a `degradation`; "joint"
    fine-tunes finished runs of both together. The baselines: "srgan" learns as "l2h", by default on
    bilinear pairs, "cyclegan" as "h2l".

    Args:
        cfg: the configuration; its `<stage>_steps` is the length.
        stage: "h2l", "l2h", "joint", "srgan" or "cyclegan".
        hi: HR faces, as `load_faces` takes them, or a FaceSet.
        lo: LR faces, of other people (stages h2l, joint, cyclegan).
        degradation: what makes pairs (stages l2h, srgan): "learned:W" (W as in `load_weights`),
            "bilinear", "bicubic", "blur", "handmade", "camera", or a function
            (hi, generator) -> lo.
        h2l: folder of a finished h2l run (stage joint).
        l2h: folder of a finished l2h run (stage joint).
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


def new_loop(
    cfg: RunConfig,
    stage: str,
    *,
    hi: str | Path | FaceSet = "faces:train-hi",
    lo: str | Path | FaceSet = "faces:train-lo",
    degradation: str | Degradation | None = None,
    h2l: str | Path | None = None,
    l2h: str | Path | None = None,
    device: str | torch.device | None = None,
    out: str | Path | None = None,
) -> tuple[Loop, About]:
    """The loop of a stage before its first update.

    Args as `train`, which reads it; of `out` only the precision that a run in it was started with.

    Returns:
        The loop, and what it is of: stage, configuration, names of the sources.

    Raises:
        HLError: for anything that a user can mend.
    """
    if stage not in STAGES:
        raise HLError(f"stage must be one of {', '.join(STAGES)}, got {stage!r}")
    place = torch.device(pick_device(device))
    cfg = cfg.replace(amp=parallel.on_first(lambda: _precision(cfg, stage, place, out)))
    part = cfg.replace(batch=parallel.share_of(cfg.batch)) if parallel.size() > 1 else cfg

    # What to learn from.
    hi_set = _faces(hi, cfg.size_hi, "hi", cfg.n_hi)
    lo_set = _faces(lo, cfg.size_lo, "lo", cfg.n_lo) if stage in UNPAIRED else None
    if stage in PAIRED:
        degradation = _degradation_of(stage, degradation)

    # Networks, whose first weights torch draws from its global stream: seeded, then put back.
    with torch.random.fork_rng(devices=[place] if place.type == "cuda" else []):
        torch.manual_seed(cfg.seed)
        rng = torch.Generator(place).manual_seed(parallel.own_seed(cfg.seed))
        task = _task(stage, part, hi_set, lo_set, degradation, rng, place)
        loop = Loop(cfg, task, getattr(cfg, f"{stage}_steps"))
    if stage == "joint":
        _start_from(task, {"h2l": h2l, "l2h": l2h})
    return loop, _about(stage, cfg, place, hi_set, lo_set, degradation, h2l, l2h)


def _precision(cfg: RunConfig, stage: str, device: torch.device, out: str | Path | None) -> str:
    """What `cfg.amp` means: of "auto" what the run in `out` was started with, or what pays here."""
    if cfg.amp != "auto":
        return cfg.amp
    stored = RunFolder(out) if out else None
    if stored and stored.config.is_file():
        return str(stored.read_about()["config"].get("amp", "off"))
    layers = [(getattr(cfg, f"{stage}_width", cfg.l2h_width), cfg.size_lo)]
    layers.append((cfg.d_width, cfg.size_lo if stage == "h2l" else cfg.size_hi))
    return what_pays(device, tuple(layers), cfg.batch)


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


# ---- what to learn from --------------------------------------------------------------------------
def _faces(source: str | Path | FaceSet, size: int, role: str, n: int = 0) -> FaceSet:
    """The faces of that size, or n of them, evenly spaced; a FaceSet file is checked whole."""
    if isinstance(source, (str, Path)) and str(source).endswith(".npz"):
        check_npz(user_path(source))
    faces = source if isinstance(source, FaceSet) else load_faces(source, size, role=role)
    assert isinstance(faces, FaceSet)  # no Pairs, as a role is asked for
    if faces.size != (size, size):
        height, width = faces.size
        raise HLError(
            f"{role} must be {size}x{size} pictures, got {height}x{width}: set size_{role}, or "
            "give a folder, which is fitted"
        )
    if n > len(faces):
        raise HLError(
            f"n_{role} must be at most the {len(faces)} pictures of {faces.source}, got {n}: 0 "
            "uses all"
        )
    if n == 0:
        return faces
    return faces[torch.linspace(0, len(faces) - 1, n).long().tolist()]


def _degradation_of(stage: str, given: str | Degradation | None) -> str | Degradation:
    """The degradation given, or the stage's usual one. Raises HLError where it has none."""
    if given:
        return given
    if stage == "srgan":
        return "bilinear"
    raise HLError(
        f"degradation is missing: give learned:W, {', '.join(DEGRADATIONS)} or a function"
    )


def _name_of(degradation: str | Degradation) -> str:
    if isinstance(degradation, str):
        return degradation
    return getattr(degradation, "__name__", type(degradation).__name__)


def _about(
    stage: str,
    cfg: RunConfig,
    place: torch.device,
    hi: FaceSet,
    lo: FaceSet | None,
    degradation: str | Degradation | None,
    h2l: str | Path | None,
    l2h: str | Path | None,
) -> About:
    """What config.json says of a run: names for people, digests by which the run is known again."""
    names: dict[str, str] = {"hi": hi.source}
    data: dict[str, Source] = {"hi": {"n": len(hi), "digest": hi.digest()}}
    if lo:
        names["lo"] = lo.source
        data["lo"] = {"n": len(lo), "digest": lo.digest()}
    if stage in PAIRED and degradation is not None:
        names["degradation"] = _name_of(degradation)
    if stage == "joint":
        names |= {"h2l": str(h2l), "l2h": str(l2h)}
    for key, name in names.items():
        weights = name.removeprefix("learned:")
        if key in ("h2l", "l2h") or weights != name:
            data[key] = {"n": 1, "digest": fingerprint(load_weights(weights))}
    threads = torch.get_num_threads()
    machine: dict[str, int | str] = {"device": place.type, "torch": torch.__version__}
    if place.type == "cpu":  # how sums are cut decides their last digits
        machine["threads"] = threads
    about = {"stage": stage, "config": cfg.as_dict(), **names, "data": data, "machine": machine}
    return cast(About, about)


# ---- what to train -------------------------------------------------------------------------------
def _task(
    stage: str,
    cfg: RunConfig,
    hi: FaceSet,
    lo: FaceSet | None,
    degradation: str | Degradation | None,
    rng: torch.Generator,
    device: torch.device,
) -> Task:
    """The task of a stage, untrained."""
    if stage in PAIRED:
        assert degradation is not None
        degrade = resolve_degradation(degradation, cfg, device)
        return PAIRED[stage](cfg, hi, degrade, rng, device)
    assert lo is not None
    if cfg.has_jpeg and stage in WITH_H2L:
        jpeg = [_jpeg_of(part) for part in by_domain(lo, cfg.domains).values()]
        return UNPAIRED[stage](cfg, hi, lo, rng, device, jpeg=jpeg)
    return UNPAIRED[stage](cfg, hi, lo, rng, device)


def _jpeg_of(lo: FaceSet) -> tuple[Tensor, float]:
    """Qualities and share of 4:2:0 chroma that LR images show; none is found in tiny ones."""
    if min(lo.size) < SMALLEST:
        return torch.tensor([100.0]), 0.0
    return measured_jpeg(lo.batch(slice(None, None, 1 + len(lo) // N_MEASURED)))


def _start_from(task: Task, runs: dict[str, str | Path | None]) -> None:
    """Put the networks (discriminators too) of finished runs into the joint task."""
    for stage, path in runs.items():
        if path is None:
            raise HLError(f"joint needs the run folders of both stages: --{stage} is missing")
        folder = RunFolder(path)
        if not folder.finished:
            raise HLError(f"--{stage} {path} is not the folder of a finished {stage} run")
        own = load_weights(path, stage=stage)
        read = [k for k in HIDDEN if reads(stage, k)]
        other = [k for k in read if getattr(own.cfg, k) != getattr(task.cfg, k)]
        if other:
            raise HLError(
                f"--{stage} {path} was trained with another {', '.join(other)}: give the same "
                "preset and flags"
            )
        stored = load_checkpoint(folder.last)["discriminators"]
        try:
            task.generators[stage].load_state_dict(own.state_dict())
            for name, d in task.discriminators.items():
                state = _part_of(stored, name)
                if state:
                    d.load_state_dict(state)
        except RuntimeError as error:
            raise HLError(
                f"--{stage} {path} was trained with another configuration: give the same preset "
                "and widths as for that run"
            ) from error


def _part_of(state: dict[str, Any], name: str) -> dict[str, Any]:
    """The state of the network `name` within that of a ModuleDict; empty where it is not there."""
    prefix = name + "."
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


# ---- the training --------------------------------------------------------------------------------
def run(
    loop: Loop,
    folder: RunFolder | None,
    resume: bool = False,
    stop: Callable[[], bool] = lambda: False,
    finish: Callable[[Loop], dict[str, Any]] | None = None,
) -> Generator[Tick, None, None]:
    """Train to the end, yielding ticks; keeps `folder` up to date where there is one.

    Args:
        loop: what to train.
        folder: where checkpoints, log and samples go.
        resume: go on from the last checkpoint in `folder`.
        stop: asked after each update; true saves and ends. Closing the iterator saves too.
        finish: writes the weights of the finished run and returns what goes into scores.json.

    Yields:
        A tick every `tick_images` images, and at the end.

    Raises:
        TrainingDiverged: on a loss that is not finite.
        HLError: for a checkpoint that cannot be gone on from.
    """
    try:
        yield from _updates(loop, folder, resume, stop, finish)
    finally:
        if folder:
            folder.release()


def _updates(
    loop: Loop,
    folder: RunFolder | None,
    resume: bool,
    stop: Callable[[], bool],
    finish: Callable[[Loop], dict[str, Any]] | None,
) -> Iterator[Tick]:
    """The ticks of `run`."""
    if folder and resume:
        _resume(loop, folder)
    tick_steps, save_steps = intervals(loop.cfg)
    _end(loop, folder, finish)  # a run that was stopped between its last checkpoint and its weights

    first, since = loop.step, time.perf_counter()
    while loop.step < loop.steps:
        loop.update()
        stopping = parallel.any_of(stop())
        at_end = loop.step == loop.steps
        on_tick = at_end or loop.step % tick_steps == 0
        if not (on_tick or stopping):
            continue

        losses = _finite_means(loop, folder)
        passed = time.perf_counter() - since
        loop.seconds += passed
        if not on_tick:  # the log line belongs to the tick ahead, as in an unbroken run
            _save(loop, folder)
            return

        due = at_end or loop.step % save_steps == 0
        tick = _tick(loop, losses, (loop.step - first) / passed, look=due)
        saved = due or stopping
        _store(loop, folder, tick, save=saved)
        _end(loop, folder, finish)
        try:
            yield tick
        except GeneratorExit:
            if not saved:
                _save(loop, folder)
            raise
        if stopping:
            return
        # The caller's time, spent drawing, is not training.
        first, since = loop.step, time.perf_counter()


def _resume(loop: Loop, folder: RunFolder) -> None:
    """Go on from the last checkpoint, where there is one; what is later than it is dropped."""
    if folder.last.is_file():
        state = load_checkpoint(folder.last)
        try:
            loop.load(state)
        # It was read whole, and still may hold anything.
        except Exception as error:
            raise HLError(
                f"checkpoint {folder.last} is damaged or of another version ({plain(error)}): "
                "go on from another, such as best.pt renamed to last.pt, or start in another --out"
            ) from error
        # Killed, perhaps, between last.pt and best.pt.
        if loop.best_step == loop.step and parallel.rank() == 0:
            save_checkpoint(folder.best, loop.state())
    elif folder.best.is_file():
        raise HLError(
            f"--resume: {folder.last} is missing, and {folder.best} is there: copy it to last.pt "
            "to go on from it, or choose another --out to start anew"
        )
    parallel.on_first(lambda: folder.cut_back(loop.step))


def intervals(cfg: RunConfig) -> tuple[int, int]:
    """Updates between ticks, and between checkpoints, which fall on ticks."""
    tick_steps = max(1, cfg.tick_images // cfg.batch)
    save_steps = max(1, cfg.save_images // cfg.batch)
    return tick_steps, max(tick_steps, save_steps // tick_steps * tick_steps)


def _finite_means(loop: Loop, folder: RunFolder | None) -> dict[str, float]:
    """Mean losses since the last tick. Raises TrainingDiverged if these or weights are not."""
    losses = loop.means()
    bad = [name for name, value in losses.items() if not math.isfinite(value)] or loop.broken()
    if bad:
        raise TrainingDiverged(_diverged(bad, loop, folder))
    return losses


def _diverged(bad: list[str], loop: Loop, folder: RunFolder | None) -> str:
    kept = "no checkpoint yet"
    if folder and folder.last.is_file():
        kept = f"the last good checkpoint is {folder.last}"
    said = "; ".join(diagnose(loop.history, loop.cfg)) or "nothing unusual before"
    return (
        f"{', '.join(bad)} became NaN or infinite before update {loop.step} ({kept}; {said}): try "
        "a smaller --lr, --amp off, or --w-r1 1"
    )


def _tick(loop: Loop, losses: dict[str, float], updates_per_s: float, look: bool) -> Tick:
    """The tick at this step, with samples and a score if `look`; the sums start anew."""
    loop.sums, loop.n_summed = {}, 0
    losses |= loop.diagnostics()
    samples, score = loop.look() if look else (None, None)
    loop.history.append({"step": loop.step, **losses})
    del loop.history[:-LONGEST]
    rate = updates_per_s * loop.cfg.batch
    return Tick(
        step=loop.step,
        steps=loop.steps,
        images=loop.step * loop.cfg.batch,
        seconds=loop.seconds,
        rate=rate,
        left_s=(loop.steps - loop.step) * loop.cfg.batch / rate,
        losses=losses,
        health=tuple(diagnose(loop.history, loop.cfg)),
        score=score,
        samples=samples,
        lr=loop.rates(),
    )


def _store(loop: Loop, folder: RunFolder | None, tick: Tick, save: bool) -> None:
    """Log line, samples and best.pt of a tick; last.pt too if `save`."""
    folder = _own(folder)
    if folder:
        folder.append_log(tick.log_line())
    better = tick.score is not None and tick.score < loop.best
    if tick.score is not None and better:
        loop.best, loop.best_step = tick.score, loop.step
    if folder and tick.samples is not None:
        folder.save_sample(tick.step, tick.samples)
    if save or better:
        _save(loop, folder)
    if folder and better:  # after last.pt, from which it is made where a kill comes between them
        save_checkpoint(folder.best, loop.state())


def _save(loop: Loop, folder: RunFolder | None) -> None:
    """Everything to go on exactly, into last.pt."""
    folder = _own(folder)
    if folder:
        save_checkpoint(folder.last, loop.state())


def _end(
    loop: Loop, folder: RunFolder | None, finish: Callable[[Loop], dict[str, Any]] | None
) -> None:
    """Weights and scores of a run that has come to its end and lacks them."""
    if loop.step < loop.steps or folder is None or finish is None:
        return
    if not parallel.on_first(lambda: folder.finished):
        scores = finish(loop)
        parallel.on_first(lambda: save_json(folder.scores, scores))


def _own(folder: RunFolder | None) -> RunFolder | None:
    """The folder, where this process is the one that writes into it."""
    return folder if parallel.rank() == 0 else None


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
