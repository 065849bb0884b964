"""The ground truth of colour and noise, from what the camera drew."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ...degradations.camera import Camera
from ...metrics.score import Score
from ...rng import seeded
from ...stats import draws, interval
from ..noise_colour import colour_shift, noise_curve, over_shots
from .numbers import number

N_AGAIN = 3  # shots with the same parameters and new noise


def of_camera(
    drawn: dict[str, Tensor], real: dict[str, Tensor], hi: Tensor, size: int, n_boot: int
) -> dict[str, Any]:
    """What the camera drew, beside what is measured of its shots.

    Args:
        drawn: parameters of the shots, `data.load_camera_params` as tensors.
        real: `numbers.of_pairs` of the shots.
        hi: their HR faces (N, 3, S, S) in [-1, 1].
        size: pixels a side of the shots.
        n_boot: rounds of the bootstrap over faces.

    Returns:
        exposure, warmth, tint -> {"spread": as drawn, "correlation": of what is measured with it};
        "noise alone", what changes between shots with the same parameters and new noise, so that
        JPEG and aliasing play no part; "noise curve", the same over brightness.
    """
    ev = drawn["exposure_ev"].double()[:, None] + drawn["white_balance"].double().log2()
    table: dict[str, Any] = {}
    for name, true in colour_shift(ev).items():
        table[name] = {
            "spread": number(true, "spread", n_boot),
            "correlation": _correlation(true, real[name], n_boot),
        }
    camera = Camera(size=size)
    again = [camera.shoot(hi, drawn, seeded(seed)) for seed in range(N_AGAIN)]
    level, deviation = over_shots(torch.stack(again))
    curve = noise_curve(level, deviation)
    table["noise alone"] = number(deviation.square().mean((0, 2, 3, 4)).sqrt(), "rms", n_boot)
    table["noise curve"] = {"x": curve.x.tolist(), "y": curve.y.tolist()}
    return table


def _correlation(true: Tensor, measured: Tensor, n_boot: int) -> Score:
    both = torch.stack((true, measured), 1)
    resampled = [torch.corrcoef(both[i].T)[0, 1] for i in draws(len(both), n_boot, 0)]
    r = torch.corrcoef(both.T)[0, 1].item()
    return Score(r, interval(torch.stack(resampled)), len(both))
