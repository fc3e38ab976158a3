"""Is it people or a crew: concentration on authors, and one text from many accounts.

Captions are compared by MinHash: of each the smallest of H hashes over its words, which agree
between two in as large a share as their words do (Jaccard). Captions whose bands of hashes agree
are candidates, those that then agree in enough hashes are one *text*. An edited copy, with a word
or two changed or an emoji added, is the same text; two people's own words are not.

Sources: Broder, "On the resemblance and containment of documents" (1997); Leskovec, Rajaraman &
Ullman, Mining of Massive Datasets, 3.4 (banding); Simpson, "Measurement of diversity" (1949).
"""

from typing import Final, NamedTuple

import numpy as np
from numba import njit

from trend.graph.arrays import F64, I32, I64, U32, U64, Int
from trend.hashing import combine, mix64

HASHES: Final = 32
BAND: Final = 4
"""Hashes that must agree at one place for two captions to be compared: 8 bands of 4 find all but a
few per cent of those that share seven tenths of their words."""
SAME: Final = 0.6
"""Share of hashes that agree in copies of a text."""
MIN_WORDS: Final = 4
"""Words from which on a caption can be told from another by them."""
NONE: Final = -1


class Concentration(NamedTuple):
    """Of C communities."""

    top: F64  # share of the reels that are of the most frequent author; 0 without reels
    effective: F64  # 1 / sum of squared shares: as many equal authors would be as concentrated


def concentration(community: I32, author: U64, count: int) -> Concentration:
    """Return how much communities depend on few authors.

    Args:
        community: of each reel, below `count`, int32[n].
        author: of each reel, uint64[n].

    Example:
        >>> authors = np.array([5, 5, 5, 7, 1, 2], np.uint64)
        >>> concentration(np.array([0, 0, 0, 0, 1, 1], np.int32), authors, count=2)
        Concentration(top=array([0.75, 0.5 ]), effective=array([1.6, 2. ]))
    """
    order = np.lexsort((author, community))
    starts = np.ones(order.size, np.bool_)
    of, by = community[order], author[order]
    starts[1:] = (of[1:] != of[:-1]) | (by[1:] != by[:-1])
    at = np.flatnonzero(starts)
    reels = np.diff(at, append=order.size)
    whole = np.bincount(community, minlength=count)
    share = reels / whole[of[at]]
    top = np.zeros(count)
    np.maximum.at(top, of[at], share)
    squares = np.bincount(of[at], weights=share**2, minlength=count)
    effective = np.divide(1.0, squares, out=np.zeros(count), where=squares > 0)
    return Concentration(top, effective)


@njit(cache=True)
def minhash(words: U64, bounds: I64) -> U32:
    """Return the signatures of n captions, uint32[n, HASHES].

    Args:
        words: hashes of words, those of caption i from `bounds[i]` to `bounds[i + 1]`.
        bounds: int64[n + 1].
    """
    signatures = np.full((bounds.size - 1, HASHES), np.uint32(0xFFFFFFFF))
    for i in range(bounds.size - 1):
        for k in range(bounds[i], bounds[i + 1]):
            for j in range(HASHES):
                mixed = mix64(words[k] + np.uint64(j + 1) * np.uint64(0x9E3779B97F4A7C15))
                signatures[i, j] = min(signatures[i, j], np.uint32(mixed >> np.uint64(32)))
    return signatures


def texts(words: U64, bounds: I64) -> I32:
    """Return the text of each of n captions, named by the first that has it; -1: too few words.

    Example:
        >>> words = np.array([1, 2, 3, 4, 5, 9, 1, 2, 3, 4, 5, 7], np.uint64)
        >>> texts(words, np.array([0, 6, 12, 12])).tolist()
        [0, 0, -1]
    """
    signatures = minhash(words, bounds)
    enough = np.diff(bounds) >= MIN_WORDS
    text = np.where(enough, np.arange(enough.size), NONE).astype(np.int32)
    for first in range(0, HASHES, BAND):
        band = _bands(signatures, first)
        rows = np.flatnonzero(enough)
        _join(text, signatures, band, rows[np.argsort(band[rows], kind="stable")])
    return _roots(text)


