"""Closing ticks: the one kernel that counts a tick's uses and judges its signals.

It goes on from tick to tick until all are closed, or until Python must make room; then `cursor`
says where to go on.
"""

from typing import Any, Final

import numpy as np

from trend import counts, log, rings
from trend import layout as k
from trend.bursts import Reports, judge, tracked
from trend.compiled import inlined, kernel
from trend.expectation import volume_sums
from trend.layout import I32, I64, U8, U64, Counts, Int, Records
from trend.signals import SHARD_BITS

FINISHED: Final = 0
NEED_ROOM: Final = 1
NEED_LOG: Final = 2
NEED_PAIRS: Final = 3
NEED_REPORTS: Final = 4
NEED_CLEANING: Final = 5

# Indices into the cursor.
TICK: Final = 0  # that is to be closed
START: Final = 1  # its uses in `order`
STOP: Final = 2
LABEL_BYTES: Final = 3  # of its uses
VOLUME_AT: Final = 4
CURSOR: Final = 5

PAIR_LOAD: Final = 0.7
_NEVER: Final = np.iinfo(np.int64).max


def order_of(rows: Records, first: int, through: int) -> tuple[I64, I64]:
    """Return the order of the rows that take effect by `through`: by that tick, signal and reel.

    Numbers are sorted whose top bits are the tick and most of the signal's and whose low bits say
    which row it is; then the few rows with equal top bits. A sort by three keys takes five times as
    long.

    Args:
        first: the first tick at which any of them does.

    Returns:
        That order, and the rows that take effect later, the last first.
    """
    keys, order = np.empty(rows.size, np.uint64), np.empty(rows.size, np.int64)
    low_bits = rows.size.bit_length()
    tick_bits = max(through - first, 0).bit_length()
    due = _sort_keys(rows, first, through, tick_bits, low_bits, keys, order)
    keys = keys[:due]
    keys.sort()
    _order(rows, keys, low_bits, order)
    return order[:due], order[due:]


@kernel
def _sort_keys(
    rows: Records, first: Int, through: Int, tick_bits: Int, low_bits: Int, keys: U64, later: I64
) -> Int:
    """Write the keys of the rows that take effect by `through`; return how many they are.

    The others are written to `later`, from its end on.
    """
    due = 0
    for i in range(rows.size):
        if rows[i].apply <= through:
            key = (rows[i].signal << np.uint64(SHARD_BITS)) >> np.uint64(tick_bits)
            if tick_bits > 0:
                key |= np.uint64(rows[i].apply - first) << np.uint64(64 - tick_bits)
            keys[due] = (key >> np.uint64(low_bits) << np.uint64(low_bits)) | np.uint64(i)
            due += 1
        else:
            later[rows.size - 1 - (i - due)] = i
    return due


@kernel
def _order(rows: Records, keys: U64, low_bits: Int, order: I64) -> None:
    """Fill `order` from sorted keys: rows with equal top bits by tick, signal and reel."""
    low = (np.uint64(1) << np.uint64(low_bits)) - np.uint64(1)
    start = 0
    while start < keys.size:
        stop = start
        while stop < keys.size and keys[stop] | low == keys[start] | low:
            order[stop] = np.int64(keys[stop] & low)
            stop += 1
        _sort_run(rows, order, start, stop)
        start = stop


@inlined
def _sort_run(rows: Records, order: I64, start: Int, stop: Int) -> None:
    """Sort `order[start:stop]`: Shell's sort, which is an insertion sort where they are few."""
    gap = 1
    while gap < (stop - start) // 9:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(start + gap, stop):
            moved = order[i]
            j = i
            while j - gap >= start and _is_before(rows[moved], rows[order[j - gap]]):
                order[j] = order[j - gap]
                j -= gap
            order[j] = moved
        gap //= 3


@kernel
def _is_before(a: Any, b: Any) -> bool:
    if a.apply != b.apply:
        return bool(a.apply < b.apply)
    if a.signal != b.signal:
        return bool(a.signal < b.signal)
    return bool(a.reel < b.reel)


@kernel
def join(rows: Records, joined: Records, label_at: int) -> None:
    """Copy rows to `joined`; their labels begin at `label_at` there."""
    for i in range(rows.size):
        joined[i] = rows[i]
        joined[i].label_at += label_at


@kernel
def earliest(rows: Records) -> Int:
    """Return the first tick at which any of the rows takes effect."""
    first = np.int64(_NEVER)
    for i in range(rows.size):
        first = min(first, np.int64(rows[i].apply))
    return first


@kernel
def label_bytes(rows: Records, those: I64) -> Int:
    """Return the bytes of the labels of those rows."""
    size = np.int64(0)
    for i in those:
        size += rows[i].label_len
    return size


