"""A community that is watched: hour by hour, who brings its members together.

An author counts once in `DAY_H` hours, so that the sum over a window of up to a day is of distinct
ones, however often a small crew repeats itself.
"""

from collections import deque
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


class Holding(NamedTuple):
    """Reels that hold members of a community: one entry for each of both."""

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


def holding(hour: Hour, what: Sought) -> Holding:
    """Return which reels of an hour hold members of which communities.

    Example:
        >>> reels = np.array([5, 6], np.uint64)
        >>> hour = Hour(reels, reels, np.array([0, 2, 3]), np.array([1, 2, 3], np.uint64))
        >>> found = holding(hour, sought([np.array([2, 1], np.uint64)]))
        >>> found.reel.tolist(), found.members.tolist()
        ([5], [3])
    """
    return Holding(*_holding(hour, what))


@njit(cache=True)
def _holding(hour: Hour, what: Sought) -> tuple[I64, U64, U64, I64]:
    size = 0
    for i in range(hour.signals.size):
        size += what.sieve[hour.signals[i] & np.uint64(_SIEVE - 1)]
    community, members = np.empty(size, np.int64), np.zeros(size, np.int64)
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
                found += 1
            members[place] |= np.int64(1) << what.bit[at]
    return community[:found], reel[:found], author[:found], members[:found]


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
        self.users: deque[int] = deque(maxlen=log_hours)
        self.together: deque[int] = deque(maxlen=log_hours)
        self._last: dict[int, int] = {}
        """Author who brought members together -> the last hour of it."""
        self._reels: deque[tuple[U64, I64]] = deque(maxlen=REELS_H)

    def take(self, hour: int, held: Holding, community: int) -> None:
        """Take the next hour."""
        own = held.community == community
        if not own.any():
            self.users.append(0)
            self.together.append(0)
            self._reels.append(NO_REELS)
            return
        several = own & (held.members & (held.members - 1) > 0)
        who = set(held.author[several].tolist())
        self.users.append(len({*held.author[own].tolist()}))
        self.together.append(sum(hour - self._last.get(author, -DAY_H) >= DAY_H for author in who))
        old = [author for author, last in self._last.items() if hour - last >= DAY_H]
        for author in old:
            del self._last[author]
        self._last.update(dict.fromkeys(who, hour))
        self._reels.append((held.reel[several], held.members[several]))

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
