"""The shared parts of the networks."""

import pytest
import torch
from torch import nn

from hlgan_lib.errors import HLError
from hlgan_lib.networks.blocks import (
    PAPER,
    ResBlock,
    check_images,
    check_side,
    conv,
    count_parameters,
    norm_layer,
    unsquash,
)


def test_order_of_a_block():
    kinds = {
        order: [type(m).__name__ for m in ResBlock(4, "batch", order).body]
        for order in ("pre", "post")
    }
    assert kinds["pre"] == ["BatchNorm2d", "ReLU", "Conv2d"] * 2
    assert kinds["post"] == [
        "Conv2d",
        "BatchNorm2d",
        "ReLU",
        "Conv2d",
        "BatchNorm2d",
    ]  # the last ReLU after the sum
    assert ResBlock(4, "none", "post")(torch.randn(1, 4, 4, 4)).min() >= 0


@pytest.mark.parametrize("side, stride, size", [(3, 1, 16), (9, 1, 16), (3, 2, 8), (7, 2, 8)])
def test_conv_keeps_the_size_or_divides_it(side, stride, size):
    assert conv(3, 5, side, stride)(torch.zeros(1, 3, 16, 16)).shape == (1, 5, size, size)
    assert conv(3, 5, bias=False).bias is None


def test_norm_layer_is_batch_norm_or_nothing():
    x = torch.randn(2, 4, 3, 3)
    assert torch.equal(norm_layer("none", 4)(x), x)
    y = norm_layer("batch", 4)(x)
    assert y.mean((0, 2, 3)).abs().max() < 1e-5


def test_unsquash_undoes_the_tanh_and_is_finite_at_black_and_white():
    x = torch.tensor([-1.0, -0.5, 0.0, 0.9, 1.0])
    assert torch.tanh(unsquash(x)).tolist() == pytest.approx([-0.98, -0.5, 0, 0.9, 0.98], abs=1e-5)


def test_what_is_frozen_is_not_counted():
    net = nn.Linear(3, 2)
    assert count_parameters(net) == 8
    net.bias.requires_grad_(False)
    assert count_parameters(net) == 6


def test_check_side_knows_which_kind_was_mixed_up():
    check_side("lo", torch.zeros(2, 3, 16, 16), PAPER)
    for name, size in (("lo", 64), ("hi", 16)):
        other = "hi" if name == "lo" else "lo"
        with pytest.raises(HLError, match=f"{name} must be .* did you pass {other}"):
            check_side(name, torch.zeros(2, 3, size, size), PAPER)
    with pytest.raises(HLError, match=r"got float32 \(2, 1, 16, 16\)$"):
        check_images("lo", torch.zeros(2, 1, 16, 16), 16)
