"""Images to load, and numbered ones to follow through a sampler."""

import numpy as np
import pytest
import torch
from PIL import Image

from hlgan_lib.data.faces import FaceSet


@pytest.fixture(scope="session")
def picture():
    """picture(size, mode, seed) -> a smooth image: a gradient with a bright spot."""

    def make(size=(80, 80), mode="RGB", seed=0):
        w, h = size
        y, x = np.mgrid[:h, :w] / max(h, w)
        rgb = np.stack([x, y, 1 - x], -1) * 255
        rgb[h // 4 : h // 3, w // 4 : w // 3] = (seed * 37) % 256
        return Image.fromarray(rgb.astype(np.uint8)).convert(mode)

    return make


@pytest.fixture
def folder(tmp_path, picture):
    """Three images of 80x80 at different depths of a folder."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    for i, name in enumerate(["one.png", "a/two.png", "a/b/three.jpg"]):
        picture(seed=i).save(tmp_path / name)
    return tmp_path


@pytest.fixture(scope="session")
def numbered():
    """numbered(n, size) -> a set of n flat images, image i of level i."""

    def make(n=10, size=8):
        images = np.empty((n, 3, size, size), np.uint8)
        images[:] = np.arange(n)[:, None, None, None]
        return FaceSet(images, tuple(f"{i}.png" for i in range(n)), "numbered")

    return make


@pytest.fixture(scope="session")
def seeded():
    """seeded(seed) -> a generator on the CPU."""

    def make(seed=0):
        return torch.Generator().manual_seed(seed)

    return make
