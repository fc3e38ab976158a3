"""Where a trend holds: everywhere, or in some regions and languages.

Trends are found among all reels; what is told of a scope, one region or language, comes from the
reels that were looked at, one of each author, of those whose region or language is given:

    it holds in a scope    if as many people there use it as a burst needs at least
    it is local            if four in five of its people are in one such scope, which does not hold
                           most of the platform anyway; else it is global as well
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from trend.homes import BUCKETS, I64, U32, UNKNOWN, home

GLOBAL: Final = "global"
PARTS: Final = ("region", "language")
LOCAL: Final = 0.8
"""Share of its people in one scope from which on a trend is local."""
COMMON: Final = 0.5
"""Share of the platform from which on a scope is nothing special."""
MIN_PEOPLE: Final = 3
"""Of those looked at, so that many they stand for are no chance."""


class Scope(NamedTuple):
    """One region or language."""

    name: str
    """As told, such as `region:BR`."""
    part: int
    """Its place in `PARTS`."""
    home: int
    """Its code (`trend.homes`)."""


def scope(name: str) -> Scope:
    """Return a scope by its name.

    Raises:
        ValueError: if that is not `region:` or `language:` and one subtag after it.

    Example:
        >>> scope("language:pt").part
        1
    """
    part, _, what = name.partition(":")
    if part not in PARTS or not (what.isascii() and what.isalnum()):
        raise ValueError(f"scope is {name!r}, expected region:BR, language:pt or the like")
    return Scope(name, PARTS.index(part), home(what))


def scopes_of(
    homes: U32, usual: I64, scale: float, least: int, scopes: Sequence[Scope]
) -> tuple[str, ...]:
    """Return the names of the scopes that a trend holds in, at least one.

    Args:
        homes: region and language of one reel of each of its people, uint32[n, 2].
        usual: `trend.homes.sums` over the platform's reels, int64[2, BUCKETS].
        scale: people that one of these stands for, >= 1.
        least: people a scope needs.
        scopes: what may be told, in this order.

    Example:
        >>> homes = np.array([[home("BR"), 0]] * 12 + [[home("US"), 0]], np.uint32)
        >>> usual = np.zeros((2, BUCKETS), np.int64)
        >>> scopes_of(homes, usual, 1.0, 10, [scope("region:BR"), scope("region:US")])
        ('region:BR',)
    """
    held, local = [], False
    for one in scopes:
        known = homes[homes[:, one.part] != UNKNOWN, one.part]
        people = int(np.count_nonzero(known == one.home))
        if people < MIN_PEOPLE or people * scale < least:
            continue
        held.append(one.name)
        platform = usual[one.part]
        common = platform[one.home % BUCKETS] / max(platform.sum(), 1)
        local |= bool(people >= LOCAL * known.size and common < COMMON)
    return tuple(held) if local else (GLOBAL, *held)
