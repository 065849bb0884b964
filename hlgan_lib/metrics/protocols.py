"""Two ways to a distance of sets: `clean`, today's practice, and `paper`, the authors' scripts; any feature network.

The same pictures get other numbers from other protocols: a distance carries its network *and* its protocol.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from ..data.faces import FaceSet, to_uint8
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

Pictures = FaceSet | Tensor
PAPER_BATCH = 64  # 3,000 test pictures became 2,944 = 46 * 64


@dataclass(frozen=True)
class Protocol:
    """What happens between the pictures and the feature network. Sources: the authors' scripts, or ours."""

    name: str
    reference: str = (
        "real"  # real: pictures no method has seen; train: sharp training ones (scripts)
    )
    stretch: bool = False  # each made picture to full contrast, min to 0 and max to 255 (scripts)
    jpeg: int = 0  # quality of the JPEG each made picture is saved as; 0: none (scripts)
    enlarge: int = (
        0  # side to which all are enlarged bilinearly; 0: the network's own way (scripts)
    )
    batch: int = 1  # the last incomplete batch of this many pictures is dropped (scripts)

    def whole(self, n: int) -> int:
        """How many of n pictures are left. Raises HLError where none is."""
        if n < self.batch:
            raise HLError(
                f"the protocol {self.name} drops the last incomplete batch of {self.batch}, got {n} "
                "pictures, so that none is left: give more"
            )
        return n - n % self.batch

    def steps(self) -> str:
        """In words, beside a score."""
        said = [f"reference: {'training set' if self.reference == 'train' else 'real pictures'}"]
        said += ["min-max stretch"] * self.stretch + [f"JPEG {self.jpeg}"] * bool(self.jpeg)
        said += [f"bilinear to {self.enlarge}"] * bool(self.enlarge)
        return ", ".join(said + [f"whole batches of {self.batch}"] * (self.batch > 1))


CLEAN = Protocol("clean")
# The quality of the scripts' JPEGs is not known: 75 is Pillow's own default (ours).
PAPER = Protocol("paper", reference="train", stretch=True, jpeg=75, enlarge=299, batch=PAPER_BATCH)
STEPS = ("reference", "stretch", "jpeg", "enlarge", "batch")


def one_step(step: str) -> Protocol:
    """`clean` with a single step of `paper`: how far does that step alone move a number?"""
    if step not in STEPS:
        raise HLError(f"step must be {', '.join(STEPS)}, got {step!r}")
    return dataclasses.replace(CLEAN, name=f"clean + {step}", **{step: getattr(PAPER, step)})


# ---- the steps -------------------------------------------------------------------------------------------------------
def stretch(x: Tensor) -> Tensor:
    """Each picture to full contrast, (x - min) / (max - min) over all its numbers; a constant one stays as it is."""
    low, high = x.amin((1, 2, 3), keepdim=True), x.amax((1, 2, 3), keepdim=True)
    return torch.where(high > low, (x - low) / (high - low).clamp(min=1e-12), x)


def jpeg_file(x: Tensor, quality: int) -> Tensor:
    """What is left of each picture, [0, 1] (B, 3, H, W), in a JPEG file that Pillow writes and reads."""
    out = []
    for picture in to_uint8(x * 2 - 1).permute(0, 2, 3, 1).cpu().numpy():
        file = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(picture)).save(file, "JPEG", quality=quality)
        out.append(np.array(Image.open(file)))
    return torch.from_numpy(np.stack(out)).permute(0, 3, 1, 2).to(x) / 255


def before_the_network(x: Tensor, protocol: Protocol, made: bool) -> Tensor:
    """A batch in [0, 1] as the protocol hands it on; only made pictures are stretched and coded."""
    if made and protocol.stretch:
        x = stretch(x)
    if made and protocol.jpeg:
        x = jpeg_file(x, protocol.jpeg)
    if protocol.enlarge:
        x = interpolate(
            x, size=(protocol.enlarge, protocol.enlarge), mode="bilinear", align_corners=False
        )
        x = x.contiguous(
            memory_format=torch.channels_last
        )  # a CPU takes large pictures several times as fast
    return x


# ---- feature networks ------------------------------------------------------------------------------------------------
class Network(NamedTuple):
    """A feature network: what a score says of it, its d numbers, and load(device) -> f([0, 1]) -> (B, d)."""

    says: str
    numbers: int
    load: Callable[[torch.device], Callable[[Tensor], Tensor]]
    rounds: int = 200  # of the bootstrap at most: many numbers cost time


NETWORKS = {
    "lite0": Network(FEATURES, Lite0.num_features, loaded),
    "inception": Network(
        "Inception, torch-fidelity's weights, 2048 numbers", 2048, clean_inception, 40
    ),
    "torchvision": Network(
        "Inception, torchvision's weights, 2048 numbers", 2048, paper_inception, 40
    ),
}


@torch.no_grad()
def features_of(images: Pictures, protocol: Protocol, network: Network, made: bool) -> Tensor:
    """Features (N, d) of made or reference pictures under a protocol, float64 on the CPU.

    Pictures under 64x64 that the protocol does not enlarge come before Lite0 by enlarge_lo. The features of reference
    pictures are kept on the disk (feature_cache).
    """
    device = device_of(images)
    batch = 8 if protocol.enlarge and device.type == "cpu" else 64  # 8 fit a CPU's cache
    small = _side(images) < 64 and not protocol.enlarge and network.numbers == Lite0.num_features

    def extract() -> Tensor:
        net = network.load(device)
        parts = (before_the_network(x, protocol, made) for x in parts_of(images, device, batch))
        return torch.cat([net(enlarge_lo(x) if small else x).double().cpu() for x in parts])

    if made:
        return extract()
    about = {
        "network": network.says,
        "protocol": dataclasses.asdict(protocol),
        "device": device.type,
        "small": small,
    }
    return cached(images, about, extract)


