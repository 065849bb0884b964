"""`adapt`: a learned camera brought to a new folder of a few LR pictures, where that helps.

A camera of which 50 pictures are there cannot be learned anew by a GAN: its discriminator knows the
50 by heart at once. What holds with few pictures is the anchor, the energy distance of picture
statistics, from a law that is nearly right: so a law that was learned is moved by STEPS updates of
it, with the one loop.

Whether the moved law is kept is asked of pictures that did not move it (cross-fitting): each is
scored under the law as it was and under one that was adapted to the other folds. The energy score

    s(law, x) = 2 E|a - f(x)| - E|a - a'|,    a, a' statistics of pictures that the law makes

is proper: its mean over pictures is least for their true law (Gneiting and Raftery 2007). Kept is
what lowers it by more than Z standard errors of its mean; else the law stays as it was.

The JPEG is no part of that question. It is measured of the new pictures, not fitted, and the score
sees nothing of blocks: so it is always theirs.
"""

from __future__ import annotations

import copy
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from .analysis.camera_law import learned_law
from .analysis.classifier import TwoSample, two_sample
from .analysis.spectrum import statistics
from .checkpoint import save_weights
from .data.faces import FaceSet, unit_range
from .data.loading import load_faces
from .errors import HLError
from .files import out_folder, save_json
from .graphs import fastest_update
from .inference import Weights, load_weights, new_z
from .losses import energy_scores, picture_statistics
from .metrics.distances import kernel_distance
from .metrics.features import enlarge_lo, extract
from .networks.camera import LearnedCamera
from .rng import seeded
from .runtime import pick_device
from .tasks.two_stage import RealStatistics
from .training import jpeg_of, new_loop

AT_LEAST = 20  # LR pictures
FOLDS = 3
Z = 1.645  # standard errors: a law that is right already is exchanged in one folder of twenty
N_MADE = 400  # pictures that a law makes, to be held against the real ones
STEPS, BATCH, LR = 120, 16, 8e-3
FILES = ("weights.safetensors", "adaptation.json")  # that `Adapted.save` writes


@dataclass(frozen=True)
class Gap:
    """How far a law's pictures lie from the real ones, in three ways.

    Attributes:
        told_apart: how often a classifier tells them apart; 50% is never.
        kernel: kernel distance of Lite0 features.
        energy: mean energy score; only differences mean anything.
    """

    told_apart: TwoSample
    kernel: float
    energy: float


@dataclass(frozen=True)
class Adapted:
    """What `adapt` has found.

    Attributes:
        net: the camera to use: its law adapted where that was kept, else as it was; its JPEG that
            of the new pictures in either case.
        kept: was the adapted law kept?
        gain: mean fall of the energy score, of pictures that did not adapt the law they judge.
        error: its standard error.
        quality: median quality of the JPEG, as it was and as measured of the new pictures.
        before: the gap as it was.
        after: the gap of `net`. An adapted law is judged on the pictures that adapted it here, but
            for its energy score.
        source: where the LR pictures are from.
        seconds: spent.
    """

    net: LearnedCamera
    kept: bool
    gain: float
    error: float
    quality: tuple[float, float]
    before: Gap
    after: Gap
    source: str
    seconds: float

    def verdict(self) -> str:
        """The decision in one line."""
        fall = f"{self.gain:.3f} +- {self.error:.3f}, {'' if self.kept else 'not '}more than {Z} "
        what = "kept the adapted law" if self.kept else "left the law as it was"
        score = f"the energy score of held-out pictures falls by {fall}standard errors"
        was, now = self.quality
        return f"{what}: {score}; its JPEG is theirs, of median quality {now:.0f} (was {was:.0f})"

    def as_dict(self) -> dict[str, Any]:
        """Everything but the network, for JSON."""
        gaps = {}
        for name, gap in (("before", self.before), ("after", self.after)):
            gaps[name] = {
                "told_apart": round(gap.told_apart.accuracy, 3),
                "interval": [round(gap.told_apart.low, 3), round(gap.told_apart.high, 3)],
                "kernel": round(gap.kernel, 4),
                "energy": round(gap.energy, 3),
            }
        return {
            "lo": self.source,
            "verdict": self.verdict(),
            "kept": self.kept,
            "gain": round(self.gain, 4),
            "error": round(self.error, 4),
            "jpeg_quality": [round(quality, 1) for quality in self.quality],
            **gaps,
            "law": law_summary(self.net),
            "seconds": round(self.seconds, 1),
        }

    def save(self, folder: str | Path) -> list[Path]:
        """Write the weights and `adaptation.json`; `learned:FOLDER` is then a degradation.

        Args:
            folder: where to.

        Returns:
            The files written.

        Raises:
            HLError: where they cannot be written.
        """
        paths = [out_folder(folder) / name for name in FILES]
        notes = {"adapted_to": self.source, "kept": self.kept}
        save_weights(paths[0], self.net.state_dict(), "h2l", self.net.cfg, notes)
        save_json(paths[1], self.as_dict())
        return paths


