"""A community grows when its members come together more often, and not for any other reason."""

import numpy as np
import pytest

from trend.graph.growth import growth

DAY = 144
WINDOWS = np.array([18, 36, 72, 144])


class Stream:
    """Ten days of a community of a known sound and a known tag, each of 50 authors a day."""

    def __init__(self, seed: int, communities: int = 200) -> None:
        self.rng = np.random.default_rng(seed)
        self.shape = communities, 10 * DAY
        clock = np.arange(self.shape[1])
        self.rhythm = 1 + 0.6 * np.sin(2 * np.pi * clock / DAY)
        self.platform = 500 * self.rhythm
        self.alone = 100 / DAY * self.rhythm * np.ones(self.shape)
        self.both = 1 / DAY * self.rhythm * np.ones(self.shape)

    def found(self, ticks: int = 10 * DAY) -> np.ndarray:
        together = self.rng.poisson(self.both)
        users = together + self.rng.poisson(np.maximum(self.alone - self.both, 0))
        volume = self.rng.poisson(self.platform)
        return growth(together[:, :ticks], users[:, :ticks], volume[:ticks], WINDOWS, DAY).log10_p


def test_members_that_stay_flat_but_come_together_are_found() -> None:
    stream = Stream(1)
    # Of 25 authors of each in half a day come 32, that is 28 % more, and 14 bring both: still 50.
    stream.both[:, -DAY // 2 :] += 28 / DAY
    assert np.mean(stream.found() <= -4) >= 0.9


@pytest.mark.parametrize("hour", range(0, 24, 3))
def test_nothing_is_found_where_nothing_happens_at_any_hour(hour: int) -> None:
    found = Stream(2).found(9 * DAY + 6 * hour)
    assert np.mean(found <= -3) <= 0.002
    assert np.mean(found <= -1) <= 0.12


def test_a_surge_of_the_platform_is_no_growth() -> None:
    stream = Stream(3)
    for series in (stream.alone, stream.both):
        series[:, -DAY:] *= 5
    stream.platform[-DAY:] *= 5
    assert np.mean(stream.found() <= -4) == 0


def test_a_member_that_grows_with_its_usual_company_is_no_growth_of_the_community() -> None:
    stream = Stream(4)
    for series in (stream.alone, stream.both):
        series[:, -DAY // 2 :] *= 8
    assert np.mean(stream.found() <= -4) <= 0.01


def test_yesterdays_hour_is_expected_today() -> None:
    stream = Stream(5)
    morning = np.arange(stream.shape[1]) % DAY < 18
    stream.both[:, morning] += 6 / 18
    assert np.mean(stream.found(9 * DAY + 18) <= -4) <= 0.01
    stream.both[:, 9 * DAY : 9 * DAY + 18] += 24 / 18
    assert np.mean(stream.found(9 * DAY + 18) <= -4) >= 0.8


def test_without_a_past_nothing_grows() -> None:
    together = np.full((1, 40), 5)
    found = growth(together, together, np.full(40, 100), np.array([36]), DAY)
    assert found.log10_p.tolist() == [0.0]


def test_what_is_told_is_of_the_window_that_is_least_probable() -> None:
    together, users = np.zeros((1, 400), np.int64), np.full((1, 400), 2)
    together[0, -10:] = 1
    found = growth(together, users, np.full(400, 100), WINDOWS, DAY)
    assert (found.window[0], found.authors[0]) == (0, 10)
    assert found.density[0] == pytest.approx(10 / 36)
    assert found.density_before[0] == 0.0
    assert 0 < found.expected[0] < 1


@pytest.mark.parametrize(
    ("together", "windows", "match"),
    [
        (np.zeros((1, 39), np.int64), [6], r"\(1, 39\)"),
        (np.zeros((1, 40), np.int64), [40], r"\[40\]"),
        (np.zeros((1, 40), np.int64), [0, 5], r"\[0, 5\]"),
    ],
)
def test_shapes_and_windows_are_checked(
    together: np.ndarray, windows: list[int], match: str
) -> None:
    with pytest.raises(ValueError, match=match):
        growth(together, np.zeros((1, 40), np.int64), np.ones(40, np.int64), np.array(windows), DAY)
