"""The networks: the paper's, the learned camera, baselines and successors, the released L2H."""

from ..config import RunConfig
from .baselines import CycleGAN, CycleGenerator, SRResNet, enlarged
from .blocks import PAPER, ResBlock, check_images, count_parameters, norm_layer, unsquash
from .camera import LAWS, CameraAndNetwork, LearnedCamera
from .corrected import CorrectedLowToHigh
from .flow import FlowLowToHigh
from .kernel_noise import KernelAndNoise
from .measured_jpeg import MeasuredJPEG
from .paper import Discriminator, HighToLow, LowToHigh
from .released import ReleasedLowToHigh

H2L = HighToLow | LearnedCamera | KernelAndNoise


def high_to_low(cfg: RunConfig) -> H2L:
    """The H2L that `cfg.h2l_model` names, untrained."""
    networks: dict[str, type[H2L]] = {
        "paper": HighToLow,
        "camera": LearnedCamera,
        "camera+network": CameraAndNetwork,
        "kernel+noise": KernelAndNoise,
    }
    return networks[cfg.h2l_model](cfg)


__all__ = [
    "H2L",
    "LAWS",
    "PAPER",
    "CameraAndNetwork",
    "CorrectedLowToHigh",
    "CycleGAN",
    "CycleGenerator",
    "Discriminator",
    "FlowLowToHigh",
    "HighToLow",
    "KernelAndNoise",
    "LearnedCamera",
    "LowToHigh",
    "MeasuredJPEG",
    "ReleasedLowToHigh",
    "ResBlock",
    "SRResNet",
    "check_images",
    "count_parameters",
    "enlarged",
    "high_to_low",
    "norm_layer",
    "unsquash",
]
