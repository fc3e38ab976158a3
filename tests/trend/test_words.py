"""Phrases and hashtags of a text, in any script, against a slow tokeniser written with `re`."""

import re
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trend.characters import BREAK, JOINER, LETTER, word_table
from trend.kinds import HASHTAG, KINDS, PHRASE
from trend.signals import find
from trend.stopwords import STOP_WORDS, stop_table

STOPS = {word for words in STOP_WORDS.values() for word in words.split()}
DENSE_NAMES = re.compile(
    "THAI|LAO|MYANMAR|KHMER|HIRAGANA|KATAKANA|CJK|IDEOGRAPHIC|BOPOMOFO|HENTAIGANA|TAI |NEW TAI"
    "|TANGUT|KHITAN|NUSHU|MASU|VERTICAL KANA|OLD CHINESE"
)


def found(
    caption: str, transcript: str = "", hashtags: tuple[str, ...] = (), max_phrases: int = 64
) -> list[tuple[int, str]]:
    """(kind, id) of each signal of one reel, in the order found."""
    texts = [text.encode() for text in (caption, transcript, *hashtags)]
    data = np.frombuffer(bytearray(b"".join(texts)), np.uint8)
    lengths = np.array([len(text) for text in texts], np.int32)
    none = np.zeros(1, np.int32)
    entries = find(
        data,
        np.cumsum(lengths, dtype=np.int32) - lengths,
        lengths,
        np.array([0, len(hashtags)]),
        none,
        none,
        none,
        word_table(),
        stop_table(),
        max_phrases,
    )
    return [
        (int(e["kind"]), data[e["at"] : e["at"] + e["length"]].tobytes().decode()) for e in entries
    ]


def phrases(text: str) -> list[str]:
    return [label for kind, label in found(text) if kind == PHRASE]


def tags(text: str) -> list[str]:
    return [label for kind, label in found(text) if kind == HASHTAG]


def letter_class(character: str) -> str:
    """One letter for what a character is: the reference's own reading of Unicode."""
    if character in "#@_.":
        return character
    if character in "'‘’ʼ-‐·׳״":
        return "J"
    category = unicodedata.category(character)
    if character == "\t" or category == "Zs":
        return "S"
    if category in ("Mn", "Mc"):
        return "M"
    if category[0] == "N":
        return "D"
    if category[0] == "L":
        if not DENSE_NAMES.match(unicodedata.name(character, "TANGUT")):
            return "L"
        return "M" if category == "Lm" else "X"
    return "B"


LINK = re.compile(r"(https?://|www\.)[!-~]*")
TOKEN = re.compile(
    r"(?P<tag>#[LXMD_]*)|(?P<mention>@[LXMDJ_.]*)|(?P<word>[LD][LDM]*([J_][LD][LDM]*)*)"
    r"|(?P<dense>XM*)|(?P<space>S)|(?P<other>.)",
    re.DOTALL,
)


def reference(caption: str, transcript: str) -> list[tuple[int, str]]:
    signals: dict[tuple[int, str], None] = {}
    for text, tagged in ((caption, True), (transcript, False)):
        classes = "".join(map(letter_class, text))
        segment: list[tuple[str, bool, bool]] = []  # word, dense, digits only
        at = 0
        while at < len(text):
            if link := LINK.match(text, at):
                at, segment = link.end(), []
                continue
            match = TOKEN.match(classes, at)
            assert match is not None
            word, at = text[at : match.end()], match.end()
            if match.lastgroup == "space":
                segment = [] if segment and segment[-1][1] else segment
            elif match["word"] or match["dense"]:
                dense = bool(match["dense"])
                word = re.sub("[‘’ʼ]", "'", word).replace("‐", "-")
                segment = [token for token in segment if token[1] == dense]
                segment.append((word, dense, not dense and "L" not in match["word"]))
                for size in (2, 3, 4):
                    last = segment[-size:]
                    if len(last) == size and is_phrase(last):
                        signals[PHRASE, ("" if dense else " ").join(w for w, _, _ in last)] = None
            else:
                segment = []
                if match["tag"] and tagged and re.search("[LX]", match[0]):
                    signals[HASHTAG, word[1:]] = None
    return [(kind, label) for kind, label in signals if len(label.encode()) <= 256]


def is_phrase(words: list[tuple[str, bool, bool]]) -> bool:
    def edge(word: str, dense: bool, digits: bool) -> bool:
        characters = sum(letter_class(character) in "LDX" for character in word)
        return word not in STOPS and (dense or digits or characters > 1)

    return edge(*words[0]) and edge(*words[-1]) and not all(digits for _, _, digits in words)


