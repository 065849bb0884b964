"""The checks of notebook 09 against the reference and each likely mistake."""

import torch
import torch.nn.functional as F

from hlgan_lib import losses
from hlgan_lib.exercises import nb09_successors as ex


def at(t):
    return t[:, None, None, None]


# check -> the reference, and mistake -> what its hint must say
CASES = {
    ex.check_pair_loss: (
        lambda: ex.pair_loss,
        [
            (lambda f, r: F.softplus(f - r).mean(), "D's side"),
            (lambda f, r: F.softplus(r - f), "their mean"),
            (lambda f, r: F.softplus(-f).mean(), "forgets the real"),
            (lambda f, r: F.logsigmoid(f - r).mean(), "minus it"),
            (lambda f, r: (f - r).sigmoid().mean(), "its log"),
            (lambda f, r: (r - f).mean(), "through log s"),
            (lambda f, r: F.softplus(r - f).mean().item(), "plain number"),
        ],
    ),
    ex.check_shifted: (
        lambda: ex.SHIFTED,
        [
            ({"hinge": "stays", "relativistic": "stays"}, "where is the zero"),
            ({"hinge": "changes", "relativistic": "changes"}, "only differences enter"),
        ],
    ),
    ex.check_path: (
        lambda: ex.path,
        [
            (lambda n, hi, t: (at(t) * n + (1 - at(t)) * hi, hi - n), "starts at the noise"),
            (lambda n, hi, t: (n + at(t) * hi, hi - n), "all of the noise"),
            (lambda n, hi, t: (ex.path(n, hi, t)[0], n - hi), "from the face to the noise"),
            (lambda n, hi, t: (ex.path(n, hi, t)[0], hi), "where the path ends"),
            (lambda n, hi, t: (ex.path(n, hi, t)[0], hi - ex.path(n, hi, t)[0]), "all along"),
            (lambda n, hi, t: hi, "two things"),
        ],
    ),
    ex.check_high: (
        lambda: ex.high,
        [
            (lambda x: x - ex.high(x), "leave out"),
            (lambda x: -ex.high(x), "the other way round"),
            (lambda x: x - F.avg_pool2d(x, 5, stride=1, padding=2), "count_include_pad"),
            (lambda x: ex.high(x).detach(), "cut off"),
        ],
    ),
    ex.check_unseen: (
        lambda: ex.UNSEEN,
        [
            ({"a colour cast"}, "grey picture"),
            ({"darkness"}, "one colour"),
            (ex.UNSEEN | {"noise"}, "pixel to pixel"),
            (ex.UNSEEN | {"JPEG blocks"}, "a step"),
            ("noise", "a set of some"),
        ],
    ),
}


def test_the_references_are_the_library_s():
    fake, real = torch.tensor([0.5, -1.0]), torch.tensor([1.5, 0.25])
    assert torch.equal(ex.pair_loss(fake, real), losses.relativistic_g(fake, real))
    x = torch.rand(2, 3, 8, 8)
    assert torch.allclose(ex.high(x), x - losses.low_frequencies(x))
    hi, t = torch.rand(2, 3, 8, 8), torch.tensor([0.2, 0.9])
    _, v = ex.path(x, hi, t)
    seen = []
    losses.flow_matching(lambda y, t: (seen.append(y), v)[1], x, hi, t)
    assert torch.allclose(seen[0], ex.path(x, hi, t)[0])


def test_what_cannot_be_seen_is_so():
    x = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)) - 0.5
    cast = torch.tensor([0.2, 0.0, -0.2]).view(1, 3, 1, 1)
    assert torch.allclose(ex.high(x + cast), ex.high(x), atol=1e-6)
    noise = 0.1 * torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    assert (ex.high(x + noise) - ex.high(x)).abs().mean() > 0.05
