"""The signals that burst or did so within the last days: their numbers as last reported.

Columns, a row a signal, so that a tick's reports are taken by one kernel; what has a name is in
`trend.trends.Signal`, which knows its row.
"""

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from trend import bursts
from trend.bursts import F64, SERIES_HOURS
from trend.compiled import inlined, kernel
from trend.layout import I32, I64, NONE, U64, Int, Records

DAY_H: Final = 24
FIRST_ROWS: Final = 256
NOT_REPORTED: Final = -1.0
"""Reels of an hour of which there is no report."""

# Indices into what `_take` has done.
NEXT: Final = 0  # the report to take next
NEWS: Final = 1  # signals with news
TOLD: Final = 2  # reports with details
SPARE: Final = 3  # rows that are free

FOLLOWED: Final = np.dtype(
    [
        ("key", np.uint64),  # its hash
        ("trend", np.int64),  # number of its trend, or NONE
        ("tick", np.int64),  # of the last report
        ("burst_tick", np.int64),  # of the last report in which it burst; NEVER: a free row
        ("onset", np.int64),  # first tick of its burst
        ("window", np.int64),  # index of the window in which it was then most improbable
        ("first_hour", np.int64),  # in `hours`
        ("last_hour", np.int64),
        ("log10_p", np.float64),
        ("kind", np.int64),  # `trend.kinds`
    ]
)


class Columns(NamedTuple):
    """Room for N signals with W windows each."""

    signals: Records  # FOLLOWED[N]
    authors: I64  # [N, W] in each window, as in `bursts.Reports`
    reels: I64  # [N, W]
    expected: F64  # [N, W]
    before: F64  # [N, W]
    volume: I64  # [N, W]
    hours: F64  # [N, SERIES_HOURS, 2] reels and expected reels an hour, a ring


class Taken(NamedTuple):
    """What was taken of a tick's reports."""

    news: I64
    """Rows of the signals that burst, are in a trend or came with details; of others only the
    hour's reels are kept."""
    detailed: I64
    """Which reports came with details, of signals that are followed."""
    rows: I64
    """Of the signals of these."""


class Followed:
    """Rows of `Columns` by the hashes of their signals.

    Args:
        windows_h: lengths of the windows in hours, rising.
    """

    def __init__(self, windows_h: tuple[int, ...]) -> None:
        self.columns = _columns(FIRST_ROWS, len(windows_h))
        self._longest_h = windows_h[-1]
        self._index = np.zeros(2 * FIRST_ROWS, np.int32)
        """Row + 1 of a signal by linear probing, 0: free."""
        self._free = np.arange(FIRST_ROWS)
        """The rows that are free, the first `_spare` of them."""
        self._spare = FIRST_ROWS

    def __len__(self) -> int:
        return self._free.size - self._spare

    def take(self, reports: Any, at: slice, tick: int, hour: int) -> Taken:
        """Take the reports of one tick; a signal that bursts, with details, is followed from now.

        Args:
            reports: `trend.shard.ShardReports`.
            at: those to take.
        """
        news, detailed, rows = np.empty((3, at.stop - at.start), np.int64)
        done = np.array([at.start, 0, 0, self._spare])
        while not _take(
            self.columns,
            self._index,
            self._free,
            done,
            news,
            detailed,
            rows,
            reports.signal,
            reports.numbers,
            reports.log10_p,
            reports.authors,
            reports.reels,
            reports.expected,
            reports.before,
            reports.volume,
            reports.series,
            at.stop,
            tick,
            hour,
            self._longest_h,
        ):
            done[SPARE] = self._grow()
        _, taken, told, self._spare = done.tolist()
        return Taken(news[:taken], detailed[:told], rows[:told])

    def _grow(self) -> int:
        """Have as many rows again, as none is free; return how many are."""
        more = self._free.size
        self._free = np.concatenate([np.arange(more, 2 * more), self._free])
        pairs = zip(self.columns, _columns(more, self.columns.authors.shape[1]), strict=True)
        self.columns = Columns(*(np.concatenate(pair) for pair in pairs))
        self._index = np.zeros(2 * self._free.size, np.int32)
        _link(self._index, self.columns.signals)
        return more

    def remove(self, keys: list[int]) -> None:
        """Forget signals."""
        if not keys:
            return
        wanted = np.array(keys, np.uint64)
        signals = self.columns.signals
        self._spare = int(_unlink(self._index, signals, wanted, self._free, self._spare))
        self._index[:] = 0
        _link(self._index, signals)

    def quiet_since(self, tick: int) -> list[int]:
        """Return the signals whose last burst was before `tick`."""
        signals = self.columns.signals
        return signals["key"][signals["burst_tick"] < tick].tolist()

    def day_before(self, row: int) -> tuple[float, float]:
        """Return the reels of the last day and those before it, as far as hours are kept."""
        return _day_before(self.columns.signals, self.columns.hours, row)

    def beyond_last_hour(self, rows: I64) -> F64:
        """Return the reels of the last hour beyond those expected, 0 where it has no report."""
        hours = self.columns.hours
        last = self.columns.signals["last_hour"][rows] % hours.shape[1]
        reels, expected = hours[rows, last].T
        return np.where(reels == NOT_REPORTED, 0.0, reels - expected)

    def series(self, row: int) -> list[tuple[int, int, float]]:
        """Return the last two days: hours with their reels and expected reels, oldest first."""
        signal, hours = self.columns.signals[row], self.columns.hours[row]
        at = np.arange(signal["first_hour"], signal["last_hour"] + 1)
        at = at[hours[at % SERIES_HOURS, 0] != NOT_REPORTED]
        reels, expected = hours[at % SERIES_HOURS].T
        return [*zip(at.tolist(), reels.astype(np.int64).tolist(), expected.tolist(), strict=True)]


