"""Edges weigh what the naive sum says, in any order of the pairs, and the weakest go first."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trend.graph.edges import (
    BASE,
    EDGES,
    NODES,
    REBASE_AT,
    Edges,
    EdgeSettings,
    add,
    cleaned,
    core,
    empty,
    weights_at,
)

SETTINGS = EdgeSettings(max_edges=1000, half_life_ticks=6, min_weight=0.01)
Use = tuple[int, int, int, bool]  # signals, authors, significant

USES = st.lists(
    st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 5), st.booleans()), max_size=20
)
ENDS = st.tuples(st.integers(1, 9), st.integers(1, 9)).filter(lambda ends: ends[0] < ends[1])
TICKS = st.lists(USES, min_size=1, max_size=8)


def added(e: Edges, uses: list[Use], tick: int, settings: EdgeSettings = SETTINGS) -> Edges:
    once = {(min(use[:2]), max(use[:2])): use for use in reversed(uses)}
    columns = list(zip(*once.values(), strict=True)) or [[], [], [], []]
    first, second = (np.array(ends, np.uint64) for ends in columns[:2])
    authors = np.array(columns[2], np.int64)
    significant = np.array(columns[3], np.bool_)
    return add(e, settings, first, second, authors, 2 * authors, significant, tick)[0]


def table(e: Edges, tick: int) -> dict[tuple[int, int], tuple[float, int, int, int]]:
    rows = e.edges[: e.n[EDGES]]
    ends = zip(e.signals[rows["a"]].tolist(), e.signals[rows["b"]].tolist(), strict=True)
    columns = (rows[name].tolist() for name in ("reels", "authors", "since"))
    return dict(
        zip(ends, zip(weights_at(e, SETTINGS, tick).tolist(), *columns, strict=True), strict=True)
    )


@given(TICKS)
def test_edges_hold_the_decayed_sum_of_their_authors(ticks: list[list[Use]]) -> None:
    e = empty()
    naive: dict[tuple[int, int], list[float]] = {}
    for tick, uses in enumerate(ticks):
        e = added(e, uses, tick)
        once = {(min(use[:2]), max(use[:2])): use[2:] for use in reversed(uses)}
        for (a, b), (n, sure) in once.items():
            if sure and a != b:
                naive.setdefault((a, b), [0.0, 0, 0, tick])
            if (edge := naive.get((a, b))) is not None:
                edge[0] += n * 2.0 ** -((len(ticks) - tick) / 6)
                edge[1] += 2 * n
                edge[2] += n
    found = table(e, len(ticks))
    assert found.keys() == naive.keys()
    for pair, edge in naive.items():
        assert found[pair] == (pytest.approx(edge[0]), *edge[1:])


@given(TICKS, st.randoms())
def test_the_order_of_the_pairs_changes_no_bit(
    ticks: list[list[Use]], random: np.random.Generator
) -> None:
    one, other = empty(), empty()
    for tick, uses in enumerate(ticks):
        once = {(min(use[:2]), max(use[:2])): use for use in uses}
        shuffled = [(b, a, n, sure) for a, b, n, sure in once.values()]
        random.shuffle(shuffled)
        one, other = added(one, list(once.values()), tick), added(other, shuffled, tick)
    for a, b in zip(one, other, strict=True):
        assert np.array_equal(a, b)


def test_many_edges_are_found_again() -> None:
    rng = np.random.default_rng(1)
    codes = rng.choice(2000 * 2000, 30_000, replace=False)
    codes = codes[codes // 2000 < codes % 2000]
    first, second = (codes // 2000 + 1).astype(np.uint64), (codes % 2000 + 1).astype(np.uint64)
    one = np.ones(first.size, np.int64)
    settings = EdgeSettings(max_edges=10**6)
    e, new, _ = add(empty(), settings, first, second, one, one, one > 0, 5)
    e, again, _ = add(e, settings, second, first, one, one, one < 0, 6)
    assert np.array_equal(new.edge, again.edge)
    assert e.n[EDGES] == codes.size


def test_a_base_that_moves_changes_no_digit() -> None:
    settings = EdgeSettings(half_life_ticks=6)
    e = added(empty(), [(1, 2, 3, True), (3, 4, 5, True)], 0, settings)
    before = e.edges["weight"][:2].copy()
    uses = np.array([1], np.uint64), np.array([2], np.uint64), np.array([1]), np.array([1])
    tick = REBASE_AT * 6 + 1
    e, changes, scale = add(e, settings, *uses, np.array([True]), tick)
    assert scale == 2.0**-REBASE_AT
    assert e.n[BASE] == REBASE_AT * 6
    assert e.edges["weight"][1] == before[1] * scale
    assert weights_at(e, settings, tick).tolist() == pytest.approx([1.0, 0.0])
    assert changes.added.tolist() == [pytest.approx(2.0 ** (1 / 6))]


def test_after_years_of_silence_weights_are_next_to_nothing() -> None:
    e = added(empty(), [(1, 2, 3, True)], 0)
    e = added(e, [(3, 4, 1, True)], 10**6)
    assert weights_at(e, SETTINGS, 10**6).tolist() == [pytest.approx(0.0), 1.0]


@given(st.permutations(range(1, 13)), st.integers(1, 12))
def test_at_the_limit_the_weakest_go_whatever_the_order(order: list[int], limit: int) -> None:
    settings = EdgeSettings(max_edges=limit, half_life_ticks=6)
    e = empty()
    for tick in range(3):  # the same ticks, the signals numbered as they come
        uses = [(100, i, 1 + i % 3, True) for i in order if i % 4 == tick or tick == 2]
        e = added(e, uses, tick, settings)
    weights = {pair[0]: edge[0] for pair, edge in table(e, 3).items()}
    e, kept = cleaned(e, settings, 3)
    left = {pair[0] for pair in table(e, 3)}
    room = 12 if limit == 12 else max(int(0.9 * limit), 1)
    assert left == set(sorted(weights, key=lambda i: (-round(weights[i], 9), i))[:room])
    assert kept.edges.size == room
    assert e.n[NODES] == room + 1
    assert set(e.signals[: e.n[NODES]].tolist()) == left | {100}


def test_what_is_left_after_cleaning_goes_on_as_before() -> None:
    settings = EdgeSettings(half_life_ticks=6, min_weight=0.5)
    e = added(empty(), [(1, 2, 1, True), (2, 3, 40, True)], 0, settings)
    e, _ = cleaned(e, settings, 12)
    e = added(e, [(2, 3, 2, False), (1, 2, 1, False), (3, 9, 1, True)], 12, settings)
    assert table(e, 12) == {
        (2, 3): (pytest.approx(12.0), 84, 42, 0),
        (3, 9): (pytest.approx(1.0), 2, 1, 12),
    }


@pytest.mark.parametrize("name", ["max_edges", "half_life_ticks"])
def test_settings_are_checked(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is 0"):
        EdgeSettings(**{name: 0})


@given(st.dictionaries(ENDS, st.integers(1, 99)), st.permutations([*range(1, 10)]))
def test_the_core_of_signals_is_what_heavy_edges_hold(
    weights: dict[tuple[int, int], int], order: list[int]
) -> None:
    e = added(empty(), [(*ends, n, True) for ends, n in weights.items()], 0)
    among = order[:6]
    inside = {ends: n for ends, n in weights.items() if {*ends} <= {*among}}
    heavy = [ends for ends, n in inside.items() if n >= 0.3 * max(inside.values())]
    held = [one for one in among if any(one in ends for ends in heavy)]
    assert core(e, np.array(among, np.uint64), 0.3).tolist() == (held or among)
