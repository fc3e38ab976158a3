"""How many authors to expect: a signal's own past, scaled by the platform's volume.

Expected for a window of w hours that ends now, as share of volume times the window's volume:

    baseline  all hours kept (fifteen days) before the window; where the platform was silent so long
              that they hold less volume than the window, the signal's whole life
    yesterday the same hours a day ago, for windows of up to 6 h  (#goodmorning)
    last week the same hours a week ago                           (#mondaymotivation)

The season may only raise the expectation: a burst must stand out from the baseline and from its hour
of the day and day of the week. The same hours are padded by one on either side, as people are not
punctual. With the mean comes r, the pseudo-counts behind it (`trend.significance`): what was counted
in the past, capped, since shares drift more than counting alone would let them.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from trend.counts import HOURS, I64, U16, VOLUME_TOTAL, Counts

PRIOR_AUTHORS: Final = 0.5
"""Authors that a signal is taken to have had in any past."""
NOVELTY_FLOOR: Final = 0.4
"""Authors expected of a signal never seen, in any window: new things appear all the time."""
NOVELTY_EVIDENCE: Final = 0.8
"""Pseudo-counts behind that floor: below one, as most new things die and some do not."""
EVIDENCE_CAP: Final = 30.0
"""Pseudo-counts at most: leaves a signal of any size 18 % of unexplained variation."""
SEASON_WEIGHT: Final = 0.75
"""Weight of the same hours in the past against the baseline."""
DAILY_UP_TO_H: Final = 6
"""Windows up to so long are compared with yesterday's same hours."""
PAD_H: Final = 1
MIN_VOLUME_SHARE: Final = 0.5
"""A past with less volume than this share of the window's says nothing."""
HOURS_PER_DAY: Final = 24
HOURS_PER_WEEK: Final = 168


@njit(cache=True)
def ring_sum(ring: npt.NDArray[np.uint16], first: int, last: int) -> int:
    """Sum the hours `first` to `last`, both included, of a ring by hour % HOURS."""
    total = 0
    for hour in range(first, last + 1):
        total += ring[hour % HOURS]
    return total


@njit(cache=True)
def volume_sums(c: Counts, now: int, windows: I64, ticks_per_hour: int, volumes: I64) -> None:
    """Fill `volumes[w]` with the reels of each window's ticks and of the pasts it is held against.

    Args:
        now: the last tick of the windows.
        windows: lengths in hours, rising.
        volumes: int64[W, 4] of (window, baseline, yesterday, last week).
    """
    day = c.volume.size
    everything = np.int64(0)
    for h in range(HOURS):
        everything += c.hour_volume[h]
    total = np.int64(0)
    back = 0
    for w in range(windows.size):
        while back < windows[w] * ticks_per_hour:
            total += c.volume[(now - back) % day]
            back += 1
        start, stop = _hours(now, windows[w], ticks_per_hour)
        within = np.int64(0)
        for hour in range(start, stop + 1):
            within += c.hour_volume[hour % HOURS]
        volumes[w, 0] = total
        volumes[w, 1] = everything - within
        volumes[w, 2] = _past_volume(c, start, stop, HOURS_PER_DAY)
        volumes[w, 3] = _past_volume(c, start, stop, HOURS_PER_WEEK)


@njit(cache=True)
def _hours(now: int, window: int, ticks_per_hour: int) -> tuple[int, int]:
    """Return the first and last hour that a window touches."""
    return (now - window * ticks_per_hour + 1) // ticks_per_hour, now // ticks_per_hour


@njit(cache=True)
def _past_volume(c: Counts, start: int, stop: int, shift: int) -> int:
    total = 0
    for hour in range(start - shift - PAD_H, min(stop - shift + PAD_H, start - 1) + 1):
        total += c.hour_volume[hour % HOURS]
    return total


@njit(cache=True)
def expect(
    c: Counts,
    row: int,
    now: int,
    window: int,
    history: int,
    volume: npt.NDArray[np.int64],
    ticks_per_hour: int,
) -> tuple[float, float]:
    """Return the expected authors in a window and the evidence behind them, or (-1, 0) if unknown.

    Args:
        row: of the signal; its rings are at `now`.
        window: length in hours.
        history: authors of the signal in all the hours kept.
        volume: the window's row of `volume_sums`.
    """
    ring = c.hour_authors[row]
    start, stop = _hours(now, window, ticks_per_hour)
    within = ring_sum(ring, start, stop)
    past = float(history - within)
    past_volume = float(volume[1])
    if past_volume < volume[0]:
        past = float(max(c.total[row] - within, 0))
        past_volume = float(c.n[VOLUME_TOTAL] - volume[0])
    if past_volume < MIN_VOLUME_SHARE * volume[0] or volume[0] == 0:
        return -1.0, 0.0
    baseline = volume[0] * (past + PRIOR_AUTHORS) / past_volume
    expected, evidence = baseline, past
    for season in range(2):
        if season == 0 and window > DAILY_UP_TO_H:
            continue
        shift = HOURS_PER_DAY if season == 0 else HOURS_PER_WEEK
        season_volume = float(volume[2 + season])
        if season_volume < MIN_VOLUME_SHARE * volume[0]:
            continue
        first, last = start - shift - PAD_H, min(stop - shift + PAD_H, start - 1)
        scaled = ring_sum(ring, first, last) * volume[0] / season_volume
        expected = max(expected, SEASON_WEIGHT * scaled + (1 - SEASON_WEIGHT) * baseline)
    if expected <= NOVELTY_FLOOR:
        return NOVELTY_FLOOR, NOVELTY_EVIDENCE + min(past, EVIDENCE_CAP)
    return expected, min(NOVELTY_EVIDENCE + evidence, EVIDENCE_CAP)


def usable(windows_h: tuple[int, ...]) -> U16:
    """Return window lengths as an array, uint16[W].

    Raises:
        ValueError: if they are not rising hours from 1 to 24.
    """
    bounds = (0, *windows_h, HOURS_PER_DAY + 1)
    if not windows_h or any(low >= high for low, high in zip(bounds, bounds[1:], strict=False)):
        raise ValueError(f"windows_h is {windows_h}, expected rising hours from 1 to 24")
    return np.array(windows_h, np.uint16)
