"""The hand-made degradations: what each keeps and takes, their seeds, what they refuse."""

import numpy as np
import pytest
import torch
from PIL import Image

from hlgan_lib.degradations.camera import Camera
from hlgan_lib.degradations.handmade import bicubic, bilinear, blurred, pool, second_order
from hlgan_lib.degradations.optics import blur, gaussian
from hlgan_lib.errors import HLError


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_pool_is_the_mean_of_squares(hi):
    lo = pool(hi)
    assert torch.allclose(lo[3, 1, 5, 7], hi[3, 1, 20:24, 28:32].mean(), atol=1e-6)
    with pytest.raises(HLError, match="divides 64, got 24"):
        pool(hi, 24)


@pytest.mark.parametrize(
    "shrink, kernel", [(bilinear, Image.Resampling.BILINEAR), (bicubic, Image.Resampling.BICUBIC)]
)
def test_shrinking_is_antialiased_as_pillow_does_it(hi, shrink, kernel):
    ours = shrink(hi)[0, 0].numpy()
    theirs = np.asarray(Image.fromarray(hi[0, 0].numpy()).resize((16, 16), kernel))
    assert np.abs(ours - theirs.clip(-1, 1)).max() < 1e-4


def test_second_order_is_seeded_poor_and_in_range(hi):
    lo = second_order(hi, seeded(1))
    assert lo.shape == (24, 3, 16, 16) and lo.min() >= -1 and lo.max() <= 1
    assert torch.equal(lo, second_order(hi, seeded(1))) and not torch.equal(
        lo, second_order(hi, seeded(2))
    )
    assert (lo - pool(hi)).pow(2).mean() > 3 * (bilinear(hi) - pool(hi)).pow(2).mean()


def test_blurred_is_seeded_and_between_bilinear_and_a_wide_blur(hi):
    lo = blurred(hi, seeded(1))
    assert torch.equal(lo, blurred(hi, seeded(1))) and not torch.equal(lo, blurred(hi, seeded(2)))

    def contrast(x):
        return (x[..., 1:] - x[..., :-1]).abs().mean()

    wide = torch.full((len(hi),), 3.0)
    assert (
        contrast(bilinear(blur(hi, gaussian(wide, wide, 0 * wide, 9))))
        < contrast(lo)
        < contrast(bilinear(hi))
    )
    with pytest.raises(HLError, match="did you pass lo"):
        blurred(hi[..., :8, :8], seeded())


@pytest.mark.parametrize(
    "wrong",
    [
        torch.zeros(2, 3, 8, 8),
        torch.zeros(3, 64, 64),
        torch.zeros(2, 3, 64, 64).byte(),
        torch.zeros(2, 1, 64, 64),
        torch.zeros(2, 3, 64, 48),
    ],
)
@pytest.mark.parametrize(
    "shrink",
    [pool, bilinear, bicubic, lambda x: second_order(x, seeded()), lambda x: Camera()(x, seeded())],
)
def test_wrong_hi_is_named(shrink, wrong):
    with pytest.raises(HLError, match="hi must be"):
        shrink(wrong)
