"""The platform's volume: reels of the last day by tick and of the last fifteen days by hour.

A ring holds running totals, place by place % size: what came up to and including a place. So a sum
over places is one subtraction, however many they are. It has one place more than can be summed.
"""

from typing import NamedTuple

import numpy as np

from trend.compiled import inlined, kernel
from trend.layout import HOURS, I64, VOLUME_TICK, VOLUME_TOTAL, Int, Records


@kernel
def ring_sum(ring: I64, first: Int, last: Int) -> Int:
    """Return what the places `first` to `last`, both included, hold; 0 if `last` is before."""
    if last < first:
        return np.int64(0)
    return ring[last % ring.size] - ring[(first - 1) % ring.size]


@kernel
def _advance(ring: I64, last: Int, now: Int) -> None:
    """Bring a ring from place `last` to `now`: what lies between is empty."""
    total = ring[last % ring.size]
    for place in range(max(last, now - ring.size) + 1, now + 1):
        ring[place % ring.size] = total


@kernel
def _add(ring: I64, place: Int, now: Int, reels: Int) -> None:
    """Add to a place of a ring brought to `now`; nothing where the ring does not reach."""
    if now - place < ring.size - 1:
        for later in range(place, now + 1):
            ring[later % ring.size] += reels


@kernel
def advance_volume(n: I64, volume: I64, hour_volume: I64, tick: Int, ticks_per_hour: Int) -> None:
    """Bring the volume's rings to `tick`."""
    last = n[VOLUME_TICK]
    if tick > last:
        _advance(volume, last, tick)
        _advance(hour_volume, last // ticks_per_hour, tick // ticks_per_hour)
        n[VOLUME_TICK] = tick


@kernel
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
        now, tick, reels = rows[at].apply, rows[at].tick, rows[at].reels
        advance_volume(n, volume, hour_volume, now, ticks_per_hour)
        _add(volume, tick, now, reels)
        _add(hour_volume, tick // ticks_per_hour, now // ticks_per_hour, reels)
        n[VOLUME_TOTAL] += reels
        at += 1
    return at


class Moment(NamedTuple):
    """A tick and its hour: divisions are dear, so they are done once a tick."""

    tick: Int
    hour: Int
    day_start: Int  # the last tick that is no longer in the day
    hours_start: Int  # the last hour that is no longer kept


@inlined
def moment(tick: Int, day: Int, ticks_per_hour: Int) -> Moment:
    """Return `tick` and its hour; a day has `day` ticks."""
    hour = tick // ticks_per_hour
    return Moment(tick, hour, tick - day, hour - HOURS)
