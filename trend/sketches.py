"""Sketches of texts in 64 bits: how many words two of them share, and whether many are copies.

A text's words fall into sixteen bins by their hashes; of each bin the least hash is kept in four
bits. The share of bins that agree, of those that either of two texts fills, is nearly the share of
words that they have in common (Jaccard). Ordinary people who join a trend share its phrase at most;
a crew that posts edited copies of one text shares most words.

Links, @mentions and #tags are no words here; in scripts without spaces two characters in a row are
one. Source: Li, Owen & Zhang, "One permutation hashing" (2012).
"""

from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from trend.hashing import combine, mix64

U8 = npt.NDArray[np.uint8]
U64 = npt.NDArray[np.uint64]
I32 = npt.NDArray[np.int32]
Int = int | np.int64

BINS: Final = 16
NONE: Final = np.uint64(0)
"""The sketch of a text with too few words."""
MIN_WORDS: Final = 4
COMPARED: Final = 64
"""Reels that are compared with each other at most."""
MIN_TEXTS: Final = 8
COPIES: Final = 0.3
"""Mean share of words in common from which on texts of several authors are copies of one."""

_ONES: Final = np.uint64(0x1111111111111111)
_PRIME: Final = np.uint64(0x100000001B3)
_EMPTY: Final = np.uint64(0xFFFFFFFFFFFFFFFF)


@njit(cache=True, nogil=True)
def sketches(data: U8, starts: I32, lengths: I32) -> U64:
    """Return the sketches of n texts, uint64[n].

    Args:
        data: UTF-8.
        starts, lengths: int32[n], bytes; negative lengths are no text.
    """
    found = np.zeros(starts.size, np.uint64)
    least = np.empty(BINS, np.uint64)
    for i in range(starts.size):
        found[i] = _sketch(data, np.int64(starts[i]), np.int64(lengths[i]), least)
    return found


@njit(cache=True, nogil=True)
def _sketch(data: U8, start: Int, length: Int, least: U64) -> np.uint64:
    least[:] = _EMPTY
    words = 0
    word = np.uint64(0)
    skip = False
    dense = np.uint64(0)
    at = start
    end = start + length
    while at < end:
        byte = data[at]
        if 0xE3 <= byte <= 0xE9 and at + 2 < end:
            now = np.uint64(data[at]) << np.uint64(16)
            now |= np.uint64(data[at + 1]) << np.uint64(8) | np.uint64(data[at + 2])
            if dense != 0 and not skip:
                words += 1
                _put(combine(dense, now), least)
            dense = now
            at += 3
            continue
        dense = np.uint64(0)
        upper = 0x41 <= byte <= 0x5A
        letter = upper or 0x61 <= byte <= 0x7A or 0x30 <= byte <= 0x39 or byte == 0x5F
        if letter or (0xC3 <= byte <= 0xE1) or (0x80 <= byte < 0xC0 and word != 0):
            word = (word ^ np.uint64(byte + 32 if upper else byte)) * _PRIME + np.uint64(1)
            at += 1
            continue
        if word != 0 and not skip:
            words += 1
            _put(word, least)
        word = np.uint64(0)
        skip = byte in (0x23, 0x40)
        at += 3 if byte == 0xE2 else 4 if byte >= 0xF0 else 1
    if word != 0 and not skip:
        words += 1
        _put(word, least)
    sketch = np.uint64(0)
    if words >= MIN_WORDS:
        for i in range(BINS):
            if least[i] != _EMPTY:
                sketch |= (np.uint64(1) + least[i] % np.uint64(15)) << np.uint64(4 * i)
    return sketch


@njit(cache=True, nogil=True)
def _put(word: np.uint64, least: U64) -> None:
    mixed = mix64(word)
    at = mixed >> np.uint64(60)
    least[at] = min(least[at], mixed & np.uint64(0x0FFFFFFFFFFFFFFF))


def in_common(authors: U64, texts: U64) -> float:
    """Return the mean share of words that texts of different authors have in common.

    Args:
        authors: hashes, uint64[n].
        texts: their sketches, uint64[n]; those without are passed over. 0.0 where fewer than
            `MIN_TEXTS` are left, or fewer than half.

    Example:
        >>> text = np.frombuffer(b"win a free phone on our page today", np.uint8)
        >>> one = sketches(text, np.zeros(9, np.int32), np.full(9, text.size, np.int32))
        >>> in_common(np.arange(9, dtype=np.uint64), one)
        1.0
    """
    return float(_in_common(authors, texts))


@njit(cache=True)
def _in_common(authors: U64, texts: U64) -> float:
    known = np.empty(COMPARED, np.int64)
    count = 0
    for i in range(texts.size):
        if texts[i] != NONE:
            if count < COMPARED:
                known[count] = i
            count += 1
    if count < max(MIN_TEXTS, texts.size / 2):
        return 0.0
    total = 0.0
    others = 0
    count = min(count, COMPARED)
    for i in range(count):
        for j in range(i + 1, count):
            one, other = known[i], known[j]
            if authors[one] != authors[other]:
                total += agreement(texts[one], texts[other])
                others += 1
    return total / max(others, 1)


@njit(cache=True, inline="always")
def agreement(a: np.uint64, b: np.uint64) -> float:
    """Return the share of the bins that either of two sketches fills in which they agree."""
    filled = _bins(a | b)
    return (filled - _bins(a ^ b)) / max(filled, 1)


@njit(cache=True, inline="always")
def _bins(x: np.uint64) -> Int:
    """Count the groups of four bits that are not zero."""
    x |= x >> np.uint64(2)
    x |= x >> np.uint64(1)
    x &= _ONES
    return np.int64((x * _ONES) >> np.uint64(60)) if x != _ONES else np.int64(BINS)
