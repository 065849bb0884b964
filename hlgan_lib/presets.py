"""The named configurations, each said as what it changes of the paper's."""

from __future__ import annotations

from .config import RunConfig
from .errors import HLError

# The defaults, in the layout that is faster on most machines.
_PAPER = RunConfig(channels_last=True)
# What every small run shares: the improvements that make minutes on two CPU cores worth while
# (docs/paper.md).
_SMALL = _PAPER.replace(
    norm="none",
    down_first=True,
    skip=True,
    h2l_model="camera",
    batch=16,
    d_steps=1,
    lr=1e-3,
    lr_d=1e-4,
    lr_d_hi=6e-4,
    ema=0.05,
    lr_schedule="cosine",
    scale=0.0,
    rotate_deg=0.0,
    colour=0.0,
    perceptual="lite0",
)
PRESETS: dict[str, RunConfig] = {
    "smoke": _SMALL.replace(
        h2l_width=4,
        l2h_width=16,
        d_width=8,
        srgan_width=8,
        cyclegan_width=2,
        flow_width=4,
        n_euler=2,
        batch=4,
        h2l_steps=6,
        l2h_steps=6,
        srgan_steps=6,
        cyclegan_steps=6,
        flow_steps=6,
        semicycle_steps=6,
        pseudo_steps=6,
        joint_steps=2,
        n_val=8,
        tick_images=4,
        save_images=12,
    ),
    "quick": _SMALL.replace(
        h2l_width=8,
        l2h_width=32,
        d_width=12,
        amp="auto",
        srgan_width=24,
        cyclegan_width=8,
        flow_width=32,
        h2l_steps=300,
        l2h_steps=150,
        srgan_steps=150,
        cyclegan_steps=60,
        flow_steps=150,
        semicycle_steps=150,
        pseudo_steps=150,
        joint_steps=20,
        n_val=64,
        tick_images=160,
        save_images=1_600,
    ),
    "study": _SMALL.replace(
        h2l_width=16,
        l2h_width=64,
        d_width=24,
        amp="auto",
        srgan_width=48,
        cyclegan_width=16,
        flow_width=64,
        h2l_steps=3_000,
        l2h_steps=1_000,
        srgan_steps=1_000,
        cyclegan_steps=1_000,
        flow_steps=1_000,
        semicycle_steps=1_000,
        pseudo_steps=1_000,
        joint_steps=50,
        tick_images=320,
        save_images=4_000,
    ),
    "colab": _SMALL.replace(
        h2l_width=32,
        l2h_width=128,
        d_width=64,
        srgan_width=64,
        cyclegan_width=32,
        flow_width=128,
        batch=64,
        h2l_steps=20_000,
        l2h_steps=10_000,
        srgan_steps=10_000,
        cyclegan_steps=10_000,
        flow_steps=10_000,
        semicycle_steps=10_000,
        pseudo_steps=10_000,
        joint_steps=1_000,
        amp="auto",
        save_images=64_000,
    ),
    "paper": _PAPER,
    "modern": _PAPER.replace(
        d_steps=1,
        lr_d=4e-4,
        ema=0.01,
        d_aug=True,
        w_r1=1.0,
        h2l_model="camera",
        amp="auto",
    ),
}


def preset(name: str) -> RunConfig:
    """The configuration called `name`: smoke, quick, study, colab, paper or modern.

    Raises HLError when there is no such preset.

    >>> preset("paper").d_steps
    5
    """
    if name not in PRESETS:
        raise HLError(f"preset must be one of {', '.join(PRESETS)}, got {name!r}")
    return PRESETS[name]


def differences(cfg: RunConfig, base: RunConfig = _PAPER) -> dict[str, tuple]:
    """The fields in which `cfg` differs from `base`: name -> (base value, own value).

    >>> list(differences(preset("paper")))
    []
    """
    differing = {}
    for name, usual in base.as_dict().items():
        own = getattr(cfg, name)
        if own != usual:
            differing[name] = (usual, own)
    return differing
