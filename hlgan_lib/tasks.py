"""What the loop trains: a task knows its networks, its batch, `d_loss(batch)` and `g_loss(batch)`, and nothing of time.

`h2l` and `l2h` are one conditional GAN step with a pixel term, used twice; `joint` is both at once.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.utils import make_grid

from .config import RunConfig
from .data import FaceSet, Sampler, augment, to_uint8
from .health import z_spread
from .losses import GAN, HINGE, diff_augment, mode_seeking, pixel_h2l, pixel_l2h, r1
from .metrics import enlarge_lo, extract, frechet
from .networks import CoarseDiscriminator, Discriminator, HighToLow, LowToHigh

Logs = dict[str, Tensor]
Degradation = Callable[[Tensor, torch.Generator], Tensor]  # (hi, generator) -> lo
N_PREVIEW, N_PREVIEW_Z = 8, 3
N_MEASURED = 5_000      # poor photographs, at most, of which the JPEG is measured: seconds


def d_terms(d: Discriminator, real: Tensor, fake: Tensor, cfg: RunConfig, rng: torch.Generator,
            gan: GAN) -> tuple[Tensor, Logs]:
    """The discriminator's loss on one batch, and what a reader of the log wants to know of it."""
    both = torch.cat([real, fake])
    score_real, score_fake = d(diff_augment(both, rng) if cfg.d_aug else both).split([len(real), len(fake)])
    loss = gan.d(score_real, score_fake)
    logs = {"d_loss": loss, "d_real": score_real.mean(), "d_fake": score_fake.mean(),
            "d_sure": ((score_real > 1).float().mean() + (score_fake < -1).float().mean()) / 2}
    if cfg.w_r1:
        logs["r1"] = r1(d, real)
        loss = loss + cfg.w_r1 * logs["r1"]
    return loss, logs


def g_terms(pixel: Tensor, d: Discriminator | None, fake: Tensor, cfg: RunConfig, rng: torch.Generator,
            gan: GAN) -> tuple[Tensor, Logs]:
    """loss = alpha * pixel + beta * GAN (the paper's equation 1); without a discriminator the pixel loss alone."""
    loss, logs = cfg.w_pix * pixel, {"pix": pixel}
    if d is not None:
        logs["gan"] = gan.g(d(diff_augment(fake, rng) if cfg.d_aug else fake))
        loss = loss + cfg.w_gan * logs["gan"]
    return loss, logs


def spread(x: Tensor) -> Tensor:
    """How much pictures differ from each other: standard deviation over the batch, mean over pixels (scalar)."""
    return x.float().std(0).mean()


