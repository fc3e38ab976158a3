"""What each code point is to a tokeniser, as a table of one byte a code point.

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

from trend.unaligned import Int, load64, trailing_zeros

Table = npt.NDArray[np.uint8]

HIGH_BITS: Final = np.uint64(0x8080808080808080)
"""Of the eight bytes of a word."""
EIGHT: Final = np.uint64(0x0101010101010101)
"""Times a byte: a word of eight of them."""

BREAK: Final = 0  # punctuation, symbols, emoji, controls: no phrase goes over it
SPACE: Final = 1  # between words
LETTER: Final = 2  # of a script that writes spaces between its words
DIGIT: Final = 3
MARK: Final = 4  # belongs to the letter before it
JOINER: Final = 5  # belongs to a word when it stands inside one
DENSE: Final = 6  # letter of a script without spaces between words: a token of its own

CODE_POINTS = 0x110000
HANGUL = range(0xAC00, 0xD7A4)
HAN = (
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
def decode(data: npt.NDArray[np.uint8], at: Int) -> tuple[int, int]:
    """The code point whose UTF-8 starts at `at`, and its width in bytes. `data` must be valid."""
    first = _byte(data, at)
    if first < 0x80:
        return first, 1
    second = _byte(data, at + 1) & 0x3F
    if first < 0xE0:
        return (first & 0x1F) << 6 | second, 2
    third = _byte(data, at + 2) & 0x3F
    if first < 0xF0:
        return (first & 0x0F) << 12 | second << 6 | third, 3
    return (first & 0x07) << 18 | second << 12 | third << 6 | _byte(data, at + 3) & 0x3F, 4


@njit(cache=True, inline="always")
def _byte(data: npt.NDArray[np.uint8], at: Int) -> int:
    """One byte; an unsigned index is spared numba's look at negative ones."""
    return int(data[np.uint64(at)])


@njit(cache=True, inline="always")
def decode_word(word: np.uint64) -> tuple[Int, int]:
    """As `decode`, from the UTF-8 in the lower bytes of a word, which do not begin with ASCII."""
    first = np.int64(word & np.uint64(0xFF))
    second = np.int64(word >> np.uint64(8) & np.uint64(0x3F))
    if first < 0xE0:
        return (first & 0x1F) << 6 | second, 2
    third = np.int64(word >> np.uint64(16) & np.uint64(0x3F))
    if first < 0xF0:
        return (first & 0x0F) << 12 | second << 6 | third, 3
    fourth = np.int64(word >> np.uint64(24) & np.uint64(0x3F))
    return (first & 0x07) << 18 | second << 12 | third << 6 | fourth, 4


@njit(cache=True, inline="always")
def word_at(data: npt.NDArray[np.uint8], at: Int) -> np.uint64:
    """Eight bytes from `at`, or those that are left, with zeros behind them."""
    if at + 8 <= data.size:
        return load64(data, at)
    word = np.uint64(0)
    for i in range(data.size - at):
        word |= np.uint64(data[at + i]) << np.uint64(8 * i)
    return word


@njit(cache=True, inline="always")
def ascii_bytes(word: np.uint64) -> int:
    """How many of the eight bytes of a word are ASCII before another comes."""
    others = word & HIGH_BITS
    return trailing_zeros(others) >> 3 if others else 8


@njit(cache=True, inline="always")
def letters_at(data: npt.NDArray[np.uint8], at: Int, end: Int) -> Int:
    """How many of up to eight bytes of `data[at:end]` are `a` to `z` before another comes."""
    word = word_at(data, at)
    low = word & ~HIGH_BITS
    above_z = low + EIGHT * np.uint64(0x7F - ord("z"))
    from_a = low + EIGHT * np.uint64(0x80 - ord("a"))
    return min(ascii_bytes(~from_a | above_z | word), end - at)


@cache
def word_table() -> Table:
    """`BREAK` … `DENSE` for each code point: uint8 of shape (0x110000,), read-only."""
    table = np.full(CODE_POINTS, BREAK, np.uint8)
    by_category = {"L": LETTER, "M": MARK, "N": DIGIT, "Z": SPACE}
    for code, character in characters():
        category = unicodedata.category(character)
        if category not in ("Me", "Zl", "Zp"):
            table[code] = by_category.get(category[0], BREAK)
    table[ord("\t")] = SPACE
    for block in _DENSE_BLOCKS:
        for code in block:
            if table[code] == LETTER:
                # Marks of length and repetition are letters to Unicode.
                table[code] = MARK if unicodedata.category(chr(code)) == "Lm" else DENSE
    table[HANGUL.start : HANGUL.stop] = LETTER
    for block in (*HAN, _HAN_COMPATIBILITY):
        table[block.start : block.stop] = DENSE
    for character in _APOSTROPHES + _HYPHENS + _OTHER_JOINERS:
        table[ord(character)] = JOINER
    table.setflags(write=False)
    return table


def characters() -> Iterator[tuple[int, str]]:
    """Code points and their characters, all but the large blocks of one kind."""
    for block in _ONE_BY_ONE:
        for code in block:
            yield code, chr(code)
