"""Is a restored face to be believed? A score from the poor picture and the two networks alone, without any truth.

Four signs of doubt, each a distance that is larger where less is to be believed:

- misfit: the restored face degraded again by H2L under many z, against the poor picture; the z that fits best counts
- spread: restorations of the same picture mirrored, and with a little noise, against the restored face
- round_trip: the restored face degraded by H2L and restored again, against itself
- unlikeness: how unlike sharp faces the restored face is

The last three are measured on EfficientNet-Lite0's features. Every picture meets the same z and the same noise, so that
its trust does not depend on what else lies in the folder.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..data.faces import FaceSet
from ..data.loading import load_faces
from ..errors import HLError
from ..files import atomic, save_json
from ..inference import SHIPPED, Weights, load_weights
from ..metrics.features import extract_maps
from ..networks.blocks import check_images
from ..rng import subsample

SIGNS = ("misfit", "spread", "round_trip", "unlikeness")
PIXEL_SIGNS = (
    "misfit",
    "pixel_spread",
)  # which of the signs go with errors in pixels; for comparison
NOISE, N_NOISES, N_TRIPS = 0.03, 2, 3  # noise of full scale 1, noisy copies, round trips
DOUBTFUL = 0.1  # the part of the calibration pictures that counts as doubtful
N_SHARP = 1000  # sharp faces that say what a face looks like
CALIBRATION = SHIPPED / "trust.json"


class Sharp(NamedTuple):
    """What sharp faces look like to Lite0: mean and sd (80,) of their features, sd (80,) over faces and places."""

    mean: Tensor
    sd: Tensor
    scale: Tensor


def sharp_faces(faces: FaceSet | Tensor) -> Sharp:
    """From sharp faces, a FaceSet or float (N, 3, n, n) in [-1, 1], at least two."""
    if len(faces) < 2:
        raise HLError(
            f"faces must be at least 2 sharp faces, got {len(faces)}: take faces:train-hi"
        )
    maps = extract_maps(faces if isinstance(faces, FaceSet) else (faces + 1) / 2)
    return Sharp(maps.mean((0, 2, 3)), maps.mean((2, 3)).std(0), maps.std((0, 2, 3)))


def look_distance(a: Tensor, b: Tensor, sharp: Sharp) -> Tensor:
    """How different two pictures look: sqrt of the mean over features and places of ((a - b) / scale)^2.

    a, b: `extract_maps` of pictures (..., 80, h, w), broadcast over the first axes -> (...). Kin to LPIPS, whose
    weights on people's judgements it lacks: not to be called so. Source: ours.
    """
    if a.shape[-3:] != b.shape[-3:] or a.shape[-3] != len(sharp.scale):
        raise HLError(
            f"a and b must be feature maps (..., {len(sharp.scale)}, h, w) of one size, got {tuple(a.shape)} "
            f"and {tuple(b.shape)}: make both with features.extract_maps"
        )
    return ((a - b) / sharp.scale[:, None, None]).square().mean((-3, -2, -1)).sqrt()


def misfit(x: Tensor, y: Tensor) -> Tensor:
    """Root mean square of what remains of y after the best gain (not below 0) and offset of each channel of x.

    min over a_c, b_c >= 0 of |y_c - a_c - b_c x_c|: so that exposure and white balance, which H2L draws from z, cost
    nothing. (..., 3, s, s), broadcast over the first axes -> (...), in the units of y.
    """
    x, y = (v - v.mean((-2, -1), keepdim=True) for v in (x.double(), y.double()))
    gain = ((x * y).sum((-2, -1)) / x.square().sum((-2, -1)).clamp(min=1e-9)).clamp(min=0)
    return (y - gain[..., None, None] * x).square().mean((-3, -2, -1)).sqrt()


# ---- the signs -------------------------------------------------------------------------------------------------------
@torch.no_grad()
def signs(
    l2h: nn.Module, h2l: nn.Module, lo: Tensor, sharp: Sharp, n_z: int = 8, seed: int = 0
) -> tuple[Tensor, dict[str, Tensor]]:
    """Restored faces (B, 3, n, n) and the signs of doubt, name -> (B,) float64: those of SIGNS, and pixel_spread.

    pixel_spread, the spread in pixels less its colour cast (full scale 1), is for comparison and not in the trust.
    """
    rng = torch.Generator().manual_seed(seed)
    z = torch.randn(n_z, h2l.cfg.z_dim, generator=rng).to(lo.device)
    noise = 2 * NOISE * torch.randn(N_NOISES, *lo.shape[1:], generator=rng).to(lo.device)
    parts = [_signs(l2h, h2l, x, sharp, z, noise) for x in lo.split(32)]
    return torch.cat([p[0] for p in parts]), {
        k: torch.cat([p[1][k] for p in parts]) for k in parts[0][1]
    }


def _signs(
    l2h: nn.Module, h2l: nn.Module, lo: Tensor, sharp: Sharp, z: Tensor, noise: Tensor
) -> tuple[Tensor, dict]:
    """The work of `signs` on one part."""
    n, n_trips = len(lo), min(N_TRIPS, len(z))
    restored = l2h(lo)
    again = h2l(restored.repeat_interleave(len(z), 0), z.repeat(n, 1)).unflatten(0, (n, len(z)))
    trips = l2h(again[:, :n_trips].flatten(0, 1)).unflatten(0, (n, n_trips))
    noisy = l2h((lo[:, None] + noise).clamp(-1, 1).flatten(0, 1)).unflatten(0, (n, len(noise)))
    spread = torch.cat((l2h(lo.flip(-1)).flip(-1)[:, None], noisy), 1)
    everything = torch.cat((restored[:, None], trips, spread), 1)
    maps = extract_maps((everything.flatten(0, 1) + 1) / 2).unflatten(0, (n, everything.shape[1]))
    apart = look_distance(maps[:, 1:], maps[:, :1], sharp).square()
    change = (spread - restored[:, None]).double()
    change = (change - change.mean((-2, -1), keepdim=True)) / 2
    return restored, {
        "misfit": misfit(again, lo[:, None]).amin(1).cpu(),
        "spread": apart[:, n_trips:].mean(1).sqrt(),
        "round_trip": apart[:, :n_trips].mean(1).sqrt(),
        "unlikeness": ((maps[:, 0].mean((-2, -1)) - sharp.mean) / sharp.sd).square().mean(1).sqrt(),
        "pixel_spread": change.square().mean((1, 2, 3, 4)).sqrt().cpu(),
    }


# ---- calibration -----------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Calibration:
    """What turns signs into a score: all measured on poor pictures and sharp faces, none of it on pairs of both."""

    networks: str  # fingerprint of the two networks that it holds for
    source: str  # the poor pictures
    n: int  # how many
    n_z: int  # z for each restored face
    seed: int  # of z and noise
    mean: dict[str, float]  # of the logarithm of each sign
    sd: dict[str, float]
    grades: list[float]  # the trust that 0, 1, ..., 100 % of the pictures fall short of
    sharp: dict[str, list[float]]  # Sharp

    def score(self, found: dict[str, Tensor], of: Sequence[str] = SIGNS) -> Tensor:
        """trust = - mean over the signs of (log sign - mean) / sd: 0 as usual, below it less than usual. (B,)"""
        return -torch.stack(
            [(found[k].clamp(min=1e-9).log() - self.mean[k]) / self.sd[k] for k in of]
        ).mean(0)

    def grade(self, score: Tensor) -> Tensor:
        """The share of the calibration pictures that are trusted less, by whole per cents."""
        below = torch.searchsorted(
            torch.tensor(self.grades, dtype=torch.float64), score.double(), right=True
        )
        return (below - 1).clamp(min=0) / (len(self.grades) - 1)

    @property
    def limit(self) -> float:
        """Below this trust a picture is doubtful: the least trusted tenth of the calibration pictures lies there."""
        return self.grades[round(DOUBTFUL * (len(self.grades) - 1))]

    def sharp_faces(self) -> Sharp:
        return Sharp(*(torch.tensor(self.sharp[k], dtype=torch.float64) for k in Sharp._fields))

    def save(self, path: str | Path) -> None:
        save_json(Path(path), asdict(self))

    @classmethod
    def load(cls, path: str | Path) -> Calibration:
        """Raises HLError where the file is none."""
        try:
            return cls(**json.loads(Path(path).read_text()))
        except (OSError, ValueError, TypeError) as error:
            raise HLError(
                f"calibration {path} cannot be read ({error}): write it with Calibration.save"
            ) from None


def fingerprint(*networks: nn.Module) -> str:
    """SHA-256 of the networks' parameters and buffers, its first 16 digits."""
    digest = hashlib.sha256()
    for net in networks:
        for name, value in sorted(net.state_dict().items()):
            digest.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def calibrate(
    l2h: Weights,
    h2l: Weights,
    lo: FaceSet | None = None,
    hi: FaceSet | None = None,
    n_z: int = 8,
    seed: int = 0,
    device: str | torch.device = "cpu",
) -> Calibration:
    """Measure how large each sign usually is, on poor pictures lo (faces:val) and with sharp faces hi (faces:train-hi).

    It needs no pairs, so it can be done on one's own poor pictures. Raises HLError for networks that do not fit each
    other or lo, and for fewer than 20 pictures.
    """
    l2h, h2l = pair_of_networks(l2h, h2l, device)
    lo = load_faces("faces:val:lo") if lo is None else lo
    if n_z < 1 or len(lo) < 20:
        raise HLError(
            f"calibrate needs 1 z or more and 20 poor pictures or more, got {n_z} and {len(lo)}: leave them "
            "out"
        )
    x = lo.batch(device=device)
    check_images("lo", x, l2h.cfg.size_lo, "calibrate with lo= pictures of the networks' size")
    hi = load_faces("faces:train-hi") if hi is None else hi
    sharp = sharp_faces(hi[subsample(len(hi), N_SHARP, seed).numpy()])
    _, found = signs(l2h, h2l, x, sharp, n_z, seed)
    logs = {k: v.clamp(min=1e-9).log() for k, v in found.items()}
    made = Calibration(
        fingerprint(l2h, h2l),
        lo.source,
        len(lo),
        n_z,
        seed,
        mean={k: v.mean().item() for k, v in logs.items()},
        sd={k: max(v.std().item(), 1e-6) for k, v in logs.items()},
        grades=[],
        sharp={k: v.tolist() for k, v in sharp._asdict().items()},
    )
    grades = torch.quantile(made.score(found), torch.linspace(0, 1, 101, dtype=torch.float64))
    return Calibration(**asdict(made) | {"grades": grades.tolist()})


