"""How many authors to expect: a signal's own past, scaled by the platform's volume.

Expected for a window of w hours that ends now, as share of volume times the window's volume:

    baseline  all hours kept (fifteen days) before the window; where the platform was silent so long
              that they hold less volume than the window, the signal's whole life
    yesterday the same hours a day ago, for windows of up to 12 h (#goodmorning)
    last week the same hours a week ago                           (#mondaymotivation)

The season may only raise the expectation: a burst must stand out from the baseline and from its
hour of the day and day of the week. The same hours are padded by one on either side, as people are
not punctual. With the mean comes r, the pseudo-counts behind it (`trend.significance`): what was
counted in the past, capped, since shares drift more than counting alone would let them.
"""

from itertools import pairwise
from typing import Final

from trend.compiled import kernel
from trend.history import authors_between
from trend.layout import BY_HOUR, HOURS, I64, VOLUME_TOTAL, Counts, Int
from trend.rings import ring_sum

PRIOR_AUTHORS: Final = 0.5
"""Authors that a signal is taken to have had in any past."""
NOVELTY_FLOOR: Final = 0.4
"""Authors expected of a signal never seen, in any window: new things appear all the time,"""
NOVELTY_VOLUME: Final = 200.0
"""in proportion to the platform's reels in a window with fewer than this."""
NOVELTY_EVIDENCE: Final = 0.8
"""Pseudo-counts behind that floor: below one, as most new things die and some do not."""
EVIDENCE_CAP: Final = 30.0
"""Pseudo-counts at most: leaves a signal of any size 18 % of unexplained variation."""
SEASON_WEIGHT: Final = 0.75
"""Weight of the same hours in the past against the baseline."""
DAILY_UP_TO_H: Final = 12
"""Windows up to so long are compared with yesterday's same hours."""
PAD_H: Final = 1
MIN_VOLUME_SHARE: Final = 0.5
"""A past with less volume than this share of the window's says nothing."""
FEW_OF: Final = 20
"""On a platform of fewer reels, one in so many is as good as what is set for the least authors,"""
FEW_AUTHORS: Final = 4
"""but no fewer than these."""
HOURS_PER_DAY: Final = 24
HOURS_PER_WEEK: Final = 168


# Columns of `volume_sums`.
WINDOW: Final = 0
BASELINE: Final = 1
YESTERDAY: Final = 2
LAST_WEEK: Final = 3
LIFE: Final = 4
START: Final = 5  # the first hour that the window touches
STOP: Final = 6  # and the last
BEFORE: Final = 7  # reels in the window before it
SINCE: Final = 8  # its first tick
VOLUMES: Final = 9


@kernel
def volume_sums(
    n: I64, volume: I64, hour_volume: I64, now: Int, windows: I64, ticks_per_hour: Int, sums: I64
) -> None:
    """Fill `sums[w]` with the reels of each window's ticks and of the pasts it is held against.

    Args:
        n: of `Counts`, as `volume` and `hour_volume`.
        now: the last tick of the windows.
        windows: lengths in hours, rising.
        sums: int64[W, VOLUMES].
    """
    stop = now // ticks_per_hour
    kept = ring_sum(hour_volume, stop - HOURS + 1, stop)
    for w in range(windows.size):
        since = now - windows[w] * ticks_per_hour + 1
        start = since // ticks_per_hour
        sums[w, SINCE] = since
        sums[w, START] = start
        sums[w, STOP] = stop
        sums[w, WINDOW] = ring_sum(volume, since, now)
        touched = ring_sum(hour_volume, start, stop)
        sums[w, BASELINE] = kept - touched
        sums[w, YESTERDAY] = ring_sum(hour_volume, *_same_hours(start, stop, HOURS_PER_DAY))
        sums[w, LAST_WEEK] = ring_sum(hour_volume, *_same_hours(start, stop, HOURS_PER_WEEK))
        sums[w, LIFE] = n[VOLUME_TOTAL] - touched
        first, last, by_tick = before(now, windows[w], volume.size - 1, ticks_per_hour)
        sums[w, BEFORE] = ring_sum(volume if by_tick else hour_volume, first, last)