@njit(cache=True)
def _bands(signatures: U32, first: Int) -> U64:
    band = np.zeros(signatures.shape[0], np.uint64)
    for i in range(band.size):
        for j in range(first, first + BAND):
            band[i] = combine(band[i], np.uint64(signatures[i, j]))
    return band


@njit(cache=True)
def _join(text: I32, signatures: U32, band: U64, order: I64) -> None:
    """Join captions with the first one of their band, if they are alike."""
    leader = 0
    for k in range(1, order.size):
        one, other = order[leader], order[k]
        if band[one] != band[other]:
            leader = k
            continue
        agree = 0
        for j in range(HASHES):
            agree += signatures[one, j] == signatures[other, j]
        if agree >= SAME * HASHES:
            a, b = _root(text, one), _root(text, other)
            text[max(a, b)] = min(a, b)


@njit(cache=True)
def _root(text: I32, i: Int) -> Int:
    root: Int = i
    while text[root] != root:
        root = np.int64(text[root])
    return root


@njit(cache=True)
def _roots(text: I32) -> I32:
    for i in range(text.size):
        if text[i] >= 0:
            text[i] = _root(text, i)
    return text


class Copies(NamedTuple):
    """Of C communities."""

    share: F64  # of the reels whose text comes from several authors
    authors: I64  # distinct ones of the text that has most
    burst: I64  # distinct ones of one text within a window, at most


def copies(community: I32, text: I32, author: U64, tick: I64, window: int, count: int) -> Copies:
    """Return how much of communities is one text from many accounts.

    Args:
        community: of each reel, below `count`, int32[n].
        text: of each reel, as `texts` returns it, int32[n].
        author: uint64[n].
        tick: int64[n].
        window: ticks in which a burst happens.

    Example:
        >>> one = np.zeros(4, np.int32)
        >>> authors = np.array([1, 2, 3, 4], np.uint64)
        >>> copies(one, np.array([0, 0, 0, 3], np.int32), authors, np.array([7, 8, 90, 8]), 6, 1)
        Copies(share=array([0.75]), authors=array([3]), burst=array([2]))
    """
    reels = np.bincount(community, minlength=count)
    order = np.lexsort((tick, author, text, community))
    order = order[text[order] != NONE]
    copied = np.zeros(count, np.int64)
    most, burst = np.zeros(count, np.int64), np.zeros(count, np.int64)
    _count_copies(community, text, author, tick, order, window, copied, most, burst)
    return Copies(copied / np.maximum(reels, 1), most, burst)


@njit(cache=True)
def _count_copies(
    community: I32,
    text: I32,
    author: U64,
    tick: I64,
    order: I64,
    window: Int,
    copied: I64,
    most: I64,
    burst: I64,
) -> None:
    """Count per text; `order` sorts reels by community, text, author and tick."""
    at = 0
    while at < order.size:
        start = at
        one, same = community[order[start]], text[order[start]]
        authors = 0
        while at < order.size and community[order[at]] == one and text[order[at]] == same:
            authors += at == start or author[order[at]] != author[order[at - 1]]
            at += 1
        most[one] = max(most[one], authors)
        if authors < 2:
            continue
        copied[one] += at - start
        burst[one] = max(burst[one], _burst(author, tick, order[start:at], window))


@njit(cache=True)
def _burst(author: U64, tick: I64, reels: I64, window: Int) -> Int:
    """Return the distinct authors within `window` ticks, at most; `reels` are sorted by author."""
    number = np.zeros(reels.size, np.int64)
    for i in range(1, reels.size):
        number[i] = number[i - 1] + (author[reels[i]] != author[reels[i - 1]])
    by_time = np.argsort(tick[reels], kind="mergesort")
    within = np.zeros(number[-1] + 1, np.int64)
    first = distinct = most = np.int64(0)
    for last in range(by_time.size):
        distinct += within[number[by_time[last]]] == 0
        within[number[by_time[last]]] += 1
        while tick[reels[by_time[last]]] - tick[reels[by_time[first]]] >= window:
            within[number[by_time[first]]] -= 1
            distinct -= within[number[by_time[first]]] == 0
            first += 1
        most = max(most, distinct)
    return most
