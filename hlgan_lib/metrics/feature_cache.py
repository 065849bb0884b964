"""Features of reference sets, kept between calls: a picture goes through a network once.

An entry is a file of a few hundred kilobytes to some megabytes; the whole folder may be deleted at
any time.
"""

from __future__ import annotations

import hashlib
import os
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save as safetensors_bytes
from torch import Tensor

from ..data.faces import FaceSet
from ..errors import HLError
from ..files import PART, atomic, user_path
from ..text import as_json

KEEP = 64  # entries; the ones that were used longest ago go first
FORMAT = 1
KINDS = (torch.float32, torch.float64)  # of the numbers of an entry
HOUR = 3600.0  # seconds: no entry takes as long to write


def folder() -> Path:
    """HLGAN_CACHE, or hlgan_lib in XDG_CACHE_HOME, or in ~/.cache."""
    if own := os.environ.get("HLGAN_CACHE"):
        return user_path(own)
    return user_path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "hlgan_lib"


def digest(images: FaceSet | Tensor, about: dict) -> str:
    """SHA-256 of the pictures, bit for bit and in order, and of what was done to them.

    Args:
        images: (N, 3, H, W).
        about: what the features depend on beside them; JSON must hold it.

    Returns:
        64 hex digits.
    """
    array = images.images if isinstance(images, FaceSet) else images.detach().cpu().numpy()
    head = {"format": FORMAT, "shape": list(array.shape), "dtype": str(array.dtype), **about}
    sha = hashlib.sha256(as_json(head, sort_keys=True).encode())
    for start in range(0, len(array), 256):  # a memory-mapped set is read in pieces
        sha.update(np.ascontiguousarray(array[start : start + 256]).data)
    return sha.hexdigest()


def cached(images: FaceSet | Tensor, about: dict, extract: Callable[[], Tensor]) -> Tensor:
    """What `extract` gives, read from the folder where the same was extracted before.

    A damaged entry is made anew; a folder that cannot be written costs a warning and time, nothing
    else.

    Args:
        images: the pictures that the features are of.
        about: all that decides them beside the pictures (network, protocol, device), plain values.
        extract: makes the features (N, d), float64.

    Returns:
        (N, d) float64 on the CPU.
    """
    path = folder() / f"{digest(images, about)}.safetensors"
    kept = _read(path, len(images))
    if kept is not None:
        return kept
    features = extract()
    try:
        _write(path, features, about)
    except (HLError, OSError):
        warnings.warn(
            f"features are not kept, {path.parent} cannot be written: "
            "set HLGAN_CACHE to another folder",
            stacklevel=2,
        )
    return features


def _read(path: Path, n: int) -> Tensor | None:
    """The features of n pictures; None where there are none, or what is there is damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            features = file.get_tensor("features")
            stored = (file.metadata() or {}).get("sha256")
        fits = features.ndim == 2 and len(features) == n and features.dtype in KINDS
        if not fits or stored != _sum(features):
            return None
    # Whatever is wrong with it, it is made anew.
    except Exception:
        return None
    with suppress(OSError):  # an entry may be read where it may not be touched
        os.utime(path)
    return features.double()


def _write(path: Path, features: Tensor, about: dict) -> None:
    small = features.float().contiguous()  # networks give float32, so that nothing is lost
    kept = small if torch.equal(small.double(), features) else features.contiguous()
    metadata = {"sha256": _sum(kept), "about": as_json(about)}
    data = safetensors_bytes({"features": kept}, metadata=metadata)
    atomic(path, lambda file: file.write(data))
    _forget(path.parent)


def _forget(cache: Path) -> None:
    """Remove the entries used longest ago, and what killed writers left; others do so too."""
    ages: dict[Path, float] = {}
    for entry in (*cache.glob("*.safetensors"), *cache.glob(f".*{PART}")):
        with suppress(OSError):  # another process was first
            ages[entry] = entry.stat().st_mtime
    entries = sorted((e for e in ages if e.suffix != PART), key=lambda e: ages[e])
    parts = [e for e in ages if e.suffix == PART and time.time() - ages[e] > HOUR]
    for old in (*entries[:-KEEP], *parts):
        with suppress(OSError):
            old.unlink()


def _sum(features: Tensor) -> str:
    return hashlib.sha256(features.numpy().tobytes()).hexdigest()
