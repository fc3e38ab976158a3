"""Loads, stores and copies touch the bytes they are told to, and lent arrays are not counted."""

import sys

import numpy as np
import numpy.typing as npt
import pytest
from numba import njit

from trend.lending import lent
from trend.slices import pack
from trend.unaligned import copy, load32, load64, store32, store64, trailing_zeros

Bytes = npt.NDArray[np.uint8]


@njit
def loads(data: Bytes, at: int) -> tuple[np.uint64, np.uint64]:
    return load64(data, at), load32(data, at)


@njit
def stores(data: Bytes, at: int, word: np.uint64) -> None:
    store64(data, at, word)
    store32(data, at + 8, word)


@njit
def zeros(word: np.uint64) -> int:
    return trailing_zeros(word)


@njit
def total(data: Bytes) -> int:
    data = lent(data)
    found = 0
    for at in range(data.size):
        found += data[at]
    return found


@pytest.mark.parametrize("at", range(9))
def test_words_are_little_endian_at_any_place(at: int) -> None:
    data = np.arange(200, 220, dtype=np.uint8)
    word, half = loads(data, at)
    assert int(word) == int.from_bytes(data[at : at + 8].tobytes(), "little")
    assert int(half) == int.from_bytes(data[at : at + 4].tobytes(), "little")


@pytest.mark.parametrize("at", range(9))
def test_stores_write_their_bytes_and_no_other(at: int) -> None:
    data = np.zeros(24, np.uint8)
    stores(data, at, np.uint64(0xF7F6F5F4F3F2F1F0))
    low = bytes(range(0xF0, 0xF4))
    word = low + bytes(range(0xF4, 0xF8)) + low
    assert data.tobytes() == (bytes(at) + word).ljust(24, b"\0")


@pytest.mark.parametrize("bit", [0, 7, 8, 31, 32, 63])
def test_trailing_zeros_are_counted(bit: int) -> None:
    assert zeros(np.uint64(1 << bit)) == zeros(np.uint64((1 << 63) | (1 << bit))) == bit


@pytest.mark.parametrize("length", range(40))
def test_a_copy_is_exact(length: int) -> None:
    source = np.random.default_rng(length).integers(1, 256, 60, np.uint8)
    target = np.zeros(60, np.uint8)
    copy(source, 3, length, target, 11)
    assert target.tobytes() == (bytes(11) + source[3 : 3 + length].tobytes()).ljust(60, b"\0")


def test_slices_are_packed_and_a_null_takes_no_room() -> None:
    data = np.frombuffer(b"hashtags of a reel", np.uint8)
    packed, starts = pack(data, np.array([9, 4, 0, 12]), np.array([2, -1, 4, 6]))
    assert packed.tobytes() == b"ofhasha reel"
    assert starts.tolist() == [0, 2, 2, 6]


def test_a_lent_array_is_the_same_array_and_still_its_owners() -> None:
    data = np.ones(1000, np.uint8)
    before = sys.getrefcount(data)
    assert [total(data), total(data[::2]), total(data)] == [1000, 500, 1000]
    assert sys.getrefcount(data) == before
    assert data.all()
