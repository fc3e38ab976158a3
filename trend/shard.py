"""One shard: takes uses of signals as they come, closes ticks in order, and reports its bursts.

Uses wait until their tick is closed; then everything happens in the order of the data: by tick of
effect, signal and reel. Tables grow by doubling up to the memory budget; a full table of signals
lets go of those that were not used for longest.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from numba import njit

from trend import counts as k
from trend.bursts import NUMBERS, SAMPLE, SERIES_HOURS, Reports, judge, tracked
from trend.counts import HOURS, I64, U8, Counts, Int, Records
from trend.expectation import VOLUMES, usable, volume_sums
from trend.records import USE, VOLUME

FINISHED: Final = 0
NEED_ROWS: Final = 1
NEED_LOG: Final = 2
NEED_PAIRS: Final = 3
NEED_LABELS: Final = 4
NEED_REPORTS: Final = 5
NEED_CLEANING: Final = 6

# Indices into the cursor of `_close`, where it goes on after room was made.
_TICK_START: Final = 0
_USE: Final = 1
_VOLUME: Final = 2
_TOUCHED: Final = 3
_INSIDE: Final = 4  # 1: in the middle of a tick

_NEVER: Final = np.iinfo(np.int64).max
_PRESSURE: Final = 0.9
_RELIEF: Final = 0.7
_PAIR_LOAD: Final = 0.6
_SHARD_BITS: Final = 6  # of a signal's hash, the same in all rows of a shard
_SHORT_RUN: Final = 16
_MAX_WAITING: Final = 256  # pieces of volume that wait for a use to come
_MIN_PAIRS: Final = 256
_FIRST_PAIRS: Final = 8192
_FIRST_LOG: Final = 4096
_FIRST_ROWS: Final = 512
_MIN_LOG: Final = 256
_REPORT_ROOM: Final = 4096
_MIN_ROWS: Final = 64


@dataclass(frozen=True)
class ShardSettings:
    """What all shards have in common.

    Raises:
        ValueError: if a value cannot be used, with its name.
    """

    tick_seconds: int
    """Length of a tick; divides an hour."""
    windows_h: tuple[int, ...]
    """Window lengths in hours, rising, at most 24."""
    min_authors: int
    min_growth: float
    memory_bytes: int
    """Budget of one shard."""

    def __post_init__(self) -> None:
        usable(self.windows_h)
        if self.tick_seconds < 1 or 3600 % self.tick_seconds:
            raise ValueError(f"tick_seconds is {self.tick_seconds}, expected a divisor of 3600")

    @cached_property
    def ticks_per_hour(self) -> int:
        """Ticks in an hour."""
        return 3600 // self.tick_seconds

    @cached_property
    def max_rows(self) -> int:
        """Signals in the table: six tenths of the budget."""
        a_row = 4 * (24 * self.ticks_per_hour + HOURS) + k.SIGNAL.itemsize + 32
        return max(_MIN_ROWS, int(self.memory_bytes * 0.6) // a_row)

    @cached_property
    def max_uses(self) -> int:
        """Uses in the log, a power of two: up to two tenths of the budget."""
        return max(_MIN_LOG, _power_below(int(self.memory_bytes * 0.2) // (k.LOGGED.itemsize + 8)))

    @cached_property
    def max_pairs(self) -> int:
        """Slots of the pairs, a power of two: up to two tenths of the budget."""
        return max(_MIN_PAIRS, _power_below(int(self.memory_bytes * 0.2) // k.PAIR.itemsize))


@dataclass(frozen=True, slots=True)
class ShardReports:
    """Reports of one shard up to and including tick `through`, each array by report (`Reports`)."""

    through: int
    signal: npt.NDArray[np.uint64]
    numbers: npt.NDArray[np.int64]
    log10_p: npt.NDArray[np.float64]
    authors: npt.NDArray[np.int64]
    reels: npt.NDArray[np.int64]
    expected: npt.NDArray[np.float64]
    before: npt.NDArray[np.float64]
    volume: npt.NDArray[np.int64]
    samples: npt.NDArray[np.uint64]
    series: npt.NDArray[np.float64]
    labels: bytes
    live: npt.NDArray[np.int64]


class Shard:
    """The state of one shard. All of it is arrays; it can be pickled between two calls."""

    def __init__(self, settings: ShardSettings) -> None:
        self.settings = settings
        self.counts = _empty(settings)
        self._waiting: list[tuple[Records, bytes, int]] = []
        """Uses, their labels, and the first tick among them."""
        self._volume: list[Records] = []

    def add(self, rows: Records, labels: bytes, volume: Records) -> None:
        """Take uses and volume that wait for their ticks.

        Args:
            rows: records with the fields signal, author, reel (uint64), tick, apply, label_at,
                label_len (int32), kind, again (uint8).
            labels: bytes that `label_at` and `label_len` speak of.
            volume: records with the fields apply, tick (int32), reels (int64).
        """
        if rows.size:
            self._waiting.append((rows, labels, int(rows["apply"].min())))
        if volume.size:
            self._volume.append(volume)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the room that is not used."""
        c = self.counts
        rows = int(c.n[k.ROWS])
        used = {name: getattr(c, name)[:rows] for name in (*_PER_ROW, "tracked_rows")}
        labels = c.labels[: c.n[k.LABEL_BYTES]]
        return {**self.__dict__, "counts": c._replace(**used, labels=labels, slots=c.slots[:0])}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Make the room again, so that the state is what it was."""
        self.__dict__.update(state)
        c = self.counts
        labels = np.zeros(c.labels.size + 4 * k.MAX_LABEL, np.uint8)
        labels[: c.labels.size] = c.labels
        rows = min(max(c.signals.size, _FIRST_ROWS), self.settings.max_rows)
        self.counts = _with_rows(c._replace(labels=labels), rows)

    def close(self, through: int) -> list[ShardReports]:
        """Close all ticks up to and including `through`, in order, and return what is to report.

        The last of the list is through `through`; it may be empty of reports.
        """
        if self._is_idle(through):
            return [_nothing(through, len(self.settings.windows_h))]
        rows, labels = self._take_rows(through)
        order = _order(rows)
        volume = self._take_volume(through)
        out = _REPORTS.get(len(self.settings.windows_h))
        touched = np.empty(rows.size, np.int32)
        windows = np.array(self.settings.windows_h, np.int64)
        sums = np.zeros((windows.size, VOLUMES), np.int64)
        cursor = np.zeros(5, np.int64)
        out.used[:] = 0
        reports = []
        while True:
            status = _close(
                self.counts,
                out,
                rows,
                labels,
                order,
                touched,
                volume,
                cursor,
                through,
                windows,
                sums,
                self.settings.min_authors,
                self.settings.min_growth,
                self.settings.ticks_per_hour,
                self.settings.max_rows,
                self.settings.max_uses,
            )
            if status == FINISHED:
                reports.append(_copy(out, through))
                return reports
            if status == NEED_REPORTS:
                if out.used.any():
                    reports.append(_copy(out, int(self.counts.n[k.NOW])))
                    out.used[:] = 0
                else:
                    out = _REPORTS.grow(windows.size)
                    out.used[:] = 0
            else:
                due = rows["apply"][order[cursor[_TICK_START] :]]
                self._make_room(status, int(due[0]), int(np.searchsorted(due, due[0], "right")))

    def _is_idle(self, through: int) -> bool:
        """Whether no tick until `through` has anything to do; the volume can wait for its turn."""
        if len(self._volume) > _MAX_WAITING:
            return False
        hour = self.settings.ticks_per_hour
        next_hour = ((int(self.counts.n[k.NOW]) + 1) // hour + 1) * hour - 1
        if self.counts.n[k.TRACKED] and next_hour <= through:
            return False
        return all(earliest > through for _, _, earliest in self._waiting)

    def _take_rows(self, through: int) -> tuple[Records, U8]:
        """Take the waiting rows of the ticks to close."""
        taken: list[Records] = []
        blobs: list[bytes] = []
        left: list[tuple[Records, bytes, int]] = []
        at = 0
        for rows, labels, earliest in self._waiting:
            if earliest > through:
                left.append((rows, labels, earliest))
                continue
            due = rows["apply"] <= through
            if due.all():
                chosen = rows.copy()
            else:
                left.append((rows[~due], labels, int(rows["apply"][~due].min())))
                chosen = rows[due]
            chosen["label_at"] += at
            taken.append(chosen)
            blobs.append(labels)
            at += len(labels)
        self._waiting = left
        if not taken:
            return np.zeros(0, USE), np.zeros(0, np.uint8)
        return np.concatenate(taken), np.frombuffer(b"".join(blobs), np.uint8)

    def _take_volume(self, through: int) -> Records:
        if not self._volume:
            return np.zeros(0, VOLUME)
        volume = np.concatenate(self._volume)
        due = volume["apply"] <= through
        self._volume = [volume[~due]] if not due.all() else []
        volume = volume[due]
        return volume[np.argsort(volume["apply"], kind="stable")]

    def _make_room(self, status: int, tick: int, uses: int) -> None:
        c, settings = self.counts, self.settings
        if status == NEED_ROWS:
            self.counts = _with_rows(c, min(c.signals.size * 2, settings.max_rows))
        elif status == NEED_LOG:
            self.counts = _with_log(c, c.uses.size * 2)
        elif status == NEED_PAIRS:
            self.counts = _with_pairs(c, tick, 2 * uses, settings)
        elif status == NEED_LABELS:
            labels = np.zeros(max(c.labels.size * 2, 4 * k.MAX_LABEL), np.uint8)
            labels[: c.labels.size] = c.labels
            self.counts = c._replace(labels=labels)
        else:
            self.counts = _cleaned(c, tick, settings)


def _order(rows: Records) -> npt.NDArray[np.intp]:
    """Return the order by tick of effect, signal and reel.

    One sort by a key of the tick and most bits of the signal, then another for the few runs of
    equal keys; a sort by three keys takes five times as long.
    """
    if rows.size == 0:
        return np.zeros(0, np.intp)
    first = int(rows["apply"].min())
    span = int(rows["apply"].max()) - first
    bits = span.bit_length()
    key: k.U64 = rows["signal"] << np.uint64(_SHARD_BITS) >> np.uint64(bits)
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
def _close(
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
        start = cursor[_TICK_START]
        tick = np.int64(rows[order[start]].apply) if start < rows.size else _NEVER
        if n[k.TRACKED] > 0:
            tick = min(tick, ((n[k.NOW] + 1) // ticks_per_hour + 1) * ticks_per_hour - 1)
        if tick > through:
            break
        stop = start
        while stop < rows.size and rows[order[stop]].apply == tick:
            stop += 1
        if cursor[_INSIDE] == 0:
            need = _need(c, out, tick, stop - start, max_rows, max_uses)
            if need != FINISHED:
                return need
            cursor[_VOLUME] = k.add_volume(
                n, c.volume, c.hour_volume, volume, cursor[_VOLUME], tick, ticks_per_hour
            )
            k.advance_volume(n, c.volume, c.hour_volume, tick, ticks_per_hour)
            k.expire_uses(n, c.uses, tick, c.volume.size)
            cursor[_USE] = start
            cursor[_TOUCHED] = 0
            cursor[_INSIDE] = 1
        why, cursor[_USE], cursor[_TOUCHED] = k.count_uses(
            c,
            rows,
            labels,
            order,
            cursor[_USE],
            stop,
            tick,
            ticks_per_hour,
            max_rows,
            min_authors,
            touched,
            cursor[_TOUCHED],
        )
        if why != k.COUNTED:
            return NEED_ROWS if why == k.NO_ROW else NEED_LABELS
        if n[k.ROWS] != n[k.LIVE]:
            n[k.LIVE] = n[k.ROWS]
            out.live[out.used[4], 0] = tick
            out.live[out.used[4], 1] = n[k.ROWS]
            out.used[4] += 1
        hourly = n[k.TRACKED] > 0 and (tick + 1) % ticks_per_hour == 0
        count = cursor[_TOUCHED]
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
        cursor[_TICK_START] = stop
        cursor[_INSIDE] = 0
    cursor[_VOLUME] = k.add_volume(
        n, c.volume, c.hour_volume, volume, cursor[_VOLUME], through, ticks_per_hour
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
        tick // c.volume.size > n[k.DAY] or n[k.ROWS] > _PRESSURE * max_rows
    ):
        return NEED_CLEANING
    if c.uses.size < max_uses:
        k.expire_uses(n, c.uses, tick, c.volume.size)
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


def _power_below(number: int) -> int:
    return 1 << max(number.bit_length() - 1, 0)


def _empty(settings: ShardSettings) -> Counts:
    day = 24 * settings.ticks_per_hour
    rows = min(_FIRST_ROWS, settings.max_rows)
    uses = min(_FIRST_LOG, settings.max_uses)
    n = np.zeros(k.SCALARS, np.int64)
    n[[k.VOLUME_TICK, k.DAY, k.NOW, k.CLEANED]] = k.NONE
    return Counts(
        n=n,
        slots=np.zeros(_power_below(rows) * 4, np.int32),
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


_PER_ROW: Final = ("signals", "ticks", "hours")


def _with_rows(c: Counts, rows: int) -> Counts:
    """Return the counts with room for `rows` signals."""
    grown = {name: _resized(getattr(c, name), rows) for name in (*_PER_ROW, "tracked_rows")}
    slots = np.zeros(_power_below(max(rows - 1, 1)) * 4, np.int32)
    _index(slots, grown["signals"], int(c.n[k.ROWS]))
    return c._replace(slots=slots, **grown)


def _resized(array: npt.NDArray[Any], rows: int) -> npt.NDArray[Any]:
    grown = np.zeros((rows, *array.shape[1:]), array.dtype)
    grown[: array.shape[0]] = array
    return grown


@njit(cache=True)
def _index(slots: npt.NDArray[np.int32], signals: Records, rows: int) -> None:
    for row in range(rows):
        slots[k.slot_of(slots, signals, signals[row].key)] = row + 1


def _with_log(c: Counts, uses: int) -> Counts:
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


def _with_pairs(c: Counts, tick: int, coming: int, settings: ShardSettings) -> Counts:
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


def _cleaned(c: Counts, tick: int, settings: ShardSettings) -> Counts:
    """Return the counts without signals idle for all their history, or under pressure longest."""
    n = int(c.n[k.ROWS])
    c.n[k.DAY] = tick // c.volume.size
    c.n[k.CLEANED] = tick
    used = c.signals["used"][:n]
    keep = used > tick - HOURS * settings.ticks_per_hour
    limit = int(_RELIEF * settings.max_rows)
    if n > _PRESSURE * settings.max_rows and np.count_nonzero(keep) > limit:
        keep = used > np.partition(used, n - limit)[n - limit]
    keep |= c.signals["tracked"][:n] != k.UNTRACKED
    kept = np.flatnonzero(keep)
    if kept.size == n:
        return c
    c.n[k.ROWS] = kept.size
    c.n[k.EVICTED] += n - kept.size
    fields = {name: _compacted(getattr(c, name), kept) for name in _PER_ROW}
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


class _ReportRoom:
    """The arrays that reports are written to: one set for all shards of a process, copied out."""

    def __init__(self) -> None:
        self._room: dict[int, Reports] = {}

    def get(self, windows: int) -> Reports:
        if windows not in self._room:
            self._room[windows] = _room(_REPORT_ROOM, windows)
        return self._room[windows]

    def grow(self, windows: int) -> Reports:
        self._room[windows] = _room(self.get(windows).signal.size * 2, windows)
        return self._room[windows]


_REPORTS: Final = _ReportRoom()


def _room(size: int, windows: int) -> Reports:
    return Reports(
        used=np.zeros(5, np.int64),
        signal=np.zeros(size, np.uint64),
        numbers=np.zeros((size, NUMBERS), np.int64),
        log10_p=np.zeros(size, np.float64),
        authors=np.zeros((size, windows), np.int64),
        reels=np.zeros((size, windows), np.int64),
        expected=np.zeros((size, windows), np.float64),
        before=np.zeros((size, windows), np.float64),
        volume=np.zeros((size, windows), np.int64),
        samples=np.zeros(size * SAMPLE, np.uint64),
        series=np.zeros((size, SERIES_HOURS, 2), np.float64),
        labels=np.zeros(size * k.MAX_LABEL, np.uint8),
        live=np.zeros((size, 2), np.int64),
    )


def _nothing(through: int, windows: int) -> ShardReports:
    room = _REPORTS.get(windows)
    room.used[:] = 0
    return _copy(room, through)


def _copy(out: Reports, through: int) -> ShardReports:
    reports, samples, series, labels, live = (int(used) for used in out.used)
    return ShardReports(
        through=through,
        signal=out.signal[:reports].copy(),
        numbers=out.numbers[:reports].copy(),
        log10_p=out.log10_p[:reports].copy(),
        authors=out.authors[:reports].copy(),
        reels=out.reels[:reports].copy(),
        expected=out.expected[:reports].copy(),
        before=out.before[:reports].copy(),
        volume=out.volume[:reports].copy(),
        samples=out.samples[:samples].copy(),
        series=out.series[:series].copy(),
        labels=out.labels[:labels].tobytes(),
        live=out.live[:live].copy(),
    )
