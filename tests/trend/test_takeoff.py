"""What is seen of a cascade: the same however it is told, and in the platform's own time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trend.engagement import UNKNOWN, sums
from trend.homes import BUCKETS
from trend.known import Seen, Usual
from trend.takeoff import FEATURES, QUANTILES, _quantiles, features, size_of

TICKS = np.array([0, 1, 5, 6, 12, 30, 60])
REELS = np.random.default_rng(1).normal(10, 20, (1000, 2)).round().astype(np.int8)
USUAL = Usual(sums(REELS, np.zeros(1000, np.int64), 1)[0], np.zeros((2, BUCKETS), np.int64))
AUTHORS = np.array([1, 2, 3, 4, 5, 6, 7], np.uint64)


def seen(
    ticks: np.ndarray = TICKS,
    authors: np.ndarray = AUTHORS,
    volume: np.ndarray | None = None,
    engaged: np.ndarray | None = None,
) -> dict[str, float]:
    volume = np.full(216, 100) if volume is None else volume
    n = ticks.size
    engaged = np.full((n, 2), UNKNOWN, np.int8) if engaged is None else engaged
    homes = np.zeros((n, 2), np.uint32)
    looked_at = Seen(authors, np.zeros(n, np.uint64), ticks, engaged, homes)
    found = features(looked_at, USUAL, volume, 6, 2.0, [7, 5], 12.0, 0.1, False)
    assert found.shape == (len(FEATURES),)
    assert np.isfinite(found).all()
    return dict(zip(FEATURES, found.tolist(), strict=True))


def test_each_author_counts_once_and_from_the_first_reel() -> None:
    again = seen(np.r_[TICKS, 0, 0], np.r_[AUTHORS, AUTHORS[6], AUTHORS[6]])
    once = seen()
    ages = [name for name in FEATURES if name.startswith("age_")]
    assert [again[name] for name in ages] == [once[name] for name in ages]
    assert again["authors"] == once["authors"] == pytest.approx(np.log(7))
    assert again["reels_an_author"] == pytest.approx(9 / 7)
    assert again["most_of_one"] == pytest.approx(3 / 9)


@given(st.lists(st.floats(0, 48), min_size=1, max_size=70))
def test_quantiles_are_those_of_numpy_to_the_bit(ages: list[float]) -> None:
    found = _quantiles(np.sort(np.array(ages)), QUANTILES)
    assert found.tolist() == np.quantile(ages, QUANTILES).tolist()


def test_the_order_of_reels_says_nothing() -> None:
    order = np.random.default_rng(1).permutation(TICKS.size)
    assert seen(TICKS[order], AUTHORS[order]) == seen()


def test_an_hour_of_twice_the_platform_is_two_hours() -> None:
    """What came just before a surge is as old as the reels posted since, not as the clock says."""
    surge = np.full(216, 100)
    surge[:12] = 300
    old = np.full(3, 12)
    ages = [seen(old, AUTHORS[:3], volume)["age_50"] for volume in (np.full(216, 100), surge)]
    assert ages[1] > ages[0] + 0.5


def test_nothing_known_is_a_feature_too() -> None:
    none = np.zeros(0, np.int64)
    seen(none, none.astype(np.uint64), np.zeros(216, np.int64))


@pytest.mark.parametrize(
    ("volume", "size"), [(0, 10), (500, 10), (2_000, 20), (6_400, 64), (10**6, 64)]
)
def test_what_is_small_on_a_large_platform_is_large_on_a_small_one(volume: int, size: int) -> None:
    assert size_of(volume) == size


def test_a_cascade_that_people_pass_on_shows_it_and_one_without_numbers_says_nothing() -> None:
    usual = seen(engaged=np.full((7, 2), 10, np.int8))
    more = seen(engaged=np.full((7, 2), 40, np.int8))
    for name in ("reach", "passed_on"):
        assert more[name] > 0.5 > abs(usual[name])
        assert seen()[name] == 0.0


def test_of_each_author_one_reel_says_how_it_does() -> None:
    once = np.full((9, 2), 10, np.int8)
    often = once.copy()
    often[7:] = 120  # of an author whose first reel did as usual
    ticks, authors = np.r_[TICKS, 0, 0], np.r_[AUTHORS, AUTHORS[6], AUTHORS[6]]
    assert seen(ticks, authors, engaged=often) == seen(ticks, authors, engaged=once)
