"""Closing ticks: the one kernel that counts a tick's uses and judges its signals.

It goes on from tick to tick until all are closed, or until Python must make room; then `cursor`
says where to go on.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from numba import njit

from trend import counts, rings
from trend import layout as k
from trend.bursts import Reports, judge, tracked
from trend.expectation import volume_sums
from trend.layout import I64, U8, Counts, Int, Records
from trend.signals import SHARD_BITS
from trend.tables import PRESSURE

FINISHED: Final = 0
NEED_ROWS: Final = 1
NEED_LOG: Final = 2
NEED_PAIRS: Final = 3
NEED_LABELS: Final = 4
NEED_REPORTS: Final = 5
NEED_CLEANING: Final = 6

# Indices into the cursor.
TICK_START: Final = 0
USE_AT: Final = 1
VOLUME_AT: Final = 2
TOUCHED: Final = 3
INSIDE: Final = 4  # 1: in the middle of a tick
CURSOR: Final = 5

_NEVER: Final = np.iinfo(np.int64).max
_PAIR_LOAD: Final = 0.6
_SHORT_RUN: Final = 16


def order_of(rows: Records) -> npt.NDArray[np.intp]:
    """Return the order by tick of effect, signal and reel.

    One sort by a key of the tick and most bits of the signal, then another for the few runs of
    equal keys; a sort by three keys takes five times as long.
    """
    if rows.size == 0:
        return np.zeros(0, np.intp)
    first = int(rows["apply"].min())
    span = int(rows["apply"].max()) - first
    bits = span.bit_length()
    key: k.U64 = rows["signal"] << np.uint64(SHARD_BITS) >> np.uint64(bits)
    if bits:
        key |= (rows["apply"] - first).astype(np.uint64) << np.uint64(64 - bits)
    order = np.argsort(key, kind="stable")
    _order_runs(key[order], rows, order)
    return order


@njit(cache=True)
def _order_runs(keys: npt.NDArray[np.uint64], rows: Records, order: I64) -> None:
    """Order each run of equal keys by signal and reel."""
    start = 0
    while start < keys.size:
        stop = start + 1
        while stop < keys.size and keys[stop] == keys[start]:
            stop += 1
        if stop - start > _SHORT_RUN:
            run = order[start:stop].copy()
            by_reel = np.argsort(rows["reel"][run], kind="mergesort")
            run = run[by_reel]
            order[start:stop] = run[np.argsort(rows["signal"][run], kind="mergesort")]
        else:
            for i in range(start + 1, stop):
                moved = order[i]
                j = i
                while j > start and _is_before(rows[moved], rows[order[j - 1]]):
                    order[j] = order[j - 1]
                    j -= 1
                order[j] = moved
        start = stop


@njit(cache=True)
def _is_before(a: Any, b: Any) -> bool:
    return bool(a.signal < b.signal or (a.signal == b.signal and a.reel < b.reel))


@njit(cache=True, nogil=True)
def close(
    c: Counts,
    out: Reports,
    rows: Records,
    labels: U8,
    order: I64,
    touched: npt.NDArray[np.int32],
    volume: Records,
    cursor: I64,
    through: Int,
    windows: I64,
    sums: I64,
    min_authors: Int,
    min_growth: float,
    ticks_per_hour: Int,
    max_rows: Int,
    max_uses: Int,
) -> int:
    """Close ticks until `through` or until room is needed; `cursor` says where to go on."""
    n = c.n
    while True:
        start = cursor[TICK_START]
        tick = np.int64(rows[order[start]].apply) if start < rows.size else _NEVER
        if n[k.TRACKED] > 0:
            tick = min(tick, ((n[k.NOW] + 1) // ticks_per_hour + 1) * ticks_per_hour - 1)
        if tick > through:
            break
        stop = start
        while stop < rows.size and rows[order[stop]].apply == tick:
            stop += 1
        if cursor[INSIDE] == 0:
            need = _need(c, out, tick, stop - start, max_rows, max_uses)
            if need != FINISHED:
                return need
            cursor[VOLUME_AT] = rings.add_volume(
                n, c.volume, c.hour_volume, volume, cursor[VOLUME_AT], tick, ticks_per_hour
            )
            rings.advance_volume(n, c.volume, c.hour_volume, tick, ticks_per_hour)
            counts.expire_uses(n, c.uses, tick, c.volume.size)
            cursor[USE_AT] = start
            cursor[TOUCHED] = 0
            cursor[INSIDE] = 1
        why, cursor[USE_AT], cursor[TOUCHED] = counts.count_uses(
            c,
            rows,
            labels,
            order,
            cursor[USE_AT],
            stop,
            tick,
            ticks_per_hour,
            max_rows,
            min_authors,
            touched,
            cursor[TOUCHED],
        )
        if why != counts.COUNTED:
            return NEED_ROWS if why == counts.NO_ROW else NEED_LABELS
        if n[k.ROWS] != n[k.LIVE]:
            n[k.LIVE] = n[k.ROWS]
            out.live[out.used[4], 0] = tick
            out.live[out.used[4], 1] = n[k.ROWS]
            out.used[4] += 1
        hourly = n[k.TRACKED] > 0 and (tick + 1) % ticks_per_hour == 0
        count = cursor[TOUCHED]
        if count > 0 or hourly:
            volume_sums(n, c.volume, c.hour_volume, tick, windows, ticks_per_hour, sums)
            if hourly:
                followed = tracked(c, tick, ticks_per_hour)
                judge(
                    c,
                    out,
                    c.tracked_rows,
                    followed,
                    tick,
                    windows,
                    sums,
                    min_authors,
                    min_growth,
                    ticks_per_hour,
                    True,
                )
                count = _without_tracked(c.signals, touched, count)
            judge(
                c,
                out,
                touched,
                count,
                tick,
                windows,
                sums,
                min_authors,
                min_growth,
                ticks_per_hour,
                False,
            )
        n[k.NOW] = tick
        cursor[TICK_START] = stop
        cursor[INSIDE] = 0
    cursor[VOLUME_AT] = rings.add_volume(
        n, c.volume, c.hour_volume, volume, cursor[VOLUME_AT], through, ticks_per_hour
    )
    return FINISHED


@njit(cache=True, inline="always")
def _need(c: Counts, out: Reports, tick: Int, uses: Int, max_rows: Int, max_uses: Int) -> int:
    """Return what must be done before a tick with so many uses can be closed."""
    n = c.n
    if out.used[0] + uses + n[k.TRACKED] + 1 > out.signal.size or out.used[4] == out.live.shape[0]:
        return NEED_REPORTS
    if uses == 0:
        return FINISHED
    if n[k.CLEANED] != tick and (
        tick // c.volume.size > n[k.DAY] or n[k.ROWS] > PRESSURE * max_rows
    ):
        return NEED_CLEANING
    if c.uses.size < max_uses:
        counts.expire_uses(n, c.uses, tick, c.volume.size)
        if c.uses.size - (n[k.NEXT_USE] - n[k.FIRST_USE]) < 4 * uses:
            return NEED_LOG
    if n[k.PAIRS] + 2 * uses > _PAIR_LOAD * c.pairs.size:
        return NEED_PAIRS
    return FINISHED


@njit(cache=True, inline="always")
def _without_tracked(signals: Records, touched: npt.NDArray[np.int32], count: Int) -> int:
    """Keep those of the first `count` rows that are not tracked; return how many."""
    kept = 0
    for i in range(count):
        if signals[touched[i]].tracked == k.UNTRACKED:
            touched[kept] = touched[i]
            kept += 1
    return kept
