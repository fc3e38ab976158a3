"""One normal form for texts that mean the same, in any script."""

import unicodedata

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.normalise import normalise
from trend.characters import HARD, IGNORABLE, folding_table

HIDDEN = {chr(code) for block in IGNORABLE for code in block}
HARD_CHARACTERS = [
    character
    for character in map(chr, range(0xE0200))
    if folding_table()[ord(character)] == HARD
    and unicodedata.category(character) not in ("Cn", "Cs")
]
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs", "Cn"]), max_size=30),
    st.text(st.sampled_from([*HARD_CHARACTERS, *"aAeIo ΣσßİiKſ\u0301\u0323"]), max_size=8),
    st.text(st.characters(max_codepoint=127)),
)


def reference(text: str) -> str:
    shown = "".join(character for character in text if character not in HIDDEN)
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", shown).casefold())


@given(st.lists(st.one_of(st.none(), TEXTS), max_size=20))
def test_equals_nfkc_and_case_folding(texts: list[str | None]) -> None:
    normal = normalise(pl.Series(texts, dtype=pl.String)).to_list()
    assert normal == [text if text is None else reference(text) for text in texts]


@given(st.lists(TEXTS, max_size=5))
def test_is_idempotent(texts: list[str]) -> None:
    once = normalise(pl.Series(texts, dtype=pl.String))
    assert normalise(once).equals(once)


def test_every_character_is_normal_alone_and_between_letters() -> None:
    characters = [
        chr(code)
        for code in range(0x110000)
        if unicodedata.category(chr(code)) not in ("Cn", "Cs", "Co")
    ]
    texts = [*characters, *(f"a{character}\u0301e" for character in characters)]
    assert normalise(pl.Series(texts)).to_list() == list(map(reference, texts))


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
        (None, None),
    ],
)
def test_normal_form_of_an_example(text: str | None, normal: str | None) -> None:
    assert normalise(pl.Series([text], dtype=pl.String)).to_list() == [normal]


def test_input_is_left_as_it_was() -> None:
    texts = pl.Series(["A", "ß", None])
    normalise(texts)
    assert texts.to_list() == ["A", "ß", None]
