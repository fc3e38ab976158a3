"""Sounds by their platform's ids, and what they are called."""

from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from trend.characters import decode
from trend.lending import lent
from trend.unaligned import Int, copy

SEPARATOR: Final = 0x1F
"""Ends the id in a sound's label (U+001F)."""

DASH: Final = b" \xe2\x80\x93 "
"""Between title and artist."""

MAX_LABEL: Final = 200
"""Characters of title and artist that are kept."""

Bytes = npt.NDArray[np.uint8]
I32 = npt.NDArray[np.int32]


@njit(cache=True, nogil=True)
def are_named(data: Bytes, starts: I32, lengths: I32, column: int) -> npt.NDArray[np.bool_]:
    """Which of n ids name a sound: not white space alone, and without U+001F.

    Parameters: `data` uint8, UTF-8; `starts`, `lengths` of shape (n, k), in bytes, a negative
    length for a null; `column` where the ids are. Returns bool of shape (n,).
    """
    data = lent(data)
    named = np.zeros(starts.shape[0], np.bool_)
    for row in range(named.size):
        at = np.int64(starts[row, column])
        end = at + lengths[row, column]
        while at < end:
            if data[at] == SEPARATOR:
                named[row] = False
                break
            code, width = decode(data, at)
            if not _is_white_space(code):
                named[row] = True
            at += width
    return named


@njit(cache=True, inline="always")
def _is_white_space(code: Int) -> bool:
    """Unicode's White_Space."""
    if code < 0x85:
        return bool(code == 0x20 or 0x09 <= code <= 0x0D)
    return bool(
        code in (0x85, 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000)
        or 0x2000 <= code <= 0x200A
    )


@njit(cache=True)
def label_room(lengths: I32, columns: tuple[int, int, int]) -> int:
    """Bytes that the labels of `write_labels` take at most."""
    room = 0
    for row in range(lengths.shape[0]):
        if lengths[row, columns[0]] >= 0:
            room += 1 + len(DASH)
            for text in columns:
                room += max(0, lengths[row, text])
    return room


@njit(cache=True, nogil=True)
def write_labels(
    data: Bytes,
    starts: I32,
    lengths: I32,
    columns: tuple[int, int, int],
    out: Bytes,
    to: Int,
) -> tuple[I32, I32]:
    """Write the labels of n sounds to `out[to:]`: "id U+001F title – artist".

    What follows U+001F is empty where there is no title, the title where there is no artist, and
    cut to `MAX_LABEL` characters.

    Parameters: `data` uint8, UTF-8; `starts`, `lengths` of shape (n, k), in bytes, a negative
    length for a null; `columns` those of id, title and artist; `out` uint8 with `label_room` bytes
    from `to` on. Returns where the labels start and their lengths, int32 of shape (n,); the length
    is 0 where there is no id.
    """
    data, out = lent(data), lent(out)
    n = starts.shape[0]
    sound, title, artist = columns
    label_starts = np.empty(n, np.int32)
    label_lengths = np.empty(n, np.int32)
    for row in range(n):
        begin = to
        if lengths[row, sound] >= 0:
            to = _append(data, starts[row, sound], lengths[row, sound], out, to)
            out[to] = SEPARATOR
            to += 1
            label = to
            if lengths[row, title] > 0:
                to = _append(data, starts[row, title], lengths[row, title], out, to)
                if lengths[row, artist] > 0:
                    for byte in DASH:
                        out[to] = byte
                        to += 1
                    to = _append(data, starts[row, artist], lengths[row, artist], out, to)
            if to - label > MAX_LABEL:
                to = _cut(out, label, to)
        label_starts[row] = begin
        label_lengths[row] = to - begin
    return label_starts, label_lengths


@njit(cache=True, inline="always")
def _append(data: Bytes, start: np.int32, length: np.int32, out: Bytes, to: Int) -> Int:
    copy(data, np.int64(start), np.int64(length), out, to)
    return to + np.int64(length)


@njit(cache=True)
def _cut(out: Bytes, at: Int, end: Int) -> Int:
    """Where the first `MAX_LABEL` characters of `out[at:end]` end."""
    for _ in range(MAX_LABEL):
        if at == end:
            break
        at += decode(out, at)[1]
    return at