def pair_of_networks(
    l2h: Weights, h2l: Weights, device: str | torch.device
) -> tuple[nn.Module, nn.Module]:
    """Both networks on the device, or HLError where H2L does not make what L2H takes."""
    l2h, h2l = (
        load_weights(l2h, stage="l2h", device=device),
        load_weights(h2l, stage="h2l", device=device),
    )
    sizes = [(net.cfg.size_hi, net.cfg.size_lo) for net in (h2l, l2h)]
    if sizes[0] != sizes[1]:
        raise HLError(
            "h2l must undo what l2h does, got {}x{} to {}x{} beside networks of {} and {}: give the H2L that "
            "l2h was trained with".format(*[s for s in sizes[0] for _ in "xy"], *sizes[1])
        )
    return l2h, h2l


@lru_cache(maxsize=1)
def _shipped() -> Calibration | None:
    return Calibration.load(CALIBRATION) if CALIBRATION.is_file() else None


def calibration_of(l2h: Weights, h2l: Weights, device: str | torch.device = "cpu") -> Calibration:
    """The shipped calibration where it was made with these networks, else a new one on `faces:val` (half a minute)."""
    l2h, h2l = pair_of_networks(l2h, h2l, device)
    shipped = _shipped()
    if shipped and shipped.networks == fingerprint(l2h, h2l):
        return shipped
    return calibrate(l2h, h2l, device=device)


