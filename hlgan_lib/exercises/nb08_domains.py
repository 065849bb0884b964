"""The exercises of notebook 08, on domains and adaptation; what a check is, `nb01_data` says."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from .checks import first, numbers, trained_through

CAMERAS = ("jpeg", "motion", "night", "old", "webcam")
MISTAKEN = {"motion", "old"}
STATEMENTS = (
    "the JPEG is measured, so it is taken whatever the score says",
    "a law that was kept is the true law",
    "pictures that moved the law must not judge it",
    "a law that was left is the true law",
)
FOLLOWS = {STATEMENTS[0], STATEMENTS[2]}


def check_mistaken(mine: Iterable[str]) -> str | None:
    """Which two of CAMERAS are mistaken for each other most often?"""
    if isinstance(mine, str) or not isinstance(mine, Iterable) or not set(mine) <= set(CAMERAS):
        return "a set of two of these is expected: " + ", ".join(CAMERAS) + "."
    chosen = set(mine)
    return first(
        (len(chosen) != 2, "two of them are asked for."),
        ("night" in chosen, "one of yours is dark: which other camera takes dark pictures?"),
        ("webcam" in chosen, "one of yours takes the warmth out of every face: who else does?"),
        (chosen != MISTAKEN, "near: whose blur is largest? JPEG blurs colour, not edges."),
    )


def projection_scores(h: Tensor, w: Tensor, e: Tensor, domain: Tensor) -> Tensor:
    """w . h + e(y) . h of each picture; h (B, C), w (C,), e (K, C), domain (B,) -> (B,)."""
    return h @ w + (e[domain] * h).sum(1)


def check_projection_scores(mine: Callable[..., Tensor]) -> str | None:
    """A function as `projection_scores`."""
    h = torch.tensor([[1.0, 2.0], [0.5, -1.0], [3.0, 0.25]])
    w = torch.tensor([0.5, -2.0])
    e = torch.tensor([[1.0, 0.1], [-0.3, 2.0]]).requires_grad_()
    domain = torch.tensor([1, 0, 1])
    want = projection_scores(h, w, e, domain)
    got = mine(h, w, e, domain)
    plain, own = h @ w, (e[domain] * h).sum(1)
    return numbers(
        got,
        want.detach(),
        ("this is the part without a domain: add e(y) . h.", plain),
        ("this is the domain's part alone: add w . h.", own.detach()),
        ("one score a picture: sum over the channels, not over the batch.", want.sum().detach()),
        ("each picture has a domain of its own: e[domain].", (plain + h @ e[0]).detach()),
        ("the embedding must meet the features: e(y) . h.", (plain + e[domain].sum(1)).detach()),
    ) or trained_through(got, want, e)


def scene_law(mean: Tensor, factor: Tensor, w: Tensor, v: Tensor, s: Tensor, z: Tensor) -> Tensor:
    """mean + W s + exp(V s) (L z): mean (n,), factor (n, n), w, v (n, k), s (B, k), z (B, n)."""
    return mean + s @ w.T + (s @ v.T).exp() * (z @ factor.T)


def check_scene_law(mine: Callable[..., Tensor]) -> str | None:
    """A function as `scene_law`."""
    generator = torch.Generator().manual_seed(0)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    mean, factor, s, z = drawn(3), drawn(3, 3).tril(), drawn(4, 2), drawn(4, 3)
    w, v = drawn(3, 2).requires_grad_(), drawn(3, 2).requires_grad_()
    want = scene_law(mean, factor, w, v, s, z)
    got = mine(mean, factor, w, v, s, z)
    shift, wider, noise = (s @ w.T).detach(), (s @ v.T).detach(), z @ factor.T
    return numbers(
        got,
        want.detach(),
        ("this is the plain law: the scene moves nothing.", mean + noise),
        ("the spread must follow the scene too: exp(V s).", mean + shift + noise),
        ("the mean must follow the scene too: W s.", mean + wider.exp() * noise),
        ("a factor below 0 would turn z round: exp.", mean + shift + wider * noise),
        ("the factor is of the spread alone.", (mean + shift + noise) * wider.exp()),
        ("L z for a batch is z @ L.T.", mean + shift + wider.exp() * (z @ factor)),
    ) or trained_through(got, want, w, v)


def energy_score(a: Tensor, x: Tensor) -> Tensor:
    """2 E|a - x| - E|a - a'| over pairs of two, a (n, k) of a law, x (k,) a picture -> scalar."""
    n = len(a)
    pairs = (a[:, None] - a).norm(dim=2).sum() / (n * (n - 1))
    return 2 * (a - x).norm(dim=1).mean() - pairs


def check_energy_score(mine: Callable[[Tensor, Tensor], Tensor]) -> str | None:
    """A function as `energy_score`."""
    a = torch.tensor([[0.0, 0.0], [3.0, 4.0], [6.0, 0.0]])
    x = torch.tensor([0.0, 1.0])
    to_x = (a - x).norm(dim=1).mean()
    apart = (a[:, None] - a).norm(dim=2)
    return numbers(
        mine(a, x),
        energy_score(a, x),
        ("the distance to x counts twice.", to_x - apart.sum() / 6),
        ("this is the first half: a law of one point would win.", 2 * to_x, to_x),
        ("a picture is no pair with itself: n (n - 1) pairs.", 2 * to_x - apart.mean()),
        ("spread is rewarded: the second half is taken off.", 2 * to_x + apart.sum() / 6),
        ("each pair counts once a side: divide by n (n - 1).", 2 * to_x - apart.sum() / 3),
        ("a length, not its square: the score would see means alone.", _squared(a, x)),
    )


def _squared(a: Tensor, x: Tensor) -> Tensor:
    """The score with squares of lengths."""
    n = len(a)
    pairs = (a[:, None] - a).square().sum() / (n * (n - 1))
    return 2 * (a - x).square().sum(1).mean() - pairs


def check_follows(mine: Iterable[str]) -> str | None:
    """Which of STATEMENTS hold of the rule?"""
    if isinstance(mine, str) or not isinstance(mine, Iterable) or not set(mine) <= set(STATEMENTS):
        return "a set of some of these is expected: " + "; ".join(STATEMENTS) + "."
    chosen = set(mine)
    return first(
        (STATEMENTS[1] in chosen, "kept means nearer than before: the table shows what is left."),
        (STATEMENTS[3] in chosen, "left means not shown to be worse, by 50 pictures."),
        (STATEMENTS[0] not in chosen, "the score sees no blocks: could it judge a JPEG?"),
        (STATEMENTS[2] not in chosen, "think of a test set that was trained on."),
    )
