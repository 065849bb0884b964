"""The scores that are reported: one function for restorers, one for degraders, both on `faces:test` at equal n.

Three tests of a restorer, the same people in all:
    camera   real shots with their truth (a camera that is simulated makes that possible)
    clean    the truth, shrunk bilinearly: what most papers report
    wild     the same shots as camera, their truth put aside: distances to `faces:train-hi` only
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from .. import analysis, inference
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

N_Z, N_DIVERSE = 8, 100
Restorer = Callable[[Tensor], Tensor]  # lo (B, 3, s, s) -> hi (B, 3, S, S), both in [-1, 1]


@dataclass(frozen=True)
class TestSet:
    """The pictures and the features that every score is taken against; n people."""

    hi: Tensor
    lo: Tensor
    hi_features: Tensor  # of the truth
    lo_features: Tensor  # of the shots, enlarged
    train_features: Tensor  # of 5 n sharp training faces, for `gap_closed`
    train_equal: Tensor  # n of them

    __test__ = False  # it is no test, pytest


@lru_cache(maxsize=2)
def test_set(n: int | None = None) -> TestSet:
    """`faces:test`, or its first n faces, with the features of what it is compared with. HLError for a wrong n."""
    pairs = load_faces("faces:test")
    n = len(pairs.hi) if n is None else n
    if not 2 <= n <= len(pairs.hi):
        raise HLError(
            f"n must be 2 to {len(pairs.hi)}, the faces of faces:test, got {n}: leave it out for all"
        )
    hi, lo = (side.batch(slice(0, n)) for side in pairs)
    train = extract(load_faces("faces:train-hi")[: 5 * n])  # all 3,000 where n is all 600
    return TestSet(
        hi,
        lo,
        extract((hi + 1) / 2),
        extract((lo + 1) / 2, enlarge=True),
        train,
        train[subsample(len(train), n, 0)],
    )


test_set.__test__ = False


@dataclass(frozen=True)
class Scored:
    """scores: test -> metric -> {value, ci}; faces: PSNR of each test face, dB; features and pictures of the shots."""

    scores: dict[str, dict[str, dict]]
    faces: list[float]
    features: Tensor
    pictures: Tensor

    def value(self, test: str, metric: str) -> float:
        return self.scores[test][metric]["value"]


@torch.no_grad()
def score_restorer(restore: Restorer, n: int | None = None) -> Scored:
    """A restorer on the three tests, with 95 % bootstrap intervals over faces. HLError where it gives another size."""
    t = test_set(n)
    shots, clean = restore(t.lo), restore(bilinear(t.hi, t.lo.shape[-1]))
    if shots.shape != t.hi.shape:
        raise HLError(
            f"a restorer must make {tuple(t.hi.shape[1:])} pictures, got {tuple(shots.shape[1:])}"
        )
    features, scores = extract((shots + 1) / 2), {}
    for test, fake, seen in (
        ("camera", shots, features),
        ("clean", clean, extract((clean + 1) / 2)),
    ):
        a, b = (fake + 1) / 2, (t.hi + 1) / 2
        scores[test] = {
            "psnr": _mean(psnr(a, b)),
            "ssim": _mean(ssim(a, b)),
            **_distances(seen, t.hi_features),
        }
    explained = consistency((shots + 1) / 2, (t.lo + 1) / 2)
    scores["wild"] = {**_distances(features, t.train_equal), "consistency": _mean(explained)}
    faces = [round(float(x), 2) for x in psnr((shots + 1) / 2, (t.hi + 1) / 2)]
    return Scored(scores, faces, features, shots[:N_SHOWN])


@torch.no_grad()
def score_degrader(
    degradation: str | HighToLow | Callable, n: int | None = None, seed: int = 0
) -> dict:
    """A degradation (as `inference.shots` takes it) of the test faces: how near it comes to the camera, how it varies.

    {metric: {value, ci}}, distances to the shots of the same faces, and diversity: {total, colour, detail}, the spread
    over repeated shots of one face, full scale 1.
    """
    t = test_set(n)
    made = inference.shots(degradation, t.hi, seed=seed)[0]
    scores = _distances(extract((made + 1) / 2, enlarge=True), t.lo_features)
    again = analysis.diversity(inference.shots(degradation, t.hi[:N_DIVERSE], n=N_Z, seed=seed + 1))
    return {**scores, "diversity": {k: _short(v) for k, v in again._asdict().items()}}


def floors(n: int | None = None) -> dict[str, float]:
    """What is no distance: the test faces' own truth against as many sharp training faces."""
    t = test_set(n)
    return {
        "frechet_lite0": _short(frechet(t.hi_features, t.train_equal)),
        "kernel_lite0": _short(kernel_distance(t.hi_features, t.train_equal)[0]),
        "features": FEATURES,
        "lo_rule": LO_RULE,
    }


def _short(value: float) -> float:
    return float(f"{value:.5g}")


def _stored(score: Score) -> dict:
    """{value, ci} of five digits, as results hold it."""
    ci = score.interval and [_short(x) for x in score.interval]
    return {"value": _short(score.value), "ci": ci}


def _mean(values: Tensor) -> dict:
    values = values.double().cpu()
    return _stored(Score(float(values.mean()), mean_interval(values)))


def _distances(a: Tensor, b: Tensor) -> dict[str, dict]:
    """Both distances of two sets of features at equal n."""
    kernel, _ = kernel_distance(a, b)
    scores = {
        "frechet_lite0": Score(frechet(a, b), distance_interval(frechet, a, b)),
        "kernel_lite0": Score(kernel, kernel_interval(a, b, kernel)),
    }
    return {name: _stored(score) for name, score in scores.items()}
