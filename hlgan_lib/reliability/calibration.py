"""What turns signs of doubt into a score: how large each usually is, for one pair of networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..checkpoint import fingerprint
from ..data.faces import FaceSet
from ..data.loading import load_faces
from ..errors import HLError
from ..files import save_json, user_path
from ..inference import SHIPPED, Weights, load_weights
from ..networks.blocks import check_images
from ..rng import subsample
from ..schema import Misfit, read_json
from .signs import SIGNS, HRFeatures, hr_features, signs

DOUBTFUL = 0.1  # the part of the calibration pictures that counts as doubtful
N_HR = 1000  # HR faces that say what a face looks like
AT_LEAST = 20  # LR pictures of a calibration
CALIBRATION = SHIPPED / "trust.json"


@dataclass(frozen=True)
class Calibration:
    """Measured on LR pictures and on HR faces, none of it on pairs of both.

    Attributes:
        networks: fingerprint of the two networks that it holds for.
        source: of the LR pictures.
        n: how many LR pictures.
        n_z: z for each restored face.
        seed: of z and noise.
        mean: of the logarithm of each sign.
        sd: standard deviation of the same.
        grades: the trust that 0, 1, ..., 100 % of the pictures fall short of.
        sharp: `HRFeatures` as lists (the key of stored files).
    """

    networks: str
    source: str
    n: int
    n_z: int
    seed: int
    mean: dict[str, float]
    sd: dict[str, float]
    grades: list[float]
    sharp: dict[str, list[float]]

    def __post_init__(self) -> None:
        signs_known = set(SIGNS) <= self.mean.keys() & self.sd.keys()
        lists = {len(values) for values in self.sharp.values()}
        faces_known = self.sharp.keys() == set(HRFeatures._fields)
        if not signs_known or min(self.sd.values()) <= 0:
            raise Misfit(f"mean and sd must be of {', '.join(SIGNS)}, sd above 0")
        if not faces_known or len(lists) != 1 or 0 in lists or self.n_z < 1:
            raise Misfit(f"sharp must be lists of {', '.join(HRFeatures._fields)}, n_z 1 or more")
        if self.grades and (len(self.grades) < 2 or sorted(self.grades) != self.grades):
            raise Misfit("grades must be two or more rising numbers")

    def score(self, found: dict[str, Tensor], of: Sequence[str] = SIGNS) -> Tensor:
        """trust = - mean over the signs of (log sign - mean) / sd: 0 as usual, (B,)."""
        deviations = []
        for name in of:
            log = found[name].clamp(min=1e-9).log()
            deviations.append((log - self.mean[name]) / self.sd[name])
        return -torch.stack(deviations).mean(0)

    def grade(self, score: Tensor) -> Tensor:
        """The share of the calibration pictures that are trusted less, by whole per cents."""
        grades = torch.tensor(self.grades, dtype=torch.float64)
        below = torch.searchsorted(grades, score.double(), right=True)
        return (below - 1).clamp(min=0) / (len(self.grades) - 1)

    @property
    def limit(self) -> float:
        """Below this trust a picture is doubtful, as a tenth of the calibration pictures are."""
        return self.grades[round(DOUBTFUL * (len(self.grades) - 1))]

    def hr_features(self) -> HRFeatures:
        """What HR faces look like, as tensors."""
        columns = [torch.tensor(self.sharp[k], dtype=torch.float64) for k in HRFeatures._fields]
        return HRFeatures(*columns)

    def save(self, path: str | Path) -> None:
        """Write it as JSON."""
        save_json(user_path(path), asdict(self))

    @classmethod
    def load(cls, path: str | Path) -> Calibration:
        """Read what `save` wrote. Raises HLError where the file is none."""
        return read_json(user_path(path), cls, "calibration", "write it with Calibration.save")


def calibrate(
    l2h: Weights,
    h2l: Weights,
    lo: FaceSet | None = None,
    hi: FaceSet | None = None,
    n_z: int = 8,
    seed: int = 0,
    device: str | torch.device = "cpu",
) -> Calibration:
    """Measure how large each sign usually is. It needs no pairs: one's own LR pictures will do.

    Args:
        l2h: weights of stage two.
        h2l: weights of the stage one that it was trained with.
        lo: LR pictures, by default faces:val.
        hi: HR faces, by default faces:train-hi.
        n_z: z for each restored face.
        seed: of z and noise.
        device: where the networks run.

    Returns:
        The calibration.

    Raises:
        HLError: for networks that do not fit each other or lo, and for fewer than 20 pictures.
    """
    l2h_net, h2l_net = pair_of_networks(l2h, h2l, device)
    lo_faces: Any = load_faces("faces:val:lo") if lo is None else lo
    if n_z < 1 or len(lo_faces) < AT_LEAST:
        raise HLError(
            f"calibrate needs 1 z or more and {AT_LEAST} LR pictures or more, got {n_z} and "
            f"{len(lo_faces)}: leave them out"
        )
    x = lo_faces.batch(device=device)
    remedy = "calibrate with lo= pictures of the networks' size"
    check_images("lo", x, l2h_net.cfg.size_lo, remedy)
    hi_faces: Any = load_faces("faces:train-hi") if hi is None else hi
    hr = hr_features(hi_faces[subsample(len(hi_faces), N_HR, seed).numpy()])

    _, found = signs(l2h_net, h2l_net, x, hr, n_z, seed)
    logs = {name: sign.clamp(min=1e-9).log() for name, sign in found.items()}
    usual = Calibration(
        fingerprint(l2h_net, h2l_net),
        lo_faces.source,
        len(lo_faces),
        n_z,
        seed,
        mean={name: log.mean().item() for name, log in logs.items()},
        sd={name: max(log.std().item(), 1e-6) for name, log in logs.items()},
        grades=[],
        sharp={name: values.tolist() for name, values in hr._asdict().items()},
    )
    # The grades are of the score that the rest gives.
    shares = torch.linspace(0, 1, 101, dtype=torch.float64)
    grades = torch.quantile(usual.score(found), shares).tolist()
    return Calibration(**asdict(usual) | {"grades": grades})


def pair_of_networks(l2h: Weights, h2l: Weights, device: str | torch.device) -> tuple[Any, Any]:
    """Both networks on the device, or HLError where H2L does not make what L2H takes."""
    l2h_net: Any = load_weights(l2h, stage="l2h", device=device)
    h2l_net: Any = load_weights(h2l, stage="h2l", device=device)
    made = (h2l_net.cfg.size_hi, h2l_net.cfg.size_lo)
    taken = (l2h_net.cfg.size_hi, l2h_net.cfg.size_lo)
    if made != taken:
        raise HLError(
            f"h2l must undo what l2h does, got {made[0]}x{made[0]} to {made[1]}x{made[1]} beside "
            f"networks of {taken[0]} and {taken[1]}: give the H2L that l2h was trained with"
        )
    return l2h_net, h2l_net


@lru_cache(maxsize=1)
def _shipped() -> Calibration | None:
    return Calibration.load(CALIBRATION) if CALIBRATION.is_file() else None


def calibration_of(l2h: Weights, h2l: Weights, device: str | torch.device = "cpu") -> Calibration:
    """The shipped calibration where it is of these networks, else a new one on faces:val.

    A new one takes half a minute.
    """
    networks = pair_of_networks(l2h, h2l, device)
    shipped = _shipped()
    if shipped and shipped.networks == fingerprint(*networks):
        return shipped
    return calibrate(*networks, device=device)
