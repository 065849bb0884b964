"""What every task has: networks, batches, `d_loss(batch)` and `g_loss(batch)`, and nothing of time.

`d_terms` and `g_terms` are the two halves of the one conditional GAN step with a pixel term.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.utils import make_grid

from ..config import RunConfig
from ..data.domains import by_domain
from ..data.faces import FaceSet, to_uint8, unit_range
from ..data.sampling import Sampler, augment
from ..losses import GAN, GANS, diff_augment, r1
from ..metrics.distances import frechet
from ..metrics.features import extract
from ..networks.paper import Discriminator

Batch = dict[str, Tensor]
Logs = dict[str, Tensor]
N_PREVIEW = 8  # images a row of a preview


class Stateful(Protocol):
    """What a checkpoint keeps beside networks: a sampler, a history."""

    def state_dict(self) -> dict[str, Any]:
        """Everything to go on exactly."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""


def d_terms(
    d: nn.Module,
    real: Tensor,
    fake: Tensor,
    cfg: RunConfig,
    rng: torch.Generator,
    gan: GAN,
    domain: Tensor | None = None,
    update: int = 0,
) -> tuple[Tensor, Logs]:
    """The discriminator's loss: L_D(D(real), D(fake)) + w_r1 * R1(real) + w_r2 * R2(fake).

    With `penalty_every` n the penalties are taken at each n-th update, n times as heavy: on average
    the same, at nearly the n-th part of their cost. Source: lazy regularisation, 1912.04958.

    Args:
        d: the discriminator, (B, 3, S, S) -> scores (B,).
        real: real images (B, 3, S, S) in [-1, 1].
        fake: generated images (B, 3, S, S), without a gradient.
        cfg: its d_aug (augment both kinds alike), w_r1, w_r2 and penalty_every.
        rng: of the augmentation.
        gan: which GAN loss.
        domain: (B,), of the real and of the generated images alike, where there are several.
        update: how many updates D has had.

    Returns:
        The loss, and for the log: the GAN loss alone, the penalties, the mean scores of real and of
        generated images, and the share of images of whose kind D is sure (a score beyond 1 on
        their side; of a relativistic loss the share of pairs whose scores lie more than 2 apart).
    """
    both = torch.cat([real, fake])
    if cfg.d_aug:
        both = diff_augment(both, rng)
    known = () if domain is None else (domain,)
    of_both = () if domain is None else (domain.repeat(2),)
    score_real, score_fake = d(both, *of_both).split([len(real), len(fake)])
    loss = gan.d(score_real, score_fake)
    if gan.relativistic:
        sure = (score_real - score_fake > 2).float().mean()
    else:
        sure = torch.stack([score_real > 1, score_fake < -1]).float().mean()
    logs = {
        "d_loss": loss,
        "d_real": score_real.mean(),
        "d_fake": score_fake.mean(),
        "d_sure": sure,
    }
    due = update % cfg.penalty_every == 0
    for name, weight, x in (("r1", cfg.w_r1, real), ("r2", cfg.w_r2, fake)):
        if not weight:
            continue
        logs[name] = loss.new_zeros(())
        if due:
            # Not d itself, which may be compiled: compiled code has no gradient of a gradient.
            logs[name] = cfg.penalty_every * r1(lambda y: d.forward(y, *known), x)
            loss = loss + weight * logs[name]
    return loss, logs


