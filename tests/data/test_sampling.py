"""Each face once an epoch, exact resume; augmentation that stays within its ranges."""

import pytest
import torch

from hlgan_lib.data.builtin import built_in
from hlgan_lib.data.sampling import Sampler, augment
from hlgan_lib.errors import HLError


def level(x):
    """The number of each image of a `numbered` batch."""
    return ((x[:, 0, 0, 0] + 1) * 127.5).round().int().tolist()


def test_sampler_gives_each_face_once_an_epoch(numbered, seeded):
    sampler = Sampler(numbered(), 4, "cpu", seeded())
    seen = []
    for _ in range(5):
        seen += level(sampler.next())
    assert sorted(seen[:10]) == sorted(seen[10:]) == list(range(10))
    assert seen[:10] != seen[10:]
    assert len(Sampler(numbered(3), 8, "cpu", seeded()).next()) == 8  # more than a whole epoch


def test_sampler_is_an_iterator_without_end(numbered, seeded):
    by_hand = Sampler(numbered(), 4, "cpu", seeded(1))
    for batch, _ in zip(Sampler(numbered(), 4, "cpu", seeded(1)), range(7), strict=False):
        assert torch.equal(batch, by_hand.next())


def test_rows_are_drawn_as_of_a_set_without_the_others_and_nothing_is_copied(numbered, seeded):
    faces, rows = numbered(), [1, 2, 5, 7, 8]
    sampler = Sampler(faces, 3, "cpu", seeded(1), rows)
    copied = Sampler(faces[rows], 3, "cpu", seeded(1))
    for _ in range(6):
        assert torch.equal(sampler.next(), copied.next())
    assert sampler.images.data_ptr() == faces.images.ctypes.data

    went_on = Sampler(faces, 3, "cpu", seeded(2), rows)
    went_on.load_state_dict(copied.state_dict())
    assert torch.equal(went_on.next(), sampler.next())
    with pytest.raises(ValueError, match="must be of 4 images"):
        Sampler(faces, 3, "cpu", seeded(), rows[:4]).load_state_dict(
            {"order": torch.tensor([4]), "generator": seeded().get_state()}
        )


def test_an_empty_batch_or_set_is_refused(numbered, seeded):
    with pytest.raises(HLError, match="at least 1, got batch 0 and 10 images"):
        Sampler(numbered(), 0, "cpu", seeded())
    with pytest.raises(HLError, match="got batch 4 and 0 images"):
        Sampler(numbered()[:0], 4, "cpu", seeded())
    with pytest.raises(HLError, match="got batch 4 and 0 images"):
        Sampler(numbered(), 4, "cpu", seeded(), [])


def test_sampler_goes_on_exactly_where_it_was(numbered, seeded):
    a = Sampler(numbered(), 3, "cpu", seeded(1))
    a.next()
    state = a.state_dict()
    wanted = [level(a.next()) for _ in range(8)]
    b = Sampler(numbered(), 3, "cpu", seeded(2))
    b.load_state_dict(state)
    assert [level(b.next()) for _ in range(8)] == wanted


def test_augment_flips_half_and_keeps_the_rest(seeded):
    x = built_in("faces:val:hi").batch(slice(0, 64))
    y = augment(x, seeded())
    same = (y == x).flatten(1).all(1)
    mirrored = (y == x.flip(-1)).flatten(1).all(1)
    assert (same | mirrored).all() and 16 < same.sum() < 48
    assert torch.equal(augment(x, seeded(), flip=False), x)
    assert torch.equal(augment(x, seeded()), y)  # same seed, same pixels


def test_augment_shifts_as_far_as_it_may_and_no_farther(seeded):
    x = torch.full((400, 3, 65, 65), -1.0)
    x[:, :, 32, 32] = 1
    place = augment(x, seeded(), flip=False, shift=0.1)[:, 0].flatten(1).argmax(1)
    moved = torch.stack((place // 65 - 32, place % 65 - 32)).abs()
    assert 5 <= moved.max() <= 7


def spread(x):
    """Standard deviation of the light's place, pixels: how large a spot is."""
    light = (x[:, 0] + 1).sum(1)
    axis = torch.arange(x.shape[-1], dtype=torch.float32)
    mean = (light * axis).sum(1) / light.sum(1)
    return ((light * (axis - mean[:, None]) ** 2).sum(1) / light.sum(1)).sqrt()


def test_augment_scales_within_its_range(seeded):
    x = torch.full((200, 3, 64, 64), -1.0)
    x[:, :, 22:42, 22:42] = 1
    ratio = spread(augment(x, seeded(), flip=False, scale=0.1)) / spread(x)
    assert 0.89 < ratio.min() < 0.92 and 1.08 < ratio.max() < 1.11


def test_augment_turns_within_its_range(seeded):
    x = torch.full((200, 3, 65, 65), -1.0)
    x[:, :, 32, 56] = 1  # 24 pixels right of the middle
    place = augment(x, seeded(), flip=False, rotate_deg=8)[:, 0].flatten(1).argmax(1)
    angle = torch.atan2((place // 65 - 32).float(), (place % 65 - 32).float()).rad2deg()
    assert 5 < angle.abs().max() < 9.5
    assert angle.min() < -4 and angle.max() > 4


def test_augment_recolours_but_does_not_move(seeded):
    x = built_in("faces:val:hi").batch(slice(0, 32))
    y = augment(x, seeded(), flip=False, colour=0.2)
    assert y.abs().max() <= 1 and not torch.equal(x, y)
    assert (y.mean((1, 2, 3)) - x.mean((1, 2, 3))).abs().max() < 0.5
    for before, after in zip(x.mean(1), y.mean(1), strict=True):
        alike = torch.corrcoef(torch.stack((before.flatten(), after.flatten())))[0, 1]
        assert alike > 0.97


def test_augment_stays_in_range_and_mirrors_what_comes_in(seeded):
    x = built_in("faces:val:hi").batch(slice(0, 32))
    y = augment(x, seeded(), flip=False, scale=0.1, rotate_deg=8, shift=0.05)
    assert y.shape == x.shape and y.abs().max() <= 1 and not torch.equal(x, y)
    assert (y.mean((2, 3)) - x.mean((2, 3))).abs().max() < 0.2  # no black corners


def test_batches_that_are_drawn_ahead_are_those_that_would_come(numbered, seeded):
    def made():
        return Sampler(numbered(), 4, "cpu", seeded())

    one_by_one, ahead = made(), made()
    for n in (3, 3, 1):
        ahead.ahead(n)
        place = ahead.drawn.data_ptr()
        for _ in range(n):
            assert torch.equal(ahead.next(), one_by_one.next())
        if n == 3:
            assert ahead.drawn.data_ptr() == place
    assert torch.equal(ahead.order, one_by_one.order)
    ahead.ahead(2)
    with pytest.raises(RuntimeError, match="2 batches have not come"):
        ahead.ahead(2)
