"""The networks: the paper's three, their parts, the rivals' and the authors' released L2H."""

from .baselines import CycleGAN, CycleGenerator, SRResNet, enlarged
from .blocks import PAPER, ResBlock, check_images, count_parameters, norm_layer, unsquash
from .noise_inputs import Grain, LearnedShot, MeasuredJPEG, NoiseInput
from .paper import CoarseDiscriminator, Discriminator, HighToLow, LowToHigh, opponent_colours
from .released import ReleasedLowToHigh

__all__ = [
    "PAPER",
    "CoarseDiscriminator",
    "CycleGAN",
    "CycleGenerator",
    "Discriminator",
    "Grain",
    "HighToLow",
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
    "norm_layer",
    "opponent_colours",
    "unsquash",
]
