"""The networks: the paper's three, the learned camera, the baselines' and the released L2H."""

from ..config import RunConfig
from .baselines import CycleGAN, CycleGenerator, SRResNet, enlarged
from .blocks import PAPER, ResBlock, check_images, count_parameters, norm_layer, unsquash
from .camera import LAWS, LearnedCamera
from .colour import CoarseDiscriminator, opponent_colours
from .noise_inputs import Grain, LearnedShot, MeasuredJPEG, NoiseInput
from .paper import Discriminator, HighToLow, LowToHigh
from .released import ReleasedLowToHigh

H2L = HighToLow | LearnedCamera


def high_to_low(cfg: RunConfig) -> H2L:
    """The H2L that `cfg.h2l_model` names, untrained."""
    return LearnedCamera(cfg) if cfg.h2l_model == "camera" else HighToLow(cfg)


__all__ = [
    "H2L",
    "LAWS",
    "PAPER",
    "CoarseDiscriminator",
    "CycleGAN",
    "CycleGenerator",
    "Discriminator",
    "Grain",
    "HighToLow",
    "LearnedCamera",
    "LearnedShot",
    "LowToHigh",
    "MeasuredJPEG",
    "NoiseInput",
    "ReleasedLowToHigh",
    "ResBlock",
    "SRResNet",
    "check_images",
    "count_parameters",
    "enlarged",
    "high_to_low",
    "norm_layer",
    "opponent_colours",
    "unsquash",
]