def g_terms(
    pixel: Tensor,
    d: nn.Module | None,
    fake: Tensor,
    cfg: RunConfig,
    rng: torch.Generator,
    gan: GAN,
    w_pix: float | None = None,
    domain: Tensor | None = None,
    real: Tensor | None = None,
) -> tuple[Tensor, Logs]:
    """The generator's loss: loss = alpha * pixel + beta * L_G(D(fake)).

    Args:
        pixel: the pixel loss, a scalar.
        d: the discriminator; without one the pixel loss is all.
        fake: generated images (B, 3, S, S), with their gradient.
        cfg: its w_pix (alpha), w_gan (beta) and d_aug.
        rng: of the augmentation.
        gan: which GAN loss.
        w_pix: alpha, where it is another than the configuration's.
        domain: (B,), of the images, where there are several.
        real: real images (B, 3, S, S), which a relativistic loss compares `fake` with.

    Returns:
        The loss, and both terms without their weights for the log.

    Source: the paper's equation 1.
    """
    alpha = cfg.w_pix if w_pix is None else w_pix
    loss = alpha * pixel
    logs = {"pix": pixel}
    if d is not None:
        known = () if domain is None else (domain,)
        scores = [d(diff_augment(fake, rng) if cfg.d_aug else fake, *known)]
        if gan.relativistic:
            assert real is not None
            with torch.no_grad():
                scores.append(d(diff_augment(real, rng) if cfg.d_aug else real, *known))
        logs["gan"] = gan.g(*scores)
        loss = loss + cfg.w_gan * logs["gan"]
    return loss, logs


def spread(x: Tensor) -> Tensor:
    """How much images (B, 3, S, S) differ: standard deviation over the batch, mean of pixels."""
    return x.float().std(0).mean()


