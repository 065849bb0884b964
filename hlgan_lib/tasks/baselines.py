"""The baselines as tasks of the one loop: SRGAN, Wavelet-SRNet, DeepDeblur, CycleGAN.

Their losses, on this package's data, discriminators and optimiser.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.transforms.functional import normalize

from ..config import RunConfig
from ..data.faces import FaceSet
from ..losses import LOG, SQUARE, perceptual, pixel_h2l, pixel_l2h, wavelet_loss
from ..metrics.features import downloaded, features
from ..networks.baselines import CycleGAN, CycleGenerator, SRResNet, enlarged
from ..networks.deepdeblur import DeepDeblur
from ..networks.wavelet import WaveletLowToHigh, from_wavelets, to_wavelets
from .base import N_PREVIEW, Batch, Logs, Task, d_terms, grid, spread
from .two_stage import L2HTask

IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
VGG_DEPTH = 36  # layers: to relu5_4, before its pool
# Blocks: other features, and less deep, than those of the Fréchet distance (means of the 8th).
LITE0_DEPTH = 5
W_GAN_DEBLUR = 2e-4  # of the GAN loss beside the pixel loss
# Generated images that CycleGAN's discriminators see again, as in 1703.10593.
HISTORY = 50


def feature_maps(name: str, device: torch.device) -> Callable[[Tensor], Tensor]:
    """What the perceptual loss compares.

    Args:
        name: "vgg19", SRGAN's own, or "lite0".
        device: where the images are.

    Returns:
        A function [0, 1] (B, 3, S, S) -> (B, C, h, w).

    Raises:
        HLError: where VGG's weights, a download, cannot be had.
    """
    if name == "lite0":
        net = features(str(device))
        return lambda x: net.maps(x, LITE0_DEPTH)
    from torchvision.models import VGG19_Weights, vgg19

    vgg: Any = downloaded("vgg19", lambda: vgg19(weights=VGG19_Weights.DEFAULT))
    layers = vgg.features[:VGG_DEPTH].to(device).eval().requires_grad_(False)
    return lambda x: layers(normalize(x, **IMAGENET))


class SRGANTask(L2HTask):
    """SRGAN on pairs of a degradation, by default bilinear.

    loss_G = alpha pixel + w_perceptual perceptual + w_gan_srgan GAN. Content leads here, where in
    L2H the GAN does. Source: 1609.04802, trained in one phase instead of first without D. Args as
    `L2HTask`.
    """

    product = "srgan"
    network = SRResNet
    own_gan = LOG

    def settings(self, cfg: RunConfig) -> RunConfig:
        """With SRGAN's weight of the GAN loss."""
        return cfg.replace(w_gan=cfg.w_gan_srgan)

    def prepare(self) -> None:
        """Get the features that the perceptual loss compares, which may be a download."""
        compared = feature_maps(self.cfg.perceptual, self.device) if self.cfg.w_perceptual else None
        self.maps = compared

    def content(self, hi_fake: Tensor, hi: Tensor) -> tuple[Tensor | float, Logs]:
        """The perceptual loss, weighted."""
        if self.maps is None:
            return 0.0, {}
        loss = perceptual(self.maps, hi_fake, hi)
        return self.cfg.w_perceptual * loss, {"perceptual": loss}


