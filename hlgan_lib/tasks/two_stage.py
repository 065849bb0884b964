"""The two stages as tasks: `h2l` and `l2h` are one step used twice; `joint` is both at once."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..config import RunConfig
from ..data.faces import FaceSet
from ..degradations import Degradation
from ..errors import HLError
from ..health import z_spread
from ..losses import energy_distance, mode_seeking, picture_statistics, pixel_h2l, pixel_l2h
from ..metrics.distances import frechet
from ..metrics.features import enlarge_lo, extract
from ..networks import high_to_low
from ..networks.paper import CoarseDiscriminator, Discriminator, LowToHigh
from .base import N_PREVIEW, Logs, Task, d_terms, g_terms, grid, spread

N_PREVIEW_Z = 3


class RealStatistics:
    """The statistics of all LR pictures of a dataset, standardised.

    Args:
        lo: the real LR pictures.
        device: where to keep the statistics.
    """

    N = 256  # real pictures that a batch is compared with
    CHUNK = 1024  # pictures measured at a time

    def __init__(self, lo: FaceSet, device: torch.device):
        parts = []
        for i in range(0, len(lo), self.CHUNK):
            parts.append(picture_statistics(lo.batch(slice(i, i + self.CHUNK), device)))
        measured = torch.cat(parts)
        self.mean = measured.mean(0)
        self.std = measured.std(0) + 1e-6
        self.real = self.standardised(measured)

    def standardised(self, statistics: Tensor) -> Tensor:
        """(B, k) in units of the real pictures' spread."""
        return (statistics - self.mean) / self.std

    def distance(self, lo_fake: Tensor, rng: torch.Generator) -> Tensor:
        """Energy distance of a batch (B, 3, s, s) in [-1, 1] to N real pictures drawn at random."""
        with torch.autocast(lo_fake.device.type, enabled=False):
            fake = self.standardised(picture_statistics(lo_fake.float()))
            drawn = torch.randint(len(self.real), (self.N,), generator=rng, device=self.real.device)
            return energy_distance(fake, self.real[drawn])


class H2LTask(Task):
    """Stage one: learn from unpaired sharp and poor pictures how the world degrades.

    jpeg: with `cfg.jpeg` "measured", what `analysis.measured_jpeg` found in the poor pictures.
    """

    product = "h2l"

    def __init__(
        self,
        cfg: RunConfig,
        hi: FaceSet,
        lo: FaceSet,
        rng: torch.Generator,
        device: torch.device,
        jpeg: tuple[Tensor, float] | None = None,
    ):
        super().__init__(cfg, hi, rng, device)
        self.add_lo(lo)
        self.generators["h2l"] = h2l = high_to_low(cfg)
        if h2l.jpeg and jpeg is None:
            raise HLError(
                "jpeg must be given where the configuration's jpeg is 'measured': pass "
                "analysis.measured_jpeg(lo), as training does"
            )
        if h2l.jpeg:
            h2l.jpeg.set(*jpeg)
        self.real_statistics = RealStatistics(lo, device) if cfg.w_stats else None
        if cfg.w_gan:
            self.discriminators["d_lo"] = Discriminator(
                cfg.size_lo, cfg.d_width, cfg.d_pool, cfg.d_opponent, cfg.d_norm
            )
        if cfg.w_gan and cfg.w_coarse:
            self.discriminators["d_coarse"] = CoarseDiscriminator(norm=cfg.d_norm)

    def batch(self) -> dict[str, Tensor]:
        lo = self.next_lo()
        return {"hi": self.next_hi(), "lo": lo, "z": self.new_z(self.cfg.batch)}

    def d_loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, Logs]:
        with torch.no_grad():
            lo_fake = self.generators["h2l"](batch["hi"], batch["z"])
        loss, logs = d_terms(
            self.discriminators["d_lo"], batch["lo"], lo_fake, self.cfg, self.rng, self.gan
        )
        if d_coarse := self.d_or_none("d_coarse"):
            # d_aug would blank what d_coarse is to see, and its generator step has none
            coarse, coarse_logs = d_terms(
                d_coarse, batch["lo"], lo_fake, self.cfg.replace(d_aug=False), self.rng, self.gan
            )
            loss, logs = loss + coarse, logs | {f"coarse_{k}": v for k, v in coarse_logs.items()}
        return loss, logs | {"real_spread": spread(batch["lo"])}

    def g_loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, Logs]:
        hi, z, h2l = batch["hi"], batch["z"], self.generators["h2l"]
        lo_fake = h2l(hi, z)
        # A camera keeps the face by itself: its pixel loss is logged and weighs nothing.
        w_pix = 0.0 if self.cfg.h2l_model == "camera" else self.cfg.w_pix
        pixel = pixel_h2l(lo_fake, hi)
        d_lo = self.d_or_none("d_lo")
        loss, logs = g_terms(pixel, d_lo, lo_fake, self.cfg, self.rng, self.gan, w_pix)
        if self.real_statistics:
            logs["stats"] = self.real_statistics.distance(lo_fake, self.rng)
            loss = loss + self.cfg.w_stats * logs["stats"]
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
        return grid(
            [
                hi,
                *self._over_z(nets, N_PREVIEW_Z),
                self.val_lo.batch(slice(0, N_PREVIEW), self.device),
            ]
        )

    def validate(self, nets: nn.ModuleDict) -> float:
        """Frechet distance (EfficientNet-Lite0 features) of H2L's pictures to held-out real poor ones."""
        n, rng = min(len(self.val_hi), len(self.val_lo)), self.fixed_rng()
        fake = self.in_batches(lambda hi: nets["h2l"](hi, self.new_z(len(hi), rng)), self.val_hi)[
            :n
        ]
        real = self.val_lo.batch(slice(0, n), self.device)
        return frechet(*(extract(enlarge_lo((x + 1) / 2)) for x in (fake, real)))


