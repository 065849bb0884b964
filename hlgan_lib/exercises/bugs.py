"""Find the bug: six faults that re-implementations of this paper have, and runs of seconds.

None of them raises anything. Each is a few lines, to be read beside the healthy ones of this
library; notebook 07 runs both and shows the symptom. What a learner makes of them is checked by
`nb07_find_the_bug`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import presets
from ..config import RunConfig
from ..data.loading import load_faces
from ..degradations import Degradation
from ..degradations.handmade import pool
from ..errors import HLError
from ..loop import Loop
from ..metrics.pairs import psnr
from ..metrics.protocols import stretch
from ..tasks.base import Logs, Task, d_terms, g_terms
from ..tasks.two_stage import H2LTask, L2HTask

FAULTS = (
    "gradients leak",
    "unpaired pixels",
    "HR as real",
    "batch statistics",
    "stretched",
    "wrong key",
)
DAMAGE = ("faded", "darker", "blurred", "reddish")


# ---- small runs ----------------------------------------------------------------------------------
def small(cfg: RunConfig) -> RunConfig:
    """`cfg` for a run of seconds.

    Networks no wider than quick's, 8 faces a batch at most, two losses.
    """
    cfg = cfg if cfg.h2l_width <= 8 else presets.preset("quick").replace(seed=cfg.seed)
    return cfg.replace(
        h2l_model="paper",
        ema=0.0,
        lr_schedule="constant",
        batch=min(cfg.batch, 8),
        lr=2e-3,
        lr_d=1e-3,
    )


def start(
    cfg: RunConfig,
    task: type[H2LTask] = H2LTask,
    loop: type[Loop] = Loop,
    degrade: Degradation | None = None,
    device: torch.device | str = "cpu",
) -> Loop:
    """A run on the shipped faces that begins the same for every task and loop.

    L2H with `degrade`, else H2L.
    """
    hi, rng = load_faces("faces:train-hi"), torch.Generator(device).manual_seed(cfg.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(cfg.seed)
        made: Task
        if degrade:
            made = L2HTask(cfg, hi, degrade, rng, torch.device(device))
        else:
            made = task(cfg, hi, load_faces("faces:train-lo"), rng, torch.device(device))
    return loop(cfg, made, 1_000_000)


def exam(task: H2LTask, n: int = 64) -> dict[str, Tensor]:
    """A batch of held-out faces, always the same: hi, lo and z of at most n."""
    n = min(len(task.val_hi), len(task.val_lo), n)
    hi, lo = (side.batch(slice(0, n), task.device) for side in (task.val_hi, task.val_lo))
    return {"hi": hi, "lo": lo, "z": task.new_z(n, task.fixed_rng())}


def advance(loop: Loop, n: int) -> Loop:
    """The run after n updates more. Raises HLError for n below 1."""
    if n < 1:
        raise HLError(f"n must be at least 1 update, got {n}")
    for _ in range(n):
        loop.update()
    return loop


def watch(loop: Loop, n: int, look: Callable[[H2LTask], float]) -> list[float]:
    """What look(task) gives at the start and after each of n updates."""
    task: Any = loop.task
    values = [look(task)]
    for _ in range(n):
        advance(loop, 1)
        values.append(look(task))
    return values


# ---- 1: gradients leak ---------------------------------------------------------------------------
class LeakyLoop(Loop):
    """A loop that clears all gradients once, at the top of an update."""

    def update(self) -> None:
        self.opt_g.zero_grad()
        self.opt_d.zero_grad()
        for loss_of, opt in ((self.task.g_loss, self.opt_g), (self.task.d_loss, self.opt_d)):
            loss, _ = loss_of(self.task.batch())
            loss.backward()
            opt.step()


def leak(task: H2LTask) -> float:
    """What H2L's loss would leave in D's gradient, as a part of D's own.

    |grad_D L_G| / |grad_D L_D| on `exam`.
    """
    batch, weights = exam(task), list(task.discriminators.parameters())
    theirs, own = (
        flat(torch.autograd.grad(loss_of(batch)[0], weights))
        for loss_of in (task.g_loss, task.d_loss)
    )
    return float(theirs.norm() / own.norm())


def flat(parts: Iterable[Tensor | None]) -> Tensor:
    """Gradients or weights as one vector; None is left out."""
    return torch.cat([g.detach().flatten() for g in parts if g is not None])


# ---- 2: unpaired pixels --------------------------------------------------------------------------
class UnpairedPixels(H2LTask):
    """A task that holds H2L's pictures to the LR ones of the batch."""

    def g_loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, Logs]:
        lo_fake = self.generators["h2l"](batch["hi"], batch["z"])
        pixel = F.mse_loss(lo_fake, batch["lo"])
        return g_terms(pixel, self.d_or_none("d_lo"), lo_fake, self.cfg, self.rng, self.gan)


