"""Ids follow members: one test a rule, and how long they last when edges change."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trend.graph.lifecycle import (
    BIRTH,
    DEATH,
    GROWTH,
    MERGE,
    SPLIT,
    LifeSettings,
    Lives,
    empty,
    followed,
)

SIGNALS = np.arange(100, 140, dtype=np.uint64)
SETTINGS = LifeSettings(min_members=3)
LABELS = st.lists(st.integers(0, 5), min_size=1, max_size=24)


def step(
    lives: Lives, label: list[int], tick: int, weight: list[float] | None = None
) -> tuple[Lives, list[tuple[int, int, int]]]:
    """Return the lives after a tick, and its events as (kind, id, other)."""
    n = len(label)
    weights = np.array(weight if weight is not None else [1.0] * n)
    lives, events = followed(lives, SETTINGS, np.array(label, np.int32), weights, SIGNALS[:n], tick)
    rows = zip(*(events[name].tolist() for name in ("kind", "id", "other")), strict=True)
    assert events["tick"].tolist() == [tick] * events.size
    return lives, list(rows)


def begun(*sizes: int) -> tuple[Lives, list[int]]:
    """Return communities of these sizes and their ids in that order."""
    label = [i for i, size in enumerate(sizes) for _ in range(size)]
    lives, _ = step(empty(), label, 1)
    firsts = np.cumsum([0, *sizes])[:-1]
    return lives, [int(lives.id[lives.of_node[first]]) for first in firsts]


def test_a_community_of_three_is_born_and_one_of_two_is_not() -> None:
    lives, events = step(empty(), [0, 0, 0, 1, 1], 1)
    assert events == [(BIRTH, int(lives.id[0]), 0)]
    assert lives.of_node.tolist() == [0, 0, 0, -1, -1]
    assert lives.born.tolist() == [1]


def test_an_id_is_derived_from_the_heaviest_signal_and_the_tick() -> None:
    one, _ = step(empty(), [0] * 4, 1, [1, 5, 1, 1])
    other, _ = step(empty(), [0] * 3, 1, [1, 5, 1])
    later, _ = step(empty(), [0] * 4, 2, [1, 5, 1, 1])
    assert one.id[0] == other.id[0] != later.id[0]


def test_an_id_follows_its_members_under_any_number() -> None:
    lives, (a, b) = begun(4, 5)
    lives, events = step(lives, [7] * 4 + [0] * 5, 2)
    assert events == []
    assert lives.id[lives.of_node].tolist() == [a] * 4 + [b] * 5


def test_growth_by_a_quarter_is_told_once() -> None:
    lives, (a,) = begun(8)
    lives, events = step(lives, [0] * 9, 2)
    assert events == []
    lives, events = step(lives, [0] * 10, 3)
    assert events == [(GROWTH, a, 0)]
    lives, events = step(lives, [0] * 11, 4)
    assert events == []


def test_when_two_merge_the_heavier_id_lives_on() -> None:
    lives, (a, b) = begun(4, 6)
    lives, events = step(lives, [0] * 10, 2)
    assert events == [(GROWTH, b, 0), (MERGE, a, b)]
    assert lives.id.tolist() == [b]


def test_when_one_splits_the_larger_part_keeps_the_id() -> None:
    lives, (a,) = begun(9)
    lives, events = step(lives, [3] * 4 + [1] * 5, 2)
    new = int(lives.id[lives.of_node[0]])
    assert events == [(SPLIT, new, a)]
    assert lives.id[lives.of_node].tolist() == [new] * 4 + [a] * 5


def test_an_id_dies_when_its_members_scatter() -> None:
    lives, (a, b) = begun(4, 6)
    lives, events = step(lives, [0, 1, 2, 3, *[4] * 6], 2)
    assert events == [(DEATH, a, 0)]
    assert lives.id.tolist() == [b]


def test_a_remnant_below_the_floor_does_not_inherit() -> None:
    lives, (a, b) = begun(12, 12)
    lives, events = step(lives, [0] * 3 + [1] * 9 + [1] * 12, 2)
    new = int(lives.id[lives.of_node[0]])
    assert events == [(BIRTH, new, 0), (GROWTH, b, 0), (MERGE, a, b)]


def test_weight_decides_and_not_number() -> None:
    lives, (a,) = begun(7)
    lives, _ = step(lives, [0] * 3 + [1] * 4, 2, [5, 5, 5, 1, 1, 1, 1])
    assert lives.id[lives.of_node[0]] == a


def test_a_community_reduced_to_two_keeps_its_id() -> None:
    lives, (a,) = begun(3)
    lives, events = step(lives, [0, 0, 1], 2)
    assert (lives.id.tolist(), events) == ([a], [])


@pytest.mark.parametrize(("name", "value"), [("min_members", 1), ("floor", 0.0), ("floor", 1.1)])
def test_settings_are_checked(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        LifeSettings(**{name: value})


@given(st.lists(LABELS, min_size=1, max_size=6), st.permutations(range(6)))
def test_numbers_mean_nothing_and_the_books_balance(
    ticks: list[list[int]], numbers: list[int]
) -> None:
    one, other = empty(), empty()
    nodes = 0
    for tick, label in enumerate(ticks):
        nodes = max(nodes, len(label))
        full = label + [5] * (nodes - len(label))
        before = set(one.id.tolist())
        one, events = step(one, full, tick)
        other, same = step(other, [numbers[i] for i in full], tick)
        assert events == same
        assert np.array_equal(one.of_node, other.of_node)
        born = {e[1] for e in events if e[0] in (BIRTH, SPLIT)}
        ended = {e[1] for e in events if e[0] in (MERGE, DEATH)}
        assert set(one.id.tolist()) == (before | born) - ended
        assert not born & before
        assert ended <= before
        assert all(e[2] in set(one.id.tolist()) for e in events if e[0] in (MERGE, SPLIT))
        assert one.id.tolist() == sorted(set(one.id.tolist()))