def adapt(
    weights: Weights,
    lo: str | Path | FaceSet,
    *,
    hi: str | Path | FaceSet = "faces:train-hi",
    steps: int = STEPS,
    seed: int = 0,
    device: str | torch.device | None = None,
) -> Adapted:
    """Adapt a learned camera to a few LR pictures of another camera.

    Its JPEG is theirs, as it can be measured; its law moves where that helps. Of a camera of
    several domains the one whose pictures lie nearest is adapted.

    Args:
        weights: of a learned camera, as in `load_weights`.
        lo: the new LR pictures, AT_LEAST or more.
        hi: HR pictures to degrade; of other people.
        steps: updates of each of the FOLDS + 1 adaptations.
        seed: of all that is drawn.
        device: where to work; CUDA by default where there is one.

    Returns:
        The camera to use, and the gap before and after.

    Raises:
        HLError: for weights of another network, and too few pictures.
    """
    start = time.perf_counter()
    place = torch.device(pick_device(device))
    net = load_weights(weights, stage="h2l", device=place)
    if not isinstance(net, LearnedCamera):
        raise HLError(
            f"weights must be of a learned camera (h2l_model camera), got {type(net).__name__}: "
            "train h2l with --h2l-model camera, or give h2l"
        )
    hi_set = _faces(hi, net.cfg.size_hi, "hi")
    lo_set = _faces(lo, net.cfg.size_lo, "lo")
    if len(lo_set) < AT_LEAST:
        raise HLError(
            f"lo must hold at least {AT_LEAST} pictures, got {len(lo_set)} in {lo_set.source}: "
            "a law of fewer is guessed"
        )
    judge = _Judge(hi_set, lo_set, place, seed)
    was = judge.nearest(net)
    net = with_jpeg_of(lo_set, was)
    before = judge.scores(net)

    after = torch.empty_like(before)
    fold = torch.arange(len(lo_set)) % FOLDS
    for i in range(FOLDS):
        others = fitted(net, hi_set, lo_set[(fold != i).numpy()], steps, seed, place)
        after[fold == i] = judge.scores(others)[fold == i]
    gain = before - after
    mean, error = gain.mean().item(), gain.std().item() / math.sqrt(len(gain))

    kept = mean > Z * error
    chosen = fitted(net, hi_set, lo_set, steps, seed, place) if kept else net
    gap = judge.gap(was, judge.scores(was))
    gap_after = judge.gap(chosen, after if kept else before)
    quality = (was.jpeg.quality.median().item(), net.jpeg.quality.median().item())
    seconds = time.perf_counter() - start
    return Adapted(chosen, kept, mean, error, quality, gap, gap_after, lo_set.source, seconds)


def with_jpeg_of(lo: FaceSet, net: LearnedCamera) -> LearnedCamera:
    """The camera with the JPEG that some pictures show.

    Args:
        lo: the pictures.
        net: a camera of one domain; left as it is.

    Returns:
        A copy.
    """
    net = copy.deepcopy(net)
    net.jpeg.set(*jpeg_of(lo))
    return net


