"""How reels do beside the platform's others: seen by more than follow, and passed on.

    virality = views / followers * (saves + shares) / likes

is a product of two things that hardly depend on each other: how many see a reel for each who
follows its author (reach), and how many of those who like it pass it on. Each is kept in eighths of
an octave, so that a reel takes two bytes and sums over reels are whole numbers. What is usual is
taken from the platform's own reels, so no platform needs numbers of its own, and a reel without
numbers says nothing.
"""

import math
from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

I8 = npt.NDArray[np.int8]
I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]

PARTS: Final = ("reach", "passed_on")
UNKNOWN: Final = -128
"""The code of a part that the reel's numbers do not tell."""
_STEPS: Final = 8.0
_MOST: Final = 127.0
_SMALL: Final = 100.0
"""Added to followers: of authors with fewer their number says little."""
_MIN_LIKES: Final = 10
"""Likes below which shares of them are chance."""
_WITHIN: Final = 2.0
"""Standard deviations beyond which a reel counts as if it were there: one hit is no trend."""
_DOUBT: Final = 10.0
"""Usual reels that are added to those of a cascade: few reels say little."""
_MIN_REELS: Final = 100
"""Reels from which on something is usual."""


@njit(cache=True, nogil=True)
def engagement(numbers: I64) -> I8:
    """Return reach and the share passed on of n reels, as codes, int8[n, 2].

    Args:
        numbers: int64[n, 5]: followers of the author, views, likes, shares, saves; -1: not given.

    Example:
        >>> engagement(np.array([[300, 399, 40, 3, 6], [-1, 0, 2, 1, 1]])).tolist()
        [[0, -17], [-128, -128]]
    """
    codes = np.full((numbers.shape[0], 2), np.int8(UNKNOWN))
    for i in range(numbers.shape[0]):
        followers, views, likes, shares, saves = numbers[i]
        if followers >= 0 and views > 0:
            codes[i, 0] = _code((views + 1.0) / (followers + _SMALL))
        if likes >= _MIN_LIKES and (shares >= 0 or saves >= 0):
            passed = max(shares, 0) + max(saves, 0)
            codes[i, 1] = _code((passed + 0.5) / (likes + 0.5))
    return codes


@njit(cache=True, nogil=True)
def _code(ratio: float) -> np.int8:
    return np.int8(min(max(round(_STEPS * math.log2(ratio)), -_MOST), _MOST))


def sums(codes: I8, groups: I64, count: int) -> I64:
    """Return how many codes there are, their sum and the sum of their squares, int64[count, 2, 3].

    Args:
        codes: int8[n, 2].
        groups: which group each reel is in, int64[n], below `count`.
    """
    found = np.zeros((count, 2, 3), np.int64)
    for part in range(2):
        known = codes[:, part] != UNKNOWN
        at, code = groups[known], codes[known, part].astype(np.float64)
        for power in range(3):
            found[:, part, power] = np.bincount(at, code**power, count).astype(np.int64)
    return found


@njit(cache=True, nogil=True)
def lift(codes: I8, usual: I64) -> F64:
    """Return by how many standard deviations reels are above what is usual, float64[2].

    The mean of what each is above it, at most `_WITHIN`, drawn to 0 as if there were `_DOUBT` usual
    ones more. 0 where nothing is known.

    Args:
        codes: int8[n, 2], one reel of each author.
        usual: `sums` over the platform's reels, int64[2, 3].

    Example:
        >>> usual = sums(np.arange(-60, 60, dtype=np.int8).repeat(2).reshape(-1, 2),
        ...              np.zeros(120, np.int64), 1)[0]
        >>> lift(np.full((10, 2), 35, np.int8), usual).round(2).tolist()
        [0.51, 0.51]
    """
    found = np.zeros(2)
    for part in range(2):
        count, total, squares = usual[part]
        if count < _MIN_REELS:
            continue
        mean = total / count
        deviation = math.sqrt(max(squares / count - mean**2, 1.0))
        known, above = 0, 0.0
        for i in range(codes.shape[0]):
            if codes[i, part] != UNKNOWN:
                known += 1
                above += min(max((codes[i, part] - mean) / deviation, -_WITHIN), _WITHIN)
        found[part] = above / (known + _DOUBT)
    return found
