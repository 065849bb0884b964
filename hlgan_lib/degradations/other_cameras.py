"""Cameras that differ from the shipped one, each with a known truth: other domains of LR pictures.

| name | what it is | made of |
|---|---|---|
| `old` | few photosites, soft, warm, flat | `Camera`, other ranges |
| `jpeg` | saved twice at low quality | `Camera`, other ranges |
| `motion` | moved while the shutter was open | `Camera`, other ranges |
| `night` | dark, warm lamps, dragged, noisy; no JPEG | an order of its own |
| `webcam` | white balanced by the picture itself, sharpened, strong JPEG | an order of its own |
| `scan` | an old print whose JPEG came first; fade and noise act on values | an order of its own |
| `auto` | measures the scene: the darker, the longer, the more amplified | `Camera`, moved |
| `clean` | no camera | bilinear |

Each is a function (hi, generator) -> Shot, hi (B, 3, S, S) in [-1, 1], lo a quarter as wide. It
draws its numbers anew for each picture and says them in `params`, by the names of `Camera.draw`;
`kernel` (B, k, k) is the blur of its lens. What a camera lacks is not there. Widths of blurs of
those with an order of their own are in HR pixels, whatever S. The ranges are round numbers, chosen
before any score was known. Source: ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from ..errors import HLError
from ..rng import Draws
from .camera import Camera, Shot
from .handmade import bilinear
from .jpeg import code_and_decode, jpeg_inside_photograph
from .optics import blur, gaussian, light_in_stops, psf, srgb_decode, srgb_encode

STEP = 4  # HR pixels a side that become one LR pixel


def _as_file(v: Tensor) -> Tensor:
    """Values in [0, 1], clipped and rounded to 8 bits, in [-1, 1]."""
    return torch.round(v.clamp(0, 1) * 255) / 127.5 - 1


def _each(x: Tensor) -> Tensor:
    """(B,) as (B, 1, 1, 1): one number a picture."""
    return x[:, None, None, None]


OLD = Camera(
    exposure_ev=(-0.6, 0.4),
    warmth_ev=(0.0, 0.6),
    tint_ev=(-0.1, 0.1),
    motion_px=(3.0, 2.5),
    defocus_px=(4.0, 0.8),
    sensor_px=(16, 24),
    shot_gain=(0.001, 0.01),
    read_sigma=(0.004, 0.02),
    gamma=(0.7, 1.0),
    contrast=(0.55, 0.85),
    p_camera_jpeg=0.0,
    site_quality=(60, 90),
)
JPEG = Camera(
    exposure_ev=(-0.5, 0.5),
    warmth_ev=(-0.2, 0.2),
    motion_px=(2.0, 2.5),
    defocus_px=(1.5, 1.6),
    shot_gain=(0.0005, 0.002),
    read_sigma=(0.002, 0.005),
    contrast=(0.9, 1.2),
    p_camera_jpeg=0.8,
    camera_quality=(20, 50),
    site_quality=(8, 25),
)
MOTION = Camera(
    exposure_ev=(-0.8, 0.2),
    motion_px=(14.0, 0.7),
    defocus_px=(1.5, 1.6),
    shot_gain=(0.001, 0.01),
    contrast=(0.9, 1.3),
    p_camera_jpeg=0.0,
    site_quality=(60, 95),
)


@torch.no_grad()
def webcam(hi: Tensor, generator: torch.Generator) -> Shot:
    """Grey-world white balance, a fixed lens, sharpening, strong JPEG with 4:2:0 colour.

    Args:
        hi: HR images (B, 3, S, S) in [-1, 1].
        generator: draws what is random.

    Returns:
        LR images (B, 3, S/4, S/4) in [-1, 1], and what was drawn for them.
    """
    draws = Draws(len(hi), generator, hi.device)
    exposure = draws.uniform(-0.4, 0.5)
    light = srgb_decode((hi + 1) / 2) * 2 ** _each(exposure)

    # Grey world: the mean colour of the picture is drawn towards grey, so the gains depend on it.
    mean = light.mean((2, 3), keepdim=True)
    gains = (mean.mean(1, keepdim=True) / mean) ** _each(draws.uniform(0.4, 0.9))
    light = light * gains

    sigma = draws.uniform(1.0, 1.8)
    kernel = gaussian(sigma, sigma, 0 * sigma, 8)
    lo = avg_pool2d(blur(light, kernel), STEP)
    lo = (lo + 0.01 * draws.normal(*lo.shape[1:]) * lo.sqrt()).clamp(0, 1)

    value = srgb_encode(lo)
    soft = avg_pool2d(pad(value, [1] * 4, mode="replicate"), 3, 1)
    sharpening = draws.uniform(0.3, 1.0)
    value = (value + _each(sharpening) * (value - soft)).clamp(0, 1)
    size = torch.full((len(hi),), lo.shape[-1], device=hi.device)
    quality, subsampled = draws.integer(25, 60), draws.chance(1.0)
    offset = draws.integer(0, 15, 2)
    params = {
        "exposure_ev": exposure,
        "white_balance": gains.flatten(1),
        "kernel": kernel,
        "shot_gain": torch.full_like(exposure, 0.01**2),
        "sharpening": sharpening,
        "site_quality": quality,
        "site_subsampled": subsampled,
        "site_offset": offset,
    }
    return Shot(_as_file(jpeg_inside_photograph(value, size, quality, subsampled, offset)), params)


@torch.no_grad()
def night(hi: Tensor, generator: torch.Generator) -> Shot:
    """Dark, under warm lamps, dragged by a long exposure; the tone curve lifts noise. No JPEG.

    Args:
        hi: HR images (B, 3, S, S) in [-1, 1].
        generator: draws what is random.

    Returns:
        LR images (B, 3, S/4, S/4) in [-1, 1], and what was drawn for them.
    """
    draws = Draws(len(hi), generator, hi.device)
    exposure = draws.uniform(-2.6, -0.8)
    light = srgb_decode((hi + 1) / 2) * 2 ** _each(exposure)
    warm = draws.uniform(0.1, 0.7)
    stops = torch.stack([warm, draws.uniform(-0.1, 0.1), -warm], 1)
    light = light * 2 ** stops[:, :, None, None]

    drag, angle = draws.uniform(0, 9), draws.uniform(0, torch.pi)
    kernel = psf(drag, angle, draws.uniform(0.3, 1.5), 9)
    lo = avg_pool2d(blur(light, kernel), STEP)
    gain, read = draws.log_uniform(0.002, 0.01), draws.log_uniform(0.004, 0.02)
    spread = (_each(gain) * lo + _each(read) ** 2).sqrt()
    lo = (lo + spread * draws.normal(*lo.shape[1:])).clamp(0, 1)
    gamma = draws.uniform(0.6, 0.9)
    params = {
        "exposure_ev": exposure,
        "white_balance": 2**stops,
        "motion_px": drag,
        "motion_angle": angle,
        "kernel": kernel,
        "shot_gain": gain,
        "read_sigma": read,
        "gamma": gamma,
    }
    return Shot(_as_file(srgb_encode(lo) ** _each(gamma)), params)


@torch.no_grad()
def scan(hi: Tensor, generator: torch.Generator) -> Shot:
    """An old print, scanned: JPEG of the large picture, then a fade, a cast, blur, even noise.

    Args:
        hi: HR images (B, 3, S, S) in [-1, 1].
        generator: draws what is random.

    Returns:
        LR images (B, 3, S/4, S/4) in [-1, 1], and what was drawn for them.
    """
    draws = Draws(len(hi), generator, hi.device)
    quality, subsampled = draws.integer(15, 50), draws.chance(0.5)
    value = code_and_decode((hi + 1) / 2, quality, subsampled)
    black, white = draws.uniform(0.05, 0.25), draws.uniform(0.65, 0.95)
    value = _each(black) + value * _each(white - black)
    cast = draws.uniform(-0.06, 0.06, 3)[:, :, None, None]
    red, green, blue = cast.unbind(1)
    value = value + torch.stack((red, green / 2, blue), 1)

    sigma_x, sigma_y = draws.uniform(0.8, 3.0), draws.uniform(0.8, 2.0)
    kernel = gaussian(sigma_x, sigma_y, draws.uniform(0, torch.pi), 9)
    lo = (bilinear(2 * blur(value, kernel) - 1, hi.shape[-1] // STEP) + 1) / 2
    grain = draws.uniform(0.005, 0.03)
    params = {
        "camera_quality": quality,
        "camera_subsampled": subsampled,
        "black": black,
        "contrast": white - black,
        "cast": cast.flatten(1),
        "kernel": kernel,
        "grain_sigma": grain,
    }
    return Shot(_as_file(lo + _each(grain) * draws.normal(*lo.shape[1:])), params)


AUTO = Camera(
    exposure_ev=(-0.4, 0.4),
    motion_px=(10.0, 1.0),
    defocus_px=(1.5, 1.6),
    shot_gain=(0.001, 0.003),
    read_sigma=(0.002, 0.004),
    p_camera_jpeg=0.0,
    site_quality=(85, 98),
)
AUTO_MIDDLE = -2.5  # stops of the mean light that it takes for a normal scene: 18% grey
AUTO_PER_STOP = {  # what a stop of light that a scene lacks does
    "exposure_ev": 0.5,  # stops: half of it is made up
    "motion_px": 1.0,  # stops: the shutter is open twice as long
    "shot_gain": 3.0,  # stops: amplified
    "read_sigma": 1.5,
}


@torch.no_grad()
def auto(hi: Tensor, generator: torch.Generator) -> Shot:
    """An automatic camera: exposure, drag and noise follow the mean light of the scene.

    With m = AUTO_MIDDLE - light, the stops that a scene lacks: exposure + 0.5 m; drag times 2^m;
    shot noise times 2^(3 m), read noise its root. More than a real one does, so that it can be
    found: faces differ little in light.

    Args:
        hi: HR images (B, 3, S, S) in [-1, 1].
        generator: draws what is random.

    Returns:
        LR images (B, 3, S/4, S/4) in [-1, 1], and what was chosen for them.
    """
    camera = replace(AUTO, size=hi.shape[-1] // STEP)
    p = camera.draw(len(hi), generator, hi.device)
    lacks = (AUTO_MIDDLE - light_in_stops(hi)[:, 0]).clamp(-2, 2)
    p["exposure_ev"] = p["exposure_ev"] + AUTO_PER_STOP["exposure_ev"] * lacks
    for name in ("motion_px", "shot_gain", "read_sigma"):
        p[name] = p[name] * 2 ** (AUTO_PER_STOP[name] * lacks)
    p["motion_px"] = p["motion_px"].clamp(max=AUTO.motion_px[0])
    return Shot(camera.shoot(hi, p, generator), p)


@torch.no_grad()
def clean(hi: Tensor, generator: torch.Generator) -> Shot:
    """No camera: bilinear, 8 bits.

    Args:
        hi: HR images (B, 3, S, S) in [-1, 1].
        generator: not asked: nothing is random.

    Returns:
        LR images (B, 3, S/4, S/4) in [-1, 1], and what was drawn for them.
    """
    return Shot(_as_file((bilinear(hi, hi.shape[-1] // STEP) + 1) / 2), {})


Photograph = Callable[[Tensor, torch.Generator], Shot]


def _in_other_ranges(name: str) -> Photograph:
    """The camera of OTHER_RANGES, for HR images of any size."""

    def take(hi: Tensor, generator: torch.Generator) -> Shot:
        return replace(OTHER_RANGES[name], size=hi.shape[-1] // STEP)(hi, generator)

    return take


OTHER_RANGES = {"old": OLD, "jpeg": JPEG, "motion": MOTION}
OTHER_CAMERAS: dict[str, Photograph] = {
    "old": _in_other_ranges("old"),
    "jpeg": _in_other_ranges("jpeg"),
    "night": night,
    "motion": _in_other_ranges("motion"),
    "webcam": webcam,
    "scan": scan,
    "auto": auto,
    "clean": clean,
}


def other_camera(name: str) -> Photograph:
    """One of OTHER_CAMERAS by its name.

    Args:
        name: its name.

    Returns:
        A function (hi, generator) -> Shot.

    Raises:
        HLError: for another name.
    """
    if name not in OTHER_CAMERAS:
        raise HLError(f"camera must be one of {', '.join(OTHER_CAMERAS)}, got {name!r}")
    return OTHER_CAMERAS[name]
