"""What came after the paper, as tasks of the one loop.

Others of its successors are settings of the two stages: `gan_loss relativistic`, `separate`,
`h2l_model kernel+noise`.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from ..config import RunConfig
from ..data.faces import FaceSet
from ..degradations import Degradation
from ..losses import flow_matching
from ..networks.flow import FlowLowToHigh
from .base import N_PREVIEW, Batch, Logs, grid
from .two_stage import L2HTask

N_PREVIEW_NOISE = 3  # faces an image in a preview


class FlowTask(L2HTask):
    """Stage two as a conditional flow: it learns all faces that fit an LR image, not one.

    loss = || v(x_t, t, degrade(hi)) - (hi - x_0) ||^2 / N,  x_t = (1 - t) x_0 + t hi,

    x_0 ~ N(0, 1), t uniform up to the last Euler step's start, 1 - 1 / n_euler. No discriminator,
    no pixel loss: alpha and beta are not read. Source: `losses.flow_matching`. Args as `L2HTask`.
    """

    product = "flow"
    network = FlowLowToHigh

    def __init__(
        self,
        cfg: RunConfig,
        hi: FaceSet,
        degrade: Degradation,
        rng: torch.Generator,
        device: torch.device,
    ) -> None:
        super().__init__(cfg.replace(w_pix=1.0, w_gan=0.0), hi, degrade, rng, device)

    def g_loss(self, batch: Batch) -> tuple[Tensor, Logs]:
        """The flow matching loss."""
        hi, lo = batch["hi"], batch["lo_fake"]
        noise = torch.randn(hi.shape, generator=self.rng, device=self.device)
        t = torch.rand(len(hi), generator=self.rng, device=self.device)
        t = t * (1 - 1 / self.cfg.n_euler)
        flow = cast(FlowLowToHigh, self.generators[self.product])
        loss = flow_matching(lambda x, t: flow.velocity(x, t, lo), noise, hi, t)
        return loss, {"flow": loss}

    def preview(self, nets: nn.ModuleDict) -> Tensor:
        """Rows: degraded, drawn with a few noises, ground truth."""
        hi = self.val_hi.batch(slice(0, N_PREVIEW), self.device)
        lo = self.degrade(hi, self.fixed_rng())
        flow = cast(FlowLowToHigh, nets[self.product])
        drawn = [flow(lo, noise) for noise in flow.noise(N_PREVIEW_NOISE).split(1)]
        return grid([lo, *drawn, hi])
