"""What is a burst and what is not, on streams of one signal and the platform's volume."""

import numpy as np
import numpy.typing as npt
import pytest

from trend import bursts
from trend.budget import ShardSettings
from trend.expectation import check_windows
from trend.records import USE, VOLUME
from trend.shard import Shard

HOUR, DAY = 6, 144
WEEK = 7 * DAY
START = 2_950_000 // WEEK * WEEK
SETTINGS = ShardSettings(600, (1, 3, 6, 12, 24), 8, 2.0, 4_000_000)
DISCOVERED = -6.0
"""log10 of the p-value that is a discovery at a rate of 0.01 among ten thousand signals."""
Curve = npt.NDArray[np.float64]


def waves(days: int, level: float = 60.0) -> Curve:
    """Volume a tick with nights and days and weekends."""
    t = np.arange(days * DAY)
    daily = 1 + 0.7 * np.sin(2 * np.pi * (t / DAY - 0.4))
    return level * daily * (1 + 0.2 * (t // DAY % 7 >= 5))


def between(days: int, first_h: float, last_h: float) -> npt.NDArray[np.bool_]:
    """The ticks of each day between two hours."""
    hour = np.arange(days * DAY) % DAY / HOUR
    return (hour >= first_h) & (hour < last_h)


def burst_ticks(
    rate: Curve, volume: Curve, seed: int = 1, signals: int = 1
) -> npt.NDArray[np.int64]:
    """Ticks from 0 in which signals with uses at `rate` a tick would be discovered."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(rate, (signals, rate.size))
    number, tick = np.divmod(np.repeat(np.arange(counts.size), counts.ravel()), rate.size)
    rows = np.zeros(tick.size, USE)
    rows["signal"] = (number.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    rows["author"] = rows["reel"] = rng.permutation(tick.size) + 1
    rows["tick"] = rows["apply"] = START + tick
    seen = np.zeros(rate.size, VOLUME)
    seen["apply"] = seen["tick"] = START + np.arange(rate.size)
    seen["reels"] = rng.poisson(volume) + counts[0]
    shard = Shard(SETTINGS)
    shard.add(rows, b"", seen)
    parts = shard.close(START + rate.size)
    discovered = np.concatenate([part.log10_p for part in parts]) <= DISCOVERED
    numbers = np.concatenate([part.numbers for part in parts])[discovered]
    assert (numbers[:, bursts.BURST] == 1).all()
    return np.sort(numbers[:, bursts.TICK]) - START


@pytest.mark.parametrize("share", [0.003, 0.03, 0.3])
def test_a_steady_signal_follows_the_days_and_never_bursts(share: float) -> None:
    volume = waves(14)
    assert burst_ticks(share * volume, volume).size == 0


@pytest.mark.parametrize("seed", range(5))
def test_a_daily_tag_is_no_burst_on_its_second_day(seed: int) -> None:
    days = 6
    rate = np.where(between(days, 8, 10), 3.0, 0.0)
    ticks = burst_ticks(rate, waves(days), seed)
    assert ticks.size > 0  # on its first day it is news
    assert ticks.max() < DAY + 8 * HOUR


@pytest.mark.parametrize("seed", range(5))
def test_a_weekly_tag_is_no_burst_after_two_weeks(seed: int) -> None:
    rate = np.where(np.arange(28 * DAY) // DAY % 7 == 0, 1.0, 0.0)
    ticks = burst_ticks(rate, waves(28), seed)
    assert ticks.size > 0
    assert ticks.max() < 2 * WEEK


@pytest.mark.parametrize("share", [0.005, 0.05])
def test_a_surge_of_the_platform_is_no_burst(share: float) -> None:
    volume = waves(6)
    volume[4 * DAY + 50 : 5 * DAY] *= 5
    assert burst_ticks(share * volume, volume).size == 0


@pytest.mark.parametrize("share", [0.005, 0.05])
@pytest.mark.parametrize("hours", [2, 10, 40])
def test_an_outage_with_its_catching_up_is_no_burst(share: float, hours: int) -> None:
    volume = waves(8)
    back = 5 * DAY + hours * HOUR
    volume[5 * DAY : back] = 0
    volume[back : back + 2 * HOUR] *= 5
    assert burst_ticks(share * volume, volume).size == 0


@pytest.mark.parametrize("doubling_h", [2, 4, 8])
@pytest.mark.parametrize("seed", range(3))
def test_a_new_sound_that_doubles_bursts_before_its_peak(doubling_h: int, seed: int) -> None:
    t = np.arange(7 * DAY)
    grown = 2.0 ** ((t - 5 * DAY) / HOUR / doubling_h)
    rate = 5 * grown / (1 + grown) * (t < 6 * DAY)
    ticks = burst_ticks(rate, waves(7), seed)
    assert ticks.size > 0
    assert ticks[0] < 5 * DAY  # where it has half of its height
    assert ticks[0] > 3 * DAY


def test_a_known_tag_that_triples_bursts() -> None:
    volume = waves(8)
    rate = 0.05 * volume
    rate[6 * DAY :] *= 3
    ticks = burst_ticks(rate, volume)
    assert 6 * DAY < ticks[0] < 6 * DAY + 8 * HOUR


def test_steady_signals_give_few_false_alarms() -> None:
    volume = waves(7, level=400.0)
    ticks = burst_ticks(volume / 400 * 0.05, volume, signals=300)
    assert ticks.size <= 3  # of 300 signals in 7 days


def test_nothing_is_said_before_there_is_a_past() -> None:
    rate = np.full(HOUR, 30.0)
    assert burst_ticks(rate, np.full(HOUR, 60.0)).size == 0


@pytest.mark.parametrize("windows", [(), (0, 1), (3, 3), (6, 3), (1, 25)])
def test_windows_rise_from_one_hour_to_a_day(windows: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="windows_h"):
        check_windows(windows)
    check_windows((1, 24))
