"""Is a community growing: more people bring its signals together than its past explains.

A known sound and a known tag that begin to be used together may each stay flat; what grows is their
being together. So two expectations are held against the authors x who used several members in one
reel within a window:

    by volume   past x / past volume * volume            people who bring it together
    by density  past x / past n * n                      of the n authors who used any member at all

The first is also compared with the same hours of yesterday and of last week. Both must be exceeded:
the p-value is the larger of the two tails (`trend.significance`), the smallest over the windows,
times their number. A surge of the platform fails the first, a member that grows alone the second.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from trend.expectation import MIN_VOLUME_SHARE, PRIOR_AUTHORS, SEASON_WEIGHT, with_floor
from trend.graph.arrays import F64, I64, Int
from trend.significance import log10_upper_tail


class Growth(NamedTuple):
    """Of C communities, in the window where each is least probable."""

    log10_p: F64  # [C] 0 where there is too little past
    window: I64  # [C] its place in `windows`
    authors: I64  # [C] who brought members together
    expected: F64  # [C] the larger expectation
    density: F64  # [C] share of the authors of any member who brought several together
    density_before: F64  # [C]


def growth(together: I64, users: I64, volume: I64, windows: I64, day: int) -> Growth:
    """Judge communities at the last of T ticks.

    Args:
        together: distinct authors a tick with several members in one reel, int64[C, T].
        users: distinct authors a tick with any member, int64[C, T], at least as many.
        volume: reels of the platform a tick, int64[T].
        windows: lengths in ticks, int64[W], rising, below T.
        day: ticks a day.

    Raises:
        ValueError: if the shapes do not agree or a window is not below T.

    Example:
        >>> volume = np.full(240, 1000)
        >>> users = np.full((1, 240), 10)
        >>> together = np.zeros((1, 240), np.int64)
        >>> together[0, -6:] = 3
        >>> found = growth(together, users, volume, np.array([6, 18]), day=144)
        >>> found.log10_p.round(1).tolist(), found.density.tolist()
        ([-8.6], [0.3])
    """
    ticks = volume.size
    if together.shape != users.shape or together.shape[1:] != (ticks,):
        raise ValueError(
            f"together and users are {together.shape} and {users.shape}, expected (C, {ticks})"
        )
    if not 0 < windows.min() <= windows.max() < ticks:
        raise ValueError(f"windows are {windows.tolist()}, expected 1 to {ticks - 1}")
    count = together.shape[0]
    out = Growth(
        np.zeros(count),
        np.zeros(count, np.int64),
        np.zeros(count, np.int64),
        np.zeros(count),
        np.zeros(count),
        np.zeros(count),
    )
    _judge(sums(together), sums(users), sums(volume[None]), windows, day, out)
    return out


@njit(cache=True, nogil=True)
def sums(series: I64) -> I64:
    """Return int64[., T + 1] with the sum of all ticks before each, of int64[., T]."""
    found = np.zeros((series.shape[0], series.shape[1] + 1), np.int64)
    for i in range(series.shape[0]):
        for t in range(series.shape[1]):
            found[i, t + 1] = found[i, t] + series[i, t]
    return found


@njit(cache=True)
def _judge(together: I64, users: I64, volume: I64, windows: I64, day: Int, out: Growth) -> None:
    stop = volume.shape[1] - 1
    for i in range(together.shape[0]):
        least = 1.0
        for w in range(windows.size):
            start = stop - windows[w]
            x = together[i, stop] - together[i, start]
            n = users[i, stop] - users[i, start]
            here = volume[0, stop] - volume[0, start]
            past, past_n = together[i, start], users[i, start]
            if here == 0 or volume[0, start] < MIN_VOLUME_SHARE * here:
                continue
            by_volume = here * (past + PRIOR_AUTHORS) / volume[0, start]
            by_volume = _with_season(
                together[i], volume[0], start, stop, by_volume, here, day, day // 2
            )
            by_volume = _with_season(
                together[i], volume[0], start, stop, by_volume, here, 7 * day, day
            )
            by_density = n * (past + PRIOR_AUTHORS) / (past_n + 1.0)
            log10_p = 0.0
            if x > max(by_volume, by_density):
                mean, evidence = with_floor(by_volume, float(past))
                log10_p = log10_upper_tail(float(x), mean, evidence)
                mean, evidence = with_floor(by_density, float(past))
                log10_p = max(log10_p, log10_upper_tail(float(x), mean, evidence))
            if log10_p < least:
                least = log10_p
                out.window[i] = w
                out.authors[i] = x
                out.expected[i] = max(by_volume, by_density)
                out.density[i] = x / max(n, 1)
                out.density_before[i] = past / max(past_n, 1)
        if least < 0.0:
            out.log10_p[i] = min(0.0, least + np.log10(float(windows.size)))


@njit(cache=True)
def _with_season(
    sums: I64,
    volume: I64,
    start: Int,
    stop: Int,
    base: float,
    here: Int,
    shift: Int,
    up_to: Int,
) -> float:
    """Raise an expectation to what the same ticks `shift` ago make likely; windows `up_to` long."""
    first, last = start - shift, stop - shift
    if first < 0 or stop - start > up_to:
        return base
    then = volume[last] - volume[first]
    if then == 0 or then < MIN_VOLUME_SHARE * here:
        return base
    scaled = (sums[last] - sums[first]) * here / then
    return max(base, SEASON_WEIGHT * scaled + (1.0 - SEASON_WEIGHT) * base)
