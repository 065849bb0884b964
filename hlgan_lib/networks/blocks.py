"""The parts that the networks share: convolutions, norms, residual blocks, checks of shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from ..config import RunConfig
from ..data.faces import check_tensor
from ..errors import HLError

PAPER = RunConfig()
BOTTLENECK = 4  # pixels a side: where H2L turns round and the discriminators end


def check_images(name: str, x: Tensor, size: int, hint: str = "") -> None:
    """Check a network's input.

    Args:
        name: what the error calls x.
        x: must be float (B, 3, size, size).
        size: side of the images, pixels.
        hint: what the error says last.

    Raises:
        HLError: where x is something else.
    """
    check_tensor(name, x)
    if x.ndim != 4 or tuple(x.shape[1:]) != (3, size, size) or not x.is_floating_point():
        got = f"{str(x.dtype).removeprefix('torch.')} {tuple(x.shape)}"
        more = f": {hint}" if hint else ""
        raise HLError(f"{name} must be float (B, 3, {size}, {size}), got {got}{more}")


def check_side(name: Literal["hi", "lo"], x: Tensor, cfg: RunConfig) -> None:
    """Check that x are HR ("hi") or LR ("lo") images of the configured size.

    Args:
        name: which of the two.
        x: (B, 3, side, side).
        cfg: holds both sizes.

    Raises:
        HLError: where they are not.
    """
    sizes = {"hi": cfg.size_hi, "lo": cfg.size_lo}
    other = "lo" if name == "hi" else "hi"
    check_tensor(name, x)
    mixed_up = x.shape[-1:] == (sizes[other],)
    check_images(name, x, sizes[name], f"did you pass {other}?" if mixed_up else "")


def check_z(z: Tensor, n: int, cfg: RunConfig) -> None:
    """Check the noise of H2L.

    Args:
        z: must be (n, z_dim).
        n: how many images.
        cfg: holds z_dim.

    Raises:
        HLError: where it is not.
    """
    check_tensor("z", z)
    if z.shape != (n, cfg.z_dim):
        raise HLError(f"z must be ({n}, {cfg.z_dim}), one row a picture, got {tuple(z.shape)}")


def conv(c_in: int, c_out: int, side: int = 3, stride: int = 1, bias: bool = True) -> nn.Conv2d:
    """A convolution that keeps the size of its input, or divides it by the stride.

    Args:
        c_in: channels that come in.
        c_out: channels that go out.
        side: of the kernel, odd.
        stride: of the convolution.
        bias: learn one.

    Returns:
        The layer, padded with zeros.
    """
    return nn.Conv2d(c_in, c_out, side, stride, padding=side // 2, bias=bias)


def norm_layer(kind: str, channels: int) -> nn.Module:
    """Batch normalisation with "batch", nothing with "none".

    Args:
        kind: "batch" or "none".
        channels: of what it normalises.

    Returns:
        The layer.
    """
    return nn.BatchNorm2d(channels) if kind == "batch" else nn.Identity()


def _as_it_is(layer: nn.Module) -> nn.Module:
    return layer


# What is done to every layer of a discriminator.
D_NORMS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "spectral": spectral_norm,
    "none": _as_it_is,
}


class ResBlock(nn.Module):
    """A residual block of the generators: two convolutions and a shortcut.

    order "pre":   y = x + conv(act(conv(act(x))));   act = relu(norm(.))
    order "post":  y = relu(x + norm(conv(act(conv(x)))))

    Args:
        channels: of x and y, (B, channels, S, S).
        norm: "batch" or "none", before each activation.
        order: "pre" or "post".
    """

    def __init__(self, channels: int, norm: str = "batch", order: str = "pre") -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(2):
            convolve: list[nn.Module] = [conv(channels, channels, bias=norm == "none")]
            activate: list[nn.Module] = [norm_layer(norm, channels), nn.ReLU()]
            layers += activate + convolve if order == "pre" else convolve + activate
        if order == "post":
            layers.pop()  # the last activation comes after the sum
        self.body = nn.Sequential(*layers)
        self.after = nn.ReLU() if order == "post" else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, S, S) -> the same shape."""
        return self.after(x + self.body(x))


def unsquash(x: Tensor) -> Tensor:
    """The inverse of a generator's tanh, atanh(x), finite at black and white.

    tanh(y + unsquash(x)) is x at y = 0 and stays in [-1, 1]: so a shortcut goes inside the tanh.

    Args:
        x: any shape, in [-1, 1]; clipped to +-0.98.

    Returns:
        The same shape, unbounded.
    """
    return torch.atanh(x.clamp(-0.98, 0.98))


def count_parameters(net: nn.Module) -> int:
    """The number of trainable numbers of a network."""
    return sum(p.numel() for p in net.parameters() if p.requires_grad)
