"""Batches on the device: endless shuffled epochs, and augmentation of each picture at random."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from ..errors import HLError
from ..rng import Draws, restore
from .faces import FaceSet, to_float


class Sampler:
    """Endless shuffled epochs of a set that lives on the device as uint8.

    Each picture comes once an epoch; a batch may hold the end of one epoch and the start of the next.
    """

    def __init__(
        self, faces: FaceSet, batch: int, device: torch.device | str, generator: torch.Generator
    ) -> None:
        if batch < 1 or len(faces) < 1:
            raise HLError(
                f"Sampler needs a batch and a set of at least 1, got batch {batch} and {len(faces)} faces"
            )
        self.images = torch.from_numpy(np.array(faces.images)).to(device)
        self.n_batch, self.generator = batch, generator
        self.order = torch.empty(
            0, dtype=torch.long, device=self.images.device
        )  # what is left of this epoch

    def next(self) -> Tensor:
        """The next batch as float (B, 3, H, W) in [-1, 1]."""
        while len(self.order) < self.n_batch:
            shuffled = torch.randperm(
                len(self.images), generator=self.generator, device=self.generator.device
            )
            self.order = torch.cat((self.order, shuffled.to(self.order.device)))
        chosen, self.order = self.order[: self.n_batch], self.order[self.n_batch :]
        return to_float(self.images[chosen])

    def __iter__(self) -> Iterator[Tensor]:
        while True:
            yield self.next()

    def state_dict(self) -> dict[str, Tensor]:
        """Position and generator, enough to go on exactly on a device of the same kind."""
        return {"order": self.order.cpu().clone(), "generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self.order = state["order"].clone().to(self.images.device)
        restore(self.generator, state["generator"])


def augment(
    x: Tensor,
    generator: torch.Generator,
    *,
    flip: bool = True,
    scale: float = 0.0,
    rotate_deg: float = 0.0,
    shift: float = 0.0,
    colour: float = 0.0,
) -> Tensor:
    """Each picture flipped, scaled, turned, shifted and recoloured at random; what comes in from outside is mirrored.

    x (B, 3, H, W) in [-1, 1]; scale: factor 1 +- scale; rotate_deg: degrees; shift: share of the side; colour:
    brightness, contrast and saturation by factors 1 +- colour. For hi (a pair shares the transform);
    lo pictures are only flipped. Source: the kinds from memory of the paper, the ranges ours.
    """
    draws = Draws(len(x), generator, x.device)
    if flip:
        x = torch.where(draws.chance(0.5)[:, None, None, None], x.flip(-1), x)
    if scale or rotate_deg or shift:
        angle, zoom = (
            draws.uniform(-rotate_deg, rotate_deg) * torch.pi / 180,
            1 / draws.uniform(1 - scale, 1 + scale),
        )
        cos, sin = zoom * angle.cos(), zoom * angle.sin()
        to = 2 * draws.uniform(-shift, shift, 2)
        theta = torch.stack(
            (torch.stack((cos, -sin, to[:, 0]), 1), torch.stack((sin, cos, to[:, 1]), 1)), 1
        )
        grid = affine_grid(theta.to(x.dtype), list(x.shape), align_corners=False)
        x = grid_sample(
            x, grid, mode="bicubic", padding_mode="reflection", align_corners=False
        ).clamp(-1, 1)
    if colour:
        bright, contrast, saturation = (
            draws.uniform(1 - colour, 1 + colour)[:, None, None, None] for _ in range(3)
        )
        x = (x + 1) * bright - 1
        x = x.mean((1, 2, 3), keepdim=True) + contrast * (x - x.mean((1, 2, 3), keepdim=True))
        x = (x.mean(1, keepdim=True) + saturation * (x - x.mean(1, keepdim=True))).clamp(-1, 1)
    return x