def fitted(
    net: LearnedCamera,
    hi: FaceSet,
    lo: FaceSet,
    steps: int = STEPS,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> LearnedCamera:
    """The camera after `steps` updates of the anchor alone, from its own law; always moved.

    Args:
        net: where it starts; of one domain.
        hi: HR pictures.
        lo: LR pictures, of which the JPEG is measured anew too.
        steps: generator updates.
        seed: of all that is drawn.
        device: where to work.

    Returns:
        The average of its weights, in eval mode, its gradients off.
    """
    cfg = net.cfg.replace(
        w_gan=0.0,
        w_stats=1.0,
        batch=BATCH,
        h2l_steps=steps,
        lr=LR,
        lr_schedule="cosine",
        ema=0.1,
        n_hi=0,
        n_lo=0,
        amp="off",
        compile=False,
        seed=seed,
    )
    loop, _ = new_loop(cfg, "h2l", hi=hi, lo=lo, device=device)
    state = {k: v for k, v in net.state_dict().items() if not k.startswith("jpeg.")}
    loop.task.generators["h2l"].load_state_dict(state, strict=False)
    update = fastest_update(loop)
    while loop.step < loop.steps:
        update()
    moved = cast(LearnedCamera, loop.nets["h2l"])
    return moved.eval().requires_grad_(False)


def law_summary(net: LearnedCamera) -> dict[str, list[float]]:
    """Mean and spread of each number of the law, by name."""
    summary = {}
    for name, numbers in learned_law(net, n=2_000).items():
        summary[name] = [round(numbers.mean().item(), 3), round(numbers.std().item(), 3)]
    return summary


def set_apart(made: Tensor, real: Tensor) -> tuple[TwoSample, float]:
    """How far made pictures lie from real ones of other people.

    Args:
        made: (N, 3, s, s) in [-1, 1].
        real: (M, 3, s, s) in [-1, 1].

    Returns:
        How often a classifier of named statistics tells them apart, and the kernel distance of
        their Lite0 features.
    """
    told = two_sample(statistics(made), statistics(real))
    a, b = (extract(enlarge_lo(unit_range(x))) for x in (made, real))
    return told, kernel_distance(a, b)[0]


class _Judge:
    """Holds laws against the real pictures, each with the same faces and the same z."""

    def __init__(self, hi: FaceSet, lo: FaceSet, device: torch.device, seed: int) -> None:
        rows = torch.linspace(0, len(hi) - 1, min(N_MADE, len(hi))).long().tolist()
        self.hi = hi.batch(rows, device)
        self.lo = lo.batch(device=device)
        self.real = RealStatistics(lo, device)
        self.seed = seed

    @torch.no_grad()
    def made(self, net: LearnedCamera) -> Tensor:
        """Pictures that the law makes, (n, 3, s, s)."""
        generator = seeded(self.seed, self.hi.device)
        return net(self.hi, new_z(net, len(self.hi), generator))

    def scores(self, net: LearnedCamera) -> Tensor:
        """The energy score of each real picture, (N,)."""
        made = self.real.standardised(picture_statistics(self.made(net)))
        return energy_scores(made, self.real.real).cpu()

    def nearest(self, net: LearnedCamera) -> LearnedCamera:
        """Of several domains that whose mean score is least; else the net."""
        if net.cfg.domains == 1:
            return net
        laws = [net.of_domain(k) for k in range(net.cfg.domains)]
        return min(laws, key=lambda law: self.scores(law).mean().item())

    def gap(self, net: LearnedCamera, scores: Tensor) -> Gap:
        """All three measures."""
        return Gap(*set_apart(self.made(net), self.lo), scores.mean().item())


def _faces(source: str | Path | FaceSet, size: int, role: str) -> FaceSet:
    """The pictures of that size."""
    if isinstance(source, FaceSet):
        return source
    return cast(FaceSet, load_faces(source, size, role=role))
