"""One loop for every task: h2l, l2h, the joint fine-tune, and whatever else has `d_loss` and `g_loss`.

`Loop` holds the networks, optimisers, averages and random state of a run and knows nothing of files; `Tick` is what a
training reports. Progress is counted in images seen by the generator.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from .config import RunConfig
from .errors import HLError
from .rng import restore
from .tasks.base import Task


@dataclass(frozen=True)
class Tick:
    """What the loop reports: position, speed, mean losses since the last tick, and what looks wrong."""

    step: int  # generator updates done
    steps: int  # generator updates in all
    images: int  # images seen by the generator
    seconds: float  # spent training, over all parts of a resumed run
    rate: float  # images/s since the last tick
    left_s: float  # seconds left at that rate
    losses: dict[str, float]
    health: tuple[str, ...] = ()  # diagnoses in plain words
    score: float | None = None  # validation distance, when it was taken at this tick
    samples: Tensor | None = field(default=None, repr=False)  # uint8 (3, H, W), with the score

    def log_line(self) -> dict:
        """The tick for log.jsonl; times are left out of what a resumed run must repeat bit for bit."""
        entry = {
            "step": self.step,
            "images": self.images,
            "losses": self.losses,
            "health": list(self.health),
        }
        if self.score is not None:
            entry["score"] = self.score
        return entry | {"seconds": round(self.seconds, 2), "rate": round(self.rate, 2)}


# Of a loss in float16, at the start. PyTorch's own 65,536 overflowed in the first update of three
# of five stages on an H100, and that update was lost; the scale grows by itself.
FP16_SCALE = 1024.0


class TrainingDiverged(HLError):
    """A loss became NaN or infinite. The message says where, what it looks like and what to try."""


class Loop:
    """Networks, optimisers, averages and random state of a run; everything that a checkpoint holds."""

    def __init__(self, cfg: RunConfig, task: Task, steps: int):
        self.cfg, self.task, self.steps = cfg, task, steps
        self.step, self.seconds, self.best = 0, 0.0, math.inf
        self.history: list[dict] = []  # mean losses of each tick, for health
        self.sums: dict[str, Tensor] = {}  # of the log values since the last tick
        self.n_summed = 0
        layout = torch.channels_last if cfg.channels_last else torch.contiguous_format
        for nets in (task.generators, task.discriminators):
            nets.to(device=task.device, memory_format=layout).train()
        betas = (cfg.beta1, cfg.beta2)
        self.opt_g = torch.optim.Adam(task.generators.parameters(), lr=cfg.lr, betas=betas)
        lr_d = cfg.lr_d or cfg.lr
        groups = [
            {"params": d.parameters(), "lr": cfg.lr_d_hi or lr_d if d.size == cfg.size_hi else lr_d}
            for d in task.discriminators.values()
        ]
        self.opt_d = torch.optim.Adam(groups, betas=betas) if groups else None
        self.lrs = [
            (opt, [group["lr"] for group in opt.param_groups])
            for opt in (self.opt_g, self.opt_d)
            if opt
        ]
        self.ema = AveragedModel(task.generators) if cfg.ema else None
        self.amp = {"off": None, "bf16": torch.bfloat16, "fp16": torch.float16}[cfg.amp]
        self.amp = self.amp if task.device.type == "cuda" else None
        self.scaler = torch.amp.GradScaler(
            task.device.type, init_scale=FP16_SCALE, enabled=self.amp is torch.float16
        )
        if cfg.compile:
            for net in [*task.generators.values(), *task.discriminators.values()]:
                net.compile()

    @torch.no_grad()
    def average(self) -> None:
        """mean <- mean + (1 - decay) (new - mean); the memory is a fraction of the run, shorter at its start.

        Of all weights at once and with a decay that is no tensor: AveragedModel's own update waits for the device at
        each of them. Of the buffers only the statistics of batch norm change, so only they are averaged.
        """
        mean, new = (
            [*nets.parameters(), *(b for name, b in nets.named_buffers() if "running_" in name)]
            for nets in (self.ema.module, self.task.generators)
        )
        decay = min(1 - 1 / max(self.cfg.ema * self.steps, 1), (1 + self.step) / (10 + self.step))
        if self.ema.n_averaged == 0:
            torch._foreach_copy_(mean, new)
        else:
            change = torch._foreach_sub(new, mean)
            torch._foreach_mul_(change, 1 - decay)
            torch._foreach_add_(mean, change)
        self.ema.n_averaged += 1

    @property
    def nets(self) -> nn.ModuleDict:
        """The generators to look at, score and ship: their average where there is one."""
        return self.ema.module if self.ema else self.task.generators

    def set_lr(self) -> None:
        factor = 1.0
        if self.cfg.lr_schedule == "cosine":  # from 1 to a tenth
            factor = 0.55 + 0.45 * math.cos(math.pi * self.step / self.steps)
        for opt, lrs in self.lrs:
            for group, lr in zip(opt.param_groups, lrs, strict=True):
                group["lr"] = lr * factor

    def update(self) -> None:
        """d_steps discriminator updates, then one of the generator; adds up the log values."""
        self.set_lr()
        logs: dict[str, Tensor] = {}
        if self.opt_d:
            self.task.discriminators.requires_grad_(True)
            for _ in range(self.cfg.d_steps):
                logs |= self._half(self.task.d_loss, self.opt_d)
            self.task.discriminators.requires_grad_(
                False
            )  # the G step needs no gradients of D's weights
        logs |= self._half(self.task.g_loss, self.opt_g)
        if self.ema:
            self.average()
        self.step += 1
        for name, value in logs.items():
            self.sums[name] = (
                self.sums.get(name, 0) + value.detach().float()
            )  # fp16 would lose count in a long sum
        self.n_summed += 1

    def means(self) -> dict[str, float]:
        """Mean log values since the last tick. It waits for the device: at ticks only."""
        sums = torch.stack([*self.sums.values()]).tolist()
        return {k: v / self.n_summed for k, v in zip(self.sums, sums, strict=True)}

    def _half(self, loss_of: Callable, opt: torch.optim.Optimizer) -> dict[str, Tensor]:
        batch = self.task.batch()
        with torch.autocast(self.task.device.type, self.amp, enabled=self.amp is not None):
            loss, logs = loss_of(batch)
        opt.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        self.scaler.step(opt)
        self.scaler.update()
        return logs

    @contextmanager
    def _shipped(self) -> Iterator[nn.ModuleDict]:
        """The generators in eval mode: to look at them must not touch their batch-norm statistics."""
        training = [m for m in self.nets.modules() if m.training]
        self.nets.eval()
        try:
            yield self.nets
        finally:
            for m in training:
                m.training = True

    @torch.no_grad()
    def look(self) -> tuple[Tensor, float]:
        """Samples and validation score of the generators as they would be shipped."""
        with self._shipped() as nets:
            return self.task.preview(nets), self.task.validate(nets)

    @torch.no_grad()
    def vitals(self) -> dict[str, float]:
        """What the task measures at every tick of the generators as they would be shipped."""
        with self._shipped() as nets:
            return self.task.vitals(nets)

    def broken(self) -> list[str]:
        """Names of networks with weights that are not finite: a loss may still look fine for one more update."""
        nets = dict([*self.task.generators.items(), *self.task.discriminators.items()])
        finite = [
            torch.stack([p.isfinite().all() for p in net.parameters()]).all()
            for net in nets.values()
        ]
        return [
            f"weights of {k}"
            for k, fine in zip(nets, torch.stack(finite).tolist(), strict=True)
            if not fine
        ]

    @torch.no_grad()
    def reestimate_batch_norm(self, n_batches: int = 50) -> None:
        """Take the batch-norm statistics of the shipped generators anew, on training inputs (exact averages)."""
        norms = [m for m in self.nets.modules() if isinstance(m, nn.BatchNorm2d)]
        momenta = [m.momentum for m in norms]
        for m in norms:
            m.reset_running_stats()
            m.momentum, m.training = None, True
        live, self.task.generators = self.task.generators, self.nets
        for _ in range(n_batches if norms else 0):
            self.task.g_loss(self.task.batch())
        self.task.generators = live
        for m, momentum in zip(norms, momenta, strict=True):
            m.momentum = momentum

    def state(self) -> dict:
        """Everything to go on exactly."""
        return {
            "step": self.step,
            "seconds": self.seconds,
            "best": self.best,
            "history": self.history,
            "sums": self.sums,
            "n_summed": self.n_summed,
            "generators": self.task.generators.state_dict(),
            "discriminators": self.task.discriminators.state_dict(),
            "ema": self.ema.state_dict() if self.ema else None,
            "opt_g": self.opt_g.state_dict(),
            "opt_d": self.opt_d.state_dict() if self.opt_d else None,
            "scaler": self.scaler.state_dict(),
            "rng": self.task.rng.get_state(),
            "samplers": {k: s.state_dict() for k, s in self.task.samplers.items()},
        }

    def load(self, state: dict) -> None:
        """Go on from `state`."""
        for name in ("step", "seconds", "best", "history", "n_summed"):
            setattr(self, name, state[name])
        self.sums = {k: v.to(self.task.device) for k, v in state["sums"].items()}
        self.task.generators.load_state_dict(state["generators"])
        self.task.discriminators.load_state_dict(state["discriminators"])
        for part, key in (
            (self.ema, "ema"),
            (self.opt_g, "opt_g"),
            (self.opt_d, "opt_d"),
            (self.scaler, "scaler"),
        ):
            if part is not None and state[key]:  # that of a scaler is empty where the run had none
                part.load_state_dict(state[key])
        if not restore(self.task.rng, state["rng"]):
            self.task.rng.manual_seed(self.cfg.seed + self.step)
            warnings.warn(
                "the checkpoint was made on another kind of device, whose random numbers cannot go on here: "
                f"going on with new ones, seed {self.cfg.seed + self.step}",
                UserWarning,
                stacklevel=2,
            )
        for name, sampler in self.task.samplers.items():
            sampler.load_state_dict(state["samplers"][name])
