"""Batches on the device: endless shuffled epochs, and each image of a batch augmented at random.

There is no data loader: 183,000 faces of 64x64 are 2.2 GB as bytes and live on the device as a
whole, so that drawing and augmenting a batch is a few tensor operations there.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from ..errors import HLError
from ..rng import Draws, restore
from .faces import FaceSet, to_float


class Sampler:
    """Endless shuffled epochs of a set that lives on the device as uint8.

    Each image comes once an epoch; a batch may hold the end of one epoch and the start of the next.

    Args:
        faces: the set.
        batch: images a batch.
        device: where the images lie and the batches come out.
        generator: draws the order, on any device.
        rows: which images of the set are drawn; all of them by default. The others lie beside them,
            as a copy without them would hold the set twice.

    Raises:
        HLError: for an empty set or batch.
    """

    def __init__(
        self,
        faces: FaceSet,
        batch: int,
        device: torch.device | str,
        generator: torch.Generator,
        rows: Sequence[int] | None = None,
    ) -> None:
        self.n = len(faces) if rows is None else len(rows)
        if batch < 1 or self.n < 1:
            raise HLError(
                f"Sampler needs a batch and a set of at least 1, got batch {batch} and "
                f"{self.n} images"
            )
        self.images = _on_device(faces.images, torch.device(device))
        self.rows = None if rows is None else torch.tensor(rows, device=self.images.device)
        self.n_batch = batch
        self.generator = generator
        # What is left of this epoch: numbers below n, in the order in which they will come.
        self.order = torch.empty(0, dtype=torch.long, device=self.images.device)
        # Indices of the batches that `ahead` has drawn, and how many of these have come.
        self.drawn, self.come = self.order.reshape(0, batch), 0

    def next(self) -> Tensor:
        """The next batch, float32 (B, 3, H, W) in [-1, 1]."""
        if self.come < len(self.drawn):
            self.come += 1
            return to_float(self.images[self.drawn[self.come - 1]])
        return to_float(self.images[self._draw(self.n_batch)])

    def ahead(self, n: int) -> None:
        """Draw which images the next n batches hold, into a tensor that stays where it is.

        `next` is then nothing but an operation of the device, which a CUDA graph can record. Who
        replays such a graph, which calls no `next`, sets `come` to n.

        Raises:
            RuntimeError: where batches that were drawn before have not come yet.
        """
        if self.come < len(self.drawn):
            raise RuntimeError(f"{len(self.drawn) - self.come} batches have not come yet")
        chosen = self._draw(n * self.n_batch).reshape(n, self.n_batch)
        self.drawn = self.drawn.copy_(chosen) if len(self.drawn) == n else chosen.clone()
        self.come = 0

    def _draw(self, n: int) -> Tensor:
        """Which images come next, n of them."""
        while len(self.order) < n:
            epoch = torch.randperm(self.n, generator=self.generator, device=self.generator.device)
            self.order = torch.cat((self.order, epoch.to(self.order.device)))
        chosen, self.order = self.order[:n], self.order[n:]
        return chosen if self.rows is None else self.rows[chosen]

    def __iter__(self) -> Iterator[Tensor]:
        while True:
            yield self.next()

    def state_dict(self) -> dict[str, Tensor]:
        """Position and generator, enough to go on exactly on a device of the same kind."""
        return {"order": self.order.cpu().clone(), "generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on where `state_dict` was taken. Raises ValueError where it was of another set."""
        order, n = state["order"], self.n
        if order.dtype != torch.long or order.ndim != 1 or len(order) > n + self.n_batch:
            raise ValueError(f"the order must be at most {n + self.n_batch} whole numbers")
        if len(order) and not 0 <= order.min() <= order.max() < n:
            raise ValueError(f"the order must be of {n} images")
        self.order = order.clone().to(self.images.device)
        restore(self.generator, state["generator"])


def _on_device(images: np.ndarray, device: torch.device) -> Tensor:
    """The images as a tensor; on the CPU it is their own memory, or the file's, not a copy."""
    with warnings.catch_warnings():
        # torch warns of memory that must not be written; a Sampler only reads it.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        shared = torch.from_numpy(np.ascontiguousarray(images))
    return shared.to(device)


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
    """Flip, scale, turn, shift and recolour each image by numbers of its own.

    What comes in from outside the frame is mirrored. This is for HR images. LR images are only
    flipped: to resample or recolour 16x16 pixels would change the degradation to be learned.

    Args:
        x: (B, 3, H, W) in [-1, 1].
        generator: draws the numbers, on any device.
        flip: mirror each image left to right with a chance of a half.
        scale: size by a factor of 1 +- scale.
        rotate_deg: turn by up to this many degrees either way.
        shift: move by up to this share of the side.
        colour: brightness, contrast and saturation by factors of 1 +- colour.

    Returns:
        The same shape, in [-1, 1].

    Source: the kinds from memory of the paper, the ranges ours.
    """
    draws = Draws(len(x), generator, x.device)
    if flip:
        mirrored = draws.chance(0.5)[:, None, None, None]
        x = torch.where(mirrored, x.flip(-1), x)
    if scale or rotate_deg or shift:
        x = _moved(x, draws, scale, rotate_deg, shift)
    if colour:
        x = _recoloured(x, draws, colour)
    return x


def _moved(x: Tensor, draws: Draws, scale: float, rotate_deg: float, shift: float) -> Tensor:
    """x under similarity transforms: for each pixel of the result, where it comes from."""
    angle = draws.uniform(-rotate_deg, rotate_deg) * torch.pi / 180
    zoom = 1 / draws.uniform(1 - scale, 1 + scale)
    to = 2 * draws.uniform(-shift, shift, 2)  # the grid's side is 2: it runs from -1 to 1

    cos, sin = zoom * angle.cos(), zoom * angle.sin()
    across = torch.stack((cos, -sin, to[:, 0]), 1)
    down = torch.stack((sin, cos, to[:, 1]), 1)
    theta = torch.stack((across, down), 1)  # (B, 2, 3)
    grid = affine_grid(theta.to(x.dtype), list(x.shape), align_corners=False)
    x = grid_sample(x, grid, mode="bicubic", padding_mode="reflection", align_corners=False)
    return x.clamp(-1, 1)  # a cubic filter overshoots


def _recoloured(x: Tensor, draws: Draws, colour: float) -> Tensor:
    """x with its brightness, then its contrast, then its saturation changed."""
    factors = [draws.uniform(1 - colour, 1 + colour) for _ in range(3)]
    bright, contrast, saturation = (factor[:, None, None, None] for factor in factors)

    x = (x + 1) * bright - 1
    mean = x.mean((1, 2, 3), keepdim=True)
    x = mean + contrast * (x - mean)
    grey = x.mean(1, keepdim=True)
    return (grey + saturation * (x - grey)).clamp(-1, 1)
