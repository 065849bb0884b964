"""Each loss against numbers worked out by hand."""

import pytest
import torch

from hlgan_lib import losses
from hlgan_lib.degradations.optics import srgb_decode, srgb_encode


def test_hinge_d_by_hand():
    # real: relu(1 - 2) = 0, relu(1 - 0.5) = 0.5 -> 0.25
    # fake: relu(1 - 3) = 0, relu(1 + 0) = 1 -> 0.5
    assert losses.hinge_d(
        torch.tensor([2.0, 0.5]), torch.tensor([-3.0, 0.0])
    ).item() == pytest.approx(0.75)
    assert (
        losses.hinge_d(torch.tensor([1.0]), torch.tensor([-1.0])).item() == 0
    )  # at the margin: nothing to learn
    assert losses.hinge_d(torch.zeros(3), torch.zeros(3)).item() == 2  # guessing


def test_hinge_d_stops_at_the_margin():
    real, fake = (
        torch.tensor([0.5, 1.5], requires_grad=True),
        torch.tensor([-0.5, -1.5], requires_grad=True),
    )
    losses.hinge_d(real, fake).backward()
    assert real.grad.tolist() == [-0.5, 0] and fake.grad.tolist() == [0.5, 0]


def test_hinge_g_by_hand():
    assert losses.hinge_g(torch.tensor([1.0, -3.0])).item() == pytest.approx(1)
    assert losses.hinge_g(torch.tensor([5.0])).item() == -5  # no margin for the generator


def test_pixel_h2l_pools_by_averaging():
    hi = torch.zeros(1, 3, 4, 4)
    hi[:, :, :2, :2] = torch.tensor(
        [[1.0, 0.0], [0.0, 1.0]]
    )  # the mean of this quarter is 0.5, of the others 0
    assert losses.pixel_h2l(torch.zeros(1, 3, 2, 2), hi).item() == pytest.approx(0.25 / 4)
    lo = torch.zeros(1, 3, 2, 2)
    lo[:, :, 0, 0] = 0.5
    assert losses.pixel_h2l(lo, hi).item() == 0


def test_pixel_l2h_by_hand():
    a, b = torch.full((2, 3, 2, 2), -1.0), torch.full((2, 3, 2, 2), 1.0)
    assert losses.pixel_l2h(a, b).item() == 4  # the whole range
    b[0] = -1
    assert losses.pixel_l2h(a, b).item() == 2


def test_r1_by_hand():
    weight = torch.tensor([1.0, 2.0, -2.0]).view(1, 3, 1, 1).requires_grad_()

    def linear(x):
        return (x * weight).sum((1, 2, 3))

    penalty = losses.r1(linear, torch.randn(5, 3, 2, 2))  # |grad|^2 = 4 pixels * (1 + 4 + 4) = 36
    assert penalty.item() == pytest.approx(18)
    penalty.backward()  # d/dw of 4 |w|^2 / 2
    assert weight.grad.flatten().tolist() == pytest.approx([4, 8, -8])


def test_diff_augment_moves_and_cuts_but_keeps_colours():
    x = torch.rand(64, 3, 16, 16) + 1
    y = losses.diff_augment(x, torch.Generator().manual_seed(0))
    assert y.shape == x.shape and not torch.equal(y, x)
    for before, after in zip(
        x, y, strict=True
    ):  # every pixel is blank or one of the picture's own colours
        own = {tuple(p) for p in before.flatten(1).T.tolist()}
        kept = [tuple(p) for p in after.flatten(1).T.tolist() if any(p)]
        assert set(kept) <= own and 0.5 * 256 <= len(kept) < 256
    holes = (y == 0).all(1).flatten(1).float()
    assert len(holes.unique(dim=0)) > 32  # another hole for each picture


