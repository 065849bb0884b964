"""The two-sample test: at chance for one set, sure for two, at the best possible between."""

import pytest
import torch

from hlgan_lib import analysis
from hlgan_lib.data.loading import load_faces
from hlgan_lib.degradations.handmade import bilinear
from hlgan_lib.errors import HLError
from tests.helpers import seeded


def test_two_sample_is_at_chance_for_one_set_and_sure_for_two():
    a, b = (torch.randn(200, 20, generator=seeded(s)) for s in (0, 1))
    same = analysis.two_sample(a, b)
    assert same.low - 0.03 < 0.5 < same.high + 0.03 and same.n == 400
    assert analysis.two_sample(a, b + 3).accuracy > 0.99
    assert analysis.two_sample(a, 2.5 * b).low > 0.8  # the same mean, another spread


def test_two_sample_reaches_the_best_possible_accuracy():
    """Gaussians d apart: no classifier beats Phi(d / 2), which is 0.841 at d = 2."""
    a, b = (torch.randn(600, 3, generator=seeded(s)) for s in (0, 1))
    b[:, 0] += 2
    result = analysis.two_sample(a, b)
    assert result.low < 0.841 < result.high


def test_two_sample_tells_bilinear_from_real_and_not_real_from_real(val):
    others = load_faces("faces:train-lo").batch(slice(0, 800, 4))
    real = analysis.statistics(val.lo.batch())
    made = analysis.statistics(bilinear(load_faces("faces:train-hi").batch(slice(0, 200))))
    assert analysis.two_sample(real, made).low > 0.8
    assert 0.4 < analysis.two_sample(real, analysis.statistics(others)).accuracy < 0.57


def test_two_sample_repeats_by_seed():
    features = torch.randn(40, 5, generator=seeded())
    results = [analysis.two_sample(features, features + 0.5, seed) for seed in (7, 7, 8)]
    assert results[0] == results[1] != results[2]


@pytest.mark.parametrize("shapes", [((3, 2), (30, 2)), ((30, 2), (30, 3)), ((30,), (30,))])
def test_features_that_do_not_fit_are_refused(shapes):
    with pytest.raises(HLError, match="at least 10 pictures each.*use analysis.statistics"):
        analysis.two_sample(*map(torch.zeros, shapes))


def clouds(n, centres, seed):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(n, 4, generator=generator) + torch.tensor(c) for c in centres]


def test_domains_are_told_apart_as_they_lie():
    apart, near = [6.0, 0, 0, 0], [0.0, 0, 0, 0]
    centres = [near, apart, near]
    real = clouds(100, centres, 0)
    found = analysis.confusion(real, clouds(80, centres, 1))
    assert torch.allclose(found.real.sum(1), torch.ones(3).double())
    for shares in found:
        assert shares[1, 1] > 0.97 and shares[0, 1] < 0.03
        assert 0.3 < shares[0, 0] < 0.7  # 0 and 2 are one
    swapped = analysis.confusion(real, clouds(80, [apart, near, near], 1)).made
    assert swapped[0, 1] > 0.97 and swapped[1, 1] < 0.03


def test_confusion_wants_the_same_domains():
    with pytest.raises(HLError, match="got 2 and 1 of widths"):
        analysis.confusion(clouds(20, [[0.0] * 4] * 2, 0), clouds(20, [[0.0] * 4], 0))
    with pytest.raises(HLError, match="at least 10 pictures of each"):
        analysis.confusion(clouds(9, [[0.0] * 4] * 2, 0), clouds(9, [[0.0] * 4] * 2, 0))
