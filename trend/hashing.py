"""Stable 64-bit hashes of byte slices: XXH64.

Hashes name signals, authors and reels in every stored state and decide their shards, so the
function is a published one that never changes: XXH64 with an explicit seed, equal on every platform
and in every process. It reads eight bytes at a time and every output bit depends on every input
bit.

Source: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md (XXH64).
"""

import numpy as np
import numpy.typing as npt
from numba import njit

from trend.lending import lent
from trend.unaligned import Int, load32, load64

_P1 = np.uint64(0x9E3779B185EBCA87)
_P2 = np.uint64(0xC2B2AE3D27D4EB4F)
_P3 = np.uint64(0x165667B19E3779F9)
_P4 = np.uint64(0x85EBCA77C2B2AE63)
_P5 = np.uint64(0x27D4EB2F165667C5)


@njit(cache=True, inline="always")
def _rotl(x: np.uint64, bits: int) -> np.uint64:
    return (x << np.uint64(bits)) | (x >> np.uint64(64 - bits))


@njit(cache=True, inline="always")
def _round(lane: np.uint64, word: np.uint64) -> np.uint64:
    return _rotl(lane + word * _P2, 31) * _P1


@njit(cache=True, forceinline=True)
def mix64(x: np.uint64) -> np.uint64:
    """Finalise one 64-bit number: a bijection in which every bit depends on every bit.

    XXH64's avalanche. `mix64(0) == 0`.
    """
    x ^= x >> np.uint64(33)
    x *= _P2
    x ^= x >> np.uint64(29)
    x *= _P3
    return x ^ (x >> np.uint64(32))


@njit(cache=True)
def combine(a: np.uint64, b: np.uint64) -> np.uint64:
    """One 64-bit hash of two, in this order: `combine(a, b) != combine(b, a)`."""
    return mix64(_rotl(a ^ _round(np.uint64(0), b), 27) * _P1 + _P4)


@njit(cache=True, forceinline=True)
def hash_slice(data: npt.NDArray[np.uint8], start: Int, length: Int, seed: np.uint64) -> np.uint64:
    """XXH64 of `data[start : start + length]`."""
    at = start
    end = start + length
    if length >= 32:
        a = seed + _P1 + _P2
        b = seed + _P2
        c = seed
        d = seed - _P1
        while at + 32 <= end:
            a = _round(a, load64(data, at))
            b = _round(b, load64(data, at + 8))
            c = _round(c, load64(data, at + 16))
            d = _round(d, load64(data, at + 24))
            at += 32
        h = _rotl(a, 1) + _rotl(b, 7) + _rotl(c, 12) + _rotl(d, 18)
        for lane in (a, b, c, d):
            h = (h ^ _round(np.uint64(0), lane)) * _P1 + _P4
    else:
        h = seed + _P5
    h += np.uint64(length)
    while at + 8 <= end:
        h = _rotl(h ^ _round(np.uint64(0), load64(data, at)), 27) * _P1 + _P4
        at += 8
    if at + 4 <= end:
        h = _rotl(h ^ (load32(data, at) * _P1), 23) * _P2 + _P3
        at += 4
    while at < end:
        h = _rotl(h ^ (np.uint64(data[at]) * _P5), 11) * _P1
        at += 1
    return mix64(h)


@njit(cache=True)
def hash_slices(
    data: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.int32] | npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int32] | npt.NDArray[np.int64],
    seed: np.uint64,
) -> npt.NDArray[np.uint64]:
    """XXH64 of many slices of one buffer.

    Parameters: `data` uint8 (bytes); `starts` and `lengths` int32 or int64 of shape (n,), in bytes,
    inside `data` (not checked); `seed` a `np.uint64`. Returns uint64 of shape (n,).

    >>> text = np.frombuffer(b"abcabc", np.uint8)
    >>> hashes = hash_slices(text, np.array([0, 3]), np.array([3, 3]), np.uint64(0))
    >>> [hex(h) for h in hashes]
    ['0x44bc2cf5ad770999', '0x44bc2cf5ad770999']
    """
    data = lent(data)
    hashes = np.empty(starts.size, np.uint64)
    for i in range(starts.size):
        hashes[i] = hash_slice(data, np.int64(starts[i]), np.int64(lengths[i]), seed)
    return hashes


@njit(cache=True, nogil=True)
def hash_column(
    data: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.int32],
    lengths: npt.NDArray[np.int32],
    column: int,
) -> npt.NDArray[np.uint64]:
    """XXH64 with seed 0 of one of the k slices of each row.

    Parameters: `data` uint8; `starts` and `lengths` int32 of shape (n, k), in bytes, inside `data`
    (not checked); `column` in [0, k). Returns uint64 of shape (n,).
    """
    data = lent(data)
    hashes = np.empty(starts.shape[0], np.uint64)
    for i in range(hashes.size):
        start, length = np.int64(starts[i, column]), np.int64(lengths[i, column])
        hashes[i] = hash_slice(data, start, length, np.uint64(0))
    return hashes
