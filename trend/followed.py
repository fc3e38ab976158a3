"""The signals that burst or did so within the last days: their numbers as last reported.

Columns, a row a signal, so that a tick's reports are taken by one kernel; what has a name is in
`trend.trends.Signal`, which knows its row.
"""

from itertools import repeat
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from trend import bursts
from trend.bursts import F64, SERIES_HOURS
from trend.compiled import kernel
from trend.layout import I64, NONE, Int, Records

DAY_H: Final = 24
FIRST_ROWS: Final = 256
NOT_REPORTED: Final = -1.0
"""Reels of an hour of which there is no report."""

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


class Followed:
    """Rows of `Columns` by the hashes of their signals.

    Args:
        windows_h: lengths of the windows in hours, rising.
    """

    def __init__(self, windows_h: tuple[int, ...]) -> None:
        self.columns = _columns(FIRST_ROWS, len(windows_h))
        self._longest_h = windows_h[-1]
        self._rows: dict[int, int] = {}
        self._free = [*range(FIRST_ROWS)]

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, key: int, kind: int, onset: int) -> int:
        """Return the row of a signal that was not followed."""
        if not self._free:
            self._free = [*range(len(self._rows), 2 * len(self._rows))]
            more = _columns(len(self._rows), self.columns.authors.shape[1])
            pairs = zip(self.columns, more, strict=True)
            self.columns = Columns(*(np.concatenate(pair) for pair in pairs))
        row = self._rows[key] = self._free.pop()
        self.columns.signals[row] = (key, NONE, 0, 0, onset, 0, 0, NONE, 0.0, kind)
        return row

    def remove(self, key: int) -> None:
        """Forget a signal."""
        row = self._rows.pop(key)
        self._free.append(row)
        self.columns.signals[row]["trend"] = NONE
        self.columns.signals[row]["burst_tick"] = bursts.NEVER

    def rows(self, keys: npt.NDArray[np.uint64]) -> I64:
        """Return the row of each signal, NONE where it is not followed."""
        return np.array(list(map(self._rows.get, keys.tolist(), repeat(NONE))), np.int64)

    def quiet_since(self, tick: int) -> list[int]:
        """Return the signals whose last burst was before `tick`."""
        signals = self.columns.signals
        return signals["key"][signals["burst_tick"] < tick].tolist()

    def take(
        self, reports: Any, at: slice, rows: I64, tick: int, hour: int
    ) -> npt.NDArray[np.bool]:
        """Take the reports of one tick on signals that are followed.

        Args:
            reports: `trend.shard.ShardReports`.
            at: those to take.
            rows: of their signals; reports with NONE are passed over.

        Returns:
            Which of them are news, bool[n]: of bursts, of signals in a trend, or with details.
            Of the others only the hour's reels are kept.
        """
        taken = np.zeros(rows.size, np.bool)
        _take(
            self.columns,
            rows,
            taken,
            reports.numbers[at],
            reports.log10_p[at],
            reports.authors[at],
            reports.reels[at],
            reports.expected[at],
            reports.before[at],
            reports.volume[at],
            reports.series,
            tick,
            hour,
            self._longest_h,
        )
        return taken

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


@njit(cache=True)
def _take(
    c: Columns,
    rows: I64,
    taken: npt.NDArray[np.bool],
    numbers: I64,
    log10_p: F64,
    authors: I64,
    reels: I64,
    expected: F64,
    before: F64,
    volume: I64,
    series: npt.NDArray[np.float64],
    tick: Int,
    hour: Int,
    longest_h: Int,
) -> None:
    signals, hours = c.signals, c.hours
    for i in range(rows.size):
        row = rows[i]
        if row == NONE:
            continue
        burst, detailed = numbers[i, bursts.BURST] > 0, numbers[i, bursts.LABEL_LEN] > 0
        if burst or detailed or signals[row].trend != NONE:
            taken[i] = True
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
        if detailed:
            told = series[numbers[i, bursts.SERIES_AT]]
            for h in range(SERIES_HOURS):
                hours[row, (hour + 1 + h) % SERIES_HOURS] = told[h]
            signals[row].first_hour = hour - SERIES_HOURS + 1
            signals[row].last_hour = hour
        for missed in range(signals[row].last_hour + 1, hour + 1):
            hours[row, missed % SERIES_HOURS, 0] = NOT_REPORTED
            hours[row, missed % SERIES_HOURS, 1] = max(c.expected[row, -1], 0.0) / longest_h
        signals[row].first_hour = max(signals[row].first_hour, hour - SERIES_HOURS + 1)
        signals[row].last_hour = hour
        hours[row, hour % SERIES_HOURS, 0] = numbers[i, bursts.HOUR_REELS]
