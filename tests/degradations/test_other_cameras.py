"""The other cameras: 8-bit pictures of the right size, seeded, each with its named fault."""

import pytest
import torch

import hlgan_lib as hl
from hlgan_lib.degradations import degradation
from hlgan_lib.degradations.handmade import bilinear
from hlgan_lib.degradations.optics import srgb_decode
from hlgan_lib.degradations.other_cameras import OTHER_CAMERAS
from hlgan_lib.errors import HLError


@pytest.fixture(scope="module")
def hi():
    return hl.load_faces("faces:val:hi").batch(slice(0, 64))


def taken(name, hi, seed=0):
    return OTHER_CAMERAS[name](hi, torch.Generator().manual_seed(seed)).lo


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
    assert at["old"].std((2, 3)).mean() < 0.8 * plain.std((2, 3)).mean()  # flat
    assert detail(at["motion"]) < 0.75 * detail(plain)  # dragged
    assert detail(red_blue(at["jpeg"])) < 0.5 * detail(red_blue(plain))  # few steps of colour


def detail(x):
    return (x[..., 1:] - x[..., :-1]).square().mean()


def red_blue(x):
    return x[:, :1] - x[:, 2:]


@pytest.mark.parametrize("name", OTHER_CAMERAS)
def test_what_was_drawn_is_said(name, hi):
    """A number for each picture, and a blur that sums to 1; the names are those of Camera."""
    params = OTHER_CAMERAS[name](hi, torch.Generator().manual_seed(0)).params
    assert all(len(value) == 64 for value in params.values())
    assert name == "clean" or len(params) > 5
    if "kernel" in params:
        assert torch.allclose(params["kernel"].sum((1, 2)), torch.ones(64), atol=1e-4)


def test_light_is_as_it_was_said(hi):
    """Of the dark camera: the light of a picture is that of the face times what was drawn."""
    shot = OTHER_CAMERAS["night"](hi, torch.Generator().manual_seed(0))
    p = shot.params
    light = srgb_decode(((shot.lo + 1) / 2) ** (1 / p["gamma"][:, None, None, None]))
    wanted = srgb_decode((hi + 1) / 2).mean((2, 3)) * p["white_balance"]
    wanted = wanted * 2 ** p["exposure_ev"][:, None]
    assert torch.corrcoef(torch.stack([light.mean((2, 3)).flatten(), wanted.flatten()]))[0, 1] > 0.9


def test_they_are_degradations_by_name(hi):
    for name in OTHER_CAMERAS:
        made = degradation(f"camera:{name}")(hi, torch.Generator().manual_seed(3))
        assert torch.equal(made, taken(name, hi, seed=3))
    assert degradation("camera:old", 8)(bilinear(hi, 32), torch.Generator()).shape[-1] == 8


def test_wrong_names_and_sizes_are_one_line(hi):
    with pytest.raises(HLError, match="camera must be one of old, jpeg, .*got 'fog'"):
        degradation("camera:fog")
    with pytest.raises(HLError, match="camera:night takes 32x32 pictures to 8x8 ones, got 64x64"):
        degradation("camera:night", 8)(hi, torch.Generator())
