"""Is training healthy? The log of the last ticks against a table of what unhealthy ones look like.

The limits are ours, between what small broken and small healthy runs showed (tests/test_health.py repeats them).
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


@dataclass(frozen=True)
class Check:
    """A disease: `broken(means, cfg)` over the last `ticks` ticks (more of small ones) of a log with these keys."""

    name: str
    ticks: int
    needs: tuple[str, ...]
    broken: Callable[[Means, RunConfig], bool]
    words: str


def z_spread(los: Tensor) -> float:
    """Spread over z of the same faces, as a part of the range of 2: (n_z, B, 3, s, s) in [-1, 1] -> mean of pixels."""
    return los.std(0).mean().item() / 2


def _gan_share(m: Means, cfg: RunConfig) -> float:
    """beta |GAN loss| / (alpha pixel loss): what the generator hears of D beside the pixels; 1 where one is off."""
    off = not (cfg.w_gan and cfg.w_pix)
    return 1.0 if off else cfg.w_gan * m["gan"] / max(cfg.w_pix * m["pix"], 1e-12)


CHECKS = (
    Check(
        "diverging",
        4,
        ("pix",),
        lambda m, c: (
            c.w_pix > 0
            and m["pix"] > 3 * m.get("real_spread", TYPICAL_SPREAD) ** 2
            or m.get("d_loss", 0) > 3
            or m.get("gan", 0) > 50
        ),
        "training diverges: the pixel loss is far above that of a grey picture or the scores run away; try a tenth "
        "of --lr and --lr-d, or --w-r1 1",
    ),
    Check(
        "saturated",
        12,
        ("d_loss", "d_sure"),
        lambda m, c: m["d_loss"] < 0.1 and m["d_sure"] > 0.9,
        "the discriminator is saturated: it is sure of almost every picture and teaches nothing more; try fewer "
        "--d-steps, a smaller --lr-d, --w-r1 1 or --d-aug",
    ),
    Check(
        "blind",
        12,
        ("d_loss", "d_real"),
        lambda m, c: m["d_loss"] > 2.05 or m["d_loss"] > 1.9 and m["d_real sd"] < 0.02,
        "the discriminator learns nothing: its loss stays at 2, the value of guessing; try --lr-d between 1e-4 and "
        "1e-3, or more --d-steps",
    ),
    Check(
        "collapsed",
        12,
        ("fake_spread", "real_spread"),
        lambda m, c: m["fake_spread"] < 0.3 * m["real_spread"],
        "the generator has collapsed: its pictures differ far less than real ones; try a smaller --lr, a larger "
        "--w-pix, or --skip",
    ),
    Check(
        "z ignored",
        12,
        ("z_spread",),
        lambda m, c: c.w_gan > 0 and c.z_input != "none" and m["z_spread"] < Z_IGNORED,
        "z is ignored: the noise changes a picture by less than half a percent of its range; try --w-z 0.01, or "
        "--z-input grain+shot --skip",
    ),
    Check(
        "pixels lead",
        12,
        ("gan", "pix"),
        lambda m, c: _gan_share(m, c) < 0.01,
        "the loss terms are out of proportion: the GAN loss is less than a hundredth of the pixel loss and leads "
        "nothing; try a larger --w-gan",
    ),
    Check(
        "pixels unheard",
        12,
        ("gan", "pix"),
        lambda m, c: _gan_share(m, c) > 300,
        "the loss terms are out of proportion: the GAN loss is hundreds of times the pixel loss, which holds faces "
        "in place no more; try a larger --w-pix or a smaller --w-gan",
    ),
)


def _means(history: list[dict]) -> Means:
    """Mean of each value over the ticks (of its size for `gan`, which has either sign), and how much d_real moves."""
    keys = set.intersection(*(set(h) for h in history))
    means = {k: statistics.fmean(abs(h[k]) if k == "gan" else h[k] for h in history) for k in keys}
    if "d_real" in keys:
        means["d_real sd"] = statistics.pstdev(h["d_real"] for h in history)
    return means


def diagnose(history: list[dict], cfg: RunConfig) -> list[str]:
    """What looks wrong, a sentence each with what to try; nothing while all is well or the log is still short.

    history: the mean losses of each tick, oldest first, as the loop keeps them; of the joint fine-tune the values of
    L2H start with `hi_`. Source: ours.

    >>> tick = {"pix": 0.01, "gan": 0.2, "d_loss": 0.01, "d_sure": 0.99, "d_real": 3.0}
    >>> diagnose([tick] * 12, RunConfig())[0][:30]
    'the discriminator is saturated'
    """
    found, images = (
        [],
        history[-1].get("step", math.inf) * cfg.batch / len(history) if history else 1.0,
    )  # a tick
    few = max(1.0, TICK_IMAGES / images)
    history = history[-math.ceil(few * max(c.ticks for c in CHECKS)) :]
    for prefix, whose in (("", ""), ("hi_", "L2H: ")):
        own = [
            {k.removeprefix(prefix): v for k, v in h.items() if k.startswith(prefix)}
            for h in history
        ]
        spans = {ticks: math.ceil(few * ticks) for ticks in {c.ticks for c in CHECKS}}
        means = {ticks: _means(own[-n:]) for ticks, n in spans.items() if len(own) >= n}
        found += [
            whose + c.words
            for c in CHECKS
            if c.ticks in means
            and means[c.ticks].keys() >= set(c.needs)
            and c.broken(means[c.ticks], cfg)
        ]
    return found