# ---- 3: HR as real ----------------------------------------------------------------------------
class HRAsReal(H2LTask):
    """A task that shows D_low the HR faces, pooled down, as real."""

    def d_loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, Logs]:
        with torch.no_grad():
            lo_fake = self.generators["h2l"](batch["hi"], batch["z"])
        return d_terms(
            self.discriminators["d_lo"], pool(batch["hi"]), lo_fake, self.cfg, self.rng, self.gan
        )


def train_d(task: H2LTask, n: int) -> H2LTask:
    """n updates of the task's discriminators alone, H2L standing still; returns the task.

    HLError for n below 1.
    """
    if n < 1:
        raise HLError(f"n must be at least 1 update, got {n}")
    opt = torch.optim.Adam(task.discriminators.parameters(), 1e-3, betas=(0.0, 0.9))
    for _ in range(n):
        opt.zero_grad()
        task.d_loss(task.batch())[0].backward()
        opt.step()
    return task


# ---- 4: batch statistics -------------------------------------------------------------------------
def score_as_it_is(net: nn.Module, lo: Tensor, hi: Tensor) -> Tensor:
    """PSNR (B,) of restored faces in the middle of a training."""
    with torch.no_grad():
        return psnr(unit(net(lo)), unit(hi))


def score_to_trust(net: nn.Module, lo: Tensor, hi: Tensor) -> Tensor:
    """PSNR (B,) of restored faces in eval mode; the network goes on as it was."""
    before = net.training
    net.eval()
    with torch.no_grad():
        scores = psnr(unit(net(lo)), unit(hi))
    net.train(before)
    return scores


# ---- 5: stretched --------------------------------------------------------------------------------
def unit(x: Tensor) -> Tensor:
    """Pictures in [-1, 1] to [0, 1], by the fixed range; what lies outside is clipped."""
    return (x.clamp(-1, 1) + 1) / 2


def score_of_stretched(made: Tensor, hi: Tensor) -> Tensor:
    """PSNR (B,) of pictures in [-1, 1], each stretched first as a picture viewer would."""
    return psnr(stretch(unit(made)), unit(hi))


def damage(x: Tensor) -> dict[str, Tensor]:
    """A face degraded by each kind of DAMAGE.

    (B, 3, s, s) in [-1, 1] -> name -> the same shape and range.
    """
    soft = F.interpolate(pool(x, x.shape[-1] // 2), scale_factor=2, mode="bilinear")
    red = x * x.new_tensor([1.0, 0.6, 0.6]).view(3, 1, 1)
    return {"faded": 0.5 * x, "darker": 0.6 * x - 0.4, "blurred": soft, "reddish": red}


# ---- 6: wrong key --------------------------------------------------------------------------------
def save_generator(net: nn.Module, path: Path) -> None:
    """Write a trained network, as the training script does."""
    torch.save({"net_g": net.state_dict()}, path)


def load_generator(net: nn.Module, path: Path) -> nn.Module:
    """Read it again, as the test script does."""
    state = torch.load(path, weights_only=True)
    net.load_state_dict(state.get("generator", state), strict=False)
    return net


def load_strictly(net: nn.Module, path: Path) -> nn.Module:
    """The weights under the key that they were saved under, all of them."""
    net.load_state_dict(torch.load(path, weights_only=True)["net_g"])
    return net
