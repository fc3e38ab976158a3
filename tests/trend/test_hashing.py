"""The hash is XXH64, for ever: stored state and shards depend on it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.strings import Strings
from tests.operators.reels import hashes
from trend.hashing import combine, hash_column, hash_slices, mix64

# Made with the reference implementation (python-xxhash, xxh64_intdigest).
GOLDEN = [
    (b"", 0, 0xEF46DB3751D8E999),
    (b"a", 0, 0xD24EC4F1A98C6E5B),
    (b"abc", 0, 0x44BC2CF5AD770999),
    ("танец".encode(), 7, 0xF8BA874C3C067C8A),
    (bytes(range(31)), 1, 0xF031031D65977DFC),
    (bytes(range(32)), 1, 0xD74E6766CE9DBA94),
    (bytes(range(101)), 2**64 - 1, 0x49B1A7087BCDB7BE),
]


def hash_one(data: bytes, seed: int = 0) -> int:
    array = np.frombuffer(data, np.uint8)
    starts, lengths = np.zeros(1, np.int64), np.full(1, len(data), np.int64)
    return int(hash_slices(array, starts, lengths, np.uint64(seed))[0])


@pytest.mark.parametrize(("data", "seed", "expected"), GOLDEN)
def test_hash_equals_its_golden_value(data: bytes, seed: int, expected: int) -> None:
    assert hash_one(data, seed) == expected


def test_mix_and_combine_equal_their_golden_values() -> None:
    assert int(mix64(np.uint64(0))) == 0
    assert int(mix64(np.uint64(1))) == 0x283A72A5B9AB93D3
    assert int(combine(np.uint64(1), np.uint64(2))) == 0x1F1F9D21F32B8D03
    assert combine(np.uint64(1), np.uint64(2)) != combine(np.uint64(2), np.uint64(1))


@given(st.lists(st.text(max_size=80), max_size=20), st.integers(0, 2**64 - 1))
def test_a_row_hashes_alike_alone_and_in_any_column(rows: list[str], seed: int) -> None:
    column = Strings.of(rows)
    assert hashes(rows, seed).tolist() == [hash_one(row.encode(), seed) for row in rows]
    starts, lengths = (np.stack([part[::-1], part], 1) for part in (column.starts, column.lengths))
    second = hash_column(column.data, starts, lengths, 1)
    assert second.tolist() == [hash_one(row.encode()) for row in rows]


@pytest.mark.parametrize("length", range(100))
def test_a_slice_hashes_as_its_bytes_wherever_it_is(length: int) -> None:
    data = np.random.default_rng(length).integers(0, 256, 140, np.uint8)
    starts = np.arange(40)
    slices = hash_slices(data, starts, np.full(40, length), np.uint64(3))
    assert slices.tolist() == [hash_one(data[at : at + length].tobytes(), 3) for at in starts]


def test_shards_are_even() -> None:
    shards = hashes(f"tag{i}" for i in range(64_000)) >> np.uint64(58)
    assert np.abs(np.bincount(shards.astype(np.int64), minlength=64) - 1000).max() < 150
