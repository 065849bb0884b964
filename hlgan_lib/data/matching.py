"""Which picture of one set belongs to which of another: by name, and never by a guess."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

from ..errors import HLError
from .pictures import picture_endings


def without_ending(name: str) -> str:
    """A file's name without its ending, where that is one of a picture.

    >>> without_ending("sub/a.JPG"), without_ending("subject01.happy")
    ('sub/a', 'subject01.happy')
    """
    ending = PurePosixPath(name).suffix
    return name.removesuffix(ending) if ending.lower() in picture_endings() else name


def _whole(name: str) -> str:
    return name


# How a name and its partner's may be compared, first to last. In the middle: a.jpg.png, made of
# a.jpg beside a.png.
RULES: tuple[tuple[Callable[[str], str], Callable[[str], str]], ...] = (
    (_whole, _whole),
    (without_ending, _whole),
    (_whole, without_ending),
    (without_ending, without_ending),
)


def partners(names: Sequence[str], others: Sequence[str], what: str = "pairs") -> list[int]:
    """The place of each name's partner among others.

    Equal names belong together first; of those that are left, names that are equal without the
    endings of pictures. Equal lists are taken in order. Source: ours.

    Args:
        names: of one set.
        others: as many, of the other set.
        what: what the error calls the match, such as a flag.

    Returns:
        partner[i] with others[partner[i]] the partner of names[i].

    Raises:
        HLError: where a name has no partner or two.
    """
    if list(names) == list(others):
        return list(range(len(names)))
    found: dict[int, int] = {}
    taken: set[int] = set()
    for key, other_key in RULES:
        own = _by_key(names, key, set(found))
        free = _by_key(others, other_key, taken)
        for wanted in own.keys() & free.keys():
            for side, at in ((names, own[wanted]), (others, free[wanted])):
                if len(at) > 1:
                    raise HLError(
                        f"{what} needs one partner for each picture, got {side[at[0]]} beside "
                        f"{side[at[1]]} for one: rename or remove one of them"
                    )
            found[own[wanted][0]] = free[wanted][0]
            taken.add(free[wanted][0])

    lonely = [name for i, name in enumerate(names) if i not in found]
    lonely += [name for j, name in enumerate(others) if j not in taken]
    if lonely:
        raise HLError(
            f"{what} needs pictures of the same names on both sides, got {len(names)} and "
            f"{len(others)} ({lonely[0]} has no partner): rename or remove some, or leave "
            f"{what} out"
        )
    return [found[i] for i in range(len(names))]


def _by_key(
    names: Sequence[str], key: Callable[[str], str], done: set[int]
) -> dict[str, list[int]]:
    """The places of each key, without those that are done."""
    places: dict[str, list[int]] = defaultdict(list)
    for i, name in enumerate(names):
        if i not in done:
            places[key(name)].append(i)
    return places
