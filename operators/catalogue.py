"""The ids of the reels of the last days, so that a trend can name examples.

Shards know reels by their hashes alone. The ids go around them, straight to `operators.synthesise`,
in blocks that are kept sorted by hash and merged as they grow old.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import repeat
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from operators.blocks import Fresh
from operators.reels import CAPTION, LANGUAGE, REEL_ID, REGION, VERSION
from operators.strings import Strings
from trend import homes
from trend.engagement import UNKNOWN, engagement, sums
from trend.known import Usual
from trend.sketches import sketches

U64 = npt.NDArray[np.uint64]
U32 = npt.NDArray[np.uint32]
I8 = npt.NDArray[np.int8]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
Int = int | np.int64

MERGE_UP_TO: Final = 1 << 16
"""Reels in a block at most."""
_NEAR: Final = 64
"""Places that a hash may well be from where it would be if hashes were evenly spread."""


@dataclass(frozen=True, slots=True)
class Names:
    """n reels by hash, with their ids."""

    reel: npt.NDArray[np.uint64]  # [n] hash of the id
    apply: npt.NDArray[np.int32]  # [n] tick of effect
    ids: Strings  # [n]
    author: npt.NDArray[np.uint64]  # [n]
    text: npt.NDArray[np.uint64]  # [n] sketch of the caption (`trend.sketches`)
    engaged: I8  # [n, 2] codes of `trend.engagement`
    homes: U32  # [n, 2] region and language (`trend.homes`)


@dataclass(frozen=True, slots=True)
class ReelIds:
    """Reels of one poll, and how far its partition is complete."""

    partition: str
    reels: Names
    closed: int
    end: bool


def reel_ids(fresh: Fresh) -> list[ReelIds]:
    """Return what the catalogue needs of a poll."""
    new = ~fresh.again
    reels = fresh.reels
    ids = Strings.cut(reels.data, reels.starts[new, REEL_ID], reels.lengths[new, REEL_ID])
    texts = sketches(
        reels.data,
        np.ascontiguousarray(reels.starts[new, CAPTION]),
        np.ascontiguousarray(reels.lengths[new, CAPTION]),
    )
    engaged = engagement(np.ascontiguousarray(reels.numbers[new, :VERSION]))
    places = [
        homes.homes(
            reels.data,
            np.ascontiguousarray(reels.starts[new, column]),
            np.ascontiguousarray(reels.lengths[new, column]),
        )
        for column in (REGION, LANGUAGE)
    ]
    known = (fresh.author[new], texts, engaged, np.stack(places, axis=1))
    names = Names(fresh.reel[new], fresh.apply[new], ids, *known)
    return [ReelIds(fresh.partition, names, fresh.closed, fresh.end)]


@dataclass(frozen=True, slots=True)
class Block:
    """Some reels in the order of their hashes; the ids stay in the order in which they came."""

    reel: npt.NDArray[np.uint64]
    apply: npt.NDArray[np.int32]
    place: npt.NDArray[np.int32]
    """Where its id stands in `ids`."""
    ids: Strings
    author: npt.NDArray[np.uint64]
    text: npt.NDArray[np.uint64]
    engaged: I8
    homes: U32
    latest: int
    """Last tick in `apply`."""

    def with_newer(self, new: "Block") -> "Block":
        """Return one block of both."""
        reel = np.concatenate([self.reel, new.reel])
        order = np.argsort(reel)
        return Block(
            reel[order],
            np.concatenate([self.apply, new.apply])[order],
            np.concatenate([self.place, new.place + np.int32(self.place.size)])[order],
            Strings.joined([self.ids, new.ids]),
            np.concatenate([self.author, new.author])[order],
            np.concatenate([self.text, new.text])[order],
            np.concatenate([self.engaged, new.engaged])[order],
            np.concatenate([self.homes, new.homes])[order],
            max(self.latest, new.latest),
        )


class Known(NamedTuple):
    """What is known of n reels that were asked for."""

    there: npt.NDArray[np.bool_]  # [n] they are known
    author: U64  # [n] 0 where not; so are the next two
    text: U64  # [n] sketch of the caption
    apply: I32  # [n] tick of effect
    engaged: I8  # [n, 2] codes of `trend.engagement`
    homes: U32  # [n, 2] region and language (`trend.homes`)


_NEVER: Final = int(np.iinfo(np.int32).min)
"""A tick before all others."""
_ENGAGED: Final = 6
"""Numbers of `Usual.engaged`, before those of `Usual.homes` in a row of both."""


class Catalogue:
    """Reel ids by hash, for so many ticks and at most so many reels.

    What is found depends on the reels up to the tick asked for alone, not on how far ahead of it
    the partitions have been read.

    Args:
        ticks: how long a reel is kept.
        limit: reels of complete ticks that are kept at most; older ticks go first.
    """

    def __init__(self, ticks: int, limit: int) -> None:
        self._ticks = ticks
        self._limit = limit
        self._blocks: list[Block] = []
        self._per_tick: Counter[int] = Counter()
        self._usual: dict[int, I64] = {}
        """How the reels of each tick are: a `Usual` in one row."""
        self._summed: tuple[int, int, I64] | None = None
        """The first and last tick that were asked for last, and how their reels are."""
        self._gone = _NEVER
        """The first tick that was not let go of."""

    def add(self, reels: Names) -> None:
        """Take the reels of a poll."""
        reel, apply = reels.reel, reels.apply
        if not reel.size:
            return
        ticks, group, counts = np.unique(apply, return_inverse=True, return_counts=True)
        self._per_tick.update(dict(zip(ticks.tolist(), counts.tolist(), strict=True)))
        engaged = sums(reels.engaged, group, ticks.size).reshape(ticks.size, -1)
        places = homes.sums(reels.homes, group, ticks.size).reshape(ticks.size, -1)
        for tick, row in zip(ticks.tolist(), np.hstack([engaged, places]), strict=True):
            had = self._usual.get(tick)
            self._usual[tick] = row.copy() if had is None else had + row
        if self._summed is not None and ticks[0] <= self._summed[1]:
            self._summed = None
        order = np.argsort(reel)
        place = order.astype(np.int32)
        block = Block(
            reel[order],
            apply[order],
            place,
            reels.ids,
            reels.author[order],
            reels.text[order],
            reels.engaged[order],
            reels.homes[order],
            int(ticks[-1]),
        )
        while self._blocks:
            old, new = self._blocks[-1].reel.size, block.reel.size
            if old > 2 * new or old + new > MERGE_UP_TO:
                break
            block = self._blocks.pop().with_newer(block)
        self._blocks.append(block)

    def reels(self) -> int:
        """Return how many reels are kept."""
        return self._per_tick.total()

    def forget(self, tick: int) -> None:
        """Let go of blocks that hold nothing that could be asked for at `tick` or later."""
        oldest = self._oldest(tick)
        self._gone = max(self._gone, oldest)
        self._blocks = [block for block in self._blocks if block.latest >= oldest]
        for old in [at for at in self._per_tick if at < oldest]:
            del self._per_tick[old], self._usual[old]

    def find(self, hashes: Iterable[int], tick: int) -> dict[int, str]:
        """Return the ids of those reels that are known at `tick`, by hash."""
        wanted = np.array(sorted(set(hashes)), np.uint64)
        oldest = self._oldest(tick)
        found: dict[int, str] = {}
        for block in self._blocks:
            at = _within(block.reel, block.apply, wanted, oldest, tick)
            for reel, place in zip(block.reel[at].tolist(), block.place[at].tolist(), strict=True):
                name = block.ids[place]
                found[reel] = min(name, found.get(reel, name))
        return found

    def known(self, reels: U64, tick: int) -> Known:
        """Return what is known of reels at `tick`; `reels` are ascending, each once.

        Of one that several partitions tell of differently it is the same whoever came first.
        """
        found = Known(
            np.zeros(reels.size, np.bool_),
            np.zeros(reels.size, np.uint64),
            np.zeros(reels.size, np.uint64),
            np.zeros(reels.size, np.int32),
            np.full((reels.size, 2), UNKNOWN, np.int8),
            np.zeros((reels.size, 2), np.uint32),
        )
        oldest = self._oldest(tick)
        for block in self._blocks:
            held = (block.reel, block.apply, block.author, block.text, block.engaged, block.homes)
            _look(*held, reels, oldest, tick, *found)
        return found

    def usual(self, tick: int, last: int, ticks: int) -> Usual:
        """Return how the reels known at `tick` of so many ticks are, `last` the last of these."""
        oldest = max(self._oldest(tick), last - ticks + 1)
        if self._summed is None or self._summed[:2] != (oldest, last):
            self._summed = oldest, last, self._sum(oldest, last)
        row = self._summed[2]
        return Usual(row[:_ENGAGED].reshape(2, -1), row[_ENGAGED:].reshape(2, -1))

    def _sum(self, oldest: int, last: int) -> I64:
        """Sum how the reels of these ticks are, from what was summed last where it holds them."""
        row: I64 = np.zeros(_ENGAGED + 2 * homes.BUCKETS, np.int64)
        first, until = oldest, oldest - 1
        if self._summed is not None and self._gone <= self._summed[0] <= oldest <= self._summed[1]:
            first, until, row = *self._summed[:2], self._summed[2].copy()
        for at in range(first, oldest):
            row -= self._usual.get(at, 0)
        for at in range(until + 1, last + 1):
            row += self._usual.get(at, 0)
        return row

    def volume(self, tick: int, ticks: int) -> npt.NDArray[np.int64]:
        """Return the reels in so many ticks, int64[ticks], `tick` first; 0 where none is kept."""
        oldest = self._oldest(tick)
        those = range(tick, max(tick - ticks, oldest - 1), -1)
        reels = list(map(self._per_tick.get, those, repeat(0)))
        return np.array(reels + [0] * (ticks - len(reels)), np.int64)

    def _oldest(self, tick: int) -> int:
        """Return the oldest tick whose reels are kept at `tick`."""
        oldest = tick - self._ticks
        if sum([block.reel.size for block in self._blocks]) <= self._limit:
            return oldest
        if self._per_tick.total() <= self._limit:
            return oldest
        reels = 0
        for at in sorted((t for t in self._per_tick if oldest < t <= tick), reverse=True):
            reels += self._per_tick[at]
            if reels > self._limit:
                return at + 1
        return oldest


@njit(cache=True)
def _look(
    reel: U64,
    apply: I32,
    author: U64,
    text: U64,
    engaged: I8,
    homes: U32,
    wanted: U64,
    oldest: Int,
    newest: Int,
    there: npt.NDArray[np.bool_],
    authors: U64,
    texts: U64,
    ticks: I32,
    codes: I8,
    places: U32,
) -> None:
    """Note what a block knows of the wanted reels; both are in the order of their hashes."""
    at: Int = np.int64(0)
    for i in range(wanted.size):
        at = _place(reel, wanted[i], at)
        while at < reel.size and reel[at] == wanted[i]:
            if oldest <= apply[at] <= newest:
                first = (author[at], text[at]) < (authors[i], texts[i])
                if first or not there[i]:
                    authors[i], texts[i] = author[at], text[at]
                if (engaged[at, 0], engaged[at, 1]) > (codes[i, 0], codes[i, 1]):
                    codes[i] = engaged[at]
                for part in range(2):
                    places[i, part] = max(places[i, part], homes[at, part])
                ticks[i] = min(ticks[i], apply[at]) if there[i] else apply[at]
                there[i] = True
            at += 1


@njit(cache=True)
def _within(reel: U64, apply: I32, wanted: U64, oldest: Int, newest: Int) -> I64:
    """Return where the wanted reels stand in a block, those of these ticks alone."""
    found = np.empty(2 * wanted.size, np.int64)
    count = 0
    at: Int = np.int64(0)
    for i in range(wanted.size):
        at = _place(reel, wanted[i], at)
        while at < reel.size and reel[at] == wanted[i]:
            if oldest <= apply[at] <= newest:
                if count == found.size:
                    found = np.concatenate((found, np.empty_like(found)))
                found[count] = at
                count += 1
            at += 1
    return found[:count]


@njit(cache=True)
def _place(reel: U64, wanted: np.uint64, first: Int) -> Int:
    """Return the first place, from `first` on, of a hash not below the wanted one.

    Hashes are evenly spread, so it is looked for around where it would then be.
    """
    size = np.int64(reel.size)
    guess = np.int64(((wanted >> np.uint64(32)) * np.uint64(size)) >> np.uint64(32))
    low = high = max(guess, first)
    step = np.int64(_NEAR)
    if low < size and reel[low] < wanted:
        high += step
        while high < size and reel[high] < wanted:
            low = high
            step *= 4
            high += step
        high = min(high, size)
    else:
        low -= step
        while low > first and reel[low] >= wanted:
            high = low
            step *= 4
            low -= step
        low = max(low, first)
    while low < high:
        middle = (low + high) // 2
        if reel[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low
