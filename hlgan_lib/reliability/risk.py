"""What a score is worth as a warning: risk over coverage, the area under it, and failures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torchmetrics.functional.classification import binary_auroc

from ..errors import HLError
from ..stats import draws, interval, wilson

STRANGERS = 0.05  # the share of strangers' faces that a failure is no nearer than


class RiskCurve(NamedTuple):
    """Mean error of the kept (risk) over the share that is kept (coverage), both (n,), and the mean risk (area)."""

    coverage: Tensor
    risk: Tensor
    area: float


def risk_coverage(score: Tensor, error: Tensor) -> RiskCurve:
    """Keep the pictures of highest score, the first k of n for every k: risk_k = mean of their errors.

    area = mean over k of risk_k. A score that knows nothing gives a level line at the mean error, on average; the
    error itself, turned round, gives the lowest curve there can be. Equal scores are kept in the order given. score,
    error (n,). Source: selective prediction, 1705.08500; area as in 1805.08206.
    """
    score, error = _checked(score, error)
    risk = _risks(score[None], error[None])[0]
    return RiskCurve(
        torch.arange(1, len(risk) + 1, dtype=torch.float64) / len(risk), risk, risk.mean().item()
    )


def _checked(score: Tensor, error: Tensor) -> tuple[Tensor, Tensor]:
    if score.ndim != 1 or score.shape != error.shape or len(score) < 2:
        raise HLError(
            f"score and error must be (n,) of the same pictures, at least 2, got {tuple(score.shape)} and "
            f"{tuple(error.shape)}"
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
) -> dict:
    """Each score as a warning of an error, beside the score named `against`, with bootstrap intervals over pictures.

    gain = (mean error - area) / (mean error - area of the oracle): 0 for chance, 1 for the oracle, below 0 for a score
    that warns of the wrong pictures. more: gain less that of `against`, the same pictures drawn for both. Returns
    name -> {area, gain, gain_ci, more, more_ci}. HLError for scores that do not match. Source: ours.
    """
    if against not in scores:
        raise HLError(f"against must be one of {', '.join(scores)}, got {against!r}")
    checked = {k: _checked(s, error)[0] for k, s in scores.items()}
    error = error.detach().cpu().double()
    whole, rounds = torch.arange(len(error))[None], draws(len(error), n_boot, seed)

    def gains(score: Tensor, index: Tensor) -> Tensor:
        e = error[index]
        mean, area, oracle = e.mean(1), _risks(score[index], e).mean(1), _risks(-e, e).mean(1)
        return (mean - area) / (mean - oracle).clamp(min=1e-12)

    one = {k: gains(s, whole).item() for k, s in checked.items()}
    many = {k: gains(s, rounds) for k, s in checked.items()}
    return {
        k: {
            "area": risk_coverage(s, error).area,
            "gain": one[k],
            "gain_ci": interval(many[k]),
            "more": one[k] - one[against],
            "more_ci": interval(many[k] - many[against]),
        }
        for k, s in checked.items()
    }


def input_sharpness(lo: Tensor) -> Tensor:
    """Plain sharpness of poor pictures: mean squared difference of neighbours in the grey picture, full scale 1.

    (B, 3, s, s) in [-1, 1] -> (B,). The score to beat, for it looks at nothing but the input. Source: a usual measure
    of focus; on faces:val it warned a little better than its rival, the variance of the Laplacian.
    """
    if lo.ndim != 4 or lo.shape[1] != 3 or min(lo.shape[2:]) < 2:
        raise HLError(f"lo must be (B, 3, s, s) of 2 pixels a side or more, got {tuple(lo.shape)}")
    grey = (lo.double().mean(1) + 1) / 2
    return sum(grey.diff(dim=d).square().mean((1, 2)) for d in (1, 2)).cpu()


# ---- failures --------------------------------------------------------------------------------------------------------
def failure_limit(distances: Tensor, share: float = STRANGERS) -> float:
    """The error from which a restored face has failed: that of the nearest `share` of strangers.

    distances (N, N): of restored face i to the true face of person j. Off the diagonal stand strangers; their `share`
    quantile is what a restored face reaches with nobody's truth in mind. The rule of face verification: the threshold
    that accepts that share of impostors, fixed on other people than it is used for. Source: ours.
    """
    if (
        distances.ndim != 2
        or distances.shape[0] != distances.shape[1]
        or len(distances) < 2
        or not 0 < share < 1
    ):
        raise HLError(
            f"distances must be (N, N), restored faces against the truths of the same people, and share in "
            f"(0, 1), got {tuple(distances.shape)} and {share}"
        )
    strangers = distances[~torch.eye(len(distances), dtype=torch.bool, device=distances.device)]
    return torch.quantile(strangers.double(), share).item()


def rate(failed: Tensor) -> dict:
    """A share with Wilson's 95 % interval: bool (n,) -> {failed, n, rate, ci}. Empty: rate and ci None."""
    k, n = int(failed.sum()), len(failed)
    return {
        "failed": k,
        "n": n,
        "rate": k / n if n else None,
        "ci": list(wilson(k, n)) if n else None,
    }


def warning(score: Tensor, failed: Tensor, n_boot: int = 500, seed: int = 0) -> dict:
    """How well low scores point out failures: {auroc, ci}, the chance that a failure is trusted less than a success.

    score (n,), failed bool (n,). Bootstrap over pictures; auroc None where nothing or everything failed.
    """
    score, _ = _checked(score, failed.double())
    if failed.all() or not failed.any():
        return {"auroc": None, "ci": None}
    label = failed.cpu().long()
    _, order = torch.unique(-score, return_inverse=True)
    scaled = order / order.max().clamp(
        min=1
    )  # ranks in [0, 1], as torchmetrics would squash what leaves it
    rounds = [i for i in draws(len(label), n_boot, seed) if 0 < label[i].sum() < len(label)]
    many = torch.stack([binary_auroc(scaled[i], label[i]) for i in rounds])
    return {"auroc": binary_auroc(scaled, label).item(), "ci": interval(many.double())}