class Task:
    """Base of the tasks: networks, the data they see, and one random stream `rng` for all that training draws.

    product: the generator whose weights a finished run is known by. samplers: what has a state of its own to resume.
    """

    product: str
    gan: GAN = HINGE

    def __init__(self, cfg: RunConfig, hi: FaceSet, rng: torch.Generator, device: torch.device):
        self.cfg, self.rng, self.device = cfg, rng, device
        self.hi, self.val_hi = hold_out(hi, cfg.n_val)
        self.samplers = {"hi": Sampler(self.hi, cfg.batch, device, rng)}
        self.generators, self.discriminators = nn.ModuleDict(), nn.ModuleDict()

    def next_hi(self) -> Tensor:
        c = self.cfg
        return augment(self.samplers["hi"].next(), self.rng, flip=c.flip, scale=c.scale, rotate_deg=c.rotate_deg,
                       shift=c.shift, colour=c.colour)

    def new_z(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return torch.randn(n, self.cfg.z_dim, generator=rng or self.rng, device=self.device)

    def d_or_none(self, name: str) -> Discriminator | None:
        return self.discriminators[name] if name in self.discriminators else None

    def add_lo(self, lo: FaceSet) -> None:
        """Poor pictures to learn from, some of them held out."""
        lo, self.val_lo = hold_out(lo, self.cfg.n_val)
        self.samplers["lo"] = Sampler(lo, self.cfg.batch, self.device, self.rng)

    def next_lo(self) -> Tensor:
        return augment(self.samplers["lo"].next(), self.rng, flip=self.cfg.flip)

    def distance_to_sharp(self, restore: nn.Module) -> float:
        """Frechet distance (EfficientNet-Lite0 features) of restored held-out poor pictures to sharp ones."""
        n = min(len(self.val_hi), len(self.val_lo))
        fake = self.in_batches(restore, self.val_lo)[:n]
        return frechet(*(extract((x + 1) / 2) for x in (fake, self.val_hi.batch(slice(0, n), self.device))))

    def fixed_rng(self) -> torch.Generator:
        """A stream of its own for pictures and scores, so that looking does not change training."""
        return torch.Generator(self.device).manual_seed(self.cfg.seed + 1)

    def in_batches(self, f: Callable[[Tensor], Tensor], faces: FaceSet, batch: int = 64) -> Tensor:
        return torch.cat([f(faces.batch(slice(i, i + batch), self.device)) for i in range(0, len(faces), batch)])


def hold_out(faces: FaceSet, n: int) -> tuple[FaceSet, FaceSet]:
    """Split off n evenly spaced pictures (at most a fifth, at least two) to choose best.pt by; of less than 4, none."""
    if len(faces) < 4:
        return faces, faces
    n = max(2, min(n, len(faces) // 5))
    held = set(torch.linspace(0, len(faces) - 1, n).long().tolist())
    return (faces[[i for i in range(len(faces)) if i not in held]], faces[sorted(held)])


class H2LTask(Task):
    """Stage one: learn from unpaired sharp and poor pictures how the world degrades."""

    product = "h2l"

    def __init__(self, cfg: RunConfig, hi: FaceSet, lo: FaceSet, rng: torch.Generator, device: torch.device):
        super().__init__(cfg, hi, rng, device)
        self.add_lo(lo)
        self.generators["h2l"] = h2l = HighToLow(cfg)
        if h2l.jpeg:
            from .blockiness import measured_jpeg  # which imports this module

            h2l.jpeg.set(*measured_jpeg(lo.batch(slice(None, None, 1 + len(lo) // N_MEASURED))))
        if cfg.w_gan:
            self.discriminators["d_lo"] = Discriminator(cfg.size_lo, cfg.d_width, cfg.d_pool, cfg.d_opponent,
                                                         cfg.d_norm)
        if cfg.w_gan and cfg.w_coarse:
            self.discriminators["d_coarse"] = CoarseDiscriminator(norm=cfg.d_norm)

    def batch(self) -> dict[str, Tensor]:
        lo = self.next_lo()
        return {"hi": self.next_hi(), "lo": lo, "z": self.new_z(self.cfg.batch)}

    def d_loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, Logs]:
        with torch.no_grad():
            lo_fake = self.generators["h2l"](batch["hi"], batch["z"])
        loss, logs = d_terms(self.discriminators["d_lo"], batch["lo"], lo_fake, self.cfg, self.rng, self.gan)
        if d_coarse := self.d_or_none("d_coarse"):
            # d_aug would blank what d_coarse is to see, and its generator step has none
            coarse, coarse_logs = d_terms(d_coarse, batch["lo"], lo_fake, self.cfg.replace(d_aug=False), self.rng,
                                          self.gan)
            loss, logs = loss + coarse, logs | {f"coarse_{k}": v for k, v in coarse_logs.items()}
        return loss, logs | {"real_spread": spread(batch["lo"])}

    def g_loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, Logs]:
        hi, z, h2l = batch["hi"], batch["z"], self.generators["h2l"]
        lo_fake = h2l(hi, z)
        loss, logs = g_terms(pixel_h2l(lo_fake, hi), self.d_or_none("d_lo"), lo_fake, self.cfg, self.rng, self.gan)
        if d_coarse := self.d_or_none("d_coarse"):
            logs["coarse_gan"] = self.gan.g(d_coarse(lo_fake))
            loss = loss + self.cfg.w_gan * self.cfg.w_coarse * logs["coarse_gan"]
        if self.cfg.w_z:
            z_b = self.new_z(len(hi))
            logs["z_loss"] = mode_seeking(lo_fake, h2l(hi, z_b), z, z_b)
            loss = loss + self.cfg.w_z * logs["z_loss"]
        return loss, logs | {"fake_spread": spread(lo_fake.detach())}

    def vitals(self, nets: nn.ModuleDict) -> dict[str, float]:
        """Spread over z of the same face, as a part of the range of 2."""
        return {"z_spread": z_spread(self._over_z(nets))}

    def _over_z(self, nets: nn.ModuleDict, n_z: int = 8) -> Tensor:
        rng, hi = self.fixed_rng(), self.val_hi.batch(slice(0, N_PREVIEW), self.device)
        return torch.stack([nets["h2l"](hi, self.new_z(len(hi), rng)) for _ in range(n_z)])

    def preview(self, nets: nn.ModuleDict) -> Tensor:
        """Rows: sharp, three noises each, and (other people's) real poor pictures."""
        hi = self.val_hi.batch(slice(0, N_PREVIEW), self.device)
        return grid([hi, *self._over_z(nets, N_PREVIEW_Z), self.val_lo.batch(slice(0, N_PREVIEW), self.device)])

    def validate(self, nets: nn.ModuleDict) -> float:
        """Frechet distance (EfficientNet-Lite0 features) of H2L's pictures to held-out real poor ones."""
        n, rng = min(len(self.val_hi), len(self.val_lo)), self.fixed_rng()
        fake = self.in_batches(lambda hi: nets["h2l"](hi, self.new_z(len(hi), rng)), self.val_hi)[:n]
        real = self.val_lo.batch(slice(0, n), self.device)
        return frechet(*(extract(enlarge_lo((x + 1) / 2)) for x in (fake, real)))


class L2HTask(Task):
    """Stage two: learn to restore from pairs made on the fly by a degradation, learned or not."""

    product, network = "l2h", LowToHigh

    def __init__(self, cfg: RunConfig, hi: FaceSet, degrade: Degradation, rng: torch.Generator, device: torch.device):
        super().__init__(cfg, hi, rng, device)
        self.degrade = degrade
        self.generators[self.product] = self.network(cfg)
        if cfg.w_gan:
            self.discriminators["d_hi"] = Discriminator(cfg.size_hi, cfg.d_width, cfg.d_pool, norm=cfg.d_norm)

    def batch(self) -> dict[str, Tensor]:
        hi = self.next_hi()
        with torch.no_grad():
            return {"hi": hi, "lo_fake": self.degrade(hi, self.rng)}

    def d_loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, Logs]:
        with torch.no_grad():
            hi_fake = self.generators[self.product](batch["lo_fake"])
        loss, logs = d_terms(self.discriminators["d_hi"], batch["hi"], hi_fake, self.cfg, self.rng, self.gan)
        return loss, logs | {"real_spread": spread(batch["hi"])}

    def g_loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, Logs]:
        hi_fake = self.generators[self.product](batch["lo_fake"])
        loss, logs = g_terms(pixel_l2h(hi_fake, batch["hi"]), self.d_or_none("d_hi"), hi_fake, self.cfg, self.rng,
                             self.gan)
        more, more_logs = self.content(hi_fake, batch["hi"])
        return loss + more, logs | more_logs | {"fake_spread": spread(hi_fake.detach())}

    def content(self, hi_fake: Tensor, hi: Tensor) -> tuple[Tensor | float, Logs]:
        """What a task wants beside pixels and GAN; L2H nothing."""
        return 0.0, {}

    def vitals(self, nets: nn.ModuleDict) -> dict[str, float]:
        return {}

    def preview(self, nets: nn.ModuleDict) -> Tensor:
        """Rows: degraded, restored, truth."""
        hi = self.val_hi.batch(slice(0, N_PREVIEW), self.device)
        lo = self.degrade(hi, self.fixed_rng())
        return grid([lo, nets[self.product](lo), hi])

    def validate(self, nets: nn.ModuleDict) -> float:
        """Frechet distance (EfficientNet-Lite0 features) of restored held-out pictures to the sharp ones."""
        rng = self.fixed_rng()
        fake = self.in_batches(lambda hi: nets[self.product](self.degrade(hi, rng)), self.val_hi)
        return frechet(*(extract((x + 1) / 2) for x in (fake, self.val_hi.batch(slice(None), self.device))))


class JointTask(H2LTask):
    """The fine-tune at the end: both stages at once, the restorer's gradients reaching the degrader too."""

    product = "l2h"

    def __init__(self, cfg: RunConfig, hi: FaceSet, lo: FaceSet, rng: torch.Generator, device: torch.device):
        super().__init__(cfg, hi, lo, rng, device)
        self.generators["l2h"] = LowToHigh(cfg)
        if cfg.w_gan:
            self.discriminators["d_hi"] = Discriminator(cfg.size_hi, cfg.d_width, cfg.d_pool, norm=cfg.d_norm)

    def d_loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, Logs]:
        loss_lo, logs = super().d_loss(batch)
        with torch.no_grad():
            hi_fake = self.generators["l2h"](self.generators["h2l"](batch["hi"], batch["z"]))
        loss_hi, logs_hi = d_terms(self.discriminators["d_hi"], batch["hi"], hi_fake, self.cfg, self.rng, self.gan)
        return loss_lo + loss_hi, logs | {f"hi_{k}": v for k, v in logs_hi.items()}

    def g_loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, Logs]:
        loss_lo, logs = super().g_loss(batch)
        hi_fake = self.generators["l2h"](self.generators["h2l"](batch["hi"], batch["z"]))
        loss_hi, logs_hi = g_terms(pixel_l2h(hi_fake, batch["hi"]), self.d_or_none("d_hi"), hi_fake, self.cfg, self.rng,
                                   self.gan)
        return loss_lo + loss_hi, logs | {f"hi_{k}": v for k, v in logs_hi.items()}

    def preview(self, nets: nn.ModuleDict) -> Tensor:
        """Rows: sharp, degraded, restored; real poor pictures, restored."""
        hi, lo = (f.batch(slice(0, N_PREVIEW), self.device) for f in (self.val_hi, self.val_lo))
        lo_fake = nets["h2l"](hi, self.new_z(len(hi), self.fixed_rng()))
        return grid([hi, lo_fake, nets["l2h"](lo_fake), lo, nets["l2h"](lo)])

    def validate(self, nets: nn.ModuleDict) -> float:
        return self.distance_to_sharp(nets["l2h"])


def grid(rows: list[Tensor]) -> Tensor:
    """Rows of pictures in [-1, 1], the small ones enlarged without smoothing -> uint8 (3, H, W) on the CPU."""
    size = max(r.shape[-1] for r in rows)
    rows = [F.interpolate(r.float(), size=size, mode="nearest") for r in rows]
    return make_grid(to_uint8(torch.cat(rows)).cpu(), nrow=len(rows[0]), padding=2, pad_value=255)
