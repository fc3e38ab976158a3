"""The pairs of signals that come in the same reels, with their authors, each pair once."""

from typing import NamedTuple

import numpy as np
from numba import njit

from trend.graph.arrays import I64, U64, Int
from trend.hashing import combine


class TickPairs(NamedTuple):
    """Pairs in the order of their keys."""

    key: U64  # [n]
    first: U64  # [n] signals, the lower hash first
    second: U64
    authors: I64  # [n] distinct
    reels: I64  # [n]


@njit(cache=True)
def pair_key(a: np.uint64, b: np.uint64) -> np.uint64:
    """One hash of two signals in either order."""
    return combine(min(a, b), max(a, b))


def tick_pairs(signals: U64, bounds: I64, authors: U64, most: int) -> TickPairs:
    """Return the pairs of a tick's reels; neither the order of reels nor of signals matters.

    Args:
        signals: hashes, those of reel i from `bounds[i]` to `bounds[i + 1]`, each once a reel.
        bounds: int64[reels + 1].
        authors: of the reels, uint64[reels].
        most: signals of a reel that are paired; of more the lowest hashes are.

    Example:
        >>> signals = np.array([1, 2, 3, 2, 1], np.uint64)
        >>> authors = np.array([7, 7], np.uint64)
        >>> pairs = tick_pairs(signals, np.array([0, 3, 5]), authors, most=16)
        >>> sorted(zip(pairs.first, pairs.second, pairs.authors, pairs.reels))[0]
        (np.uint64(1), np.uint64(2), np.int64(1), np.int64(2))
    """
    key, low, high, author = _pairs(signals, bounds, authors, most)
    order = np.argsort(key)
    return TickPairs(*_distinct(key, low, high, author, order))


def taken(pairs: TickPairs, rows: I64) -> TickPairs:
    """Return some of the pairs."""
    return TickPairs(
        pairs.key[rows],
        pairs.first[rows],
        pairs.second[rows],
        pairs.authors[rows],
        pairs.reels[rows],
    )


@njit(cache=True)
def _pairs(signals: U64, bounds: I64, authors: U64, most: Int) -> tuple[U64, U64, U64, U64]:
    size = np.int64(0)
    for reel in range(authors.size):
        count = min(bounds[reel + 1] - bounds[reel], most)
        size += count * (count - 1) // 2
    key = np.empty(size, np.uint64)
    low = np.empty(size, np.uint64)
    high = np.empty(size, np.uint64)
    author = np.empty(size, np.uint64)
    at = 0
    for reel in range(authors.size):
        own = signals[bounds[reel] : bounds[reel + 1]]
        if own.size > most:
            own = np.sort(own)[:most]
        for i in range(own.size):
            for j in range(i):
                low[at], high[at] = min(own[i], own[j]), max(own[i], own[j])
                key[at] = pair_key(own[i], own[j])
                author[at] = authors[reel]
                at += 1
    return key, low, high, author


@njit(cache=True)
def _distinct(
    key: U64, low: U64, high: U64, author: U64, order: I64
) -> tuple[U64, U64, U64, I64, I64]:
    """Bring together the uses of each pair; `order` sorts them by key."""
    keys = np.empty(order.size, np.uint64)
    first = np.empty(order.size, np.uint64)
    second = np.empty(order.size, np.uint64)
    authors = np.empty(order.size, np.int64)
    reels = np.empty(order.size, np.int64)
    count = 0
    at = 0
    while at < order.size:
        start = at
        one = key[order[at]]
        while at < order.size and key[order[at]] == one:
            at += 1
        keys[count], first[count], second[count] = one, low[order[start]], high[order[start]]
        reels[count] = at - start
        authors[count] = 1
        if at - start > 1:
            by = np.sort(author[order[start:at]])
            for i in range(1, by.size):
                authors[count] += by[i] != by[i - 1]
        count += 1
    return keys[:count], first[:count], second[:count], authors[:count], reels[:count]
