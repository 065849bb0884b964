"""What JPEG leaves in a small picture: a block grid, its quality, steps, colour without detail.

A 16x16 picture cut out of a photograph holds one whole 8x8 block, or four, and the grid may lie
anywhere. Pictures are rounded to 8 bits first, as files are. `validation.validate` prints how far
each number is to be trusted.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..data.faces import to_uint8
from ..degradations.jpeg import LUMINANCE, TO_YCC, block_dct, quantisation
from ..errors import HLError
from .spectrum import statistics

BLOCK = 8
CERTAIN = 0.27  # decades; how often pictures without JPEG reach it, validation.validate prints
SUBSAMPLED = 0.07  # chroma_detail of 4:2:0 colour lies below
AC = (torch.arange(BLOCK)[:, None] + torch.arange(BLOCK)) > 0


class Grid(NamedTuple):
    """The block grid of each picture.

    Attributes:
        score: (B,) in decades, how surely it is there.
        phase: (B, 2), its first row and column, 0..7.
        quality: (B,), of the quantisation table that the coefficients obey; NaN where the score is
            below CERTAIN or no table fits.
    """

    score: Tensor
    phase: Tensor
    quality: Tensor

    @property
    def found(self) -> Tensor:
        """(B,) bool: is the grid sure?"""
        return self.score > CERTAIN


def _luminance(lo: Tensor) -> Tensor:
    """Levels -128..127 of the picture as a file holds it, (B, s, s) float64 on the CPU."""
    rgb_batch = lo.ndim == 4 and lo.shape[1] == 3 and lo.is_floating_point()
    if not rgb_batch or min(lo.shape[2:]) < 2 * BLOCK:
        raise HLError(
            f"lo must be float (B, 3, s, s) in [-1, 1] with s at least {2 * BLOCK}, got {lo.dtype} "
            f"{tuple(lo.shape)}: a smaller picture may hold no whole JPEG block"
        )
    rgb = to_uint8(lo).cpu().double()
    return torch.einsum("j,bjhw->bhw", rgb.new_tensor(TO_YCC[0]), rgb) - 128


def jpeg_grid(lo: Tensor) -> Grid:
    """Where the 8x8 grid of the last JPEG lies, how surely, and its quality.

    At the true place most coefficients of a block were rounded to 0. With c the block DCT of
    luminance at place p,

        e(p) = mean of log10(|c_kl| + 0.3) over k + l > 0 and the whole blocks at p
        score = median over the 64 places of e - min over them

    (0.3: rounding to 8 bits). Evidence, not harm: a mild JPEG scores high, a strong one that was
    resized afterwards not at all. Blind above quality 95. Source: ours, after the search for block
    grids in JPEG forensics.

    Args:
        lo: (B, 3, s, s) in [-1, 1], s at least 16.

    Returns:
        The grid of each picture.

    Raises:
        HLError: for another shape.
    """
    # The DCT of the 8x8 block at every pixel: (B, rows, columns, 8, 8).
    dct = block_dct(BLOCK, torch.device("cpu")).double()
    c = dct @ _luminance(lo).unfold(1, BLOCK, 1).unfold(2, BLOCK, 1) @ dct.T
    size = torch.log10(c[..., AC].abs() + 0.3).mean(-1)

    # The blocks of one phase, averaged.
    fold = (torch.arange(c.shape[1]) % BLOCK == torch.arange(BLOCK)[:, None]).double()
    fold = fold / fold.sum(1, keepdim=True)
    e = (fold @ size @ fold.T).flatten(1)  # (B, 64)

    lowest, at = e.min(1)
    phase = torch.stack((at // BLOCK, at % BLOCK), 1)
    score = e.median(1).values - lowest
    return Grid(score, phase, torch.where(score > CERTAIN, _quality(c, phase), torch.nan))


def _quality(c: Tensor, phase: Tensor, slack: float = 0.35) -> Tensor:
    """The lowest quality of 1..95 whose steps divide the coefficients, or NaN.

    slack: the root mean square that rounding may leave.
    """
    block = c[torch.arange(len(c)), phase[:, 0], phase[:, 1]][:, None]  # (B, 1, 8, 8)
    qualities = torch.arange(1, 96)
    steps = quantisation(qualities, LUMINANCE).double()
    remainder = block - torch.round(block / steps) * steps
    fits = remainder[..., AC].square().mean(-1).sqrt() < slack
    lowest = qualities[fits.double().argmax(1)].double()
    return torch.where(fits.any(1), lowest, torch.nan)


def block_step(lo: Tensor, grid: Grid | None = None) -> Tensor:
    """How much larger steps at the grid's edges are than elsewhere: what an eye sees as blocks.

        step between columns j and j + 1 = |(3 v_{j+1} - v_{j+2}) - (3 v_j - v_{j-1})| / 2

    the gap between both sides continued by straight lines; mean at the edges less the mean
    elsewhere. Without JPEG it is a little above 0, as the grid is sought where blocks are
    smoothest: compare with the floor. Source: ours.

    Args:
        lo: (B, 3, s, s) in [-1, 1].
        grid: of the same pictures, by default `jpeg_grid`'s.

    Returns:
        (B,), full scale 1.

    Raises:
        HLError: as `jpeg_grid`.
    """
    v = _luminance(lo) / 255
    grid = grid or jpeg_grid(lo)
    down = _step_at_edges(v.transpose(1, 2), grid.phase[:, 0:1])
    across = _step_at_edges(v, grid.phase[:, 1:2])
    return torch.stack((down, across)).nanmean(0)


def _step_at_edges(v: Tensor, phase: Tensor) -> Tensor:
    """Mean step at the block edges of the last axis less that elsewhere; NaN without an edge."""
    right = 3 * v[..., 2:-1] - v[..., 3:]
    left = 3 * v[..., 1:-2] - v[..., :-3]
    step = (right - left).abs().mean(1) / 2
    edge = (torch.arange(2, v.shape[-1] - 1) - phase) % BLOCK == 0
    at_edges = (step * edge).sum(1) / edge.sum(1).clamp(min=1)
    elsewhere = (step * ~edge).sum(1) / (~edge).sum(1)
    return torch.where(edge.any(1), at_edges - elsewhere, torch.nan)


def chroma_detail(lo: Tensor) -> Tensor:
    """Detail of colour as a share of detail of brightness: what 4:2:0 subsampling takes away.

        sqrt of the geometric mean of P_chroma(f) / P_luminance(f) over f > 1/4 cycles a pixel

    with the spectra of `analysis.statistics`. Grey pictures are low too. Source: ours.

    Args:
        lo: (B, 3, s, s) in [-1, 1].

    Returns:
        (B,), 0.03 to 0.05 after 4:2:0.

    Raises:
        HLError: for another shape.
    """
    rings = lo.shape[-1] // 2
    log_power = statistics(lo)[:, 6:].unflatten(1, (3, rings))[..., rings // 2 :].mean(2)
    return ((log_power[:, 1:].mean(1) - log_power[:, 0]) / 2).exp()


def measured_jpeg(lo: Tensor) -> tuple[Tensor, float]:
    """How some photographs were coded: their qualities, and the share with 4:2:0 colour.

    Where no grid is found the quality is taken for 100, as no JPEG and a very mild one look the
    same; where a grid is found and no quality fits, the photograph is left out (where all are, 100
    stands for them). Source: ours.

    Args:
        lo: LR photographs (B, 3, s, s) in [-1, 1], s at least 16.

    Returns:
        The quality of each that shows it (n,), and a share of 0 to 1.

    Raises:
        HLError: as `jpeg_grid`.
    """
    grids, details = [], []
    for part in lo.split(256):
        grids.append(jpeg_grid(part))
        details.append(chroma_detail(part))
    found = torch.cat([grid.found for grid in grids])
    quality = torch.where(found, torch.cat([grid.quality for grid in grids]), 100.0)
    known = quality[~quality.isnan()]
    if not len(known):
        known = quality.new_tensor([100.0])
    subsampled = torch.cat(details)[found] < SUBSAMPLED
    return known, subsampled.double().mean().nan_to_num().item()
