"""Scores that need more than this package installs: FID and LPIPS (weights to download), the face rate (OpenCV)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from .data import FaceSet, to_uint8
from .errors import HLError

# What a download is of, how to get it, and what does without one.
NEEDS = {"fid": ("torch-fidelity and its Inception weights", "pip install torch-fidelity and connect to the network",
                 "use frechet_lite0"),
         "fid_paper": ("torchvision's Inception weights", "connect to the network", "use frechet_lite0_paper"),
         "lpips": ("torchvision's AlexNet weights", "connect to the network", "use frechet_lite0"),
         "vgg19": ("torchvision's VGG19 weights", "connect to the network", "set perceptual to lite0")}


def loaded(name: str, make: Callable[[], nn.Module]) -> nn.Module:
    """What `make` loads, or one line that says what is missing."""
    try:
        return make()
    except (ImportError, OSError, RuntimeError) as error:
        what, remedy, instead = NEEDS[name]
        first = (str(error).strip().splitlines() or ["no message"])[0]
        raise HLError(f"{name} needs {what}, a download, got {type(error).__name__} ({first}): {remedy}, or "
                      f"{instead}, which needs neither") from error


def fid_network(device: torch.device) -> nn.Module:
    """torchmetrics' Frechet distance on Inception features; its `inception` is the network."""
    from torchmetrics.image.fid import FrechetInceptionDistance
    return loaded("fid", lambda: FrechetInceptionDistance().to(device))


def clean_inception(device: torch.device) -> Callable[[Tensor], Tensor]:
    """Inception as clean FID uses it, torch-fidelity's TensorFlow weights: [0, 1] (B, 3, H, W) -> (B, 2048).

    Levels are rounded to 8 bits; the network enlarges to 299 by itself, as its original did.
    """
    net = fid_network(device).inception
    return lambda x: net(to_uint8(x * 2 - 1))


class PaperInception(nn.Module):
    """Inception of torchvision up to its pooled features: [0, 1] (B, 3, 299, 299) -> (B, 2048).

    f(x) = pool(inception((x - mean) / deviation)), mean and deviation those its weights come with. HLError where they
    cannot be downloaded. Source: the authors' scripts (torchvision's weights); how they scale the values is not known.
    """

    def __init__(self) -> None:
        super().__init__()
        from torchvision.models import Inception_V3_Weights, inception_v3
        weights = Inception_V3_Weights.DEFAULT
        self.net = loaded("fid_paper", lambda: inception_v3(weights=weights))
        self.net.fc = nn.Identity()
        about = weights.transforms()
        self.register_buffer("mean", torch.tensor(about.mean).view(3, 1, 1))
        self.register_buffer("deviation", torch.tensor(about.std).view(3, 1, 1))
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.net((x - self.mean) / self.deviation)


def paper_inception(device: torch.device) -> nn.Module:
    """The paper protocol's Inception on the device."""
    return PaperInception().to(device)


def lpips_network(device: torch.device) -> nn.Module:
    """LPIPS with AlexNet: net(a, b, normalize=True) on [0, 1] (B, 3, H, W) -> (B, 1, 1, 1)."""
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity
    return loaded("lpips", lambda: LearnedPerceptualImagePatchSimilarity(net_type="alex").net.to(device))


def face_rate(images: FaceSet | Tensor) -> float:
    """The share of pictures in which OpenCV's Haar cascade `alt2` finds a face, each doubled in size first.

    images: a FaceSet, or float (N, 3, H, W) in [-1, 1], 64x64 or larger. A floor against nonsense, no score of quality:
    nearly all faces pass, few shuffled ones. HLError where OpenCV or its cascades are missing. Source: Viola and Jones
    (2001).
    """
    try:
        import cv2
        found = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_alt2.xml")
        broken = found.empty()
    except (ImportError, AttributeError):
        broken = True
    if broken:
        raise HLError("face_rate needs OpenCV 4 with its Haar cascades, got none (5.x ships none): "
                      'pip install "opencv-python-headless<5"')
    pictures = images.images if isinstance(images, FaceSet) else to_uint8(images).cpu().numpy()
    if not len(pictures) or min(pictures.shape[-2:]) < 48:
        raise HLError(f"face_rate needs pictures of at least 48x48, got {pictures.shape}: pass faces of 64x64")
    hits = 0
    for picture in pictures:
        grey = cv2.cvtColor(np.ascontiguousarray(picture.transpose(1, 2, 0)), cv2.COLOR_RGB2GRAY)
        grey = cv2.resize(grey, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
        hits += len(found.detectMultiScale(grey, scaleFactor=1.05, minNeighbors=3, minSize=(40, 40))) > 0
    return hits / len(pictures)
