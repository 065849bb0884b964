"""From a configuration and datasets to a loop before its first update."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from .. import parallel
from ..analysis.clusters import infer_domains, with_domains
from ..analysis.jpeg_traces import measured_jpeg
from ..analysis.nearness import nearer
from ..checkpoint import About, RunFolder, Source, fingerprint, load_checkpoint
from ..config import RESTORING, STAGES, RunConfig, reads
from ..data.domains import by_domain
from ..data.faces import FaceSet
from ..data.loading import load_faces
from ..degradations import DEGRADATIONS, Degradation
from ..errors import HLError
from ..inference import Weights, load_weights, resolve_degradation
from ..loop import Loop
from ..networks.paper import LowToHigh
from ..precision import channels_last_pays, what_pays
from ..runtime import pick_device
from ..tasks.base import Task
from ..tasks.baselines import CycleGANTask, DeblurTask, SRGANTask, WaveletTask
from ..tasks.real_lo import PseudoTask, SemiCycleTask
from ..tasks.successors import FlowTask
from ..tasks.two_stage import H2LTask, JointTask, L2HTask

UNPAIRED: dict[str, Callable[..., Task]] = {  # stages that learn of hi and lo
    "h2l": H2LTask,
    "cyclegan": CycleGANTask,
    "joint": JointTask,
}
PAIRED: dict[str, Callable[..., Task]] = {  # stages that learn of hi and a degradation
    "l2h": L2HTask,
    "srgan": SRGANTask,
    "flow": FlowTask,  # and of the restorer around which it draws
}
L2HS: dict[str, Callable[..., Task]] = {  # the stage l2h by its `l2h_model`
    "paper": L2HTask,
    "wavelet": WaveletTask,
    "deepdeblur": DeblurTask,
}
MIXED: dict[str, Callable[..., Task]] = {  # stages that learn of hi, a degradation, and lo
    "semicycle": SemiCycleTask,
    "pseudo": PseudoTask,
}
OF_PAIRS = (*PAIRED, *MIXED)
WITH_H2L = ("h2l", "joint")  # stages that train an H2L
SMALLEST = 16  # side of an LR image, pixels, in which a JPEG can be measured
N_MEASURED = 5_000  # LR images, at most, of which the JPEG is measured: seconds
OF_MEAN = ("l2h_width", "norm", "order", "skip")  # fields that a flow takes of its restorer
# Fields that decide a network and do not show in the shapes of its weights.
HIDDEN = ("norm", "order", "down", "down_first", "d_pool", "skip", "h2l_model", "z_input")


def new_loop(
    cfg: RunConfig,
    stage: str,
    *,
    hi: str | Path | FaceSet = "faces:train-hi",
    lo: str | Path | FaceSet = "faces:train-lo",
    degradation: str | Degradation | None = None,
    h2l: str | Path | None = None,
    l2h: Weights | None = None,
    device: str | torch.device | None = None,
    out: str | Path | None = None,
) -> tuple[Loop, About]:
    """The loop of a stage before its first update.

    Args as `train`, which reads it; of `out` only the precision and layout of a run in it.

    Returns:
        The loop, and what it is of: stage, configuration, names of the sources.

    Raises:
        HLError: for anything that a user can mend.
    """
    if stage not in STAGES:
        raise HLError(f"stage must be one of {', '.join(STAGES)}, got {stage!r}")
    if stage in RESTORING and stage != "l2h" and cfg.l2h_model != "paper":
        raise HLError(
            f"l2h_model must be paper in the stage {stage}, got {cfg.l2h_model}: train it with l2h"
        )
    place = torch.device(pick_device(device))
    cfg = cfg.replace(**parallel.on_first(lambda: _settled(cfg, stage, place, out)))
    part = cfg.replace(batch=parallel.share_of(cfg.batch)) if parallel.size() > 1 else cfg

    # What to learn from.
    hi_set = _faces(hi, cfg.size_hi, "hi", cfg.n_hi)
    sees_lo = stage not in PAIRED or cfg.n_near > 1
    n_lo = cfg.n_lo if reads(stage, "n_lo") else 0
    lo_set = _faces(lo, cfg.size_lo, "lo", n_lo) if sees_lo else None
    if stage in OF_PAIRS:
        degradation = _degradation_of(stage, degradation)
    mean = _mean_of(cfg, l2h, place) if stage == "flow" else None
    if mean is not None:
        known = {k: getattr(mean.cfg, k) for k in OF_MEAN}
        cfg, part = cfg.replace(**known), part.replace(**known)

    # Networks, whose first weights torch draws from its global stream: seeded, then put back.
    with torch.random.fork_rng(devices=[place] if place.type == "cuda" else []):
        torch.manual_seed(cfg.seed)
        rng = torch.Generator(place).manual_seed(parallel.own_seed(cfg.seed))
        labelled = _labelled(lo_set, cfg)
        task = _task(stage, part, hi_set, labelled, degradation, rng, place, mean)
        loop = Loop(cfg, task, getattr(cfg, f"{stage}_steps"))
    if stage == "joint":
        _start_from(task, {"h2l": h2l, "l2h": l2h})
    about = _about(stage, cfg, place, hi_set, lo_set, degradation, h2l, l2h, _stored(out))
    return loop, about


def _settled(
    cfg: RunConfig, stage: str, device: torch.device, out: str | Path | None
) -> dict[str, Any]:
    """Precision and layout: where `cfg` leaves them open, those of the run in `out`, or what pays.

    `amp` is open where it is "auto", `channels_last` where it is True.
    """
    amp: str = cfg.amp
    last = cfg.channels_last
    if stored := _stored(out):
        was = stored["config"]
        amp = was.get("amp", "off") if amp == "auto" else amp
        return {"amp": amp, "channels_last": last and was.get("channels_last", last)}
    layers = (
        (getattr(cfg, f"{stage}_width", cfg.l2h_width), cfg.size_lo),
        (cfg.d_width, cfg.size_lo if stage == "h2l" else cfg.size_hi),
    )
    if amp == "auto":
        amp = what_pays(device, layers, cfg.batch)
    return {"amp": amp, "channels_last": last and channels_last_pays(device, layers, amp)}


def _stored(out: str | Path | None) -> About | None:
    """What the run in `out` is of, where there is one."""
    folder = RunFolder(out) if out else None
    return folder.read_about() if folder and folder.config.is_file() else None


# ---- what to learn from --------------------------------------------------------------------------
def _faces(source: str | Path | FaceSet, size: int, role: str, n: int = 0) -> FaceSet:
    """The faces of that size, or n of them, evenly spaced; a FaceSet file is checked whole."""
    if isinstance(source, FaceSet):
        faces = source
    else:
        faces = load_faces(source, size, role=role, check=True)
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


def _labelled(lo: FaceSet | None, cfg: RunConfig) -> FaceSet | None:
    """LR images whose names say their domain, inferred where the configuration wants that."""
    if lo is None or cfg.domains == 1 or cfg.domain_labels == "folders":
        return lo
    return with_domains(lo, infer_domains(lo, cfg.domains, cfg.seed))


def _degradation_of(stage: str, given: str | Degradation | None) -> str | Degradation:
    """The degradation given, or the stage's usual one. Raises HLError where it has none."""
    if given:
        return given
    if stage == "srgan":
        return "bilinear"
    raise HLError(
        f"degradation is missing: give learned:W, {', '.join(DEGRADATIONS)} or a function"
    )


