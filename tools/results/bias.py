"""For maintainers: what restoring does to dark and light skin, and to turned heads, without a label
that anybody guessed (`results/bias.json`, the tables of docs/models.md).

    pip install dlib-bin face_recognition_models      in a venv of its own, as for identity.py
    python tools/results/bias.py

Both are measured of the ground truth, so that every restorer is judged on the same groups: the skin
as it is pictured, on two patches under the eyes that five landmarks place, and how far the tip of
the nose lies off the middle of the eyes. A third of `faces:test` each, 200 faces.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from identity import marked
from publish import between_marks
from torch import Tensor

import hlgan_lib as hl
from hlgan_lib.data.faces import unit_range
from hlgan_lib.files import save_json
from hlgan_lib.metrics.features import extract_maps
from hlgan_lib.metrics.pairs import psnr
from hlgan_lib.networks.baselines import enlarged
from hlgan_lib.reliability.calibration import calibration_of
from hlgan_lib.reliability.signs import look_distance
from hlgan_lib.stats import mean_interval
from hlgan_lib.study.tables import markdown_row

ROOT = Path(__file__).resolve().parents[2]
STORED = ROOT / "results" / "bias.json"
PAGE = ROOT / "docs" / "models.md"
RESTORERS = ("l2h", "l2h-handmade", "l2h-bilinear", "l2h-pixel", "srgan", "cyclegan")
ROWS = ("bicubic", *RESTORERS)
SKIN, POSE = ("dark", "middle", "light"), ("frontal", "between", "turned")
REACH = 2  # pixels from the middle of a patch to its edge
UNDER = 0.75  # of the way from the eyes' line to the nose's foot: where a patch lies
N_BOOT = 1_000
# Classes of skin by the individual typology angle, and where each begins, in degrees.
CLASSES = {
    "very light": 55.0,
    "light": 41.0,
    "intermediate": 28.0,
    "tan": 10.0,
    "brown": -30.0,
    "dark": -180.0,
}


# ---- what is measured of the ground truth --------------------------------------------------------
def landmarks(faces: Tensor) -> np.ndarray:
    """Both eyes' middles and the foot of the nose, (N, 3, 2), in pixels of the faces."""
    found = []
    for large, marks in marked(faces):
        points = np.array([[p.x, p.y] for p in marks.parts()], float)
        three = np.stack([points[:2].mean(0), points[2:4].mean(0), points[4]])
        found.append((three + 0.5) * faces.shape[-1] / large.shape[0] - 0.5)
    return np.stack(found)


