"""The checks of notebook 08 against the reference and each likely mistake."""

import torch

from hlgan_lib.exercises import nb08_domains as ex

JPEG, KEPT, JUDGE, LEFT = ex.STATEMENTS


def pairs(a):
    return (a[:, None] - a).norm(dim=2).sum() / (len(a) * (len(a) - 1))


def to(a, x):
    return (a - x).norm(dim=1).mean()


# check -> the reference, and mistake -> what its hint must say
CASES = {
    ex.check_mistaken: (
        lambda: ex.MISTAKEN,
        [
            ({"old"}, "two of them"),
            ({"night", "old"}, "is dark"),
            ({"webcam", "old"}, "takes the warmth"),
            ({"jpeg", "old"}, "whose blur"),
            ("old", "a set of two"),
            ({"scan", "old"}, "a set of two"),
        ],
    ),
    ex.check_projection_scores: (
        lambda: ex.projection_scores,
        [
            (lambda h, w, e, y: h @ w, "without a domain"),
            (lambda h, w, e, y: (e[y] * h).sum(1), "part alone"),
            (lambda h, w, e, y: ex.projection_scores(h, w, e, y).sum(), "not over the batch"),
            (lambda h, w, e, y: h @ w + h @ e[0], "of its own"),
            (lambda h, w, e, y: h @ w + e[y].sum(1), "meet the features"),
            (lambda h, w, e, y: ex.projection_scores(h, w, e.detach(), y), "cut off"),
        ],
    ),
    ex.check_scene_law: (
        lambda: ex.scene_law,
        [
            (lambda m, L, w, v, s, z: m + z @ L.T, "the plain law"),
            (lambda m, L, w, v, s, z: m + s @ w.T + z @ L.T, "the spread must follow"),
            (lambda m, L, w, v, s, z: m + (s @ v.T).exp() * (z @ L.T), "the mean must follow"),
            (lambda m, L, w, v, s, z: m + s @ w.T + (s @ v.T) * (z @ L.T), "turn z round"),
            (lambda m, L, w, v, s, z: (m + s @ w.T + z @ L.T) * (s @ v.T).exp(), "spread alone"),
            (lambda m, L, w, v, s, z: m + s @ w.T + (s @ v.T).exp() * (z @ L), "z @ L.T"),
        ],
    ),
    ex.check_energy_score: (
        lambda: ex.energy_score,
        [
            (lambda a, x: to(a, x) - pairs(a), "counts twice"),
            (lambda a, x: 2 * to(a, x), "first half"),
            (lambda a, x: to(a, x), "first half"),
            (lambda a, x: 2 * to(a, x) - (a[:, None] - a).norm(dim=2).mean(), "with itself"),
            (lambda a, x: 2 * to(a, x) + pairs(a), "taken off"),
            (lambda a, x: 2 * to(a, x) - 2 * pairs(a), "once a side"),
            (ex._squared, "not its square"),
        ],
    ),
    ex.check_follows: (
        lambda: ex.FOLLOWS,
        [
            ({JPEG, JUDGE, KEPT}, "nearer than before"),
            ({JPEG, JUDGE, LEFT}, "not shown to be worse"),
            ({JUDGE}, "sees no blocks"),
            ({JPEG}, "trained on"),
            (JPEG, "a set of some"),
            ({"all"}, "a set of some"),
        ],
    ),
}


def test_the_score_by_hand():
    """Two points 10 apart and a picture in the middle: 2 * 5 - 10."""
    a = torch.tensor([[0.0], [10.0]])
    assert ex.energy_score(a, torch.tensor([5.0])) == 0
    assert ex.energy_score(a, torch.tensor([-5.0])) == 10


def test_the_predicted_pair_is_what_is_stored():
    """Of real pictures, and of those that the learned laws make."""
    from hlgan_lib import notebook

    seeds = notebook.results("domains").values()
    names = ex.CAMERAS
    for kind in ("real", "made"):
        shares = {}
        for i, a in enumerate(names):
            for j, b in enumerate(names[:i]):
                stored = [one["confusion"][kind] for one in seeds]
                shares[frozenset((a, b))] = sum(x[i][j] + x[j][i] for x in stored)
        assert max(shares, key=shares.get) == ex.MISTAKEN, kind
