"""The estimators on the camera's own shots: does what they measure follow what the camera drew?"""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import HLError
from .blur import blur_fit
from .jpeg_traces import SUBSAMPLED, chroma_detail, jpeg_grid
from .noise_colour import colour_gains, colour_shift
from .validation import Estimate


def validate_on_camera(hi: Tensor, lo: Tensor, drawn: dict[str, Tensor]) -> list[Estimate]:
    """Correlation of what is measured of shots with what the camera drew; JPEG in its own units.

    A correlation of 1 is not within reach: blur_fit sees one round blur where the camera drags and
    defocuses, colour passes a tone curve and clips.

    Args:
        hi: HR faces (N, 3, S, S) in [-1, 1].
        lo: the camera's shots of them (N, 3, s, s) in [-1, 1].
        drawn: `data.load_camera_params` of these shots, as tensors.

    Returns:
        A row for each estimator.

    Raises:
        HLError: for sets of other shots.
    """
    if len(hi) != len(lo) or len(lo) != len(drawn["sensor_px"]):
        raise HLError(
            f"hi, lo and drawn must be of the same shots, got {len(hi)}, {len(lo)} and "
            f"{len(drawn['sensor_px'])}: take all three of faces:val or faces:test"
        )
    return [*_blur(hi, lo, drawn), *_colour(hi, lo, drawn), *_jpeg(lo, drawn)]


def _correlation(a: Tensor, b: Tensor) -> float:
    return torch.corrcoef(torch.stack((a.double(), b.double())))[0, 1].item()


def _blur(hi: Tensor, lo: Tensor, drawn: dict[str, Tensor]) -> list[Estimate]:
    """Variances add: a line of the drag, a disc of the defocus, squares of both pixels."""
    grain = hi.shape[-1] / drawn["sensor_px"].double()
    width = drawn["motion_px"] ** 2 / 24 + drawn["defocus_px"] ** 2 / 4 + grain**2 / 12 + 16 / 12
    r = _correlation(width.log(), blur_fit(hi, lo).width.log())
    what = "log width and the camera's drag, defocus and pixels"
    return [Estimate("blur_fit", what, 1.0, r, "correlation")]


def _colour(hi: Tensor, lo: Tensor, drawn: dict[str, Tensor]) -> list[Estimate]:
    ev = drawn["exposure_ev"][:, None] + drawn["white_balance"].log2()
    measured = colour_shift(colour_gains(hi, lo))
    rows = []
    for name, true in colour_shift(ev).items():
        r = _correlation(true, measured[name])
        rows.append(Estimate("colour_shift", f"{name} and the camera's", 1.0, r, "correlation"))
    return rows


def _jpeg(lo: Tensor, drawn: dict[str, Tensor]) -> list[Estimate]:
    grid = jpeg_grid(lo)
    at_place = grid.found & (grid.phase == -drawn["site_offset"] % 8).all(1)
    found = at_place.double().mean().item()
    held = ~grid.quality.isnan()
    true = drawn["site_quality"][held].double().mean().item()
    quality = grid.quality[held].mean().item()
    right = (chroma_detail(lo) < SUBSAMPLED) == drawn["site_subsampled"]
    told = right.double().mean().item()
    what = f"quality, mean of {int(held.sum())} of {len(lo)} pictures"
    return [
        Estimate("jpeg_grid", "grid found at its place", 1.0, found, "share"),
        Estimate("jpeg_grid", what, true, quality, "of 100"),
        Estimate("chroma_detail", "4:2:0 or not, told rightly", 1.0, told, "share"),
    ]
