"""Re-uploads of the very same recording, found at once by their Chromaprint.

Some of a query's items are looked up; those that are known vote for a sound and an offset, and the
bits of all items that lie on each other there are compared. Recordings that were re-encoded or
trimmed differ in few bits, others in nearly half. What this does not find is for the landmarks
(`trend.acoustics.known`), which cost a hundred times as much.
"""

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from trend.acoustics.chromaprint import U32
from trend.compiled import kernel
from trend.hashing import mix64

DIFFERENT: Final = 0.15
"""Share of bits that may differ."""
FEWEST: Final = 24
"""Items that must lie on each other: three seconds."""
SAME: Final = 8
"""Places that are kept of one item."""

_LOOKS: Final = 64
_CANDIDATES: Final = 64
_COMPARED: Final = 256
_FIRST: Final = 1 << 12
_FULL: Final = 0.6

ITEM_BYTES: Final = 27
"""Of an item: in the pool 4, of its owner 4, in the slots 13 to 27, on average 19."""
_STARTS: Final = np.dtype(np.int64)

I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]


class Reupload(NamedTuple):
    """Attributes:
    sound: its number.
    different: share of bits that differ.
    begin: items from the known recording's beginning to the query's.
    """

    sound: int
    different: float
    begin: int


class Reuploads:
    """Recordings by number, from 0 on.

    >>> known = Reuploads()
    >>> recording = np.random.default_rng(0).integers(0, 1 << 32, 200, np.uint32)
    >>> known.add(recording)
    0
    >>> known.match(recording[40:])
    Reupload(sound=0, different=0.0, begin=40)
    """

    def __init__(self) -> None:
        self._slots = np.zeros(_FIRST, np.int64)  # place in the pool + 1
        self._pool = np.zeros(_FIRST, np.uint32)
        self._owner = np.zeros(_FIRST, np.int32)
        self._starts = np.zeros(64, np.int64)
        self._count = 0
        self._used = 0
        self._candidates = np.zeros((_CANDIDATES, 3), np.int64)

    def __len__(self) -> int:
        return self._count

    def size(self, sound: int) -> int:
        """Return how many items a recording has."""
        return int(self._starts[sound + 1] - self._starts[sound])

    def memory(self) -> int:
        """Return the bytes that it takes, without the room to grow."""
        return int(self._starts[self._count]) * ITEM_BYTES + self._count * _STARTS.itemsize

    def fitting(self, order: I64, memory: int) -> I64:
        """Return as many of some recordings, the first ones, as take so much memory (bytes)."""
        sizes = np.diff(self._starts[: self._count + 1])[order]
        taken = np.cumsum(sizes * ITEM_BYTES + _STARTS.itemsize)
        return order[: np.searchsorted(taken, memory, side="right")]

    def only(self, sounds: I64) -> "Reuploads":
        """Return some of the recordings, numbered from 0 on in this order."""
        kept = Reuploads()
        for sound in sounds.tolist():
            kept.add(self._pool[self._starts[sound] : self._starts[sound + 1]])
        return kept

    def add(self, items: U32) -> int:
        """Make a recording known and return its number."""
        begin = int(self._starts[self._count])
        end = begin + items.size
        if end > self._pool.size:
            more = max(end, self._pool.size * 3 // 2)
            self._pool = _grown(self._pool, more)
            self._owner = _grown(self._owner, more)
        if self._count + 2 > self._starts.size:
            self._starts = _grown(self._starts, self._starts.size * 3 // 2)
        if self._used + items.size > _FULL * self._slots.size:
            size = self._slots.size
            while self._used + items.size > _FULL / 2 * size:
                size *= 2
            self._slots = np.zeros(size, np.int64)
            self._used = _insert(self._slots, self._pool, 0, begin)
        self._pool[begin:end] = items
        self._owner[begin:end] = self._count
        self._used += _insert(self._slots, self._pool, begin, end)
        self._count += 1
        self._starts[self._count] = end
        return self._count - 1

    def match(self, items: U32) -> Reupload | None:
        """Return the recording that the items are of, or None."""
        return next(iter(self.matches(items)), None)

    def matches(self, items: U32) -> list[Reupload]:
        """Return all recordings that the items are of, those with the fewest other bits first."""
        if items.size < FEWEST:
            return []
        found = np.empty((_CANDIDATES, 3))
        count = _match(
            self._slots, self._pool, self._owner, self._starts, items, self._candidates, found
        )
        those = [Reupload(int(one[0]), float(one[1]), int(one[2])) for one in found[:count]]
        return sorted(those, key=lambda one: one.different)


def _grown(array: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    grown = np.zeros(size, array.dtype)
    grown[: array.size] = array
    return grown


@kernel
def _insert(slots: I64, pool: U32, begin: int, end: int) -> int:
    """Put the items of a part of the pool into the slots; returns how many."""
    mask = slots.size - 1
    put = 0
    for place in range(begin, end):
        if place > begin and pool[place] == pool[place - 1]:
            continue
        at = np.int64(mix64(np.uint64(pool[place]) + np.uint64(1)) & np.uint64(mask))
        alike = 0
        while slots[at] and alike < SAME:
            alike += pool[slots[at] - 1] == pool[place]
            at = (at + 1) & mask
        if alike < SAME:
            slots[at] = place + 1
            put += 1
    return put


@kernel
def _candidates(slots: I64, pool: U32, owner: I32, starts: I64, items: U32, candidates: I64) -> int:
    """Fill in sounds, where the query may begin in them, and how many items say so."""
    mask = slots.size - 1
    stride = max(1, items.size // _LOOKS)
    count = 0
    for i in range(0, items.size, stride):
        at = np.int64(mix64(np.uint64(items[i]) + np.uint64(1)) & np.uint64(mask))
        while slots[at]:
            place = slots[at] - 1
            if pool[place] == items[i]:
                sound = np.int64(owner[place])
                begin = place - starts[sound] - i
                known = -1
                for k in range(count):
                    if candidates[k, 0] == sound and abs(candidates[k, 1] - begin) <= 1:
                        known = k
                if known >= 0:
                    candidates[known, 2] += 1
                elif count < candidates.shape[0]:
                    candidates[count, 0] = sound
                    candidates[count, 1] = begin
                    candidates[count, 2] = 1
                    count += 1
            at = (at + 1) & mask
    return count


@kernel
def _match(
    slots: I64, pool: U32, owner: I32, starts: I64, items: U32, candidates: I64, found: F64
) -> int:
    """Fill in the sounds, the shares of bits that differ and where the query begins in them."""
    count = _candidates(slots, pool, owner, starts, items, candidates)
    most = 0
    for k in range(count):
        most = max(most, candidates[k, 2])
    sounds = 0
    for k in range(count):
        if 2 * candidates[k, 2] < most:
            continue
        sound = candidates[k, 0]
        row = sounds
        for other in range(sounds):
            if found[other, 0] == sound:
                row = other
        least = DIFFERENT if row == sounds else found[row, 1]
        for begin in range(candidates[k, 1] - 1, candidates[k, 1] + 2):
            different = _different(pool, starts[sound], starts[sound + 1], items, begin)
            if different < least:
                least = different
                found[row, 0], found[row, 1], found[row, 2] = sound, different, begin
                sounds = max(sounds, row + 1)
    return sounds


@kernel
def _different(pool: U32, start: int, end: int, items: U32, begin: int) -> float:
    """Share of bits that differ where a query lies on a recording; 1 where that is too little."""
    first = max(0, -begin)
    last = min(items.size, end - start - begin)
    if last - first < FEWEST:
        return 1.0
    stride = max(1, (last - first) // _COMPARED)
    bits = 0
    compared = 0
    for i in range(first, last, stride):
        word = items[i] ^ pool[start + begin + i]
        word -= (word >> np.uint32(1)) & np.uint32(0x55555555)
        word = (word & np.uint32(0x33333333)) + ((word >> np.uint32(2)) & np.uint32(0x33333333))
        word = (word + (word >> np.uint32(4))) & np.uint32(0x0F0F0F0F)
        bits += ((word * np.uint32(0x01010101)) >> np.uint32(24)) & np.uint32(0xFF)
        compared += 32
    return bits / compared
