"""Shares of reels from samples are near the true shares."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trend.overlap import Sample, Sharing, sample, shared, union

K = 128


def bottom(reels: set[int], capacity: int = K) -> Sample:
    return sample(np.array(sorted(reels)[:capacity], np.uint64), capacity)


SETS = st.sets(st.integers(0, 60), min_size=1, max_size=40)


@given(SETS, SETS)
def test_whole_sets_share_what_they_share(a: set[int], b: set[int]) -> None:
    both = len(a & b)
    assert shared(bottom(a), bottom(b)) == (both, both / min(len(a), len(b)))


@given(SETS, SETS, st.integers(1, 12))
def test_samples_share_what_the_sets_share_below_both_limits(
    a: set[int], b: set[int], capacity: int
) -> None:
    small, other = bottom(a, capacity), bottom(b, capacity)
    limit = min(sample.limit if sample.limit is not None else 99 for sample in (small, other))
    below = [{reel for reel in reels if reel <= limit} for reels in (a, b)]
    least = min(map(len, below))
    both = len(below[0] & below[1])
    assert shared(small, other) == (both, both / least if least else 0.0)
    assert shared(other, small) == shared(small, other)


@given(st.lists(SETS, min_size=1, max_size=4), st.integers(1, 12))
def test_a_union_of_samples_is_a_sample_of_the_union(sets: list[set[int]], capacity: int) -> None:
    joined = union([bottom(reels, capacity) for reels in sets])
    limit = joined.limit if joined.limit is not None else 99
    assert joined.reels.tolist() == sorted(reel for reel in set.union(*sets) if reel <= limit)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_share_of_large_sets_is_estimated(share: float) -> None:
    rng = np.random.default_rng(1)
    estimates = []
    for _ in range(60):
        reels = rng.choice(2**62, 9000, replace=False)
        common = int(4000 * share)
        small, large = set(reels[:4000].tolist()), set(reels[4000 - common :].tolist())
        estimates.append(shared(bottom(small), bottom(large))[1])
    assert np.mean(estimates) == pytest.approx(share, abs=0.05)


def test_a_nested_signal_shares_all() -> None:
    assert shared(bottom(set(range(0, 1000, 9))), bottom(set(range(1000))))[1] == 1.0


@pytest.mark.parametrize("least", [1, 3, 8])
def test_those_that_share_most_are_found_among_many(least: int) -> None:
    rng = np.random.default_rng(least)
    sets = [rng.choice(60, rng.integers(0, 30), replace=False) for _ in range(40)]
    samples = [sample(np.sort(reels).astype(np.uint64), capacity=128) for reels in sets]
    for one, reels in zip(samples, sets, strict=True):
        naive = [i for i, other in enumerate(sets) if len(set(reels) & set(other)) >= least]
        assert Sharing(samples).most(one, least) == naive
    assert Sharing([]).most(samples[0], least) == []