class Task(ABC):
    """Base of the tasks: networks, the data they see, and one random stream for all draws.

    The loop calls what is declared here and nothing else.

    Args:
        cfg: the configuration.
        hi: HR faces, some of which are held out for validation.
        rng: draws everything that training draws, on the device.
        device: where networks and data live.

    Attributes:
        product: name of the generator whose weights a finished run is known by.
        own_gan: the GAN loss of tasks that have no choice.
        gan: which GAN loss.
        d_updates: how many updates the discriminators have had; the loop counts them.
        hi: all HR faces.
        hi_rows: those of them that are trained on.
        val_hi: those held out.
        generators: trained by `g_loss`.
        discriminators: trained by `d_loss`; none where the task has no GAN loss.
        samplers: what has a state of its own to resume from.
    """

    product: str
    own_gan: GAN | None = None
    gan: GAN
    d_updates = 0
    rng: torch.Generator
    generators: nn.ModuleDict
    discriminators: nn.ModuleDict
    samplers: dict[str, Stateful]
    val_lo: FaceSet

    def __init__(
        self, cfg: RunConfig, hi: FaceSet, rng: torch.Generator, device: torch.device
    ) -> None:
        self.cfg, self.rng, self.device = cfg, rng, device
        self.gan = self.own_gan or GANS[cfg.gan_loss]
        self.hi = hi
        self.hi_rows, self.val_hi = hold_out(hi, cfg.n_val)
        self._hi_sampler = Sampler(hi, cfg.batch, device, rng, self.hi_rows)
        self.samplers = {"hi": self._hi_sampler}
        self.generators, self.discriminators = nn.ModuleDict(), nn.ModuleDict()

    # ---- what a task must say ----
    @abstractmethod
    def batch(self) -> Batch:
        """The next training batch, on the device."""

    @abstractmethod
    def d_loss(self, batch: Batch) -> tuple[Tensor, Logs]:
        """The loss of the discriminators on a batch, and values for the log."""

    @abstractmethod
    def g_loss(self, batch: Batch) -> tuple[Tensor, Logs]:
        """The loss of the generators on a batch, and values for the log."""

    @abstractmethod
    def preview(self, nets: nn.ModuleDict) -> Tensor:
        """Samples of the generators `nets`, as one picture uint8 (3, H, W)."""

    @abstractmethod
    def validate(self, nets: nn.ModuleDict) -> float:
        """A distance of what the generators `nets` make to real images; lower is better."""

    def diagnostics(self, nets: nn.ModuleDict) -> dict[str, float]:
        """What else to log at every tick, measured of the generators `nets`."""
        return {}

    # ---- what tasks share ----
    def next_hi(self) -> Tensor:
        """HR images of the next batch (B, 3, S, S) in [-1, 1], augmented."""
        c = self.cfg
        return augment(
            self._hi_sampler.next(),
            self.rng,
            flip=c.flip,
            scale=c.scale,
            rotate_deg=c.rotate_deg,
            shift=c.shift,
            colour=c.colour,
        )

    def add_lo(self, lo: FaceSet, domains: int = 1) -> None:
        """Unpaired LR images to learn from, some of them held out.

        Args:
            lo: the images.
            domains: how many domains they are of; a batch holds as many images of each.
        """
        rows, self.val_lo = hold_out(lo, self.cfg.n_val)
        if domains == 1:
            self._lo_samplers = [Sampler(lo, self.cfg.batch, self.device, self.rng, rows)]
        else:
            each = self.cfg.batch // domains
            parts = by_domain(lo[rows], domains).values()
            self._lo_samplers = [Sampler(part, each, self.device, self.rng) for part in parts]
        for i, sampler in enumerate(self._lo_samplers):
            self.samplers[f"lo{i or ''}"] = sampler

    def next_lo(self) -> Tensor:
        """LR images of the next batch (B, 3, s, s) in [-1, 1], by domain, flipped at random."""
        lo = torch.cat([sampler.next() for sampler in self._lo_samplers])
        return augment(lo, self.rng, flip=self.cfg.flip)

    def new_z(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        """Noise for n images, N(0, 1).

        Args:
            n: how many images.
            rng: draws it; by default the training's stream.

        Returns:
            z (n, z_dim).
        """
        return torch.randn(n, self.cfg.z_dim, generator=rng or self.rng, device=self.device)

    def d_or_none(self, name: str) -> nn.Module | None:
        """The discriminator of that name, where the task has it."""
        if name not in self.discriminators:
            return None
        return self.discriminators[name]

    def new_d_hi(self) -> Discriminator:
        """An untrained discriminator of HR images."""
        c = self.cfg
        return Discriminator(c.size_hi, c.d_width, c.d_pool, norm=c.d_norm)

    def distance_to_hi(self, restore: Callable[[Tensor], Tensor]) -> float:
        """Fréchet distance (Lite0 features) of restored held-out LR images to HR ones."""
        n = min(len(self.val_hi), len(self.val_lo))
        fake = self.in_batches(restore, self.val_lo)[:n]
        real = self.val_hi.batch(slice(0, n), self.device)
        return frechet(extract(unit_range(fake)), extract(unit_range(real)))

    def fixed_rng(self) -> torch.Generator:
        """A stream of its own for samples and scores, so that looking does not change training."""
        return torch.Generator(self.device).manual_seed(self.cfg.seed + 1)

    def in_batches(
        self,
        f: Callable[[Tensor], Tensor],
        faces: FaceSet,
        batch: int = 64,
        rows: Sequence[int] | None = None,
    ) -> Tensor:
        """f of faces, a few at a time.

        Args:
            f: images in [-1, 1] -> one row of numbers an image.
            faces: the set.
            batch: how many at a time.
            rows: which faces; all by default.

        Returns:
            A row of numbers a face.
        """
        chosen = range(len(faces)) if rows is None else rows
        starts = range(0, len(chosen), batch)
        parts = [list(chosen[i : i + batch]) for i in starts]
        return torch.cat([f(faces.batch(part, self.device)) for part in parts])


def hold_out(faces: FaceSet, n: int) -> tuple[list[int], FaceSet]:
    """Split off n evenly spaced faces to choose best.pt by.

    At most a fifth and at least two are held out. Of fewer than 4 faces none is: both are all.

    Args:
        faces: the set.
        n: how many are wanted.

    Returns:
        The rows of the faces to train on, of which no copy is made, and those held out.
    """
    if len(faces) < 4:
        return list(range(len(faces))), faces
    n = max(2, min(n, len(faces) // 5))
    held = set(torch.linspace(0, len(faces) - 1, n).long().tolist())
    kept = [i for i in range(len(faces)) if i not in held]
    return kept, faces[sorted(held)]


def grid(rows: list[Tensor]) -> Tensor:
    """Rows of images as one picture, small ones enlarged without smoothing.

    Args:
        rows: images (B, 3, s, s) in [-1, 1] each, of one B, s as it comes.

    Returns:
        uint8 (3, H, W) on the CPU.
    """
    size = max(r.shape[-1] for r in rows)
    rows = [F.interpolate(r.float(), size=size, mode="nearest") for r in rows]
    return make_grid(to_uint8(torch.cat(rows)).cpu(), nrow=len(rows[0]), padding=2, pad_value=255)
