"""One loop for every task: both stages, the joint fine-tune, the baselines.

`Loop` holds the networks, optimisers, averages and random state of a run, and knows nothing of
files; `Tick` is what a training reports. Progress is counted in images seen by the generator.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from . import parallel
from .config import RunConfig
from .errors import HLError
from .precision import AMP
from .rng import restore
from .schema import checked
from .tasks.base import Batch, Logs, Task

# What a checkpoint says of where a run is, beside its best score, which may be infinite.
PROGRESS = {
    "step": int,
    "seconds": float,
    "best_step": int,
    "history": list[dict[str, float]],
    "n_summed": int,
}

# Of a loss in float16, at the start. PyTorch's own 65,536 overflowed in the first update of three
# of five stages on an H100, and that update was lost; the scale grows by itself.
FP16_SCALE = 1024.0

N_NORM_BATCHES = 50  # over which batch-norm statistics are taken anew at the end of a run


@dataclass(frozen=True)
class Tick:
    """What the loop reports: position, speed, mean losses since the last tick, what looks wrong.

    Attributes:
        step: generator updates done.
        steps: generator updates in all.
        images: images seen by the generator.
        seconds: spent training, over all parts of a resumed run.
        rate: images/s since the last tick.
        left_s: seconds left at that rate.
        losses: mean of each log value since the last tick, and the task's diagnostics.
        health: diagnoses in plain words; empty while all is well.
        score: validation distance, when it was taken at this tick.
        samples: uint8 (3, H, W), taken with the score.
        lr: learning rate of the last update, by network.
    """

    step: int
    steps: int
    images: int
    seconds: float
    rate: float
    left_s: float
    losses: dict[str, float]
    health: tuple[str, ...] = ()
    score: float | None = None
    samples: Tensor | None = field(default=None, repr=False)
    lr: dict[str, float] = field(default_factory=dict)

    def log_line(self) -> dict[str, Any]:
        """The tick as a line of log.jsonl.

        All but `seconds` and `rate` is repeated bit for bit by a resumed run.
        """
        entry: dict[str, Any] = {
            "step": self.step,
            "images": self.images,
            "losses": self.losses,
            "health": list(self.health),
        }
        if self.score is not None:
            entry["score"] = self.score
        return entry | {"seconds": round(self.seconds, 2), "rate": round(self.rate, 2)}


class TrainingDiverged(HLError):
    """A loss became NaN or infinite. The message says where, what it looks like and what to try."""


class Loop:
    """Networks, optimisers, averages and random state of a run; everything that a checkpoint holds.

    Args:
        cfg: the configuration.
        task: what is trained.
        steps: generator updates in all; learning rate and average are stretched over them.
    """

    def __init__(self, cfg: RunConfig, task: Task, steps: int) -> None:
        self.cfg, self.task, self.steps = cfg, task, steps
        self.step, self.seconds = 0, 0.0
        self.best, self.best_step = math.inf, -1  # lowest validation score, and its update
        self.history: list[dict[str, float]] = []  # mean losses of each tick, for health
        self.sums: Logs = {}  # of the log values since the last tick
        self.n_summed = 0

        layout = torch.channels_last if cfg.channels_last else torch.contiguous_format
        for nets in (task.generators, task.discriminators):
            nets.to(task.device).to(memory_format=layout).train()
            parallel.share_batch_norm(nets)
            parallel.same_weights(nets)

        # On a GPU one kernel for the whole optimiser, and none of its numbers on the CPU.
        gpu = True if task.device.type == "cuda" else None
        adam = partial(
            torch.optim.Adam, betas=(cfg.beta1, cfg.beta2), fused=gpu, capturable=bool(gpu)
        )
        self.opt_g = adam(task.generators.parameters(), lr=cfg.lr)
        ds = task.discriminators.values()
        groups = [{"params": d.parameters(), "lr": _lr_of(d, cfg)} for d in ds]
        self.opt_d = adam(groups) if groups else None
        self.lrs = []  # of each optimiser, the full rate of each of its groups
        for opt in (self.opt_g, self.opt_d):
            if opt:
                self.lrs.append((opt, [group["lr"] for group in opt.param_groups]))

        self.ema = AveragedModel(task.generators) if cfg.ema else None
        # How far the average goes towards the new weights; a tensor in a CUDA graph (graphs.py).
        self.ema_rate: float | Tensor = 0.0
        self.amp = AMP[cfg.amp]
        self.scaler = torch.amp.GradScaler(
            task.device.type, init_scale=FP16_SCALE, enabled=self.amp is torch.float16
        )
        if cfg.compile:
            for net in [*task.generators.values(), *task.discriminators.values()]:
                net.compile()

    @property
    def nets(self) -> nn.ModuleDict:
        """The generators to look at, score and ship: their average where there is one."""
        return cast(nn.ModuleDict, self.ema.module) if self.ema else self.task.generators

    # ---- an update -------------------------------------------------------------------------------
    def update(self) -> None:
        """d_steps discriminator updates, then one of the generator; adds up the log values."""
        self.set_rates()
        self.count(self.compute())

    def compute(self) -> Logs:
        """What an update does on the device, and nothing else: the log values."""
        logs: Logs = {}
        if self.opt_d:
            self.task.discriminators.requires_grad_(True)
            for i in range(self.cfg.d_steps):
                self.task.d_updates = self.step * self.cfg.d_steps + i
                logs |= self._half(self.task.d_loss, self.opt_d)
            # The generator's step needs no gradients of D's weights.
            self.task.discriminators.requires_grad_(False)
        logs |= self._half(self.task.g_loss, self.opt_g)
        self.average()
        return logs

    def count(self, logs: Logs) -> None:
        """What an update leaves on the host: one more step, and its log values in the sums."""
        self.step += 1
        if self.ema:
            self.ema.n_averaged += 1
        for name, value in logs.items():
            # In float32: float16 would lose count in a long sum.
            self.sums[name] = self.sums.get(name, 0) + value.detach().float()
        self.n_summed += 1

    def _half(
        self, loss_of: Callable[[Batch], tuple[Tensor, Logs]], opt: torch.optim.Optimizer
    ) -> Logs:
        """One optimiser step on a new batch."""
        batch = self.task.batch()
        with torch.autocast(self.task.device.type, self.amp, enabled=self.amp is not None):
            loss, logs = loss_of(batch)
        opt.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        parallel.average_gradients(p for group in opt.param_groups for p in group["params"])
        self.scaler.step(opt)
        self.scaler.update()
        return logs

    def set_rates(self) -> None:
        """Set what this step has of its own: learning rates, and the rate of the average.

        Learning rates are constant, or fall along half a cosine to a tenth. The average keeps
        decay = min(1 - 1 / (ema * steps), (1 + step) / (10 + step)): its memory is a fraction of
        the run, shorter at its start.
        """
        factor = 1.0
        if self.cfg.lr_schedule == "cosine":
            factor = 0.55 + 0.45 * math.cos(math.pi * self.step / self.steps)
        for opt, lrs in self.lrs:
            for group, lr in zip(opt.param_groups, lrs, strict=True):
                group["lr"] = _filled(group["lr"], lr * factor)
        memory = max(self.cfg.ema * self.steps, 1)
        decay = min(1 - 1 / memory, (1 + self.step) / (10 + self.step))
        self.ema_rate = _filled(self.ema_rate, 1 - decay)

    def rates(self) -> dict[str, float]:
        """The learning rates as they are now: "generators", and each discriminator by its name."""
        now = {"generators": float(self.opt_g.param_groups[0]["lr"])}
        if self.opt_d:
            for name, group in zip(self.task.discriminators, self.opt_d.param_groups, strict=True):
                now[name] = float(group["lr"])
        return now

    @torch.no_grad()
    def average(self) -> None:
        """mean <- mean + (1 - decay) (new - mean), the exponential moving average of the weights.

        AveragedModel's own update waits for the device at each weight. So all weights are taken at
        once, and the decay is no tensor. Of the buffers only the statistics of batch norm change,
        so only they are averaged. Without an `ema` in the configuration there is no average.
        """
        if self.ema is None:
            return
        mean = _averaged(self.ema.module)
        new = _averaged(self.task.generators)
        if self.step == 0:
            torch._foreach_copy_(mean, new)
        else:
            change = torch._foreach_sub(new, mean)
            torch._foreach_mul_(change, self.ema_rate)
            torch._foreach_add_(mean, change)

    # ---- a tick ----------------------------------------------------------------------------------
    def means(self) -> dict[str, float]:
        """Mean log values since the last tick, over all processes.

        It waits for the device: at ticks only.
        """
        sums = parallel.mean(torch.stack([*self.sums.values()])).tolist()
        return {name: total / self.n_summed for name, total in zip(self.sums, sums, strict=True)}

    def broken(self) -> list[str]:
        """Names of networks with weights that are not finite. It waits for the device.

        A loss may still look fine for one more update.
        """
        nets = {**self.task.generators, **self.task.discriminators}
        finite = torch.stack([_all_finite(net) for net in nets.values()]).tolist()
        return [f"weights of {name}" for name, ok in zip(nets, finite, strict=True) if not ok]

    @torch.no_grad()
    def look(self) -> tuple[Tensor, float]:
        """Samples and validation score of the generators as they would be shipped."""
        with self._shipped() as nets:
            return self.task.preview(nets), self.task.validate(nets)

    @torch.no_grad()
    def diagnostics(self) -> dict[str, float]:
        """What the task measures at every tick of the generators as they would be shipped."""
        with self._shipped() as nets:
            return self.task.diagnostics(nets)

    @contextmanager
    def _shipped(self) -> Iterator[nn.ModuleDict]:
        """The generators in eval mode: a look must not touch their batch-norm statistics."""
        training = [m for m in self.nets.modules() if m.training]
        self.nets.eval()
        try:
            yield self.nets
        finally:
            for m in training:
                m.training = True

    # ---- the end of a run ------------------------------------------------------------------------
    @torch.no_grad()
    def reestimate_batch_norm(self, n_batches: int = N_NORM_BATCHES) -> None:
        """Take the batch-norm statistics of the shipped generators anew, on training inputs.

        They become exact averages over n_batches batches.
        """
        norms = [m for m in self.nets.modules() if isinstance(m, nn.BatchNorm2d)]
        momenta = [m.momentum for m in norms]
        for m in norms:
            m.reset_running_stats()
            m.momentum = None  # a plain average
            m.training = True
        live = self.task.generators
        self.task.generators = self.nets
        for _ in range(n_batches if norms else 0):
            self.task.g_loss(self.task.batch())
        self.task.generators = live
        for m, momentum in zip(norms, momenta, strict=True):
            m.momentum = momentum

    # ---- checkpoints -----------------------------------------------------------------------------
    def state(self) -> dict[str, Any]:
        """Everything to go on exactly."""
        return {
            "step": self.step,
            "seconds": self.seconds,
            "best": self.best,
            "best_step": self.best_step,
            "history": self.history,
            "sums": self.sums,
            "n_summed": self.n_summed,
            "generators": self.task.generators.state_dict(),
            "discriminators": self.task.discriminators.state_dict(),
            "ema": self.ema.state_dict() if self.ema else None,
            "opt_g": _adam_state(self.opt_g),
            "opt_d": _adam_state(self.opt_d) if self.opt_d else None,
            "scaler": self.scaler.state_dict(),
            "rng": self.task.rng.get_state(),
            "samplers": {k: s.state_dict() for k, s in self.task.samplers.items()},
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from `state`; warns where its random numbers cannot go on on this device.

        Raises:
            ValueError, KeyError, RuntimeError: where it is not a state of such a loop.
        """
        self._load_progress(state)
        self.task.generators.load_state_dict(state["generators"])
        self.task.discriminators.load_state_dict(state["discriminators"])
        _load_adam(self.opt_g, state["opt_g"])
        if self.opt_d:
            _load_adam(self.opt_d, state["opt_d"])
        if self.ema:
            self.ema.load_state_dict(state["ema"])
        if state["scaler"]:  # empty where the run had none
            self.scaler.load_state_dict(state["scaler"])
        if parallel.rank():
            # The stored draws are the first process's: each of the others begins new ones.
            self.task.rng.manual_seed(parallel.own_seed(self.cfg.seed + self.step))
            return
        if not restore(self.task.rng, state["rng"]):
            seed = self.cfg.seed + self.step
            self.task.rng.manual_seed(seed)
            warnings.warn(
                "the checkpoint was made on another kind of device, whose random numbers cannot go "
                f"on here: going on with new ones, seed {seed}",
                UserWarning,
                stacklevel=2,
            )
        for name, sampler in self.task.samplers.items():
            sampler.load_state_dict(state["samplers"][name])

    def _load_progress(self, state: dict[str, Any]) -> None:
        """Where the run is, held against what it may be: all else checks its own shapes."""
        state = {"best_step": -1} | state  # younger than the first checkpoints
        for name, kind in PROGRESS.items():
            setattr(self, name, checked(state[name], kind, name))
        best = state["best"]  # infinite before the first score, which `checked` takes for damage
        unscored = isinstance(best, float) and best == math.inf
        self.best = best if unscored else checked(best, float, "best")
        sums = checked(state["sums"], dict[str, Tensor], "sums")
        if not 0 <= self.step <= self.steps or self.seconds < 0:
            raise ValueError(f"step {self.step} of {self.steps}, {self.seconds} seconds")
        if any(v.ndim or not v.is_floating_point() for v in sums.values()):
            raise ValueError("sums must be single numbers")
        if self.n_summed < 0 or bool(sums) != (self.n_summed > 0):
            raise ValueError(f"{len(sums)} sums of {self.n_summed} updates")
        self.sums = {k: v.to(self.task.device) for k, v in sums.items()}


