"""Re-uploads of the very same recording, found at once by their Chromaprint.

Half of all items, told by their values, are looked up; those that are known vote for a sound and
an offset, and the bits of all items that lie on each other there are compared. Recordings that were
re-encoded or trimmed differ in few bits, others in nearly half. What this does not find is for the
landmarks (`trend.acoustics.known`), which cost a hundred times as much.
"""

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from trend.acoustics.chromaprint import U32
from trend.compiled import inlined, kernel, prefetch
from trend.hashing import mix64
from trend.tables import zeros

DIFFERENT: Final = 0.15
"""Share of bits that may differ."""
FEWEST: Final = 24
"""Items that must lie on each other: three seconds."""
SAME: Final = 8
"""Places that are kept of one item."""

EVERY: Final = 2
"""Every how many-eth value of an item is looked up."""

ITEM_BYTES: Final = 14
"""Of an item: in the pool 4 and room to grow, in the slots 3 to 7 for each that is looked up."""

_LOOKS: Final = 64
_PLACES: Final = 1024
_CANDIDATES: Final = 64
_COMPARED: Final = 256
_FIRST: Final = 1 << 12
_FULL: Final = 0.6
_BLOCK: Final = 64
_FEW: Final = 8

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
        self._slots = np.zeros(_FIRST, np.uint32)  # place in the pool + 1
        self._pool = np.zeros(_FIRST, np.uint32)
        self._owner = np.zeros(_FIRST // _BLOCK, np.int32)  # of the first item of each block
        self._starts = np.zeros(64, np.int64)
        self._count = 0
        self._used = 0
        self._votes = np.zeros((_PLACES, 2), np.int64)
        self._looks = np.zeros((2, _PLACES), np.int64)
        self._found = np.zeros((_CANDIDATES, 3))

    def __len__(self) -> int:
        return self._count

    def memory(self) -> int:
        """Return the bytes of the items and of the table over them."""
        return self._slots.nbytes + self._pool.nbytes + self._owner.nbytes + self._starts.nbytes

    def add(self, items: U32) -> int:
        """Make a recording known and return its number.

        Raises ValueError where there is no room for its items: there are 2**32 in all.
        """
        begin = int(self._starts[self._count])
        end = begin + items.size
        if end >= 1 << 32:
            raise ValueError("items: expected less than 2**32 in all recordings")
        if end > self._pool.size:
            self._pool = _grown(self._pool, max(end, self._pool.size * 3 // 2))
            self._owner = _grown(self._owner, self._pool.size // _BLOCK + 1)
        if self._count + 2 > self._starts.size:
            self._starts = _grown(self._starts, self._starts.size * 3 // 2)
        self._pool[begin:end] = items
        self._owner[(begin + _BLOCK - 1) // _BLOCK : (end + _BLOCK - 1) // _BLOCK] = self._count
        self._starts[self._count + 1] = end
        first = self._count
        self._count += 1
        if self._used + items.size > _FULL * self._slots.size:
            self._slots = zeros(2 * _power_of_two(self._used + items.size), np.uint32)
            self._used = first = 0
        self._used += _insert(self._slots, self._pool, self._starts, first, self._count)
        return self._count - 1

    def match(self, items: U32) -> Reupload | None:
        """Return the recording that the items are of, or None."""
        return next(iter(self.matches(items)), None)

    def matches(self, items: U32) -> list[Reupload]:
        """Return all recordings that the items are of, those with the fewest other bits first."""
        if items.size < FEWEST:
            return []
        count = _match(
            self._slots,
            self._pool,
            self._owner,
            self._starts,
            items,
            self._votes,
            self._looks[0],
            self._looks[1],
            self._found,
        )
        rows = self._found[:count].tolist()
        those = [Reupload(int(sound), different, int(begin)) for sound, different, begin in rows]
        return sorted(those, key=lambda one: one.different)

    def size(self, sound: int) -> int:
        """Return how many items a recording has."""
        return int(self._starts[sound + 1] - self._starts[sound])

    def used(self) -> int:
        """Return the bytes that the recordings take, without the room to grow."""
        return int(self._starts[self._count]) * ITEM_BYTES + self._count * self._starts.itemsize

    def fitting(self, order: I64, memory: int) -> I64:
        """Return as many of some recordings, the first ones, as take so much memory (bytes)."""
        sizes = np.diff(self._starts[: self._count + 1])[order]
        taken = np.cumsum(sizes * ITEM_BYTES + self._starts.itemsize)
        return order[: np.searchsorted(taken, memory, side="right")]

    def only(self, sounds: I64) -> "Reuploads":
        """Return some of the recordings, numbered from 0 on in this order."""
        kept = Reuploads()
        for sound in sounds.tolist():
            kept.add(self._pool[self._starts[sound] : self._starts[sound + 1]])
        return kept


def _grown(array: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    grown = zeros(size, array.dtype)
    grown[: array.size] = array
    return grown


def _power_of_two(least: int) -> int:
    return 1 << (max(_FIRST, least) - 1).bit_length()


@inlined
def _hash(item: np.uint32) -> np.uint64:
    return mix64(np.uint64(item) + np.uint64(1))


@kernel
def _insert(slots: U32, pool: U32, starts: I64, first: int, end: int) -> int:
    """Put the items of some recordings into the slots; returns how many."""
    mask = slots.size - 1
    put = 0
    for sound in range(first, end):
        every = _every(pool, starts[sound], starts[sound + 1])
        for place in range(starts[sound], starts[sound + 1]):
            if place > starts[sound] and pool[place] == pool[place - 1]:
                continue
            hashed = _hash(pool[place])
            if hashed % every:
                continue
            at = np.int64((hashed >> np.uint64(8)) & np.uint64(mask))
            alike = 0
            while slots[at] and alike < SAME:
                alike += pool[slots[at] - 1] == pool[place]
                at = (at + 1) & mask
            if alike < SAME:
                slots[at] = place + 1
                put += 1
    return put


@kernel
def _every(items: U32, begin: int, end: int) -> np.uint64:
    """Every how many-eth value of a recording is looked up: all where hardly any would be."""
    chosen = 0
    for i in range(begin, end):
        chosen += _hash(items[i]) % np.uint64(EVERY) == 0
        if chosen == _FEW:
            return np.uint64(EVERY)
    return np.uint64(1)


@kernel
def _match(
    slots: U32,
    pool: U32,
    owner: I32,
    starts: I64,
    items: U32,
    votes: I64,
    looks: I64,
    places: I64,
    found: F64,
) -> int:
    """Fill in the sounds, the shares of bits that differ and where the query begins in them."""
    hits = _places(slots, pool, items, looks, places)
    count = _vote(pool, items, places, hits, votes, looks)
    most = 0
    for k in range(count):
        most = max(most, votes[looks[k] & 0xFFFF, 1])
    sounds = 0
    compared = 0
    for k in range(count):
        at = looks[k] & 0xFFFF
        if 2 * votes[at, 1] < most or compared == _CANDIDATES:
            continue
        compared += 1
        sound = _sound_of(looks[k] >> 16, owner, starts)
        row = sounds
        for other in range(sounds):
            if found[other, 0] == sound:
                row = other
        least = DIFFERENT if row == sounds else found[row, 1]
        for begin in range(votes[at, 0] - 1, votes[at, 0] + 2):
            first = begin - starts[sound]
            different = _different(pool, starts[sound], starts[sound + 1], items, first, least)
            if different < least:
                least = different
                found[row, 0], found[row, 1], found[row, 2] = sound, different, first
                sounds = max(sounds, row + 1)
    return sounds


@kernel
def _places(slots: U32, pool: U32, items: U32, looks: I64, places: I64) -> int:
    """Note where items may be in the pool, each with its number in the query; returns how many."""
    mask = slots.size - 1
    every = _every(items, 0, items.size)
    n = 0
    for i in range(0, items.size, max(1, items.size // (_LOOKS * EVERY))):
        hashed = _hash(items[i])
        if hashed % every == 0 and n < _LOOKS:
            at = np.int64((hashed >> np.uint64(8)) & np.uint64(mask))
            prefetch(slots, at)
            looks[n] = at << 16 | i
            n += 1
    hits = 0
    for k in range(n):
        at = looks[k] >> 16
        while slots[at]:
            if hits < places.size:
                prefetch(pool, slots[at] - 1)
                places[hits] = np.int64(slots[at] - 1) << 16 | looks[k] & 0xFFFF
                hits += 1
            at = (at + 1) & mask
    return hits


@kernel
def _vote(pool: U32, items: U32, places: I64, hits: int, votes: I64, looks: I64) -> int:
    """Count which offsets the places say, and note each with a place; returns how many."""
    votes[:] = 0
    mask = votes.shape[0] - 1
    count = 0
    for h in range(hits):
        i = places[h] & 0xFFFF
        place = places[h] >> 16
        if pool[place] != items[i]:
            continue
        begin = place - i
        at = np.int64(mix64(np.uint64(begin)) & np.uint64(mask))
        while votes[at, 1] and votes[at, 0] != begin:
            at = (at + 1) & mask
        if votes[at, 1] == 0:
            if count == looks.size // 2:
                continue
            looks[count] = place << 16 | at
            votes[at, 0] = begin
            count += 1
        votes[at, 1] += 1
    return count


@inlined
def _sound_of(place: int, owner: I32, starts: I64) -> np.int64:
    """The recording that a place of the pool is in."""
    sound = np.int64(owner[place // _BLOCK])
    while starts[sound + 1] <= place:
        sound += 1
    return sound


@kernel
def _different(pool: U32, start: int, end: int, items: U32, begin: int, least: float) -> float:
    """Share of bits that differ where a query lies on a recording; 1 where that is too much.

    It is too much from `least` on, and where too little lies on each other.
    """
    first = max(0, -begin)
    last = min(items.size, end - start - begin)
    if last - first < FEWEST:
        return 1.0
    stride = max(1, (last - first) // _COMPARED)
    most = least * 32 * ((last - first + stride - 1) // stride)
    bits = 0
    compared = 0
    for i in range(first, last, stride):
        word = items[i] ^ pool[start + begin + i]
        word -= (word >> np.uint32(1)) & np.uint32(0x55555555)
        word = (word & np.uint32(0x33333333)) + ((word >> np.uint32(2)) & np.uint32(0x33333333))
        word = (word + (word >> np.uint32(4))) & np.uint32(0x0F0F0F0F)
        bits += ((word * np.uint32(0x01010101)) >> np.uint32(24)) & np.uint32(0xFF)
        compared += 32
        if bits >= most:
            return 1.0
    return bits / compared
