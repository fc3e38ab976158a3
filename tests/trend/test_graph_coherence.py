"""Crews are told from people: by their authors, their texts and their haste."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trend.graph.coherence import HASHES, concentration, copies, minhash, texts

REELS = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4)), max_size=30)


def captions(words: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    flat = np.array([word for caption in words for word in caption], np.uint64)
    return flat, np.cumsum([0, *map(len, words)])


@given(REELS)
def test_concentration_is_simpsons(reels: list[tuple[int, int]]) -> None:
    community = np.array([c for c, _ in reels], np.int32)
    author = np.array([a for _, a in reels], np.uint64)
    found = concentration(community, author, count=3)
    for one in range(3):
        shares = np.bincount(author[community == one].astype(int)) / max(
            (community == one).sum(), 1
        )
        assert found.top[one] == pytest.approx(shares.max(initial=0))
        expected = 1 / (shares**2).sum() if shares.any() else 0
        assert found.effective[one] == pytest.approx(expected)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_signatures_agree_as_much_as_the_words(share: float) -> None:
    rng = np.random.default_rng(1)
    agree = []
    for _ in range(100):
        words = rng.integers(1, 1 << 60, 60).tolist()
        both = round(share * 40)
        a, b = words[:40], words[40 - both : 80 - both]
        signatures = minhash(*captions([a, b]))
        jaccard = len({*a} & {*b}) / len({*a} | {*b})
        agree.append((signatures[0] == signatures[1]).mean() - jaccard)
    assert np.mean(agree) == pytest.approx(0.0, abs=0.03)
    assert signatures.shape == (2, HASHES)


def edited(rng: np.random.Generator, caption: list[int], edits: int) -> list[int]:
    changed = list(caption)
    for at in rng.choice(len(caption), edits, replace=False):
        changed[at] = int(rng.integers(1, 1 << 60))
    rng.shuffle(changed)
    return changed


def test_edited_copies_are_one_text_and_own_words_are_not() -> None:
    rng = np.random.default_rng(2)
    vocabulary = rng.integers(1, 1 << 60, 400)
    popular = 1 / np.arange(1, 401)
    original = rng.choice(vocabulary, 14, replace=False).tolist()
    copied = [edited(rng, original, int(rng.integers(0, 3))) for _ in range(60)]
    own = [
        rng.choice(vocabulary, 12, replace=False, p=popular / popular.sum()).tolist()
        for _ in range(200)
    ]
    text = texts(*captions(copied + own))
    assert np.mean(text[:60] == text[0]) >= 0.95
    assert np.unique(text[60:]).size >= 190
    assert not np.isin(text[60:], text[:60]).any()


def test_few_words_are_nobodys_text() -> None:
    assert texts(*captions([[1, 2, 3], [1, 2, 3], [1, 2, 3, 4], [1, 2, 3, 4]])).tolist() == [
        -1,
        -1,
        2,
        2,
    ]
    assert texts(*captions([])).tolist() == []


@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(-1, 2), st.integers(1, 4), st.integers(0, 9)),
        max_size=25,
    ),
    st.integers(1, 6),
)
def test_copies_are_counted_as_the_naive_way_does(
    reels: list[tuple[int, int, int, int]], window: int
) -> None:
    columns = zip(*reels, strict=True) if reels else [[]] * 4
    kinds = (np.int32, np.int32, np.uint64, np.int64)
    arrays = [np.array(column, kind) for column, kind in zip(columns, kinds, strict=True)]
    found = copies(*arrays, window, 2)
    for one in range(2):
        own = [reel for reel in reels if reel[0] == one]
        by_text = {t: [r for r in own if r[1] == t] for t in {r[1] for r in own} - {-1}}
        authors = {t: len({r[2] for r in rows}) for t, rows in by_text.items()}
        shared = sum(len(by_text[t]) for t, n in authors.items() if n > 1)
        bursts = [
            len({r[2] for r in by_text[t] if start <= r[3] < start + window})
            for t, n in authors.items()
            if n > 1
            for start in range(10)
        ]
        assert found.share[one] == pytest.approx(shared / len(own) if own else 0)
        assert found.authors[one] == max(authors.values(), default=0)
        assert found.burst[one] == max(bursts, default=0)


def test_a_slow_meme_and_a_crew_in_a_hurry_differ_in_burst() -> None:
    authors = np.arange(1, 61, dtype=np.uint64)
    same = np.zeros(60, np.int32)
    crew = copies(same, same, authors, np.arange(60) // 30, 6, 1)
    meme = copies(same, same, authors, np.arange(60) * 4, 6, 1)
    assert (crew.burst[0], meme.burst[0]) == (60, 2)
    assert crew.authors[0] == meme.authors[0] == 60
