"""What the counts let go of: pairs by age, uses by age, and the least useful signals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trend import closing, log, pairs, tables
from trend import layout as k
from trend.budget import ShardSettings, for_counts, power_below

DAY, HOUR = 144, 6
SETTINGS = ShardSettings(600, (1, 24), min_authors=4, min_growth=2.0, memory_bytes=8_000_000)
TINY = ShardSettings(600, (1, 24), min_authors=4, min_growth=2.0, memory_bytes=0)

USES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9), st.integers(0, 90)), max_size=80)


@settings(max_examples=200, deadline=None)
@given(USES, st.booleans())
def test_pairs_know_who_used_what_within_a_day(
    uses: list[tuple[int, int, int]], rebuilt: bool
) -> None:
    c = tables.empty(SETTINGS)
    last: dict[tuple[int, int], int] = {}
    now = 1000
    for signal, author, later in uses:
        now += later
        if rebuilt:
            c = tables.with_pairs(c, now, 2, SETTINGS)
        key = np.uint64(signal), np.uint64(author)
        new = pairs.pair_is_new(c.n, c.pairs, *key, now, now, DAY)
        known = last.get((signal, author))
        assert new == (known is None or now - known >= DAY)
        if new:
            last[signal, author] = now


@given(
    st.lists(
        st.tuples(st.integers(0, 50), st.integers(0, 9)), min_size=1, unique_by=lambda x: x[0]
    ),
    st.integers(-1, 9),
    st.integers(1, 20),
)
def test_pairs_that_are_forgotten_leave_the_others_to_be_found(
    noted: list[tuple[int, int]], after: int, spare: int
) -> None:
    n = np.zeros(k.SCALARS, np.int64)
    table = np.zeros(len(noted) + spare, k.PAIR)
    for author, tick in noted:
        pairs.pair_is_new(n, table, np.uint64(7), np.uint64(author), tick, tick, DAY)
    left = {author for author, tick in noted if tick > after}
    room = np.empty(len(noted) + 1, k.PAIR)
    assert pairs.forget(table, after, room) == len(left) == np.count_nonzero(table["key"])
    for author, _ in noted:
        key = np.uint64(pairs.pair_key(np.uint64(7), np.uint64(author)))
        at = int(pairs.first_place(key, table.size))
        while table[at % table.size]["key"] not in (0, key):
            at += 1
        assert (table[at % table.size]["key"] == key) == (author in left)


def test_when_pairs_run_out_of_room_the_oldest_go_by_whole_ticks() -> None:
    c = tables.empty(TINY)
    for i in range(TINY.max_pairs // 2):
        pairs.pair_is_new(c.n, c.pairs, np.uint64(i), np.uint64(1), 1000 + i // 8, 1100, DAY)
    smaller = tables.with_pairs(c, 1100, 64, TINY)
    kept = smaller.pairs["tick"][smaller.pairs["key"] != 0]
    ticks, counts = np.unique(kept, return_counts=True)
    assert smaller.pairs.size == TINY.max_pairs
    assert 0 < kept.size == smaller.n[k.PAIRS] <= TINY.max_pairs // 2 - 64
    assert (counts == 8).all()
    assert ticks.tolist() == list(range(ticks[0], 1000 + TINY.max_pairs // 16))


@given(st.lists(st.integers(0, 40), min_size=1, max_size=300), st.sampled_from([64, 512]))
def test_the_log_finds_the_young_uses_of_a_signal_it_still_holds(
    signals: list[int], larger: int
) -> None:
    n = np.zeros(k.SCALARS, np.int64)
    uses, buckets = np.zeros(64, k.LOGGED), np.zeros(64, np.int32)
    for tick, signal in enumerate(signals):
        key = np.uint64(signal)
        newest = log.newest_young(n, uses, buckets, key)
        use = log.append(n, uses, key, np.uint64(tick), np.uint64(0), tick, newest, 1)
        buckets[log.bucket_of(uses, key)] = log.place_of(uses, use) + 1
    grown, grown_buckets = np.zeros(larger, k.LOGGED), np.zeros(larger, np.int32)
    log.copy(n, uses, grown, grown_buckets)
    for wanted in set(signals):
        held = [t for t, signal in enumerate(signals) if signal == wanted][::-1]
        for ring, heads in ((uses, buckets), (grown, grown_buckets)):
            found = []
            use = log.newest_young(n, ring, heads, np.uint64(wanted))
            while use >= n[k.FIRST_USE]:
                if ring[log.place_of(ring, use)]["signal"] == wanted:
                    found.append(int(ring[log.place_of(ring, use)]["reel"]))
                use = log.before(ring, use)
            assert found == [t for t in held if t >= n[k.FIRST_USE]]


def test_of_signals_used_alike_those_of_few_authors_are_of_least_use() -> None:
    signals = np.zeros(4, k.SIGNAL)
    signals["used"] = 1000, 1000, 1000 - DAY, 1000 - 5 * DAY
    signals["hours_authors"] = 3, 31, 31, 31
    worth = tables.usefulness(signals, HOUR)
    assert np.argsort(-worth).tolist() == [1, 2, 0, 3]


def test_under_pressure_the_most_useful_rows_stay_whole() -> None:
    worth = np.array([5, 9, 5, 1])
    keep = tables._most_useful(worth, np.full(4, 100), 350, 9)
    assert keep.tolist() == [True, True, True, False]
    keep = tables._most_useful(worth, np.full(4, 100), 250, 9)
    assert keep.tolist() == [True, True, False, False]
    assert tables._most_useful(worth, np.full(4, 100), 350, 1).tolist() == [
        False,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("number", [1, 2, 3, 1023, 1024, 10**12])
def test_the_power_of_two_below_a_number(number: int) -> None:
    power = power_below(number)
    assert power <= number < 2 * power
    assert power & (power - 1) == 0


@pytest.mark.parametrize(("memory_mb", "counts"), [(2048, 1536), (1024, 512), (600, 300), (64, 32)])
def test_some_memory_is_kept_back_for_all_else(memory_mb: int, counts: int) -> None:
    assert for_counts(memory_mb) == counts


@pytest.mark.parametrize("rows", [1, 7, 100_000])
def test_large_tables_are_as_good_as_small_ones(rows: int) -> None:
    table = tables.zeros((rows, 2), k.CHAIN)
    assert table.shape == (rows, 2)
    assert table.dtype == k.CHAIN
    assert table.flags.writeable
    assert not table["first"].any()


def test_the_parts_of_a_budget_are_within_it() -> None:
    parts = (
        SETTINGS.max_bytes,
        SETTINGS.max_uses * (k.LOGGED.itemsize + 4),
        SETTINGS.max_pairs * k.PAIR.itemsize,
    )
    assert sum(parts) <= SETTINGS.memory_bytes
    assert k.PAGE_BYTES == 8 * k.PAGE + 8
    assert closing.bytes_of(tables.empty(SETTINGS).n) == 0
