"""Which signals of a shard are bursting at a tick, and what is told of them.

For each window length the authors of the window are held against `trend.expectation` and the tail
probability is taken; the smallest, times the number of windows, is the signal's p-value. A signal
that was improbable enough is *tracked*: for three days it is reported at the end of each hour, so
that its trend can be followed without any word going back to the shard. With the first report, and
again when it has grown by a quarter and every six hours, go the details: label, a sample of its
reels, its last two days.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from trend import history
from trend.compiled import inlined, kernel
from trend.counts import advance_row
from trend.expectation import (
    BASELINE,
    BEFORE,
    LIFE,
    SINCE,
    START,
    baseline,
    before,
    fewest,
    novelty,
    with_floor,
    with_season,
)
from trend.expectation import WINDOW as WINDOW_VOLUME
from trend.layout import (
    BY_HOUR,
    FIRST_USE,
    I32,
    I64,
    NONE,
    TICKS,
    TRACKED,
    U8,
    U64,
    UNTRACKED,
    Counts,
    Int,
    Records,
)
from trend.log import before as use_before
from trend.log import place_of
from trend.rings import moment, ring_sum
from trend.significance import log10_upper_tail

F64 = npt.NDArray[np.float64]

REPORT_LOG10_P: Final = -3.5
"""A signal is reported and tracked from this p-value on; the false-discovery rate decides later."""
TRACKED_DAYS: Final = 3
SAMPLE: Final = 512
"""Reels in a sample: those with the smallest hashes, so that two samples can be compared."""
SERIES_HOURS: Final = 48
REPORT_SHARE: Final = 8
"""A burst is reported again within the hour when its authors of the day grew by one in so many."""
DETAIL_GROWTH: Final = 1.25
DETAIL_EVERY_H: Final = 6
CAUTION: Final = 0.7
"""A signal is judged again within `REJUDGE_H` only when its authors reach this share of what a
burst needs: what is needed may fall a little with the platform's volume."""
REJUDGE_H: Final = 3
NEVER: Final = np.int64(1 << 60)

# Columns of `Reports.numbers`.
TICK: Final = 0
KIND: Final = 1
BURST: Final = 2  # 1: bursting at this tick; 0: tracked
WINDOW: Final = 3  # index of the most improbable window
ONSET: Final = 4  # first tick with a use in that window
HOUR_REELS: Final = 5  # reels in the current hour so far
LABEL_AT: Final = 6
LABEL_LEN: Final = 7  # 0: no details with this report
SAMPLE_AT: Final = 8
SAMPLE_LEN: Final = 9
SERIES_AT: Final = 10
SAMPLED: Final = 11  # 1: of the day's reels surely only those below SAMPLE_LIMIT are known
NUMBERS: Final = 12


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
    near: I64  # [W] for the one that is judged: its authors in the hours that each window touches


