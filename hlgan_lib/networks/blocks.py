"""The parts that the networks share: convolutions, norms, residual blocks, checks of shapes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from ..config import RunConfig
from ..errors import HLError

PAPER = RunConfig()
BOTTLENECK = 4  # pixels a side: where H2L turns round and the discriminators end
D_NORMS = {
    "spectral": spectral_norm,
    "none": lambda layer: layer,
}  # of every layer of a discriminator


def check_images(name: str, x: Tensor, size: int, hint: str = "") -> None:
    """Raise HLError unless x is a float batch (B, 3, size, size)."""
    if x.ndim != 4 or tuple(x.shape[1:]) != (3, size, size) or not x.is_floating_point():
        raise HLError(
            f"{name} must be float (B, 3, {size}, {size}), got {str(x.dtype).removeprefix('torch.')} "
            f"{tuple(x.shape)}{': ' + hint if hint else ''}"
        )


def _conv(c_in: int, c_out: int, stride: int = 1, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(c_in, c_out, 3, stride, padding=1, bias=bias)


def norm_layer(kind: str, channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels) if kind == "batch" else nn.Identity()


class ResBlock(nn.Module):
    """y = x + conv(act(conv(act(x)))) with `order="pre"`; activations after the convolutions with "post".

    x and y: (B, channels, S, S). `norm`: batch normalisation before each activation, or none.
    """

    def __init__(self, channels: int, norm: str = "batch", order: str = "pre"):
        super().__init__()
        bias = norm == "none"
        layers: list[nn.Module] = []
        for _ in range(2):
            conv, activate = (
                [_conv(channels, channels, bias=bias)],
                [norm_layer(norm, channels), nn.ReLU()],
            )
            layers += activate + conv if order == "pre" else conv + activate
        if order == "post":
            layers.pop()  # the last activation comes after the sum
        self.body = nn.Sequential(*layers)
        self.after = nn.ReLU() if order == "post" else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.after(x + self.body(x))


def unsquash(x: Tensor) -> Tensor:
    """atanh(x), finite at black and white: tanh(y + unsquash(x)) is x at y = 0 and stays in [-1, 1]."""
    return torch.atanh(x.clamp(-0.98, 0.98))


def count_parameters(net: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(p.numel() for p in net.parameters() if p.requires_grad)
