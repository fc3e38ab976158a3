"""People and crews: told apart by who posted how much, and by how many posted one text."""

import numpy as np
import numpy.typing as npt
import pytest

from tests.trend.test_sketches import copies, sketched
from trend.crowd import SAME, crowd, is_crew
from trend.sketches import BINS, MIN_TEXTS, NONE, agreement

U64 = npt.NDArray[np.uint64]
I32 = npt.NDArray[np.int32]
HOUR = 6


def texts_of(seed: int, count: int, alike: float) -> U64:
    """Sketches of which a share are copies of one, with a few bins changed."""
    rng = np.random.default_rng(seed)
    bins = rng.integers(1, 16, (count, BINS)).astype(np.uint64)
    copied = rng.random(count) < alike
    bins[copied] = np.where(rng.random((copied.sum(), BINS)) < 0.2, bins[copied], bins[0])
    return (bins << (4 * np.arange(BINS, dtype=np.uint64))).sum(axis=1, dtype=np.uint64)


def naive(authors: U64, texts: U64, ticks: I32) -> tuple[int, int]:
    """The most authors of one text, and within an hour, pair by pair."""
    bins = texts[:, None] >> (4 * np.arange(BINS, dtype=np.uint64)) & np.uint64(15)
    alike = burst = 0
    for i in range(texts.size):
        filled = (bins[i] | bins) != 0
        same = ((bins[i] == bins) & filled).sum(axis=1) >= SAME * filled.sum(axis=1)
        alike = max(alike, np.unique(authors[same]).size)
        now = same & (ticks >= ticks[i]) & (ticks < ticks[i] + HOUR)
        burst = max(burst, np.unique(authors[now]).size)
    return alike, burst


@pytest.mark.parametrize("seed", range(8))
def test_the_largest_group_of_one_text_is_that_of_a_count_pair_by_pair(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(MIN_TEXTS, 129))
    authors = rng.integers(0, count, count).astype(np.uint64)
    ticks = rng.integers(0, 40, count).astype(np.int32)
    texts = texts_of(seed, count, rng.random())
    found = crowd(authors, texts, ticks, HOUR)
    assert (found.alike, found.burst) == naive(authors, texts, ticks)
    assert (found.reels, found.authors) == (count, np.unique(authors).size)
    assert found.most == np.unique(authors, return_counts=True)[1].max()


def test_the_order_of_the_reels_changes_nothing() -> None:
    rng = np.random.default_rng(3)
    authors = rng.integers(0, 30, 40).astype(np.uint64)
    ticks = rng.integers(0, 20, 40).astype(np.int32)
    texts = texts_of(3, 40, 0.4)
    order = rng.permutation(40)
    one = crowd(authors, texts, ticks, HOUR)
    other = crowd(authors[order], texts[order], ticks[order], HOUR)
    assert one._replace(common=0) == other._replace(common=0)
    assert one.common == pytest.approx(other.common)


@pytest.mark.parametrize("accounts", [12, 40, 80])
def test_a_crew_that_posts_edited_copies_is_one(accounts: int) -> None:
    rng = np.random.default_rng(accounts)
    texts = sketched(copies(rng, [f"word{i}" for i in range(14)], accounts))
    ticks = np.sort(rng.integers(0, 100, accounts)).astype(np.int32)
    assert is_crew(crowd(np.arange(accounts, dtype=np.uint64), texts, ticks, HOUR))


def test_half_of_the_people_with_one_text_are_a_crew_whatever_the_others_say() -> None:
    for copied, expected in ((0, False), (8, False), (15, True)):
        texts = texts_of(1, 30, 0.0)
        texts[:copied] = texts[0]
        found = crowd(np.arange(30, dtype=np.uint64), texts, np.zeros(30, np.int32), HOUR)
        assert found.alike == max(copied, 1)
        assert is_crew(found) is expected


def test_one_who_makes_most_of_the_reels_is_no_crowd() -> None:
    texts, ticks = texts_of(2, 40, 0.0), np.zeros(40, np.int32)
    for own, expected in ((20, False), (21, True)):
        authors = np.concatenate([np.zeros(own), np.arange(1, 41 - own)]).astype(np.uint64)
        assert is_crew(crowd(authors, texts, ticks, HOUR)) is expected


def test_where_few_have_words_half_of_all_must_have_posted_one_text() -> None:
    authors, ticks = np.arange(20, dtype=np.uint64), np.zeros(20, np.int32)
    for worded, expected in ((9, False), (10, True)):
        texts = np.full(20, NONE)
        texts[:worded] = texts_of(1, 1, 0.0)
        found = crowd(authors, texts, ticks, HOUR)
        assert (found.worded, found.alike, found.burst) == (worded, worded, worded)
        assert is_crew(found) is expected


def test_what_has_no_words_is_not_compared() -> None:
    authors, ticks = np.arange(20, dtype=np.uint64), np.zeros(20, np.int32)
    found = crowd(authors, np.full(20, NONE), ticks, HOUR)
    assert (found.worded, found.alike, found.burst, found.common) == (0, 0, 0, 0.0)
    assert not is_crew(found)
    empty = crowd(authors[:0], authors[:0], ticks[:0], HOUR)
    assert empty[:3] == (0, 0, 0)
    assert not is_crew(empty)


def test_agreement_counts_every_bin_that_either_fills() -> None:
    full = np.uint64(0x123456789ABCDEF1)
    assert agreement(full, full) == 1.0
    assert agreement(full, full ^ np.uint64(0xF)) == 15 / 16
    assert agreement(np.uint64(0x11), np.uint64(0x10)) == 0.5
    assert agreement(NONE, NONE) == 0.0
