"""How often signals come together: against a count by hand, and from a sample."""

import numpy as np
import numpy.typing as npt
import pytest

from trend.overlap import Sample, sample
from trend.together import UNKNOWN, holding, looked_at, pairs

U64 = npt.NDArray[np.uint64]


def world(seed: int, reels: int, signals: int) -> tuple[U64, npt.NDArray[np.bool_]]:
    rng = np.random.default_rng(seed)
    hashes = np.sort(rng.integers(0, 2**64, reels, np.uint64, endpoint=False))
    return hashes, rng.random((signals, reels)) < rng.uniform(0.1, 0.9, (signals, 1))


@pytest.mark.parametrize("seed", range(5))
def test_pairs_are_those_of_a_count_by_hand(seed: int) -> None:
    rng = np.random.default_rng(seed)
    _, held = world(seed, 60, 5)
    authors = rng.integers(0, 20, 60).astype(np.uint64)
    ticks, known = rng.integers(5, 90, 60).astype(np.int32), rng.random(60) < 0.7
    found = pairs(held, 1.0, authors, ticks, known)
    expected = []
    for i in range(5):
        for j in range(i + 1, 5):
            both = held[i] & held[j]
            there = both & known
            if both.any():
                people = np.unique(authors[there]).size
                since = int(ticks[there].min()) if there.any() else UNKNOWN
                share = both.sum() / (held[i] | held[j]).sum()
                expected.append((i, j, int(both.sum()), people, share, since))
    assert [*zip(*(column.tolist() for column in found), strict=True)] == expected


def test_what_shares_no_reel_is_no_pair() -> None:
    held = np.array([[1, 0], [0, 1]], np.bool_)
    found = pairs(held, 1.0, np.ones(2, np.uint64), np.ones(2, np.int32), np.ones(2, np.bool_))
    assert found.first.size == 0
    one = pairs(held[:1], 1.0, np.ones(2, np.uint64), np.ones(2, np.int32), np.ones(2, np.bool_))
    assert one.first.size == 0


@pytest.mark.parametrize("seed", range(4))
def test_a_sample_tells_nearly_what_all_reels_tell(seed: int) -> None:
    reels, held = world(seed, 6000, 3)
    samples = [sample(reels[row][:512], 512) for row in held]
    hashes = np.unique(np.concatenate([one.reels for one in samples]))
    looked = looked_at(hashes, samples, 128)
    assert looked.reels.size == 128
    known = np.zeros(128, np.bool_)
    found = pairs(
        holding(samples, looked.reels), looked.scale, looked.reels, np.zeros(128, np.int32), known
    )
    for i, j, estimate in zip(found.first, found.second, found.reels, strict=True):
        true = np.count_nonzero(held[i] & held[j])
        assert abs(estimate - true) < 5 * looked.scale * np.sqrt(true / looked.scale + 1)
    assert np.all(found.since == UNKNOWN)


def test_all_reels_are_looked_at_where_they_are_few() -> None:
    reels, held = world(1, 50, 2)
    samples = [Sample(reels[row], None) for row in held]
    looked = looked_at(reels, samples, 128)
    assert looked.scale == 1.0
    np.testing.assert_array_equal(holding(samples, looked.reels), held)


def test_nothing_is_looked_at_beyond_what_every_sample_knows() -> None:
    reels = np.arange(1, 9, dtype=np.uint64) << np.uint64(60)
    samples = [Sample(reels, None), Sample(reels[:3], int(reels[2]))]
    looked = looked_at(reels, samples, 128)
    assert looked.reels.tolist() == reels[:3].tolist()
    assert looked.scale == pytest.approx(2**64 / int(reels[2]))
    np.testing.assert_array_equal(holding(samples, looked.reels), np.ones((2, 3), np.bool_))
