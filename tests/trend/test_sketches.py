"""Copies of one text are told from people's own words about one thing, in any script."""

import numpy as np
import pytest

from trend.sketches import COPIES, MIN_TEXTS, NONE, in_common, sketches

WORDS = {
    "latin": [f"{a}{b}" for a in "ka mi lo ren ta".split() for b in "sha ni bo el vi".split()],
    "cyrillic": [f"{a}{b}" for a in "ка ми ло рен та".split() for b in "ша ни бо эл ви".split()],
}


def sketched(texts: list[str]) -> np.ndarray:
    data = [text.encode() for text in texts]
    lengths = np.array([len(one) for one in data], np.int32)
    starts = (np.cumsum(lengths) - lengths).astype(np.int32)
    return sketches(np.frombuffer(b"".join(data), np.uint8), starts, lengths)


def copies(rng: np.random.Generator, words: list[str], count: int) -> list[str]:
    """One text of twelve words, in each copy one or two of which are others."""
    text = [*rng.choice(words, 12, replace=False)]
    made = []
    for _ in range(count):
        copy = list(text)
        for at in rng.integers(0, 12, rng.integers(1, 3)):
            copy[at] = str(rng.choice(words))
        made.append(" ".join(copy) + " 🎉" * int(rng.integers(0, 3)))
    return made


@pytest.mark.parametrize("script", WORDS)
def test_edited_copies_of_one_text_have_most_in_common(script: str) -> None:
    rng = np.random.default_rng(1)
    words = WORDS[script] * 1
    authors = np.arange(40, dtype=np.uint64)
    assert in_common(authors, sketched(copies(rng, words, 40))) > COPIES + 0.15


@pytest.mark.parametrize("script", WORDS)
def test_own_words_around_one_phrase_have_little_in_common(script: str) -> None:
    rng = np.random.default_rng(2)
    names = [f"{a}{b}" for a in WORDS[script] for b in WORDS[script]]
    texts = [" ".join(["catdrop", "challenge", *rng.choice(names, 8)]) for _ in range(40)]
    assert in_common(np.arange(40, dtype=np.uint64), sketched(texts)) < COPIES - 0.1


def test_a_script_without_spaces_is_read_two_characters_at_a_time() -> None:
    one, edited = "新しいスマホを無料でもらえるチャンス", "新しいスマホを無料でもらえる機会です"
    other = "今日は友達と海に行って花火を見ました"
    a, b, c = sketched([one, edited, other]).tolist()
    assert NONE not in (a, b, c)
    authors = np.arange(8, dtype=np.uint64)
    alike = in_common(authors, np.array([a, b] * 4, np.uint64))
    unlike = in_common(authors, np.array([a, c] * 4, np.uint64))
    assert alike > unlike + 0.2


def test_tags_mentions_and_case_are_no_words_of_a_text() -> None:
    plain, adorned, short = sketched(
        [
            "buy one get one free now",
            "#sale @shop BUY one, get ONE free now! #today",
            "too short #a #b #c #d",
        ]
    ).tolist()
    assert plain == adorned != NONE
    assert short == NONE


def test_nothing_is_said_of_one_author_or_of_too_few_texts() -> None:
    text = sketched(["one text that is always the same"])
    many = np.repeat(text, 20)
    assert in_common(np.arange(20, dtype=np.uint64), many) == 1.0
    assert in_common(np.zeros(20, np.uint64), many) == 0.0
    few = MIN_TEXTS - 1
    assert in_common(np.arange(few, dtype=np.uint64), many[:few]) == 0.0
    mostly_none = np.concatenate([many[:8], np.zeros(12, np.uint64)])
    assert in_common(np.arange(20, dtype=np.uint64), mostly_none) == 0.0
