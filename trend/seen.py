"""Which reels were seen lately: an exact set in two generations of fixed size.

A generation that is full becomes the old one and an empty one takes its place; a reel is looked up
in both. So at least the last `capacity` distinct reels are known and at most twice as many are
kept, and nothing is ever deleted one by one. With each reel goes a digest of its content, by which
a plain repeat is told from a reel that comes again with more.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from trend.hashing import combine, hash_slice
from trend.lending import lent

I32 = npt.NDArray[np.int32]

NEW: Final = 0
"""Not seen before."""
REPEAT: Final = 1
"""Seen with the same content: counts no more."""
AGAIN: Final = 2
"""Seen with other content: the signals that are new to it count."""


class SeenReels:
    """The reels of one partition that were seen lately.

    Args:
        capacity: reels that are surely remembered, >= 1. Takes 32 to 64 bytes each.

    Example:
        >>> seen = SeenReels(capacity=100)
        >>> reels = np.array([7, 8, 7, 7], np.uint64)
        >>> seen.classify(reels, digests=np.array([1, 1, 1, 2], np.uint64)).tolist()
        [0, 0, 1, 2]
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"capacity is {capacity}, expected at least 1")
        self.capacity = capacity
        self._young = _generation(1024)
        self._old = _generation(1024)
        self._count = 0

    def classify(
        self, reels: npt.NDArray[np.uint64], digests: npt.NDArray[np.uint64]
    ) -> npt.NDArray[np.uint8]:
        """Say of each reel in order whether it is `NEW`, a `REPEAT` or comes `AGAIN`, and keep it.

        Args:
            reels: hashes of reel ids, uint64[n]; 0 is taken for 1.
            digests: hashes of what the reels hold, uint64[n].
        """
        kinds = np.empty(reels.size, np.uint8)
        start = 0
        while start < reels.size:
            room = min(self.capacity, self._young.shape[0] // 2) - self._count
            if room <= 0:
                self._make_room()
                continue
            stop, self._count = _classify(
                reels, digests, start, room, self._count, self._young, self._old, kinds
            )
            start = int(stop)
        return kinds

    def _make_room(self) -> None:
        """Double the young generation, or where it is full make it the old one."""
        if self._count < self.capacity:
            grown = _generation(self._young.shape[0] * 2)
            _rehash(self._young, grown)
            self._young = grown
        else:
            self._old = self._young
            self._young = _generation(self._old.shape[0])
            self._count = 0


@njit(cache=True, nogil=True)
def digests(
    data: npt.NDArray[np.uint8],
    starts: I32,
    lengths: I32,
    columns: tuple[int, ...],
    tag_first: I32,
    tag_count: I32,
    tag_starts: I32,
    tag_lengths: I32,
) -> npt.NDArray[np.uint64]:
    """Hash what n reels hold: some texts of each, and its hashtags in their order.

    Parameters: `data` uint8, of which all texts are slices; `starts`, `lengths` of shape (n, k), in
    bytes, a negative length for a text that is not there; `columns` those that count; the hashtags
    of reel i are `tag_count[i]` of the slices `tag_starts`, `tag_lengths` from `tag_first[i]` on.
    Returns uint64 of shape (n,). A text that moves from one column to another changes the digest.
    """
    data = lent(data)
    found = np.zeros(starts.shape[0], np.uint64)
    for reel in range(found.size):
        digest = np.uint64(0)
        for text in columns:
            length = np.int64(lengths[reel, text])
            if length >= 0:
                digest += hash_slice(data, np.int64(starts[reel, text]), length, np.uint64(text))
        tags = np.uint64(0)
        first = np.int64(tag_first[reel])
        for tag in range(first, first + tag_count[reel]):
            start, length = np.int64(tag_starts[tag]), np.int64(tag_lengths[tag])
            tags = combine(tags, hash_slice(data, start, length, np.uint64(0)))
        found[reel] = digest + tags
    return found


def _generation(slots: int) -> npt.NDArray[np.uint64]:
    return np.zeros((slots, 2), np.uint64)


@njit(cache=True, forceinline=True)
def _slot(table: npt.NDArray[np.uint64], key: np.uint64) -> np.int64:
    """Return the slot of a key, or the empty one where it would go (linear probing)."""
    mask = table.shape[0] - 1
    at = np.int64(key & np.uint64(mask))
    while table[at, 0] != 0 and table[at, 0] != key:
        at = (at + 1) & mask
    return at


@njit(cache=True, forceinline=True)
def _classify(
    reels: npt.NDArray[np.uint64],
    digests: npt.NDArray[np.uint64],
    start: int,
    room: int,
    count: int,
    young: npt.NDArray[np.uint64],
    old: npt.NDArray[np.uint64],
    kinds: npt.NDArray[np.uint8],
) -> tuple[int, int]:
    """Classify from `start` until `room` reels were added; return where it stopped and `count`."""
    young, old = lent(young), lent(old)
    i = start
    while i < reels.size and room > 0:
        key = reels[i] if reels[i] != 0 else np.uint64(1)
        at = _slot(young, key)
        if young[at, 0] == key:
            kinds[i] = REPEAT if young[at, 1] == digests[i] else AGAIN
            young[at, 1] = digests[i]
        else:
            before = _slot(old, key)
            if old[before, 0] == key:
                kinds[i] = REPEAT if old[before, 1] == digests[i] else AGAIN
            else:
                kinds[i] = NEW
            young[at, 0] = key
            young[at, 1] = digests[i]
            count += 1
            room -= 1
        i += 1
    return i, count


@njit(cache=True, forceinline=True)
def _rehash(source: npt.NDArray[np.uint64], target: npt.NDArray[np.uint64]) -> None:
    target = lent(target)
    for i in range(source.shape[0]):
        if source[i, 0] != 0:
            at = _slot(target, source[i, 0])
            target[at, 0] = source[i, 0]
            target[at, 1] = source[i, 1]