@inlined
def judge(
    c: Counts,
    out: Reports,
    rows: I32,
    count: Int,
    now: Int,
    windows: I64,
    sums: I64,
    min_authors: Int,
    min_growth: float,
    ticks_per_hour: Int,
    hourly: bool,
) -> None:
    """Judge signals at tick `now`; report those that burst, and if `hourly` all of them.

    Args:
        rows: the first `count` of these, brought to `now`.
        windows: lengths in hours, int64[W], rising, at most 24.
        sums: `volume_sums` at `now`.
        min_authors: authors in a window below which nothing is a burst; fewer on a platform so
            small that they are more than a twentieth of it (`trend.expectation.fewest`).
        min_growth: authors over expected authors below which nothing is a burst.
    """
    signals = c.signals
    log10_windows = np.log10(float(windows.size))
    few = fewest(min_authors, sums[windows.size - 1, WINDOW_VOLUME])
    for at in range(count):
        row = rows[at]
        i = out.used[0]
        kept, total = np.int64(signals[row].hours_authors), np.int64(signals[row].total)
        within, near = out.authors[i], out.near
        history.authors_since(c, row, TICKS, sums, SINCE, within)
        history.authors_since(c, row, BY_HOUR, sums, START, near)
        best = windows.size - 1
        least = 0.0
        missing: Int = NEVER
        for w in range(windows.size):
            base, seen = baseline(
                kept - near[w],
                total - near[w],
                sums[w, WINDOW_VOLUME],
                sums[w, BASELINE],
                sums[w, LIFE],
            )
            out.expected[i, w] = base
            needed = max(float(few), min_growth * base)
            if base < 0:
                # Once there is a past to compare with, it may burst.
                missing = min(missing, np.int64(1))
                continue
            missing = min(missing, np.int64(np.ceil(CAUTION * needed)) - within[w])
            if within[w] < needed:
                continue
            season = with_season(c, row, windows[w], base, sums[w])
            expected, evidence = with_floor(season, seen, novelty(sums[w, WINDOW_VOLUME]))
            if within[w] >= min_growth * expected:
                log10_p = log10_upper_tail(float(within[w]), expected, evidence)
                if log10_p < least:
                    least = log10_p
                    best = w
        least = min(0.0, least + log10_windows)
        if least > REPORT_LOG10_P:
            signals[row].judge_from = total + max(missing, np.int64(1))
        else:
            signals[row].judge_from = total + 1 + signals[row].day_authors // REPORT_SHARE
        signals[row].judge_at = now + REJUDGE_H * ticks_per_hour
        if least <= REPORT_LOG10_P or hourly:
            _report(c, out, row, now, windows, sums, best, least, ticks_per_hour)


