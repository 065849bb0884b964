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
from ..networks.paper import LowToHigh
from .base import N_PREVIEW, Batch, Logs, grid
from .two_stage import L2HTask

N_PREVIEW_NOISE = 3  # faces an image in a preview
N_MEASURED = 512  # training pairs of which the power of the residual is measured


class FlowTask(L2HTask):
    """Stage two as a conditional flow: it learns all faces that fit an LR image, not one.

    loss = || (v(x_t, t, lo) - (r - x_0)) / u ||^2 / N,  x_0 = s noise,  x_t = (1 - t) x_0 + t r,

    with lo = degrade(hi), r the spectrum of hi - mean(lo), the logit of t normal, and s, u as in
    `networks.flow`. The mean is a restorer's that is there already, and stays as it is. No
    discriminator, no pixel loss: alpha and beta are not read.

    Args:
        cfg, hi, degrade, rng, device: as `L2HTask`.
        restorer: what says the mean.

    Source: `losses.flow_matching`, `networks.flow`; the law of t, 2403.03206.
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
        restorer: LowToHigh,
    ) -> None:
        self.restorer = restorer
        super().__init__(cfg, hi, degrade, rng, device)

    def settings(self, cfg: RunConfig) -> RunConfig:
        """Without a discriminator."""
        return cfg.replace(w_pix=1.0, w_gan=0.0)

    @torch.no_grad()
    def prepare(self) -> None:
        """Take the restorer, and measure what it leaves."""
        flow = self.flow.to(self.device)
        flow.mean.load_state_dict(self.restorer.state_dict())
        hi = self.hi.batch(self.hi_rows[:N_MEASURED], self.device)
        flow.measure(hi, self.degrade(hi, self.fixed_rng()))

    @property
    def flow(self) -> FlowLowToHigh:
        """The network that is trained."""
        return cast(FlowLowToHigh, self.generators[self.product])

    def g_loss(self, batch: Batch) -> tuple[Tensor, Logs]:
        """The flow matching loss."""
        hi, lo, flow = batch["hi"], batch["lo_fake"], self.flow
        mean = flow.mean(lo)
        noise = torch.randn(hi.shape, generator=self.rng, device=self.device)
        t = torch.randn(len(hi), generator=self.rng, device=self.device).sigmoid()
        loss = flow_matching(
            lambda x, t: flow.velocity(x, t, lo, mean),
            flow.spread * noise,
            flow.spectrum(hi - mean),
            t,
            unit=flow.sizes(t)[2],
        )
        return loss, {"flow": loss}

    def preview(self, nets: nn.ModuleDict) -> Tensor:
        """Rows: degraded, drawn with a few noises, ground truth."""
        hi = self.val_hi.batch(slice(0, N_PREVIEW), self.device)
        lo = self.degrade(hi, self.fixed_rng())
        flow = cast(FlowLowToHigh, nets[self.product])
        drawn = [flow(lo, noise) for noise in flow.noise(N_PREVIEW_NOISE).split(1)]
        return grid([lo, *drawn, hi])
