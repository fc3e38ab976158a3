"""Times of RFC 3339 as microseconds since 1970 UTC.

Cursors are addresses, and `DOUBT` is returned, as in `operators.scanner.texts`.
"""

from typing import Final

import numpy as np
from numba import njit

from operators.scanner.memory import peek
from operators.scanner.texts import DOUBT, QUOTE
from operators.scanner.values import digits

_FIRST_YEAR: Final = 1900
_LAST_YEAR: Final = 2199
"""Years that are read here; others are for others."""

_NO_NUMBER: Final = -1_000_000  # smaller than all that can be made of it and of other digits

_MONTH_DAYS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
_DAYS_BEFORE = np.cumsum(_MONTH_DAYS) - _MONTH_DAYS  # of the year, before the month


@njit(cache=True, inline="always")
def _two(at: int) -> int:
    """The number that two digits make; `_NO_NUMBER` where they are no digits."""
    tens, ones = peek(at) - 48, peek(at + 1) - 48
    return 10 * tens + ones if 0 <= tens < 10 and 0 <= ones < 10 else _NO_NUMBER


@njit(cache=True)
def _day(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01 to a day of the Gregorian calendar from 1900 on."""
    before = year - 1
    leaps = before // 4 - before // 100 + before // 400
    this = month > 2 and _leap(year)
    return 365 * year + leaps + _DAYS_BEFORE[month] + this + day - 719_528


@njit(cache=True, inline="always")
def _leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


@njit(cache=True)
def moment(at: int) -> tuple[int, int]:
    """Read a time with its offset, from after the opening quotation mark to after the closing one.

    Returns the cursor and the time; of the digits after the sixth of a fraction only the seventh
    counts, which rounds.
    """
    year, month, day = 100 * _two(at) + _two(at + 2), _two(at + 5), _two(at + 8)
    if not (_FIRST_YEAR <= year <= _LAST_YEAR and 1 <= month <= 12):
        return DOUBT, 0
    hour, minute, second = _two(at + 11), _two(at + 14), _two(at + 17)
    letter = peek(at + 10) | 0x20
    good = (
        (1 <= day <= _MONTH_DAYS[month] or (month == 2 and day == 29 and _leap(year)))
        and 0 <= hour < 24
        and 0 <= minute < 60
        and 0 <= second < 60
        and peek(at + 4) == ord("-")
        and peek(at + 7) == ord("-")
        and (letter == ord("t") or peek(at + 10) == ord(" "))
        and peek(at + 13) == ord(":")
        and peek(at + 16) == ord(":")
    )
    if not good:
        return DOUBT, 0
    minutes = 60 * (24 * _day(year, month, day) + hour) + minute
    at += 19
    rest = 0
    if peek(at) == ord("."):
        at, rest = _fraction(at + 1)
        if at == DOUBT:
            return DOUBT, 0
    at, offset = _offset(at)
    if at == DOUBT or peek(at) != QUOTE:
        return DOUBT, 0
    return at + 1, 1_000_000 * (60 * (minutes - offset) + second) + rest


@njit(cache=True)
def _fraction(at: int) -> tuple[int, int]:
    """Read the digits of a fraction of a second; microseconds, 1,000,000 where it rounds up."""
    end = digits(at)
    if end == at:
        return DOUBT, 0
    rest = 0
    for i in range(6):
        rest = 10 * rest + (peek(at + i) - 48 if at + i < end else 0)
    return end, rest + (end > at + 6 and peek(at + 6) >= ord("5"))


@njit(cache=True)
def _offset(at: int) -> tuple[int, int]:
    """Read `Z`, `+02:00` or `-02:00`; minutes east of UTC."""
    sign = peek(at)
    if sign | 0x20 == ord("z"):
        return at + 1, 0
    hours, minutes = _two(at + 1), _two(at + 4)
    good = 0 <= hours < 24 and 0 <= minutes < 60 and peek(at + 3) == ord(":")
    if not good or (sign != ord("+") and sign != ord("-")):
        return DOUBT, 0
    offset = 60 * hours + minutes
    return at + 6, offset if sign == ord("+") else -offset