@kernel
def before(now: Int, window: Int, day: Int, ticks_per_hour: Int) -> tuple[Int, Int, bool]:
    """Return the first and last tick of the window before a window, or its hours.

    Hours, and False, where the ring of ticks does not reach back so far.
    """
    length = window * ticks_per_hour
    first, last = now - 2 * length + 1, now - length
    if 2 * length <= day:
        return first, last, True
    return first // ticks_per_hour, last // ticks_per_hour, False


@kernel
def _same_hours(start: Int, stop: Int, shift: Int) -> tuple[Int, Int]:
    """Return the hours of a window `shift` hours ago, padded, but not into the window."""
    return start - shift - PAD_H, min(stop - shift + PAD_H, start - 1)


@kernel
def baseline(
    kept: Int, life: Int, volume: Int, kept_volume: Int, life_volume: Int
) -> tuple[float, float]:
    """Return the authors that the baseline expects in a window, and how many it has seen.

    (-1, 0) where there is too little past to say.

    Args:
        kept: authors of the signal in the hours kept, without those that the window touches.
        life: its authors since its admission, likewise.
        volume: reels of the platform in the window.
        kept_volume: BASELINE of `volume_sums`.
        life_volume: LIFE of `volume_sums`.
    """
    past, past_volume = kept, kept_volume
    if past_volume < volume:
        past, past_volume = max(life, 0), life_volume
    if past_volume < MIN_VOLUME_SHARE * volume or volume == 0:
        return -1.0, 0.0
    return volume * (past + PRIOR_AUTHORS) / past_volume, float(past)


@kernel
def with_season(c: Counts, row: Int, window: Int, base: float, sums: I64) -> float:
    """Return the baseline's expectation, raised to what the same hours of the past make likely.

    Args:
        row: of the signal, brought to the tick of `sums`.
        window: length in hours.
        base: of `baseline`.
        sums: the window's row of `volume_sums`.
    """
    expected = base
    for season in (YESTERDAY, LAST_WEEK):
        if season == YESTERDAY and window > DAILY_UP_TO_H:
            continue
        if sums[season] < MIN_VOLUME_SHARE * sums[WINDOW] or sums[season] == 0:
            continue
        shift = HOURS_PER_DAY if season == YESTERDAY else HOURS_PER_WEEK
        first, last = _same_hours(sums[START], sums[STOP], shift)
        scaled = authors_between(c, row, BY_HOUR, first, last) * sums[WINDOW] / sums[season]
        expected = max(expected, SEASON_WEIGHT * scaled + (1 - SEASON_WEIGHT) * base)
    return expected


@kernel
def novelty(volume: Int) -> float:
    """Return the authors expected of a signal never seen in a window with so many reels."""
    return NOVELTY_FLOOR * min(volume / NOVELTY_VOLUME, 1.0)


@kernel
def with_floor(expected: float, seen: float, floor: float = NOVELTY_FLOOR) -> tuple[float, float]:
    """Return the expectation, at least the floor of novelty, and the pseudo-counts behind it."""
    return max(expected, floor), min(NOVELTY_EVIDENCE + seen, EVIDENCE_CAP)


@kernel
def fewest(min_authors: Int, volume: Int) -> Int:
    """Return the authors that a burst needs at least.

    Args:
        min_authors: on a platform that is not small.
        volume: reels of the platform in the longest window.
    """
    return min(min_authors, max(FEW_AUTHORS, volume // FEW_OF))


def check_windows(windows_h: tuple[int, ...]) -> None:
    """Check window lengths.

    Raises:
        ValueError: if they are not rising hours from 1 to 24.
    """
    bounds = (0, *windows_h, HOURS_PER_DAY + 1)
    if not windows_h or any(low >= high for low, high in pairwise(bounds)):
        raise ValueError(f"windows_h is {windows_h}, expected rising hours from 1 to 24")
