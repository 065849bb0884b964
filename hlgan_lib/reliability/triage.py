"""Why a restored face failed: each case beside the causes that can be measured, and how often each cause comes along.

A cause is a number that is large in a bad case. A case has the cause where its number exceeds that of nine in ten shots
of another set (`limits`), so that by chance a tenth of all shots have it. A case may have several, or none.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ..analysis.blur import blur_fit
from ..analysis.noise_colour import colour_gains, colour_shift
from ..degradations.camera import Camera
from ..degradations.optics import srgb_decode
from ..errors import HLError
from ..metrics.features import extract_maps
from ..stats import draws, interval
from .trust import Sharp

CAUSES = {
    "dark": "exposure cut or clipped: stops of light lost",
    "bright": "exposure raised: stops of light gained",
    "cast": "white balance: stops of warmth and tint, either way",
    "blur": "width of the blur that explains the shot, pixels of the sharp face",
    "coarse": "few photosites: the share that the sensor lacks of the most it could have",
    "noise": "noise over light at the face's mean light, averaged to the small picture's pixels",
    "JPEG": "strength of the last compression: 100 less its quality",
    "rare face": "the true face unlike the training faces: pose, glasses, hair, hands, background",
}


def causes(hi: Tensor, lo: Tensor, params: Mapping[str, Tensor], sharp: Sharp) -> dict[str, Tensor]:
    """The numbers behind CAUSES for pairs in [-1, 1] and what the camera drew for them, name -> (B,) float64.

    params as of `data.load_camera_params`. Light, colour and blur are measured on the pictures (analysis), since tone,
    clipping and resizes change them too; noise, JPEG and sensor are the camera's own numbers, since pictures of 16x16
    pixels cannot tell these apart. HLError where the sets differ in length.
    """
    p = {k: torch.as_tensor(v).double() for k, v in params.items()}
    if not len(hi) == len(lo) == len(p["sensor_px"]):
        raise HLError(
            f"hi, lo and params must be of the same shots, got {len(hi)}, {len(lo)} and "
            f"{len(p['sensor_px'])}: cut all three alike"
        )
    shift = colour_shift(colour_gains(hi, lo))
    light = srgb_decode((hi.cpu().double() + 1) / 2).mean((1, 2, 3)) * 2 ** p["exposure_ev"]
    noise = (
        (p["shot_gain"] * light + p["read_sigma"] ** 2).sqrt()
        / light
        * lo.shape[-1]
        / p["sensor_px"]
    )
    maps = extract_maps((hi + 1) / 2).mean((2, 3))
    return {
        "dark": -shift["exposure"],
        "bright": shift["exposure"],
        "cast": torch.hypot(shift["warmth"], shift["tint"]),
        "blur": blur_fit(hi, lo).width,
        "coarse": 1 - p["sensor_px"] / Camera.sensor_px[1],
        "noise": noise,
        "JPEG": 100 - p["site_quality"],
        "rare face": ((maps - sharp.mean) / sharp.sd).square().mean(1).sqrt(),
    }


def limits(numbers: Mapping[str, Tensor], share: float = 0.1) -> dict[str, float]:
    """The number of each cause that `share` of the shots exceed."""
    if not 0 < share < 1:
        raise HLError(f"share must be between 0 and 1, got {share}")
    return {k: torch.quantile(v.double(), 1 - share).item() for k, v in numbers.items()}


def triage(numbers: Mapping[str, Tensor], limit: Mapping[str, float]) -> dict[str, Tensor]:
    """Which case has which cause: name -> bool (B,). HLError for causes without a limit."""
    if missing := set(numbers) - set(limit):
        raise HLError(
            f"limit must hold {', '.join(sorted(numbers))}, got none for {', '.join(sorted(missing))}"
        )
    return {k: v > limit[k] for k, v in numbers.items()}


def counts(
    has: Mapping[str, Tensor], failed: Tensor, n_boot: int = 500, seed: int = 0
) -> dict[str, dict]:
    """For each cause: how many cases and failures have it, and times, how much more often failures do than all cases.

    times = P(cause | failed) / P(cause), with a bootstrap interval over cases; 1: the cause has nothing to do with
    failing. none: no cause was found. Failures with several causes count under each.
    """
    if not failed.any():
        raise HLError("failed must hold at least one failure, got none")
    failed, table = failed.cpu(), {}
    index = draws(len(failed), n_boot, seed)
    index = index[failed[index].any(1)]
    for name, case in {**has, "none": ~torch.stack(list(has.values())).any(0)}.items():
        case = case.cpu()
        both, f, c = (x.double()[index].mean(1) for x in (case & failed, failed, case))
        row = {
            "all": int(case.sum()),
            "failed": int((case & failed).sum()),
            "times": None,
            "ci": None,
        }
        if row["all"]:
            row["times"] = row["failed"] * len(case) / (int(failed.sum()) * row["all"])
            row["ci"] = interval((both / (f * c))[c > 0])
        table[name] = row
    return table


def labels(has: Mapping[str, Tensor]) -> list[str]:
    """The causes of each case in words, in the order of CAUSES, or "none"."""
    return [
        ", ".join(k for k, v in has.items() if v[i]) or "none"
        for i in range(len(next(iter(has.values()))))
    ]
