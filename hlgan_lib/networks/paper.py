"""The three networks of the paper: High-to-Low, Low-to-High, and the discriminator of either size.

What the paper fixes is fixed here (block counts and the size at which each works); what it leaves open is a switch of
`RunConfig`. Sources and their certainty: docs/paper.md.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import RunConfig
from ..errors import HLError
from .blocks import BOTTLENECK, D_NORMS, PAPER, ResBlock, _conv, check_images, norm_layer, unsquash
from .noise_inputs import Grain, LearnedShot, MeasuredJPEG, NoiseInput


class HighToLow(nn.Module):
    """(hi, z) -> lo: the network that learns how the world degrades.

    hi (B, 3, 64, 64) in [-1, 1], z (B, 64) of N(0, 1) -> (B, 3, 16, 16) in [-1, 1]. z passes a fully connected layer
    to one 64x64 channel (`z_input` names other ways: NoiseInput, Grain, LearnedShot); 12 residual blocks in 6 groups
    of 2: four encoder groups 64 -> 32 -> 16 -> 8 -> 4, two decoder groups 4 -> 8 -> 16 by pixel shuffle. For other
    sizes the number of groups follows. Source: paper, section 3.1; a JPEG at the end (`jpeg`) is ours.
    Raises HLError for a wrong shape, or for `shot` without `skip`.
    """

    def __init__(self, cfg: RunConfig = PAPER):
        super().__init__()
        self.cfg = cfg
        self.kinds = set(cfg.z_input.split("+")) - {"none"}
        if "shot" in self.kinds and not cfg.skip:
            raise HLError(
                "z_input shot acts on H2L's shortcut: set skip too, or leave shot out of z_input"
            )
        n_down, n_up = (
            int(math.log2(cfg.size_hi // BOTTLENECK)),
            int(math.log2(cfg.size_lo // BOTTLENECK)),
        )
        w, concat = cfg.h2l_width, "concat" in self.kinds
        if concat:
            self.fc = nn.Linear(cfg.z_dim, cfg.size_hi**2)
        self.stem = _conv(4 if concat else 3, w)
        self.encoder, self.doubles, self.decoder, self.noise = (nn.ModuleList() for _ in range(4))
        size = cfg.size_hi
        for _ in range(n_down):
            blocks, halve = [ResBlock(w, cfg.norm, cfg.order) for _ in range(2)], self._halve(w)
            self.encoder.append(
                nn.Sequential(*(halve + blocks if cfg.down_first else blocks + halve))
            )
            size //= 2
            self.noise.append(NoiseInput(self.kinds, cfg.z_dim, w, size))
        for _ in range(n_up):
            self.doubles.append(nn.Sequential(_conv(w, 4 * w), nn.PixelShuffle(2)))
            self.decoder.append(
                nn.Sequential(*(ResBlock(w, cfg.norm, cfg.order) for _ in range(2)))
            )
            size *= 2
            self.noise.append(NoiseInput(self.kinds, cfg.z_dim, w, size))
        self.grain = Grain(cfg.z_dim, w, cfg.size_lo) if "grain" in self.kinds else None
        self.shot = LearnedShot(cfg.z_dim) if "shot" in self.kinds else None
        self.head = nn.Sequential(norm_layer(cfg.norm, w), nn.ReLU(), _conv(w, 3))
        self.jpeg = MeasuredJPEG() if cfg.jpeg == "measured" else None

    def _halve(self, w: int) -> list[nn.Module]:
        if self.cfg.down == "conv":
            return [norm_layer(self.cfg.norm, w), nn.ReLU(), _conv(w, w, stride=2)]
        return [nn.AvgPool2d(2) if self.cfg.down == "avg" else nn.MaxPool2d(2)]

    def forward(self, hi: Tensor, z: Tensor) -> Tensor:
        check_images(
            "hi",
            hi,
            self.cfg.size_hi,
            "did you pass lo?" if hi.shape[-1:] == (self.cfg.size_lo,) else "",
        )
        if z.shape != (len(hi), self.cfg.z_dim):
            raise HLError(
                f"z must be ({len(hi)}, {self.cfg.z_dim}), one row a picture, got {tuple(z.shape)}"
            )
        x = hi
        if "concat" in self.kinds:
            x = torch.cat([hi, self.fc(z).view(len(z), 1, *hi.shape[2:])], dim=1)
        x = self.stem(x)
        noises, seen = iter(self.noise), {}  # seen: the encoder's features by size
        for group in self.encoder:
            x = next(noises)(group(x), z)
            seen[x.shape[-1]] = x
        for double, group in zip(self.doubles, self.decoder, strict=True):
            x = double(x)
            if self.cfg.skip:
                x = x + seen[x.shape[-1]]
            x = group(next(noises)(x, z))
        y = self.head(self.grain(x, z) if self.grain else x)
        if self.cfg.skip:
            lo = F.adaptive_avg_pool2d(hi, self.cfg.size_lo)
            y = y + (self.shot(lo, z) if self.shot else unsquash(lo))
        lo = torch.tanh(y)
        return self.jpeg(lo, z) if self.jpeg else lo


class _Group(nn.Module):
    """A run of residual blocks under one long skip: y = x + blocks(x)."""

    def __init__(self, n_blocks: int, channels: int, cfg: RunConfig):
        super().__init__()
        self.blocks = nn.Sequential(
            *(ResBlock(channels, cfg.norm, cfg.order) for _ in range(n_blocks))
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.blocks(x)


def _double(c_in: int, c_out: int, norm: str) -> nn.Sequential:
    """Twice the size: bilinear, normalise, activate, 1x1 convolution, as in the released L2H."""
    return nn.Sequential(
        nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
        norm_layer(norm, c_in),
        nn.ReLU(),
        nn.Conv2d(c_in, c_out, 1),
    )


class LowToHigh(nn.Module):
    """lo -> hi: the network that restores.

    lo (B, 3, 16, 16) in [-1, 1] -> (B, 3, 64, 64) in [-1, 1]. Groups of 12, 3 and 2 residual blocks at 16, 32 and 64
    pixels, one long skip over each. Factor 2 leaves out the last group, each doubling beyond 4 adds one of 2 blocks.
    Source: paper, section 3.2; channels 256, 128 from the released code, 64 in line with them. Raises HLError for
    a wrong shape.
    """

    def __init__(self, cfg: RunConfig = PAPER):
        super().__init__()
        self.cfg = cfg
        n_double = int(math.log2(cfg.size_hi // cfg.size_lo))
        n_blocks = [12, 3] + [2] * (n_double - 1)
        widths = [max(cfg.l2h_width >> i, 1) for i in range(n_double + 1)]
        self.stem = _conv(3, widths[0])
        self.groups = nn.ModuleList(
            _Group(n, w, cfg) for n, w in zip(n_blocks, widths, strict=True)
        )
        self.doubles = nn.ModuleList(
            _double(a, b, cfg.norm) for a, b in zip(widths, widths[1:], strict=False)
        )
        self.head = nn.Sequential(norm_layer(cfg.norm, widths[-1]), nn.ReLU(), _conv(widths[-1], 3))

    def forward(self, lo: Tensor) -> Tensor:
        check_images(
            "lo",
            lo,
            self.cfg.size_lo,
            "did you pass hi?" if lo.shape[-1:] == (self.cfg.size_hi,) else "",
        )
        x = self.groups[0](self.stem(lo))
        for double, group in zip(self.doubles, self.groups[1:], strict=True):
            x = group(double(x))
        y = self.head(x)
        if self.cfg.skip:
            y = y + unsquash(
                F.interpolate(lo, size=y.shape[2:], mode="bilinear", align_corners=False)
            )
        return torch.tanh(y)


class _DBlock(nn.Module):
    """A residual block without batch norm; pools both paths when it halves."""

    def __init__(self, channels: int, pool: nn.Module, norm: str):
        super().__init__()
        self.conv1, self.conv2 = (D_NORMS[norm](_conv(channels, channels)) for _ in range(2))
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(x + self.conv2(F.relu(self.conv1(F.relu(x)))))


class Discriminator(nn.Module):
    """Pictures -> one number each, above 0 for real. x (B, 3, size, size) in [-1, 1] -> (B,).

    Six residual blocks with spectral norm on every layer and no batch norm, then a fully connected layer. At 16 pixels
    four blocks keep the size and two halve it; at 64 two keep and four halve: both end at 4x4. Source: paper, 3.
    Raises HLError for a wrong shape.
    """

    def __init__(
        self,
        size: int = 64,
        width: int = 128,
        pool: str = "avg",
        opponent: bool = False,
        norm: str = "spectral",
    ):
        super().__init__()
        self.opponent = opponent
        n_halve = int(math.log2(size // BOTTLENECK))
        n_keep = max(6 - n_halve, 0)
        halve = nn.AvgPool2d(2) if pool == "avg" else nn.MaxPool2d(2)
        self.size = size
        self.stem = D_NORMS[norm](_conv(3, width))
        self.blocks = nn.Sequential(
            *(
                _DBlock(width, nn.Identity() if i < n_keep else halve, norm)
                for i in range(n_keep + n_halve)
            )
        )
        self.fc = D_NORMS[norm](nn.Linear(width * BOTTLENECK**2, 1))

    def forward(self, x: Tensor) -> Tensor:
        check_images("x", x, self.size)
        x = opponent_colours(x) if self.opponent else x
        features = F.relu(self.blocks(self.stem(x))).flatten(1)
        # Scores in float32: of a float16 one the gradient of a scaled loss would overflow.
        return self.fc(features).squeeze(1).float()


def opponent_colours(x: Tensor, gain: float = 4.0) -> Tensor:
    """RGB (B, 3, S, S) -> luminance, blue-yellow and green-magenta, the last two times `gain`. Ours.

    Colour detail is faint beside that of luminance, and spectral norm forbids a first layer to amplify it: without
    this, D overlooks what JPEG's chroma subsampling leaves.
    """
    red, green, blue = x.unbind(1)
    return torch.stack(
        [(red + green + blue) / 3, gain * (red - blue) / 2, gain * (2 * green - red - blue) / 4],
        dim=1,
    )


class CoarseDiscriminator(nn.Module):
    """Judges light and colour alone: a picture pooled to 4x4, luminance and colour differences, three linear layers.

    (B, 3, S, S) in [-1, 1] -> (B,).
    What `Discriminator` finds in texture drowns how far exposure and colour wander from shot to shot; here they have a
    score of their own. Ours, after the discriminators at several scales of 1711.11585.
    """

    size = BOTTLENECK

    def __init__(self, width: int = 64, norm: str = "spectral"):
        super().__init__()
        linear = lambda a, b: D_NORMS[norm](nn.Linear(a, b))  # noqa: E731
        self.body = nn.Sequential(
            nn.Flatten(),
            linear(3 * BOTTLENECK**2, width),
            nn.LeakyReLU(0.2),
            linear(width, width),
            nn.LeakyReLU(0.2),
            linear(width, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return (
            self.body(opponent_colours(F.adaptive_avg_pool2d(x, BOTTLENECK)) * 4).squeeze(1).float()
        )
