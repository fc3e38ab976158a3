"""One shard: takes uses of signals as they come, closes ticks in order, and reports its bursts.

Uses wait until their tick is closed; then everything happens in the order of the data: by tick of
effect, signal and reel. Tables grow by doubling up to the memory budget; a full table of signals
lets go of those that were not used for longest.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from trend import counts as k
from trend.bursts import NUMBERS, SAMPLE, SERIES_HOURS, Reports, judge, judge_tracked
from trend.counts import HOURS, I64, U8, Counts
from trend.expectation import usable, volume_sums
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
_GROUP: Final = 1
_VOLUME: Final = 2
_TOUCHED: Final = 3
_INSIDE: Final = 4  # 1: in the middle of a tick

_NEVER: Final = np.iinfo(np.int64).max
_PRESSURE: Final = 0.9
_RELIEF: Final = 0.7
_PAIR_LOAD: Final = 0.6
_MIN_PAIRS: Final = 256
_MIN_LOG: Final = 256
_MIN_ROWS: Final = 64


@dataclass(frozen=True, slots=True)
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

    @property
    def ticks_per_hour(self) -> int:
        return 3600 // self.tick_seconds

    @property
    def max_rows(self) -> int:
        """Signals in the table: six tenths of the budget."""
        a_row = 4 * (24 * self.ticks_per_hour + HOURS) + 96
        return max(_MIN_ROWS, int(self.memory_bytes * 0.6) // a_row)

    @property
    def max_uses(self) -> int:
        """Uses in the log, a power of two: up to two tenths of the budget."""
        return max(_MIN_LOG, _power_below(int(self.memory_bytes * 0.2) // 45))

    @property
    def max_pairs(self) -> int:
        """Slots of the pairs, a power of two: up to two tenths of the budget."""
        return max(_MIN_PAIRS, _power_below(int(self.memory_bytes * 0.2) // 12))


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
        self._waiting: list[tuple[npt.NDArray[np.void], bytes]] = []
        self._volume: list[npt.NDArray[np.void]] = []

    def add(self, rows: npt.NDArray[np.void], labels: bytes, volume: npt.NDArray[np.void]) -> None:
        """Take uses and volume that wait for their ticks.

        Args:
            rows: records with the fields signal, author, reel (uint64), tick, apply, label_at,
                label_len (int32), kind, again (uint8).
            labels: bytes that `label_at` and `label_len` speak of.
            volume: records with the fields apply, tick (int32), reels (int64).
        """
        if rows.size:
            self._waiting.append((rows, labels))
        if volume.size:
            self._volume.append(volume)

    def close(self, through: int) -> list[ShardReports]:
        """Close all ticks up to and including `through`, in order, and return what there is to report.

        The last of the list is through `through`; it may be empty of reports.
        """
        rows, labels = self._take_rows(through)
        volume = self._take_volume(through)
        out = _REPORTS.get(len(self.settings.windows_h))
        order = np.arange(rows.size)
        touched = np.empty(rows.size, np.int32)
        windows = np.array(self.settings.windows_h, np.int64)
        volumes = np.zeros((windows.size, 4), np.int64)
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
                volumes,
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
                if out.used[0]:
                    reports.append(_copy(out, int(self.counts.n[k.NOW])))
                    out.used[:] = 0
                else:
                    out = _REPORTS.grow(windows.size)
                    out.used[:] = 0
            else:
                due = rows["apply"][cursor[_TICK_START] :]
                self._make_room(status, int(due[0]), int(np.searchsorted(due, due[0], "right")))

    def _take_rows(self, through: int) -> tuple[npt.NDArray[np.void], U8]:
        """Take the waiting rows of the ticks to close, in the order of the data."""
        taken: list[npt.NDArray[np.void]] = []
        blobs: list[bytes] = []
        left: list[tuple[npt.NDArray[np.void], bytes]] = []
        at = 0
        for rows, labels in self._waiting:
            due = rows["apply"] <= through
            if due.all():
                chosen = rows.copy()
            else:
                left.append((rows[~due], labels))
                chosen = rows[due]
            if chosen.size:
                chosen["label_at"] += at
                taken.append(chosen)
                blobs.append(labels)
                at += len(labels)
        self._waiting = left
        if not taken:
            return np.zeros(0, USE), np.zeros(0, np.uint8)
        everything = np.concatenate(taken)
        order = np.lexsort((everything["reel"], everything["signal"], everything["apply"]))
        return everything[order], np.frombuffer(b"".join(blobs), np.uint8)

    def _take_volume(self, through: int) -> npt.NDArray[np.void]:
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
            self.counts = _with_rows(c, min(c.key.size * 2, settings.max_rows))
        elif status == NEED_LOG:
            self.counts = _with_log(c, c.use_reel.size * 2)
        elif status == NEED_PAIRS:
            self.counts = _with_pairs(c, tick, 2 * uses, settings)
        elif status == NEED_LABELS:
            labels = np.zeros(max(c.labels.size * 2, 4 * k.MAX_LABEL), np.uint8)
            labels[: c.labels.size] = c.labels
            self.counts = c._replace(labels=labels)
        else:
            self.counts = _cleaned(c, tick, settings)


@njit(cache=True)
def _close(  # noqa: PLR0912, PLR0915
    c: Counts,
    out: Reports,
    rows: npt.NDArray[np.void],
    labels: U8,
    order: I64,
    touched: npt.NDArray[np.int32],
    volume: npt.NDArray[np.void],
    cursor: I64,
    through: int,
    windows: I64,
    volumes: I64,
    min_authors: int,
    min_growth: float,
    ticks_per_hour: int,
    max_rows: int,
    max_uses: int,
) -> int:
    """Close ticks until `through` or until room is needed; `cursor` says where to go on."""
    n = c.n
    while True:
        start = cursor[_TICK_START]
        tick = np.int64(rows[start].apply) if start < rows.size else _NEVER
        if n[k.TRACKED] > 0:
            tick = min(tick, ((n[k.NOW] + 1) // ticks_per_hour + 1) * ticks_per_hour - 1)
        if tick > through:
            break
        stop = start
        while stop < rows.size and rows[stop].apply == tick:
            stop += 1
        if cursor[_INSIDE] == 0:
            if stop > start and n[k.CLEANED] != tick:
                if tick // c.volume.size > n[k.DAY] or n[k.ROWS] > _PRESSURE * max_rows:
                    return NEED_CLEANING
            room = c.use_reel.size - (n[k.NEXT_USE] - n[k.FIRST_USE])
            if stop > start and room < 4 * (stop - start) and c.use_reel.size < max_uses:
                k.expire_uses(c, tick)
                if c.use_reel.size - (n[k.NEXT_USE] - n[k.FIRST_USE]) < 4 * (stop - start):
                    return NEED_LOG
            if stop > start and n[k.PAIRS] + 2 * (stop - start) > _PAIR_LOAD * c.pair_key.size:
                return NEED_PAIRS
            if out.used[0] + (stop - start) + n[k.TRACKED] + 1 > out.signal.size or (
                out.used[4] == out.live.shape[0]
            ):
                return NEED_REPORTS
            at = cursor[_VOLUME]
            while at < volume.size and volume[at].apply <= tick:
                now = np.int64(volume[at].apply)
                k.advance_volume(c, now, ticks_per_hour)
                k.add_volume(c, now, np.int64(volume[at].tick), volume[at].reels, ticks_per_hour)
                at += 1
            cursor[_VOLUME] = at
            k.advance_volume(c, tick, ticks_per_hour)
            k.expire_uses(c, tick)
            cursor[_GROUP] = start
            cursor[_TOUCHED] = 0
            cursor[_INSIDE] = 1
        while cursor[_GROUP] < stop:
            if n[k.ROWS] == c.key.size and c.key.size < max_rows:
                return NEED_ROWS
            if n[k.LABEL_BYTES] + k.MAX_LABEL > c.labels.size:
                return NEED_LABELS
            first = cursor[_GROUP]
            end = first + 1
            ordinary = True
            signal = rows[first].signal
            while end < stop and rows[end].signal == signal:
                end += 1
            for i in range(first, end):
                ordinary = ordinary and rows[i].again == 0 and rows[i].tick == tick
            if not ordinary:
                k.order_group(rows, order, first, end, tick)
            row = k.count_group(c, rows, labels, order, first, end, tick, ticks_per_hour)
            if row >= 0 and c.day_authors[row] >= min_authors:
                touched[cursor[_TOUCHED]] = row
                cursor[_TOUCHED] += 1
            cursor[_GROUP] = end
        if n[k.ROWS] != n[k.LIVE]:
            n[k.LIVE] = n[k.ROWS]
            out.live[out.used[4], 0] = tick
            out.live[out.used[4], 1] = n[k.ROWS]
            out.used[4] += 1
        hourly = (tick + 1) % ticks_per_hour == 0
        if cursor[_TOUCHED] > 0 or (hourly and n[k.TRACKED] > 0):
            volume_sums(c, tick, windows, ticks_per_hour, volumes)
            if hourly:
                judge_tracked(
                    c, out, tick, windows, volumes, min_authors, min_growth, ticks_per_hour
                )
            for i in range(cursor[_TOUCHED]):
                if not (hourly and c.tracked[touched[i]] >= tick):
                    judge(
                        c,
                        out,
                        touched[i],
                        tick,
                        windows,
                        volumes,
                        min_authors,
                        min_growth,
                        ticks_per_hour,
                        False,
                    )
        n[k.NOW] = tick
        cursor[_TICK_START] = stop
        cursor[_INSIDE] = 0
    at = cursor[_VOLUME]
    while at < volume.size:
        now = np.int64(volume[at].apply)
        k.advance_volume(c, now, ticks_per_hour)
        k.add_volume(c, now, np.int64(volume[at].tick), volume[at].reels, ticks_per_hour)
        at += 1
    cursor[_VOLUME] = at
    return FINISHED


def _power_below(number: int) -> int:
    return 1 << max(number.bit_length() - 1, 0)


def _empty(settings: ShardSettings) -> Counts:
    day = 24 * settings.ticks_per_hour
    rows = min(_MIN_ROWS, settings.max_rows)
    n = np.zeros(k.SCALARS, np.int64)
    n[[k.VOLUME_TICK, k.DAY, k.NOW, k.CLEANED]] = k.NONE
    return Counts(
        n=n,
        slots=np.zeros(_power_below(rows) * 4, np.int32),
        key=np.zeros(rows, np.uint64),
        kind=np.zeros(rows, np.uint8),
        born=np.zeros(rows, np.int32),
        last=np.zeros(rows, np.int32),
        used=np.zeros(rows, np.int32),
        total=np.zeros(rows, np.int64),
        day_authors=np.zeros(rows, np.int32),
        day_reels=np.zeros(rows, np.int32),
        authors=np.zeros((rows, day), np.uint16),
        reels=np.zeros((rows, day), np.uint16),
        hour_authors=np.zeros((rows, HOURS), np.uint16),
        hour_reels=np.zeros((rows, HOURS), np.uint16),
        head=np.full(rows, k.NONE, np.int64),
        tracked=np.full(rows, k.UNTRACKED, np.int32),
        detailed=np.zeros(rows, np.int32),
        label_at=np.zeros(rows, np.int64),
        label_len=np.zeros(rows, np.int32),
        tracked_rows=np.zeros(rows, np.int32),
        labels=np.zeros(4 * k.MAX_LABEL, np.uint8),
        use_signal=np.zeros(_MIN_LOG, np.uint64),
        use_reel=np.zeros(_MIN_LOG, np.uint64),
        use_author=np.zeros(_MIN_LOG, np.uint64),
        use_tick=np.zeros(_MIN_LOG, np.int32),
        use_young=np.zeros(_MIN_LOG, np.uint8),
        use_prev=np.zeros(_MIN_LOG, np.int64),
        buckets=np.full(_MIN_LOG, k.NONE, np.int64),
        pair_key=np.zeros(_MIN_PAIRS, np.uint64),
        pair_tick=np.zeros(_MIN_PAIRS, np.int32),
        volume=np.zeros(day, np.int64),
        hour_volume=np.zeros(HOURS, np.int64),
    )


_PER_ROW: Final = (
    "key",
    "kind",
    "born",
    "last",
    "used",
    "total",
    "day_authors",
    "day_reels",
    "authors",
    "reels",
    "hour_authors",
    "hour_reels",
    "head",
    "tracked",
    "detailed",
    "label_at",
    "label_len",
)
_PER_USE: Final = ("use_signal", "use_reel", "use_author", "use_tick", "use_young", "use_prev")


def _with_rows(c: Counts, rows: int) -> Counts:
    """Return the counts with room for `rows` signals."""
    grown = {name: _resized(getattr(c, name), rows) for name in (*_PER_ROW, "tracked_rows")}
    slots = np.zeros(_power_below(max(rows - 1, 1)) * 4, np.int32)
    _index(slots, grown["key"], int(c.n[k.ROWS]))
    return c._replace(slots=slots, **grown)


def _resized(array: npt.NDArray[np.generic], rows: int) -> npt.NDArray[np.generic]:
    grown = np.zeros((rows, *array.shape[1:]), array.dtype)
    grown[: array.shape[0]] = array
    return grown


@njit(cache=True)
def _index(slots: npt.NDArray[np.int32], keys: npt.NDArray[np.uint64], rows: int) -> None:
    slots[:] = 0
    for row in range(rows):
        slots[k.slot_of(slots, keys, keys[row])] = row + 1


def _with_log(c: Counts, uses: int) -> Counts:
    """Return the counts with a log of `uses` uses, those that are kept in their new places."""
    sequence = np.arange(c.n[k.FIRST_USE], c.n[k.NEXT_USE])
    grown = {name: np.zeros(uses, getattr(c, name).dtype) for name in _PER_USE}
    for name, array in grown.items():
        array[sequence & (uses - 1)] = getattr(c, name)[sequence & (c.use_reel.size - 1)]
    buckets = np.full(uses, k.NONE, np.int64)
    _chain_young(sequence, grown["use_signal"], grown["use_young"], grown["use_prev"], buckets)
    return c._replace(buckets=buckets, **grown)


@njit(cache=True)
def _chain_young(
    sequence: I64,
    signals: npt.NDArray[np.uint64],
    young: U8,
    prev: I64,
    buckets: I64,
) -> None:
    mask = buckets.size - 1
    for use in sequence:
        at = use & mask
        if young[at] == 1:
            bucket = np.int64(signals[at] & np.uint64(mask))
            prev[at] = buckets[bucket]
            buckets[bucket] = use


def _with_pairs(c: Counts, tick: int, coming: int, settings: ShardSettings) -> Counts:
    """Return the counts without stale pairs, in a table with room for `coming` more."""
    live = (c.pair_key != 0) & (c.pair_tick > tick - c.volume.size)
    keys, ticks = c.pair_key[live], c.pair_tick[live]
    slots = c.pair_key.size
    while slots < settings.max_pairs and 2 * (keys.size + coming) > slots:
        slots *= 2
    if keys.size > slots // 4 and 2 * (keys.size + coming) > slots:
        # At the limit the oldest are forgotten, by whole ticks.
        cut = keys.size - slots // 4
        recent = ticks > np.partition(ticks, cut)[cut]
        keys, ticks = keys[recent], ticks[recent]
    while 2 * (keys.size + coming) > slots:
        slots *= 2
    table = np.zeros(slots, np.uint64), np.zeros(slots, np.int32)
    _insert_pairs(keys, ticks, *table)
    c.n[k.PAIRS] = keys.size
    return c._replace(pair_key=table[0], pair_tick=table[1])


@njit(cache=True)
def _insert_pairs(
    keys: npt.NDArray[np.uint64],
    ticks: npt.NDArray[np.int32],
    table: npt.NDArray[np.uint64],
    table_ticks: npt.NDArray[np.int32],
) -> None:
    mask = table.size - 1
    for i in range(keys.size):
        at = np.int64(keys[i] & np.uint64(mask))
        while table[at] != 0:
            at = (at + 1) & mask
        table[at] = keys[i]
        table_ticks[at] = ticks[i]


def _cleaned(c: Counts, tick: int, settings: ShardSettings) -> Counts:
    """Return the counts without signals idle for all their history, or under pressure for longest."""
    n = int(c.n[k.ROWS])
    c.n[k.DAY] = tick // c.volume.size
    c.n[k.CLEANED] = tick
    used, tracked = c.used[:n], c.tracked[:n] != k.UNTRACKED
    keep = used > tick - HOURS * settings.ticks_per_hour
    limit = int(_RELIEF * settings.max_rows)
    if n > _PRESSURE * settings.max_rows and np.count_nonzero(keep) > limit:
        keep = used > np.partition(used, n - limit)[n - limit]
    keep |= tracked
    kept = np.flatnonzero(keep)
    if kept.size == n:
        return c
    c.n[k.ROWS] = kept.size
    c.n[k.EVICTED] += n - kept.size
    fields = {}
    for name in _PER_ROW:
        array = np.zeros_like(getattr(c, name))
        array[: kept.size] = getattr(c, name)[kept]
        fields[name] = array
    moved = np.cumsum(keep) - 1
    tracked_rows = np.zeros_like(c.tracked_rows)
    count = int(c.n[k.TRACKED])
    tracked_rows[:count] = moved[c.tracked_rows[:count]]
    labels, label_at = _packed_labels(c.labels, fields["label_at"], fields["label_len"], kept.size)
    c.n[k.LABEL_BYTES] = int(fields["label_len"][: kept.size].sum())
    fields["label_at"] = label_at
    slots = np.zeros_like(c.slots)
    _index(slots, fields["key"], kept.size)
    return c._replace(slots=slots, tracked_rows=tracked_rows, labels=labels, **fields)


@njit(cache=True)
def _packed_labels(
    labels: U8, label_at: I64, label_len: npt.NDArray[np.int32], rows: int
) -> tuple[U8, I64]:
    packed = np.zeros_like(labels)
    places = np.zeros_like(label_at)
    at = 0
    for row in range(rows):
        places[row] = at
        for i in range(label_len[row]):
            packed[at + i] = labels[label_at[row] + i]
        at += label_len[row]
    return packed, places


class _ReportRoom:
    """The arrays that reports are written to: one set for all shards of a process, copied out."""

    def __init__(self) -> None:
        self._room: dict[int, Reports] = {}

    def get(self, windows: int) -> Reports:
        if windows not in self._room:
            self._room[windows] = _room(512, windows)
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
