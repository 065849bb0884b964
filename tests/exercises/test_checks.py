"""How the exercises compare: the hint where no mistake fits, names that give nothing away."""

import pytest
import torch

import hlgan_lib as hl
from hlgan_lib.exercises import checks, nb02_h2l_gan, nb03_degradation


def test_where_no_mistake_fits_the_hint_says_what_differs():
    assert (
        checks.numbers(2.0, 1.0, ("halve it.", 3.0))
        == "it gives 2 where the reference gives another number."
    )
    assert checks.numbers([1.0, 2.0, 5.0], [1.0, 2.0, 3.0]).startswith("it gives 1, 2, ... where")
    assert checks.numbers(float("nan"), 1.0).startswith("it gives nan")
    assert checks.numbers(torch.ones(2, requires_grad=True), [1, 1]) is None
    with pytest.raises(KeyError):
        (
            checks.names({"a": "y", "b": "x"}, {"a": "x", "b": "y"}, {}),
            "a wrong name without a hint must not pass",
        )


def test_where_a_tensor_is_wanted_nothing_else_passes():
    """The next cell goes on with it, and would die of a list or a float."""
    want = torch.tensor([1.0, 2.0])
    for got, part in (([1.0, 2.0], "of type list"), (want.numpy(), "of type ndarray")):
        assert part in checks.numbers(got, want)
    assert "a plain number" in checks.numbers(3.0, want.sum())
    assert checks.numbers(want.clone(), want) is None and checks.numbers(3.0, 3.0) is None
    assert "1, 3 where" in checks.numbers([1.0, 3.0], want), "first the value"


def test_letters_give_nothing_away():
    for given in (nb02_h2l_gan.BROKEN, nb03_degradation.FAULTS):
        assert list(checks.letters(given).values()) not in (list(given), sorted(given)), (
            "in the order of the text"
        )
        assert checks.letters(given) == checks.letters(given[::-1])


def test_the_first_true_condition_gives_the_hint():
    assert checks.first((False, "a."), (True, "b."), (True, "c.")) == "b."
    assert checks.first((0, "a."), ([], "b.")) is None


def test_val_faces_are_pairs_in_range():
    hi, lo = checks.val_faces(3)
    assert hi.shape == (3, 3, 64, 64) and lo.shape == (3, 3, 16, 16)
    assert (hl.degradations.pool(hi) - lo).abs().mean() < 0.3, "of the same faces"
    assert -1 <= min(hi.min(), lo.min()) and max(hi.max(), lo.max()) <= 1


def test_what_is_trained_through_must_have_the_gradient():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    want = x.square().sum()
    assert checks.trained_through(x.square().sum(), want, x) is None
    for got, part in (
        (want.detach(), "cut off"),
        (x[0] ** 2 + 4, "another gradient"),
        (torch.ones(1, requires_grad=True).sum(), "another gradient"),
    ):
        assert part in checks.trained_through(got, x.square().sum(), x)
