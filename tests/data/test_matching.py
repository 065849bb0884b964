"""Partners by name: equal names first, then names without the endings of pictures; no guess."""

import random

import hypothesis
import pytest
from hypothesis import strategies as st

from hlgan_lib.data.matching import partners, without_ending
from hlgan_lib.errors import HLError


def matched(names, others):
    return [others[i] for i in partners(names, others)]


@pytest.mark.parametrize(
    ("names", "others", "wanted"),
    [
        # Equal names of one stem, in another order.
        (["a.png", "a.bmp", "b.png"], ["b.png", "a.bmp", "a.png"], ["a.png", "a.bmp", "b.png"]),
        # What follows the last dot is no ending of a picture.
        (
            ["subject01.happy", "subject01.sad"],
            ["subject01.sad", "subject01.happy"],
            ["subject01.happy", "subject01.sad"],
        ),
        (["subject01.happy.png"], ["subject01.happy"], ["subject01.happy"]),
        # Other endings, in any case, and folders.
        (["sub/b.png", "a.png"], ["a.JPG", "sub/b.tiff"], ["sub/b.tiff", "a.JPG"]),
        # What `hlgan upscale` makes of two pictures of one stem.
        (["c.jpg.png", "c.png.png"], ["c.png", "c.jpg"], ["c.jpg", "c.png"]),
        # One equal name leaves one partner for the other.
        (["a.png", "a.jpg"], ["a.bmp", "a.png"], ["a.png", "a.bmp"]),
        # Equal lists are taken in order, whatever is in them.
        (["x", "x"], ["x", "x"], ["x", "x"]),
    ],
)
def test_partners(names, others, wanted):
    assert matched(names, others) == wanted


@pytest.mark.parametrize(
    ("names", "others", "why"),
    [
        (["a.png", "a.jpg"], ["a.bmp", "a.tif"], "got a.png beside a.jpg for one: rename"),
        (["a.png", "b.png"], ["a.jpg", "a.bmp"], "got a.jpg beside a.bmp for one"),
        (["a.png", "a.png"], ["a.png", "b.png"], "got a.png beside a.png for one"),
        (["a.png", "c.png"], ["a.png", "b.png"], "got 2 and 2 .c.png has no partner"),
        (["a.png"], ["a.png", "b.png"], "got 1 and 2 .b.png has no partner"),
        (["a.png"], ["A.png"], "a.png has no partner"),
        (["sub/a.png"], ["a.png"], "sub/a.png has no partner"),
    ],
)
def test_what_is_not_settled_is_refused_with_the_names(names, others, why):
    with pytest.raises(HLError, match=f"^--lo needs .*{why}"):
        partners(names, others, "--lo")


LETTERS = st.characters(exclude_characters="/\0")
NAMES = st.lists(st.text(LETTERS, min_size=1, max_size=8), max_size=8, unique=True)


@hypothesis.given(names=NAMES, seed=st.integers(0, 99))
@hypothesis.settings(max_examples=40)
def test_the_same_names_in_any_order_find_themselves(names, seed):
    others = random.Random(seed).sample(names, len(names))
    assert matched(names, others) == names


@hypothesis.given(names=NAMES, others=NAMES)
def test_a_match_is_one_to_one_and_of_one_stem_or_refused(names, others):
    try:
        order = partners(names, others)
    except HLError:
        return
    assert sorted(order) == list(range(len(others)))
    for name, i in zip(names, order, strict=True):
        ways = {name, without_ending(name)} & {others[i], without_ending(others[i])}
        assert ways