def _columns(rows: int, windows: int) -> Columns:
    signals = np.zeros(rows, FOLLOWED)
    signals["trend"], signals["burst_tick"] = NONE, bursts.NEVER
    return Columns(
        signals=signals,
        authors=np.zeros((rows, windows), np.int64),
        reels=np.zeros((rows, windows), np.int64),
        expected=np.zeros((rows, windows), np.float64),
        before=np.zeros((rows, windows), np.float64),
        volume=np.zeros((rows, windows), np.int64),
        hours=np.zeros((rows, SERIES_HOURS, 2), np.float64),
    )


@kernel
def _day_before(signals: Records, hours: F64, row: Int) -> tuple[float, float]:
    before = lately = 0.0
    last = signals[row].last_hour
    for hour in range(signals[row].first_hour, last + 1):
        reels = max(hours[row, hour % hours.shape[1], 0], 0.0)
        if hour > last - DAY_H:
            lately += reels
        else:
            before += reels
    return lately, before


@inlined
def _place(index: I32, signals: Records, key: np.uint64) -> Int:
    """Return where in the index a signal's row is, or would be."""
    at: Int = np.int64(key & np.uint64(index.size - 1))
    while index[at] != 0 and signals[index[at] - 1].key != key:
        at = at + 1 if at + 1 < index.size else 0
    return at


@kernel
def _link(index: I32, signals: Records) -> None:
    """Fill an empty index."""
    for row in range(signals.size):
        if signals[row].burst_tick != bursts.NEVER:
            index[_place(index, signals, signals[row].key)] = row + 1


@kernel
def _unlink(index: I32, signals: Records, keys: U64, free: I64, spare: Int) -> Int:
    """Free the rows of some signals, which leaves the index as it was; return how many are free."""
    for key in keys:
        row = np.int64(index[_place(index, signals, key)]) - 1
        signals[row].trend = NONE
        signals[row].burst_tick = bursts.NEVER
        free[spare] = row
        spare += 1
    return spare


@njit(cache=True)
def _take(
    c: Columns,
    index: I32,
    free: I64,
    done: I64,
    news: I64,
    detailed: I64,
    rows: I64,
    keys: U64,
    numbers: I64,
    log10_p: F64,
    authors: I64,
    reels: I64,
    expected: F64,
    before: F64,
    volume: I64,
    series: npt.NDArray[np.float64],
    stop: Int,
    tick: Int,
    hour: Int,
    longest_h: Int,
) -> bool:
    """Take reports from `done` on; return whether all are, or whether a row is needed for one."""
    signals, hours = c.signals, c.hours
    for i in range(done[NEXT], stop):
        done[NEXT] = i
        burst, told = numbers[i, bursts.BURST] > 0, numbers[i, bursts.LABEL_LEN] > 0
        at = _place(index, signals, keys[i])
        row = np.int64(index[at]) - 1
        if row < 0:
            if not (burst and told):
                continue
            if done[SPARE] == 0:
                return False
            done[SPARE] -= 1
            row = free[done[SPARE]]
            index[at] = row + 1
            _begin(signals, row, keys[i], numbers[i, bursts.KIND], numbers[i, bursts.ONSET])
        if burst or told or signals[row].trend != NONE:
            news[done[NEWS]] = row
            done[NEWS] += 1
            signals[row].tick = tick
            signals[row].log10_p = log10_p[i]
            c.authors[row] = authors[i]
            c.reels[row] = reels[i]
            c.expected[row] = expected[i]
            c.before[row] = before[i]
            c.volume[row] = volume[i]
        if burst:
            signals[row].burst_tick = tick
            signals[row].window = numbers[i, bursts.WINDOW]
            signals[row].onset = min(signals[row].onset, numbers[i, bursts.ONSET])
        if told:
            detailed[done[TOLD]], rows[done[TOLD]] = i, row
            done[TOLD] += 1
            past = series[numbers[i, bursts.SERIES_AT]]
            for h in range(SERIES_HOURS):
                hours[row, (hour + 1 + h) % SERIES_HOURS] = past[h]
            signals[row].first_hour = hour - SERIES_HOURS + 1
            signals[row].last_hour = hour
        for missed in range(signals[row].last_hour + 1, hour + 1):
            hours[row, missed % SERIES_HOURS, 0] = NOT_REPORTED
            hours[row, missed % SERIES_HOURS, 1] = max(c.expected[row, -1], 0.0) / longest_h
        signals[row].first_hour = max(signals[row].first_hour, hour - SERIES_HOURS + 1)
        signals[row].last_hour = hour
        hours[row, hour % SERIES_HOURS, 0] = numbers[i, bursts.HOUR_REELS]
    return True


@inlined
def _begin(signals: Records, row: Int, key: np.uint64, kind: Int, onset: Int) -> None:
    """Give a free row to a signal."""
    signals[row].key = key
    signals[row].kind = kind
    signals[row].onset = onset
    signals[row].trend = NONE
    signals[row].tick = 0
    signals[row].burst_tick = 0
    signals[row].window = 0
    signals[row].first_hour = 0
    signals[row].last_hour = NONE
    signals[row].log10_p = 0.0
