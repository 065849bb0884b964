"""The two stages as tasks: `h2l` and `l2h` are one step used twice; `joint` is both at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..config import RunConfig
from ..data.domains import by_domain
from ..data.faces import FaceSet, unit_range
from ..degradations import Degradation
from ..errors import HLError
from ..health import z_spread
from ..losses import (
    colour_h2l,
    energy_distance,
    low_frequencies,
    picture_statistics,
    pixel_h2l,
    pixel_l2h,
)
from ..metrics.distances import frechet
from ..metrics.features import enlarge_lo, extract
from ..networks import LearnedCamera, high_to_low
from ..networks.adaptive_law import scene_statistics
from ..networks.paper import Discriminator, LowToHigh
from .base import N_PREVIEW, Batch, Logs, Task, d_terms, g_terms, grid, spread

N_PREVIEW_Z = 3  # noises an image in a preview


class RealStatistics:
    """The statistics of all LR pictures of a dataset, standardised.

    Args:
        lo: the real LR pictures.
        device: where to keep the statistics.
    """

    N = 256  # real pictures that a batch is compared with
    CHUNK = 1024  # pictures measured at a time

    def __init__(self, lo: FaceSet, device: torch.device):
        chunks = [slice(i, i + self.CHUNK) for i in range(0, len(lo), self.CHUNK)]
        measured = torch.cat([picture_statistics(lo.batch(c, device)) for c in chunks])
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
    """Stage one: learn from unpaired HR and LR faces how the world degrades.

    loss_D = L_D(D(lo), D(lo_fake)),  loss_G = alpha |lo_fake - pool(hi)|^2 + beta L_G(D(lo_fake)),
    with lo_fake = H2L(hi, z). Source: the paper's equations 1 and 2.

    The learned camera (ours) cannot change a face, so its pixel loss is logged and weighs nothing;
    in its place stands an anchor: w_stats times the energy distance of `picture_statistics`.
    With `separate` (DSGAN, 1911.07850) D judges high frequencies alone, lo - low_frequencies(lo),
    and the pixel loss is `colour_h2l`. Differs from there: H2L is this package's network, which
    sees the HR image, with z or without; D looks at the whole picture, not at patches, with hinge
    loss and this package's weights; no perceptual loss; `pool` in place of bicubic reduction.

    With several `domains` (ours) D judges each picture as one of its domain, and the anchor is the
    mean over domains.

    Args:
        cfg: the configuration.
        hi: HR faces.
        lo: LR faces, of other people.
        rng: draws everything that training draws, on the device.
        device: where networks and data live.
        jpeg: where `cfg.has_jpeg`, what `analysis.measured_jpeg` found of the LR faces of each
            domain.

    Raises:
        HLError: where `jpeg` is wanted and missing.
    """

    product = "h2l"

    def __init__(
        self,
        cfg: RunConfig,
        hi: FaceSet,
        lo: FaceSet,
        rng: torch.Generator,
        device: torch.device,
        jpeg: Sequence[tuple[Tensor, float]] | None = None,
    ) -> None:
        super().__init__(cfg, hi, rng, device)
        self.add_lo(lo, cfg.domains)
        h2l = high_to_low(cfg)
        if h2l.jpeg is not None:
            if jpeg is None:
                raise HLError(
                    "jpeg must be given where H2L has a JPEG (h2l_model camera, jpeg measured): "
                    "pass [analysis.measured_jpeg(lo)], as training does"
                )
            for k, of_domain in enumerate(jpeg):
                h2l.jpeg.set(*of_domain, domain=k if cfg.domains > 1 else None)
        if isinstance(h2l, LearnedCamera) and h2l.adaptive is not None:
            seen = self.in_batches(scene_statistics, self.hi, rows=self.hi_rows)
            h2l.adaptive.set(seen)
        self.generators["h2l"] = h2l
        # A camera cannot change a face: no pixel loss, but an anchor where its discriminator fails.
        self.w_pix = 0.0 if cfg.is_camera else cfg.w_pix
        anchored = cfg.is_camera and cfg.w_stats
        parts = by_domain(lo, cfg.domains).values() if anchored else ()
        self.real_statistics = [RealStatistics(part, device) for part in parts]
        if cfg.w_gan:
            self.discriminators["d_lo"] = Discriminator(
                cfg.size_lo, cfg.d_width, cfg.d_pool, cfg.d_norm, cfg.domains
            )
        self.domain: Tensor | None = None  # of each picture of a batch, where there are several
        if cfg.domains > 1:
            each = torch.arange(cfg.domains, device=device)
            self.domain = each.repeat_interleave(cfg.batch // cfg.domains)

    def batch(self) -> Batch:
        """Unpaired: hi (B, 3, S, S), lo (B, 3, s, s) of other people, z (B, z_dim)."""
        lo = self.next_lo()
        return {"hi": self.next_hi(), "lo": lo, "z": self.new_z(self.cfg.batch)}

    def d_loss(self, batch: Batch) -> tuple[Tensor, Logs]:
        """Tell lo from H2L(hi, z)."""
        with torch.no_grad():
            lo_fake = self.lo_fake(batch)
        d_lo = self.discriminators["d_lo"]
        loss, logs = d_terms(
            d_lo,
            self.judged(batch["lo"]),
            self.judged(lo_fake),
            self.cfg,
            self.rng,
            self.gan,
            self.domain,
            self.d_updates,
        )
        return loss, logs | {"real_spread": spread(batch["lo"])}

    def g_loss(self, batch: Batch) -> tuple[Tensor, Logs]:
        """alpha pixel + beta GAN, of a camera beta GAN + w_stats statistics."""
        lo_fake = self.lo_fake(batch)
        pixel = (colour_h2l if self.cfg.separate else pixel_h2l)(lo_fake, batch["hi"])
        loss, logs = g_terms(
            pixel,
            self.d_or_none("d_lo"),
            self.judged(lo_fake),
            self.cfg,
            self.rng,
            self.gan,
            self.w_pix,
            self.domain,
            self.judged(batch["lo"]),
        )
        if self.real_statistics:
            parts = lo_fake.chunk(self.cfg.domains)
            pairs = zip(self.real_statistics, parts, strict=True)
            logs["stats"] = torch.stack([real.distance(x, self.rng) for real, x in pairs]).mean()
            loss = loss + self.cfg.w_stats * logs["stats"]
        return loss, logs | {"fake_spread": spread(lo_fake.detach())}

    def judged(self, lo: Tensor) -> Tensor:
        """What D sees of images (B, 3, s, s): all, or their high frequencies."""
        return lo - low_frequencies(lo) if self.cfg.separate else lo

    def lo_fake(self, batch: Batch) -> Tensor:
        """H2L(hi, z), (B, 3, s, s), in the domains of the batch where there are several."""
        h2l = self.generators["h2l"]
        if self.domain is None:
            return h2l(batch["hi"], batch["z"])
        return h2l(batch["hi"], batch["z"], self.domain)

    def diagnostics(self, nets: nn.ModuleDict) -> dict[str, float]:
        """z_spread: spread over z of the same face, as a part of the range of 2."""
        return {"z_spread": z_spread(self._over_z(nets))}

    def _over_z(self, nets: nn.ModuleDict, n_z: int = 8) -> Tensor:
        """Held-out faces with n_z noises each: (n_z, B, 3, s, s)."""
        rng = self.fixed_rng()
        hi = self.val_hi.batch(slice(0, N_PREVIEW), self.device)
        return torch.stack([nets["h2l"](hi, self.new_z(len(hi), rng)) for _ in range(n_z)])

    def preview(self, nets: nn.ModuleDict) -> Tensor:
        """Rows: HR, degraded with three noises each, and real LR images (of other people)."""
        hi = self.val_hi.batch(slice(0, N_PREVIEW), self.device)
        lo = self.val_lo.batch(slice(0, N_PREVIEW), self.device)
        return grid([hi, *self._over_z(nets, N_PREVIEW_Z), lo])

    def validate(self, nets: nn.ModuleDict) -> float:
        """Fréchet distance (Lite0 features) of degraded held-out faces to real LR ones."""
        n = min(len(self.val_hi), len(self.val_lo))
        rng = self.fixed_rng()

        def degrade(hi: Tensor) -> Tensor:
            return nets["h2l"](hi, self.new_z(len(hi), rng))

        fake = self.in_batches(degrade, self.val_hi)[:n]
        real = self.val_lo.batch(slice(0, n), self.device)
        a, b = (extract(enlarge_lo(unit_range(x))) for x in (fake, real))
        return frechet(a, b)


class L2HTask(Task):
    """Stage two: learn to restore from pairs made on the fly by a degradation, learned or not.

    loss_D = L_D(D(hi), D(hi_fake)),  loss_G = alpha |hi_fake - hi|^2 + beta L_G(D(hi_fake)),
    with hi_fake = L2H(degrade(hi)). Source: the paper's equation 1.

    Args:
        cfg: the configuration.
        hi: HR faces.
        degrade: (hi, generator) -> lo.
        rng: draws everything that training draws, on the device.
        device: where networks and data live.
    """

    product = "l2h"
    network: type[nn.Module] = LowToHigh

    def __init__(
        self,
        cfg: RunConfig,
        hi: FaceSet,
        degrade: Degradation,
        rng: torch.Generator,
        device: torch.device,
    ) -> None:
        super().__init__(self.settings(cfg), hi, rng, device)
        self.degrade = degrade
        self.generators[self.product] = self.network(self.cfg)
        if self.cfg.w_gan:
            self.discriminators["d_hi"] = self.new_d_hi()
        self.prepare()

    # ---- what a kind of L2H may say ----
    def settings(self, cfg: RunConfig) -> RunConfig:
        """The configuration it trains with, of the one that was given."""
        return cfg

    def prepare(self) -> None:
        """What it needs beside its networks."""

    def restored(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """hi_fake, and its pixel loss."""
        hi_fake = self.generators[self.product](batch["lo_fake"])
        return hi_fake, pixel_l2h(hi_fake, batch["hi"])

    def content(self, hi_fake: Tensor, hi: Tensor) -> tuple[Tensor | float, Logs]:
        """What it wants beside pixels and GAN, weighted; L2H nothing."""
        return 0.0, {}

    # ---- the step ----
    def batch(self) -> Batch:
        """Pairs: hi (B, 3, S, S), and lo_fake (B, 3, s, s) of the same faces."""
        hi = self.next_hi()
        with torch.no_grad():
            return {"hi": hi, "lo_fake": self.degrade(hi, self.rng)}

    def d_loss(self, batch: Batch) -> tuple[Tensor, Logs]:
        """Tell hi from the restored lo_fake."""
        with torch.no_grad():
            hi_fake = self.generators[self.product](batch["lo_fake"])
        d_hi = self.discriminators["d_hi"]
        real = batch["hi"]
        loss, logs = d_terms(
            d_hi, real, hi_fake, self.cfg, self.rng, self.gan, update=self.d_updates
        )
        return loss, logs | {"real_spread": spread(batch["hi"])}

    def g_loss(self, batch: Batch) -> tuple[Tensor, Logs]:
        """alpha * pixel + beta * GAN, and the `content` term where there is one."""
        hi_fake, pixel = self.restored(batch)
        d_hi = self.d_or_none("d_hi")
        loss, logs = g_terms(pixel, d_hi, hi_fake, self.cfg, self.rng, self.gan, real=batch["hi"])
        more, more_logs = self.content(hi_fake, batch["hi"])
        return loss + more, logs | more_logs | {"fake_spread": spread(hi_fake.detach())}

    def preview(self, nets: nn.ModuleDict) -> Tensor:
        """Rows: degraded, restored, ground truth."""
        hi = self.val_hi.batch(slice(0, N_PREVIEW), self.device)
        lo = self.degrade(hi, self.fixed_rng())
        return grid([lo, nets[self.product](lo), hi])

    def validate(self, nets: nn.ModuleDict) -> float:
        """Fréchet distance (Lite0 features) of restored held-out faces to the HR ones."""
        rng = self.fixed_rng()

        def there_and_back(hi: Tensor) -> Tensor:
            return nets[self.product](self.degrade(hi, rng))

        fake = self.in_batches(there_and_back, self.val_hi)
        real = self.val_hi.batch(slice(None), self.device)
        return frechet(extract(unit_range(fake)), extract(unit_range(real)))


class JointTask(H2LTask):
    """The fine-tune at the end: both stages at once, L2H's gradients reaching H2L too.

    The sum of both stages' losses, with hi_fake = L2H(H2L(hi, z)). Source: the paper. Args as
    `H2LTask`.
    """

    product = "l2h"

    def __init__(
        self,
        cfg: RunConfig,
        hi: FaceSet,
        lo: FaceSet,
        rng: torch.Generator,
        device: torch.device,
        jpeg: Sequence[tuple[Tensor, float]] | None = None,
    ) -> None:
        super().__init__(cfg, hi, lo, rng, device, jpeg)
        self.generators["l2h"] = LowToHigh(cfg)
        if cfg.w_gan:
            self.discriminators["d_hi"] = self.new_d_hi()

    def _restored(self, batch: Batch) -> Tensor:
        """L2H(H2L(hi, z)), (B, 3, S, S)."""
        return self.generators["l2h"](self.generators["h2l"](batch["hi"], batch["z"]))

    def d_loss(self, batch: Batch) -> tuple[Tensor, Logs]:
        """That of H2L, and the other discriminator tells hi from what was degraded and restored."""
        loss_lo, logs = super().d_loss(batch)
        with torch.no_grad():
            hi_fake = self._restored(batch)
        d_hi = self.discriminators["d_hi"]
        real = batch["hi"]
        loss_hi, logs_hi = d_terms(
            d_hi, real, hi_fake, self.cfg, self.rng, self.gan, update=self.d_updates
        )
        return loss_lo + loss_hi, logs | {f"hi_{k}": v for k, v in logs_hi.items()}

    def g_loss(self, batch: Batch) -> tuple[Tensor, Logs]:
        """That of H2L, and that of L2H on what H2L makes."""
        loss_lo, logs = super().g_loss(batch)
        hi_fake = self._restored(batch)
        pixel = pixel_l2h(hi_fake, batch["hi"])
        d_hi = self.d_or_none("d_hi")
        loss_hi, logs_hi = g_terms(
            pixel, d_hi, hi_fake, self.cfg, self.rng, self.gan, real=batch["hi"]
        )
        return loss_lo + loss_hi, logs | {f"hi_{k}": v for k, v in logs_hi.items()}

    def preview(self, nets: nn.ModuleDict) -> Tensor:
        """Rows: HR, degraded, restored; real LR images, restored."""
        hi = self.val_hi.batch(slice(0, N_PREVIEW), self.device)
        lo = self.val_lo.batch(slice(0, N_PREVIEW), self.device)
        lo_fake = nets["h2l"](hi, self.new_z(len(hi), self.fixed_rng()))
        return grid([hi, lo_fake, nets["l2h"](lo_fake), lo, nets["l2h"](lo)])

    def validate(self, nets: nn.ModuleDict) -> float:
        """Fréchet distance (Lite0 features) of restored real LR images to HR ones."""
        return self.distance_to_hi(nets["l2h"])
