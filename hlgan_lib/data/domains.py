"""LR pictures of several domains in one set: the first folder of a name is the picture's domain.

`old/0001.png` is of the domain `old`, as in torchvision's ImageFolder, so that a folder of folders
and an .npz file made of one need no labels beside them.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from ..errors import HLError
from .faces import FaceSet


def mixed(sets: dict[str, FaceSet]) -> FaceSet:
    """Several domains as one set.

    Args:
        sets: the pictures of each domain by its name, all of one size.

    Returns:
        All of them, domain by domain in the order of their names, each name behind its domain's.

    Raises:
        HLError: for a name that is no folder's, and pictures of several sizes.
    """
    names = sorted(sets)
    wrong = [name for name in names if not name or "/" in name]
    sizes = {sets[name].size for name in names}
    if wrong or len(sizes) != 1:
        raise HLError(
            f"domains must be named by a folder each and be of one size, got {names} of sizes "
            f"{sorted(sizes)}: rename or resize them"
        )
    images = np.concatenate([sets[name].images for name in names])
    within = [f"{name}/{picture}" for name in names for picture in sets[name].names]
    return FaceSet(images, tuple(within), ", ".join(names))


def by_domain(faces: FaceSet, n: int) -> dict[str, FaceSet]:
    """The pictures of each domain.

    Args:
        faces: the set.
        n: how many domains are expected; of one, no name is looked at.

    Returns:
        Their names, in order, and the pictures of each.

    Raises:
        HLError: where the set has another number of domains.
    """
    if n == 1:
        return {faces.source: faces}
    rows: dict[str, list[int]] = defaultdict(list)
    for i, name in enumerate(faces.names):
        rows[name.split("/")[0] if "/" in name else ""].append(i)
    if len(rows) != n or "" in rows:
        found = ", ".join(sorted(name for name in rows if name)) or "none"
        raise HLError(
            f"lo must hold {n} folders, a domain each (domains {n}), got {found}"
            f"{' and pictures outside of them' if '' in rows else ''} in {faces.source}: sort the "
            "pictures into folders, set domains, or domain_labels inferred"
        )
    return {name: faces[rows[name]] for name in sorted(rows)}
