"""Scores of restored and degraded faces: pairs and distances of sets. Nothing here draws."""

from ..rng import subsample
from .distances import frechet, kernel_distance
from .evaluation import METRICS, evaluate
from .features import enlarge_lo, extract, face_rate
from .gap import gap_closed
from .pairs import consistency, luma, psnr, ssim
from .score import Score
from .set_scores import drift

__all__ = [
    "METRICS",
    "Score",
    "consistency",
    "drift",
    "enlarge_lo",
    "evaluate",
    "extract",
    "face_rate",
    "frechet",
    "gap_closed",
    "kernel_distance",
    "luma",
    "psnr",
    "ssim",
    "subsample",
]
