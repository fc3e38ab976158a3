"""One normal form for texts that mean the same, in any script."""

import unicodedata
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.normalise import in_full, normalise
from operators.strings import Strings
from trend.characters import IGNORABLE
from trend.folding import HARD, foldings

HIDDEN = {chr(code) for block in IGNORABLE for code in block}
HARD_CHARACTERS = [
    character
    for character in map(chr, range(0xE0200))
    if foldings().of[ord(character)] == HARD and unicodedata.category(character) not in ("Cn", "Cs")
]
SOFT_CHARACTERS = [chr(code) for code in np.flatnonzero(foldings().of > HARD)]
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs", "Cn"]), max_size=30),
    st.text(st.sampled_from([*HARD_CHARACTERS, *"aAeIo ΣσßİiKſ\u0301\u0323"]), max_size=8),
    st.text(st.characters(max_codepoint=127)),
)


def normal_forms(texts: Sequence[str | None], spare: int = 0) -> list[str]:
    column = Strings.of(text or "" for text in texts)
    lengths = np.where([text is None for text in texts], -1, column.lengths).astype(np.int32)
    normal = normalise(column.data, column.starts, lengths, spare)
    assert normal.data.size >= normal.size + spare
    return list(Strings.cut(normal.data, normal.starts, normal.lengths))


def reference(text: str) -> str:
    shown = "".join(character for character in text if character not in HIDDEN)
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", shown).casefold())


@given(st.lists(st.one_of(st.none(), TEXTS), max_size=20))
def test_equals_nfkc_and_case_folding(texts: list[str | None]) -> None:
    assert normal_forms(texts, spare=len(texts)) == [reference(text or "") for text in texts]


@given(st.lists(TEXTS, max_size=5))
def test_is_idempotent(texts: list[str]) -> None:
    once = normal_forms(texts)
    assert normal_forms(once) == once


def test_every_character_is_normal_alone_and_between_letters() -> None:
    characters = [
        chr(code)
        for code in range(0x110000)
        if unicodedata.category(chr(code)) not in ("Cn", "Cs", "Co")
    ]
    texts = [*characters, *(f"a{character}\u0301e" for character in characters)]
    assert normal_forms(texts) == list(map(reference, texts))


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("CatDrop", "catdrop"),
        ("ＣａｔＤｒｏｐ", "catdrop"),
        ("𝑪𝒂𝒕", "cat"),
        ("Straße STRASSE", "strasse strasse"),
        ("ΟΔΟΣ οδός", "οδοσ οδόσ"),
        ("Ёлка Й", "ёлка й"),
        ("VIE\u0323\u0302T", "việt"),
        ("İstanbul", "i̇stanbul"),
        ("ﾗｰﾒﾝ", "ラーメン"),
        ("한국", "한국"),
        ("dan\u200bce\u200d\u2060\ufeff", "dance"),
        ("soft\u00adhyphen \u202eright\u202c \u2066x\u2069", "softhyphen right x"),
        ("❤\ufe0f", "❤"),
        ("نمی\u200cخواهم", "نمیخواهم"),
        ("", ""),
        (None, ""),
        ("ำ" * 50, "ํา" * 50),
        ("½" * 50, "1⁄2" * 50),
        ("ㅋㅋㅋ 각ᆨ", "ᄏᄏᄏ 각ᆨ"),
        ("a" * 7 + "É" + "B" * 9, "a" * 7 + "é" + "b" * 9),
        ("\x00Z[@`{\x7f", "\x00z[@`{\x7f"),
    ],
)
def test_normal_form_of_an_example(text: str | None, normal: str) -> None:
    assert normal_forms([text]) == [normal]
    assert in_full(text or "") == normal


@given(st.text(st.sampled_from([*"aZ é", *SOFT_CHARACTERS]), max_size=12))
def test_characters_that_are_replaced_one_by_one_do_not_join(text: str) -> None:
    assert normal_forms([text]) == [reference(text)]


def test_most_characters_are_not_hard() -> None:
    for text in (
        "ẢếđỖ",
        "ЁЖЙ",
        "ßſK",
        "ＡｂＣ",
        "𝑪𝒂",
        "ラーメン",
        "ㅋㅋ",
        "하",
        "ประเทศ",
        "نمی\u200c",
        "İ",
    ):
        hard = [c for c in text if foldings().of[ord(c)] == HARD]
        assert hard == ([] if text != "İ" else ["İ"])


def test_input_is_left_as_it_was() -> None:
    column = Strings.of(["A", "ß", "Ö\u0301"])
    before = column.data.copy(), column.starts.copy(), column.lengths.copy()
    normalise(column.data, column.starts, column.lengths)
    assert all(map(np.array_equal, before, (column.data, column.starts, column.lengths)))
