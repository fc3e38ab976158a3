"""A tick's authors of communities: who uses a member, and who brings several together."""

from typing import Final, NamedTuple

import numpy as np
from numba import njit

from trend.graph.arrays import I32, I64, U64, Bools, Int

NONE: Final = -1


class Usage(NamedTuple):
    """Distinct authors of C communities in a tick: what `trend.graph.growth` judges."""

    users: I64  # with any member
    together: I64  # with several members in one reel


def usage(
    signals: U64, bounds: I64, authors: U64, members: U64, community: I32, count: int
) -> Usage:
    """Return the authors of each community in a tick; the order of the reels does not matter.

    Args:
        signals: hashes, those of reel i from `bounds[i]` to `bounds[i + 1]`, each once a reel.
        bounds: int64[reels + 1].
        authors: of the reels, uint64[reels].
        members: signals that are in a community, ascending, uint64[m].
        community: of each, below `count`, int32[m].

    Example:
        >>> signals = np.array([1, 2, 9, 1, 3, 2], np.uint64)
        >>> authors = np.array([7, 7, 8], np.uint64)
        >>> members, community = np.array([1, 2, 3], np.uint64), np.array([0, 0, 1], np.int32)
        >>> usage(signals, np.array([0, 3, 5, 6]), authors, members, community, count=2)
        Usage(users=array([2, 1]), together=array([1, 0]))
    """
    padded = np.append(members, ~np.uint64(0)), np.append(community, NONE)
    at = members.searchsorted(signals)
    of = np.where(padded[0][at] == signals, padded[1][at], NONE).astype(np.int64)
    where, who, several = _uses(of, bounds, authors)
    order = np.lexsort((~several, who, where))
    where, who, several = where[order], who[order], several[order]
    first = np.ones(order.size, np.bool_)
    first[1:] = (where[1:] != where[:-1]) | (who[1:] != who[:-1])
    return Usage(
        users=np.bincount(where[first], minlength=count),
        together=np.bincount(where[first & several], minlength=count),
    )


@njit(cache=True)
def _uses(of: I64, bounds: I64, authors: U64) -> tuple[I64, U64, Bools]:
    """Return for each reel and community in it: community, author, whether several members."""
    where = np.empty(of.size, np.int64)
    who = np.empty(of.size, np.uint64)
    several = np.zeros(of.size, np.bool_)
    found = np.int64(0)
    for reel in range(authors.size):
        start = found
        for i in range(bounds[reel], bounds[reel + 1]):
            if of[i] < 0:
                continue
            at = _place(where, start, found, of[i])
            if at < found:
                several[at] = True
            else:
                where[at] = of[i]
                who[at] = authors[reel]
                found += 1
    return where[:found], who[:found], several[:found]


@njit(cache=True)
def _place(where: I64, start: Int, stop: Int, community: Int) -> Int:
    for at in range(start, stop):
        if where[at] == community:
            return at
    return stop