class WaveletTask(L2HTask):
    """Wavelet-SRNet (`l2h_model wavelet`): L2H that predicts wavelet packets. No discriminator.

    With c the packets of hi and c' the predicted ones, sums over bands and pixels, the first band
    the low frequencies, N numbers an image:

        loss = alpha (0.01 |c'_1 - c_1|^2 + 0.99 |c'_* - c_*|^2 + 0.1 |hi_fake - hi|^2) / N
             + alpha 2 mean(max(1.2 c_*^2 - c'_*^2, 0)) / N

    The last is the texture loss, c^2 summed over colours: it lets no detail die away. Source: Huang
    et al., ICCV 2017, and the weights of the released code, which leave that term next to nothing.
    Args as `L2HTask`.
    """

    network = WaveletLowToHigh

    def settings(self, cfg: RunConfig) -> RunConfig:
        """Without a discriminator."""
        return cfg.replace(w_gan=0.0)

    def restored(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """hi_fake, and the loss of its wavelets."""
        net = cast(WaveletLowToHigh, self.generators[self.product])
        made = net.coefficients(batch["lo_fake"])
        hi_fake = from_wavelets(made)
        return hi_fake, wavelet_loss(made, to_wavelets(batch["hi"], net.levels))


class DeblurTask(L2HTask):
    """DeepDeblur (`l2h_model deepdeblur`): L2H with a pixel loss at each of its sizes.

    loss_G = alpha mean over sizes of |made - reduced hi|^2 + 2e-4 GAN (none with w_gan 0), the GAN
    loss with a logarithm. Source: 1612.02177 and its released code, whose weights these are: there
    three sizes of images in [0, 1] are summed, beside 1e-4 of a GAN loss in bits. Args as
    `L2HTask`.
    """

    network = DeepDeblur
    own_gan = LOG

    def settings(self, cfg: RunConfig) -> RunConfig:
        """With DeepDeblur's weight of the GAN loss."""
        return cfg.replace(w_gan=W_GAN_DEBLUR) if cfg.w_gan else cfg

    def restored(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """hi_fake, and the mean pixel loss over sizes."""
        net = cast(DeepDeblur, self.generators[self.product])
        made = net.sizes(batch["lo_fake"])
        # The pixel loss of H2L: against hi reduced to the size of what was made.
        losses = [pixel_h2l(x, batch["hi"]) for x in made[:-1]]
        losses.append(pixel_l2h(made[-1], batch["hi"]))
        return made[-1], torch.stack(losses).mean()


class History:
    """The last generated images: half of the time a discriminator sees one of them, not a new one.

    It keeps D from chasing what the generator does at the moment. Source: 1703.10593, section 4.

    Args:
        size: images remembered.
        shape: of each, (C, H, W).
        rng: draws which are shown.
    """

    def __init__(self, size: int, shape: tuple[int, ...], rng: torch.Generator) -> None:
        self.size, self.rng = size, rng
        self.past = torch.empty(0, *shape, device=rng.device)

    def swap(self, fake: Tensor) -> Tensor:
        """Images to show D in place of `fake` (B, 3, S, S), which is remembered."""
        if len(self.past) < self.size:
            self.past = torch.cat([self.past.to(fake), fake])[: self.size]
            return fake
        old = torch.rand(len(fake), generator=self.rng, device=fake.device) < 0.5
        at = torch.randint(self.size, (len(fake),), generator=self.rng, device=fake.device)
        shown = torch.where(old[:, None, None, None], self.past[at], fake)
        # What is not remembered goes into a row that is cut off: to select rows by `old` would wait
        # for the device.
        self.past = torch.cat([self.past, fake[:1]])
        self.past[torch.where(old, at, self.size)] = fake
        self.past = self.past[: self.size]
        return shown

    def state_dict(self) -> dict[str, Tensor]:
        """The images remembered."""
        return {"past": self.past.clone()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from `state`. Raises ValueError where it is of other images."""
        past, shape = state["past"], tuple(self.past.shape[1:])
        if len(past) and (tuple(past.shape[1:]) != shape or not past.is_floating_point()):
            raise ValueError(f"the images remembered must be float (N, {shape}), got {past.shape}")
        if len(past) > self.size:
            raise ValueError(f"the images remembered must be at most {self.size}, got {len(past)}")
        self.past = past.reshape(-1, *shape).to(self.rng.device)


class CycleGANTask(Task):
    """CycleGAN: both directions between HR and LR faces at once, without any pair.

        loss_G = GAN + w_cycle cycle + w_identity identity
        cycle = |F(G(lo)) - lo| + |G(F(hi)) - hi|,  identity = |G(hi) - hi| + |F(lo) - lo|

    means over pixels; G restores, F degrades, lo is enlarged to the size of hi. Source: 1703.10593.

    Args:
        cfg: the configuration.
        hi: HR faces.
        lo: LR faces, of other people.
        rng: draws everything that training draws, on the device.
        device: where networks and data live.
    """

    product = "cyclegan"
    own_gan = SQUARE

    def __init__(
        self, cfg: RunConfig, hi: FaceSet, lo: FaceSet, rng: torch.Generator, device: torch.device
    ) -> None:
        super().__init__(cfg, hi, rng, device)
        self.add_lo(lo)
        self.generators["cyclegan"] = CycleGAN(cfg)
        self.generators["spoil"] = CycleGenerator(cfg)  # F; the name is that of stored checkpoints
        self.past: dict[str, History] = {}
        for name in ("d_hi", "d_lo"):
            self.discriminators[name] = self.new_d_hi()
            self.past[name] = History(HISTORY, (3, cfg.size_hi, cfg.size_hi), rng)
            self.samplers[f"past {name}"] = self.past[name]

    def batch(self) -> Batch:
        """Unpaired: hi and lo, both (B, 3, S, S), of other people."""
        return {"hi": self.next_hi(), "lo": enlarged(self.next_lo(), self.cfg.size_hi)}

    def d_loss(self, batch: Batch) -> tuple[Tensor, Logs]:
        """Tell hi from G(lo), and lo from F(hi)."""
        restore, degrade = self._directions()
        with torch.no_grad():
            hi_fake = restore(batch["lo"])
            lo_fake = degrade(batch["hi"])
        loss_hi, logs = self._d_loss_of("d_hi", batch["hi"], hi_fake)
        loss_lo, logs_lo = self._d_loss_of("d_lo", batch["lo"], lo_fake)
        logs |= {f"lo_{k}": v for k, v in logs_lo.items()}
        return loss_hi + loss_lo, logs | {"real_spread": spread(batch["hi"])}

    def _d_loss_of(self, name: str, real: Tensor, fake: Tensor) -> tuple[Tensor, Logs]:
        shown = self.past[name].swap(fake)
        d = self.discriminators[name]
        return d_terms(d, real, shown, self.cfg, self.rng, self.gan, update=self.d_updates)

    def _directions(self) -> tuple[nn.Module, nn.Module]:
        """G and F, both between images of the size of hi."""
        cyclegan: Any = self.generators["cyclegan"]
        return cyclegan.restore, self.generators["spoil"]

    def g_loss(self, batch: Batch) -> tuple[Tensor, Logs]:
        """Both GAN losses, w_cycle * cycle, w_identity * identity."""
        hi, lo = batch["hi"], batch["lo"]
        restore, degrade = self._directions()
        hi_fake, lo_fake = restore(lo), degrade(hi)
        logs = {
            "gan": self.gan.g(self.discriminators["d_hi"](hi_fake)),
            "lo_gan": self.gan.g(self.discriminators["d_lo"](lo_fake)),
            "cycle": F.l1_loss(degrade(hi_fake), lo) + F.l1_loss(restore(lo_fake), hi),
            "identity": F.l1_loss(restore(hi), hi) + F.l1_loss(degrade(lo), lo),
        }
        gan = logs["gan"] + logs["lo_gan"]
        cycle = self.cfg.w_cycle * logs["cycle"]
        identity = self.cfg.w_identity * logs["identity"]
        return gan + cycle + identity, logs | {"fake_spread": spread(hi_fake.detach())}

    def preview(self, nets: nn.ModuleDict) -> Tensor:
        """Rows: real LR images, restored; HR images, degraded."""
        hi = self.val_hi.batch(slice(0, N_PREVIEW), self.device)
        lo = self.val_lo.batch(slice(0, N_PREVIEW), self.device)
        return grid([lo, nets["cyclegan"](lo), hi, nets["spoil"](hi)])

    def validate(self, nets: nn.ModuleDict) -> float:
        """Fréchet distance (Lite0 features) of restored real LR images to HR ones."""
        return self.distance_to_hi(nets["cyclegan"])
