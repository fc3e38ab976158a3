"""The tables of a shard: made small, grown by doubling, and freed of what is no longer used."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from numba import njit

from trend import counts
from trend import layout as k
from trend.budget import ShardSettings, power_below
from trend.layout import HOURS, I64, U8, Counts, Records

PRESSURE: Final = 0.9
"""Share of the rows that may be taken before the signals unused for longest go."""
RELIEF: Final = 0.7
"""Share of the rows that they leave."""
_FIRST_PAIRS: Final = 8192
_FIRST_LOG: Final = 4096
FIRST_ROWS: Final = 512


def empty(settings: ShardSettings) -> Counts:
    """Return the counts of a shard that has seen nothing."""
    day = 24 * settings.ticks_per_hour
    rows = min(FIRST_ROWS, settings.max_rows)
    uses = min(_FIRST_LOG, settings.max_uses)
    n = np.zeros(k.SCALARS, np.int64)
    n[[k.VOLUME_TICK, k.DAY, k.NOW, k.CLEANED]] = k.NONE
    return Counts(
        n=n,
        slots=np.zeros(power_below(rows) * 4, np.int32),
        signals=np.zeros(rows, k.SIGNAL),
        ticks=np.zeros((rows, day, 2), np.uint16),
        hours=np.zeros((rows, HOURS, 2), np.uint16),
        tracked_rows=np.zeros(rows, np.int32),
        labels=np.zeros(16 * k.MAX_LABEL, np.uint8),
        uses=np.zeros(uses, k.LOGGED),
        buckets=np.full(uses, k.NONE, np.int64),
        pairs=np.zeros(min(_FIRST_PAIRS, settings.max_pairs), k.PAIR),
        volume=np.zeros(day, np.int64),
        hour_volume=np.zeros(HOURS, np.int64),
    )


PER_ROW: Final = ("signals", "ticks", "hours")


def with_rows(c: Counts, rows: int) -> Counts:
    """Return the counts with room for `rows` signals."""
    grown = {name: _resized(getattr(c, name), rows) for name in (*PER_ROW, "tracked_rows")}
    slots = np.zeros(power_below(max(rows - 1, 1)) * 4, np.int32)
    _index(slots, grown["signals"], int(c.n[k.ROWS]))
    return c._replace(slots=slots, **grown)


def _resized(array: npt.NDArray[Any], rows: int) -> npt.NDArray[Any]:
    grown = np.zeros((rows, *array.shape[1:]), array.dtype)
    grown[: array.shape[0]] = array
    return grown


@njit(cache=True)
def _index(slots: npt.NDArray[np.int32], signals: Records, rows: int) -> None:
    for row in range(rows):
        slots[counts.slot_of(slots, signals, signals[row].key)] = row + 1


def with_log(c: Counts, uses: int) -> Counts:
    """Return the counts with a log of `uses` uses, those that are kept in their new places."""
    sequence = np.arange(c.n[k.FIRST_USE], c.n[k.NEXT_USE])
    log = np.zeros(uses, k.LOGGED)
    log[sequence & (uses - 1)] = c.uses[sequence & (c.uses.size - 1)]
    buckets = np.full(uses, k.NONE, np.int64)
    _chain_young(sequence, log, buckets)
    return c._replace(buckets=buckets, uses=log)


@njit(cache=True)
def _chain_young(sequence: I64, uses: Records, buckets: I64) -> None:
    mask = buckets.size - 1
    for use in sequence:
        at = use & mask
        if uses[at].young == 1:
            bucket = np.int64(uses[at].signal & np.uint64(mask))
            uses[at].prev = buckets[bucket]
            buckets[bucket] = use


def with_pairs(c: Counts, tick: int, coming: int, settings: ShardSettings) -> Counts:
    """Return the counts without stale pairs, in a table with room for `coming` more."""
    pairs = c.pairs[(c.pairs["key"] != 0) & (c.pairs["tick"] > tick - c.volume.size)]
    slots = c.pairs.size
    while slots < settings.max_pairs and 2 * (pairs.size + coming) > slots:
        slots *= 2
    if pairs.size > slots // 4 and 2 * (pairs.size + coming) > slots:
        # At the limit the oldest are forgotten, by whole ticks.
        cut = pairs.size - slots // 4
        pairs = pairs[pairs["tick"] > np.partition(pairs["tick"], cut)[cut]]
    while 2 * (pairs.size + coming) > slots:
        slots *= 2
    table = np.zeros(slots, k.PAIR)
    _insert_pairs(pairs, table)
    c.n[k.PAIRS] = pairs.size
    return c._replace(pairs=table)


@njit(cache=True)
def _insert_pairs(pairs: Records, table: Records) -> None:
    mask = table.size - 1
    for i in range(pairs.size):
        at = np.int64(pairs[i].key & np.uint64(mask))
        while table[at].key != 0:
            at = (at + 1) & mask
        table[at].key = pairs[i].key
        table[at].tick = pairs[i].tick


def cleaned(c: Counts, tick: int, settings: ShardSettings) -> Counts:
    """Return the counts without signals idle for all their history, or under pressure longest."""
    n = int(c.n[k.ROWS])
    c.n[k.DAY] = tick // c.volume.size
    c.n[k.CLEANED] = tick
    used = c.signals["used"][:n]
    keep = used > tick - HOURS * settings.ticks_per_hour
    limit = int(RELIEF * settings.max_rows)
    if n > PRESSURE * settings.max_rows and np.count_nonzero(keep) > limit:
        keep = used > np.partition(used, n - limit)[n - limit]
    keep |= c.signals["tracked"][:n] != k.UNTRACKED
    kept = np.flatnonzero(keep)
    if kept.size == n:
        return c
    c.n[k.ROWS] = kept.size
    c.n[k.EVICTED] += n - kept.size
    fields = {name: _compacted(getattr(c, name), kept) for name in PER_ROW}
    moved = np.cumsum(keep) - 1
    tracked_rows = np.zeros_like(c.tracked_rows)
    count = int(c.n[k.TRACKED])
    tracked_rows[:count] = moved[c.tracked_rows[:count]]
    labels = np.zeros_like(c.labels)
    c.n[k.LABEL_BYTES] = _pack_labels(c.labels, fields["signals"], kept.size, labels)
    slots = np.zeros_like(c.slots)
    _index(slots, fields["signals"], kept.size)
    return c._replace(slots=slots, tracked_rows=tracked_rows, labels=labels, **fields)


def _compacted(array: npt.NDArray[Any], kept: npt.NDArray[np.intp]) -> npt.NDArray[Any]:
    compacted = np.zeros_like(array)
    compacted[: kept.size] = array[kept]
    return compacted


@njit(cache=True)
def _pack_labels(labels: U8, signals: Records, rows: int, packed: U8) -> int:
    """Copy the labels of the first rows on end into `packed`; return their bytes."""
    at = 0
    for row in range(rows):
        start = signals[row].label_at
        for i in range(signals[row].label_len):
            packed[at + i] = labels[start + i]
        signals[row].label_at = at
        at += signals[row].label_len
    return at
