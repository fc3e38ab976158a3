"""The hash is XXH64, for ever: stored state and shards depend on it."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.strings import buffer, hash_strings
from trend.hashing import combine, hash_slices, mix64

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


@given(st.lists(st.one_of(st.none(), st.text(max_size=80)), max_size=20), st.integers(0, 2**64 - 1))
def test_a_row_hashes_alike_alone_and_in_any_column(rows: list[str | None], seed: int) -> None:
    together = hash_strings(pl.Series(rows, dtype=pl.String), seed)
    assert together.tolist() == [hash_one((row or "").encode(), seed) for row in rows]


@given(st.lists(st.one_of(st.none(), st.text(max_size=20)), max_size=20), st.integers(0, 5))
def test_buffer_gives_each_row_back(rows: list[str | None], skip: int) -> None:
    series = pl.Series(rows, dtype=pl.String)[skip:]
    data, starts, lengths = buffer(pl.concat([series, series], rechunk=False))
    whole = data.tobytes()
    slices = [whole[at : at + n].decode() for at, n in zip(starts, lengths, strict=True)]
    assert slices == [row or "" for row in rows[skip:]] * 2


def test_shards_are_even() -> None:
    shards = hash_strings(pl.Series([f"tag{i}" for i in range(64_000)])) >> np.uint64(58)
    assert np.abs(np.bincount(shards.astype(np.int64), minlength=64) - 1000).max() < 150
