"""What is told of a burst: when, how long it is followed, its details."""

import numpy as np
import numpy.typing as npt
import pytest

from trend import bursts
from trend.budget import ShardSettings
from trend.records import USE, VOLUME
from trend.shard import Shard, ShardReports

HOUR, DAY = 6, 144
START = 2_950_000 // DAY * DAY
SETTINGS = ShardSettings(600, (1, 3, 6, 12, 24), 8, 2.0, 16_000_000)
SIGNAL = 2**63
Uses = npt.NDArray[np.void]


def uses(per_tick: npt.NDArray[np.int64], first: int = 0) -> Uses:
    """So many uses in each tick, each by another author, with reels numbered from `first`."""
    tick = np.repeat(np.arange(per_tick.size), per_tick)
    rows = np.zeros(tick.size, USE)
    rows["signal"], rows["kind"] = SIGNAL, 1
    rows["reel"] = (np.arange(tick.size) + first + 1).astype(np.uint64) * np.uint64(
        0x9E3779B97F4A7C15
    )
    rows["author"] = rows["reel"] >> np.uint64(1)
    rows["tick"] = rows["apply"] = START + tick
    rows["label_len"] = 6
    return rows


def reported(
    *rows: Uses, ticks: int, volume: int = 100, settings: ShardSettings = SETTINGS
) -> ShardReports:
    shard = Shard(settings)
    seen = np.zeros(ticks, VOLUME)
    seen["apply"] = seen["tick"] = START + np.arange(ticks)
    seen["reels"] = volume
    for part in rows:
        shard.add(part, b"catcat", seen[:0])
    shard.add(rows[0][:0], b"", seen)
    [reports] = shard.close(START + ticks - 1)
    return reports


def pulse(days: int, at: int, per_tick: int, length: int = 3) -> npt.NDArray[np.int64]:
    counts = np.zeros(days * DAY, np.int64)
    counts[at : at + length] = per_tick
    return counts


def test_a_burst_is_followed_each_hour_for_three_days() -> None:
    at = DAY + 10
    numbers = reported(uses(pulse(9, at, 10)), ticks=9 * DAY).numbers
    tick = numbers[:, bursts.TICK] - START
    burst = numbers[:, bursts.BURST] == 1
    assert at <= tick[0] <= at + 2
    assert tick[burst].max() < at + DAY + HOUR
    after = tick[tick > tick[burst].max()]
    assert len(after) in (bursts.TRACKED_DAYS * 24, bursts.TRACKED_DAYS * 24 - 1)
    hours = tick[(tick + 1) % HOUR == 0]
    assert (np.diff(hours) == HOUR).all()
    assert set(after) <= set(hours)


def test_the_onset_is_the_first_use_in_the_window() -> None:
    numbers = reported(uses(pulse(3, DAY + 10, 10)), ticks=3 * DAY).numbers
    burst = numbers[:, bursts.BURST] == 1
    assert (numbers[burst, bursts.ONSET] == START + DAY + 10).all()


def test_label_sample_and_series_come_first_as_it_grows_and_every_six_hours() -> None:
    rows = uses(np.minimum(np.maximum(np.arange(3 * DAY) - DAY, 0), 7))
    out = reported(rows, ticks=3 * DAY, settings=SETTINGS)
    detailed = out.numbers[:, bursts.LABEL_LEN] > 0
    assert detailed[0]
    told = out.authors[detailed, -1]
    sixth = (out.numbers[detailed, bursts.TICK] + 1) % (bursts.DETAIL_EVERY_H * HOUR) == 0
    assert ((told[1:] >= bursts.DETAIL_GROWTH * told[:-1]) | sixth[1:]).all()
    assert sixth.sum() == 8
    assert 3 < told.size - sixth.sum() < 20
    for i in np.flatnonzero(detailed):
        numbers = out.numbers[i]
        label = numbers[bursts.LABEL_AT]
        assert out.labels[label : label + numbers[bursts.LABEL_LEN]] == b"catcat"
        tick = numbers[bursts.TICK]
        today = (rows["tick"] > tick - DAY) & (rows["tick"] <= tick)
        taken = out.samples[numbers[bursts.SAMPLE_AT] :][: numbers[bursts.SAMPLE_LEN]]
        assert taken.tolist() == np.sort(rows["reel"][today])[: bursts.SAMPLE].tolist()
        series = out.series[numbers[bursts.SERIES_AT]]
        for h in range(bursts.SERIES_HOURS):
            hour = tick // HOUR - bursts.SERIES_HOURS + 1 + h
            inside = (rows["tick"] // HOUR == hour) & (rows["tick"] <= tick)
            assert series[h, 0] == np.count_nonzero(inside)


def test_the_window_before_is_scaled_to_the_volume_of_this_one() -> None:
    rows = uses(np.concatenate([np.zeros(DAY, int), np.full(3 * HOUR, 2), np.full(3 * HOUR, 8)]))
    out = reported(rows, ticks=DAY + 6 * HOUR)
    assert out.authors[-1].tolist() == [48, 144, 180, 180, 180]
    assert out.before[-1].tolist() == [48, 36, 0, 0, 0]
    assert out.volume[-1].tolist() == [600 * h for h in SETTINGS.windows_h]


def test_too_few_authors_or_too_little_growth_is_no_burst() -> None:
    rows = uses(pulse(3, DAY + 10, 10))
    for few, growth in ((31, 2.0), (8, 1e4)):
        settings = ShardSettings(600, (1, 3, 6, 12, 24), few, growth, 0)
        assert reported(rows, ticks=3 * DAY, settings=settings).signal.size == 0
    settings = ShardSettings(600, (1, 3, 6, 12, 24), 30, 2.0, 0)
    assert reported(rows, ticks=3 * DAY, settings=settings).signal.size > 0


@pytest.mark.parametrize(("volume", "bursts_at"), [(1, 7), (100, 30)])
def test_on_a_small_platform_fewer_authors_are_enough(volume: int, bursts_at: int) -> None:
    """One in twenty of a day's reels and four at least, but no more than are set."""
    settings = ShardSettings(600, (1, 3, 6, 12, 24), 30, 2.0, 0)
    steps = np.zeros(3 * DAY, int)
    steps[2 * DAY : 2 * DAY + 60] = 1
    out = reported(uses(steps), ticks=3 * DAY, settings=settings, volume=volume)
    first = out.authors[out.numbers[:, bursts.BURST] > 0][0, -1]
    assert bursts_at <= first <= bursts_at + 5


def test_one_author_with_many_reels_is_no_burst() -> None:
    rows = uses(pulse(3, DAY + 10, 100))
    rows["author"] %= 5
    assert reported(rows, ticks=3 * DAY).signal.size == 0
