"""Which signals of a shard are bursting at a tick, and what is told of them.

For each window length the authors of the window are held against `trend.expectation` and the tail
probability is taken; the smallest, times the number of windows, is the signal's p-value. A signal that
was improbable enough is *tracked*: for three days it is reported at the end of each hour, so that its
trend can be followed without any word going back to the shard. With the first report, and again
when it has grown by half, go the details: label, a sample of its reels, its last two days.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from trend.counts import FIRST_USE, HOURS, I64, TRACKED, U8, U64, UNTRACKED, Counts, advance_row
from trend.expectation import expect
from trend.significance import log10_upper_tail

F64 = npt.NDArray[np.float64]

REPORT_LOG10_P: Final = -3.0
"""A signal is reported and tracked from this p-value on; the false-discovery rate decides later."""
TRACKED_DAYS: Final = 3
SAMPLE: Final = 128
"""Reels in a sample: those with the smallest hashes, so that samples of two signals can be compared."""
SERIES_HOURS: Final = 48
DETAIL_GROWTH: Final = 1.5

# Columns of `Reports.numbers`.
TICK: Final = 0
KIND: Final = 1
BURST: Final = 2  # 1: bursting at this tick; 0: tracked
WINDOW: Final = 3  # index of the most improbable window
DAY_REELS: Final = 4
ONSET: Final = 5  # first tick with a use in that window
HOUR_REELS: Final = 6  # reels in the current hour so far
LABEL_AT: Final = 7
LABEL_LEN: Final = 8  # 0: no details with this report
SAMPLE_AT: Final = 9
SAMPLE_LEN: Final = 10
SERIES_AT: Final = 11
BORN: Final = 12
NUMBERS: Final = 13


class Reports(NamedTuple):
    """Room for N reports with W windows each; `used` says how much of it is taken."""

    used: I64  # [5] reports, sample reels, series, label bytes, changes in the number of signals
    signal: U64  # [N]
    numbers: I64  # [N, NUMBERS]
    log10_p: F64  # [N]
    authors: I64  # [N, W] in each window
    reels: I64  # [N, W]
    expected: F64  # [N, W] authors; -1: unknown
    before: F64  # [N, W] authors in the window before it, scaled to this one's volume
    volume: I64  # [N, W] reels of the platform in each window
    samples: U64  # [.] reel hashes
    series: F64  # [., SERIES_HOURS, 2] reels and expected reels an hour, oldest first
    labels: U8  # [.]
    live: I64  # [., 2] tick and signals in the table from that tick on


@njit(cache=True)
def judge(
    c: Counts,
    out: Reports,
    row: int,
    now: int,
    windows: I64,
    volumes: I64,
    min_authors: int,
    min_growth: float,
    ticks_per_hour: int,
    hourly: bool,
) -> None:
    """Judge a signal at tick `now`; append a report if it bursts, or if it is tracked and `hourly`.

    Args:
        windows: lengths in hours, int64[W], rising, at most 24.
        volumes: `volume_sums` at `now`.
        min_authors: authors in a window below which nothing is a burst.
        min_growth: authors over expected authors below which nothing is a burst.
    """
    day = c.authors.shape[1]
    tracked = c.tracked[row] >= now
    if c.day_authors[row] < min_authors and not (tracked and hourly):
        return
    i = out.used[0]
    history = 0
    for h in range(HOURS):
        history += c.hour_authors[row, h]
    authors = reels = before = 0
    back = 0
    best = 0
    best_log10_p = 0.0
    for w in range(windows.size):
        length = windows[w] * ticks_per_hour
        while back < length:
            at = (now - back) % day
            authors += c.authors[row, at]
            reels += c.reels[row, at]
            back += 1
        out.authors[i, w] = authors
        out.reels[i, w] = reels
        mean, evidence = expect(
            c, row, now, windows[w], history, volumes[w], ticks_per_hour
        )
        out.expected[i, w] = mean
        out.volume[i, w] = volumes[w, 0]
        if mean > 0 and authors >= min_authors and authors >= min_growth * mean:
            log10_p = log10_upper_tail(float(authors), mean, evidence)
            if log10_p < best_log10_p:
                best_log10_p = log10_p
                best = w
        before = 0
        before_volume = 0
        if 2 * length <= day:
            for t in range(now - 2 * length + 1, now - length + 1):
                before += c.authors[row, t % day]
                before_volume += c.volume[t % day]
        else:
            hour = now // ticks_per_hour
            for h in range(hour - 2 * windows[w] + 1, hour - windows[w] + 1):
                before += c.hour_authors[row, h % HOURS]
                before_volume += c.hour_volume[h % HOURS]
        out.before[i, w] = before * volumes[w, 0] / before_volume if before_volume > 0 else 0.0
    log10_p = min(0.0, best_log10_p + np.log10(float(windows.size)))
    burst = log10_p <= REPORT_LOG10_P
    if not burst and not (tracked and hourly):
        return
    if burst:
        if c.tracked[row] == UNTRACKED:
            c.tracked_rows[c.n[TRACKED]] = row
            c.n[TRACKED] += 1
            c.detailed[row] = 0
        c.tracked[row] = now + TRACKED_DAYS * day
    elif best_log10_p == 0.0:
        best = windows.size - 1
    out.signal[i] = c.key[row]
    out.log10_p[i] = log10_p
    out.numbers[i, TICK] = now
    out.numbers[i, KIND] = c.kind[row]
    out.numbers[i, BURST] = burst
    out.numbers[i, WINDOW] = best
    out.numbers[i, DAY_REELS] = c.day_reels[row]
    out.numbers[i, HOUR_REELS] = c.hour_reels[row, (now // ticks_per_hour) % HOURS]
    out.numbers[i, BORN] = c.born[row]
    out.numbers[i, ONSET] = now
    for t in range(now - windows[best] * ticks_per_hour + 1, now + 1):
        if c.reels[row, t % day] > 0:
            out.numbers[i, ONSET] = t
            break
    out.numbers[i, LABEL_LEN] = 0
    out.numbers[i, SAMPLE_LEN] = 0
    if c.day_authors[row] >= DETAIL_GROWTH * c.detailed[row]:
        _detail(c, out, i, row, now, out.expected[i, windows.size - 1], volumes, ticks_per_hour)
        c.detailed[row] = max(c.day_authors[row], 1)
    out.used[0] = i + 1


@njit(cache=True)
def _detail(
    c: Counts,
    out: Reports,
    i: int,
    row: int,
    now: int,
    expected: float,
    volumes: I64,
    ticks_per_hour: int,
) -> None:
    """Add label, sample and series to report `i`."""
    length = c.label_len[row]
    out.numbers[i, LABEL_AT] = out.used[3]
    out.numbers[i, LABEL_LEN] = length
    for b in range(length):
        out.labels[out.used[3] + b] = c.labels[c.label_at[row] + b]
    out.used[3] += length
    taken = _sample(c, row, now, out.samples[out.used[1] : out.used[1] + SAMPLE])
    out.numbers[i, SAMPLE_AT] = out.used[1]
    out.numbers[i, SAMPLE_LEN] = taken
    out.used[1] += taken
    out.numbers[i, SERIES_AT] = out.used[2]
    share = max(expected, 0.0) / max(volumes[volumes.shape[0] - 1, 0], 1)
    hour = now // ticks_per_hour
    for h in range(SERIES_HOURS):
        at = (hour - SERIES_HOURS + 1 + h) % HOURS
        out.series[out.used[2], h, 0] = c.hour_reels[row, at]
        out.series[out.used[2], h, 1] = share * c.hour_volume[at]
    out.used[2] += 1


@njit(cache=True)
def _sample(c: Counts, row: int, now: int, sample: U64) -> int:
    """Take the reels of the last day with the smallest hashes, ascending; return how many."""
    day = c.authors.shape[1]
    mask = c.use_reel.size - 1
    taken = 0
    use = c.head[row]
    while use >= c.n[FIRST_USE]:
        at = use & mask
        use = c.use_prev[at]
        reel = c.use_reel[at]
        if c.use_tick[at] <= now - day or (taken == sample.size and reel >= sample[taken - 1]):
            continue
        place = np.searchsorted(sample[:taken], reel)
        if place < taken and sample[place] == reel:
            continue
        if taken < sample.size:
            taken += 1
        for j in range(taken - 1, place, -1):
            sample[j] = sample[j - 1]
        sample[place] = reel
    return taken


@njit(cache=True)
def judge_tracked(
    c: Counts,
    out: Reports,
    now: int,
    windows: I64,
    volumes: I64,
    min_authors: int,
    min_growth: float,
    ticks_per_hour: int,
) -> None:
    """Report every tracked row at the end of an hour, in the order of their signals."""
    kept = 0
    for i in range(c.n[TRACKED]):
        row = c.tracked_rows[i]
        if c.tracked[row] >= now:
            c.tracked_rows[kept] = row
            kept += 1
        else:
            c.tracked[row] = UNTRACKED
    c.n[TRACKED] = kept
    for i in range(kept):
        row = c.tracked_rows[i]
        advance_row(c, row, now, ticks_per_hour)
        judge(
            c, out, row, now, windows, volumes, min_authors, min_growth, ticks_per_hour, True
        )
