"""A community that is watched: hour by hour, who brings its members together.

An author counts again only after `DAY_H` hours without it, so that no crew that repeats itself
grows: over a window of up to a day the sum is of distinct authors, or less.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numba import njit

from trend.graph.arrays import F64, I64, U64, Bools, Int

DAY_H: Final = 24
REELS_H: Final = 48
MOST: Final = 16
"""Members watched of a community, the heaviest: one bit each."""
NEVER: Final = -(1 << 40)
NO_REELS: Final = np.zeros(0, np.uint64), np.zeros(0, np.int64)
_SIEVE: Final = 4096


class Hour(NamedTuple):
    """The n reels of an hour, in any order; those of reel i are from `bounds[i]` on."""

    reel: U64  # [n] hashes
    author: U64  # [n]
    bounds: I64  # [n + 1]
    signals: U64  # [.] each once a reel


class Block(NamedTuple):
    """The n reels of some hours in a row."""

    first: int  # hour
    hour: I64  # [n] of each reel
    reels: Hour


def merged(blocks: Sequence[Block]) -> Block:
    """Return one block of several that follow each other."""
    uses = [block.reels.signals.size for block in blocks]
    bounds = [
        block.reels.bounds[1:] + before
        for block, before in zip(blocks, np.cumsum(uses) - uses, strict=True)
    ]
    return Block(
        blocks[0].first,
        np.concatenate([block.hour for block in blocks]),
        Hour(
            np.concatenate([block.reels.reel for block in blocks]),
            np.concatenate([block.reels.author for block in blocks]),
            np.concatenate([np.zeros(1, np.int64), *bounds]),
            np.concatenate([block.reels.signals for block in blocks]),
        ),
    )


class Holding(NamedTuple):
    """Reels that hold members of a community: one entry for each of both."""

    hour: I64
    community: I64  # its place
    reel: U64
    author: U64
    members: I64  # bits, by the places of the members


class Sought(NamedTuple):
    """The members of communities, as `holding` looks for them."""

    signals: U64  # ascending
    community: I64
    bit: I64
    sieve: Bools


def sought(members: list[U64]) -> Sought:
    """Return what to look for: the signals of each community, each in one."""
    signals = np.concatenate([np.zeros(0, np.uint64), *members])
    sizes = [one.size for one in members]
    community = np.repeat(np.arange(len(members)), sizes)
    bit = np.arange(signals.size) - np.repeat(np.cumsum(sizes) - sizes, sizes).astype(np.int64)
    order = np.argsort(signals)
    sieve = np.zeros(_SIEVE, np.bool_)
    sieve[(signals & np.uint64(_SIEVE - 1)).astype(np.int64)] = True
    return Sought(signals[order], community[order], bit[order], sieve)


def holding(blocks: Sequence[Block], what: Sought) -> Holding:
    """Return which reels hold members of which communities, hour by hour.

    Example:
        >>> reels = np.array([5, 6], np.uint64)
        >>> hour = Hour(reels, reels, np.array([0, 2, 3]), np.array([1, 2, 3], np.uint64))
        >>> block = Block(9, np.array([9, 9]), hour)
        >>> found = holding([block], sought([np.array([2, 1], np.uint64)]))
        >>> found.reel.tolist(), found.members.tolist()
        ([5], [3])
    """
    parts = [_holding(block.hour, block.reels, what) for block in blocks]
    return Holding(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


@njit(cache=True)
def _holding(hours: I64, hour: Hour, what: Sought) -> tuple[I64, I64, U64, U64, I64]:
    size = 0
    for i in range(hour.signals.size):
        size += what.sieve[hour.signals[i] & np.uint64(_SIEVE - 1)]
    community, members = np.empty(size, np.int64), np.zeros(size, np.int64)
    when = np.empty(size, np.int64)
    reel, author = np.empty(size, np.uint64), np.empty(size, np.uint64)
    found = np.int64(0)
    for i in range(hour.reel.size):
        start = found
        for j in range(hour.bounds[i], hour.bounds[i + 1]):
            signal = hour.signals[j]
            if not what.sieve[signal & np.uint64(_SIEVE - 1)]:
                continue
            at = np.searchsorted(what.signals, signal)
            if at == what.signals.size or what.signals[at] != signal:
                continue
            place = _place(community, start, found, what.community[at])
            if place == found:
                community[found] = what.community[at]
                reel[found], author[found] = hour.reel[i], hour.author[i]
                when[found] = hours[i]
                found += 1
            members[place] |= np.int64(1) << what.bit[at]
    return when[:found], community[:found], reel[:found], author[:found], members[:found]


@njit(cache=True)
def _place(community: I64, start: Int, stop: Int, one: Int) -> Int:
    for at in range(start, stop):
        if community[at] == one:
            return at
    return stop


class Watched:
    """One community, and its hours from the first of the log on.

    Args:
        members: its signals, the heaviest first; at most `MOST`.
        log_hours: hours kept.
    """

    def __init__(self, members: U64, log_hours: int) -> None:
        self.members = members
        self.significant = NEVER
        """Last hour in which two of its members came together significantly often."""
        self.log10_p = 0.0
        """The least p-value of two of them then."""
        self.burst = NEVER
        """Last hour in which it was reported as a burst."""
        self.told = NEVER
        """Last hour in which its members and reels were told."""
        self.told_authors = 0
        self.users: deque[int] = deque(maxlen=log_hours)
        self.together: deque[int] = deque(maxlen=log_hours)
        self._last: dict[int, int] = {}
        """Author who brought members together -> the last hour of it."""
        self._reels: deque[tuple[U64, I64]] = deque(maxlen=REELS_H)

    def take(self, first: int, last: int, held: Holding, community: int) -> None:
        """Take the next hour, or at the beginning several: those from `first` to `last`."""
        own = np.flatnonzero((held.community == community) & (held.hour >= first))
        if first < last:
            self._take_all(first, last, held, own)
        elif own.size:
            self._take(first, held, own)
        else:
            self.users.append(0)
            self.together.append(0)
            self._reels.append(NO_REELS)

    def _take_all(self, first: int, last: int, held: Holding, own: I64) -> None:
        """Take several hours; nothing was taken within a day before them."""
        hours, authors, members = held.hour[own] - first, held.author[own], held.members[own]
        count = last - first + 1
        order = np.lexsort((authors, hours))
        new = _differ(hours[order]) | _differ(authors[order])
        self.users.extend(np.bincount(hours[order][new], minlength=count).tolist())
        several = np.flatnonzero(members & (members - 1) > 0)
        order = several[np.lexsort((hours[several], authors[several]))]
        when, who = hours[order], authors[order]
        new = _differ(who) | (np.diff(when, prepend=-DAY_H) >= DAY_H)
        self.together.extend(np.bincount(when[new], minlength=count).tolist())
        lately = when > count - 1 - DAY_H
        pairs = zip(who[lately].tolist(), (when[lately] + first).tolist(), strict=True)
        self._last = dict(pairs)
        for hour in range(max(count - REELS_H, 0), count):
            at = several[hours[several] == hour]
            self._reels.append((held.reel[own][at], members[at]))

    def _take(self, hour: int, held: Holding, own: I64) -> None:
        members, authors = held.members[own], held.author[own]
        several = members & (members - 1) > 0
        who = set(authors[several].tolist())
        self.users.append(len({*authors.tolist()}))
        self.together.append(sum(hour - self._last.get(author, -DAY_H) >= DAY_H for author in who))
        old = [author for author, last in self._last.items() if hour - last >= DAY_H]
        for author in old:
            del self._last[author]
        self._last.update(dict.fromkeys(who, hour))
        self._reels.append((held.reel[own][several], members[several]))

    def authors(self, hour: int, windows: tuple[int, ...]) -> list[int]:
        """Return how many brought members together in each of the windows that end with `hour`."""
        last = np.sort(np.array([*self._last.values()], np.int64))
        after = last.searchsorted(hour - np.array(windows), "right")
        counts: list[int] = (last.size - after).tolist()
        return counts

    def reels(self, hours: int) -> U64:
        """Return the reels that bring members together, of the last hours, ascending."""
        return np.unique(np.concatenate([np.zeros(0, np.uint64), *self._of(hours, 0)]))

    def reels_by_hour(self, hours: int) -> F64:
        """Return how many of them there are in each of the last hours, oldest first."""
        counts = [reels.size for reels, _ in self._reels][-hours:]
        return np.array([0] * (hours - len(counts)) + counts, np.float64)

    def reels_by_member(self, hours: int) -> list[int]:
        """Return in how many of them each member is."""
        bits = np.concatenate([np.zeros(0, np.int64), *self._of(hours, 1)])
        return [int(np.count_nonzero(bits >> at & 1)) for at in range(self.members.size)]

    def _of(self, hours: int, column: int) -> list[U64 | I64]:
        return [one[column] for one in [*self._reels][-hours:]]


def _differ(values: I64 | U64) -> Bools:
    """Say of each whether it differs from the one before it."""
    differ = np.ones(values.size, np.bool_)
    np.not_equal(values[1:], values[:-1], out=differ[1:])
    return differ
