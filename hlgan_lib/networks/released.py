"""The authors' released Low-to-High network, key for key, so that their `model.pkl` loads.

It differs from the paper's figure: 12 + 3 residual blocks instead of 12 + 3 + 2, and a head of its
own. The real file was not at hand when this was written: a checkpoint made by this class
round-trips, the authors' own is untested.
Source: the class GEN_DEEP in github.com/jingyang2017/Face-and-Image-super-resolution.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.torch_version import TorchVersion

from ..config import RunConfig
from ..errors import HLError
from ..files import check_zip, user_path

# Before it a crafted file could write over memory, plain tensors asked for or not (CVE-2026-24747).
SAFE_TORCH = "2.10"


class _Block(nn.Module):
    """x + conv(relu(bn(conv(relu(bn(x)))))), convolutions without bias."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(torch.relu(self.bn1(x)))
        return x + self.conv2(torch.relu(self.bn2(y)))


class ReleasedLowToHigh(nn.Module):
    """lo (B, 3, 16, 16) in [-1, 1] -> hi (B, 3, 64, 64) in [-1, 1]; 15,490,403 parameters.

    12 blocks of 256 channels at 16 pixels, 3 of 128 at 32; `a1` reduces the long skip over the
    second group, `a2` is never used but belongs to the checkpoint. Both groups are followed by
    bilinear x2 (align_corners), batch norm, ReLU and a 1x1 transposed convolution.
    """

    def __init__(self) -> None:
        super().__init__()
        self.cfg = RunConfig()
        self.a1 = nn.Sequential(nn.Conv2d(256, 128, 1))
        self.a2 = nn.Sequential(nn.Conv2d(128, 96, 1))
        self.layers_in = nn.Conv2d(3, 256, 3, padding=1, bias=False)
        self.layers_set_final = nn.ModuleList(
            [
                nn.Sequential(*(_Block(256) for _ in range(12))),
                nn.Sequential(_FirstBlock(256, 128), _Block(128), _Block(128)),
            ]
        )
        self.layers_set_final_up = nn.ModuleList(
            nn.Sequential(
                nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
                nn.BatchNorm2d(c),
                nn.ReLU(),
                nn.ConvTranspose2d(c, c, 1),
            )
            for c in (256, 128)
        )
        self.main = nn.Sequential(
            nn.Conv2d(128, 96, 3, padding=1, bias=False),
            nn.ReLU(),
            nn.Conv2d(96, 96, 1),
            nn.ReLU(),
            nn.Conv2d(96, 3, 1),
            nn.Tanh(),
        )

    def forward(self, lo: Tensor) -> Tensor:
        """lo: (B, 3, 16, 16) in [-1, 1] -> hi: (B, 3, 64, 64) in [-1, 1]."""
        x = self.layers_in(lo)
        x = self.layers_set_final_up[0](x + self.layers_set_final[0](x))
        x = self.layers_set_final_up[1](self.a1(x) + self.layers_set_final[1](x))
        return self.main(x)

    @classmethod
    def load(cls, path: str | Path) -> ReleasedLowToHigh:
        """The network with the weights of a `model.pkl`; nothing in the file is executed.

        Args:
            path: the authors' file.

        Returns:
            The network, its weights as stored.

        Raises:
            HLError: for a file of another kind, for other weights, and where torch is too old to
                read what a stranger wrote.
        """
        path = user_path(path)
        if TorchVersion(torch.__version__) < SAFE_TORCH:
            raise HLError(
                f"{path} needs torch 2.10 or newer, got {torch.__version__}: a crafted file could "
                "run its own code in older ones (CVE-2026-24747); upgrade torch, or give weights "
                "as .safetensors"
            )
        try:
            check_zip(path)
            state = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # a stranger's file raises whatever the unpickler meets first
            raise HLError(
                f"{path} is not a checkpoint of plain tensors ({type(error).__name__}): expected "
                "the authors' model.pkl, or a .safetensors file or run folder of this package"
            ) from error
        for key in ("state_dict", "model"):
            if isinstance(state, dict) and isinstance(state.get(key), dict):
                state = state[key]
        net = cls()
        try:
            net.load_state_dict({k.removeprefix("module."): v for k, v in state.items()})
        except (RuntimeError, AttributeError, TypeError) as error:
            raise HLError(
                f"{path} does not hold the authors' released L2H (15,490,403 parameters): give its "
                "run folder or .safetensors file if it was trained with this package"
            ) from error
        return net


class _FirstBlock(_Block):
    """A block that changes the number of channels; a 1x1 convolution carries the skip."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__(c_out)
        self.conv1 = nn.Conv2d(c_in, c_out, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(c_in)
        self.skip = nn.Conv2d(c_in, c_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(torch.relu(self.bn1(x)))
        return self.skip(x) + self.conv2(torch.relu(self.bn2(y)))