PIECES = [
    *"cat drop the a don't rock‐n’roll привет мир и всё việt nam và ประเทศ ไทย 日本 語 の".split(),
    *"ラーメン 人々 한국 مرحبا שלום नमस्ते . , - _ ' # @ 🔥 ❤ 2024 7 #tag @me.too ſ".split(),
    *(" ", " ", " ", " ", "  ", "\t", "\n", "\u3000", "e\u0301", "\u0301", "\u20e3"),
    *("https://x.y/z", "www.", "x" * 90),
]
TEXTS = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=20).map("".join),
    st.text(st.characters(exclude_categories=["Cs", "Cn"]), max_size=40),
)


EXAMPLES = {
    "the cat drop is on": ["cat drop"],
    "cat drop, cat   drop!": ["cat drop"],
    "one. two\nthree": [],
    "tom’s house, rock-n-roll band": ["tom's house", "rock-n-roll band"],
    "trả lời mọi người": [
        *("trả lời", "lời mọi", "trả lời mọi"),
        *("mọi người", "lời mọi người", "trả lời mọi người"),
    ],
    "кот и пёс": ["кот и пёс"],
    "метеорит над городом": ["метеорит над городом"],
    "日本語": ["日本", "本語", "日本語"],
    "猫の手": ["猫の手"],
    "ラーメン": ["ラーメ", "メン", "ラーメン"],
    "ไทย": ["ไท", "ทย", "ไทย"],
    "น้ำใจ": ["น้ํา", "าใ", "น้ําใ", "ใจ", "าใจ", "น้ําใจ"],
    "مرحبا بالعالم": ["مرحبا بالعالم"],
    "한국 음식": ["한국 음식"],
    "नमस्ते दुनिया": ["नमस्ते दुनिया"],
    "good 🔥 vibes": [],
    "good vibes🔥": ["good vibes"],
    "top 10 2024 songs": [
        *("top 10", "top 10 2024", "2024 songs", "10 2024 songs", "top 10 2024 songs"),
    ],
    "plan b works": ["plan b works"],
    "see https://t.co/a-b watch this": [],
    "ask @some.one big news": ["big news"],
    "big #news today": [],
    "日本 music": ["日本"],
}


@pytest.mark.parametrize(("text", "expected"), EXAMPLES.items())
def test_phrases_of_an_example(text: str, expected: list[str]) -> None:
    assert phrases(unicodedata.normalize("NFKC", text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#cat #dog#bird #cat", ["cat", "dog", "bird"]),
        ("#cat-drop #don't #a_b, #été2024!", ["cat", "don", "a_b", "été2024"]),
        ("#котики #猫の日 #ประเทศไทย #नमस्ते", ["котики", "猫の日", "ประเทศไทย", "नमस्ते"]),
        ("we're #1 # ## #_ #🔥", []),
        ("#" + "x" * 256 + " #" + "y" * 257, ["x" * 256]),
    ],
)
def test_hashtags_of_a_caption(text: str, expected: list[str]) -> None:
    assert tags(text) == expected


def test_at_most_a_hundred_hashtags_come_from_a_caption() -> None:
    names = [f"tag{i}" for i in range(150)]
    assert tags(" ".join(f"#{name} #{name}" for name in names)) == names[:100]


def test_given_hashtags_come_before_those_of_the_caption() -> None:
    assert found("#other", hashtags=(" #cat\t", "cat", "", "#", " ", "two words ", "z" * 257)) == [
        (HASHTAG, "cat"),
        (HASHTAG, "two words"),
    ]
    assert found("#other", hashtags=("", "# #", "\n")) == [(HASHTAG, "other")]


def test_a_transcript_gives_phrases_and_no_hashtags() -> None:
    assert found("cat drop", "cat drop, dog drop #drop") == [
        (PHRASE, "cat drop"),
        (PHRASE, "dog drop"),
    ]


def test_a_phrase_longer_than_256_bytes_is_no_signal() -> None:
    assert phrases("x" * 128 + " " + "y" * 127) == ["x" * 128 + " " + "y" * 127]
    assert phrases("x" * 128 + " " + "y" * 128) == []


def test_frequent_words_are_no_edges_in_any_listed_language() -> None:
    assert {"en", "ru"} <= STOP_WORDS.keys()
    for word in STOPS:
        assert phrases(f"{word} 東") == phrases(f"東 {word}") == []
        assert phrases(f"{word} zzz") == phrases(f"zzz {word}") == []


def test_tables_know_emoji_and_letters() -> None:
    table = word_table()
    assert [table[ord(c)] for c in "🔥!\nж’"] == [BREAK, BREAK, BREAK, LETTER, JOINER]
    assert KINDS[PHRASE] == "phrase"


@given(TEXTS, TEXTS)
def test_signals_equal_the_reference(caption: str, transcript: str) -> None:
    signals = found(caption, transcript, max_phrases=1000)
    assert signals == reference(caption, transcript)


@given(TEXTS, st.integers(0, 5))
def test_the_first_phrases_are_kept(text: str, limit: int) -> None:
    kept = [signal for signal in found(text, text, max_phrases=limit) if signal[0] == PHRASE]
    assert kept == [signal for signal in reference(text, text) if signal[0] == PHRASE][:limit]
