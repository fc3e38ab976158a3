"""A partition's clock: one sentence a rule, and that batches do not matter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trend.clock import UNSET, settle

MINUTE = 60
HOUR = 3600
DAY = 24 * HOUR
YEAR = 365 * DAY
FUTURE = 5 * MINUTE


def run(
    times: list[int], look_ahead: int = 8, cuts: tuple[int, ...] = ()
) -> tuple[list[int], list[int], int]:
    """Settled times, clocks and the number of clamped ones, the input cut at `cuts`."""
    waiting = np.zeros(0, np.int64)
    clock, clamped = int(UNSET), 0
    settled: list[int] = []
    clocks: list[int] = []
    stops = [*sorted(cuts), len(times)]
    for start, stop in zip([0, *stops], stops, strict=False):
        waiting = np.concatenate([waiting, np.array(times[start:stop], np.int64)])
        here, there = np.empty(waiting.size, np.int64), np.empty(waiting.size, np.int64)
        end = stop == len(times) and len(settled) + waiting.size == len(times)
        done, more = settle(waiting, clock, FUTURE, look_ahead, end, here, there)
        settled += here[:done].tolist()
        clocks += there[:done].tolist()
        clamped += more
        clock = clocks[-1] if clocks else clock
        waiting = waiting[done:]
    return settled, clocks, clamped


def steady(start: int, count: int, step: int = 10) -> list[int]:
    return list(range(start, start + count * step, step))


def test_in_order_the_clock_is_the_time() -> None:
    times = steady(0, 50)
    settled, clocks, clamped = run(times)
    assert settled == times
    assert clocks[:-1] == times[:-1]
    assert clamped == 0


def test_one_reel_stamped_next_year_does_not_move_the_clock() -> None:
    times = [*steady(0, 20), YEAR, *steady(200, 20)]
    settled, clocks, clamped = run(times)
    assert max(clocks) < 400
    assert settled[20] == clocks[19] == 190
    assert clamped == 1


def test_two_reels_stamped_next_year_are_clamped_and_counted() -> None:
    times = [*steady(0, 20), YEAR, *steady(200, 20), YEAR + 1, *steady(400, 20)]
    assert run(times)[2] == 2
    assert max(run(times)[1]) < 600


def test_a_gap_of_days_moves_the_clock() -> None:
    times = [*steady(0, 20), *steady(9 * DAY, 20)]
    settled, clocks, clamped = run(times)
    assert settled == times
    assert clocks[20] == 9 * DAY
    assert clamped == 0


@pytest.mark.parametrize("look_ahead", [4, 8, 32])
def test_a_quarter_of_the_look_ahead_confirms_a_jump(look_ahead: int) -> None:
    before = steady(0, 40)
    for reached in (look_ahead // 4 - 1, look_ahead // 4):
        follow = [DAY] * reached + [400] * (look_ahead - reached)
        settled, clocks, _ = run([*before, DAY, *follow, *[400] * 40], look_ahead)
        confirmed = reached == look_ahead // 4
        assert (clocks[40] == DAY) is confirmed
        assert (settled[40] == DAY) is confirmed


def test_what_comes_after_the_look_ahead_confirms_nothing() -> None:
    times = [*steady(0, 20), DAY, *[200] * 8, *steady(DAY, 20)]
    settled, _, clamped = run(times)
    assert settled[20] == 190
    assert clamped == 1


def test_up_to_five_minutes_ahead_an_unconfirmed_time_stands() -> None:
    for ahead in (FUTURE, FUTURE + 1):
        settled, clocks, clamped = run([*steady(0, 20), 190 + ahead, *[190] * 20])
        assert settled[20] == (190 + ahead if ahead == FUTURE else 190)
        assert max(clocks) == 190
        assert clamped == int(ahead > FUTURE)


def test_a_wrong_first_record_is_put_to_the_time_of_those_that_follow() -> None:
    times = [YEAR, *steady(1000, 30)]
    settled, clocks, clamped = run(times)
    assert 1000 <= settled[0] <= 1000 + 80
    assert max(clocks) < 2000
    assert clamped == 1


def test_a_first_record_that_is_too_early_holds_nothing_back() -> None:
    settled, clocks, clamped = run([0, *steady(YEAR, 30)])
    assert settled[:2] == clocks[:2] == [0, YEAR]
    assert clamped == 0


def test_one_record_alone_is_right() -> None:
    assert run([YEAR]) == ([YEAR], [YEAR], 0)


def test_nothing_at_all_settles_nothing() -> None:
    assert run([]) == ([], [], 0)


def test_hours_of_disorder_leave_times_as_they_are() -> None:
    rng = np.random.default_rng(1)
    times = np.arange(5000) * 30 + rng.integers(-3 * HOUR, 3 * HOUR, 5000) + YEAR
    settled, clocks, clamped = run(times.tolist(), look_ahead=32)
    late = np.array(times) <= np.array(clocks)
    assert np.array_equal(np.array(settled)[late], times[late])
    assert clamped < 5000 // 5  # the earliest to come, of those that come too early
    assert (np.abs(np.array(settled) - times) <= 6 * HOUR).all()
    assert clocks[-1] >= times.max() - 3 * HOUR


def test_a_sparse_stream_keeps_its_times_but_the_last() -> None:
    times = [7 * HOUR * i for i in range(100)]
    settled, clocks, clamped = run(times, look_ahead=32)
    assert settled[:-1] == clocks[:-1] == times[:-1]
    assert clamped == 1  # nothing confirms the last
    assert settled[-1] == times[-2]


def test_a_clock_never_goes_back() -> None:
    rng = np.random.default_rng(2)
    clocks = run(rng.integers(0, YEAR, 2000).tolist())[1]
    assert (np.diff(clocks) >= 0).all()


TIMES = st.lists(
    st.integers(0, 20 * MINUTE) | st.sampled_from([0, HOUR, DAY, DAY + 1, YEAR]), max_size=40
)


@given(TIMES, st.integers(1, 9), st.sets(st.integers(0, 40), max_size=8))
def test_cuts_into_batches_do_not_matter(times: list[int], look_ahead: int, cuts: set[int]) -> None:
    inside = tuple(cut for cut in cuts if cut < len(times))
    assert run(times, look_ahead, inside) == run(times, look_ahead)


@given(TIMES, st.integers(1, 9))
def test_no_time_stands_further_ahead_than_it_may(times: list[int], look_ahead: int) -> None:
    settled, clocks, clamped = run(times, look_ahead)
    assert all(time <= clock + FUTURE for time, clock in zip(settled, clocks, strict=True))
    moved = sum(a != b for a, b in zip(settled, times, strict=True))
    assert moved <= clamped <= moved + 1  # a first record may happen to be put where it was
