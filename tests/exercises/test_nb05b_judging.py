"""The checks of notebook 05b against the reference and each likely mistake."""

import torch

from hlgan_lib.exercises import nb05b_judging as ex

LATE, RARE = "failures pass undoubted", "a rare face fails more often"

# check -> the reference, and mistake -> what its hint must say
CASES = {
    ex.check_share_failed: (
        lambda: ex.share_failed,
        [
            (lambda d, limit: (d <= limit).double().mean(), "*not* fail"),
            (lambda d, limit: (d >= limit).double().mean(), "only above"),
            (lambda d, limit: (d > limit).sum(), "a part of all"),
            (lambda d, limit: d > limit, "one answer a face"),
            (lambda d, limit: 100 * (d > limit).double().mean(), "per cent"),
        ],
    ),
    ex.check_kept_error: (
        lambda: ex.kept_error,
        [
            (lambda s, e, k: e[s.argsort()[:k]].mean(), "*least* trusted"),
            (lambda s, e, k: e.mean(), "only k are kept"),
            (lambda s, e, k: e[:k].mean(), "as they came"),
            (lambda s, e, k: e.sort().values[:k].mean(), "oracle"),
            (lambda s, e, k: e[s.topk(k).indices].sum(), "the mean of the errors"),
            (lambda s, e, k: s.topk(k).values.mean(), "mean of the scores"),
        ],
    ),
    ex.check_follows: (
        lambda: ex.FOLLOWS,
        [
            ({LATE, RARE, "a trusted face is the right person"}, "wrong together"),
            ({LATE, RARE, "a doubted face is wrong"}, "did all of the flagged"),
            ({RARE}, "among those that were kept"),
            ({LATE}, "whisker of the rare face"),
            (LATE, "a set of some"),
            ({"all"}, "a set of some"),
        ],
    ),
}


def test_the_shares_by_hand():
    assert ex.share_failed(torch.tensor([1.0, 2.0, 3.0, 4.0]), 3.0) == 0.25
    assert ex.kept_error(torch.tensor([1.0, 3.0]), torch.tensor([5.0, 7.0]), 1) == 7.0
