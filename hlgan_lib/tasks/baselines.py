"""SRGAN and CycleGAN as tasks of the one loop: their losses, on this package's data, discriminators and optimiser."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.transforms.functional import normalize

from ..config import RunConfig
from ..data.faces import FaceSet
from ..degradations import Degradation
from ..losses import LOG, SQUARE, perceptual
from ..metrics.features import downloaded, features
from ..networks.baselines import CycleGAN, CycleGenerator, SRResNet, enlarged
from ..networks.paper import Discriminator
from .base import N_PREVIEW, Logs, Task, d_terms, grid, spread
from .two_stage import L2HTask

IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
LITE0_DEPTH = 5  # blocks: other features, and less deep, than those of the Frechet distance (the means of the 8th)
HISTORY = 50  # made pictures that CycleGAN's discriminators see again, as in 1703.10593


def feature_maps(name: str, device: torch.device) -> Callable[[Tensor], Tensor]:
    """What the perceptual loss compares, [0, 1] (B, 3, S, S) -> (B, C, h, w): "vgg19", SRGAN's own, or "lite0".

    HLError where VGG's weights, a download, cannot be had.
    """
    if name == "lite0":
        net = features(device)
        return lambda x: net.maps(x, LITE0_DEPTH)
    from torchvision.models import VGG19_Weights, vgg19

    layers = downloaded("vgg19", lambda: vgg19(weights=VGG19_Weights.DEFAULT)).features[
        :36
    ]  # relu5_4, before its pool
    layers = layers.to(device).eval().requires_grad_(False)
    return lambda x: layers(normalize(x, **IMAGENET))


class SRGANTask(L2HTask):
    """loss = alpha pixel + w_perceptual perceptual + w_gan_srgan GAN on pairs of a degradation, by default weights.

    Content leads here, where in L2H the GAN does. Source: 1609.04802, trained in one phase instead of first without D.
    """

    product, network, gan = "srgan", SRResNet, LOG

    def __init__(
        self,
        cfg: RunConfig,
        hi: FaceSet,
        degrade: Degradation,
        rng: torch.Generator,
        device: torch.device,
    ):
        super().__init__(cfg.replace(w_gan=cfg.w_gan_srgan), hi, degrade, rng, device)
        self.maps = feature_maps(cfg.perceptual, device) if cfg.w_perceptual else None

    def content(self, hi_fake: Tensor, hi: Tensor) -> tuple[Tensor | float, Logs]:
        if self.maps is None:
            return 0.0, {}
        loss = perceptual(self.maps, hi_fake, hi)
        return self.cfg.w_perceptual * loss, {"perceptual": loss}


class History:
    """The last made pictures: a discriminator sees one of them instead of a new one half of the time.

    It keeps D from chasing what the generator does at the moment (1703.10593, section 4). `rng` draws which.
    """

    def __init__(self, size: int, rng: torch.Generator):
        self.size, self.rng, self.past = size, rng, torch.empty(0)

    def swap(self, fake: Tensor) -> Tensor:
        """Pictures to show D in place of `fake` (B, 3, S, S), which is remembered."""
        if len(self.past) < self.size:
            self.past = torch.cat([self.past.to(fake).reshape(-1, *fake.shape[1:]), fake])[
                : self.size
            ]
            return fake
        old = torch.rand(len(fake), generator=self.rng, device=fake.device) < 0.5
        at = torch.randint(self.size, (len(fake),), generator=self.rng, device=fake.device)
        shown = torch.where(old[:, None, None, None], self.past[at], fake)
        # What is not remembered goes into a row that is cut off: to select rows by `old` would wait for the device.
        self.past = torch.cat([self.past, fake[:1]])
        self.past[torch.where(old, at, self.size)] = fake
        self.past = self.past[: self.size]
        return shown

    def state_dict(self) -> dict[str, Tensor]:
        return {"past": self.past.clone()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self.past = state["past"].to(self.rng.device)


class CycleGANTask(Task):
    """loss = GAN + w_cycle cycle + w_identity identity, both ways between sharp and poor faces, without any pair.

    cycle = |F(G(lo)) - lo| + |G(F(hi)) - hi|,  identity = |G(hi) - hi| + |F(lo) - lo|,  means over pixels; G restores,
    F spoils, lo enlarged to the size of hi. Source: 1703.10593.
    """

    product, gan = "cyclegan", SQUARE

    def __init__(
        self, cfg: RunConfig, hi: FaceSet, lo: FaceSet, rng: torch.Generator, device: torch.device
    ):
        super().__init__(cfg, hi, rng, device)
        self.add_lo(lo)
        self.generators["cyclegan"], self.generators["spoil"] = CycleGAN(cfg), CycleGenerator(cfg)
        for name in ("d_hi", "d_lo"):
            self.discriminators[name] = Discriminator(
                cfg.size_hi, cfg.d_width, cfg.d_pool, norm=cfg.d_norm
            )
            self.samplers[f"past {name}"] = History(HISTORY, rng)

    def batch(self) -> dict[str, Tensor]:
        return {"hi": self.next_hi(), "lo": enlarged(self.next_lo(), self.cfg.size_hi)}

    def d_loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, Logs]:
        with torch.no_grad():
            made = {
                "d_hi": self.generators["cyclegan"].restore(batch["lo"]),
                "d_lo": self.generators["spoil"](batch["hi"]),
            }
        terms = {
            name: d_terms(
                self.discriminators[name],
                batch[name.removeprefix("d_")],
                self.samplers[f"past {name}"].swap(fake),
                self.cfg,
                self.rng,
                self.gan,
            )
            for name, fake in made.items()
        }
        (loss_hi, logs), (loss_lo, logs_lo) = terms["d_hi"], terms["d_lo"]
        return loss_hi + loss_lo, logs | {f"lo_{k}": v for k, v in logs_lo.items()} | {
            "real_spread": spread(batch["hi"])
        }

    def g_loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, Logs]:
        hi, lo = batch["hi"], batch["lo"]
        restore, spoil = self.generators["cyclegan"].restore, self.generators["spoil"]
        hi_fake, lo_fake = restore(lo), spoil(hi)
        logs = {
            "gan": self.gan.g(self.discriminators["d_hi"](hi_fake)),
            "lo_gan": self.gan.g(self.discriminators["d_lo"](lo_fake)),
            "cycle": F.l1_loss(spoil(hi_fake), lo) + F.l1_loss(restore(lo_fake), hi),
            "identity": F.l1_loss(restore(hi), hi) + F.l1_loss(spoil(lo), lo),
        }
        loss = (
            logs["gan"]
            + logs["lo_gan"]
            + self.cfg.w_cycle * logs["cycle"]
            + self.cfg.w_identity * logs["identity"]
        )
        return loss, logs | {"fake_spread": spread(hi_fake.detach())}

    def vitals(self, nets: nn.ModuleDict) -> dict[str, float]:
        return {}

    def preview(self, nets: nn.ModuleDict) -> Tensor:
        """Rows: real poor, restored; sharp, spoilt."""
        hi, lo = (f.batch(slice(0, N_PREVIEW), self.device) for f in (self.val_hi, self.val_lo))
        return grid([lo, nets["cyclegan"](lo), hi, nets["spoil"](hi)])

    def validate(self, nets: nn.ModuleDict) -> float:
        return self.distance_to_sharp(nets["cyclegan"])
