"""The scores that are reported, of restorers and of degradations, on `faces:test` at equal n.

Three tests of a restorer, the same people in all:
    camera   real shots with their ground truth (a simulated camera makes that possible)
    clean    the ground truth, reduced bilinearly: what most papers report
    wild     the same shots without their ground truth: distances to `faces:train-hi` only
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from .. import analysis, inference
from ..data.faces import unit_range
from ..data.loading import load_faces
from ..degradations.handmade import bilinear
from ..errors import HLError
from ..metrics.distances import frechet, kernel_distance, kernel_interval
from ..metrics.features import FEATURES, LO_RULE, extract
from ..metrics.pairs import consistency, psnr, ssim
from ..metrics.score import Score
from ..networks.paper import HighToLow
from ..rng import subsample
from ..stats import distance_interval, mean_interval
from .grid import N_SHOWN

N_Z, N_DIVERSE = 8, 100  # shots of a face, and faces, of which the diversity is measured
Restorer = Callable[[Tensor], Tensor]  # lo (B, 3, s, s) -> hi (B, 3, S, S), both in [-1, 1]


@dataclass(frozen=True)
class TestSet:
    """The images and the features that every score is taken against; n people."""

    hi: Tensor
    lo: Tensor
    hi_features: Tensor  # of the ground truth
    lo_features: Tensor  # of the shots, enlarged
    train_features: Tensor  # of 5 n HR training faces, for `gap_closed`
    train_equal: Tensor  # n of them

    __test__ = False  # it is no test, pytest


@lru_cache(maxsize=2)
def test_set(n: int | None = None) -> TestSet:
    """`faces:test`, or its first n faces, with the features that they are compared with.

    Raises HLError for a wrong n.
    """
    pairs = load_faces("faces:test")
    n_all = len(pairs.hi)
    n = n_all if n is None else n
    if not 2 <= n <= n_all:
        raise HLError(
            f"n must be 2 to {n_all}, the faces of faces:test, got {n}: leave it out for all"
        )
    hi, lo = (side.batch(slice(0, n)) for side in pairs)
    train = extract(load_faces("faces:train-hi")[: 5 * n])  # all 3,000 where n is all 600
    return TestSet(
        hi,
        lo,
        hi_features=extract(unit_range(hi)),
        lo_features=extract(unit_range(lo), enlarge=True),
        train_features=train,
        train_equal=train[subsample(len(train), n, 0)],
    )


vars(test_set)["__test__"] = False  # nor is this


@dataclass(frozen=True)
class Scored:
    """What is measured of a restorer."""

    scores: dict[str, dict[str, dict]]  # test -> metric -> {value, ci}, as they are stored
    faces: list[float]  # PSNR of each test face, dB
    features: Tensor  # of the restored shots
    pictures: Tensor  # the first restored shots

    def value(self, test: str, metric: str) -> float:
        """The score of a metric on a test, such as "psnr" on "camera"."""
        return self.scores[test][metric]["value"]


@torch.no_grad()
def score_restorer(restore: Restorer, n: int | None = None) -> Scored:
    """A restorer on the three tests, with 95 % bootstrap intervals over faces.

    Args:
        restore: LR images (B, 3, s, s) in [-1, 1] -> HR images (B, 3, S, S).
        n: how many test faces; by default all.

    Returns:
        Scores, PSNR of each face, features, the first images.

    Raises:
        HLError: where it makes images of another size than the ground truth's.
    """
    t = test_set(n)
    shots = restore(t.lo)
    clean = restore(bilinear(t.hi, t.lo.shape[-1]))
    if shots.shape != t.hi.shape:
        raise HLError(
            f"a restorer must make {tuple(t.hi.shape[1:])} pictures, got {tuple(shots.shape[1:])}"
        )
    truth, lo, shown = unit_range(t.hi), unit_range(t.lo), unit_range(shots)
    features = extract(shown)
    psnr_of_faces = psnr(shown, truth)
    scores = {
        "camera": {
            "psnr": _mean(psnr_of_faces),
            "ssim": _mean(ssim(shown, truth)),
            **_distances(features, t.hi_features),
        },
        "clean": {
            "psnr": _mean(psnr(unit_range(clean), truth)),
            "ssim": _mean(ssim(unit_range(clean), truth)),
            **_distances(extract(unit_range(clean)), t.hi_features),
        },
        "wild": {
            **_distances(features, t.train_equal),
            "consistency": _mean(consistency(shown, lo)),
        },
    }
    faces = [round(float(x), 2) for x in psnr_of_faces]
    return Scored(scores, faces, features, shots[:N_SHOWN])


@torch.no_grad()
def score_degrader(
    degradation: str | HighToLow | Callable, n: int | None = None, seed: int = 0
) -> dict:
    """A degradation of the test faces: how near it comes to the camera, and how it varies.

    Args:
        degradation: as `inference.shots` takes it.
        n: the first n test faces; by default all.
        seed: of its draws.

    Returns:
        metric -> {value, ci}, distances to the camera's shots of the same faces; and "diversity":
        {total, colour, detail}, the spread over repeated shots of one face, full scale 1.
    """
    t = test_set(n)
    made = inference.shots(degradation, t.hi, seed=seed)[0]
    scores = _distances(extract(unit_range(made), enlarge=True), t.lo_features)
    again = inference.shots(degradation, t.hi[:N_DIVERSE], n=N_Z, seed=seed + 1)
    spread = analysis.diversity(again)._asdict()
    return {**scores, "diversity": {part: _short(v) for part, v in spread.items()}}


def floors(n: int | None = None) -> dict[str, float | str]:
    """What is no distance: the test faces' own ground truth against as many HR training faces."""
    t = test_set(n)
    return {
        "frechet_lite0": _short(frechet(t.hi_features, t.train_equal)),
        "kernel_lite0": _short(kernel_distance(t.hi_features, t.train_equal)[0]),
        "features": FEATURES,
        "lo_rule": LO_RULE,
    }


def _mean(values: Tensor) -> dict:
    """The stored form of a mean over faces."""
    values = values.double().cpu()
    return _stored(Score(float(values.mean()), mean_interval(values)))


def _distances(a: Tensor, b: Tensor) -> dict[str, dict]:
    """The stored form of both distances between two sets of features, at equal n."""
    kernel, _ = kernel_distance(a, b)
    scores = {
        "frechet_lite0": Score(frechet(a, b), distance_interval(frechet, a, b)),
        "kernel_lite0": Score(kernel, kernel_interval(a, b, kernel)),
    }
    return {name: _stored(score) for name, score in scores.items()}


def _stored(score: Score) -> dict:
    """{value, ci} of five digits, as results hold it."""
    ci = [_short(end) for end in score.interval] if score.interval else None
    return {"value": _short(score.value), "ci": ci}


def _short(value: float) -> float:
    return float(f"{value:.5g}")
