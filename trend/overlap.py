"""How much of the reels of two signals they share, from samples.

A sample holds the reels with the smallest hashes (a bottom-k sketch): below the smaller of two
samples' largest hashes both are complete, so what they share there is an unbiased share of all. A
sample that is not full is the whole set.

Source: Cohen & Kaplan, "Summarizing data using bottom-k sketches" (2007).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from trend.compiled import kernel
from trend.layout import I64, Int

U64 = npt.NDArray[np.uint64]

ALL: Final = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
"""Limit of a sample that holds all reels there are."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Reels of a signal or of several: all of their reels whose hash is at most `limit`."""

    reels: npt.NDArray[np.uint64]
    """Hashes, ascending, each once."""
    limit: int | None
    """None: the sample holds all reels there are."""


def sample(hashes: npt.NDArray[np.uint64], capacity: int, known: int | None = None) -> Sample:
    """Return the sample that a bottom-k sketch of `capacity` hashes stands for.

    Args:
        known: the hash up to which all are known; None: all are.
    """
    limits = [known] if known is not None else []
    limits += [int(hashes[-1])] if hashes.size >= capacity else []
    limit = min(limits, default=None)
    return Sample(_up_to(hashes, limit), limit)


def union(samples: list[Sample]) -> Sample:
    """Return the sample of all reels that any of the sampled signals has.

    Example:
        >>> a = sample(np.array([1, 3], np.uint64), capacity=2)
        >>> b = sample(np.array([2, 4], np.uint64), capacity=128)
        >>> union([a, b])
        Sample(reels=array([1, 2, 3], dtype=uint64), limit=3)
    """
    if len(samples) == 1:
        return samples[0]
    limits = [one.limit for one in samples if one.limit is not None]
    limit = min(limits, default=None)
    reels = np.concatenate([one.reels for one in samples])
    reels.sort()
    return Sample(reels[: _distinct(reels, ALL if limit is None else np.uint64(limit))], limit)


def shared(a: Sample, b: Sample) -> tuple[int, float]:
    """Return how many sampled reels two have in common, and their share of the smaller one's.

    Example:
        >>> a = sample(np.array([1, 2, 3], np.uint64), capacity=128)
        >>> b = sample(np.array([2, 3, 4, 5], np.uint64), capacity=128)
        >>> shared(a, b)
        (2, 0.6666666666666666)
    """
    limits = [one.limit for one in (a, b) if one.limit is not None]
    limit = ALL if not limits else np.uint64(min(limits))
    both, smaller = _both(a.reels, b.reels, limit)
    return int(both), both / max(smaller, 1)


class Sharing:
    """Many samples by their reels, to find those that share some with another one.

    Example:
        >>> a = sample(np.array([1, 2, 3], np.uint64), capacity=128)
        >>> b = sample(np.array([3, 4], np.uint64), capacity=128)
        >>> Sharing([a, b]).most(sample(np.array([2, 3, 5], np.uint64), capacity=128), least=2)
        [0]
    """

    def __init__(self, samples: Sequence[Sample]) -> None:
        reels = np.concatenate([np.zeros(0, np.uint64), *(one.reels for one in samples)])
        order = np.argsort(reels)
        self._reels = reels[order]
        number = np.repeat(np.arange(len(samples)), [one.reels.size for one in samples])
        self._number = number[order]
        self._both = np.empty(len(samples), np.int64)

    def most(self, other: Sample, least: int) -> list[int]:
        """Return the numbers of the samples with at least so many reels of the other, >= 1."""
        _count(self._reels, self._number, other.reels, self._both)
        return np.flatnonzero(self._both >= least).tolist()


@kernel
def _distinct(ascending: U64, limit: np.uint64) -> Int:
    """Bring distinct hashes, up to the limit, to the front; return how many they are."""
    count = 0
    for i in range(ascending.size):
        if ascending[i] > limit:
            break
        if count == 0 or ascending[i] != ascending[count - 1]:
            ascending[count] = ascending[i]
            count += 1
    return count


@kernel
def _both(a: U64, b: U64, limit: np.uint64) -> tuple[Int, Int]:
    """Return how many hashes up to the limit two have in common, and how many the smaller has."""
    i = j = both = 0
    while i < a.size and j < b.size and a[i] <= limit and b[j] <= limit:
        if a[i] == b[j]:
            both += 1
        step = a[i] <= b[j]
        j += a[i] >= b[j]
        i += step
    while i < a.size and a[i] <= limit:
        i += 1
    while j < b.size and b[j] <= limit:
        j += 1
    return both, min(i, j)


@kernel
def _count(reels: U64, number: I64, other: U64, both: I64) -> None:
    """Fill in how many of the other's hashes each number has; both lists of hashes ascend."""
    both[:] = 0
    at = np.int64(0)
    for hash_ in other:
        high = np.int64(reels.size)
        while at < high:
            middle = (at + high) // 2
            if reels[middle] < hash_:
                at = middle + 1
            else:
                high = middle
        while at < reels.size and reels[at] == hash_:
            both[number[at]] += 1
            at += 1


def _up_to(reels: npt.NDArray[np.uint64], limit: int | None) -> npt.NDArray[np.uint64]:
    return reels if limit is None else reels[: reels.searchsorted(np.uint64(limit), "right")]
