"""A trend's stage: emerging, peaking, fading or evergreen, with hysteresis.

Judged at the end of each hour by the trend's intensity: its authors over the platform's volume, so
that nights and surges do not look like falls and rises, in the longest window while the trend is
small and from then on in one of six hours (`trend.synthesis`):

    emerging -> peaking    it grows more slowly: less than half as much again as the window before
    any      -> fading     under half of its highest intensity, or no burst for three days
    peaking  -> emerging   twice as much as in the window before, and above its old high
    fading   -> peaking    back above four fifths of its highest intensity
    any      -> evergreen  no burst for three days, but a week old and still above half of its
                           highest intensity and of its highest number of authors

A change needs two hours in a row that say the same.
"""

from typing import Final

import numpy as np
from numba import njit

from trend.layout import Int, Records

STAGES: Final = ("emerging", "peaking", "fading", "evergreen")
EMERGING: Final = 0
PEAKING: Final = 1
FADING: Final = 2
EVERGREEN: Final = 3

STAGE: Final = np.dtype(
    [
        ("stage", np.int64),  # index into STAGES
        ("wanted", np.int64),  # the stage that the last hours spoke for
        ("times", np.int64),  # how many they were
        ("most", np.int64),  # most authors so far
        ("highest", np.float64),  # intensity so far
    ]
)
"""What is remembered of a trend; all zero at its beginning."""

CONFIRMATIONS: Final = 2
_FLAT: Final = 1.5
_RISE: Final = 2.0
_FALLEN: Final = 0.5
_BACK: Final = 0.8


@njit(cache=True)
def hour(
    trends: Records,
    i: Int,
    intensity: float,
    before: float,
    authors: Int,
    bursting: bool,
    quiet: bool,
    old: bool,
) -> bool:
    """Take one hour of trend `i` and return whether its stage changed.

    Args:
        trends: records with the fields of `STAGE`.
        intensity: authors per reel of the platform in the window, >= 0.
        before: the same in the window before it.
        authors: authors in the window.
        bursting: the trend bursts in this hour.
        quiet: its last burst is so long ago that it is no longer news.
        old: it began so long ago that it may be evergreen.

    Example:
        >>> trends = np.zeros(1, STAGE)
        >>> for now, before in [(10, 2), (20, 10), (21, 20), (21, 21), (9, 21), (8, 20)]:
        ...     _ = hour(trends, 0, now, before, now, bursting=True, quiet=False, old=False)
        >>> STAGES[trends["stage"][0]]
        'fading'
    """
    trend = trends[i]
    steady = old and authors >= _FALLEN * trend.most
    wanted = _wish(trend.stage, trend.highest, intensity, before, bursting, quiet, steady)
    trend.highest = max(trend.highest, intensity)
    trend.most = max(trend.most, authors)
    if wanted == trend.stage:
        trend.times = 0
        return False
    trend.times = trend.times + 1 if wanted == trend.wanted else 1
    trend.wanted = wanted
    if trend.times < CONFIRMATIONS:
        return False
    trend.stage = wanted
    trend.times = 0
    return True


@njit(cache=True)
def _wish(
    stage: Int,
    highest: float,
    intensity: float,
    before: float,
    bursting: bool,
    quiet: bool,
    steady: bool,
) -> Int:
    fallen = intensity < _FALLEN * highest
    if quiet and steady and not fallen:
        return EVERGREEN
    if fallen or quiet:
        return FADING
    if stage == EMERGING and intensity <= _FLAT * before:
        return PEAKING
    if stage == PEAKING and bursting and intensity >= max(_RISE * before, highest):
        return EMERGING
    if stage == FADING and intensity >= _BACK * highest:
        return PEAKING
    return stage
