"""How often the signals of a trend come together, from the reels that were looked at.

Of k signals it is known which of n reels hold them. These are all their reels, or those with the
smallest hashes (`trend.overlap`), each standing for `scale` reels; so numbers are counted there and
scaled, and shares are taken as they are.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from trend.layout import I64, Int
from trend.overlap import Sample

U64 = npt.NDArray[np.uint64]
I32 = npt.NDArray[np.int32]
F64 = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

UNKNOWN: Final = -1
_HASHES: Final = 2.0**64


class Looked(NamedTuple):
    """The reels of a trend that are looked at."""

    reels: U64  # [n] ascending
    scale: float
    """Reels that one of them stands for, >= 1."""


class Pairs(NamedTuple):
    """Pairs of k signals that share a reel, in the order of their places."""

    first: I64  # [p] place of the one
    second: I64  # [p] of the other, larger
    reels: I64  # [p] with both, estimated
    authors: I64  # [p] of those reels, estimated
    share: F64  # [p] of the reels that hold any of the two, those that hold both
    since: I64  # [p] tick of the first reel known with both; UNKNOWN: of none


def looked_at(hashes: U64, samples: list[Sample], most: int) -> Looked:
    """Choose what to look at of the reels of several signals.

    Args:
        hashes: all that are sampled of any signal, uint64[.], ascending, each once.
        samples: of the signals.
        most: reels to look at, >= 1.

    Example:
        >>> one = Sample(np.array([2**60, 2**61, 2**62], np.uint64), None)
        >>> looked_at(one.reels, [one], most=8).scale, looked_at(one.reels, [one], most=2).scale
        (1.0, 8.0)
    """
    limits = [one.limit for one in samples if one.limit is not None]
    limit = min(limits, default=None)
    reels = hashes if limit is None else hashes[: hashes.searchsorted(np.uint64(limit), "right")]
    if reels.size > most:
        reels = reels[:most]
        limit = int(reels[-1])
    return Looked(reels, 1.0 if limit is None else _HASHES / (limit + 1))


def holding(samples: list[Sample], reels: U64) -> Bools:
    """Return which signals are in which of the reels, bool[k, n]; `reels` are ascending."""
    held = np.zeros((len(samples), reels.size), np.bool_)
    for row, one in zip(held, samples, strict=True):
        at = reels.searchsorted(one.reels)
        inside = at < reels.size
        at = at[inside]
        row[at[reels[at] == one.reels[inside]]] = True
    return held


def pairs(held: Bools, scale: float, authors: U64, ticks: I32, known: Bools) -> Pairs:
    """Return what pairs of signals have in common.

    Args:
        held: which signal is in which reel, bool[k, n].
        scale: as in `Looked`.
        authors, ticks: of the reels, uint64[n], int32[n].
        known: whether these two are known, bool[n].

    Example:
        >>> held = np.array([[1, 1, 1, 0], [1, 1, 0, 1], [0, 0, 0, 1]], np.bool_)
        >>> authors, ticks = np.array([7, 7, 8, 9], np.uint64), np.array([5, 4, 3, 2], np.int32)
        >>> found = pairs(held, 2.0, authors, ticks, np.ones(4, np.bool_))
        >>> [*zip(found.first.tolist(), found.second.tolist(), found.reels.tolist(), strict=True)]
        [(0, 1, 4), (1, 2, 2)]
        >>> found.authors.tolist(), found.share.tolist(), found.since.tolist()
        ([2, 2], [0.5, 0.3333333333333333], [4, 2])
    """
    k = held.shape[0]
    most = k * (k - 1) // 2
    ends, counts = np.empty((2, most), np.int64), np.empty((4, most), np.int64)
    number = np.unique(authors, return_inverse=True)[1]
    used = _pairs(held, number, ticks, known, ends, counts)
    both, either, people, since = counts[:, :used]
    return Pairs(
        ends[0, :used],
        ends[1, :used],
        np.rint(both * scale).astype(np.int64),
        np.rint(people * scale).astype(np.int64),
        both / either,
        since,
    )


@njit(cache=True)
def _pairs(held: Bools, number: I64, ticks: I32, known: Bools, ends: I64, counts: I64) -> Int:
    seen = np.full(number.size, UNKNOWN)
    used = np.int64(0)
    pair = np.int64(0)
    for i in range(held.shape[0]):
        for j in range(i + 1, held.shape[0]):
            pair += 1
            both = either = people = np.int64(0)
            since = np.int64(UNKNOWN)
            for reel in range(held.shape[1]):
                either += held[i, reel] or held[j, reel]
                if not (held[i, reel] and held[j, reel]):
                    continue
                both += 1
                if known[reel]:
                    people += seen[number[reel]] != pair
                    seen[number[reel]] = pair
                    since = ticks[reel] if since == UNKNOWN else min(since, np.int64(ticks[reel]))
            if both:
                ends[0, used], ends[1, used] = i, j
                counts[0, used], counts[1, used] = both, either
                counts[2, used], counts[3, used] = people, since
                used += 1
    return used
