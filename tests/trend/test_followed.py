"""The columns of the signals that are followed, beside a plain account of them."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trend import bursts
from trend.followed import FIRST_ROWS, Followed
from trend.judging import JUDGED, leaders
from trend.kinds import HASHTAG
from trend.layout import NONE

WINDOWS = (1, 24)


def told(
    tick: int, burst: bool, detail: bool, reels: int, authors: list[int], expected: float
) -> SimpleNamespace:
    """One report, with the fields of `ShardReports`."""
    numbers = np.zeros((1, bursts.NUMBERS), np.int64)
    numbers[0, [bursts.TICK, bursts.BURST, bursts.HOUR_REELS]] = tick, burst, reels
    numbers[0, [bursts.LABEL_LEN, bursts.ONSET]] = detail, tick
    series = np.zeros((1, bursts.SERIES_HOURS, 2))
    series[0, :, 0] = np.arange(bursts.SERIES_HOURS)
    series[0, :, 1] = expected
    wide = np.array([authors], np.int64)
    return SimpleNamespace(
        numbers=numbers, log10_p=np.full(1, -5.0), authors=wide, reels=2 * wide,
        expected=np.full((1, 2), expected), before=np.full((1, 2), 1.0), volume=100 * wide,
        series=series,
    )  # fmt: skip


def take(followed: Followed, key: int, tick: int, report: SimpleNamespace) -> bool:
    rows = followed.rows(np.array([key], np.uint64))
    return bool(followed.take(report, slice(0, 1), rows, tick, tick // 6)[0])


@given(
    st.lists(
        st.tuples(st.integers(1, 60), st.booleans(), st.booleans(), st.integers(0, 9)),
        min_size=1,
        max_size=40,
    )
)
def test_the_series_is_what_was_told_of_each_hour(
    steps: list[tuple[int, bool, bool, int]],
) -> None:
    """Hours without a report are left out; details replace all that was known."""
    followed = Followed(WINDOWS)
    row = followed.add(7, HASHTAG, 0)
    tick, expected = 6000, 0.0
    hours: dict[int, tuple[int, float]] = {}
    for number, (later, burst, details, reels) in enumerate(steps):
        tick += later
        detail = details or number == 0
        news = take(followed, 7, tick, told(tick, burst, detail, reels, [1, 2], number / 3))
        assert news == (burst or detail)
        hour = tick // 6
        if news:
            expected = number / 3
        if detail:
            hours = {hour - 47 + h: (h, number / 3) for h in range(48)}
        hours[hour] = (reels, hours.get(hour, (0, expected / 24))[1])
        known = [(h, *hours[h]) for h in sorted(hours) if h > hour - 48]
        assert followed.series(row) == known


def test_rows_are_used_again_and_grow() -> None:
    followed = Followed(WINDOWS)
    rows = {key: followed.add(key, HASHTAG, 0) for key in range(1, 3 * FIRST_ROWS)}
    assert len(set(rows.values())) == len(rows) == len(followed)
    gone = followed.rows(np.arange(1, FIRST_ROWS, dtype=np.uint64)).tolist()
    for key in range(1, FIRST_ROWS):
        followed.remove(key)
    assert followed.rows(np.array([1, FIRST_ROWS], np.uint64)).tolist() == [
        NONE,
        rows[FIRST_ROWS],
    ]
    assert {followed.add(key + 10**6, HASHTAG, 0) for key in range(1, FIRST_ROWS)} == set(gone)


@pytest.mark.parametrize("by", [0, 1])
def test_the_leader_has_most_authors_of_those_reported_in_the_last_hour(by: int) -> None:
    followed = Followed(WINDOWS)
    authors = {5: [9, 1], 6: [9, 8], 7: [50, 50], 8: [1, 9], 9: [60, 60]}
    ticks = {5: 105, 6: 106, 7: 100, 8: 102, 9: 106}
    for key, of_windows in authors.items():
        row = followed.add(key, HASHTAG, 0)
        take(followed, key, ticks[key], told(ticks[key], key == 8, True, 1, of_windows, 1.0))
        followed.columns.signals[row]["trend"] = 3 if key < 9 else 4
    trends = np.zeros(8, JUDGED)
    trends["window"] = by
    rows, last_bursts = leaders(followed.columns, trends, np.array([4, 3]), ticks_per_hour=6)
    assert followed.columns.signals["key"][rows].tolist() == [9, (6, 8)[by]]
    assert last_bursts.tolist() == [0, 102]
