"""A plain training loop, written as public code of such GANs is: what ours is measured beside.

Float32 and NCHW. PIL decodes one picture at a time in a `DataLoader`. The discriminator's gradients
are computed in the generator's half too, and thrown away. Networks and losses are those of ours.
"""

from __future__ import annotations

import random
from collections.abc import Generator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ..data.faces import FaceSet
from ..tasks.base import Batch, Task

DECAY = 0.999  # of the weight average


class PlainLoop:
    """The networks of a task, trained by the book.

    Args:
        task: its networks and losses are used, its batches are not.
    """

    def __init__(self, task: Task) -> None:
        cfg = task.cfg
        betas = (cfg.beta1, cfg.beta2)
        self.task = task
        self.d = task.discriminators.to(task.device).train()
        self.g = task.generators.to(task.device).train()
        self.opt_g = torch.optim.Adam(self.g.parameters(), lr=cfg.lr, betas=betas)
        # Without a GAN loss there is no discriminator, and nothing to update.
        self.opt_d = torch.optim.Adam(
            [{"params": self.d.parameters()}], lr=cfg.lr_d or cfg.lr, betas=betas
        )
        self.average = {name: p.detach().clone() for name, p in self.g.named_parameters()}

    def step(self, batch: Batch) -> None:
        """Update D `d_steps` times and G once, all on one batch."""
        task = self.task
        if task.product == "h2l":
            batch = batch | {"z": task.new_z(len(batch["hi"]))}

        # Discriminator
        for _ in range(task.cfg.d_steps if len(self.d) else 0):
            d_loss, _ = task.d_loss(batch)
            self.opt_d.zero_grad()
            d_loss.backward()
            self.opt_d.step()

        # Generator
        g_loss, _ = task.g_loss(batch)
        self.opt_g.zero_grad()
        g_loss.backward()
        self.opt_g.step()

        # Weight average
        if task.cfg.ema:
            with torch.no_grad():
                for name, p in self.g.named_parameters():
                    self.average[name].mul_(DECAY).add_(p, alpha=1 - DECAY)


class Pictures(Dataset[Batch]):
    """Folders of pictures, decoded one at a time by PIL.

    Args:
        hi: HR pictures.
        lo: LR pictures of other people; without them LR is HR, reduced by PIL's bilinear filter.
        size_lo: side of that LR picture, pixels.
    """

    def __init__(self, hi: Path, lo: Path | None, size_lo: int) -> None:
        self.hi = sorted(hi.iterdir())
        self.lo = sorted(lo.iterdir()) if lo else []
        self.size_lo = size_lo

    def __len__(self) -> int:
        return len(self.hi)

    def __getitem__(self, i: int) -> Batch:
        hi = _read(self.hi[i])
        if self.lo:
            return {"hi": _to_tensor(hi), "lo": _to_tensor(_read(random.choice(self.lo)))}
        small = hi.resize((self.size_lo, self.size_lo), Image.Resampling.BILINEAR)
        return {"hi": _to_tensor(hi), "lo_fake": _to_tensor(small)}


def _read(path: Path) -> Image.Image:
    """An RGB picture, mirrored by a chance of a half."""
    image = Image.open(path).convert("RGB")
    if random.random() < 0.5:
        return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return image


def _to_tensor(image: Image.Image) -> Tensor:
    """(3, H, W) in [-1, 1]."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 127.5 - 1


def batches(
    pictures: Pictures, batch: int, device: torch.device, n_workers: int
) -> Generator[Batch, None, None]:
    """Endless shuffled epochs, on the device.

    Args:
        pictures: what to read, at least a batch of them.
        batch: pictures a batch.
        device: where the batches are needed.
        n_workers: processes that decode.
    """
    loader = DataLoader(
        pictures,
        batch,
        shuffle=True,
        drop_last=True,
        num_workers=n_workers,
        persistent_workers=n_workers > 0,
        pin_memory=device.type == "cuda",
    )
    while True:
        for drawn in loader:
            yield {name: x.to(device) for name, x in drawn.items()}


def write_pictures(folder: Path, faces: FaceSet, n: int) -> Path:
    """The first n faces as PNG files in a new folder; returns it."""
    folder.mkdir()
    for i, face in enumerate(faces.images[:n]):
        picture = Image.fromarray(np.ascontiguousarray(face.transpose(1, 2, 0)))
        picture.save(folder / f"{i:05d}.png")
    return folder
