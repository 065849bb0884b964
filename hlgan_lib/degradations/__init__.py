"""Degradations: from an HR image to an LR one, by name.

- `handmade`: the usual baselines (pooling, filters, blur, the second-order pipeline).
- `camera`: `Camera`, a simulated bad camera whose parameters are the ground truth.
- `other_cameras`: an old one, strong JPEG, motion, night, a webcam, a scan, an automatic one.
- `optics` and `jpeg`: what both are made of.

What a network learns instead (H2L) is in `networks`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..errors import HLError
from .camera import Camera, Shot, lacking
from .handmade import bicubic, bilinear, blurred, check_hi, pool, second_order
from .jpeg import code_and_decode, jpeg_inside_photograph
from .optics import (
    KERNELS,
    apply,
    blur,
    gaussian,
    integration,
    psf,
    resampling,
    sinc,
    srgb_decode,
    srgb_encode,
    tone,
)
from .other_cameras import OTHER_CAMERAS, STEP, other_camera

__all__ = [
    "DEGRADATIONS",
    "KERNELS",
    "OTHER_CAMERAS",
    "Camera",
    "Degradation",
    "Shot",
    "apply",
    "bicubic",
    "bilinear",
    "blur",
    "blurred",
    "code_and_decode",
    "degradation",
    "gaussian",
    "integration",
    "jpeg_inside_photograph",
    "lacking",
    "other_camera",
    "pool",
    "psf",
    "resampling",
    "second_order",
    "sinc",
    "srgb_decode",
    "srgb_encode",
    "tone",
]

Degradation = Callable[[Tensor, torch.Generator], Tensor]  # (hi, generator) -> lo
DEGRADATIONS = ("bilinear", "bicubic", "blur", "handmade", "camera")


def degradation(name: str, size: int = 16) -> Degradation:
    """A degradation by its name.

    Args:
        name: one of DEGRADATIONS, or "camera:NAME" with a name of OTHER_CAMERAS.
        size: side of the LR image, pixels.

    Returns:
        A function (hi, generator) -> lo, from (B, 3, n, n) to (B, 3, size, size), both in [-1, 1].

    Raises:
        HLError: for another name.
    """
    if name.startswith("camera:"):
        other = other_camera(name.removeprefix("camera:"))

        def take(hi: Tensor, generator: torch.Generator) -> Tensor:
            check_hi(hi, size)
            n = STEP * size
            if hi.shape[-1] != n:
                raise HLError(
                    f"{name} takes {n}x{n} pictures to {size}x{size} ones, got "
                    f"{hi.shape[-1]}x{hi.shape[-1]}: set size_hi to {STEP} times size_lo"
                )
            return other(hi, generator).lo

        return take
    camera = Camera(size=size)
    makers: dict[str, Degradation] = {
        "bilinear": lambda hi, generator: bilinear(hi, size),
        "bicubic": lambda hi, generator: bicubic(hi, size),
        "blur": lambda hi, generator: blurred(hi, generator, size),
        "handmade": lambda hi, generator: second_order(hi, generator, size),
        "camera": lambda hi, generator: camera(hi, generator).lo,
    }
    if name not in makers:
        raise HLError(
            f"degradation must be one of {', '.join(DEGRADATIONS)}, got {name!r}: "
            "for a trained H2L give learned:RUN, for another camera camera:NAME"
        )
    return makers[name]