class L2HTask(Task):
    """Stage two: learn to restore from pairs made on the fly by a degradation, learned or not."""

    product, network = "l2h", LowToHigh

    def __init__(
        self,
        cfg: RunConfig,
        hi: FaceSet,
        degrade: Degradation,
        rng: torch.Generator,
        device: torch.device,
    ):
        super().__init__(cfg, hi, rng, device)
        self.degrade = degrade
        self.generators[self.product] = self.network(cfg)
        if cfg.w_gan:
            self.discriminators["d_hi"] = Discriminator(
                cfg.size_hi, cfg.d_width, cfg.d_pool, norm=cfg.d_norm
            )

    def batch(self) -> dict[str, Tensor]:
        hi = self.next_hi()
        with torch.no_grad():
            return {"hi": hi, "lo_fake": self.degrade(hi, self.rng)}

    def d_loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, Logs]:
        with torch.no_grad():
            hi_fake = self.generators[self.product](batch["lo_fake"])
        loss, logs = d_terms(
            self.discriminators["d_hi"], batch["hi"], hi_fake, self.cfg, self.rng, self.gan
        )
        return loss, logs | {"real_spread": spread(batch["hi"])}

    def g_loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, Logs]:
        hi_fake = self.generators[self.product](batch["lo_fake"])
        loss, logs = g_terms(
            pixel_l2h(hi_fake, batch["hi"]),
            self.d_or_none("d_hi"),
            hi_fake,
            self.cfg,
            self.rng,
            self.gan,
        )
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
        return frechet(
            *(extract((x + 1) / 2) for x in (fake, self.val_hi.batch(slice(None), self.device)))
        )


class JointTask(H2LTask):
    """The fine-tune at the end: both stages at once, the restorer's gradients reaching the degrader too."""

    product = "l2h"

    def __init__(
        self,
        cfg: RunConfig,
        hi: FaceSet,
        lo: FaceSet,
        rng: torch.Generator,
        device: torch.device,
        jpeg: tuple[Tensor, float] | None = None,
    ):
        super().__init__(cfg, hi, lo, rng, device, jpeg)
        self.generators["l2h"] = LowToHigh(cfg)
        if cfg.w_gan:
            self.discriminators["d_hi"] = Discriminator(
                cfg.size_hi, cfg.d_width, cfg.d_pool, norm=cfg.d_norm
            )

    def d_loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, Logs]:
        loss_lo, logs = super().d_loss(batch)
        with torch.no_grad():
            hi_fake = self.generators["l2h"](self.generators["h2l"](batch["hi"], batch["z"]))
        loss_hi, logs_hi = d_terms(
            self.discriminators["d_hi"], batch["hi"], hi_fake, self.cfg, self.rng, self.gan
        )
        return loss_lo + loss_hi, logs | {f"hi_{k}": v for k, v in logs_hi.items()}

    def g_loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, Logs]:
        loss_lo, logs = super().g_loss(batch)
        hi_fake = self.generators["l2h"](self.generators["h2l"](batch["hi"], batch["z"]))
        loss_hi, logs_hi = g_terms(
            pixel_l2h(hi_fake, batch["hi"]),
            self.d_or_none("d_hi"),
            hi_fake,
            self.cfg,
            self.rng,
            self.gan,
        )
        return loss_lo + loss_hi, logs | {f"hi_{k}": v for k, v in logs_hi.items()}

    def preview(self, nets: nn.ModuleDict) -> Tensor:
        """Rows: sharp, degraded, restored; real poor pictures, restored."""
        hi, lo = (f.batch(slice(0, N_PREVIEW), self.device) for f in (self.val_hi, self.val_lo))
        lo_fake = nets["h2l"](hi, self.new_z(len(hi), self.fixed_rng()))
        return grid([hi, lo_fake, nets["l2h"](lo_fake), lo, nets["l2h"](lo)])

    def validate(self, nets: nn.ModuleDict) -> float:
        return self.distance_to_sharp(nets["l2h"])
