"""Uses of visual formats, and what the shards get of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from operators.blocks import SHARDS, ShardRows, shard_name
from operators.strings import Strings
from trend.hashing import hash_slices
from trend.kinds import FORMAT
from trend.records import USE, VOLUME
from trend.signals import SHARD_BITS
from trend.sounds import SEPARATOR

PARTITION: Final = "\0formats"
"""The partition of the uses of formats: no file or topic is called so."""

U64 = npt.NDArray[np.uint64]
I32 = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Uses:
    """Formats of n reels."""

    format: U64
    reel: U64
    author: U64
    tick: I32
    apply: I32
    again: npt.NDArray[np.bool_]


_HASHES, _TICKS = np.zeros(0, np.uint64), np.zeros(0, np.int32)
_NO_ROWS: Final = np.zeros(0, USE)
_NO_VOLUME: Final = np.zeros(0, VOLUME)
NO_USES: Final = Uses(_HASHES, _HASHES, _HASHES, _TICKS, _TICKS, np.zeros(0, np.bool_))


def as_one(parts: Sequence[Uses]) -> Uses:
    """The uses of all parts, in this order."""
    every = (NO_USES, *parts)
    return Uses(
        np.concatenate([part.format for part in every]),
        np.concatenate([part.reel for part in every]),
        np.concatenate([part.author for part in every]),
        np.concatenate([part.tick for part in every]),
        np.concatenate([part.apply for part in every]),
        np.concatenate([part.again for part in every]),
    )


def rows_of(uses: Uses, called: Mapping[int, str], closed: int, end: bool) -> list[ShardRows]:
    """Rows for all shards: each must be told how far the partition is.

    Args:
        called: labels of the formats.
        closed, end: as in `ShardRows`.
    """
    formats, of = np.unique(uses.format, return_inverse=True)
    names = [name_of(one) for one in formats.tolist()]
    ids = Strings.of(names)
    signals = hash_slices(ids.data, ids.starts, ids.lengths, np.uint64(FORMAT))
    labels = [
        f"{name}{chr(SEPARATOR)}{called[one]}".encode()
        for name, one in zip(names, formats.tolist(), strict=True)
    ]
    sizes = np.array([len(label) for label in labels], np.int32)
    shard_of = (signals >> np.uint64(64 - SHARD_BITS)).astype(np.int64)
    by_shard = np.argsort(shard_of[of], kind="stable")
    bounds = np.searchsorted(shard_of[of][by_shard], np.arange(SHARDS + 1)).tolist()
    items = []
    for shard in range(SHARDS):
        chosen = by_shard[bounds[shard] : bounds[shard + 1]]
        rows, text = _NO_ROWS, b""
        if chosen.size:
            own, at = np.unique(of[chosen], return_inverse=True)
            rows = np.zeros(chosen.size, USE)
            rows["signal"] = signals[of[chosen]]
            rows["author"], rows["reel"] = uses.author[chosen], uses.reel[chosen]
            rows["tick"], rows["apply"] = uses.tick[chosen], uses.apply[chosen]
            rows["label_at"] = (np.cumsum(sizes[own]) - sizes[own])[at]
            rows["label_len"] = sizes[own][at]
            rows["kind"], rows["again"] = FORMAT, uses.again[chosen]
            text = b"".join(labels[one] for one in own.tolist())
        items.append(ShardRows(shard_name(shard), PARTITION, rows, text, closed, end, _NO_VOLUME))
    return items


def name_of(format_: int) -> str:
    """The id of a format in the contract.

    >>> name_of(255)
    'f-00000000000000ff'
    """
    return f"f-{format_:016x}"
