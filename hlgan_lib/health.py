"""Is training healthy? The log of the last ticks against a table of what unhealthy ones look like.

The limits are ours, between what small broken and small healthy runs showed (tests/test_health.py
repeats them).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from .config import RunConfig

Means = dict[str, float]
TYPICAL_SPREAD = 0.35  # of faces in [-1, 1], where no discriminator step has measured it
Z_IGNORED = 0.005  # part of the range by which z changes a picture: below this z is ignored
TICK_IMAGES = 32  # a check wants so many images a tick, or more ticks
LONGEST = 192  # ticks that any check looks at: 12 of 32 images, where a tick has two


@dataclass(frozen=True)
class Check:
    """A disease of trainings, and how to know it.

    Attributes:
        name: what it is called.
        ticks: how many ticks (more of small ones) it is looked for in.
        needs: log values without which it cannot be seen.
        broken: (mean log values over those ticks, configuration) -> is it there?
        words: what to tell the user, with what to try.
    """

    name: str
    ticks: int
    needs: tuple[str, ...]
    broken: Callable[[Means, RunConfig], bool]
    words: str


def z_spread(los: Tensor) -> float:
    """How much z changes a picture: spread over z of the same faces, as a part of the range of 2.

    Args:
        los: (n_z, B, 3, s, s) in [-1, 1].

    Returns:
        The standard deviation over z, averaged over pixels, halved.
    """
    return los.std(0).mean().item() / 2


# ---- the signs -----------------------------------------------------------------------------------
def _diverging(m: Means, cfg: RunConfig) -> bool:
    grey = m.get("real_spread", TYPICAL_SPREAD) ** 2  # the pixel loss of a grey picture
    far_off = cfg.w_pix > 0 and m["pix"] > 3 * grey
    run_away = m.get("d_loss", 0) > 3 or m.get("gan", 0) > 50
    return far_off or run_away


def _saturated(m: Means, cfg: RunConfig) -> bool:
    return m["d_loss"] < 0.1 and m["d_sure"] > 0.9


def _blind(m: Means, cfg: RunConfig) -> bool:
    stands_still = m["d_loss"] > 1.9 and m["d_real sd"] < 0.02
    return m["d_loss"] > 2.05 or stands_still


def _collapsed(m: Means, cfg: RunConfig) -> bool:
    return m["fake_spread"] < 0.3 * m["real_spread"]


def _z_ignored(m: Means, cfg: RunConfig) -> bool:
    wanted = cfg.w_gan > 0 and cfg.z_input != "none"
    return wanted and m["z_spread"] < Z_IGNORED


def _pixels_lead(m: Means, cfg: RunConfig) -> bool:
    return _gan_share(m, cfg) < 0.01


def _pixels_unheard(m: Means, cfg: RunConfig) -> bool:
    return _gan_share(m, cfg) > 300


def _gan_share(m: Means, cfg: RunConfig) -> float:
    """beta |GAN loss| / (alpha pixel loss): what G hears of D; 1 where one is off."""
    if not (cfg.w_gan and cfg.w_pix):
        return 1.0
    return cfg.w_gan * m["gan"] / max(cfg.w_pix * m["pix"], 1e-12)


CHECKS = (
    Check(
        "diverging",
        4,
        ("pix",),
        _diverging,
        "training diverges: the pixel loss is far above that of a grey picture or the scores run "
        "away; try a tenth of --lr and --lr-d, or --w-r1 1",
    ),
    Check(
        "saturated",
        12,
        ("d_loss", "d_sure"),
        _saturated,
        "the discriminator is saturated: it is sure of almost every picture and teaches nothing "
        "more; try fewer --d-steps, a smaller --lr-d, --w-r1 1 or --d-aug",
    ),
    Check(
        "blind",
        12,
        ("d_loss", "d_real"),
        _blind,
        "the discriminator learns nothing: its loss stays at 2, the value of guessing; try --lr-d "
        "between 1e-4 and 1e-3, or more --d-steps",
    ),
    Check(
        "collapsed",
        12,
        ("fake_spread", "real_spread"),
        _collapsed,
        "the generator has collapsed: its pictures differ far less than real ones; try a smaller "
        "--lr, a larger --w-pix, or --skip",
    ),
    Check(
        "z ignored",
        12,
        ("z_spread",),
        _z_ignored,
        "z is ignored: the noise changes a picture by less than half a percent of its range; try "
        "--h2l-model camera, or a larger --w-gan",
    ),
    Check(
        "pixels lead",
        12,
        ("gan", "pix"),
        _pixels_lead,
        "the loss terms are out of proportion: the GAN loss is less than a hundredth of the pixel "
        "loss and leads nothing; try a larger --w-gan",
    ),
    Check(
        "pixels unheard",
        12,
        ("gan", "pix"),
        _pixels_unheard,
        "the loss terms are out of proportion: the GAN loss is hundreds of times the pixel loss, "
        "which holds the image in place no more; try a larger --w-pix or a smaller --w-gan",
    ),
)


# ---- the diagnosis -------------------------------------------------------------------------------
def diagnose(history: list[Means], cfg: RunConfig) -> list[str]:
    """What looks wrong with a training.

    Args:
        history: the mean losses of each tick, oldest first, as the loop keeps them. Of the joint
            fine-tune the values of L2H start with `hi_`.
        cfg: the training's configuration.

    Returns:
        A sentence each, with what to try; empty while all is well or the log is still short.

    Source: ours.

    >>> tick = {"pix": 0.01, "gan": 0.2, "d_loss": 0.01, "d_sure": 0.99, "d_real": 3.0}
    >>> diagnose([tick] * 12, RunConfig())[0][:30]
    'the discriminator is saturated'
    """
    if not history:
        return []
    # Of small ticks a check looks at more.
    stretch = max(1.0, TICK_IMAGES / _tick_images(history, cfg))
    found = []
    for prefix, whose in (("", ""), ("hi_", "L2H: ")):
        for check in CHECKS:
            last = history[-math.ceil(stretch * check.ticks) :]
            if len(last) < math.ceil(stretch * check.ticks):
                continue
            means = _means([_own(values, prefix) for values in last])
            if means.keys() >= set(check.needs) and check.broken(means, cfg):
                found.append(whose + check.words)
    return found


def _tick_images(history: list[Means], cfg: RunConfig) -> float:
    """Images between two ticks; the first ones may be forgotten."""
    first, last = history[0].get("step", 0), history[-1].get("step", math.inf)
    if len(history) == 1:
        return last * cfg.batch
    return (last - first) * cfg.batch / (len(history) - 1)


def _own(values: Means, prefix: str) -> Means:
    """The values whose names start with the prefix, without it."""
    return {k.removeprefix(prefix): v for k, v in values.items() if k.startswith(prefix)}


def _means(history: list[Means]) -> Means:
    """Mean of each value over the ticks, and `d_real sd`, how much d_real moves.

    Of `gan`, which has either sign, the mean of its size.
    """
    keys = set.intersection(*(set(values) for values in history))
    means = {}
    for key in keys:
        seen = [values[key] for values in history]
        means[key] = statistics.fmean(map(abs, seen) if key == "gan" else seen)
    if "d_real" in keys:
        means["d_real sd"] = statistics.pstdev(values["d_real"] for values in history)
    return means
