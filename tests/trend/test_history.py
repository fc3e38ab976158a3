"""History on pages counts like a dictionary, wherever its places come and go."""

from collections import defaultdict

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from trend import history, tables
from trend import layout as k
from trend.budget import ShardSettings

SETTINGS = ShardSettings(600, (1, 24), min_authors=4, min_growth=2.0, memory_bytes=1_000_000)
ROWS = 3

ADDED = st.tuples(st.just("add"), st.integers(0, ROWS - 1), st.integers(0, 1), st.integers(0, 60))
DROPPED = st.tuples(st.just("drop"), st.integers(0, ROWS - 1), st.just(0), st.integers(0, 60))


def empty() -> k.Counts:
    c = tables.empty(SETTINGS)
    for row in range(ROWS):
        history.clear(c, row, k.TICKS)
    return c


def pages_in_use(c: k.Counts) -> int:
    return sum(history.pages_of(c, row, k.TICKS) for row in range(ROWS))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(ADDED, ADDED, ADDED, DROPPED), max_size=120), st.integers(0, 70))
def test_histories_count_like_dictionaries(
    steps: list[tuple[str, int, int, int]], first: int
) -> None:
    c = empty()
    slow: list[dict[int, list[int]]] = [defaultdict(lambda: [0, 0]) for _ in range(ROWS)]
    for what, row, author, place in steps:
        if what == "add":
            assert history.add_reel(c, row, k.TICKS, place, author) == 1
            slow[row][place][0] += author
            slow[row][place][1] += 1
        else:
            gone = [slow[row].pop(at) for at in list(slow[row]) if at <= place]
            dropped = history.drop_until(c, row, k.TICKS, place)
            assert dropped == (sum(a for a, _ in gone), sum(r for _, r in gone))
        assert c.n[k.PAGES] == pages_in_use(c)
    starts = np.array([[first], [first - 5], [first - 30]])
    for row in range(ROWS):
        for last in (first, first + 7):
            expected = sum(a for at, (a, _) in slow[row].items() if first <= at <= last)
            assert history.authors_between(c, row, k.TICKS, first, last) == expected
        since = np.zeros(3, np.int64)
        history.authors_since(c, row, k.TICKS, starts, 0, since)
        assert since.tolist() == [
            sum(a for at, (a, _) in slow[row].items() if at >= start) for (start,) in starts
        ]
        assert c.chains[row, k.TICKS]["first"] == min(slow[row], default=k.NEVER)
        history.release(c, row, k.TICKS)
    assert c.n[k.PAGES] == 0


def test_a_place_that_is_full_stays() -> None:
    c = empty()
    counted = sum(history.add_reel(c, 0, k.TICKS, place, 1) for place in [7] * 70_000 + [8, 7])
    assert counted == k.FULL + 1
    assert history.authors_between(c, 0, k.TICKS, 7, 7) == k.FULL


def test_pages_are_used_again() -> None:
    c = empty()
    for day in range(50):
        for tick in range(4 * k.PAGE):
            history.add_reel(c, day % ROWS, k.TICKS, 100 * day + tick, 1)
        history.drop_until(c, day % ROWS, k.TICKS, 100 * day + 99)
    assert c.n[k.FRESH_PAGE] <= 4
    assert c.n[k.PAGES] == 0
