"""Why a restored face failed: each case beside the causes that can be measured.

A cause is a number that is large in a bad case. A case has the cause where its number exceeds that
of nine in ten shots of another set (`limits`), so that by chance a tenth of all shots have it. A
case may have several, or none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..analysis.blur import blur_fit
from ..analysis.noise_colour import colour_gains, colour_shift
from ..data.faces import unit_range
from ..degradations.camera import Camera
from ..degradations.optics import srgb_decode
from ..errors import HLError
from ..metrics.features import extract_maps
from ..stats import draws, interval
from .signs import HRFeatures, unlikeness

CAUSES = {
    "dark": "exposure cut or clipped: stops of light lost",
    "bright": "exposure raised: stops of light gained",
    "cast": "white balance: stops of warmth and tint, either way",
    "blur": "width of the blur that explains the shot, pixels of the HR face",
    "coarse": "few photosites: the share that the sensor lacks of the most it could have",
    "noise": "noise over light at the face's mean light, averaged to the LR picture's pixels",
    "JPEG": "strength of the last compression: 100 less its quality",
    "rare face": "the true face unlike the training faces: pose, glasses, hair, hands, background",
}


def causes(hi: Tensor, lo: Tensor, params: Mapping[str, Any], hr: HRFeatures) -> dict[str, Tensor]:
    """The numbers behind CAUSES for pairs and what the camera drew for them.

    Light, colour and blur are measured on the pictures (analysis), since tone, clipping and resizes
    change them too; noise, JPEG and sensor are the camera's own numbers, since pictures of 16x16
    pixels cannot tell these apart.

    Args:
        hi: HR faces (B, 3, S, S) in [-1, 1].
        lo: the camera's shots of them (B, 3, s, s) in [-1, 1].
        params: as of `data.load_camera_params`.
        hr: what HR faces look like.

    Returns:
        name -> (B,) float64.

    Raises:
        HLError: where the sets differ in length.
    """
    p = {name: torch.as_tensor(values).double() for name, values in params.items()}
    sensor = p["sensor_px"]
    if not len(hi) == len(lo) == len(sensor):
        raise HLError(
            f"hi, lo and params must be of the same shots, got {len(hi)}, {len(lo)} and "
            f"{len(sensor)}: cut all three alike"
        )
    shift = colour_shift(colour_gains(hi, lo))
    light = srgb_decode(unit_range(hi.cpu().double())).mean((1, 2, 3)) * 2 ** p["exposure_ev"]
    variance = p["shot_gain"] * light + p["read_sigma"] ** 2
    features = extract_maps(unit_range(hi)).mean((2, 3))
    return {
        "dark": -shift["exposure"],
        "bright": shift["exposure"],
        "cast": torch.hypot(shift["warmth"], shift["tint"]),
        "blur": blur_fit(hi, lo).width,
        "coarse": 1 - sensor / Camera.sensor_px[1],
        "noise": variance.sqrt() / light * lo.shape[-1] / sensor,
        "JPEG": 100 - p["site_quality"],
        "rare face": unlikeness(features, hr),
    }


def limits(numbers: Mapping[str, Tensor], share: float = 0.1) -> dict[str, float]:
    """The number of each cause that `share` of the shots exceed.

    Args:
        numbers: cause -> its number of each image (N,).
        share: of the images, 0 to 1.

    Returns:
        Cause -> limit.
    """
    if not 0 < share < 1:
        raise HLError(f"share must be between 0 and 1, got {share}: 0.1 is a tenth")
    quantile = 1 - share
    return {name: torch.quantile(v.double(), quantile).item() for name, v in numbers.items()}


def triage(numbers: Mapping[str, Tensor], limit: Mapping[str, float]) -> dict[str, Tensor]:
    """Which image has which cause.

    Args:
        numbers: cause -> its number of each image (B,).
        limit: cause -> the number that it exceeds.

    Returns:
        Cause -> bool (B,).

    Raises:
        HLError: for causes without a limit.
    """
    missing = set(numbers) - set(limit)
    if missing:
        raise HLError(
            f"limit must hold {', '.join(sorted(numbers))}, got none for "
            f"{', '.join(sorted(missing))}: make it with triage.limits"
        )
    return {name: values > limit[name] for name, values in numbers.items()}


def counts(
    has: Mapping[str, Tensor], failed: Tensor, n_boot: int = 500, seed: int = 0
) -> dict[str, dict]:
    """How many cases and failures have each cause, and how much more often failures do.

        times = P(cause | failed) / P(cause)

    1: the cause has nothing to do with failing. Failures with several causes count under each.

    Args:
        has: name -> bool (B,), as `triage` gives.
        failed: bool (B,).
        n_boot: rounds of the bootstrap over cases.
        seed: of the rounds.

    Returns:
        name -> {all, failed, times, ci}; none: no cause was found.

    Raises:
        HLError: where nothing failed.
    """
    if not failed.any():
        raise HLError("failed must hold at least one failure, got none: give more cases")
    failed = failed.cpu()
    index = draws(len(failed), n_boot, seed)
    index = index[failed[index].any(1)]
    no_cause = ~torch.stack(list(has.values())).any(0)
    table = {}
    for name, of_cause in {**has, "none": no_cause}.items():
        case = of_cause.cpu()
        n_all, n_failed = int(case.sum()), int((case & failed).sum())
        times = ci = None
        if n_all:
            times = n_failed * len(case) / (int(failed.sum()) * n_all)
            both, f, c = (x.double()[index].mean(1) for x in (case & failed, failed, case))
            ci = interval((both / (f * c))[c > 0])
        table[name] = {"all": n_all, "failed": n_failed, "times": times, "ci": ci}
    return table


def labels(has: Mapping[str, Tensor]) -> list[str]:
    """The causes of each case in words, in the order of CAUSES, or "none"."""
    n = len(next(iter(has.values())))
    words = []
    for i in range(n):
        causes_of_case = [name for name, case in has.items() if case[i]]
        words.append(", ".join(causes_of_case) or "none")
    return words
