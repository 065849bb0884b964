"""What came after the paper, as tasks of the one loop.

Others of its successors are settings of the two stages: `gan_loss relativistic`, `separate`,
`h2l_model kernel+noise`.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from ..config import RunConfig
from ..losses import flow_matching
from ..networks.flow import FlowLowToHigh
from .base import N_PREVIEW, Batch, Logs, grid
from .two_stage import L2HTask

N_PREVIEW_NOISE = 3  # faces an image in a preview
N_MEASURED = 512  # training pairs whose residual gives the noise its power


class FlowTask(L2HTask):
    """Stage two as a conditional flow: it learns all faces that fit an LR image, not one.

    loss = || v(x_t, t, degrade(hi)) - (hi - x_0) ||^2 / N,  x_t = (1 - t) x_0 + t hi,

    x_0 = enlarged degrade(hi) + noise, t uniform. The noise has the power of hi - enlarged lo,
    measured of N_MEASURED training pairs at the start. No discriminator, no pixel loss: alpha and
    beta are not read. Source: `losses.flow_matching`, `networks.flow`. Args as `L2HTask`.
    """

    product = "flow"
    network = FlowLowToHigh

    def settings(self, cfg: RunConfig) -> RunConfig:
        """Without a discriminator."""
        return cfg.replace(w_pix=1.0, w_gan=0.0)

    @torch.no_grad()
    def prepare(self) -> None:
        """Give the noise its power."""
        flow = cast(FlowLowToHigh, self.generators[self.product]).to(self.device)
        hi = self.hi.batch(self.hi_rows[:N_MEASURED], self.device)
        flow.measure(hi, self.degrade(hi, self.fixed_rng()))

    def g_loss(self, batch: Batch) -> tuple[Tensor, Logs]:
        """The flow matching loss."""
        hi, lo = batch["hi"], batch["lo_fake"]
        noise = torch.randn(hi.shape, generator=self.rng, device=self.device)
        t = torch.rand(len(hi), generator=self.rng, device=self.device)
        flow = cast(FlowLowToHigh, self.generators[self.product])
        start = flow.start(lo, noise)
        loss = flow_matching(lambda x, t: flow.velocity(x, t, lo), start, hi, t)
        return loss, {"flow": loss}

    def preview(self, nets: nn.ModuleDict) -> Tensor:
        """Rows: degraded, drawn with a few noises, ground truth."""
        hi = self.val_hi.batch(slice(0, N_PREVIEW), self.device)
        lo = self.degrade(hi, self.fixed_rng())
        flow = cast(FlowLowToHigh, nets[self.product])
        drawn = [flow(lo, noise) for noise in flow.noise(N_PREVIEW_NOISE).split(1)]
        return grid([lo, *drawn, hi])
