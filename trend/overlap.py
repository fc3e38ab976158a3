"""How much of the reels of two signals they share, from samples.

A sample holds the reels with the smallest hashes (a bottom-k sketch): below the smaller of two
samples' largest hashes both are complete, so what they share there is an unbiased share of all. A
sample that is not full is the whole set.

Source: Cohen & Kaplan, "Summarizing data using bottom-k sketches" (2007).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


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
    limit = min(limits) if limits else None
    reels = np.sort(np.concatenate([_up_to(one.reels, limit) for one in samples]))
    first = np.ones(reels.size, np.bool)
    np.not_equal(reels[1:], reels[:-1], out=first[1:])
    return Sample(reels[first], limit)


def shared(a: Sample, b: Sample) -> tuple[int, float]:
    """Return how many sampled reels two have in common, and their share of the smaller one's.

    Example:
        >>> a = sample(np.array([1, 2, 3], np.uint64), capacity=128)
        >>> b = sample(np.array([2, 3, 4, 5], np.uint64), capacity=128)
        >>> shared(a, b)
        (2, 0.6666666666666666)
    """
    limits = [one.limit for one in (a, b) if one.limit is not None]
    limit = min(limits) if limits else None
    first, second = _up_to(a.reels, limit), _up_to(b.reels, limit)
    if first.size > second.size:
        first, second = second, first
    if first.size == 0:
        return 0, 0.0
    at = second.searchsorted(first)
    both = int(np.count_nonzero(second.take(at, mode="clip") == first))
    return both, both / first.size


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
        self._number = np.repeat(np.arange(len(samples)), [one.reels.size for one in samples])
        self._number = self._number[order]

    def most(self, other: Sample, least: int) -> list[int]:
        """Return the numbers of the samples with at least so many reels of the other, >= 1."""
        both = np.bincount(self._number[places(self._reels, other.reels)])
        return np.flatnonzero(both >= least).tolist()


def places(hashes: npt.NDArray[np.uint64], wanted: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """Return where the wanted ones stand in `hashes`, which are ascending, each maybe often.

    Example:
        >>> places(np.array([3, 5, 5, 8], np.uint64), np.array([5, 6, 8], np.uint64)).tolist()
        [1, 2, 3]
    """
    first, stop = hashes.searchsorted(wanted), hashes.searchsorted(wanted, "right")
    count = stop - first
    return np.repeat(stop - np.cumsum(count), count) + np.arange(count.sum())


def _up_to(reels: npt.NDArray[np.uint64], limit: int | None) -> npt.NDArray[np.uint64]:
    return reels if limit is None else reels[: reels.searchsorted(np.uint64(limit), "right")]
