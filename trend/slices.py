"""Texts as slices of a buffer: brought together."""

import numpy as np
import numpy.typing as npt
from numba import njit

from trend.lending import lent
from trend.unaligned import copy

Bytes = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int32] | npt.NDArray[np.int64]


@njit(cache=True, nogil=True)
def _fill(
    data: Bytes, starts: Integers, lengths: Integers, packed: Bytes, places: npt.NDArray[np.int32]
) -> None:
    data, packed = lent(data), lent(packed)
    at = 0
    for i in range(starts.size):
        length = max(lengths[i], 0)
        copy(data, np.int64(starts[i]), np.int64(length), packed, at)
        places[i] = at
        at += length


def pack(data: Bytes, starts: Integers, lengths: Integers) -> tuple[Bytes, npt.NDArray[np.int32]]:
    """Copy slices of `data`, one after the other, into a buffer that holds nothing else.

    Parameters: `data` uint8; `starts`, `lengths` int32 or int64 of shape (n,), in bytes; a negative
    length is a null and takes no room. Returns the buffer, uint8, and where in it each slice
    starts, int32 of shape (n,).

    >>> text = np.frombuffer(b"cat dog", np.uint8)
    >>> packed, starts = pack(text, np.array([4, 0]), np.array([3, 2]))
    >>> packed.tobytes(), starts.tolist()
    (b'dogca', [0, 3])
    """
    packed = np.empty(int(np.maximum(lengths, 0).sum(dtype=np.int64)), np.uint8)
    places = np.empty(starts.size, np.int32)
    _fill(data, starts, lengths, packed, places)
    return packed, places
