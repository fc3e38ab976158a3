"""Text in one form for one meaning: NFKC, case-folded, without characters that show nothing.

The form is toNFKC_Casefold of the Unicode standard (3.13): `Ｔａｎｚ`, `TANZ`, and `tanz` with a
zero-width space in it, are one text. Any script; idempotent.
"""

from functools import cache

import polars as pl

from operators.strings import buffer
from trend.characters import IGNORABLE, folding_table
from trend.folding import hard_rows

_IGNORABLE = "[" + "".join(rf"\x{{{r.start:X}}}-\x{{{r.stop - 1:X}}}" for r in IGNORABLE) + "]"


def normalise(texts: pl.Series) -> pl.Series:
    """Each text in normal form; a null stays null.

    >>> normalise(pl.Series(["Straße", "ＴＡＮＺ", "dan\\u200bce", None])).to_list()
    ['strasse', 'tanz', 'dance', None]
    """
    hard = pl.Series(hard_rows(*buffer(texts), folding_table()))
    lower = texts.str.to_lowercase()
    if not hard.any():
        return lower
    return lower.scatter(hard.arg_true(), _in_full(texts.filter(hard)))


def _in_full(texts: pl.Series) -> pl.Series:
    shown = texts.str.replace_all(_IGNORABLE, "").str.normalize("NFKC")
    lower = shown.str.to_lowercase()
    foldings = _foldings()
    if lower.str.contains(f"[{''.join(foldings)}]").any():
        lower = lower.str.replace_many(foldings)
    return lower.str.normalize("NFKC")


@cache
def _foldings() -> dict[str, str]:
    """Lower-case characters whose case folding is something else, as ß is ss."""
    characters = (chr(code) for code in range(0x20000) if not 0xD800 <= code < 0xE000)
    return {
        character: folded
        for character in characters
        if (folded := character.casefold()) != character == character.lower()
    }
