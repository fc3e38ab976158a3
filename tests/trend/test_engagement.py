"""How reels do: two numbers of each that are whole, held against the platform's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trend.engagement import UNKNOWN, engagement, lift, sums

NUMBER = st.integers(-1, 2**53)
GENERATOR = np.random.default_rng(1)
PLATFORM = GENERATOR.normal(0, 16, (4000, 2)).round().clip(-127, 127).astype(np.int8)
USUAL = sums(PLATFORM, np.zeros(4000, np.int64), 1)[0]


@given(st.lists(st.tuples(*[NUMBER] * 5), max_size=5))
def test_any_numbers_have_codes(rows: list[tuple[int, ...]]) -> None:
    codes = engagement(np.array(rows, np.int64).reshape(-1, 5))
    assert codes.shape == (len(rows), 2)
    for (followers, views, likes, shares, saves), (reach, passed) in zip(
        rows, codes.tolist(), strict=True
    ):
        assert (reach == UNKNOWN) == (followers < 0 or views < 1)
        assert (passed == UNKNOWN) == (likes < 10 or max(shares, saves) < 0)


@pytest.mark.parametrize("times", [2, 64])
def test_more_views_for_as_many_followers_is_more_reach(times: int) -> None:
    few, many = engagement(np.array([[900, 999, 50, 5, 5], [900, times * 1000 - 1, 50, 5, 5]]))
    assert many[0] - few[0] == 8 * np.log2(times)
    assert many[1] == few[1]


def test_reels_like_all_others_are_not_lifted() -> None:
    some = GENERATOR.choice(PLATFORM, 400)
    assert np.abs(lift(some, USUAL)).max() < 0.15


def test_the_more_reels_say_so_the_more_it_counts() -> None:
    found = [lift(np.full((n, 2), 16, np.int8), USUAL)[0] for n in (1, 5, 20, 200)]
    assert found == sorted(found)
    assert 0 < found[0] < 0.15
    assert 0.9 < found[-1] < 1.1


def test_one_hit_lifts_nothing_far() -> None:
    some = np.zeros((20, 2), np.int8)
    some[0] = 127
    assert lift(some, USUAL)[0] < 0.1


def test_without_numbers_or_a_platform_to_compare_with_nothing_is_said() -> None:
    none = np.full((20, 2), UNKNOWN, np.int8)
    assert lift(none, USUAL).tolist() == [0, 0]
    few = sums(PLATFORM[:50], np.zeros(50, np.int64), 1)[0]
    assert lift(np.full((20, 2), 16, np.int8), few).tolist() == [0, 0]


def test_sums_are_those_of_each_group() -> None:
    groups = GENERATOR.integers(0, 3, 4000)
    found = sums(PLATFORM, groups, 3)
    for group in range(3):
        own = PLATFORM[groups == group].astype(np.int64)
        assert found[group, :, 0].tolist() == [len(own)] * 2
        assert found[group, :, 1].tolist() == own.sum(axis=0).tolist()
        assert found[group, :, 2].tolist() == (own**2).sum(axis=0).tolist()
    assert (found.sum(axis=0) == USUAL).all()
