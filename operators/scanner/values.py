"""Values of JSON whose content is checked but not kept: numbers, base64, and whatever is unknown.

Cursors are addresses, and `DOUBT` is returned, as in `operators.scanner.texts`. Numbers are read to
their last digit; that a value follows which goes on with a number's characters, the reader of the
object sees by what comes instead of a comma.
"""

from typing import Final

import numpy as np
from numba import njit

from operators.scanner.memory import peek, peek_word
from operators.scanner.texts import DOUBT, QUOTE, text

DEEPEST: Final = 60
"""Levels of an unknown value that are followed."""

_LONGEST_COUNT: Final = 16  # digits of 2**53
_LONGEST_FRACTION: Final = 15  # digits; a number of more may need care to be rounded well

_NULL, _TRUE, _FALSE = (int.from_bytes(word, "little") for word in (b"null", b"true", b"false"))
_BASE64 = np.zeros(256, np.bool_)
_BASE64[list(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")] = True
_SPACE = np.zeros(256, np.bool_)
_SPACE[list(b" \t\r")] = True


@njit(cache=True, inline="always")
def space(at: int) -> int:
    """Go past white space, but not past the end of the line."""
    while _SPACE[peek(at)]:
        at += 1
    return at


@njit(cache=True, inline="always")
def digits(at: int) -> int:
    """Go past digits, if there are any."""
    while 48 <= peek(at) < 58:
        at += 1
    return at


@njit(cache=True, inline="always")
def zero_led(first: int, end: int) -> bool:
    """Whether several digits begin with a zero, as JSON's numbers do not."""
    return peek(first) == ord("0") and end > first + 1


@njit(cache=True)
def literal(at: int) -> int:
    """Read `null`, `true` or `false`."""
    first = peek(at)
    if first == ord("n"):
        word, size = _NULL, 4
    elif first == ord("t"):
        word, size = _TRUE, 4
    else:
        word, size = _FALSE, 5
    return at + size if peek_word(at) & (1 << 8 * size) - 1 == word else DOUBT


@njit(cache=True)
def number(at: int) -> int:
    """Read any number."""
    at += peek(at) == ord("-")
    whole = at
    at = digits(at)
    if at == whole or zero_led(whole, at):
        return DOUBT
    if peek(at) == ord("."):
        fraction = at + 1
        at = digits(fraction)
        if at == fraction:
            return DOUBT
    if peek(at) | 0x20 == ord("e"):
        at += 1
        at += peek(at) == ord("-") or peek(at) == ord("+")
        exponent = at
        at = digits(exponent)
        if at == exponent:
            return DOUBT
    return at


@njit(cache=True)
def _whole(at: int, most: int) -> tuple[int, int]:
    first = at
    value = 0
    while 48 <= peek(at) < 58 and at - first < _LONGEST_COUNT:
        value = 10 * value + peek(at) - 48
        at += 1
    return (DOUBT if at == first or value > most or zero_led(first, at) else at), value


@njit(cache=True)
def count(at: int, most: int) -> tuple[int, int]:
    """Read a whole number from 0 to `most`, which may be written with `.0`; also what it is."""
    at, value = _whole(at, most)
    if at != DOUBT and peek(at) == ord(".") and peek(at + 1) == ord("0"):
        at += 2
    return at, value


@njit(cache=True)
def seconds(at: int, most: int) -> int:
    """Read a number from 0 to below `most`, whole or with a short fraction."""
    at, _ = _whole(at, most - 1)
    if at == DOUBT or peek(at) != ord("."):
        return at
    fraction = at + 1
    at = digits(fraction)
    return at if 0 < at - fraction <= _LONGEST_FRACTION else DOUBT


@njit(cache=True)
def base64(at: int) -> int:
    """Read base64 with padding, from after its opening quotation mark to after the closing one."""
    first = at
    while _BASE64[peek(at)]:
        at += 1
    if at > first:
        at += peek(at) == ord("=")
        at += peek(at) == ord("=")
    return at + 1 if peek(at) == QUOTE and (at - first) % 4 == 0 else DOUBT


@njit(cache=True)
def scalar(at: int, to: int) -> int:
    """Read a string, a number, `null`, `true` or `false`."""
    byte = peek(at)
    if byte == QUOTE:
        return text(at + 1, to)[0]
    if byte == ord("-") or 48 <= byte < 58:
        return number(at)
    return literal(at)


@njit(cache=True)
def key(at: int, to: int) -> int:
    """Read the key of an unknown object's member, and go to its value."""
    if peek(at) != QUOTE:
        return DOUBT
    at = text(at + 1, to)[0]
    if at == DOUBT:
        return DOUBT
    at = space(at)
    return space(at + 1) if peek(at) == ord(":") else DOUBT


@njit(cache=True)
def anything(at: int, to: int) -> int:
    """Read any value, at most `DEEPEST` levels deep; what is at `to` is overwritten.

    `open_objects` has a bit for each level that is open, the lowest for the innermost: 1 for an
    object, 0 for an array.
    """
    level = 0
    open_objects = 0
    while True:
        opener = peek(at)
        if opener == ord("{") or opener == ord("["):
            if level == DEEPEST:
                return DOUBT
            level += 1
            open_objects = open_objects << 1 | (opener == ord("{"))
            at = space(at + 1)
            fresh = peek(at) != opener + 2  # not the bracket or brace that closes it
        else:
            at = scalar(at, to)
            fresh = False
        while not fresh and at != DOUBT and level > 0:
            at = space(at)
            byte = peek(at)
            if byte == ord(","):
                at = space(at + 1)
                fresh = True
            elif byte == (ord("}") if open_objects & 1 else ord("]")):
                at += 1
                level -= 1
                open_objects >>= 1
            else:
                at = DOUBT
        if not fresh or at == DOUBT:
            return at
        if open_objects & 1:
            at = key(at, to)
            if at == DOUBT:
                return at
