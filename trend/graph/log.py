"""The reels of the last days with the signals they use: a ring, with the uses of a signal chained.

To know the past of a community that is new its members' uses are followed back, newest first; no
other reel is looked at. A chain goes on from a bucket by the low bits of the signal's hash, as that
of young signals in `trend.log`, and ends where it leaves the ring.
"""

from typing import Final, NamedTuple

import numpy as np
from numba import njit

from trend.compiled import kernel, prefetch
from trend.graph.arrays import I64, U64, Int, Records

REEL: Final = np.dtype(
    [
        ("reel", np.uint64),  # hash of its id
        ("author", np.uint64),
        ("hour", np.int32),
        ("uses", np.int32),
    ]
)
USE: Final = np.dtype(
    [
        ("signal", np.uint64),
        ("reel", np.uint32),  # number of the reel, modulo 2**32
        ("back", np.uint32),  # numbers back to the use before it in its bucket; 0: there is none
    ]
)
BUCKETS: Final = 1 << 16
FIRST_ROOM: Final = 1 << 14
_AHEAD: Final = 8
"""Uses ahead of which memory is asked for."""

# Places in `Log.n`. Reels and uses are numbered from 0 on.
FIRST_REEL: Final = 0
NEXT_REEL: Final = 1
FIRST_USE: Final = 2
NEXT_USE: Final = 3
SINCE: Final = 4  # the first hour of which all reels are there


class Log(NamedTuple):
    """The newest reels and their uses; number k is at place k modulo the size."""

    n: I64
    reels: Records  # REEL
    uses: Records  # USE
    heads: I64  # [BUCKETS] number of the newest use + 1


def empty() -> Log:
    """Return a log of no reels."""
    n = np.zeros(5, np.int64)
    n[SINCE] = -1
    return Log(
        n, np.zeros(FIRST_ROOM, REEL), np.zeros(FIRST_ROOM, USE), np.zeros(BUCKETS, np.int64)
    )


def added(
    log: Log, hour: int, reel: U64, author: U64, bounds: I64, signals: U64, hours: int, most: int
) -> Log:
    """Return the log with the reels of an hour; the arrays of `log` are used on.

    Args:
        hour: later than those before.
        reel, author: hashes, uint64[n].
        bounds: signals of reel i are those from `bounds[i]` to `bounds[i + 1]`, int64[n + 1].
        hours: those kept, with this one.
        most: reels, and twice as many uses, kept at most, a power of two; beyond it the oldest
            hours go.
    """
    if log.n[SINCE] < 0:
        log.n[SINCE] = hour
    _expire(log.n, log.reels, hour - hours, reel.size - most, signals.size - 2 * most)
    if reel.size > most or signals.size > 2 * most:
        log.n[SINCE] = hour + 1
        return log
    log = log._replace(
        reels=_with_room(log.reels, log.n[FIRST_REEL], log.n[NEXT_REEL], reel.size),
        uses=_with_room(log.uses, log.n[FIRST_USE], log.n[NEXT_USE], signals.size),
    )
    _append(log.n, log.reels, log.uses, log.heads, hour, reel, author, bounds, signals)
    return log


def _with_room(ring: Records, first: int, after: int, more: int) -> Records:
    """Return a ring, for so many more, with what is numbered from `first` up to `after`."""
    needed = int(after - first) + more
    if needed <= ring.size:
        return ring
    larger = np.zeros(1 << (needed - 1).bit_length(), ring.dtype)
    _copy(ring, larger, first, after)
    return larger


@kernel
def _copy(ring: Records, larger: Records, first: Int, after: Int) -> None:
    for number in range(first, after):
        larger[number & (larger.size - 1)] = ring[number & (ring.size - 1)]


@kernel
def _expire(n: I64, reels: Records, last: Int, reels_over: Int, uses_over: Int) -> None:
    """Let reels go by whole hours: up to the hour `last`, and while there are too many."""
    while n[FIRST_REEL] < n[NEXT_REEL]:
        over = (
            n[NEXT_REEL] - n[FIRST_REEL] + reels_over > 0
            or n[NEXT_USE] - n[FIRST_USE] + uses_over > 0
        )
        hour = reels[n[FIRST_REEL] & (reels.size - 1)].hour
        if hour > last and not over:
            return
        if over:
            n[SINCE] = hour + 1
        while n[FIRST_REEL] < n[NEXT_REEL]:
            at = n[FIRST_REEL] & (reels.size - 1)
            if reels[at].hour != hour:
                break
            n[FIRST_REEL] += 1
            n[FIRST_USE] += reels[at].uses