def _filled(old: Any, value: float) -> Any:
    """`value`, in the tensor `old` where it is one: what a CUDA graph has recorded reads it there.

    It is a kernel's argument: nothing is copied, and nothing waits.
    """
    return old.fill_(value) if isinstance(old, Tensor) else value


def _adam_state(opt: torch.optim.Optimizer) -> dict[str, Any]:
    """Its moments and rates; all else is the configuration's and the device's."""
    state = opt.state_dict()
    groups = [{"lr": float(g["lr"]), "params": g["params"]} for g in state["param_groups"]]
    return {"state": state["state"], "param_groups": groups}


def _load_adam(opt: torch.optim.Optimizer, stored: dict[str, Any]) -> None:
    """Moments of Adam, each of its weight's shape; the settings stay those of the configuration."""
    moments = checked(stored["state"], dict[int, dict[str, Tensor]], "moments")
    params = [p for group in opt.param_groups for p in group["params"]]
    for i, p in enumerate(params):
        if i not in moments:  # it had no gradient yet
            continue
        of_p = moments[i]
        if of_p.keys() != {"exp_avg", "exp_avg_sq", "step"} or of_p["step"].ndim:
            raise ValueError(f"moments of weight {i}: {', '.join(of_p)}")
        if not of_p["exp_avg"].shape == of_p["exp_avg_sq"].shape == p.shape:
            raise ValueError(f"moments of weight {i} are not of shape {tuple(p.shape)}")
    if not moments.keys() <= set(range(len(params))):
        raise ValueError(f"moments of {len(moments)} weights, expected {len(params)}")
    groups = opt.state_dict()["param_groups"]
    was = checked(stored["param_groups"], list[dict[str, Any]], "groups")
    for group, before in zip(groups, was, strict=True):
        group["lr"] = checked(before["lr"], float, "lr")  # of the last update
    opt.load_state_dict({"state": moments, "param_groups": groups})


def _lr_of(d: nn.Module, cfg: RunConfig) -> float:
    """The full learning rate of a discriminator; those of HR images may have their own."""
    rate = cfg.lr_d or cfg.lr
    return (cfg.lr_d_hi or rate) if d.size == cfg.size_hi else rate


def _all_finite(net: nn.Module) -> Tensor:
    return torch.stack([p.isfinite().all() for p in net.parameters()]).all()


def _averaged(nets: nn.Module) -> list[Tensor]:
    """The tensors that `Loop.average` follows: weights, and statistics of batch norm."""
    statistics = [b for name, b in nets.named_buffers() if "running_" in name]
    return [*nets.parameters(), *statistics]
