"""What JPEG leaves in a small picture: a block grid, the quality it was coded with, steps, colour without detail.

A 16x16 picture cut out of a photograph holds one whole 8x8 block, or four, and the grid may lie anywhere. Pictures are
rounded to 8 bits first, as files are. `validation.validate` prints how far each number is to be trusted.
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
    """For each picture: score (B,) in decades, the grid's first row and column (B, 2) of 0..7, quality (B,) or NaN.

    quality: of the quantisation table that the coefficients obey; NaN where the score is below CERTAIN or none fits.
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
    if (
        lo.ndim != 4
        or lo.shape[1] != 3
        or min(lo.shape[2:]) < 2 * BLOCK
        or not lo.is_floating_point()
    ):
        raise HLError(
            f"lo must be float (B, 3, s, s) in [-1, 1] with s at least {2 * BLOCK}, got {lo.dtype} "
            f"{tuple(lo.shape)}: a smaller picture may hold no whole JPEG block"
        )
    rgb = to_uint8(lo).cpu().double()
    return torch.einsum("j,bjhw->bhw", rgb.new_tensor(TO_YCC[0]), rgb) - 128


def jpeg_grid(lo: Tensor) -> Grid:
    """Where the 8x8 grid of the last JPEG lies, how surely, and its quality.

    At the true place most coefficients of a block were rounded to 0. With c the block DCT of luminance at place p,
        e(p) = mean over k + l > 0, and over the whole blocks at p, of log10(|c_kl| + 0.3)   (0.3: rounding to 8 bits)
        score = median over the 64 places of e - min over them
    lo (B, 3, s, s) in [-1, 1], s at least 16. Evidence, not harm: a mild JPEG scores high, a strong one that was
    resized afterwards not at all. Blind above quality 95. Raises HLError for other shapes. Source: ours, after the
    search for block grids in JPEG forensics.
    """
    dct = block_dct(BLOCK, torch.device("cpu")).double()
    c = (
        dct @ _luminance(lo).unfold(1, BLOCK, 1).unfold(2, BLOCK, 1) @ dct.T
    )  # (B, rows, columns, 8, 8)
    size = torch.log10(c[..., AC].abs() + 0.3).mean(-1)
    fold = (torch.arange(c.shape[1]) % BLOCK == torch.arange(BLOCK)[:, None]).double()
    fold = fold / fold.sum(1, keepdim=True)  # places of one phase, averaged
    e = (fold @ size @ fold.T).flatten(1)  # (B, 64)
    lowest, at = e.min(1)
    phase, score = torch.stack((at // BLOCK, at % BLOCK), 1), e.median(1).values - lowest
    return Grid(score, phase, torch.where(score > CERTAIN, _quality(c, phase), torch.nan))


def _quality(c: Tensor, phase: Tensor, slack: float = 0.35) -> Tensor:
    """The lowest quality of 1..95 whose steps divide the coefficients but for rounding (rms below slack), or NaN."""
    block = c[torch.arange(len(c)), phase[:, 0], phase[:, 1]][:, None]  # (B, 1, 8, 8)
    qualities = torch.arange(1, 96)
    steps = quantisation(qualities, LUMINANCE).double()
    miss = (block - torch.round(block / steps) * steps)[..., AC].square().mean(-1).sqrt()
    fits = miss < slack
    return torch.where(fits.any(1), qualities[fits.double().argmax(1)].double(), torch.nan)


def block_step(lo: Tensor, grid: Grid | None = None) -> Tensor:
    """How much larger the step at the grid's edges is than elsewhere: what an eye sees as blocks, full scale 1.

    step between columns j and j + 1: |(3 v_{j+1} - v_{j+2}) - (3 v_j - v_{j-1})| / 2, the gap between both sides
    continued by straight lines; mean at the edges less the mean elsewhere. (B, 3, s, s) -> (B,). Without JPEG it is a
    little above 0, as the grid is sought where blocks are smoothest: compare with the floor. Source: ours.
    """
    v, grid, scores = _luminance(lo) / 255, grid or jpeg_grid(lo), []
    for axis in (0, 1):
        x = v if axis else v.transpose(1, 2)
        step = ((3 * x[..., 2:-1] - x[..., 3:]) - (3 * x[..., 1:-2] - x[..., :-3])).abs().mean(
            1
        ) / 2
        edge = (torch.arange(2, x.shape[-1] - 1) - grid.phase[:, axis : axis + 1]) % BLOCK == 0
        inside = (step * ~edge).sum(1) / (~edge).sum(1)
        scores.append(
            torch.where(
                edge.any(1), (step * edge).sum(1) / edge.sum(1).clamp(min=1) - inside, torch.nan
            )
        )
    return torch.stack(scores).nanmean(0)


def chroma_detail(lo: Tensor) -> Tensor:
    """Detail of colour as a share of detail of brightness: what 4:2:0 subsampling takes away.

    sqrt of the geometric mean over f > 1/4 cycles a pixel of P_chroma(f) / P_luminance(f), from `analysis.statistics`.
    (B, 3, s, s) in [-1, 1] -> (B,), 0.03 to 0.05 after 4:2:0; grey pictures are low too. Source: ours.
    """
    rings = lo.shape[-1] // 2
    log_power = statistics(lo)[:, 6:].unflatten(1, (3, rings))[..., rings // 2 :].mean(2)
    return ((log_power[:, 1:].mean(1) - log_power[:, 0]) / 2).exp()


def measured_jpeg(lo: Tensor) -> tuple[Tensor, float]:
    """How some photographs were coded: the quality of each that shows it (n,), and the share with 4:2:0 colour.

    Where no grid is found the quality is taken for 100, as no JPEG and a very mild one look the same; where a grid is
    found and no quality fits, the photograph is left out (where all are, 100 stands for them). lo (B, 3, s, s) in
    [-1, 1]. HLError as `jpeg_grid`. Ours.
    """
    parts = [(jpeg_grid(part), chroma_detail(part)) for part in lo.split(256)]
    found, quality = (
        torch.cat([getattr(grid, k) for grid, _ in parts]) for k in ("found", "quality")
    )
    half = torch.cat([detail for _, detail in parts])[found] < SUBSAMPLED
    quality = torch.where(found, quality, 100.0)
    known = quality[~quality.isnan()]
    return known if len(known) else quality.new_tensor(
        [100.0]
    ), half.double().mean().nan_to_num().item()