def frame(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of landmarks: from one eye to the other, from their middle to the nose, that along the eyes.

    Vectors (N, 2), and the last as a part of the distance of the eyes, (N,).
    """
    across = points[:, 1] - points[:, 0]
    down = points[:, 2] - points[:, :2].mean(1)
    return across, down, (across * down).sum(1) / (across**2).sum(1)


def skin(faces: Tensor, points: np.ndarray) -> np.ndarray:
    """CIELAB of the skin under the eyes, (N, 3): the median over two patches.

    Args:
        faces: (N, 3, S, S) in [-1, 1].
        points: `landmarks` of their ground truth.
    """
    from skimage.color import rgb2lab

    across, down, off = frame(points)
    below = UNDER * (down - off[:, None] * across)
    middles = (points[:, :2] + below[:, None]).round().astype(int)
    lab = rgb2lab(unit_range(faces).permute(0, 2, 3, 1).numpy())
    steps = np.arange(-REACH, REACH + 1)
    x, y = (middles[..., k, None] + steps for k in (0, 1))  # (N, 2, 5) each
    x, y = (v.clip(0, faces.shape[-1] - 1) for v in (x, y))
    n = np.arange(len(faces))[:, None, None, None]
    patches = lab[n, y[..., None], x[:, :, None]]  # (N, 2, 5, 5, 3)
    return np.median(patches.reshape(len(faces), -1, 3), axis=1)


def typology(lab: np.ndarray) -> np.ndarray:
    """The individual typology angle, arctan((L - 50) / b), in degrees, (N,).

    Source: Chardon, Cretois and Hourseau, 1991, who measured skin; of a picture the room's light
    is part of it.
    """
    return np.degrees(np.arctan2(lab[:, 0] - 50, lab[:, 2]))


def thirds(values: np.ndarray, names: tuple[str, str, str]) -> dict[str, np.ndarray]:
    """Rows of the lowest, the middle and the highest third."""
    return dict(zip(names, np.array_split(values.argsort(kind="stable"), 3), strict=True))


# ---- what becomes of it --------------------------------------------------------------------------
def with_ends(values: Tensor) -> list[float]:
    """Mean, and the ends of its 95 % interval over faces."""
    ends = mean_interval(values.double(), N_BOOT)
    assert ends is not None
    return [round(v, 4) for v in (values.double().mean().item(), *ends)]


def slope(x: np.ndarray, y: np.ndarray) -> list[float]:
    """How much of a difference in x is one in y, by least squares, with a 95 % interval."""
    rng = np.random.default_rng(0)

    def of(rows: np.ndarray) -> float:
        return float(np.polyfit(x[rows], y[rows], 1)[0])

    boot = [of(rng.integers(len(x), size=len(x))) for _ in range(N_BOOT)]
    ends = np.quantile(boot, [0.025, 0.975]).tolist()
    return [round(v, 3) for v in (of(np.arange(len(x))), *ends)]


@torch.no_grad()
def measure() -> dict[str, Any]:
    """All restorers on faces:test."""
    pairs = hl.load_faces("faces:test")
    hi, lo = pairs.hi.batch(), pairs.lo.batch()
    points = landmarks(hi)
    true = skin(hi, points)
    off, mirrored = frame(points)[2], frame(landmarks(hi.flip(-1)))[2]
    groups = {"skin": thirds(typology(true), SKIN), "pose": thirds(np.abs(off), POSE)}
    hr, wanted = calibration_of("l2h", "h2l").hr_features(), extract_maps(unit_range(hi))
    limit = json.loads((ROOT / "results" / "trust.json").read_text())["failures"]["limit"]

    rows: dict[str, Any] = {}
    for name in ROWS:
        made = enlarged(lo) if name == "bicubic" else hl.upscale(name, lo)
        lighter = skin(made, points)[:, 0] - true[:, 0]
        scores = {
            "lighter": torch.from_numpy(lighter),
            "psnr": psnr(unit_range(made), unit_range(hi)),
            "look": look_distance(extract_maps(unit_range(made)), wanted, hr),
        }
        scores["failed"] = (scores["look"] > limit).double()
        rows[name] = {"kept": slope(true[:, 0], true[:, 0] + lighter)}
        for kind, parts in groups.items():
            rows[name][kind] = {}
            for part, at in parts.items():
                rows[name][kind][part] = {k: with_ends(v[at]) for k, v in scores.items()}
        print(name, rows[name]["kept"], flush=True)
    about = {"set": "faces:test", "n": len(hi), "limit": limit}
    return about | {"groups": described(true, off, mirrored, groups), "rows": rows}


def described(
    lab: np.ndarray, off: np.ndarray, mirrored: np.ndarray, groups: dict[str, dict[str, np.ndarray]]
) -> dict[str, Any]:
    """Who is in the groups: classes of skin, medians, and what the landmarks are worth.

    Args:
        lab: `skin` of the faces.
        off: how far each nose lies off the middle.
        mirrored: the same, of the mirrored faces marked anew.
        groups: rows of each third.
    """
    angle = typology(lab)
    at = np.digitize(angle, list(CLASSES.values())[::-1][1:])
    counts = np.bincount(at, minlength=len(CLASSES))[::-1].tolist()
    middle = {"skin": angle, "pose": np.abs(off)}
    medians = {
        kind: {part: round(float(np.median(middle[kind][at])), 3) for part, at in parts.items()}
        for kind, parts in groups.items()
    }
    return {
        "classes": dict(zip(CLASSES, counts, strict=True)),
        "medians": medians,
        "mirrored": round(float(np.corrcoef(off, -mirrored)[0, 1]), 3),
    }


# ---- the page ------------------------------------------------------------------------------------
def cell(three: list[float], digits: int = 1, times: float = 1) -> str:
    """A value and its interval, never -0."""
    value, low, high = (f"{round(times * v, digits) + 0.0:.{digits}f}" for v in three)
    return f"{value} ({low} to {high})"


def skin_table(stored: dict) -> str:
    """How much lighter the skin of each third comes out."""
    head = ["restored by", *(f"{part} third" for part in SKIN), "of a difference is kept, %"]
    lines = [markdown_row(head), "|---" * len(head) + "|"]
    for name, row in stored["rows"].items():
        cells = [cell(row["skin"][part]["lighter"]) for part in SKIN]
        lines.append(markdown_row([name, *cells, cell(row["kept"], 0, 100)]))
    return "\n".join(lines)


def group_table(stored: dict) -> str:
    """How well each third is restored by l2h."""
    head = ["third of faces", "faces that fail, %", "look distance", "PSNR, dB"]
    lines = [markdown_row(head), "|---" * len(head) + "|"]
    for kind, parts in (("skin", SKIN), ("pose", POSE)):
        for part in parts:
            got = stored["rows"]["l2h"][kind][part]
            cells = [cell(got["failed"], 1, 100), cell(got["look"], 3), cell(got["psnr"], 2)]
            lines.append(markdown_row([f"{kind}: {part}", *cells]))
    return "\n".join(lines)


TABLES = {"skin": skin_table, "groups": group_table}


if __name__ == "__main__":
    found = measure()
    save_json(STORED, found)
    for mark, table in TABLES.items():
        between_marks(PAGE, table(found), mark)
