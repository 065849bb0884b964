"""Stage two with real LR images beside the pairs of a degradation: semi-cycle, pseudo-supervision.

Both ask what L2H lacks: it learns of what a degradation makes and is used on what a camera made.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import RunConfig
from ..data.faces import FaceSet
from ..degradations import Degradation, bicubic
from ..losses import pixel_l2h
from ..networks.baselines import enlarged
from ..networks.corrected import CorrectedLowToHigh
from ..networks.paper import Discriminator, HighToLow
from .base import N_PREVIEW, Batch, Logs, d_terms, g_terms, grid, spread
from .two_stage import L2HTask

# Of D's word on restored images, beside its word on corrected ones: gamma of 2002.11397.
W_RESTORED = 0.1


class _WithRealLo(L2HTask):
    """L2H on pairs, with unpaired real LR images in each batch.

    Args:
        cfg: the configuration.
        hi: HR faces.
        lo: LR faces, of other people.
        degrade: (hi, generator) -> lo.
        rng: draws everything that training draws, on the device.
        device: where networks and data live.
    """

    def __init__(
        self,
        cfg: RunConfig,
        hi: FaceSet,
        lo: FaceSet,
        degrade: Degradation,
        rng: torch.Generator,
        device: torch.device,
    ) -> None:
        self.lo = lo
        super().__init__(cfg, hi, degrade, rng, device)

    def prepare(self) -> None:
        """Real LR images, and a discriminator of LR images."""
        self.add_lo(self.lo)
        c = self.cfg
        if c.w_gan:
            d_lo = Discriminator(c.size_lo, c.d_width, c.d_pool, norm=c.d_norm)
            self.discriminators["d_lo"] = d_lo

    def batch(self) -> Batch:
        """Pairs, hi and lo_fake of the same faces; and lo (B, 3, s, s), real, of other people."""
        return super().batch() | {"lo": self.next_lo()}

    def _d_of(self, name: str, real: Tensor, fake: Tensor) -> tuple[Tensor, Logs]:
        d = self.discriminators[name]
        return d_terms(d, real, fake, self.cfg, self.rng, self.gan, update=self.d_updates)

    def _held_out(self) -> tuple[Tensor, Tensor, Tensor]:
        """Images of a preview: hi, the same degraded, and real lo of others."""
        hi = self.val_hi.batch(slice(0, N_PREVIEW), self.device)
        lo = self.val_lo.batch(slice(0, N_PREVIEW), self.device)
        return hi, self.degrade(hi, self.fixed_rng()), lo

    def validate(self, nets: nn.ModuleDict) -> float:
        """Fréchet distance (Lite0 features) of restored real LR images to HR ones."""
        return self.distance_to_hi(nets[self.product])


class SemiCycleTask(_WithRealLo):
    """Stage two as a semi-cycle: real LR images pass L2H too, and must lead back to themselves.

        hi -> lo_fake -> hi_fake               loss of L2H: alpha |hi_fake - hi|^2 + beta L_G(D)
        lo -> hi_real = L2H(lo) -> back(hi_real)

        loss_G = L2H's + w_real (alpha |hi_real - enlarged lo|^2 + beta L_G(D'(hi_real)))
                       + alpha |back(hi_real) - lo|^2 + beta L_G(D''(back(hi_real)))

    D' and D'' are discriminators of their own, of HR and of LR images. L2H is shared by both ways;
    the two degradations are not: `back` has one task, to undo L2H, and no z.

    Source: 2205.03777, losses and weights as in its released code. Differs from there: the first
    degradation is trained before, by stage one, and frozen (there it learns beside, and hears
    nothing of L2H either); the gradient of the cycle reaches L2H, as the text wants it (the code
    cuts it off); squares in place of absolute differences; this package's networks, discriminator
    updates and optimiser; `back` draws no noise. Args as `_WithRealLo`.
    """

    def prepare(self) -> None:
        """And the way back, with a discriminator of the faces that real LR images become."""
        super().prepare()
        plain = {"h2l_model": "paper", "h2l_law": "plain", "z_input": "none", "jpeg": "none"}
        self.generators["back"] = HighToLow(self.cfg.replace(domains=1, **plain))
        if self.cfg.w_gan:
            self.discriminators["d_hi_real"] = self.new_d_hi()

    def _there_and_back(self, lo: Tensor, nets: nn.ModuleDict) -> tuple[Tensor, Tensor]:
        """L2H(lo), and what leads from there back to lo."""
        hi_real = nets["l2h"](lo)
        no_z = lo.new_zeros(len(lo), self.cfg.z_dim)
        return hi_real, nets["back"](hi_real, no_z)

    def d_loss(self, batch: Batch) -> tuple[Tensor, Logs]:
        """That of L2H; tell hi from L2H(lo), and lo from where that leads back."""
        loss, logs = super().d_loss(batch)
        with torch.no_grad():
            hi_real, back = self._there_and_back(batch["lo"], self.generators)
        loss_hi, logs_hi = self._d_of("d_hi_real", batch["hi"], hi_real)
        loss_lo, logs_lo = self._d_of("d_lo", batch["lo"], back)
        logs |= {f"real_{k}": v for k, v in logs_hi.items()}
        return loss + loss_hi + loss_lo, logs | {f"lo_{k}": v for k, v in logs_lo.items()}

    def g_loss(self, batch: Batch) -> tuple[Tensor, Logs]:
        """That of L2H, w_real times that of real LR images, and that of the way back."""
        loss, logs = super().g_loss(batch)
        hi, lo = batch["hi"], batch["lo"]
        hi_real, back = self._there_and_back(lo, self.generators)
        held, cycle = pixel_l2h(hi_real, enlarged(lo, self.cfg.size_hi)), F.mse_loss(back, lo)
        common = (self.cfg, self.rng, self.gan)
        d_hi, d_lo = self.d_or_none("d_hi_real"), self.d_or_none("d_lo")
        loss_hi, logs_hi = g_terms(held, d_hi, hi_real, *common, real=hi)
        loss_lo, logs_lo = g_terms(cycle, d_lo, back, *common, real=lo)
        logs |= {f"real_{k}": v for k, v in logs_hi.items()}
        logs |= {f"lo_{k}": v for k, v in logs_lo.items()}
        return loss + self.cfg.w_real * loss_hi + loss_lo, logs

    def preview(self, nets: nn.ModuleDict) -> Tensor:
        """Rows: degraded, restored, ground truth; real LR, restored, and led back."""
        hi, lo_fake, lo = self._held_out()
        return grid([lo_fake, nets["l2h"](lo_fake), hi, lo, *self._there_and_back(lo, nets)])


class PseudoTask(_WithRealLo):
    """Stage two with pseudo-supervision: a network corrects real LR images to what L2H knows.

    clean = hi by bicubic reduction, C the correction, lo_fake of hi by the degradation:

        loss_C = alpha (|C(lo_fake) - clean| + |C(clean) - clean| + |C(lo) - mean of 8 turns|)
                 + beta (L_G(D(C(lo))) + 0.1 L_G(D'(L2H(C(lo)))))
        loss_L2H = alpha |L2H(C(lo_fake)) - hi|^2

    C(lo_fake) is the pseudo-clean image: so L2H sees in training what it is given in use, corrected
    images. D tells clean from corrected images; D' tells L2H(C(lo_fake)) from L2H(C(lo)). Each loss
    trains its own network alone. The last pixel term: a turned or mirrored image is corrected as
    the upright one.

    Source: 2002.11397. Differs from there: the network that makes LR images of clean ones is stage
    one's, trained before on HR images and frozen, so there is no discriminator of its images; L2H's
    pixel loss is this package's; D' takes the restored pairs for real; this package's L2H, hinge
    loss and optimiser, a small correction without channel attention. Args as `_WithRealLo`.
    """

    product = "pseudo"
    network = CorrectedLowToHigh

    def d_loss(self, batch: Batch) -> tuple[Tensor, Logs]:
        """Tell clean from corrected images, and restored pairs from restored real LR images."""
        net = cast(CorrectedLowToHigh, self.generators[self.product])
        with torch.no_grad():
            corrected = net.correct(batch["lo"])
            hi_real = net.restore(corrected)
            hi_fake = net(batch["lo_fake"])
            clean = self._clean(batch["hi"])
        loss_lo, logs = self._d_of("d_lo", clean, corrected)
        loss_hi, logs_hi = self._d_of("d_hi", hi_fake, hi_real)
        logs |= {f"hi_{k}": v for k, v in logs_hi.items()}
        return loss_lo + loss_hi, logs | {"real_spread": spread(batch["hi"])}

    def g_loss(self, batch: Batch) -> tuple[Tensor, Logs]:
        """The correction's loss and L2H's."""
        net = cast(CorrectedLowToHigh, self.generators[self.product])
        hi, clean = batch["hi"], self._clean(batch["hi"])
        pseudo, corrected = net.correct(batch["lo_fake"]), net.correct(batch["lo"])
        common = (self.cfg, self.rng, self.gan)

        # The correction
        logs = {
            "cycle": F.l1_loss(pseudo, clean),
            "identity": F.l1_loss(net.correct(clean), clean),
            "turns": F.l1_loss(corrected, over_turns(net.correct, batch["lo"])),
        }
        held = logs["cycle"] + logs["identity"] + logs["turns"]
        d_lo, d_hi = self.d_or_none("d_lo"), self.d_or_none("d_hi")
        loss, logs_lo = g_terms(held, d_lo, corrected, *common, real=clean)

        # L2H, of pseudo-clean images alone
        hi_fake = net.restore(pseudo.detach())
        logs["pix"] = pixel_l2h(hi_fake, hi)
        loss = loss + self.cfg.w_pix * logs["pix"]

        # What L2H makes of a correction, told to the correction alone
        if d_hi is not None:
            net.restore.requires_grad_(False)
            hi_real = net.restore(corrected)
            net.restore.requires_grad_(True)
            word, logs_hi = g_terms(held, d_hi, hi_real, *common, w_pix=0.0, real=hi_fake.detach())
            loss = loss + W_RESTORED * word
            logs |= {"lo_gan": logs_lo["gan"], "hi_gan": logs_hi["gan"]}
        return loss, logs | {"fake_spread": spread(hi_fake.detach())}

    def _clean(self, hi: Tensor) -> Tensor:
        """hi by bicubic reduction, (B, 3, s, s)."""
        return bicubic(hi, self.cfg.size_lo)

    def preview(self, nets: nn.ModuleDict) -> Tensor:
        """Rows: degraded, corrected, restored, ground truth; real LR, corrected, restored."""
        net = cast(CorrectedLowToHigh, nets[self.product])
        hi, lo_fake, lo = self._held_out()
        rows = [lo_fake, net.correct(lo_fake), net(lo_fake), hi, lo, net.correct(lo), net(lo)]
        return grid(rows)


def over_turns(f: nn.Module, x: Tensor) -> Tensor:
    """Mean over the 8 turns and mirrorings T of the square: the mean of T^-1 f(T x).

    Args:
        f: images to images of one shape.
        x: (B, 3, s, s).

    Returns:
        (B, 3, s, s).

    Source: geometric ensemble, 2002.11397.
    """
    both = (x, x.flip(-1))
    turned = [image.rot90(k, (-2, -1)) for image in both for k in range(4)]
    made = f(torch.cat(turned)).chunk(8)
    back = [image.rot90(-k, (-2, -1)) for image, k in zip(made, [0, 1, 2, 3] * 2, strict=True)]
    return torch.stack(back[:4] + [image.flip(-1) for image in back[4:]]).mean(0)
