"""What a score is worth as a warning: risk over coverage, the area under it, and failures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torchmetrics.functional.classification import binary_auroc

from ..data.faces import unit_range
from ..errors import HLError
from ..stats import draws, interval, wilson

STRANGERS = 0.05  # the share of strangers' faces that a failure is no nearer than


class RiskCurve(NamedTuple):
    """Mean error of the kept (risk) over the share that is kept (coverage), both (n,).

    area: the mean risk.
    """

    coverage: Tensor
    risk: Tensor
    area: float


def risk_coverage(score: Tensor, error: Tensor) -> RiskCurve:
    """Keep the pictures of highest score, the first k of n for every k.

        risk_k = mean of their errors,    area = mean over k of risk_k

    A score that knows nothing gives a level line at the mean error, on average; the error itself,
    turned round, gives the lowest curve there can be. Source: selective prediction, 1705.08500;
    area as in 1805.08206.

    Args:
        score: (n,), large where all is well; equal ones are kept in the order given.
        error: (n,) of the same pictures.

    Returns:
        The curve.

    Raises:
        HLError: for two lengths, fewer than 2 pictures, and what is not finite.
    """
    score, error = _checked(score, error)
    risk = _risks(score[None], error[None])[0]
    coverage = torch.arange(1, len(risk) + 1, dtype=torch.float64) / len(risk)
    return RiskCurve(coverage, risk, risk.mean().item())


def _checked(score: Tensor, error: Tensor) -> tuple[Tensor, Tensor]:
    if score.ndim != 1 or score.shape != error.shape or len(score) < 2:
        raise HLError(
            "score and error must be (n,) of the same pictures, at least 2, got "
            f"{tuple(score.shape)} and {tuple(error.shape)}: judge one set with both"
        )
    score, error = score.detach().cpu().double(), error.detach().cpu().double()
    if not (score.isfinite().all() and error.isfinite().all()):
        raise HLError(
            "score and error must be finite, got a NaN or an infinity: leave that picture out"
        )
    return score, error


def _risks(score: Tensor, error: Tensor) -> Tensor:
    """(rounds, n) each -> (rounds, n)."""
    kept = error.gather(1, torch.argsort(score, dim=1, descending=True, stable=True))
    return kept.cumsum(1) / torch.arange(1, kept.shape[1] + 1)


def compare(
    scores: Mapping[str, Tensor], error: Tensor, against: str, n_boot: int = 500, seed: int = 0
) -> dict[str, dict]:
    """Each score as a warning of an error, beside the baseline `against`.

        gain = (mean error - area) / (mean error - area of the oracle)

    0 for chance, 1 for the oracle, below 0 for a score that warns of the wrong pictures. Source:
    ours.

    Args:
        scores: name -> (n,), large where all is well.
        error: (n,) of the same pictures.
        against: which of the scores is the baseline.
        n_boot: rounds of the bootstrap over pictures, the same drawn for all scores.
        seed: of the rounds.

    Returns:
        name -> {area, gain, gain_ci, more, more_ci}; more: gain less that of the baseline.

    Raises:
        HLError: for scores that do not match.
    """
    if against not in scores:
        raise HLError(f"against must be one of {', '.join(scores)}, got {against!r}")
    checked = {name: _checked(score, error)[0] for name, score in scores.items()}
    error = error.detach().cpu().double()
    whole = torch.arange(len(error))[None]
    rounds = draws(len(error), n_boot, seed)
    gain = {name: _gains(score, error, whole).item() for name, score in checked.items()}
    resampled = {name: _gains(score, error, rounds) for name, score in checked.items()}
    table = {}
    for name, score in checked.items():
        table[name] = {
            "area": risk_coverage(score, error).area,
            "gain": gain[name],
            "gain_ci": interval(resampled[name]),
            "more": gain[name] - gain[against],
            "more_ci": interval(resampled[name] - resampled[against]),
        }
    return table


def _gains(score: Tensor, error: Tensor, index: Tensor) -> Tensor:
    """The gain over each choice of pictures, index (rounds, n) -> (rounds,)."""
    chosen = error[index]
    mean = chosen.mean(1)
    area = _risks(score[index], chosen).mean(1)
    oracle = _risks(-chosen, chosen).mean(1)
    return (mean - area) / (mean - oracle).clamp(min=1e-12)


def input_sharpness(lo: Tensor) -> Tensor:
    """Plain sharpness of LR pictures: mean squared difference of neighbours in the grey picture.

    The baseline, for it looks at nothing but the input. Source: a usual measure of focus; on
    faces:val it warned a little better than the variance of the Laplacian.

    Args:
        lo: (B, 3, s, s) in [-1, 1].

    Returns:
        (B,), full scale 1.

    Raises:
        HLError: for another shape.
    """
    if lo.ndim != 4 or lo.shape[1] != 3 or min(lo.shape[2:]) < 2:
        raise HLError(
            f"lo must be (B, 3, s, s) of 2 pixels a side or more, got {tuple(lo.shape)}: "
            "take it from FaceSet.batch"
        )
    grey = unit_range(lo.double().mean(1))
    down, across = (grey.diff(dim=d).square().mean((1, 2)) for d in (1, 2))
    return (down + across).cpu()


# ---- failures ------------------------------------------------------------------------------------
def failure_limit(distances: Tensor, share: float = STRANGERS) -> float:
    """The error from which a restored face has failed: that of the nearest `share` of strangers.

    Off the diagonal stand strangers; their `share` quantile is what a restored face reaches with
    nobody's ground truth in mind. The rule of face verification: the threshold that accepts that
    share of impostors, fixed on other people than it is used for. Source: ours.

    Args:
        distances: (N, N), of restored face i to the ground truth of person j.
        share: of strangers, between 0 and 1.

    Returns:
        The limit, in the unit of the distances.

    Raises:
        HLError: for another shape or share.
    """
    square = distances.ndim == 2 and distances.shape[0] == distances.shape[1]
    if not square or len(distances) < 2 or not 0 < share < 1:
        raise HLError(
            "distances must be (N, N), restored faces against the ground truth of the same people, "
            f"and share in (0, 1), got {tuple(distances.shape)} and {share}: compare each with each"
        )
    strangers = distances[~torch.eye(len(distances), dtype=torch.bool, device=distances.device)]
    return torch.quantile(strangers.double(), share).item()


def rate(failed: Tensor) -> dict:
    """A share and Wilson's interval: bool (n,) -> {failed, n, rate, ci}; of none, None."""
    k, n = int(failed.sum()), len(failed)
    share, ci = (k / n, list(wilson(k, n))) if n else (None, None)
    return {"failed": k, "n": n, "rate": share, "ci": ci}


def warning(score: Tensor, failed: Tensor, n_boot: int = 500, seed: int = 0) -> dict:
    """How well low scores point out failures: the area under the ROC curve.

    The chance that a failure is trusted less than a success.

    Args:
        score: (n,).
        failed: bool (n,).
        n_boot: rounds of the bootstrap over pictures.
        seed: of the rounds.

    Returns:
        {auroc, ci}; None where nothing or everything failed.
    """
    score, _ = _checked(score, failed.double())
    if failed.all() or not failed.any():
        return {"auroc": None, "ci": None}
    label = failed.cpu().long()
    # Ranks in [0, 1]: torchmetrics would squash scores that leave it.
    _, order = torch.unique(-score, return_inverse=True)
    ranks = order / order.max().clamp(min=1)
    rounds = [i for i in draws(len(label), n_boot, seed) if 0 < label[i].sum() < len(label)]
    areas = torch.stack([binary_auroc(ranks[i], label[i]) for i in rounds])
    ci = interval(areas.double())
    return {"auroc": binary_auroc(ranks, label).item(), "ci": ci}