@kernel
def leave(rows: Records, labels: U8, those: I64, left: Records, left_labels: U8) -> None:
    """Copy those rows, the last first, and their labels."""
    at = 0
    for count in range(those.size):
        row = rows[those[those.size - 1 - count]]
        left[count] = row
        left[count].label_at = at
        for b in range(row.label_len):
            left_labels[at + b] = labels[row.label_at + b]
        at += row.label_len


@kernel
def close(
    c: Counts,
    out: Reports,
    rows: Records,
    labels: U8,
    order: I64,
    touched: I32,
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
    max_bytes: Int,
) -> int:
    """Close ticks until `through` or until room is needed; `cursor` says where to go on."""
    n = c.n
    while True:
        _next_tick(n, rows, order, cursor, ticks_per_hour)
        tick, start, stop = cursor[TICK], cursor[START], cursor[STOP]
        if tick > through:
            break
        need = _need(c, out, cursor, max_rows, max_uses, max_bytes)
        if need != FINISHED:
            return need
        cursor[VOLUME_AT] = rings.add_volume(
            n, c.volume, c.hour_volume, volume, cursor[VOLUME_AT], tick, ticks_per_hour
        )
        rings.advance_volume(n, c.volume, c.hour_volume, tick, ticks_per_hour)
        log.expire(n, c.uses, tick - c.volume.size + 1)
        count = counts.count_uses(
            c,
            rows,
            labels,
            order,
            start,
            stop,
            tick,
            ticks_per_hour,
            max_rows,
            min_authors,
            touched,
        )
        if n[k.ROWS] != n[k.LIVE]:
            n[k.LIVE] = n[k.ROWS]
            out.live[out.used[4], 0] = tick
            out.live[out.used[4], 1] = n[k.ROWS]
            out.used[4] += 1
        hourly = n[k.TRACKED] > 0 and (tick + 1) % ticks_per_hour == 0
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
        cursor[START] = stop
    cursor[VOLUME_AT] = rings.add_volume(
        n, c.volume, c.hour_volume, volume, cursor[VOLUME_AT], through, ticks_per_hour
    )
    return FINISHED


@inlined
def _next_tick(n: I64, rows: Records, order: I64, cursor: I64, ticks_per_hour: Int) -> None:
    """Say in `cursor` which tick has something to do next, and what its uses are."""
    start = cursor[START]
    tick = np.int64(rows[order[start]].apply) if start < order.size else _NEVER
    if n[k.TRACKED] > 0:
        tick = min(tick, ((n[k.NOW] + 1) // ticks_per_hour + 1) * ticks_per_hour - 1)
    stop = start
    label_bytes = np.int64(0)
    while stop < order.size and rows[order[stop]].apply == tick:
        label_bytes += min(rows[order[stop]].label_len, k.MAX_LABEL)
        stop += 1
    cursor[TICK] = tick
    cursor[STOP] = stop
    cursor[LABEL_BYTES] = label_bytes


@inlined
def bytes_of(n: I64) -> Int:
    """Return the bytes that admitted signals take: rows, their labels and their history."""
    return n[k.ROWS] * k.ROW_BYTES + n[k.LABEL_BYTES] + n[k.PAGES] * k.PAGE_BYTES


@inlined
def _need(
    c: Counts, out: Reports, cursor: I64, max_rows: Int, max_uses: Int, max_bytes: Int
) -> int:
    """Return what must be done before the tick in `cursor` can be closed."""
    n = c.n
    tick = cursor[TICK]
    uses = cursor[STOP] - cursor[START]
    rows = min(uses, max_rows - n[k.ROWS])
    need = FINISHED
    if out.used[0] + uses + n[k.TRACKED] + 1 > out.signal.size or out.used[4] == out.live.shape[0]:
        need = NEED_REPORTS
    elif uses == 0:
        need = FINISHED
    elif n[k.CLEANED] != tick and (
        tick // (c.volume.size - 1) > n[k.DAY]
        or bytes_of(n) > k.PRESSURE * max_bytes
        or n[k.ROWS] > k.PRESSURE * max_rows
    ):
        need = NEED_CLEANING
    elif (
        n[k.ROWS] + rows > c.signals.size
        or n[k.LABEL_BYTES] + cursor[LABEL_BYTES] > c.labels.size
        or n[k.PAGES] + 2 * uses > c.pages.shape[0]
    ):
        need = NEED_ROOM
    elif n[k.PAIRS] + 2 * uses > PAIR_LOAD * c.pairs.size:
        need = NEED_PAIRS
    elif c.uses.size < max_uses:
        log.expire(n, c.uses, tick - c.volume.size + 1)
        if c.uses.size - (n[k.NEXT_USE] - n[k.FIRST_USE]) < 4 * uses:
            need = NEED_LOG
    return need


@inlined
def _without_tracked(signals: Records, touched: I32, count: Int) -> Int:
    """Keep those of the first `count` rows that are not tracked; return how many."""
    kept = 0
    for i in range(count):
        if signals[touched[i]].tracked == k.UNTRACKED:
            touched[kept] = touched[i]
            kept += 1
    return kept
