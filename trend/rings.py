"""The rings of history: sums over them, and bringing them to a tick.

A ring holds the last places of a count, place by place % size. It is brought forward when it is
touched, so that what is not used costs nothing.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from trend.layout import (
    AUTHORS,
    HOURS,
    HOURS_VOLUME,
    I64,
    REELS,
    U16,
    VOLUME_TICK,
    VOLUME_TOTAL,
    Int,
    Records,
)


@njit(cache=True)
def ring_sum(ring: I64, first: Int, last: Int) -> Int:
    """Sum the places `first` to `last`, both included, of a ring by place % size.

    At most one turn of the ring; nothing where `last` is before `first`.
    """
    size = ring.size
    if last < first:
        return 0
    start, stop = first % size, last % size + 1
    total = np.int64(0)
    if start < stop:
        for at in range(start, stop):
            total += ring[at]
    else:
        for at in range(start, size):
            total += ring[at]
        for at in range(stop):
            total += ring[at]
    return total


@njit(cache=True)
def row_sum(rings: U16, row: Int, what: Int, first: Int, last: Int) -> Int:
    """Sum AUTHORS or REELS of a row's ring, as `ring_sum` does."""
    size = rings.shape[1]
    if last < first:
        return 0
    start, stop = first % size, last % size + 1
    total = np.int64(0)
    if start < stop:
        for at in range(start, stop):
            total += rings[row, at, what]
    else:
        for at in range(start, size):
            total += rings[row, at, what]
        for at in range(stop):
            total += rings[row, at, what]
    return total


@njit(cache=True, inline="always")
def _clear(rings: U16, row: Int, count: Int, last: Int) -> tuple[Int, Int]:
    """Empty the `count` places of a row's ring up to place `last`; return what they held."""
    size = rings.shape[1]
    at = last - min(count, size) + 1
    if at < 0:
        at += size
    authors = reels = np.int64(0)
    while True:
        if rings[row, at, REELS] != 0:
            authors += rings[row, at, AUTHORS]
            reels += rings[row, at, REELS]
            rings[row, at, AUTHORS] = 0
            rings[row, at, REELS] = 0
        if at == last:
            return authors, reels
        at = at + 1 if at + 1 < size else 0


@njit(cache=True)
def advance_volume(n: I64, volume: I64, hour_volume: I64, tick: Int, ticks_per_hour: Int) -> None:
    """Bring the volume's rings to `tick`: what lies between is empty."""
    day = volume.size
    last = n[VOLUME_TICK]
    if tick <= last:
        return
    if tick - last >= day:
        volume[:] = 0
    else:
        for t in range(last + 1, tick + 1):
            volume[t % day] = 0
    hour, last_hour = tick // ticks_per_hour, last // ticks_per_hour
    if hour - last_hour >= HOURS:
        hour_volume[:] = 0
        n[HOURS_VOLUME] = 0
    else:
        for h in range(last_hour + 1, hour + 1):
            n[HOURS_VOLUME] -= hour_volume[h % HOURS]
            hour_volume[h % HOURS] = 0
    n[VOLUME_TICK] = tick


@njit(cache=True)
def add_volume(
    n: I64,
    volume: I64,
    hour_volume: I64,
    rows: Records,
    start: Int,
    through: Int,
    ticks_per_hour: Int,
) -> Int:
    """Count the volume of all ticks of effect up to `through`; return where it stopped.

    Args:
        rows: VOLUME records in the order of `apply`.
        start: the first of them that is not counted yet.
    """
    at = start
    while at < rows.size and rows[at].apply <= through:
        now, tick, reels = np.int64(rows[at].apply), np.int64(rows[at].tick), rows[at].reels
        advance_volume(n, volume, hour_volume, now, ticks_per_hour)
        if now - tick < volume.size:
            volume[tick % volume.size] += reels
        hour = tick // ticks_per_hour
        if now // ticks_per_hour - hour < HOURS:
            hour_volume[hour % HOURS] += reels
            n[HOURS_VOLUME] += reels
        n[VOLUME_TOTAL] += reels
        at += 1
    return at


class Moment(NamedTuple):
    """A tick and its places in the rings: divisions are dear, so they are done once a tick."""

    tick: Int
    at: Int  # in the ring of ticks
    hour: Int
    hour_at: Int  # in the ring of hours


@njit(cache=True)
def moment(tick: Int, day: Int, ticks_per_hour: Int) -> Moment:
    """Return `tick` and its places; a day has `day` ticks."""
    hour = tick // ticks_per_hour
    return Moment(tick, tick % day, hour, hour % HOURS)


@njit(cache=True, inline="always")
def advance_row(signals: Records, ticks: U16, hours: U16, row: Int, now: Moment) -> None:
    """Bring a row's rings to `now`."""
    gap = now.tick - signals[row].last
    if gap > 0:
        if signals[row].day_reels != 0:
            authors, reels = _clear(ticks, row, gap, now.at)
            signals[row].day_authors -= authors
            signals[row].day_reels -= reels
        gap = now.hour - signals[row].last_hour
        if gap > 0:
            authors, _ = _clear(hours, row, gap, now.hour_at)
            signals[row].hours_authors -= authors
            signals[row].last_hour = now.hour
        signals[row].last = now.tick
