"""What each code point is to a tokeniser and to a normaliser, as tables of one byte a code point.

Built from `unicodedata` once per process in some 0.1 s. Large blocks of one kind (Han, Hangul) are
filled as ranges.
"""

import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

Table = npt.NDArray[np.uint8]

BREAK: Final = 0  # punctuation, symbols, emoji, controls: no phrase goes over it
SPACE: Final = 1  # between words
LETTER: Final = 2  # of a script that writes spaces between its words
DIGIT: Final = 3
MARK: Final = 4  # belongs to the letter before it
JOINER: Final = 5  # belongs to a word when it stands inside one
DENSE: Final = 6  # letter of a script without spaces between words: a token of its own

HARD: Final = 255
"""In `folding_table`: only the full normalisation is right for this code point."""

_CODE_POINTS = 0x110000
_HANGUL = range(0xAC00, 0xD7A4)
_HAN = (
    *(range(0x3400, 0x4DC0), range(0x4E00, 0xA000)),
    *(range(0x20000, 0x2F800), range(0x30000, 0x40000)),
)
_HAN_COMPATIBILITY = range(0x2F800, 0x2FA20)
_ONE_BY_ONE = (
    *(range(0x3400), range(0x4DC0, 0x4E00), range(0xA000, 0xAC00), range(0xD7A4, 0xD800)),
    range(0xF900, 0x20000),
)
_DENSE_BLOCKS = (
    *(range(0x0E00, 0x0F00), range(0x1000, 0x10A0)),  # Thai and Lao; Myanmar
    *(range(0x1780, 0x1800), range(0x1950, 0x19E0), range(0x1A20, 0x1AB0)),  # Khmer; Tai scripts
    *(range(0x2E80, 0x3130), range(0x31A0, 0x3200)),  # radicals, kana and bopomofo
    *(range(0xA9E0, 0xAA00), range(0xAA60, 0xAAE0)),  # Myanmar; Tai Viet
    range(0xF900, 0xFB00),  # Han for compatibility
    *(range(0x16FE0, 0x19000), range(0x1AFF0, 0x1B300)),  # Tangut and Khitan; kana
)
_APOSTROPHES = "'\u2018\u2019\u02bc"
_HYPHENS = "-\u2010"
_OTHER_JOINERS = "_\u00b7\u05f3\u05f4"  # underscore; Catalan, Hebrew marks inside words

# Default_Ignorable_Code_Point (DerivedCoreProperties.txt).
IGNORABLE: Final = (
    *(range(0xAD, 0xAE), range(0x34F, 0x350), range(0x61C, 0x61D), range(0x115F, 0x1161)),
    *(range(0x17B4, 0x17B6), range(0x180B, 0x1810), range(0x200B, 0x2010), range(0x202A, 0x202F)),
    *(range(0x2060, 0x2070), range(0x3164, 0x3165), range(0xFE00, 0xFE10), range(0xFEFF, 0xFF00)),
    *(range(0xFFA0, 0xFFA1), range(0xFFF0, 0xFFF9), range(0x1BCA0, 0x1BCA4)),
    *(range(0x1D173, 0x1D17B), range(0xE0000, 0xE1000)),
)
"""Code points that show nothing: zero-width, joiners, bidi controls, variation selectors."""


@njit(cache=True, inline="always")
def decode(data: npt.NDArray[np.uint8], at: int) -> tuple[int, int]:
    """The code point whose UTF-8 starts at `at`, and its width in bytes. `data` must be valid."""
    first = int(data[at])
    if first < 0x80:
        return first, 1
    second = int(data[at + 1]) & 0x3F
    if first < 0xE0:
        return (first & 0x1F) << 6 | second, 2
    third = int(data[at + 2]) & 0x3F
    if first < 0xF0:
        return (first & 0x0F) << 12 | second << 6 | third, 3
    return (first & 0x07) << 18 | second << 12 | third << 6 | int(data[at + 3]) & 0x3F, 4


@cache
def word_table() -> Table:
    """`BREAK` … `DENSE` for each code point: uint8 of shape (0x110000,), read-only."""
    table = np.full(_CODE_POINTS, BREAK, np.uint8)
    by_category = {"L": LETTER, "M": MARK, "N": DIGIT, "Z": SPACE}
    for code, character in _characters():
        category = unicodedata.category(character)
        if category not in ("Me", "Zl", "Zp"):
            table[code] = by_category.get(category[0], BREAK)
    table[ord("\t")] = SPACE
    for block in _DENSE_BLOCKS:
        for code in block:
            if table[code] == LETTER:
                # Marks of length and repetition are letters to Unicode.
                table[code] = MARK if unicodedata.category(chr(code)) == "Lm" else DENSE
    table[_HANGUL.start : _HANGUL.stop] = LETTER
    for block in (*_HAN, _HAN_COMPATIBILITY):
        table[block.start : block.stop] = DENSE
    for character in _APOSTROPHES + _HYPHENS + _OTHER_JOINERS:
        table[ord(character)] = JOINER
    table.setflags(write=False)
    return table


@cache
def folding_table() -> Table:
    """Which code points NFKC and case folding leave alone but for a simple lower-casing.

    uint8 of shape (0x110000,), read-only: `HARD`, or the canonical combining class of a code point
    that is stable in every context where marks are in canonical order (NFKC quick check "yes") and
    whose case folding is its lower-case form.
    """
    table = np.full(_CODE_POINTS, HARD, np.uint8)
    for code, character in _characters():
        lower = character.lower()
        if (
            lower == character.casefold()
            and len(lower) == 1
            and unicodedata.category(character) != "Cn"
            and unicodedata.is_normalized("NFKC", character)
            and unicodedata.is_normalized("NFKC", lower)
        ):
            table[code] = unicodedata.combining(character)
    for code in _composing():
        table[code] = HARD
    table[ord("Σ")] = HARD  # its lower case depends on where it stands
    for block in IGNORABLE:
        table[block.start : block.stop] = HARD
    for block in (*_HAN, _HANGUL):
        table[block.start : block.stop] = 0
    table.setflags(write=False)
    return table


def _characters() -> Iterator[tuple[int, str]]:
    for block in _ONE_BY_ONE:
        for code in block:
            yield code, chr(code)


def _composing() -> Iterator[int]:
    """Code points that may join the one before them into one character."""
    yield from range(0x1161, 0x1176)
    yield from range(0x11A8, 0x11C3)
    for _, character in _characters():
        parts = unicodedata.decomposition(character).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            yield int(parts[1], 16)