def _mean_of(cfg: RunConfig, l2h: Weights | None, place: torch.device) -> LowToHigh:
    """The restorer around which a flow draws. Raises HLError where it cannot be one."""
    if l2h is None:
        raise HLError(
            "a flow draws around what a restorer says: l2h is missing; give weights of an L2H, "
            "best of one without a GAN loss (w_gan 0), such as l2h-pixel"
        )
    net = load_weights(l2h, stage="l2h", device=place)
    if not isinstance(net, LowToHigh):
        raise HLError(f"l2h must be weights of the paper's L2H, got {type(net).__name__}")
    own = net.cfg.size_hi, net.cfg.size_lo
    if own != (cfg.size_hi, cfg.size_lo):
        raise HLError(
            f"l2h must restore {cfg.size_lo} to {cfg.size_hi} pixels, got one of "
            f"{own[1]} to {own[0]}"
        )
    return net


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
    l2h: Weights | None,
    stored: About | None,
) -> About:
    """What config.json says of a run: names for people, digests by which the run is known again."""
    names: dict[str, str] = {"hi": hi.source}
    if lo:
        names["lo"] = lo.source
    known = stored.get("data", {}) if stored else {}
    data: dict[str, Source] = {}
    for key, faces in {"hi": hi, "lo": lo}.items():
        if faces:
            digest = faces.digest(like=known[key]["digest"] if key in known else "")
            data[key] = {"n": len(faces), "digest": digest}
    if stage in OF_PAIRS and degradation is not None:
        names["degradation"] = _name_of(degradation)
    if stage == "joint":
        names |= {"h2l": str(h2l), "l2h": str(l2h)}
    if stage == "flow":
        names["l2h"] = type(l2h).__name__ if isinstance(l2h, nn.Module) else str(l2h)
    for key, name in names.items():
        weights = name.removeprefix("learned:")
        if key == "l2h" and l2h is not None:
            data[key] = {"n": 1, "digest": fingerprint(load_weights(l2h, device=place))}
        elif key == "h2l" or weights != name:
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
    mean: LowToHigh | None = None,
) -> Task:
    """The task of a stage, untrained; a flow draws around `mean`."""
    if stage in OF_PAIRS:
        assert degradation is not None
        degrade = resolve_degradation(degradation, cfg, device)
        if cfg.n_near > 1:
            assert lo is not None
            degrade = nearer(degrade, hi, lo, cfg.n_near, device, cfg.seed)
        if mean is not None:
            return FlowTask(cfg, hi, degrade, rng, device, mean)
        if stage in PAIRED:
            made = L2HS[cfg.l2h_model] if stage == "l2h" else PAIRED[stage]
            return made(cfg, hi, degrade, rng, device)
        return MIXED[stage](cfg, hi, lo, degrade, rng, device)
    assert lo is not None
    if cfg.has_jpeg and stage in WITH_H2L:
        jpeg = [jpeg_of(part) for part in by_domain(lo, cfg.domains).values()]
        return UNPAIRED[stage](cfg, hi, lo, rng, device, jpeg=jpeg)
    return UNPAIRED[stage](cfg, hi, lo, rng, device)


def jpeg_of(lo: FaceSet) -> tuple[Tensor, float]:
    """The JPEG of LR images, of N_MEASURED at most; none is found in tiny ones.

    Args:
        lo: the images.

    Returns:
        As `analysis.measured_jpeg`: their qualities, and the share of 4:2:0 chroma.
    """
    if min(lo.size) < SMALLEST:
        return torch.tensor([100.0]), 0.0
    return measured_jpeg(lo.batch(slice(None, None, 1 + len(lo) // N_MEASURED)))


def _start_from(task: Task, runs: dict[str, Weights | None]) -> None:
    """Put the networks (discriminators too) of finished runs into the joint task."""
    for stage, path in runs.items():
        if path is None:
            raise HLError(f"joint needs the run folders of both stages: --{stage} is missing")
        if isinstance(path, nn.Module):
            raise HLError(f"joint needs a run folder as --{stage}, got {type(path).__name__}")
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
