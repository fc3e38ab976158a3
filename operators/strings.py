"""A column of strings as one byte buffer for the kernels of `trend`, and its hashes."""

import numpy as np
import numpy.typing as npt
import polars as pl

from trend.hashing import hash_slices

Buffer = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], npt.NDArray[np.int64]]


def buffer(series: pl.Series) -> Buffer:
    """The UTF-8 bytes of a string column on end, with where each row starts and its length.

    Returns `(data uint8, starts int64, lengths int64)`; `starts` and `lengths` have one entry a
    row, in bytes. A null has length 0. `data` is read-only.
    """
    lengths = byte_lengths(series)
    starts = np.cumsum(lengths) - lengths
    joined: bytes = series.str.join("").cast(pl.Binary).item()
    return np.frombuffer(joined, np.uint8), starts, lengths


def byte_lengths(series: pl.Series) -> npt.NDArray[np.int64]:
    """The length of each row's UTF-8 in bytes, 0 for a null."""
    lengths = series.str.len_bytes()
    if lengths.null_count() > 0:
        lengths = lengths.fill_null(0)
    return lengths.to_numpy().astype(np.int64)


def hash_strings(series: pl.Series, seed: int = 0) -> npt.NDArray[np.uint64]:
    """`trend.hashing.hash_slices` of each row of a string column; a null hashes as "" does.

    `seed` is at least 0 and below 2**64.

    >>> hash_strings(pl.Series(["abc", None, ""])).tolist() == [
    ...     0x44BC2CF5AD770999, 0xEF46DB3751D8E999, 0xEF46DB3751D8E999]
    True
    """
    data, starts, lengths = buffer(series)
    return hash_slices(data, starts, lengths, np.uint64(seed))
