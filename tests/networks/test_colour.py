"""What judges colour: opponent colours and the coarse discriminator."""

import pytest
import torch
from torch import nn

from hlgan_lib.networks.colour import CoarseDiscriminator, opponent_colours
from hlgan_lib.networks.paper import Discriminator


def test_opponent_colours_by_hand():
    x = torch.tensor([0.6, 0.0, -0.3]).view(1, 3, 1, 1)
    assert opponent_colours(x).flatten().tolist() == pytest.approx([0.1, 4 * 0.45, 4 * -0.075])
    assert not opponent_colours(torch.full((1, 3, 2, 2), 0.7))[:, 1:].any()  # grey has no colour
    plain, opponent = Discriminator(16, 8).eval(), Discriminator(16, 8, opponent=True).eval()
    opponent.load_state_dict(plain.state_dict())
    y = torch.rand(2, 3, 16, 16)
    assert torch.allclose(opponent(y), plain(opponent_colours(y))) and not torch.allclose(
        opponent(y), plain(y)
    )


def test_the_coarse_discriminator_sees_light_and_colour_alone():
    d, x = CoarseDiscriminator().eval(), torch.rand(3, 3, 16, 16)
    texture = (
        torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(8, 8) * 0.3
    )  # a mean of 0 in every 4x4 cell
    assert d(x).shape == (3,) and torch.allclose(d(x), d(x + texture), atol=1e-5)
    assert not torch.allclose(d(x), d(x + 0.3), atol=1e-3)
    layers = [m for m in d.modules() if isinstance(m, nn.Linear)]
    assert len(layers) == 3 and all(
        nn.utils.parametrize.is_parametrized(m, "weight") for m in layers
    )
