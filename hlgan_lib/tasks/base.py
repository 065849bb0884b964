"""What every task has: networks, batches, `d_loss(batch)` and `g_loss(batch)`, and nothing of time.

`d_terms` and `g_terms` are the two halves of the one conditional GAN step with a pixel term.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.utils import make_grid

from ..config import RunConfig
from ..data.faces import FaceSet, to_uint8
from ..data.sampling import Sampler, augment
from ..losses import GAN, HINGE, diff_augment, r1
from ..metrics.distances import frechet
from ..metrics.features import extract
from ..networks.paper import Discriminator

Logs = dict[str, Tensor]
N_PREVIEW = 8


def d_terms(
    d: Discriminator, real: Tensor, fake: Tensor, cfg: RunConfig, rng: torch.Generator, gan: GAN
) -> tuple[Tensor, Logs]:
    """The discriminator's loss on one batch, and what a reader of the log wants to know of it."""
    both = torch.cat([real, fake])
    score_real, score_fake = d(diff_augment(both, rng) if cfg.d_aug else both).split(
        [len(real), len(fake)]
    )
    loss = gan.d(score_real, score_fake)
    logs = {
        "d_loss": loss,
        "d_real": score_real.mean(),
        "d_fake": score_fake.mean(),
        "d_sure": ((score_real > 1).float().mean() + (score_fake < -1).float().mean()) / 2,
    }
    if cfg.w_r1:
        logs["r1"] = r1(
            d.forward, real
        )  # not d, which may be compiled: compiled code has no gradient of a gradient
        loss = loss + cfg.w_r1 * logs["r1"]
    return loss, logs


def g_terms(
    pixel: Tensor,
    d: Discriminator | None,
    fake: Tensor,
    cfg: RunConfig,
    rng: torch.Generator,
    gan: GAN,
    w_pix: float | None = None,
) -> tuple[Tensor, Logs]:
    """loss = alpha * pixel + beta * GAN (the paper's equation 1); without a discriminator the pixel loss alone.

    w_pix: alpha, where it is another than the configuration's.
    """
    alpha = cfg.w_pix if w_pix is None else w_pix
    loss, logs = alpha * pixel, {"pix": pixel}
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
        return augment(
            self.samplers["hi"].next(),
            self.rng,
            flip=c.flip,
            scale=c.scale,
            rotate_deg=c.rotate_deg,
            shift=c.shift,
            colour=c.colour,
        )

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
        return frechet(
            *(extract((x + 1) / 2) for x in (fake, self.val_hi.batch(slice(0, n), self.device)))
        )

    def fixed_rng(self) -> torch.Generator:
        """A stream of its own for pictures and scores, so that looking does not change training."""
        return torch.Generator(self.device).manual_seed(self.cfg.seed + 1)

    def in_batches(self, f: Callable[[Tensor], Tensor], faces: FaceSet, batch: int = 64) -> Tensor:
        return torch.cat(
            [f(faces.batch(slice(i, i + batch), self.device)) for i in range(0, len(faces), batch)]
        )


def hold_out(faces: FaceSet, n: int) -> tuple[FaceSet, FaceSet]:
    """Split off n evenly spaced pictures (at most a fifth, at least two) to choose best.pt by; of less than 4, none."""
    if len(faces) < 4:
        return faces, faces
    n = max(2, min(n, len(faces) // 5))
    held = set(torch.linspace(0, len(faces) - 1, n).long().tolist())
    return (faces[[i for i in range(len(faces)) if i not in held]], faces[sorted(held)])


def grid(rows: list[Tensor]) -> Tensor:
    """Rows of pictures in [-1, 1], the small ones enlarged without smoothing -> uint8 (3, H, W) on the CPU."""
    size = max(r.shape[-1] for r in rows)
    rows = [F.interpolate(r.float(), size=size, mode="nearest") for r in rows]
    return make_grid(to_uint8(torch.cat(rows)).cpu(), nrow=len(rows[0]), padding=2, pad_value=255)
