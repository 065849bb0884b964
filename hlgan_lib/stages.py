"""`train`: from a configuration and pictures to a task, a loop and a run folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from .apply import NETWORKS, load_weights, new_z
from .baseline_tasks import CycleGANTask, SRGANTask
from .checkpoint import RunFolder, save_weights
from .config import RunConfig
from .data import FaceSet, load_faces
from .degrade import degradation as fixed_degradation
from .errors import HLError
from .tasks import Degradation, H2LTask, JointTask, L2HTask, Task
from .training import Loop, Tick, run

UNPAIRED: dict[str, type[Task]] = {"h2l": H2LTask, "cyclegan": CycleGANTask, "joint": JointTask}     # of hi and lo
PAIRED: dict[str, type[L2HTask]] = {"l2h": L2HTask, "srgan": SRGANTask}                # of hi and a degradation
STAGES = ("h2l", "l2h", "joint", "srgan", "cyclegan")


def train(cfg: RunConfig, stage: str, *, hi: str | Path | FaceSet = "faces:train-hi",
          lo: str | Path | FaceSet = "faces:train-lo", degradation: str | Degradation | None = None,
          h2l: str | Path | None = None, l2h: str | Path | None = None, out: str | Path | None = None,
          resume: bool = False, device: str | None = None, stop: Callable[[], bool] = lambda: False) -> Iterator[Tick]:
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
            raise HLError("degradation is missing: give learned:W, bilinear, bicubic, blur, handmade, camera or a "
                          "function")
        about["degradation"] = degradation if isinstance(degradation, str) else getattr(
            degradation, "__name__", type(degradation).__name__)
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
        raise HLError(f"{role} must be {size}x{size} pictures, got {faces.size[0]}x{faces.size[1]}: set size_{role}, "
                      "or give a folder, which is fitted")
    if n > len(faces):
        raise HLError(f"n_{role} must be at most the {len(faces)} pictures of {faces.source}, got {n}: 0 uses all")
    return faces[torch.linspace(0, len(faces) - 1, n).long().tolist()] if n else faces


def _task(stage: str, cfg: RunConfig, hi: FaceSet, lo: FaceSet | None, degradation: str | Degradation | None,
          rng: torch.Generator, device: torch.device) -> Task:
    if stage in PAIRED:
        return PAIRED[stage](cfg, hi, resolve_degradation(degradation, cfg, device), rng, device)
    return UNPAIRED[stage](cfg, hi, lo, rng, device)


def resolve_degradation(name: str | Degradation, cfg: RunConfig, device: torch.device) -> Degradation:
    """The function (hi, generator) -> lo behind a name; "learned:W" is a frozen H2L in eval mode."""
    if callable(name):
        return name
    if not name.startswith("learned:"):
        return fixed_degradation(name, cfg.size_lo)
    h2l = load_weights(name.removeprefix("learned:"), stage="h2l", device=device)
    if (h2l.cfg.size_hi, h2l.cfg.size_lo) != (cfg.size_hi, cfg.size_lo):
        raise HLError(f"the degradation {name} makes {h2l.cfg.size_lo}x{h2l.cfg.size_lo} from {h2l.cfg.size_hi}x"
                      f"{h2l.cfg.size_hi} pictures, the configuration wants {cfg.size_lo} from {cfg.size_hi}")
    return lambda hi, generator: h2l(hi, new_z(h2l, len(hi), generator))


def _start_from(task: Task, runs: dict[str, str | Path | None]) -> None:
    """Put the networks (discriminators too) of finished runs into the joint task."""
    from .checkpoint import load_checkpoint

    for stage, path in runs.items():
        if path is None:
            raise HLError(f"joint needs the run folders of both stages: --{stage} is missing")
        folder = RunFolder(path)
        if not folder.finished:
            raise HLError(f"--{stage} {path} is not the folder of a finished {stage} run")
        own_net = load_weights(path, stage=stage)
        if other := [k for k in ("norm", "order", "down", "down_first", "d_pool", "d_opponent", "skip")
                     if getattr(own_net.cfg, k) != getattr(task.cfg, k)]:  # these do not show in the shapes
            raise HLError(f"--{stage} {path} was trained with another {', '.join(other)}: give the same "
                          "preset and flags")
        state = load_checkpoint(folder.last)
        try:
            task.generators[stage].load_state_dict(own_net.state_dict())
            for name, d in task.discriminators.items():
                own = {k.removeprefix(name + "."): v for k, v in state["discriminators"].items() if k.startswith(name)}
                if own:
                    d.load_state_dict(own)
        except RuntimeError as error:
            raise HLError(f"--{stage} {path} was trained with another configuration: give the same preset and widths "
                          "as for that run") from error


def finish(loop: Loop, folder: RunFolder, stage: str, about: dict) -> dict:
    """Write the weights of a finished run (joint: L2H's, and H2L's beside them) and return its scores."""
    loop.reestimate_batch_norm()
    _, score = loop.look()
    scores = {"images": loop.step * loop.cfg.batch, "seconds": round(loop.seconds),
              "val_frechet_lite0": round(score, 2)}
    notes = {k: v for k, v in about.items() if k not in ("stage", "config")}
    for name in loop.nets.keys() & NETWORKS.keys():
        path = folder.weights if name == loop.task.product else folder.path / f"weights-{name}.safetensors"
        save_weights(path, loop.nets[name].state_dict(), name, loop.cfg, scores | notes)
    return {"stage": stage, **scores, "device": loop.task.device.type}
