"""Strings of JSON, read and copied with their escapes undone.

A cursor is an address (see `operators.scanner.memory`). A function that takes `at` returns the
address after what it read, or `DOUBT` where that is not plainly what it should be; one that takes
`to` writes there, at most as many bytes as it reads, and returns the address after them too.
"""

from typing import Final

import numpy as np
from numba import njit

from operators.scanner.memory import (
    WIDTH,
    copy_plain,
    peek,
    peek_word,
    poke_word,
    trailing_zeros,
)

DOUBT: Final = 0
"""No address: what was read is wrong, or right in a way that is left to others."""

QUOTE: Final = ord('"')
BACKSLASH: Final = ord("\\")

_ESCAPES = np.zeros(256, np.int64)
_ESCAPES[list(b'"\\/bfnrt')] = list(b'"\\/\b\f\n\r\t')
_HEX = np.full(256, -1, np.int64)
_HEX[list(b"0123456789abcdef")] = range(16)
_HEX[list(b"ABCDEF")] = range(10, 16)


@njit(cache=True)
def text(at: int, to: int) -> tuple[int, int]:
    """Read a string from after its opening quotation mark to after the closing one."""
    while True:
        stops = copy_plain(at, to)
        if not stops:
            at += WIDTH
            to += WIDTH
            continue
        plain = trailing_zeros(stops)
        at += plain
        to += plain
        byte = peek(at)
        if byte == QUOTE:
            return at + 1, to
        if byte >= 0x80:
            at, to = _beyond_ascii(at, to)
        elif byte == BACKSLASH:
            at, to = _escape(at, to)
        else:
            at = DOUBT
        if at == DOUBT:
            return DOUBT, to


@njit(cache=True)
def _beyond_ascii(at: int, to: int) -> tuple[int, int]:
    """Copy characters up to the next one of ASCII, if they are UTF-8.

    That is: no longer than needed, no surrogates, nothing above U+10FFFF (Unicode, table 3-7).
    """
    while True:
        word = peek_word(at)
        first, second = word & 0xFF, word >> 8 & 0xFF
        if first < 0x80:
            return at, to
        if first < 0xE0:
            size = 2
            good = first >= 0xC2 and word & 0xC000 == 0x8000
        elif first < 0xF0:
            size = 3
            good = word & 0xC0C000 == 0x808000
            good = good and (first != 0xE0 or second >= 0xA0) and (first != 0xED or second < 0xA0)
        else:
            size = 4
            good = first < 0xF5 and word & 0xC0C0C000 == 0x80808000
            good = good and (first != 0xF0 or second >= 0x90) and (first != 0xF4 or second < 0x90)
        if not good:
            return DOUBT, to
        poke_word(to, word)
        at += size
        to += size


@njit(cache=True)
def _escape(at: int, to: int) -> tuple[int, int]:
    """Undo one escape, or two that are one character; `at` is that of its backslash."""
    kind = peek(at + 1)
    if kind != ord("u"):
        poke_word(to, _ESCAPES[kind])
        return (at + 2, to + 1) if _ESCAPES[kind] else (DOUBT, to)
    code = _unit(at)
    size = 6
    if 0xD800 <= code < 0xDC00:
        low = _unit(at + 6)
        code = 0x10000 + ((code - 0xD800) << 10) + low - 0xDC00 if 0xDC00 <= low < 0xE000 else -1
        size = 12
    if code < 0 or 0xDC00 <= code < 0xE000:
        return DOUBT, to
    return at + size, _encode(code, to)


@njit(cache=True)
def _unit(at: int) -> int:
    """The number that an escape of the form backslash, u, four digits stands for, or -1."""
    if peek(at) != BACKSLASH or peek(at + 1) != ord("u"):
        return -1
    code = 0
    for i in range(2, 6):
        digit = _HEX[peek(at + i)]
        if digit < 0:
            return -1
        code = code << 4 | digit
    return code


@njit(cache=True)
def _encode(code: int, to: int) -> int:
    """Write a character in UTF-8."""
    last = 0x80 | code & 0x3F
    second = 0x80 | code >> 6 & 0x3F
    third = 0x80 | code >> 12 & 0x3F
    if code < 0x80:
        word, size = code, 1
    elif code < 0x800:
        word, size = 0xC0 | code >> 6 | last << 8, 2
    elif code < 0x10000:
        word, size = 0xE0 | code >> 12 | second << 8 | last << 16, 3
    else:
        word, size = 0xF0 | code >> 18 | third << 8 | second << 16 | last << 24, 4
    poke_word(to, word)
    return to + size
