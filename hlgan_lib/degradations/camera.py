"""Camera, a simulated bad camera with a known truth: light, lens, sensor, noise, tone, resizes, JPEG."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import HLError
from ..rng import Draws
from .handmade import check_hi
from .jpeg import jpeg_inside_photograph
from .optics import (
    KERNELS,
    apply,
    blur,
    integration,
    psf,
    resampling,
    srgb_decode,
    srgb_encode,
    tone,
)


class Shot(NamedTuple):
    """A poor picture lo (B, 3, s, s) in [-1, 1] and params, everything the camera drew: name -> (B, ...)."""

    lo: Tensor
    params: dict[str, Tensor]


@dataclass(frozen=True)
class Camera:
    """A bad camera in a crowd: light, lens, sensor, noise, tone, resizes, JPEG, all drawn anew for each shot.

    Camera()(hi, generator) -> Shot. Lengths in pixels are of a 64x64 face and 16x16 picture; others scale.
    Source: ours; the ranges were set by eye before any score was known.
    """

    size: int = 16  # side of the poor picture, pixels
    exposure_ev: tuple = (-1.1, 0.7)  # stops, triangular
    warmth_ev: tuple = (-0.42, 0.42)  # stops of red over, blue under; triangular
    tint_ev: tuple = (-0.12, 0.12)  # stops of green; triangular
    motion_px: tuple = (8.0, 2.5)  # longest drag, and the power that makes it rare
    defocus_px: tuple = (3.4, 1.6)  # largest radius, and the power that makes it rare
    sensor_px: tuple = (16, 40)  # photosites across the face, uniform
    shot_gain: tuple = (0.0005, 0.02)  # variance of shot noise = gain * light; log-uniform
    read_sigma: tuple = (0.002, 0.02)  # light, full scale 1; log-uniform
    gamma: tuple = (0.8, 1.25)  # exponent after the sRGB curve; triangular
    contrast: tuple = (0.75, 1.35)  # slope at mid grey of the tone curve; triangular
    p_two_resizes: float = 0.5
    p_camera_jpeg: float = 0.6  # a first JPEG, before the resizes
    camera_quality: tuple = (45, 95)
    site_quality: tuple = (40, 95)  # the last JPEG, always
    p_subsampled: float = 0.6  # 4:2:0 chroma

    def draw(
        self, n: int, generator: torch.Generator, device: torch.device | str = "cpu"
    ) -> dict[str, Tensor]:
        """The parameters of n shots, name -> (n, ...) on device."""
        draws = Draws(n, generator, torch.device(device))
        warmth, tint = draws.middling(*self.warmth_ev), draws.middling(*self.tint_ev)
        sensor = draws.integer(
            self.sensor_px[0] * self.size // 16, self.sensor_px[1] * self.size // 16
        )
        two, first = draws.chance(self.p_two_resizes), draws.chance(self.p_camera_jpeg)
        between = self.size + (draws.uniform(0, 1) * (sensor - self.size + 1)).long().clamp(min=0)
        return {
            "exposure_ev": draws.middling(*self.exposure_ev),
            "white_balance": 2 ** torch.stack((warmth, tint, -warmth), 1),  # gains of R, G, B
            "motion_px": draws.mild(*self.motion_px),
            "motion_angle": draws.uniform(0, torch.pi),  # radians from the rows, downwards
            "defocus_px": draws.mild(*self.defocus_px),
            "sensor_px": sensor,
            "shot_gain": draws.log_uniform(*self.shot_gain),
            "read_sigma": draws.log_uniform(*self.read_sigma),
            "gamma": draws.middling(*self.gamma),
            "contrast": draws.middling(*self.contrast),
            "camera_quality": torch.where(
                first, draws.integer(*self.camera_quality), 0
            ),  # 0: no first JPEG
            "camera_subsampled": draws.chance(self.p_subsampled),
            "camera_offset": draws.integer(0, 15, 2),  # rows, columns from the block grid
            "between_px": torch.where(two, between, sensor),  # equal to sensor_px: one resize
            "kernel_1": draws.integer(0, len(KERNELS) - 1),
            "kernel_2": draws.integer(0, len(KERNELS) - 1),
            "site_quality": draws.integer(*self.site_quality),
            "site_subsampled": draws.chance(self.p_subsampled),
            "site_offset": draws.integer(0, 15, 2),
        }

    def shoot(self, hi: Tensor, params: dict[str, Tensor], generator: torch.Generator) -> Tensor:
        """One picture of each face with the given parameters; the generator makes the noise.

        light = gains * 2^ev * decode(hi);   photo = S (light * psf) S^T;   photo += sqrt(gain photo + read^2) n
        value = contrast(encode(photo)^gamma);   lo = JPEG(resize(resize(JPEG(value)))), rounded to 8 bits
        hi (B, 3, n, n) in [-1, 1] -> (B, 3, size, size) in [-1, 1], on the device of hi.
        """
        check_hi(hi, self.size)
        p, draws, unit = params, Draws(len(hi), generator, hi.device), hi.shape[-1] / 64
        per = lambda name: p[name].float().reshape(-1, 1, 1, 1)  # noqa: E731
        light = (
            srgb_decode((hi.float() + 1) / 2)
            * p["white_balance"][:, :, None, None]
            * 2 ** per("exposure_ev")
        )

        half = int((self.motion_px[0] / 2 + self.defocus_px[0]) * unit) + 1
        light = blur(
            light, psf(p["motion_px"] * unit, p["motion_angle"], p["defocus_px"] * unit, half)
        )

        n = self.sensor_px[1] * self.size // 16
        photo = apply(integration(hi.shape[-1], p["sensor_px"], n), light)
        variance = per("shot_gain") * photo + per("read_sigma") ** 2
        photo = (photo + variance.sqrt() * draws.normal(3, n, n)).clamp(0, 1)

        value = srgb_encode(photo) ** per("gamma")
        value = tone(value, per("contrast"))

        quality = p["camera_quality"]
        coded = jpeg_inside_photograph(
            value, p["sensor_px"], quality, p["camera_subsampled"], p["camera_offset"]
        )
        value = torch.where((quality > 0)[:, None, None, None], coded, value)
        value = apply(resampling(p["sensor_px"], p["between_px"], p["kernel_1"], n, n), value)
        out = torch.full_like(p["sensor_px"], self.size)
        value = apply(resampling(p["between_px"], out, p["kernel_2"], self.size, n), value).clamp(
            0, 1
        )
        value = jpeg_inside_photograph(
            value, out, p["site_quality"], p["site_subsampled"], p["site_offset"]
        )
        return torch.round(value * 255) / 127.5 - 1

    @torch.no_grad()
    def __call__(self, hi: Tensor, generator: torch.Generator) -> Shot:
        """Draw the parameters of len(hi) shots and take them; the same generator state gives the same pixels."""
        check_hi(hi, self.size)
        params = self.draw(len(hi), generator, hi.device)
        return Shot(self.shoot(hi, params, generator), params)


def lacking(**fixed: float) -> Callable[[Tensor, torch.Generator], Tensor]:
    """The camera with some parameters the same in every shot, such as motion_px=0: a function (hi, generator) -> lo.

    fixed: names of `Camera.draw` and values. For experiments in which one thing is missing. Raises HLError for another
    name, at the first shot.
    """
    camera = Camera()

    def shoot(hi: Tensor, generator: torch.Generator) -> Tensor:
        drawn = camera.draw(len(hi), generator, hi.device)
        if unknown := fixed.keys() - drawn.keys():
            raise HLError(
                f"fixed must name parameters of the camera ({', '.join(drawn)}), got {min(unknown)!r}"
            )
        return camera.shoot(
            hi, drawn | {k: torch.full_like(drawn[k], v) for k, v in fixed.items()}, generator
        )

    return torch.no_grad()(shoot)