def test_diff_augment_is_seeded_and_differentiable():
    x = torch.randn(4, 3, 8, 8, requires_grad=True)
    a, b = (losses.diff_augment(x, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(a, b)
    a.sum().backward()
    assert torch.equal(
        x.grad.sum((2, 3)), (a != 0).float().sum((2, 3))
    )  # a pixel that is seen counts once


def test_statistics_say_what_was_done_to_a_picture():
    """A stop of light, a warmer colour, a drag along the rows: each moves its own number."""
    smooth = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    x = 0.8 * smooth - 0.9
    plain = losses.picture_statistics(x)
    assert plain.shape == (8, 20) and plain.isfinite().all()

    light = srgb_decode((x + 1) / 2)
    brighter = losses.picture_statistics(2 * srgb_encode(2 * light) - 1) - plain
    assert brighter[:, 0].mean().item() == pytest.approx(1.0, abs=0.02)
    assert brighter[:, 1:3].abs().max() < 0.02

    gains = torch.tensor([2**0.3, 1.0, 2**-0.3])[:, None, None]
    warmer = losses.picture_statistics(2 * srgb_encode(gains * light) - 1) - plain
    assert warmer[:, 1].mean().item() == pytest.approx(0.3, abs=0.02)

    dragged = (x + x.roll(1, -1) + x.roll(-1, -1)) / 3
    direction = losses.picture_statistics(dragged)[:, 17] - plain[:, 17]
    assert (direction < -0.5).all()  # less is left across than down


def test_energy_distance_is_least_where_the_laws_agree():
    rng = torch.Generator().manual_seed(0)
    real = torch.randn(4000, 3, generator=rng)
    same, wide, moved = torch.randn(3, 1000, 3, generator=rng)
    at = {
        name: losses.energy_distance(a, real).item()
        for name, a in {"same": same, "wide": 1.5 * wide, "moved": moved + 0.5}.items()
    }
    assert at["same"] + 0.05 < min(at["wide"], at["moved"])

    shift = torch.full((3,), 0.5, requires_grad=True)
    losses.energy_distance(same + shift, real).backward()
    assert (shift.grad > 0).all()  # back towards the real ones
    flat = torch.zeros(4, 3, requires_grad=True)
    losses.energy_distance(flat, real).backward()
    assert flat.grad.isfinite().all()


def test_the_other_gan_losses_by_hand():
    zero, two = torch.tensor([0.0]), torch.tensor([2.0])
    assert losses.LOG.d(zero, zero).item() == pytest.approx(2 * 0.693147)
    assert losses.LOG.g(zero).item() == pytest.approx(0.693147)
    assert losses.LOG.g(two).item() == pytest.approx(0.126928)  # log(1 + e^-2)
    assert losses.SQUARE.d(two, two).item() == pytest.approx((1 + 4) / 2)
    assert losses.SQUARE.g(zero).item() == 1
    assert losses.HINGE[:2] == (losses.hinge_d, losses.hinge_g)
    assert losses.GANS["hinge"] is losses.HINGE and not losses.HINGE.relativistic


def test_relativistic_losses_compare_pairs():
    real, fake = torch.tensor([3.0, 0.0]), torch.tensor([1.0, 0.0])
    of_d = (0.126928 + 0.693147) / 2  # log(1 + e^-2), log 2
    assert losses.relativistic_d(real, fake).item() == pytest.approx(of_d, rel=1e-5)
    of_g = (2.126928 + 0.693147) / 2
    assert losses.relativistic_g(fake, real).item() == pytest.approx(of_g, rel=1e-5)
    assert losses.relativistic_d(real + 9, fake + 9).item() == pytest.approx(of_d, rel=1e-5)


def test_low_frequencies_are_a_mean_of_neighbours_and_colours_stay():
    x = torch.zeros(1, 3, 7, 7)
    x[..., 3, 3] = 25.0
    low = losses.low_frequencies(x)
    assert low[0, 0, 3, 3].item() == pytest.approx(1)
    assert low[0, 0, 0, 0] == 0 and low[0, 0, 1, 1].item() == pytest.approx(25 / 16)  # 4x4 seen
    assert torch.allclose(losses.low_frequencies(torch.ones(1, 3, 4, 4)), torch.ones(1, 3, 4, 4))
    hi = torch.full((1, 3, 16, 16), 0.5)
    assert losses.colour_h2l(torch.zeros(1, 3, 4, 4), hi).item() == pytest.approx(0.5)


def test_flow_matching_is_zero_for_the_straight_speed():
    noise, hi = torch.full((2, 3, 4, 4), -1.0), torch.full((2, 3, 4, 4), 1.0)
    t = torch.tensor([0.0, 0.5])
    seen = []

    def right(x, t):
        seen.append(x[:, 0, 0, 0].tolist())
        return torch.full_like(x, 2.0)

    assert losses.flow_matching(right, noise, hi, t).item() == 0 and seen == [[-1.0, 0.0]]
    still = losses.flow_matching(lambda x, t: 0 * x, noise, hi, t)
    assert still.item() == pytest.approx(4)
    in_halves = losses.flow_matching(lambda x, t: 0 * x, noise, hi, t, unit=torch.tensor(0.5))
    assert in_halves.item() == pytest.approx(16)


def test_perceptual_is_relative_and_teaches_the_fake_alone():
    hi_fake = torch.full((1, 3, 2, 2), 0.0, requires_grad=True)
    hi = torch.full((1, 3, 2, 2), 1.0, requires_grad=True)
    loss = losses.perceptual(torch.nn.Identity(), hi_fake, hi)  # in [0, 1]: 0.5 against 1
    assert loss.item() == pytest.approx(0.25)
    loss.backward()
    assert hi_fake.grad.any() and hi.grad is None


def test_energy_scores_are_the_energy_distance_picture_by_picture():
    """By hand: 2 E|a - b| - E|a - a'| of 0 and 2 is 0 for b = 1, 6 for b = 5."""
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(n, 4, generator=generator) for n in (30, 7))
    scores = losses.energy_scores(a, b)
    assert scores.mean().item() == pytest.approx(losses.energy_distance(a, b).item(), rel=1e-5)
    alone = torch.stack([losses.energy_distance(a, x[None]) for x in b])
    assert torch.allclose(scores, alone, atol=1e-5)
