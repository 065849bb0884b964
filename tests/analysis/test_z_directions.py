"""Directions of z, found in degradations whose every direction is known."""

import math

import pytest
import torch
from torch.nn.functional import avg_pool2d

from hlgan_lib.analysis.z_directions import PROPERTIES, measure, walk, z_directions
from hlgan_lib.data.loading import load_faces
from hlgan_lib.degradations.optics import blur, gaussian, srgb_decode, srgb_encode
from hlgan_lib.errors import HLError
from hlgan_lib.networks.camera import LAWS, LearnedCamera
from hlgan_lib.networks.paper import HighToLow
from hlgan_lib.presets import preset

Z_DIM = 8
WAVES = 40 / math.sqrt(Z_DIM) * torch.randn(Z_DIM, 768, generator=torch.Generator().manual_seed(5))
KNOWN = {"blur width": 0, "exposure": 1, "noise level": 2, "warmth": 3}


def known(hi, z, grain=0.03):
    """z_0: blur width, z_1: exposure, z_2: noise, new for every z, z_3: warmth; no more."""
    width = 1.8 * torch.exp(0.4 * z[:, 0])
    x = blur(hi, gaussian(width, width, torch.zeros(len(z)), 9))
    light = srgb_decode((avg_pool2d(x[..., 1:-1, 1:-1], 2, 4).clamp(-1, 1) + 1) / 2)
    stops = torch.stack(
        (0.4 * z[:, 1] + 0.3 * z[:, 3], 0.4 * z[:, 1], 0.4 * z[:, 1] - 0.3 * z[:, 3]), 1
    )
    noise = 2**0.5 * torch.cos(z @ WAVES).view(-1, 3, 16, 16)
    value = srgb_encode((light * 2 ** stops[..., None, None]).clamp(0, 1))
    return ((value + grain * torch.exp(0.5 * z[:, 2])[:, None, None, None] * noise) * 2 - 1).clamp(
        -1, 1
    )


@pytest.fixture(scope="module")
def hi():
    return load_faces("faces:val").hi.batch(slice(0, 5))


@pytest.fixture(scope="module")
def found(hi):
    return z_directions(known, hi, Z_DIM, n_z=160)


def test_the_directions_that_matter_are_found_and_no_more(found):
    assert found.found.all() and found.axes.shape == (4, Z_DIM)
    assert (found.axes[:, :4].norm(dim=0) > 0.9).all(), "the four that act lie in the four found"
    assert (found.axes[:, 4:].norm(dim=0) < 0.4).all(), "the four that do nothing do not"
    assert torch.allclose(found.axes @ found.axes.T, torch.eye(4).double(), atol=1e-6)


@pytest.mark.parametrize("name, index", KNOWN.items())
def test_each_property_is_laid_to_the_number_that_controls_it(found, name, index):
    p = found.names.index(name)
    assert abs(found.steepest[p, index]) > 0.9 and found.governed[p] > 0.8
    through = found.table[:, p] @ found.axes  # the same from the table of correlations
    assert (through / through.norm())[index].abs() > 0.85
    assert ((found.low <= found.table) & (found.table <= found.high)).all()


def test_grain_alone_has_no_direction(hi):
    def grain(hi, z):
        return known(hi, torch.zeros_like(z), grain=0) + 0.05 * torch.cos(z @ WAVES).view(
            -1, 3, 16, 16
        )

    nothing = z_directions(grain, hi, Z_DIM, n_z=160)
    assert nothing.found.sum() <= 1 and (nothing.strength < 2 * nothing.chance).all()
    assert (nothing.governed < 0.15).all()


def test_intervals_hold_what_does_not_depend_on_z(found):
    """Not all directions correlate with one another's properties: some intervals must hold 0."""
    assert ((found.low < 0) & (found.high > 0)).any() and ((found.low > 0) | (found.high < 0)).any()


def test_walk_changes_one_direction_only(hi, found):
    axis = torch.zeros(Z_DIM)
    axis[1] = 1
    los = walk(lambda hi, z: known(hi, z, grain=0), hi[0], axis, steps=(-1.0, 0.0, 1.0))
    p = measure(hi[:1].expand(3, -1, -1, -1), los)
    exposure, warmth = p[:, PROPERTIES.index("exposure")], p[:, PROPERTIES.index("warmth")]
    assert (exposure.diff() > 0.25).all() and warmth.std() < 0.1
    assert torch.equal(
        los, walk(lambda hi, z: known(hi, z, grain=0), hi[0], axis, steps=(-1.0, 0.0, 1.0))
    )


def test_a_network_is_measured_with_its_own_z(hi):
    net = LearnedCamera(preset("smoke").replace(z_dim=15))
    exposure = list(LAWS).index("exposure")
    with torch.no_grad():
        net.factor.zero_()
        net.factor[exposure, 1] = 0.1  # z_1 alone lifts the light, 0.4 stops a unit
    d = z_directions(net, hi[:3], n_z=128, k=2)
    assert d.steepest[PROPERTIES.index("exposure"), 1].abs() > 0.9


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda hi: z_directions(known, hi), "z_dim must say"),
        (lambda hi: z_directions(known, hi, Z_DIM, n_z=20), "needs n_z of at least"),
        (lambda hi: z_directions(known, hi[:1], Z_DIM, n_z=80), "2 faces"),
        (
            lambda hi: z_directions(HighToLow(preset("smoke").replace(z_input="none")), hi),
            "takes no noise",
        ),
        (lambda hi: walk(known, hi, torch.zeros(8)), "one face and an axis"),
        (lambda hi: walk(known, hi[0], torch.ones(8)), "of length 1"),
    ],
)
def test_errors_say_what_to_do(hi, call, message):
    with pytest.raises(HLError, match=message):
        call(hi)
