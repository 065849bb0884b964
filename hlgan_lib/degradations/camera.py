"""Camera, a simulated bad camera whose numbers are known: the ground truth of this library.

The shipped LR images were taken by it. Training sees its images only; what it drew for each shot is
kept aside, so that "did H2L learn the degradation?" has a score.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ..data.faces import unit_range
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
    """What the camera took.

    Attributes:
        lo: the LR images, (B, 3, s, s) in [-1, 1].
        params: everything the camera drew for them, name -> (B, ...), as in `Camera.draw`.
    """

    lo: Tensor
    params: dict[str, Tensor]


@dataclass(frozen=True)
class Camera:
    """A bad camera in a crowd: light, lens, sensor, noise, tone, resizes, JPEG.

    `Camera()(hi, generator)` takes a Shot of each face, all of it drawn anew.
    Lengths in pixels are of a 64x64 face and a 16x16 image; for other sizes they scale. A pair is
    (low, high), or (largest, power) of largest * u^power with u uniform: large values are rare.

    Attributes:
        size: side of the LR image, pixels.
        exposure_ev: stops of light; triangular.
        warmth_ev: stops of red over, of blue under; triangular.
        tint_ev: stops of green; triangular.
        motion_px: longest drag, and its power.
        defocus_px: largest radius, and its power.
        sensor_px: photosites across the face; uniform.
        shot_gain: variance of shot noise a unit of light; log-uniform.
        read_sigma: standard deviation of read noise, full scale 1; log-uniform.
        gamma: exponent after the sRGB curve; triangular.
        contrast: slope at mid grey of the tone curve; triangular.
        p_two_resizes: chance of an intermediate size.
        p_camera_jpeg: chance of a first JPEG, before the resizes.
        camera_quality: of the first JPEG, 1..100; uniform.
        site_quality: of the last JPEG, which is always there; uniform.
        p_subsampled: chance of 4:2:0 chroma, of either JPEG.

    Source: ours; the ranges were set by eye before any score was known.
    """

    size: int = 16
    exposure_ev: tuple[float, float] = (-1.1, 0.7)
    warmth_ev: tuple[float, float] = (-0.42, 0.42)
    tint_ev: tuple[float, float] = (-0.12, 0.12)
    motion_px: tuple[float, float] = (8.0, 2.5)
    defocus_px: tuple[float, float] = (3.4, 1.6)
    sensor_px: tuple[int, int] = (16, 40)
    shot_gain: tuple[float, float] = (0.0005, 0.02)
    read_sigma: tuple[float, float] = (0.002, 0.02)
    gamma: tuple[float, float] = (0.8, 1.25)
    contrast: tuple[float, float] = (0.75, 1.35)
    p_two_resizes: float = 0.5
    p_camera_jpeg: float = 0.6
    camera_quality: tuple[int, int] = (45, 95)
    site_quality: tuple[int, int] = (40, 95)
    p_subsampled: float = 0.6

    def draw(
        self, n: int, generator: torch.Generator, device: torch.device | str = "cpu"
    ) -> dict[str, Tensor]:
        """Draw the parameters of n shots.

        Args:
            n: how many.
            generator: where the numbers come from, on any device.
            device: where they are needed.

        Returns:
            name -> (n,), in the units of the class; but for `white_balance`, the gains of red,
            green and blue (n, 3), and the offsets of the faces from the JPEGs' block grids (n, 2),
            rows and columns, 0..15.
        """
        draws = Draws(n, generator, torch.device(device))
        warmth = draws.middling(*self.warmth_ev)
        tint = draws.middling(*self.tint_ev)
        fewest, most = self.sensor_px
        sensor = draws.integer(fewest * self.size // 16, most * self.size // 16)
        two = draws.chance(self.p_two_resizes)
        first = draws.chance(self.p_camera_jpeg)
        between = (draws.uniform(0, 1) * (sensor - self.size + 1)).long().clamp(min=0)
        return {
            "exposure_ev": draws.middling(*self.exposure_ev),
            "white_balance": 2 ** torch.stack((warmth, tint, -warmth), 1),
            "motion_px": draws.mild(*self.motion_px),
            "motion_angle": draws.uniform(0, torch.pi),  # radians from the rows, downwards
            "defocus_px": draws.mild(*self.defocus_px),
            "sensor_px": sensor,
            "shot_gain": draws.log_uniform(*self.shot_gain),
            "read_sigma": draws.log_uniform(*self.read_sigma),
            "gamma": draws.middling(*self.gamma),
            "contrast": draws.middling(*self.contrast),
            # quality 0: no first JPEG
            "camera_quality": torch.where(first, draws.integer(*self.camera_quality), 0),
            "camera_subsampled": draws.chance(self.p_subsampled),
            "camera_offset": draws.integer(0, 15, 2),
            # equal to sensor_px: one resize
            "between_px": torch.where(two, self.size + between, sensor),
            "kernel_1": draws.integer(0, len(KERNELS) - 1),
            "kernel_2": draws.integer(0, len(KERNELS) - 1),
            "site_quality": draws.integer(*self.site_quality),
            "site_subsampled": draws.chance(self.p_subsampled),
            "site_offset": draws.integer(0, 15, 2),
        }

    def shoot(self, hi: Tensor, params: dict[str, Tensor], generator: torch.Generator) -> Tensor:
        """Take one shot of each face with the given parameters; the generator makes the noise.

        light = gains 2^ev decode(hi)
        photo = S (light * psf) S^T
        photo += sqrt(gain photo + read^2) n
        value = contrast(encode(photo)^gamma)
        lo = JPEG(resize(resize(JPEG(value)))), in 8 bits

        Args:
            hi: (B, 3, n, n) in [-1, 1].
            params: as `draw` gives them, on the device of hi.
            generator: draws the noise, on any device.

        Returns:
            lo: (B, 3, size, size) in [-1, 1].

        Raises:
            HLError: for a wrong shape.
        """
        check_hi(hi, self.size)
        p = params
        draws = Draws(len(hi), generator, hi.device)
        unit = hi.shape[-1] / 64

        # Light: sRGB values are not proportional to it, and what follows is.
        light = srgb_decode(unit_range(hi.float()))
        light = light * p["white_balance"][:, :, None, None] * 2 ** _each(p["exposure_ev"])

        # Lens: out of focus, and moved while the shutter was open.
        half = int((self.motion_px[0] / 2 + self.defocus_px[0]) * unit) + 1
        kernels = psf(p["motion_px"] * unit, p["motion_angle"], p["defocus_px"] * unit, half)
        light = blur(light, kernels)

        # Sensor: each photosite sums the light that falls on it. All images share a canvas of n
        # rows, of which the first sensor_px hold the face.
        n = self.sensor_px[1] * self.size // 16
        photo = apply(integration(hi.shape[-1], p["sensor_px"], n), light)

        # Noise: photons are counted (shot noise grows with light), and reading them adds its own.
        variance = _each(p["shot_gain"]) * photo + _each(p["read_sigma"]) ** 2
        photo = (photo + variance.sqrt() * draws.normal(3, n, n)).clamp(0, 1)

        # Tone: the maker's curves, from light to values.
        value = srgb_encode(photo) ** _each(p["gamma"])
        value = tone(value, _each(p["contrast"]))

        # File: most cameras save a JPEG.
        quality = p["camera_quality"]
        coded = jpeg_inside_photograph(
            value, p["sensor_px"], quality, p["camera_subsampled"], p["camera_offset"]
        )
        value = torch.where((quality > 0)[:, None, None, None], coded, value)

        # Web site: resized once or twice, then a JPEG again.
        out = torch.full_like(p["sensor_px"], self.size)
        value = apply(resampling(p["sensor_px"], p["between_px"], p["kernel_1"], n, n), value)
        value = apply(resampling(p["between_px"], out, p["kernel_2"], self.size, n), value)
        value = jpeg_inside_photograph(
            value.clamp(0, 1), out, p["site_quality"], p["site_subsampled"], p["site_offset"]
        )
        return torch.round(value * 255) / 127.5 - 1

    @torch.no_grad()
    def __call__(self, hi: Tensor, generator: torch.Generator) -> Shot:
        """Draw the parameters of a shot of each face and take them.

        Args:
            hi: (B, 3, n, n) in [-1, 1].
            generator: draws parameters and noise; the same state gives the same pixels.

        Returns:
            The images and what was drawn, on the device of hi.

        Raises:
            HLError: for a wrong shape.
        """
        check_hi(hi, self.size)
        params = self.draw(len(hi), generator, hi.device)
        return Shot(self.shoot(hi, params, generator), params)


def _each(numbers: Tensor) -> Tensor:
    """A number an image, (B,), as float (B, 1, 1, 1): the same for all of its pixels."""
    return numbers.float().reshape(-1, 1, 1, 1)


def lacking(**fixed: float) -> Callable[[Tensor, torch.Generator], Tensor]:
    """The camera with some parameters the same in every shot; `lacking(motion_px=0)` never moves.

    For experiments in which one thing is missing.

    Args:
        fixed: names of `Camera.draw`, and a value each.

    Returns:
        A degradation: (hi, generator) -> lo. At its first call it raises HLError for a name that
        the camera does not draw.
    """
    camera = Camera()

    @torch.no_grad()
    def shoot(hi: Tensor, generator: torch.Generator) -> Tensor:
        params = camera.draw(len(hi), generator, hi.device)
        for name, value in fixed.items():
            if name not in params:
                raise HLError(
                    f"fixed must name parameters of the camera ({', '.join(params)}), got {name!r}"
                )
            params[name] = torch.full_like(params[name], value)
        return camera.shoot(hi, params, generator)

    return shoot
