"""The other cameras: 8-bit pictures of the right size, seeded, each with its named fault."""

import pytest
import torch

import hlgan_lib as hl
from hlgan_lib.degradations.handmade import bilinear
from hlgan_lib.degradations.other_cameras import OTHER_CAMERAS


@pytest.fixture(scope="module")
def hi():
    return hl.load_faces("faces:val:hi").batch(slice(0, 64))


def taken(name, hi, seed=0):
    return OTHER_CAMERAS[name](hi, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", OTHER_CAMERAS)
def test_pictures_are_files_and_seeded(name, hi):
    lo = taken(name, hi)
    assert lo.shape == (64, 3, 16, 16) and lo.abs().max() <= 1
    levels = (lo + 1) * 127.5
    assert torch.allclose(levels, levels.round(), atol=1e-3)
    assert torch.equal(lo, taken(name, hi))
    assert name == "clean" or not torch.equal(lo, taken(name, hi, seed=1))


@pytest.mark.parametrize("name", OTHER_CAMERAS)
def test_smaller_pictures_give_smaller_ones(name, hi):
    lo = taken(name, bilinear(hi, 32))
    assert lo.shape == (64, 3, 8, 8) and lo.abs().max() <= 1


def test_each_has_its_fault(hi):
    plain = (bilinear(hi) + 1) / 2
    at = {name: (taken(name, hi) + 1) / 2 for name in OTHER_CAMERAS}
    assert (at["clean"] - plain).abs().max() < 1 / 255

    def colour(x):
        return x.mean((2, 3)).std(1).mean()

    assert at["night"].mean() < 0.8 * plain.mean()
    red, _, blue = at["night"].mean((0, 2, 3))
    assert red / blue > 1.1 * plain.mean((0, 2, 3))[0] / plain.mean((0, 2, 3))[2]  # warm lamps
    assert colour(at["webcam"]) < 0.7 * colour(plain)  # grey world
    assert at["scan"].amin((1, 2, 3)).mean() > plain.amin((1, 2, 3)).mean() + 0.05  # faded black
