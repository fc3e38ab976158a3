"""Trends are judged at a tick: who leads each, in which stage it is, and whether that is news."""

from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from trend import bursts, stages
from trend.followed import Columns
from trend.layout import I64, NONE, Int, Records

STAGE_WINDOW_H: Final = 6
STAGE_AUTHORS: Final = 20
"""Authors within those hours from which on their number is not mostly chance."""
DOUBLED: Final = 2.0
EVERGREEN_DAYS: Final = 7
"""A trend younger than this is not steady for long."""

JUDGED: Final = np.dtype(
    [
        *stages.STAGE.descr,
        ("window", np.int64),  # index of the window that its numbers are of
        ("stage_window", np.int64),  # of the window that its stage is judged by; NONE: the longest
        ("started", np.int64),  # tick in which its first signal's burst began
        ("authors", np.int64),  # of its leader, as judged last
        ("told_authors", np.int64),  # most authors told so far; 0: nothing was told
        # When it was most improbable: the reason to tell of it.
        ("height_tick", np.int64),
        ("height_window", np.int64),
        ("height_authors", np.int64),
        ("height_expected", np.float64),  # authors
        ("height_log10_p", np.float64),  # 1: never yet
    ]
)
"""What is remembered of a trend to judge it."""


def judge(
    columns: Columns,
    trends: Records,
    numbers: I64,
    tick: int,
    hourly: bool,
    stage_window: int,
    ticks_per_hour: int,
) -> tuple[I64, npt.NDArray[np.bool]]:
    """Judge trends at a tick.

    Args:
        columns: of the signals followed.
        trends: JUDGED[.], by number.
        numbers: of the trends to judge, int64[n]; each has a signal.
        hourly: it is the last tick of an hour: stages are judged.
        stage_window: index of the window of `STAGE_WINDOW_H`.

    Returns:
        The row of each one's leader, int64[n].
        Which are news for a new stage or many more authors, or because nothing was told of them
        so far, bool[n].
    """
    rows, last_bursts = leaders(columns, trends, numbers, ticks_per_hour)
    changed = np.zeros(numbers.size, np.bool)
    _judge(
        columns, trends, numbers, rows, last_bursts, changed, tick, hourly, stage_window,
        ticks_per_hour,
    )  # fmt: skip
    return rows, changed


@njit(cache=True)
def leaders(
    columns: Columns, trends: Records, numbers: I64, ticks_per_hour: Int
) -> tuple[I64, I64]:
    """Find the leader of each trend: of most authors of those reported in the last hour.

    Args:
        numbers: of the trends, int64[n]; each has a signal. They are compared by its window.

    Returns:
        The leader's row, int64[n], and the tick of the last burst of any signal, int64[n].
    """
    signals, authors = columns.signals, columns.authors
    place = np.full(trends.size, NONE)
    place[numbers] = np.arange(numbers.size)
    last = np.zeros(numbers.size, np.int64)
    last_burst = np.zeros(numbers.size, np.int64)
    leader = np.full(numbers.size, NONE)
    for row in range(signals.size):
        if signals[row].trend != NONE and place[signals[row].trend] != NONE:
            at = place[signals[row].trend]
            last[at] = max(last[at], signals[row].tick)
            last_burst[at] = max(last_burst[at], signals[row].burst_tick)
    for row in range(signals.size):
        if signals[row].trend == NONE or place[signals[row].trend] == NONE:
            continue
        at = place[signals[row].trend]
        if signals[row].tick <= last[at] - ticks_per_hour:
            continue
        best, w = leader[at], trends[signals[row].trend].window
        if (
            best == NONE
            or authors[row, w] > authors[best, w]
            or (authors[row, w] == authors[best, w] and signals[row].key > signals[best].key)
        ):
            leader[at] = row
    return leader, last_burst


@njit(cache=True)
def _judge(
    c: Columns,
    trends: Records,
    numbers: I64,
    leading: I64,
    last_bursts: I64,
    changed: npt.NDArray[np.bool],
    tick: Int,
    hourly: bool,
    stage_window: Int,
    ticks_per_hour: Int,
) -> None:
    for i in range(numbers.size):
        trend, row = trends[numbers[i]], leading[i]
        leader = c.signals[row]
        news = trend.told_authors == 0
        if leader.burst_tick == tick and leader.window > trend.window:
            trend.window = leader.window
        if hourly and leader.tick == tick:
            if trend.stage_window == NONE and c.authors[row, stage_window] >= STAGE_AUTHORS:
                trend.stage_window = stage_window
                trend.highest, trend.most = 0.0, 0  # they were measured by another window
            w = trend.stage_window
            volume = max(c.volume[row, w], 1)
            quiet = tick - last_bursts[i]
            news |= stages.hour(
                trends,
                numbers[i],
                c.authors[row, w] / volume,
                c.before[row, w] / volume,
                c.authors[row, w],
                quiet == 0,
                quiet >= (bursts.TRACKED_DAYS * 24 - 2) * ticks_per_hour,
                tick - trend.started >= EVERGREEN_DAYS * 24 * ticks_per_hour,
            )
        authors = c.authors[row, trend.window]
        if leader.log10_p < trend.height_log10_p:
            trend.height_tick, trend.height_log10_p = tick, leader.log10_p
            trend.height_authors, trend.height_window = authors, trend.window
            trend.height_expected = max(c.expected[row, trend.window], 0.0)
        trend.authors = authors
        changed[i] = news or authors >= DOUBLED * trend.told_authors > 0
