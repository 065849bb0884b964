"""Protocols of a distance of sets: `clean`, today's practice; `paper`, the authors' scripts.

The same pictures get other numbers from other protocols: a distance carries its network *and* its
protocol.
"""

from __future__ import annotations

import dataclasses
import io
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from ..data.faces import to_uint8
from ..errors import HLError

PAPER_BATCH = 64  # 3,000 test pictures became 2,944 = 46 * 64


@dataclass(frozen=True)
class Protocol:
    """What happens between the pictures and the feature network.

    Sources: the authors' scripts, or ours.

    Attributes:
        name: as a score states it.
        reference: what is compared with; real: pictures no method has seen; train: HR training
            pictures (scripts).
        stretch: each made picture to full contrast, min to 0 and max to 255 (scripts).
        jpeg: quality of the JPEG each made picture is saved as; 0: none (scripts).
        enlarge: side in pixels to which all are enlarged bilinearly; 0: the network's own rule
            (scripts).
        batch: the last incomplete batch of this many pictures is dropped (scripts).
    """

    name: str
    reference: str = "real"
    stretch: bool = False
    jpeg: int = 0
    enlarge: int = 0
    batch: int = 1

    def whole(self, n: int) -> int:
        """How many of n pictures are left. Raises HLError where none is."""
        if n < self.batch:
            raise HLError(
                f"the protocol {self.name} drops the last incomplete batch of {self.batch}, got "
                f"{n} pictures, so that none is left: give more"
            )
        return n - n % self.batch

    def steps(self) -> str:
        """In words, beside a score."""
        reference = "training set" if self.reference == "train" else "real pictures"
        said = [f"reference: {reference}"]
        if self.stretch:
            said.append("min-max stretch")
        if self.jpeg:
            said.append(f"JPEG {self.jpeg}")
        if self.enlarge:
            said.append(f"bilinear to {self.enlarge}")
        if self.batch > 1:
            said.append(f"whole batches of {self.batch}")
        return ", ".join(said)


CLEAN = Protocol("clean")
# The quality of the scripts' JPEGs is not known: 75 is Pillow's own default (ours).
PAPER = Protocol("paper", reference="train", stretch=True, jpeg=75, enlarge=299, batch=PAPER_BATCH)
STEPS = ("reference", "stretch", "jpeg", "enlarge", "batch")


def one_step(step: str) -> Protocol:
    """`clean` with a single step of `paper`: how far does that step alone move a number?"""
    if step not in STEPS:
        raise HLError(f"step must be {', '.join(STEPS)}, got {step!r}")
    return dataclasses.replace(CLEAN, name=f"clean + {step}", **{step: getattr(PAPER, step)})


def stretch(x: Tensor) -> Tensor:
    """Each picture to full contrast, (x - min) / (max - min); a constant one stays as it is.

    Args:
        x: (B, 3, H, W). min and max are over all the numbers of a picture.

    Returns:
        The same shape, each picture from 0 to 1.
    """
    low = x.amin((1, 2, 3), keepdim=True)
    high = x.amax((1, 2, 3), keepdim=True)
    return torch.where(high > low, (x - low) / (high - low).clamp(min=1e-12), x)


def jpeg_file(x: Tensor, quality: int) -> Tensor:
    """What a JPEG file written by Pillow leaves of each image.

    Args:
        x: (B, 3, H, W) in [0, 1].
        quality: of the file, 1 to 95.

    Returns:
        The same size and range.
    """
    decoded = []
    for picture in to_uint8(x * 2 - 1).permute(0, 2, 3, 1).cpu().numpy():
        file = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(picture)).save(file, "JPEG", quality=quality)
        decoded.append(np.array(Image.open(file)))
    return torch.from_numpy(np.stack(decoded)).permute(0, 3, 1, 2).to(x) / 255


def before_the_network(x: Tensor, protocol: Protocol, made: bool) -> Tensor:
    """Images as the protocol hands them to the network of features.

    Args:
        x: (B, 3, H, W) in [0, 1].
        protocol: what is done.
        made: the images are generated; only those are stretched and coded.

    Returns:
        (B, 3, H', W') in [0, 1].
    """
    if made and protocol.stretch:
        x = stretch(x)
    if made and protocol.jpeg:
        x = jpeg_file(x, protocol.jpeg)
    if protocol.enlarge:
        size = (protocol.enlarge, protocol.enlarge)
        x = interpolate(x, size=size, mode="bilinear", align_corners=False)
        # A CPU takes large pictures several times as fast in this order.
        x = x.contiguous(memory_format=torch.channels_last)
    return x
