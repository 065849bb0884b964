"""The networks: the paper's, the learned camera, baselines and successors, the released L2H."""

from ..config import RunConfig
from .baselines import CycleGAN, CycleGenerator, SRResNet, enlarged
from .blocks import PAPER, ResBlock, check_images, count_parameters, norm_layer, unsquash
from .camera import LAWS, CameraAndNetwork, LearnedCamera
from .corrected import CorrectedLowToHigh
from .deepdeblur import DeepDeblur
from .flow import FlowLowToHigh
from .kernel_noise import KernelAndNoise
from .measured_jpeg import MeasuredJPEG
from .paper import Discriminator, HighToLow, LowToHigh
from .released import ReleasedLowToHigh
from .wavelet import WaveletLowToHigh

H2L = HighToLow | LearnedCamera | KernelAndNoise
L2H = LowToHigh | WaveletLowToHigh | DeepDeblur


def high_to_low(cfg: RunConfig) -> H2L:
    """The H2L that `cfg.h2l_model` names, untrained."""
    networks: dict[str, type[H2L]] = {
        "paper": HighToLow,
        "camera": LearnedCamera,
        "camera+network": CameraAndNetwork,
        "kernel+noise": KernelAndNoise,
    }
    return networks[cfg.h2l_model](cfg)


def low_to_high(cfg: RunConfig) -> L2H:
    """The L2H that `cfg.l2h_model` names, untrained."""
    networks: dict[str, type[L2H]] = {
        "paper": LowToHigh,
        "wavelet": WaveletLowToHigh,
        "deepdeblur": DeepDeblur,
    }
    return networks[cfg.l2h_model](cfg)


__all__ = [
    "H2L",
    "L2H",
    "LAWS",
    "PAPER",
    "CameraAndNetwork",
    "CorrectedLowToHigh",
    "CycleGAN",
    "CycleGenerator",
    "DeepDeblur",
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
    "WaveletLowToHigh",
    "check_images",
    "count_parameters",
    "enlarged",
    "high_to_low",
    "low_to_high",
    "norm_layer",
    "unsquash",
]