@kernel
def _report(
    c: Counts,
    out: Reports,
    row: Int,
    now: Int,
    windows: I64,
    sums: I64,
    best: Int,
    log10_p: float,
    ticks_per_hour: Int,
) -> None:
    """Complete the report on a signal, whose authors and baseline are in place."""
    n, signals = c.n, c.signals
    day = c.volume.size - 1
    i = out.used[0]
    out.numbers[i, ONSET] = now
    burst = log10_p <= REPORT_LOG10_P
    if burst:
        if signals[row].tracked == UNTRACKED:
            c.tracked_rows[n[TRACKED]] = row
            n[TRACKED] += 1
            signals[row].detailed = 0
        signals[row].tracked = now + TRACKED_DAYS * day
    _reels_by_window(c, out, i, row, sums, best)
    for w in range(windows.size):
        out.volume[i, w] = sums[w, WINDOW_VOLUME]
        first, last, by_tick = before(now, windows[w], day, ticks_per_hour)
        which = TICKS if by_tick else BY_HOUR
        authors = history.authors_between(c, row, which, first, last)
        out.before[i, w] = authors * sums[w, WINDOW_VOLUME] / max(sums[w, BEFORE], 1)
        base = out.expected[i, w]
        if base >= 0:
            season = with_season(c, row, windows[w], base, sums[w])
            out.expected[i, w] = max(season, novelty(sums[w, WINDOW_VOLUME]))
    out.signal[i] = signals[row].key
    out.log10_p[i] = log10_p
    out.numbers[i, TICK] = now
    out.numbers[i, KIND] = signals[row].kind
    out.numbers[i, BURST] = burst
    out.numbers[i, WINDOW] = best
    out.numbers[i, HOUR_REELS] = _reels_at(c, row, now // ticks_per_hour)
    out.numbers[i, LABEL_LEN] = 0
    out.numbers[i, SAMPLE_LEN] = 0
    if (
        signals[row].day_authors >= DETAIL_GROWTH * signals[row].detailed
        or (now + 1) % (DETAIL_EVERY_H * ticks_per_hour) == 0
    ):
        _detail(c, out, i, row, now, sums[windows.size - 1, WINDOW_VOLUME], ticks_per_hour)
        signals[row].detailed = max(signals[row].day_authors, 1)
    out.used[0] = i + 1


@kernel
def _reels_by_window(c: Counts, out: Reports, i: Int, row: Int, sums: I64, best: Int) -> None:
    """Tell the reels in each window, and the first tick with a use in window `best`."""
    reels = np.int64(0)
    w = 0
    page, at = history.newest(c, row, TICKS)
    while page != NONE and w < sums.shape[0]:
        entry = c.pages[page, at]
        if entry >> history.PLACE < sums[w, SINCE]:
            out.reels[i, w] = reels
            w += 1
            continue
        reels += history.reels_in(entry)
        if w <= best:
            out.numbers[i, ONSET] = entry >> history.PLACE
        page, at = history.older(c, row, TICKS, page, at)
    out.reels[i, w:] = reels


@inlined
def _reels_at(c: Counts, row: Int, hour: Int) -> Int:
    """Return the reels of an hour, which is the last one or empty."""
    page, at = history.newest(c, row, BY_HOUR)
    reels: Int = np.int64(0)
    if page != NONE and c.pages[page, at] >> history.PLACE == hour:
        reels = history.reels_in(c.pages[page, at])
    return reels


@kernel
def _detail(
    c: Counts, out: Reports, i: Int, row: Int, now: Int, volume: Int, ticks_per_hour: Int
) -> None:
    """Add label, sample and series to report `i`; `volume` is that of its longest window."""
    signal = c.signals[row]
    out.numbers[i, LABEL_AT] = out.used[3]
    out.numbers[i, LABEL_LEN] = signal.label_len
    for b in range(signal.label_len):
        out.labels[out.used[3] + b] = c.labels[signal.label_at + b]
    out.used[3] += signal.label_len
    room = out.samples[out.used[1] : out.used[1] + SAMPLE]
    taken, known = _sample(c.n, c.uses, signal.head, now - c.volume.size + 1, room)
    out.numbers[i, SAMPLE_AT] = out.used[1]
    out.numbers[i, SAMPLE_LEN] = taken
    out.numbers[i, SAMPLED] = known < signal.day_reels
    out.used[1] += taken
    out.numbers[i, SERIES_AT] = out.used[2]
    share = max(out.expected[i, out.expected.shape[1] - 1], 0.0) / max(volume, 1)
    oldest = now // ticks_per_hour - SERIES_HOURS + 1
    series = out.series[out.used[2]]
    for h in range(SERIES_HOURS):
        series[h, 0] = 0.0
        series[h, 1] = share * ring_sum(c.hour_volume, oldest + h, oldest + h)
    page, at = history.newest(c, row, BY_HOUR)
    while page != NONE and c.pages[page, at] >> history.PLACE >= oldest:
        entry = c.pages[page, at]
        series[(entry >> history.PLACE) - oldest, 0] = history.reels_in(entry)
        page, at = history.older(c, row, BY_HOUR, page, at)
    out.used[2] += 1


@kernel
def _sample(n: I64, uses: Records, head: Int, after: Int, sample: U64) -> tuple[Int, Int]:
    """Take the reels of later ticks than `after` with the smallest hashes, ascending.

    Returns:
        How many there are in `sample`, and of how many uses it was taken.
    """
    taken: Int = 0
    known = 0
    use = head
    while use >= n[FIRST_USE]:
        at = place_of(uses, use)
        use = use_before(uses, use)
        if uses[at].tick > after:
            known += 1
            taken = _keep_smallest(sample, taken, uses[at].reel)
    return taken, known


@inlined
def _keep_smallest(sample: U64, taken: Int, reel: np.uint64) -> Int:
    """Insert a reel into a full or partly filled sample, ascending; return how many it holds."""
    if taken == sample.size and reel >= sample[taken - 1]:
        return taken
    place = np.int64(taken)
    while place > 0 and sample[place - 1] > reel:
        place -= 1
    if place > 0 and sample[place - 1] == reel:
        return taken
    taken = min(taken + 1, sample.size)
    for j in range(taken - 1, place, -1):
        sample[j] = sample[j - 1]
    sample[place] = reel
    return taken


@inlined
def tracked(c: Counts, now: Int, ticks_per_hour: Int) -> Int:
    """Bring the tracked rows to `now`, let go of those that are no longer; return their number."""
    n, signals = c.n, c.signals
    here = moment(now, c.volume.size - 1, ticks_per_hour)
    kept = 0
    for i in range(n[TRACKED]):
        row = c.tracked_rows[i]
        if signals[row].tracked < now:
            signals[row].tracked = UNTRACKED
            continue
        c.tracked_rows[kept] = row
        kept += 1
        advance_row(c, row, here)
    n[TRACKED] = kept
    return kept