@kernel
def _append(
    n: I64,
    reels: Records,
    uses: Records,
    heads: I64,
    hour: Int,
    reel: U64,
    author: U64,
    bounds: I64,
    signals: U64,
) -> None:
    for i in range(reel.size):
        number = n[NEXT_REEL]
        at = number & (reels.size - 1)
        reels[at].reel = reel[i]
        reels[at].author = author[i]
        reels[at].hour = hour
        reels[at].uses = bounds[i + 1] - bounds[i]
        n[NEXT_REEL] = number + 1
        for j in range(bounds[i], bounds[i + 1]):
            if j + _AHEAD < signals.size:
                prefetch(heads, np.int64(signals[j + _AHEAD] & np.uint64(heads.size - 1)))
            use = n[NEXT_USE]
            bucket = np.int64(signals[j] & np.uint64(heads.size - 1))
            before = heads[bucket] - 1
            there = before >= n[FIRST_USE]
            place = use & (uses.size - 1)
            uses[place].signal = signals[j]
            uses[place].reel = np.uint32(number & 0xFFFFFFFF)
            uses[place].back = np.uint32(use - before) if there else np.uint32(0)
            heads[bucket] = use + 1
            n[NEXT_USE] = use + 1


class Past(NamedTuple):
    """The n reels that use any of some signals, oldest first."""

    hour: I64
    reel: U64
    author: U64
    members: I64  # bits, by the places of the signals


def past(log: Log, signals: U64, since: int) -> Past:
    """Return the reels from the hour `since` on that use signals, at most 63 of them.

    Example:
        >>> reels = np.array([5, 6], np.uint64)
        >>> uses = np.array([1, 2, 3], np.uint64)
        >>> log = added(empty(), 9, reels, reels, np.array([0, 2, 3]), uses, hours=24, most=1 << 20)
        >>> found = past(log, np.array([2, 1], np.uint64), since=0)
        >>> found.reel.tolist(), found.members.tolist()
        ([5], [3])
    """
    codes = np.sort(_uses_of(log.n, log.uses, log.heads, signals))
    return Past(*_reels_of(log.n, log.reels, codes, since))


@njit(cache=True, nogil=True)
def _uses_of(n: I64, uses: Records, heads: I64, signals: U64) -> I64:
    """Return for each use which reel it is of, from the first in the log on, and which signal's.

    All chains are followed side by side, so that none waits for the memory of another.
    """
    found = np.empty(256, np.int64)
    count = 0
    next_use = np.empty(signals.size, np.int64)
    going = np.arange(signals.size)
    for bit in range(signals.size):
        next_use[bit] = heads[np.int64(signals[bit] & np.uint64(heads.size - 1))] - 1
    left = signals.size
    while left > 0:
        if count + left > found.size:
            longer = np.empty(2 * found.size + left, np.int64)
            longer[:count] = found[:count]
            found = longer
        kept = 0
        for i in range(left):
            bit = going[i]
            use = next_use[bit]
            if use < n[FIRST_USE]:
                continue
            at = use & (uses.size - 1)
            if uses[at].signal == signals[bit]:
                age = np.int64(np.uint32(np.uint64(uses[at].reel) - np.uint64(n[FIRST_REEL])))
                found[count] = age << 6 | bit
                count += 1
            if uses[at].back != 0:
                use -= np.int64(uses[at].back)
                prefetch(uses, use & (uses.size - 1))
                next_use[bit] = use
                going[kept] = bit
                kept += 1
        left = kept
    return found[:count]


@njit(cache=True, nogil=True)
def _reels_of(n: I64, reels: Records, codes: I64, since: Int) -> tuple[I64, U64, U64, I64]:
    """Bring the uses of each reel together; `codes` ascending."""
    hour, members = np.empty(codes.size, np.int64), np.zeros(codes.size, np.int64)
    reel, author = np.empty(codes.size, np.uint64), np.empty(codes.size, np.uint64)
    count = 0
    last = np.int64(-1)
    for code in codes:
        at = (n[FIRST_REEL] + (code >> 6)) & (reels.size - 1)
        if reels[at].hour < since:
            continue
        if code >> 6 != last:
            last = code >> 6
            hour[count] = reels[at].hour
            reel[count], author[count] = reels[at].reel, reels[at].author
            count += 1
        members[count - 1] |= np.int64(1) << (code & 63)
    return hour[:count], reel[:count], author[:count], members[:count]
