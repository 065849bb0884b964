"""The batched JPEG against libjpeg; where its blocks fall; its gradient."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from hlgan_lib.degradations.jpeg import (
    LUMINANCE,
    RoundThrough,
    block_dct,
    code_and_decode,
    jpeg_inside_photograph,
    quantisation,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def by_libjpeg(x, quality, subsampled):
    file = io.BytesIO()
    picture = Image.fromarray(x.byte().permute(1, 2, 0).numpy())
    picture.save(file, "JPEG", quality=quality, subsampling=2 if subsampled else 0)
    return torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1).float()


@pytest.mark.parametrize("quality", [20, 45, 75, 95])
@pytest.mark.parametrize("subsampled", [False, True])
def test_jpeg_is_that_of_libjpeg(hi, quality, subsampled):
    rgb = ((hi[:4] + 1) * 127.5).round()
    ours = (
        code_and_decode(rgb / 255, torch.full((4,), quality), torch.full((4,), subsampled)) * 255
    ).round()
    theirs = torch.stack([by_libjpeg(x, quality, subsampled) for x in rgb])
    lost = (theirs - rgb).pow(2).mean().sqrt()
    # libjpeg rounds to whole levels between its steps: one coefficient in a hundred falls to
    # the other side
    assert ((ours - theirs).abs() <= 1).float().mean() > 0.75
    assert (ours - theirs).pow(2).mean().sqrt() < max(0.35 * lost, 0.8)
    wrong = (
        code_and_decode(rgb / 255, torch.full((4,), quality - 6), torch.full((4,), subsampled))
        * 255
    )
    assert ((wrong.round() - theirs).abs() <= 1).float().mean() < 0.7


def test_jpeg_blocks_fall_where_the_offset_says():
    x = torch.rand(1, 3, 16, 16, generator=seeded()).repeat(3, 1, 1, 1)
    offset = torch.tensor([[0, 0], [3, 0], [8, 8]])
    args = torch.full((3,), 16), torch.full((3,), 30), torch.zeros(3, dtype=torch.bool)
    out = jpeg_inside_photograph(x, *args, offset)
    plain = code_and_decode(x[:1], torch.tensor([30]), torch.tensor([False]))
    assert torch.allclose(out[0], plain[0], atol=1e-5) and torch.allclose(
        out[2], plain[0], atol=1e-5
    )
    assert (out[1] - plain[0]).abs().mean() > 0.01


def test_quantisation_is_the_table_at_quality_50():
    q = quantisation(torch.tensor([50, 100, 1]), LUMINANCE)
    assert q[0].tolist() == [list(row) for row in LUMINANCE]
    assert (q[1] == 1).all() and (q[2] == 255).all()


def test_the_dct_is_orthogonal_and_its_first_row_averages():
    dct = block_dct(16, torch.device("cpu"))
    assert torch.allclose(dct @ dct.T, torch.eye(16), atol=1e-6)
    assert torch.allclose(dct[8, 8:], torch.full((8,), 8**-0.5)) and not dct[8, :8].any()


def test_rounding_lets_the_gradient_through():
    x = torch.tensor([0.2, 1.7], requires_grad=True)
    y = RoundThrough.apply(x)
    (3 * y).sum().backward()
    assert y.tolist() == [0, 2] and x.grad.tolist() == [3, 3]
