"""Chromaprint's compressed fingerprints: read, and written as its library writes them.

Base64 without padding (`-` and `_`) of: the algorithm (one byte), the number of items (three, the
highest first), then for each item which bits differ from the item before it, as distances between
those bits in three bits each, ended by 0. A distance of 7 or more is 7 and has the rest, in five
bits, in a second part that begins at the next byte.

Fingerprints are anybody's text: what does not hold together is refused.
"""

import base64
import binascii
from typing import Final

import numpy as np
import numpy.typing as npt

from trend.compiled import inlined, kernel

MAX_ITEMS: Final = 8192
"""A quarter of an hour; a fingerprint of `fpcalc` has about 950."""

U8 = npt.NDArray[np.uint8]
U32 = npt.NDArray[np.uint32]


def items(fingerprint: str) -> U32:
    """Return the items of a compressed fingerprint, uint32[n], about eight a second.

    Raises ValueError where it is none, or has more than `MAX_ITEMS`.

    >>> items("AQAAAA").size
    0
    """
    if len(fingerprint) > 32 * MAX_ITEMS:
        raise ValueError("fingerprint: too long")
    try:
        padding = "=" * (-len(fingerprint) % 4)
        data = base64.b64decode(fingerprint.encode("ascii") + padding.encode(), b"-_", True)
    except (UnicodeEncodeError, binascii.Error):
        raise ValueError("fingerprint: expected base64") from None
    count = int.from_bytes(data[1:4]) if len(data) >= 4 else MAX_ITEMS + 1
    if count > MAX_ITEMS:
        raise ValueError(f"fingerprint: expected at most {MAX_ITEMS} items")
    found = np.zeros(count, np.uint32)
    if not _unpack(np.frombuffer(data, np.uint8), found):
        raise ValueError("fingerprint: ends early")
    return found


def text(items: U32, algorithm: int = 1) -> str:
    """Return the compressed fingerprint of items, uint32[n], at most `MAX_ITEMS`.

    >>> items(text(np.array([7, 5, 1 << 31], np.uint32))).tolist()
    [7, 5, 2147483648]
    """
    if items.size > MAX_ITEMS:
        raise ValueError(f"items: expected at most {MAX_ITEMS}, got {items.size}")
    room = np.zeros(16 * items.size + 8, np.uint8)
    size = _pack(items, room)
    data = bytes([algorithm]) + items.size.to_bytes(3) + room[:size].tobytes()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@kernel
def _pack(items: U32, room: U8) -> int:
    """Fill `room` with what `_unpack` reads after its first four bytes; return how many bytes."""
    at = 0
    for part in range(2):
        before = np.uint32(0)
        for item in items:
            word = item ^ before
            before = item
            last = 0
            for bit in range(1, 33):
                if word >> np.uint32(bit - 1) & np.uint32(1):
                    step = bit - last
                    last = bit
                    if part == 0:
                        _put(room, at, min(step, 7))
                        at += 3
                    elif step >= 7:
                        _put(room, at, step - 7)
                        at += 5
            if part == 0:
                at += 3
        at = (at + 7) // 8 * 8
    return at // 8


@kernel
def _put(room: U8, at: int, value: int) -> None:
    word = value << (at & 7)
    room[at >> 3] |= np.uint8(word & 0xFF)
    if word >> 8:
        room[(at >> 3) + 1] |= np.uint8(word >> 8)


@kernel
def _unpack(data: U8, found: U32) -> bool:
    """Fill `found`; False where there is not enough in `data`."""
    at = 32
    item = 0
    end = 8 * data.size
    while item < found.size:
        if at + 3 > end:
            return False
        item += _bits(data, at, 3) == 0
        at += 3
    more = (at + 7) // 8 * 8
    at = 32
    item = 0
    bit = 0
    word = np.uint32(0)
    while item < found.size:
        step = _bits(data, at, 3)
        at += 3
        if step == 0:
            found[item] = found[item - 1] ^ word if item else word
            item += 1
            bit = 0
            word = np.uint32(0)
            continue
        if step == 7:
            if more + 5 > end:
                return False
            step += _bits(data, more, 5)
            more += 5
        bit += step
        if bit > 32:
            return False
        word |= np.uint32(1) << np.uint32(bit - 1)
    return True


@inlined
def _bits(data: U8, at: int, count: int) -> int:
    value = np.int64(data[at >> 3])
    if (at >> 3) + 1 < data.size:
        value |= np.int64(data[(at >> 3) + 1]) << 8
    return int(value >> (at & 7)) & ((1 << count) - 1)
