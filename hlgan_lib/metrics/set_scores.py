"""Distances of sets as scores, at equal n: any feature network, any protocol."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..data.faces import FaceSet
from ..errors import HLError
from ..rng import subsample
from ..stats import distance_interval
from .distances import frechet, kernel_distance, kernel_interval
from .feature_cache import cached
from .features import (
    FEATURES,
    LO_RULE,
    Lite0,
    clean_inception,
    device_of,
    enlarge_lo,
    loaded,
    paper_inception,
    parts_of,
)
from .protocols import CLEAN, PAPER, STEPS, Protocol, before_the_network, one_step
from .score import Score

Pictures = FaceSet | Tensor  # a tensor is float (N, 3, H, W) in [0, 1]


class Network(NamedTuple):
    """A feature network: its description beside a score, its d numbers, and load(device) -> f.

    f takes pictures (B, 3, H, W) in [0, 1] to features (B, d). rounds: of a Fréchet distance's
    bootstrap at most.
    """

    description: str
    numbers: int
    load: Callable[[torch.device], Callable[[Tensor], Tensor]]
    rounds: int = 200


# 2048 numbers cost time: fewer rounds.
NETWORKS = {
    "lite0": Network(FEATURES, Lite0.num_features, loaded),
    "inception": Network(
        "Inception, torch-fidelity's weights, 2048 numbers", 2048, clean_inception, 40
    ),
    "torchvision": Network(
        "Inception, torchvision's weights, 2048 numbers", 2048, paper_inception, 40
    ),
}


class Measure(NamedTuple):
    """What stands behind the name of a distance of sets."""

    distance: str  # frechet or kernel
    network: str
    protocol: Protocol


MEASURES = {
    "frechet_lite0": Measure("frechet", "lite0", CLEAN),
    "kernel_lite0": Measure("kernel", "lite0", CLEAN),
    "frechet_lite0_paper": Measure("frechet", "lite0", PAPER),
    "fid": Measure("frechet", "inception", CLEAN),
    "kid": Measure("kernel", "inception", CLEAN),
    "fid_paper": Measure("frechet", "torchvision", PAPER),
}


# ---- features under a protocol -------------------------------------------------------------------
@torch.no_grad()
def features_of(images: Pictures, protocol: Protocol, network: Network, made: bool) -> Tensor:
    """Features of made or reference pictures under a protocol.

    Pictures under 64x64 that the protocol does not enlarge come before Lite0 by `enlarge_lo`. The
    features of reference pictures are kept on the disk (`feature_cache`).

    Args:
        images: a FaceSet, or float (N, 3, H, W) in [0, 1].
        protocol: what happens before the network.
        network: one of NETWORKS.
        made: made pictures, or reference ones.

    Returns:
        (N, d) float64 on the CPU.
    """
    device = device_of(images)
    batch = 8 if protocol.enlarge and device.type == "cpu" else 64  # 8 fit a CPU's cache
    small = _side(images) < 64 and not protocol.enlarge and network.numbers == Lite0.num_features

    def extract() -> Tensor:
        net = network.load(device)
        features = []
        for part in parts_of(images, device, batch):
            x = before_the_network(part, protocol, made)
            features.append(net(enlarge_lo(x) if small else x).double().cpu())
        return torch.cat(features)

    if made:
        return extract()
    about = {
        "network": network.description,
        "protocol": dataclasses.asdict(protocol),
        "device": device.type,
        "small": small,
    }
    return cached(images, about, extract)


def _side(images: Pictures) -> int:
    return (images.images if isinstance(images, FaceSet) else images).shape[-1]


def take(images: Pictures, k: int, seed: int) -> Pictures:
    """At most k pictures, drawn by seed.

    Args:
        images: any set.
        k: how many are wanted.
        seed: of the draw.

    Returns:
        The set itself where it holds no more than k.
    """
    index = subsample(len(images), k, seed)
    return images[index.numpy()] if isinstance(images, FaceSet) else images[index.to(images.device)]


# ---- scores --------------------------------------------------------------------------------------
class Sides(NamedTuple):
    """Features of both sides of a distance, and what to say of them."""

    made: Tensor  # (n, d)
    reference: Tensor  # (2 n, d) where there are as many: the second half is for the floor
    description: str
    notes: list[str]


def set_scores(
    names: Sequence[str],
    fake: Pictures,
    real: Pictures,
    train: Pictures | None,
    n_boot: int = 200,
    seed: int = 0,
    measures: Mapping[str, Measure] = MEASURES,
) -> dict[str, Score]:
    """Distances of sets at equal n, each with interval and floor; see `metrics.evaluate`.

    Args:
        names: of `measures`.
        fake: made pictures.
        real: reference pictures of the clean protocol.
        train: HR training pictures, the reference of the paper's.
        n_boot: rounds of the bootstrap.
        seed: of the subsamples and rounds.
        measures: what stands behind each name.

    Returns:
        name -> Score.

    Raises:
        HLError: where a protocol asks for train and there is none, or drops all pictures.
    """
    of_measure: dict[tuple[str, Protocol], Sides] = {}
    scores = {}
    for name in names:
        distance, network, protocol = measures[name]
        # Distances that share network and protocol share their features too.
        if (network, protocol) not in of_measure:
            reference = _reference(name, protocol, real, train)
            sides = _sides(fake, reference, protocol, NETWORKS[network], seed)
            of_measure[network, protocol] = sides
        sides = of_measure[network, protocol]
        if distance == "kernel":
            scores[name] = _kernel_score(sides, n_boot, seed)
        else:
            scores[name] = _frechet_score(sides, n_boot, NETWORKS[network].rounds, seed)
    return scores


def _reference(name: str, protocol: Protocol, real: Pictures, train: Pictures | None) -> Pictures:
    if protocol.reference == "real":
        return real
    if train is None:
        raise HLError(
            f"{name} compares with the HR training pictures, as the authors' scripts do, got "
            "train=None: pass train=, such as faces:train-hi"
        )
    return train


def _sides(
    fake: Pictures, reference: Pictures, protocol: Protocol, network: Network, seed: int
) -> Sides:
    n = protocol.whole(min(len(fake), len(reference)))
    made = features_of(take(fake, n, seed), protocol, network, made=True)
    others = features_of(take(reference, 2 * n, seed + 1), protocol, network, made=False)

    notes = []
    kind = "training" if protocol.reference == "train" else "real"
    for word, pictures in (("fake", fake), (kind, reference)):
        if len(pictures) > n:
            notes.append(f"{n} of the {len(pictures)} {word} pictures, drawn by seed {seed}")
    if n <= network.numbers:
        notes.append(f"{n} pictures do not fill {network.numbers} features: a coarse number")

    enlarged = _side(fake) < 64 and network is NETWORKS["lite0"] and not protocol.enlarge
    rule = f"; {LO_RULE}" if enlarged else ""
    description = f"{network.description}{rule}; {protocol.name}: {protocol.steps()}"
    return Sides(made, others, description, notes)


def _split(sides: Sides) -> tuple[Tensor, Tensor, Tensor]:
    """As many reference features as made ones, and two halves of the reference for the floor."""
    n = len(sides.made)
    half = min(n, len(sides.reference) // 2)
    return sides.reference[:n], sides.reference[:half], sides.reference[half : 2 * half]


def _kernel_score(sides: Sides, n_boot: int, seed: int) -> Score:
    a, (b, one, other) = sides.made, _split(sides)
    value, sd = kernel_distance(a, b, seed=seed)
    has_floor = len(one) > 1
    return Score(
        value,
        kernel_interval(a, b, value, n_boot, seed),
        n=len(a),
        features=sides.description,
        floor=kernel_distance(one, other)[0] if has_floor else None,
        floor_n=len(one) if has_floor else None,
        sd=sd,
        note="; ".join(sides.notes) or None,
    )


def _frechet_score(sides: Sides, n_boot: int, rounds: int, seed: int) -> Score:
    a, (b, one, other) = sides.made, _split(sides)
    notes = list(sides.notes)
    if n_boot > rounds:
        notes.append(f"interval from {rounds} rounds")
    has_floor = len(one) > 1
    return Score(
        frechet(a, b),
        distance_interval(frechet, a, b, min(n_boot, rounds), seed),
        n=len(a),
        features=sides.description,
        floor=frechet(one, other) if has_floor else None,
        floor_n=len(one) if has_floor else None,
        note="; ".join(notes) or None,
    )


# ---- how far the protocols drift apart -----------------------------------------------------------
def drift(
    made: Mapping[str, Pictures],
    real: Pictures,
    train: Pictures,
    network: str = "lite0",
    n_boot: int = 200,
    seed: int = 0,
) -> dict[str, dict[str, dict]]:
    """The same pictures under `clean`, `clean` with one step of `paper` at a time, and `paper`.

    The score is the Fréchet distance on the network's features. Source: ours.

    Args:
        made: name -> restored pictures; FaceSets, or float (N, 3, H, W) in [0, 1], as real and
            train.
        real: HR pictures that no method has seen.
        train: HR training pictures.
        network: of NETWORKS.
        n_boot: rounds of the bootstrap.
        seed: of the subsamples and rounds.

    Returns:
        {name: {protocol: score}}, each score as `Score.as_dict` stores it.

    Raises:
        HLError: for an unknown network, and where a set is smaller than the protocol's batch.
    """
    if network not in NETWORKS:
        raise HLError(f"network must be {', '.join(NETWORKS)}, got {network!r}")
    protocols = [CLEAN, *map(one_step, STEPS), PAPER]
    measures = {p.name: Measure("frechet", network, p) for p in protocols}
    table = {}
    for name, pictures in made.items():
        scores = set_scores(list(measures), pictures, real, train, n_boot, seed, measures)
        table[name] = {protocol: score.as_dict() for protocol, score in scores.items()}
    return table
