"""What is in a dataset, and what is wrong with it: duplicates, leakage, JPEG, light, blur.

Everything is measured on the pixels of a FaceSet, so it works for any source and any object. Two
images are near-duplicates where their small grey versions, or one of them mirrored, correlate by
NEAR or more; `audit_page` shows the pairs, as a number alone convinces nobody.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ..analysis.classifier import TwoSample, two_sample
from ..analysis.jpeg_traces import measured_jpeg
from ..analysis.spectrum import statistics
from ..data.builtin import BUILT_IN
from ..data.faces import FaceSet, Pairs, to_float
from ..data.loading import load_faces
from ..data.npz import check_npz
from ..data.pictures import fit, to_array, to_image
from ..errors import HLError
from ..files import user_path
from ..runtime import one_thread
from ..text import counted

SIDE = 16  # of the small grey versions, pixels
# Correlation of near-duplicates. Of 4.5 million pairs of shipped faces none reaches 0.97; copies of
# JPEG quality 30, darkened or reduced to 24 pixels lie above 0.99. Shifted crops may lie below.
NEAR = 0.98
ROWS = 2048  # images compared with all others at a time
N_PAIRS = 1000  # pairs kept, the nearest
N_NEIGHBOURS = 5
N_SAMPLE = 2000  # images of which JPEG and spectrum are measured
N_LEAST = 16
TOLD_APART = 0.6  # accuracy below which LR cannot be told from reduced HR
MIN_JUDGED = 50  # images of both sides that this takes


@dataclass(frozen=True)
class Near:
    """Two images that are nearly the same.

    Attributes:
        a: place of the first.
        b: place of the second, in the same file or the other one.
        correlation: of their small grey versions, 1 for the same light.
    """

    a: int
    b: int
    correlation: float


@dataclass(frozen=True)
class Audit:
    """What was found in one file.

    Attributes:
        name: as it was given.
        faces: the set.
        checked: True where its hashes were compared, False where it has none.
        same: groups of places whose images are equal, byte by byte.
        near: pairs that are nearly the same, the nearest first, N_PAIRS at most.
        n_near: how many such pairs there are.
        least: places of the images that are least like the others.
        light: name -> a number an image: brightness, contrast, saturation, sharpness.
        jpeg: the quality of each of some images, 100 where no trace is seen.
        subsampled: the share of these whose colour was stored at half the size.
    """

    name: str
    faces: FaceSet
    checked: bool
    same: list[list[int]]
    near: list[Near]
    n_near: int
    least: list[int]
    light: dict[str, np.ndarray]
    jpeg: np.ndarray
    subsampled: float


@dataclass(frozen=True)
class Leak:
    """Images of one file that are nearly the same as images of another.

    Attributes:
        a: name of the first file.
        b: name of the second.
        near: the pairs, the nearest first, N_PAIRS at most.
        n_near: how many such pairs there are.
    """

    a: str
    b: str
    near: list[Near]
    n_near: int


@dataclass(frozen=True)
class Reduced:
    """Can LR be told from HR that was merely reduced?

    Attributes:
        hi: name of the HR file.
        lo: name of the LR file.
        kind: the reduction that LR is most like.
        told: how often a classifier is right, 50% where it cannot tell.
    """

    hi: str
    lo: str
    kind: str
    told: TwoSample


@dataclass(frozen=True)
class Report:
    """All that was found."""

    audits: list[Audit]
    leaks: list[Leak]
    reduced: list[Reduced]

    def sentences(self) -> list[str]:
        """What a user should know, a line each."""
        said = []
        for audit in self.audits:
            n_same = sum(len(group) - 1 for group in audit.same)
            height, width = audit.faces.size
            said.append(f"{audit.name}: {len(audit.faces):,} images of {width}x{height}")
            if n_same:
                copies = counted(n_same, "image is a copy", "images are copies")
                said.append(f"{audit.name}: {copies} of another, byte by byte")
            if audit.n_near:
                pairs = counted(audit.n_near, "pair is", "pairs are")
                said.append(f"{audit.name}: {pairs} nearly the same")
        for leak in self.leaks:
            pairs = counted(leak.n_near, "pair is", "pairs are")
            found = f"{pairs} nearly the same: one set leaks into the other"
            said.append(
                f"{leak.a} and {leak.b}: {found if leak.n_near else 'no pair is nearly the same'}"
            )
        for reduced in self.reduced:
            told = f"{reduced.told.accuracy:.0%} of the time"
            words = f"{reduced.lo} is told from {reduced.hi} reduced ({reduced.kind}) {told}"
            if reduced.told.low < TOLD_APART:
                words += ": it may be nothing but reduced HR, of which H2L can learn nothing"
            said.append(words)
        return said


def audit(sources: list[str]) -> Report:
    """Look at some datasets, each by itself and each beside the others.

    Args:
        sources: FaceSet files, folders or built-in names.

    Returns:
        What was found.

    Raises:
        HLError: for a source that cannot be read or is damaged.
    """
    sets: dict[str, FaceSet] = {}
    checked = {}
    for source in sources:
        if source.endswith(".npz"):
            checked[source] = check_npz(user_path(source))
        faces = load_faces(source)
        if isinstance(faces, Pairs):
            sets |= {f"{source}:hi": faces.hi, f"{source}:lo": faces.lo}
        else:
            sets[source] = faces
    if not sets:
        raise HLError(f"hlgan audit needs a dataset: a file, a folder, or {', '.join(BUILT_IN)}")

    small = {name: small_grey(faces) for name, faces in sets.items()}
    with one_thread():
        audits = []
        for name, faces in sets.items():
            audits.append(audit_one(name, faces, small[name], checked.get(name, False)))
        return Report(audits, leaks_between(sets, small), reductions(sets))


def audit_one(name: str, faces: FaceSet, small: Tensor, checked: bool) -> Audit:
    """What is found in one set."""
    near, n_near, likeness = near_pairs(small)
    if min(faces.size) >= SIDE:
        quality, subsampled = measured_jpeg(some_of(faces))
    else:
        quality, subsampled = torch.empty(0), 0.0
    return Audit(
        name=name,
        faces=faces,
        checked=checked,
        same=same_images(faces),
        near=near,
        n_near=n_near,
        least=likeness.argsort()[:N_LEAST].tolist(),
        light=light_of(faces),
        jpeg=quality.numpy(),
        subsampled=subsampled,
    )


# ---- the same image twice ------------------------------------------------------------------------
def same_images(faces: FaceSet) -> list[list[int]]:
    """Groups of places whose images are equal, byte by byte."""
    places: dict[bytes, list[int]] = {}
    for i, image in enumerate(faces.images):
        digest = hashlib.sha256(np.ascontiguousarray(image).data).digest()
        places.setdefault(digest, []).append(i)
    return [group for group in places.values() if len(group) > 1]


def small_grey(faces: FaceSet) -> Tensor:
    """Each image grey at SIDE x SIDE, of mean 0 and length 1: float32 (N, SIDE^2)."""
    parts = []
    for first in range(0, len(faces), ROWS):
        x = faces.batch(slice(first, first + ROWS)).mean(1, keepdim=True)
        x = interpolate(x, (SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)
        v = x.flatten(1)
        v = v - v.mean(1, keepdim=True)
        parts.append(v / v.norm(dim=1, keepdim=True).clamp(min=1e-6))
    return torch.cat(parts)


def near_pairs(a: Tensor, b: Tensor | None = None) -> tuple[list[Near], int, Tensor]:
    """Pairs of a (or of a and b) that are nearly the same, mirrored or not.

    Args:
        a: from `small_grey`, (N, F).
        b: of another set, (M, F); by default a itself, each pair once.

    Returns:
        The nearest pairs, how many there are, and of each image of a its mean correlation with the
        few that are most like it.
    """
    other = a if b is None else b
    mirrored = other.view(-1, SIDE, SIDE).flip(-1).flatten(1)
    found: list[Near] = []
    n_found = 0
    likeness = torch.zeros(len(a))
    for first in range(0, len(a), ROWS):
        block = a[first : first + ROWS]
        alike = torch.maximum(block @ other.T, block @ mirrored.T)
        row = torch.arange(first, first + len(block))
        if b is None:
            alike[torch.arange(len(block)), row] = -1  # itself
        k = min(N_NEIGHBOURS, alike.shape[1])
        likeness[first : first + len(block)] = alike.topk(k, 1).values.mean(1)
        i, j = (alike >= NEAR).nonzero(as_tuple=True)
        if b is None:
            once = i + first < j
            i, j = i[once], j[once]
        n_found += len(i)
        values = alike[i, j]
        best = values.argsort(descending=True)[:N_PAIRS]
        triples = zip((i[best] + first).tolist(), j[best].tolist(), values[best].tolist())
        found += [Near(x, y, value) for x, y, value in triples]
    found.sort(key=lambda pair: -pair.correlation)
    return found[:N_PAIRS], n_found, likeness


def leaks_between(sets: Mapping[str, FaceSet], small: Mapping[str, Tensor]) -> list[Leak]:
    """Every two files beside each other; an LR and an HR side of the same pairs are left out."""
    names = list(sets)
    leaks = []
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            if a.rpartition(":")[0] == b.rpartition(":")[0] != "faces" and ":" in a:
                continue
            near, n_near, _ = near_pairs(small[a], small[b])
            leaks.append(Leak(a, b, near, n_near))
    return leaks


# ---- light, blur, and what LR is made of ---------------------------------------------------------
def light_of(faces: FaceSet) -> dict[str, np.ndarray]:
    """Brightness, contrast, saturation and sharpness of each image, in the range 0 to 1.

    Sharpness is the deviation of the difference to the neighbours, over that of the light.
    """
    columns: dict[str, list[Tensor]] = {}
    for first in range(0, len(faces), ROWS):
        x = (faces.batch(slice(first, first + ROWS)) + 1) / 2
        grey = x.mean(1)
        around = (
            grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]
        ) / 4
        deviation = grey.flatten(1).std(1)
        detail = (grey[:, 1:-1, 1:-1] - around).flatten(1).std(1)
        numbers = {
            "brightness": grey.mean((1, 2)),
            "contrast": deviation,
            "saturation": (x.amax(1) - x.amin(1)).mean((1, 2)),
            "sharpness": detail / deviation.clamp(min=1e-6),
        }
        for name, values in numbers.items():
            columns.setdefault(name, []).append(values)
    return {name: torch.cat(values).numpy() for name, values in columns.items()}


def reductions(sets: Mapping[str, FaceSet]) -> list[Reduced]:
    """Each LR set beside each HR set, reduced in the usual manners."""
    by_size = Counter(faces.size[0] for faces in sets.values())
    if len(by_size) < 2:
        return []
    smallest = min(by_size)
    found = []
    for hi_name, hi in sets.items():
        for lo_name, lo in sets.items():
            fits = hi.size[0] > smallest == lo.size[0] and hi.size[0] % smallest == 0
            if not fits or min(len(hi), len(lo)) < MIN_JUDGED:
                continue
            x, y = some_of(hi), statistics(some_of(lo))
            by_kind = {}
            for kind in ("area", "bilinear", "bicubic"):
                options: dict[str, Any] = {"antialias": True, "align_corners": False}
                if kind == "area":
                    options = {}
                small = interpolate(x, lo.size, mode=kind, **options).clamp(-1, 1)
                by_kind[kind] = two_sample(statistics(small), y)
            fitted = [to_array(fit(to_image(image), smallest)) for image in hi.images[some(hi)]]
            by_kind["lanczos"] = two_sample(
                statistics(to_float(torch.from_numpy(np.stack(fitted)))), y
            )
            kind = min(by_kind, key=lambda k: by_kind[k].accuracy)
            found.append(Reduced(hi_name, lo_name, kind, by_kind[kind]))
    return found


def some_of(faces: FaceSet) -> Tensor:
    """N_SAMPLE images at most, evenly spaced."""
    return faces.batch(some(faces))


def some(faces: FaceSet) -> slice:
    """The places of N_SAMPLE images at most, evenly spaced."""
    return slice(None, None, 1 + (len(faces) - 1) // N_SAMPLE)