def _side(images: Pictures) -> int:
    return (images.images if isinstance(images, FaceSet) else images).shape[-1]


# ---- scores ----------------------------------------------------------------------------------------------------------
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


def set_scores(
    names: list[str],
    fake: Pictures,
    real: Pictures,
    train: Pictures | None,
    n_boot: int = 200,
    seed: int = 0,
    measures: Mapping[str, Measure] = MEASURES,
) -> dict[str, dict]:
    """Distances of sets at equal n, each with interval and floor; see metrics.evaluate."""
    seen: dict[tuple, tuple] = {}
    result = {}
    for name in names:
        distance, network, protocol = measures[name]
        if (network, protocol) not in seen:
            reference = _reference(name, protocol, real, train)
            seen[network, protocol] = _both(fake, reference, protocol, NETWORKS[network], seed)
        result[name] = _distance(distance, *seen[network, protocol], n_boot, seed)
    return result


def _reference(name: str, protocol: Protocol, real: Pictures, train: Pictures | None) -> Pictures:
    if protocol.reference == "real":
        return real
    if train is None:
        raise HLError(
            f"{name} compares with the sharp training pictures, as the authors' scripts do, got train=None: "
            "pass train=, such as faces:train-hi"
        )
    return train


def _both(
    fake: Pictures, reference: Pictures, protocol: Protocol, network: Network, seed: int
) -> tuple:
    """Features of the made pictures, of twice as many reference ones where there are, and what to say of them."""
    n = protocol.whole(min(len(fake), len(reference)))
    which = "training" if protocol.reference == "train" else "real"
    notes = [
        f"{n} of the {len(x)} {word} pictures, drawn by seed {seed}"
        for word, x in (("fake", fake), (which, reference))
        if len(x) > n
    ]
    a = features_of(take(fake, n, seed), protocol, network, made=True)
    b = features_of(take(reference, 2 * n, seed + 1), protocol, network, made=False)
    if n <= network.numbers:
        notes.append(f"{n} pictures do not fill {network.numbers} features: a coarse number")
    says = network.says + (
        f"; {LO_RULE}"
        if _side(fake) < 64 and network is NETWORKS["lite0"] and not protocol.enlarge
        else ""
    )
    return a, b, f"{says}; {protocol.name}: {protocol.steps()}", notes, network.rounds


def _distance(
    distance: str,
    a: Tensor,
    b: Tensor,
    says: str,
    notes: list[str],
    rounds: int,
    n_boot: int,
    seed: int,
) -> dict:
    """The score: its value, interval, and the floor, the same distance between two halves of the reference."""
    half = min(len(a), len(b) // 2)
    halves, b = (b[:half], b[half : 2 * half]), b[: len(a)]
    shared = {"n": len(a), "features": says, "floor_n": half if half > 1 else None}
    if distance == "kernel":
        value, sd = kernel_distance(a, b, seed=seed)
        return score(
            value,
            ci=kernel_interval(a, b, value, n_boot, seed),
            sd=sd,
            note=notes,
            **shared,
            floor=kernel_distance(*halves)[0] if half > 1 else None,
        )
    n_boot, notes = (
        min(n_boot, rounds),
        notes + [f"interval from {rounds} rounds"] * (n_boot > rounds),
    )
    return score(
        frechet(a, b),
        ci=distance_interval(frechet, a, b, n_boot, seed),
        note=notes,
        **shared,
        floor=frechet(*halves) if half > 1 else None,
    )


def score(
    value: float,
    n: int,
    ci: list | None,
    features: str,
    floor: float | None = None,
    floor_n: int | None = None,
    sd: float | None = None,
    note: list[str] = (),
) -> dict:
    """A number and what must stand beside it."""
    return {
        "value": value,
        "n": n,
        "ci": ci,
        "floor": floor,
        "floor_n": floor_n,
        "features": features,
        "sd": sd,
        "note": "; ".join(note) or None,
    }


def take(images: Pictures, k: int, seed: int) -> Pictures:
    """At most k pictures, drawn by seed."""
    index = subsample(len(images), k, seed)
    return images[index.numpy()] if isinstance(images, FaceSet) else images[index.to(images.device)]


# ---- how far the two drift apart -------------------------------------------------------------------------------------
def drift(
    made: Mapping[str, Pictures],
    real: Pictures,
    train: Pictures,
    network: str = "lite0",
    n_boot: int = 200,
    seed: int = 0,
) -> dict[str, dict[str, dict]]:
    """The same pictures under `clean`, `clean` with one step of `paper` at a time, and `paper`.

    made: name -> restored pictures, real: sharp ones that no method has seen, train: sharp training ones; FaceSets, or
    float (N, 3, H, W) in [0, 1]. Returns {name: {protocol: score}} of the Frechet distance on the network's features.
    HLError for an unknown network, and where a set is smaller than the protocol's batch. Source: ours.
    """
    if network not in NETWORKS:
        raise HLError(f"network must be {', '.join(NETWORKS)}, got {network!r}")
    measures = {
        p.name: Measure("frechet", network, p) for p in (CLEAN, *map(one_step, STEPS), PAPER)
    }
    return {
        name: set_scores(list(measures), x, real, train, n_boot, seed, measures)
        for name, x in made.items()
    }
