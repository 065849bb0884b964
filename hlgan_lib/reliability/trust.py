"""Is a restored face to be believed? A score from the LR picture and the two networks alone.

The signs it is made of are in `signs`, what they usually are in `calibration`; no ground truth
enters.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import HLError
from ..files import atomic
from ..inference import Weights
from ..networks.blocks import check_images
from ..text import shown
from .calibration import Calibration, calibration_of, fingerprint, pair_of_networks
from .signs import SIGNS, signs


class Trust(NamedTuple):
    """How far to trust each restored face.

    Attributes:
        score: (B,), 0 as usual, lower is less.
        grade: (B,), the share of the calibration pictures that are trusted less.
        doubtful: (B,) bool.
        signs: name -> (B,).
        restored: (B, 3, S, S) in [-1, 1].
    """

    score: Tensor
    grade: Tensor
    doubtful: Tensor
    signs: dict[str, Tensor]
    restored: Tensor


def trust(l2h: Weights, h2l: Weights, lo: Tensor, calibration: Calibration | None = None) -> Trust:
    """How far to trust what L2H makes of LR pictures, without their ground truth.

    score: 0 as usual, 1 more is one standard deviation of a sign more trusted; an order, no
    probability. doubtful: less trusted than nine in ten of the calibration pictures. It sees how
    sure the networks are and whether they contradict themselves; what both are wrong about
    together, such as the light of the room, it cannot see. Source: ours.

    Args:
        l2h: weights of stage two.
        h2l: weights of the stage one that it was trained with.
        lo: (B, 3, s, s) in [-1, 1].
        calibration: of these networks, by default `calibration_of`.

    Returns:
        Score, grade, doubtful or not, signs and restored face of each.

    Raises:
        HLError: for a wrong shape, weights of another stage, or a calibration of other networks.
    """
    l2h_net, h2l_net = pair_of_networks(l2h, h2l, lo.device)
    check_images("lo", lo, l2h_net.cfg.size_lo)
    calibration = calibration or calibration_of(l2h_net, h2l_net, lo.device)
    ours = fingerprint(l2h_net, h2l_net)
    if calibration.networks != ours:
        raise HLError(
            f"the calibration must be of these networks, {ours}, got one of "
            f"{calibration.networks}: leave it out, or make one with calibration.calibrate"
        )
    hr = calibration.hr_features()
    restored, found = signs(l2h_net, h2l_net, lo, hr, calibration.n_z, calibration.seed)
    score = calibration.score(found)
    return Trust(score, calibration.grade(score), score < calibration.limit, found, restored)


def write_trust(path: Path, names: list[str], judged: list[Trust]) -> list[str]:
    """A table, .csv, of a line a picture: doubtful (yes or no), trust, grade, signs.

    Args:
        path: the file.
        names: of the pictures.
        judged: one Trust a batch, in the order of names.

    Returns:
        The names of the doubtful ones.

    Raises:
        HLError: where the file cannot be written.
    """
    columns = {
        "trust": torch.cat([batch.score for batch in judged]).tolist(),
        "grade": torch.cat([batch.grade for batch in judged]).tolist(),
    }
    for sign in SIGNS:
        columns[sign] = torch.cat([batch.signs[sign] for batch in judged]).tolist()
    doubtful = torch.cat([batch.doubtful for batch in judged]).tolist()

    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["file", "doubtful", *columns])
    for name, doubt, *values in zip(names, doubtful, *columns.values(), strict=True):
        digits = [f"{value:.4f}" for value in values]
        table.writerow([shown(name), "yes" if doubt else "no", *digits])
    data = text.getvalue().encode()
    atomic(path, lambda file: file.write(data))
    return [name for name, doubt in zip(names, doubtful) if doubt]