# ---- the score -------------------------------------------------------------------------------------------------------
class Trust(NamedTuple):
    """For each picture: trust (B,), its grade among the calibration pictures, doubtful or not, signs, restored face."""

    score: Tensor
    grade: Tensor
    doubtful: Tensor
    signs: dict[str, Tensor]
    restored: Tensor


def trust(l2h: Weights, h2l: Weights, lo: Tensor, calibration: Calibration | None = None) -> Trust:
    """How far to trust what L2H makes of lo (B, 3, 16, 16) in [-1, 1], without knowing the truth.

    score: 0 as usual, 1 more is one standard deviation of a sign more trusted; an order, no probability. doubtful:
    less trusted than nine in ten of the calibration pictures. It sees how sure the networks are and whether they
    contradict themselves; what both are wrong about together, such as the light of the room, it cannot see. Raises
    HLError for a wrong shape, weights of another stage, or a calibration of other networks.
    """
    l2h, h2l = pair_of_networks(l2h, h2l, lo.device)
    check_images("lo", lo, l2h.cfg.size_lo)
    calibration = calibration or calibration_of(l2h, h2l, lo.device)
    if calibration.networks != fingerprint(l2h, h2l):
        raise HLError(
            f"the calibration must be of these networks, {fingerprint(l2h, h2l)}, got one of "
            f"{calibration.networks}: leave it out, or make one with trust.calibrate"
        )
    restored, found = signs(
        l2h, h2l, lo, calibration.sharp_faces(), calibration.n_z, calibration.seed
    )
    score = calibration.score(found)
    return Trust(score, calibration.grade(score), score < calibration.limit, found, restored)


def write_trust(path: Path, names: list[str], judged: list[Trust]) -> list[str]:
    """A table, .csv, of a line a picture: trust, grade, doubtful (yes or no), signs. Returns the doubtful names.

    judged: one Trust a batch, in the order of names. Raises HLError where the file cannot be written.
    """
    columns = {"trust": [j.score for j in judged], "grade": [j.grade for j in judged]}
    columns |= {k: [j.signs[k] for j in judged] for k in SIGNS}
    doubtful = torch.cat([j.doubtful for j in judged]).tolist()
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["file", "doubtful", *columns])
    for name, doubt, *values in zip(
        names, doubtful, *(torch.cat(v).tolist() for v in columns.values()), strict=True
    ):
        table.writerow([name, "yes" if doubt else "no", *(f"{v:.4f}" for v in values)])
    atomic(path, lambda file: file.write(text.getvalue().encode()))
    return [name for name, doubt in zip(names, doubtful) if doubt]
