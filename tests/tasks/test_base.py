"""What tasks share: the two halves of a GAN step, what is held out, the picture of a preview."""

import pytest
import torch
from torch import nn

from hlgan_lib.losses import HINGE
from hlgan_lib.tasks.base import d_terms, g_terms, grid, hold_out, spread
from tests.helpers import HI, LO, TINY, bilinear, loop_of


class Scores(nn.Module):
    """A discriminator: score = mean of the picture times `gain`; it keeps what it saw."""

    def __init__(self, gain: float = 1.0) -> None:
        super().__init__()
        self.gain, self.seen = gain, []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen.append(x)
        return self.gain * x.mean((1, 2, 3))


def flat(*levels: float) -> torch.Tensor:
    """Pictures (B, 3, 8, 8) of one level each."""
    return torch.tensor(levels).view(-1, 1, 1, 1).expand(-1, 3, 8, 8).clone()


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


# ---- the two halves of a step --------------------------------------------------------------------
def test_the_discriminators_loss_and_log_are_those_of_its_scores():
    of_real, of_fake = (1.5, 0.5, 0.25, -2.0), (-1.5, -1.25, -0.5, 2.0)
    loss, logs = d_terms(Scores(), flat(*of_real), flat(*of_fake), TINY, rng(), HINGE)
    want = HINGE.d(torch.tensor(of_real), torch.tensor(of_fake))
    assert loss.item() == logs["d_loss"].item() == pytest.approx(want.item())
    assert logs["d_real"].item() == pytest.approx(0.0625)
    assert logs["d_fake"].item() == pytest.approx(-0.3125)
    assert logs["d_sure"].item() == pytest.approx((1 / 4 + 2 / 4) / 2)
    assert "r1" not in logs


def test_r1_is_added_with_its_weight_and_logged_without():
    real, fake = flat(1.5, 0.5), flat(-1.5, -2.0)
    plain, _ = d_terms(Scores(3.0), real, fake, TINY, rng(), HINGE)
    loss, logs = d_terms(Scores(3.0), real, fake, TINY.replace(w_r1=5.0), rng(), HINGE)
    assert logs["r1"].item() > 0
    assert loss.item() == pytest.approx((plain + 5 * logs["r1"]).item())
    assert logs["d_loss"].item() == pytest.approx(plain.item())


def test_augmentation_is_that_of_both_kinds_and_of_the_generator():
    cfg = TINY.replace(d_aug=True)
    hi = HI[:4].batch()
    for augmented in (False, True):
        d_step, g_step = Scores(), Scores()
        d_terms(d_step, hi, hi.flip(0), cfg.replace(d_aug=augmented), rng(), HINGE)
        shown = d_step.seen[0]
        g_terms(hi.mean(), g_step, hi, cfg.replace(d_aug=augmented), rng(), HINGE)
        changed = [not torch.equal(x, y) for x, y in zip(shown, torch.cat([hi, hi.flip(0)]))]
        assert all(c == augmented for c in changed)
        assert torch.equal(g_step.seen[0], hi) != augmented


def test_the_generators_loss_is_alpha_pixel_and_beta_gan():
    cfg, pixel, fake = TINY.replace(w_pix=2.0, w_gan=0.3), torch.tensor(0.25), flat(-1.0, 0.5)
    gan = HINGE.g(torch.tensor([-1.0, 0.5])).item()
    loss, logs = g_terms(pixel, Scores(), fake, cfg, rng(), HINGE)
    assert loss.item() == pytest.approx(2 * 0.25 + 0.3 * gan)
    assert logs["pix"].item() == 0.25 and logs["gan"].item() == pytest.approx(gan)
    loss, _ = g_terms(pixel, Scores(), fake, cfg, rng(), HINGE, w_pix=0.0)
    assert loss.item() == pytest.approx(0.3 * gan)  # alpha of a camera, not none at all
    loss, logs = g_terms(pixel, None, fake, cfg, rng(), HINGE)
    assert loss.item() == 0.5 and logs.keys() == {"pix"}


def test_spread_is_over_the_batch_and_not_over_the_picture():
    striped = torch.linspace(-1, 1, 8).expand(4, 3, 8, 8)
    assert spread(striped).item() == 0
    assert spread(flat(-1.0, 1.0)).item() == pytest.approx(2**0.5)


# ---- what is held out ----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("n_faces", "n", "n_held"), [(40, 4, 4), (40, 30, 8), (20, 1, 2), (4, 4, 2)]
)
def test_held_out_faces_are_not_trained_on_and_none_is_lost(n_faces, n, n_held):
    faces = HI[:n_faces]
    rows, held = hold_out(faces, n)
    assert len(held) == n_held
    kept = tuple(faces.names[i] for i in rows)
    assert sorted(kept + held.names) == sorted(faces.names)
    assert held.names[0] == faces.names[0] and held.names[-1] == faces.names[-1]


@pytest.mark.parametrize("n_faces", [1, 3])
def test_of_very_few_faces_none_is_held_out(n_faces):
    rows, held = hold_out(HI[:n_faces], 2)
    assert rows == list(range(n_faces)) and held.names == HI[:n_faces].names


@pytest.mark.parametrize("stage", ["h2l", "l2h"])
def test_a_training_holds_its_images_once(stage):
    """On a CPU: a sampler reads the memory of the set, or of its file, and copies none of it."""
    task = loop_of(stage, **({"degrade": bilinear} if stage == "l2h" else {})).task
    sets = {"hi": HI.images, "lo": LO.images}
    assert task.samplers
    for name, sampler in task.samplers.items():
        assert sampler.images.data_ptr() == sets[name].ctypes.data
        assert sampler.n == len(sets[name]) - len(getattr(task, f"val_{name}"))


# ---- looking -------------------------------------------------------------------------------------
def test_a_grid_shows_rows_of_one_size_without_smoothing():
    lo, hi = flat(-1.0, 1.0), torch.zeros(2, 3, 16, 16)
    lo[0, :, 0, 0] = 1.0
    picture = grid([lo, hi])
    assert picture.dtype == torch.uint8
    assert picture.shape == (3, 2 * 16 + 3 * 2, 2 * 16 + 3 * 2)  # lines of 2 around each
    first = picture[:, 2:18, 2:18]
    assert (first[:, :2, :2] == 255).all()  # one LR pixel is 2x2 of the picture
    assert (first[:, 2:, :] == 0).all() and (first[:, :, 2:] == 0).all()
    assert (picture[:, :2] == 255).all() and (picture[:, 2:18, 20:36] == 255).all()


def test_looking_draws_from_a_stream_of_its_own():
    task = loop_of("l2h", degrade=bilinear).task
    before = task.rng.get_state()
    a, b = (task.new_z(3, task.fixed_rng()) for _ in range(2))
    assert torch.equal(a, b) and torch.equal(before, task.rng.get_state())
    assert not torch.equal(task.new_z(3), a) and not torch.equal(before, task.rng.get_state())


def test_in_batches_is_all_at_once():
    task = loop_of("l2h", degrade=bilinear).task
    seen = []

    def f(x):
        seen.append(len(x))
        return x.mean((1, 2, 3))

    means = task.in_batches(f, HI, batch=16)
    assert seen == [16, 16, 8] and torch.equal(means, HI.batch().mean((1, 2, 3)))
    assert torch.equal(task.in_batches(f, HI, 2, rows=[3, 1, 39]), means[[3, 1, 39]])
