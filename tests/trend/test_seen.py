"""Reels seen lately: like two plain dictionaries, in bounded room, whatever the cut."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trend.seen import AGAIN, NEW, REPEAT, SeenReels


def classify(seen: SeenReels, pairs: list[tuple[int, int]]) -> list[int]:
    reels, digests = np.array(pairs, np.uint64).reshape(-1, 2).T.copy()
    return [int(kind) for kind in seen.classify(reels, digests)]


def naive(pairs: list[tuple[int, int]], capacity: int) -> list[int]:
    """The same with two dictionaries."""
    young: dict[int, int] = {}
    old: dict[int, int] = {}
    kinds = []
    for reel, digest in pairs:
        if len(young) == capacity:
            young, old = {}, young
        known = young.get(reel, old.get(reel))
        kinds.append(NEW if known is None else REPEAT if known == digest else AGAIN)
        young[reel] = digest
    return kinds


PAIRS = st.lists(st.tuples(st.integers(1, 12), st.integers(0, 2)), max_size=60)


@given(PAIRS, st.integers(1, 10), st.lists(st.integers(0, 60), max_size=5))
def test_it_is_two_generations_however_the_input_is_cut(
    pairs: list[tuple[int, int]], capacity: int, cuts: list[int]
) -> None:
    seen = SeenReels(capacity)
    kinds = []
    stops = [*sorted(cuts), len(pairs)]
    for start, stop in zip([0, *stops], stops, strict=False):
        kinds += classify(seen, pairs[start:stop])
        seen = pickle.loads(pickle.dumps(seen))
    assert kinds == naive(pairs, capacity)


def test_the_last_reels_up_to_the_capacity_are_surely_known() -> None:
    capacity = 3000
    rng = np.random.default_rng(1)
    seen = SeenReels(capacity)
    reels = rng.integers(1, 2**63, 20_000).astype(np.uint64)
    assert (seen.classify(reels, reels) == NEW).all()
    for at in range(0, reels.size, 1111):
        again = SeenReels(capacity)
        again.classify(reels[: at + capacity], reels[: at + capacity])
        last = reels[at : at + capacity]
        assert (again.classify(last, last) == REPEAT).all()


def test_what_is_long_past_is_forgotten_and_the_room_stays_bounded() -> None:
    seen = SeenReels(100)
    sizes = set()
    for start in range(1, 20_000, 500):
        reels = np.arange(start, start + 500).astype(np.uint64) << np.uint64(40)
        assert (seen.classify(reels, reels) == NEW).all()
        sizes.add(len(pickle.dumps(seen)) // 1000)
    assert max(sizes) < 40
    assert classify(seen, [(1 << 40, 1 << 40)]) == [NEW]


def test_colliding_hashes_are_told_apart() -> None:
    pairs = [(reel << 32, 5) for reel in range(1, 900)]
    seen = SeenReels(1000)
    assert set(classify(seen, pairs)) == {NEW}
    assert set(classify(seen, pairs)) == {REPEAT}


def test_a_reel_that_hashes_to_zero_is_one_like_others() -> None:
    assert classify(SeenReels(5), [(0, 1), (0, 1), (0, 2)]) == [NEW, REPEAT, AGAIN]


def test_a_change_is_noted_once() -> None:
    assert classify(SeenReels(5), [(7, 1), (7, 2), (7, 2), (7, 1)]) == [NEW, AGAIN, REPEAT, AGAIN]


def test_no_capacity_is_refused() -> None:
    with pytest.raises(ValueError, match="capacity is 0"):
        SeenReels(0)
