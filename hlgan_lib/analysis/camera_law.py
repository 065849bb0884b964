"""The law of a camera's numbers: what a learned camera has found, in the terms of the known truth.

A learned camera and `Camera` do not have the same parts: one has a Gaussian and a last resizing,
the other a disc and two resizings. What can be compared is what the parts do: light in stops, the
width of the whole blur, the noise that is left in a pixel of lo.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..degradations.camera import Camera
from ..degradations.handmade import pool
from ..degradations.optics import integration, psf, resampling
from ..degradations.other_cameras import AUTO, OTHER_CAMERAS, OTHER_RANGES, STEP
from ..losses import picture_statistics
from ..networks.adaptive_law import SCENE, scene_statistics
from ..networks.camera import LearnedCamera
from ..rng import seeded

NUMBERS = {
    "exposure": "stops",
    "warmth": "stops, red up, blue down",
    "tint": "stops, green up",
    "gamma": "exponent",
    "contrast": "slope at mid grey",
    "blur": "st. dev., HR pixels",
    "shot noise": "log10, variance a light",
    "read noise": "log10, st. dev.",
}


@torch.no_grad()
def learned_law(
    net: LearnedCamera, n: int = 4_000, seed: int = 0, hi: Tensor | None = None
) -> dict[str, Tensor]:
    """What a learned camera draws.

    Args:
        net: the learned camera.
        n: how many z.
        seed: of z.
        hi: faces that it takes in turn, (B, 3, S, S) in [-1, 1], for a law that depends on them;
            by default it takes average ones.

    Returns:
        name -> (n,) for each of NUMBERS. Blur is of kernel, integration and smear together:
        the root of the mean variance of both axes; 0 where the smear sharpens more than the rest
        blurs.
    """
    device = net.mean.device
    generator = seeded(seed, device)
    z = torch.randn(n, net.cfg.z_dim, generator=generator, device=device)
    p = net.numbers(z, hi=None if hi is None else _in_turn(hi, n).to(device))
    step = net.cfg.size_hi / net.cfg.size_lo
    optical = p["defocus"].clamp(min=0.3) ** 2 + p["motion"] ** 2 / 24
    resized = (step**2 - 1) / 12 + step**2 * p["smear"]  # of points on a grid
    law = {name: p[name] for name in ("exposure", "warmth", "tint", "gamma", "contrast")}
    law["blur"] = (optical + resized).clamp(min=0).sqrt()
    law["shot noise"] = p["shot"].log10()
    law["read noise"] = p["read"].log10()
    return {name: numbers.cpu() for name, numbers in law.items()}


@torch.no_grad()
def true_law(camera: Camera | None = None, n: int = 4_000, seed: int = 0) -> dict[str, Tensor]:
    """What the simulated camera draws, in the same terms.

    Args:
        camera: the shipped one by default.
        n: how many shots.
        seed: of the draws.

    Returns:
        name -> (n,) for each of NUMBERS. Noise is what is left of the sensor's in a pixel of lo.
    """
    camera = camera or Camera()
    return _law_of(camera, camera.draw(n, seeded(seed)))


def _law_of(camera: Camera, p: dict[str, Tensor]) -> dict[str, Tensor]:
    """The numbers of shots with the parameters p of `Camera.draw`."""
    gains = p["white_balance"].log2()
    largest = camera.sensor_px[1] * camera.size // 16
    out = torch.full_like(p["sensor_px"], camera.size)

    # The optics: a kernel a shot. The rest: one row of the matrix from light to a pixel of lo.
    half = int(camera.motion_px[0] / 2 + camera.defocus_px[0]) + 1
    kernel = psf(p["motion_px"], p["motion_angle"], p["defocus_px"], half)
    optical = (_variance(kernel.sum(1)) + _variance(kernel.sum(2))) / 2
    resized = resampling(p["between_px"], out, p["kernel_2"], camera.size, largest)
    resized = resized @ resampling(p["sensor_px"], p["between_px"], p["kernel_1"], largest, largest)
    row = (resized @ integration(4 * camera.size, p["sensor_px"], largest))[:, camera.size // 2]
    kept = (resized[:, camera.size // 2] ** 2).sum(1) ** 2  # of the variance of white noise
    return {
        "exposure": p["exposure_ev"],
        "warmth": (gains[:, 0] - gains[:, 2]) / 2,
        "tint": gains[:, 1],
        "gamma": p["gamma"],
        "contrast": p["contrast"],
        "blur": (optical + _variance(row)).clamp(min=0).sqrt(),
        "shot noise": (p["shot_gain"] * kept).log10(),
        "read noise": (p["read_sigma"] * kept.sqrt()).log10(),
    }


@torch.no_grad()
def other_law(name: str, hi: Tensor, n: int = 600, seed: int = 0) -> dict[str, Tensor]:
    """What one of OTHER_CAMERAS does to faces, in the same terms.

    Args:
        name: of the camera.
        hi: the faces that it takes in turn, (B, 3, 64, 64) in [-1, 1]: `webcam` balances white by
            them, `auto` measures their light.
        n: how many shots.
        seed: of the draws.

    Returns:
        name -> (n,) for those of NUMBERS that the camera has. A blur is the lens, integration and,
        of `webcam`, its sharpening, after which nothing may be left of it: 0. Noise it has only
        where it acts on light.
    """
    if name in OTHER_RANGES:
        return true_law(OTHER_RANGES[name], n, seed)
    generator = seeded(seed)
    shots = [OTHER_CAMERAS[name](part, generator).params for part in _in_turn(hi, n).split(64)]
    p = {key: torch.cat([shot[key] for shot in shots]) for key in shots[0]}
    if name == "auto":
        return _law_of(AUTO, p)
    law = {}
    if "white_balance" in p:
        red, green, blue = (p["exposure_ev"][:, None] + p["white_balance"].log2()).unbind(1)
        law = {"exposure": (red + blue) / 2, "warmth": (red - blue) / 2}
        law["tint"] = green - law["exposure"]
        law["gamma"] = p.get("gamma", torch.ones(n))
        law["contrast"] = torch.ones(n)
    if "contrast" in p:
        law["contrast"] = p["contrast"]
    if "kernel" in p:
        variance = (_variance(p["kernel"].sum(1)) + _variance(p["kernel"].sum(2))) / 2
        variance = variance + (STEP**2 - 1) / 12
        if "sharpening" in p:  # a box of 3 pixels of lo is taken away: its variance is 2/3
            variance = variance - p["sharpening"] * STEP**2 * 2 / 3
        law["blur"] = variance.clamp(min=0).sqrt()
    for key, number in (("shot_gain", "shot noise"), ("read_sigma", "read noise")):
        if key in p:
            law[number] = p[key].log10()
    return law


def scene_slopes(law: dict[str, Tensor], hi: Tensor) -> dict[str, dict[str, float]]:
    """How the numbers of a law go with the scene: the least-squares slope on each of SCENE alone.

    The statistics go together (dark faces are warm ones), so a number that follows one of them goes
    with others too: compare a learned slope with the true one, not with 0.

    Args:
        law: name -> (n,), of shots that took the faces in turn, as `learned_law` and `other_law`.
        hi: the faces, (B, 3, S, S) in [-1, 1].

    Returns:
        number -> statistic of SCENE -> the slope, a unit of the statistic.
    """
    n = len(next(iter(law.values())))
    s = _in_turn(scene_statistics(hi), n).double()
    s = s - s.mean(0)
    slopes = {}
    for number, values in law.items():
        y = values.double() - values.double().mean()
        slopes[number] = dict(zip(SCENE, ((s.T @ y) / s.square().sum(0)).tolist(), strict=True))
    return slopes


def _in_turn(rows: Tensor, n: int) -> Tensor:
    """n rows, again from the first where they end."""
    return rows[torch.arange(n) % len(rows)]


def _variance(profile: Tensor) -> Tensor:
    """Variance (B,) along profiles (B, k), each summing to 1."""
    at = torch.arange(profile.shape[1], dtype=profile.dtype)
    mean = (profile * at).sum(1, keepdim=True)
    return (profile * (at - mean) ** 2).sum(1)


def coupling(lo: Tensor, hi: Tensor) -> dict[str, float]:
    """How much of a face's own light and colour a degradation keeps: slopes over faces, 1 for all.

    Args:
        lo: (B, 3, s, s) in [-1, 1], degraded.
        hi: (B, 3, S, S) in [-1, 1], the same faces.

    Returns:
        "light", "warmth", "tint" -> the slope of the least-squares line of lo's on hi's, in stops.
    """
    y = picture_statistics(lo)[:, :3]
    x = picture_statistics(pool(hi, lo.shape[-1]))[:, :3]
    x, y = x - x.mean(0), y - y.mean(0)
    slopes = (x * y).sum(0) / (x * x).sum(0)
    return dict(zip(("light", "warmth", "tint"), slopes.tolist(), strict=True))
