"""The columns of the signals that are followed, beside a plain account of them."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trend import bursts
from trend.followed import FIRST_ROWS, Followed
from trend.judging import JUDGED, leaders
from trend.layout import NONE

WINDOWS = (1, 24)


def told(
    key: int, tick: int, burst: bool, detail: bool, reels: int, authors: list[int], expected: float
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
        signal=np.array([key], np.uint64), numbers=numbers, log10_p=np.full(1, -5.0),
        authors=wide, reels=2 * wide,
        expected=np.full((1, 2), expected), before=np.full((1, 2), 1.0), volume=100 * wide,
        series=series,
    )  # fmt: skip


def take(followed: Followed, tick: int, report: SimpleNamespace) -> list[int]:
    """The rows with news."""
    return followed.take(report, slice(0, 1), tick, tick // 6).news.tolist()


def follow(followed: Followed, key: int) -> int:
    """Have a signal followed from its burst in tick 0 on; return its row."""
    (row,) = take(followed, 0, told(key, 0, True, True, 1, [1, 2], 1.0))
    return row


def is_followed(followed: Followed, key: int) -> bool:
    """Whether what is told of it without details is taken."""
    return bool(take(followed, 0, told(key, 0, True, False, 1, [1, 2], 1.0)))


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
    tick, row, expected = 6000, NONE, 0.0
    hours: dict[int, tuple[int, float]] = {}
    for number, (later, bursts_now, details, reels) in enumerate(steps):
        tick += later
        burst, detail = bursts_now or number == 0, details or number == 0
        news = take(followed, tick, told(7, tick, burst, detail, reels, [1, 2], number / 3))
        assert bool(news) == (burst or detail)
        hour = tick // 6
        if news:
            expected = number / 3
        if detail:
            hours = {hour - 47 + h: (h, number / 3) for h in range(48)}
        hours[hour] = (reels, hours.get(hour, (0, expected / 24))[1])
        known = [(h, *hours[h]) for h in sorted(hours) if h > hour - 48]
        row = news[0] if news else row
        assert followed.series(row) == known


def test_rows_are_used_again_and_grow() -> None:
    followed = Followed(WINDOWS)
    rows = {key: follow(followed, key) for key in range(1, 3 * FIRST_ROWS)}
    assert len(set(rows.values())) == len(rows) == len(followed)
    gone = [*range(1, FIRST_ROWS)]
    followed.remove(gone)
    assert len(followed) == len(rows) - len(gone)
    assert not any(is_followed(followed, key) for key in gone)
    assert all(is_followed(followed, key) for key in range(FIRST_ROWS, 3 * FIRST_ROWS))
    again = {follow(followed, key + 10**6) for key in gone}
    assert again == {rows[key] for key in gone}


def test_only_a_burst_with_details_is_followed() -> None:
    followed = Followed(WINDOWS)
    assert take(followed, 5, told(7, 5, True, False, 1, [1, 2], 1.0)) == []
    assert take(followed, 5, told(7, 5, False, True, 1, [1, 2], 1.0)) == []
    assert len(followed) == 0
    assert take(followed, 5, told(7, 5, True, True, 1, [1, 2], 1.0)) != []
    assert len(followed) == 1


@pytest.mark.parametrize("by", [0, 1])
def test_the_leader_has_most_authors_of_those_reported_in_the_last_hour(by: int) -> None:
    followed = Followed(WINDOWS)
    authors = {5: [9, 1], 6: [9, 8], 7: [50, 50], 8: [1, 9], 9: [60, 60]}
    ticks = {5: 105, 6: 106, 7: 100, 8: 102, 9: 106}
    for key, of_windows in authors.items():
        row = follow(followed, key)
        take(followed, ticks[key], told(key, ticks[key], key == 8, True, 1, of_windows, 1.0))
        followed.columns.signals[row]["trend"] = 3 if key < 9 else 4
    trends = np.zeros(8, JUDGED)
    trends["window"] = by
    rows, last_bursts = leaders(followed.columns, trends, np.array([4, 3]), ticks_per_hour=6)
    assert followed.columns.signals["key"][rows].tolist() == [9, (6, 8)[by]]
    assert last_bursts.tolist() == [0, 102]
