"""Signs of doubt about a restored face, without its ground truth.

Each is a distance that is larger where less is to be believed:

- misfit: the restored face degraded again by H2L under many z, against the LR picture; the z that
  fits best counts
- spread: restorations of the same picture mirrored, and with a little noise, against the restored
face - round_trip: the restored face degraded by H2L and restored again, against itself -
unlikeness: how unlike HR faces the restored face is

The last three are measured on EfficientNet-Lite0's features. Every picture meets the same z and the
same noise, so that its signs do not depend on what else lies in the folder.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..data.faces import FaceSet, unit_range
from ..errors import HLError
from ..metrics.features import extract_maps
from ..rng import seeded

SIGNS = ("misfit", "spread", "round_trip", "unlikeness")
PIXEL_SIGNS = ("misfit", "pixel_spread")  # those that go with errors in pixels; for comparison
NOISE = 0.03  # of the noisy copies, full scale 1
N_NOISES = 2  # noisy copies
N_TRIPS = 3  # round trips


class HRFeatures(NamedTuple):
    """What HR faces look like to Lite0.

    Attributes:
        mean: (80,), of their features.
        sd: (80,), standard deviation of their features.
        scale: (80,), standard deviation over faces and places.
    """

    mean: Tensor
    sd: Tensor
    scale: Tensor


def hr_features(faces: FaceSet | Tensor) -> HRFeatures:
    """What HR faces look like to Lite0; faces: a FaceSet or float (N, 3, S, S) in [-1, 1].

    Raises HLError for fewer than two.
    """
    if len(faces) < 2:
        raise HLError(f"faces must be at least 2 HR faces, got {len(faces)}: take faces:train-hi")
    maps = extract_maps(faces if isinstance(faces, FaceSet) else unit_range(faces))
    return HRFeatures(maps.mean((0, 2, 3)), maps.mean((2, 3)).std(0), maps.std((0, 2, 3)))


def look_distance(a: Tensor, b: Tensor, hr: HRFeatures) -> Tensor:
    """How different two pictures look.

        sqrt of the mean over features and places of ((a - b) / scale)^2

    Kin to LPIPS, whose weights on people's judgements it lacks: not to be called so. Source: ours.

    Args:
        a: `extract_maps` of pictures (..., 80, h, w).
        b: the same of others, broadcast over the first axes.
        hr: the scale of each feature.

    Returns:
        (...).

    Raises:
        HLError: for maps of another size.
    """
    if a.shape[-3:] != b.shape[-3:] or a.shape[-3] != len(hr.scale):
        raise HLError(
            f"a and b must be feature maps (..., {len(hr.scale)}, h, w) of one size, got "
            f"{tuple(a.shape)} and {tuple(b.shape)}: make both with features.extract_maps"
        )
    return ((a - b) / hr.scale[:, None, None]).square().mean((-3, -2, -1)).sqrt()


def unlikeness(features: Tensor, hr: HRFeatures) -> Tensor:
    """How far features are from those of HR faces: root mean square of their deviations.

    Args:
        features: (B, 80).
        hr: mean and spread of HR faces.

    Returns:
        (B,), in standard deviations.
    """
    return ((features - hr.mean) / hr.sd).square().mean(1).sqrt()


def misfit(x: Tensor, y: Tensor) -> Tensor:
    """Root mean square of what remains of y after the best gain and offset of each channel of x.

        min over a_c, b_c >= 0 of |y_c - a_c - b_c x_c|

    So exposure and white balance, which H2L draws from z, cost nothing.

    Args:
        x: (..., 3, s, s).
        y: the same, broadcast over the first axes.

    Returns:
        (...), in the units of y.
    """
    x, y = (v - v.mean((-2, -1), keepdim=True) for v in (x.double(), y.double()))
    gain = ((x * y).sum((-2, -1)) / x.square().sum((-2, -1)).clamp(min=1e-9)).clamp(min=0)
    return (y - gain[..., None, None] * x).square().mean((-3, -2, -1)).sqrt()


@torch.no_grad()
def signs(
    l2h: Any, h2l: Any, lo: Tensor, hr: HRFeatures, n_z: int = 8, seed: int = 0
) -> tuple[Tensor, dict[str, Tensor]]:
    """Restored faces and the signs of doubt about them.

    Args:
        l2h: a network lo -> hi.
        h2l: a network (hi, z) -> lo with its `cfg`.
        lo: LR pictures (B, 3, s, s) in [-1, 1].
        hr: what HR faces look like.
        n_z: z for each restored face.
        seed: of z and noise.

    Returns:
        Restored faces (B, 3, S, S), and name -> (B,) float64: those of SIGNS, and pixel_spread, the
        spread in pixels less its colour cast (full scale 1), which is not in the trust.
    """
    generator = seeded(seed)
    z = torch.randn(n_z, h2l.cfg.z_dim, generator=generator).to(lo.device)
    noise = torch.randn(N_NOISES, *lo.shape[1:], generator=generator)
    noise = (2 * NOISE * noise).to(lo.device)
    parts = [_signs(l2h, h2l, part, hr, z, noise) for part in lo.split(32)]
    restored = torch.cat([faces for faces, _ in parts])
    names = parts[0][1]
    return restored, {name: torch.cat([found[name] for _, found in parts]) for name in names}


def _signs(
    l2h: Any, h2l: Any, lo: Tensor, hr: HRFeatures, z: Tensor, noise: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """The work of `signs` on one part."""
    n, n_trips = len(lo), min(N_TRIPS, len(z))

    # Each restored face degraded under every z, and some of these restored again.
    restored = l2h(lo)
    again = h2l(restored.repeat_interleave(len(z), 0), z.repeat(n, 1)).unflatten(0, (n, len(z)))
    trips = l2h(again[:, :n_trips].flatten(0, 1)).unflatten(0, (n, n_trips))

    # The same input mirrored, and with a little noise.
    noisy = l2h((lo[:, None] + noise).clamp(-1, 1).flatten(0, 1)).unflatten(0, (n, len(noise)))
    mirrored = l2h(lo.flip(-1)).flip(-1)[:, None]
    spread = torch.cat((mirrored, noisy), 1)

    # How far all of them look from the restored face.
    everything = torch.cat((restored[:, None], trips, spread), 1)
    maps = extract_maps(unit_range(everything.flatten(0, 1)))
    maps = maps.unflatten(0, (n, everything.shape[1]))
    apart = look_distance(maps[:, 1:], maps[:, :1], hr).square()

    # The same spread in pixels, without what is a colour cast.
    change = (spread - restored[:, None]).double()
    change = (change - change.mean((-2, -1), keepdim=True)) / 2
    return restored, {
        "misfit": misfit(again, lo[:, None]).amin(1).cpu(),
        "spread": apart[:, n_trips:].mean(1).sqrt(),
        "round_trip": apart[:, :n_trips].mean(1).sqrt(),
        "unlikeness": unlikeness(maps[:, 0].mean((-2, -1)), hr),
        "pixel_spread": change.square().mean((1, 2, 3, 4)).sqrt().cpu(),
    }
