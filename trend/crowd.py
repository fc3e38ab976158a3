"""Is it people or a crew: who made some reels, and how many of them posted nearly one text.

Captions are compared by their sketches (`trend.sketches`). Two are one *text* when most of what
either sketch has agrees: an edited copy, with a word in five changed, is the same text, two
people's own words around one phrase are not. Of an ordinary trend's people few share a text, of a
crew's most do, often within an hour.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from trend.layout import I64, Int
from trend.sketches import COPIES, MIN_TEXTS, NONE, agreement, in_common

U64 = npt.NDArray[np.uint64]
I32 = npt.NDArray[np.int32]

SAME: Final = 0.5
"""Share of two sketches that agrees in copies of one text."""
ONE_TEXT: Final = 0.5
"""Share of people with one text from which on they are a crew: of those with a caption that can be
compared, or of all where such are few."""
MIN_ALIKE: Final = 4
ONE_AUTHOR: Final = 0.5
"""Share of the reels above which one author makes a signal, whoever else uses it."""


class Crowd(NamedTuple):
    """Who is behind n reels."""

    reels: int
    authors: int
    most: int
    """Reels of the most frequent author."""
    worded: int
    """Authors with a caption that is compared."""
    alike: int
    """Authors who posted nearly one text, at most."""
    burst: int
    """The same within an hour."""
    common: float
    """Mean share of words that captions of different authors have in common."""


def crowd(authors: U64, texts: U64, ticks: I32, ticks_per_hour: int) -> Crowd:
    """Return who is behind n reels.

    Args:
        authors: hashes, uint64[n].
        texts: sketches of the captions, uint64[n].
        ticks: int32[n].

    Example:
        >>> authors = np.array([1, 1, 2, 3, 4, 5, 6, 7], np.uint64)
        >>> texts = np.array([0x11, 0x22, 0x33, 0x11, 0x44, 0x55, 0x66, 0x77], np.uint64)
        >>> crowd(authors, texts, np.arange(8, dtype=np.int32), 6)[:6]
        (8, 7, 2, 7, 2, 2)
    """
    found = _counts(authors, texts, ticks, ticks_per_hour)
    return Crowd(authors.size, *found, in_common(authors, texts))


def is_crew(one: Crowd) -> bool:
    """Say whether reels are those of a crew, or of one who repeats himself, rather than people's.

    Example:
        >>> people = Crowd(30, 28, most=2, worded=28, alike=3, burst=2, common=0.06)
        >>> is_crew(people), is_crew(people._replace(alike=15)), is_crew(people._replace(most=16))
        (False, True, True)
    """
    of = one.worded if one.worded >= max(MIN_TEXTS, one.authors / 2) else one.authors
    return (
        one.common >= COPIES
        or one.alike >= max(ONE_TEXT * of, MIN_ALIKE)
        or (one.reels >= MIN_TEXTS and one.most > ONE_AUTHOR * one.reels)
    )


@njit(cache=True)
def _counts(authors: U64, texts: U64, ticks: I32, within: Int) -> tuple[int, int, int, int, int]:
    """Return what `Crowd` has from `authors` to `burst`, which is within `within` ticks."""
    order = np.argsort(authors)
    number = np.empty(order.size, np.int64)
    known = np.empty(order.size, np.int64)
    people = most = worded = texts_known = at = 0
    while at < order.size:
        start, before = at, texts_known
        while at < order.size and authors[order[at]] == authors[order[start]]:
            number[order[at]] = people
            if texts[order[at]] != NONE:
                known[texts_known] = order[at]
                texts_known += 1
            at += 1
        people += 1
        most = max(most, at - start)
        worded += texts_known > before
    alike, burst = _one_text(number, texts, ticks, known[:texts_known], within, people)
    return people, most, worded, alike, burst


@njit(cache=True)
def _one_text(
    author: I64, texts: U64, ticks: I32, known: I64, within: Int, authors: Int
) -> tuple[int, int]:
    """Count the authors of one text, at most, and those within `within` ticks.

    Args:
        known: the places of the texts that there are, those of one author beside each other.
    """
    alike = burst = 0
    for i in known:
        people = now = 0
        last = last_now = np.int64(-1)
        for j in known:
            if i != j and agreement(texts[i], texts[j]) < SAME:
                continue
            if author[j] != last:
                last = author[j]
                people += 1
            if 0 <= ticks[j] - ticks[i] < within and author[j] != last_now:
                last_now = author[j]
                now += 1
        alike, burst = max(alike, people), max(burst, now)
    return alike, burst
