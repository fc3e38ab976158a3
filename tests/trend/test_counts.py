"""The pieces that counting is made of: rings, the platform's volume, the order within a tick."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trend import counts, rings
from trend import layout as k
from trend.records import USE, VOLUME

DAY, HOUR = 144, 6


@given(st.lists(st.integers(0, 9), min_size=1, max_size=60), st.integers(2, 9), st.data())
def test_a_ring_of_running_totals_sums_like_a_loop(
    reels: list[int], size: int, data: st.DataObject
) -> None:
    ring = np.zeros(size, np.int64)
    last = 0
    for now, count in enumerate(reels, 1):
        if count:
            rings._advance(ring, last, now)
            rings._add(ring, now, now, count)
            last = now
    rings._advance(ring, last, len(reels))
    first = data.draw(st.integers(max(len(reels) - size + 2, 1), len(reels) + 1))
    assert rings.ring_sum(ring, first, len(reels)) == sum(reels[first - 1 :])


@pytest.mark.parametrize("seed", range(4))
def test_volume_is_what_was_put_in_by_its_own_ticks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = np.zeros(400, VOLUME)
    rows["apply"] = np.sort(rng.integers(0, [300, 3000, 30_000, 300_000][seed], 400)) + 1000
    rows["tick"] = rows["apply"] - rng.integers(0, 40, 400) ** 2 // 5
    rows["reels"] = rng.integers(1, 9, 400)
    n = np.zeros(k.SCALARS, np.int64)
    n[k.VOLUME_TICK] = k.NONE
    ring, hours = np.zeros(DAY + 1, np.int64), np.zeros(k.HOURS + 1, np.int64)
    done: int | np.integer[Any] = 0
    for through in [*rng.integers(1000, rows["apply"].max(), 20).tolist(), 400_000]:
        done = rings.add_volume(n, ring, hours, rows, done, through, HOUR)
        assert done == max(done, np.searchsorted(rows["apply"], through, "right"))
    now = int(n[k.VOLUME_TICK])
    assert (done, now) == (400, rows["apply"].max())
    by_tick, by_hour = Counter[int](), Counter[int]()
    for row in rows.tolist():
        by_tick[row[1]] += row[2]
        by_hour[row[1] // HOUR] += row[2]
    for tick in range(now - DAY + 1, now + 1):
        assert rings.ring_sum(ring, tick, tick) == by_tick[tick]
    for hour in range(now // HOUR - k.HOURS + 1, now // HOUR + 1):
        assert rings.ring_sum(hours, hour, hour) == by_hour[hour]
    assert n[k.VOLUME_TOTAL] == rows["reels"].sum()


@given(st.lists(st.tuples(*[st.integers(0, 2)] * 3, st.integers(0, 1)), max_size=12), st.randoms())
def test_late_and_repeated_uses_come_last_and_in_one_order(
    uses: list[tuple[int, int, int, int]], random: np.random.Generator
) -> None:
    def ordered() -> list[tuple[int, ...]]:
        rows = np.zeros(len(uses), USE)
        for row, (author, reel, age, again) in zip(rows, uses, strict=True):
            row["author"], row["reel"], row["tick"], row["again"] = author, reel, 9 - age, again
        order = np.arange(rows.size)
        counts.order_group(rows, order, 0, rows.size, 9)
        assert sorted(order.tolist()) == list(range(rows.size))
        return [tuple(rows[["again", "tick", "author", "reel"]][i].tolist()) for i in order]

    def special(use: tuple[int, ...]) -> bool:
        return use[0] == 1 or use[1] != 9

    first = ordered()
    random.shuffle(uses)
    second = ordered()
    last = [use for use in first if special(use)]
    assert first[len(first) - len(last) :] == last == sorted(last)
    assert [use for use in second if special(use)] == last


def test_a_key_finds_its_row_among_colliding_ones() -> None:
    keys = np.arange(1, 40, dtype=np.uint64) << np.uint64(32)
    slots, signals = np.zeros(128, np.int32), np.zeros(keys.size, k.SIGNAL)
    for row, key in enumerate(keys):
        at = counts.slot_of(slots, signals, key)
        assert slots[at] == 0
        slots[at], signals[row]["key"] = row + 1, key
    assert [slots[counts.slot_of(slots, signals, key)] - 1 for key in keys] == list(
        range(keys.size)
    )
