"""What each principal direction of z controls: how z moves pictures most, and what moves with it.

z is 64 numbers of N(0, 1) without names. Many z are drawn, the same few faces degraded under each,
and what is measured of their pictures, averaged over the faces, is regressed on z.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import HLError
from ..networks import H2L
from ..rng import seeded
from .blur import blur_fit
from .jpeg_traces import block_step, chroma_detail
from .noise_colour import colour_gains, colour_shift
from .spectrum import statistics

PROPERTIES = (
    "blur width",
    "noise level",
    "exposure",
    "warmth",
    "tint",
    "block step",
    "chroma detail",
)


@dataclass(frozen=True)
class Directions:
    """Principal directions of z, strongest first, and what changes with them on other z.

    Attributes:
        axes: (k, z_dim), each of length 1.
        strength: (k,), the spread that a direction causes, as a share of LR pictures' own.
        chance: (k,), what 95 % of shuffled z's stay below.
        names: (p,), of the properties.
        table: (k, p), correlation of z's coordinate with each property.
        low: (k, p), lower end of its 95 % interval.
        high: (k, p), upper end.
        governed: (p,), share of the variance over z that all of z predicts linearly.
        steepest: (p, z_dim), the direction of length 1 along which each property changes most.
        n_z: draws.
    """

    axes: Tensor
    strength: Tensor
    chance: Tensor
    names: tuple[str, ...]
    table: Tensor
    low: Tensor
    high: Tensor
    governed: Tensor
    steepest: Tensor
    n_z: int

    @property
    def found(self) -> Tensor:
        """(k,) bool: stronger than chance."""
        return self.strength > self.chance


def measure(hi: Tensor, lo: Tensor) -> Tensor:
    """PROPERTIES of pairs.

    log2 of blur width and noise level; exposure, warmth and tint in stops; block step; chroma
    detail.

    Args:
        hi: HR pictures (B, 3, S, S) in [-1, 1].
        lo: their LR pictures (B, 3, s, s) in [-1, 1].

    Returns:
        (B, 7).
    """
    fit = blur_fit(hi, lo)
    shift = colour_shift(colour_gains(hi, lo))
    noise = fit.residual.square().mean((1, 2, 3)).sqrt()
    columns = (
        fit.width.log2(),
        noise.clamp(min=1e-4).log2(),
        *shift.values(),
        block_step(lo),
        chroma_detail(lo),
    )
    return torch.stack(columns, 1)


@torch.no_grad()
def z_directions(
    h2l: H2L | Callable[[Tensor, Tensor], Tensor],
    hi: Tensor,
    z_dim: int | None = None,
    n_z: int = 512,
    k: int = 4,
    seed: int = 0,
) -> Directions:
    """The k directions of z that change pictures most, and what they change.

    d(z) = mean over faces of statistics(h2l(hi, z)), in units of its spread over faces. On half of
    the z's, by slightly damped least squares,

        d(z) - mean ~ W z,    W = U S V'    axes: rows of V'

    and on the other half the correlation of v . z with each of PROPERTIES (Fisher's interval).
    Statistics rather than pixels: a direction that makes noise stronger leaves the mean picture as
    it is. Noise that differs for any two z (`grain`) averages out. Linear only: what depends on |z|
    stays unseen. Source: ours; the regression is the mean gradient (Stein's lemma).

    Args:
        h2l: an H2L network, or a function (hi, z) -> lo with z_dim given.
        hi: about 8 HR faces (B, 3, S, S) in [-1, 1].
        z_dim: how many numbers z holds.
        n_z: how many z are drawn.
        k: how many directions.
        seed: of z.

    Returns:
        The directions.

    Raises:
        HLError: for too few z or faces, or a network without z.
    """
    z_dim = _z_dim(h2l, z_dim)
    if n_z < 6 * z_dim or len(hi) < 2 or not 1 <= k <= z_dim:
        raise HLError(
            f"z_directions needs n_z of at least 6 z_dim = {6 * z_dim}, 2 faces and k of 1 to "
            f"{z_dim}, got {n_z}, {len(hi)} and {k}: raise or lower them"
        )
    z = torch.randn(n_z, z_dim, generator=seeded(seed))
    d, p = _measured(h2l, hi, z)

    # Directions are found on one half of the z's and judged on the other, free of its noise.
    fit, test = slice(0, n_z // 2), slice(n_z // 2, n_z)
    z_test = z[test].double()
    w = _regress(z[fit], d[fit])
    moves, _, axes = torch.linalg.svd(w.T, full_matrices=False)
    strength, chance = _strength(z[test], d[test], moves[:, :k], axes[:k], seed)

    # Correlation with each property; the sign of an axis is free: the largest is made positive.
    r = _correlation(z_test @ axes[:k].T, p[test])
    largest = r.gather(1, r.abs().argmax(1, keepdim=True))
    sign = torch.where(largest < 0, -1.0, 1.0)
    r = sign * r
    half = 1.96 / (n_z - n_z // 2 - 3) ** 0.5
    fisher = torch.atanh(r.clamp(-1 + 1e-9, 1 - 1e-9))

    # How much of each property all of z predicts, and along which direction it changes most.
    slopes = _regress(z[fit], p[fit])
    missed = (p[test] - p[fit].mean(0) - z_test @ slopes).square().mean(0)
    governed = 1 - missed / p[test].var(0, unbiased=False).clamp(min=1e-12)
    return Directions(
        axes=sign * axes[:k],
        strength=strength,
        chance=chance,
        names=PROPERTIES,
        table=r,
        low=torch.tanh(fisher - half),
        high=torch.tanh(fisher + half),
        governed=governed.clamp(min=0),
        steepest=(slopes / slopes.norm(dim=0).clamp(min=1e-12)).T,
        n_z=n_z,
    )


def _z_dim(h2l: H2L | Callable, z_dim: int | None) -> int:
    if isinstance(h2l, H2L):
        h2l.eval()
        if not h2l.takes_z:
            raise HLError(
                "h2l takes no noise (z_input none), so z has no directions: train with z_input "
                "concat"
            )
        return h2l.cfg.z_dim
    if z_dim is None:
        raise HLError(
            "z_dim must say how many numbers a function's z holds, got None: give z_dim=64"
        )
    return z_dim


def _measured(h2l: Callable, hi: Tensor, z: Tensor, part: int = 16) -> tuple[Tensor, Tensor]:
    """For each z, averaged over the faces: statistics (n, F) and PROPERTIES (n, p).

    Statistics are in units of their spread over faces.
    """
    d, p, within = [], [], []
    for some in z.split(part):
        each_z_of_each_face = (len(some), len(hi))
        faces = hi.repeat(len(some), 1, 1, 1)
        lo = h2l(faces, some.to(hi).repeat_interleave(len(hi), 0))
        stats = statistics(lo).unflatten(0, each_z_of_each_face)
        within.append(stats.var(1))
        d.append(stats.mean(1))
        p.append(measure(faces, lo).unflatten(0, each_z_of_each_face).mean(1))
    spread = torch.cat(within).mean(0).sqrt().clamp(min=1e-9)
    return torch.cat(d) / spread, torch.cat(p)


def _regress(z: Tensor, y: Tensor, damp: float = 1e-2) -> Tensor:
    """Least-squares slopes (z_dim, F) of y (n, F) on z (n, z_dim), both centred."""
    z, y = (v.double() - v.double().mean(0) for v in (z, y))
    damping = damp * len(z) * torch.eye(z.shape[1], dtype=z.dtype)
    return torch.linalg.solve(z.T @ z + damping, z.T @ y)


def _correlation(a: Tensor, b: Tensor) -> Tensor:
    """Of each column of a (n, k) with each of b (n, p): (k, p), 0 where one does not vary."""
    a, b = ((v - v.mean(0)) / v.std(0, unbiased=False).clamp(min=1e-12) for v in (a, b))
    return a.T @ b / len(a)


def _strength(
    z: Tensor, d: Tensor, moves: Tensor, axes: Tensor, seed: int, rounds: int = 200
) -> tuple[Tensor, Tensor]:
    """u . W v of each direction on other z, W = cov(d, z), and 95 % of the same with z shuffled.

    Both over sqrt(statistics). moves u (F, k) and axes v (k, z_dim) were found elsewhere, so that
    noise has a mean of 0 here.
    """
    generator = seeded(seed + 1)
    a, b = ((v - v.mean(0)) for v in (z.double() @ axes.T, d @ moves))  # (n, k) each
    scale = d.shape[1] ** 0.5
    strength = (a * b).mean(0) / scale
    shuffled = []
    for _ in range(rounds):
        order = torch.randperm(len(a), generator=generator)
        shuffled.append((a[order] * b).mean(0) / scale)
    return strength, torch.stack(shuffled).quantile(0.95, dim=0)


def placed(z: Tensor, axes: Tensor, at: Tensor) -> Tensor:
    """z moved to given coordinates along some directions, and left as it is across them.

        z - (z V') V + at V

    Args:
        z: (..., z_dim).
        axes: V (k, z_dim), orthonormal, as Directions.axes.
        at: (..., k), 0 is the middle, 1 a standard deviation of z.

    Returns:
        (..., z_dim).
    """
    return z + (at - z @ axes.T) @ axes


@torch.no_grad()
def walk(
    h2l: H2L | Callable[[Tensor, Tensor], Tensor],
    hi: Tensor,
    axis: Tensor,
    seed: int = 0,
    steps: tuple[float, ...] = (-2.0, -1.0, 0.0, 1.0, 2.0),
) -> Tensor:
    """One face under z that differ along one direction only: z_0 `placed` at each of steps.

    Args:
        h2l: an H2L network, or a function (hi, z) -> lo.
        hi: (3, S, S) or (1, 3, S, S) in [-1, 1].
        axis: v (z_dim,) of length 1.
        seed: of z_0.
        steps: coordinates along v, in standard deviations of z.

    Returns:
        (steps, 3, s, s).

    Raises:
        HLError: for more than one face, and an axis of another length.
    """
    hi = hi if hi.ndim == 4 else hi[None]
    if hi.shape[0] != 1 or axis.ndim != 1 or abs(axis.norm() - 1) > 1e-3:
        raise HLError(
            f"walk needs one face and an axis (z_dim,) of length 1, got {tuple(hi.shape)} and an "
            f"axis {tuple(axis.shape)} of length {axis.norm():.3g}: take a row of Directions.axes"
        )
    axis = axis.float()
    z = torch.randn(len(axis), generator=seeded(seed))
    z = placed(z, axis[None], torch.tensor(steps)[:, None])
    return h2l(hi.expand(len(steps), -1, -1, -1), z.to(hi))
