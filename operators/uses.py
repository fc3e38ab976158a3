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
    shard_of = (signals >> np.uint64(64 - SHARD_BITS)).astype(np.int64)
    items = []
    for shard in range(SHARDS):
        own = np.flatnonzero(shard_of == shard)
        sizes = np.array([len(labels[one]) for one in own.tolist()], np.int32)
        place = np.zeros(formats.size, np.int32)
        place[own] = np.cumsum(sizes) - sizes
        length = np.zeros(formats.size, np.int32)
        length[own] = sizes
        chosen = np.flatnonzero(shard_of[of] == shard) if own.size else own
        rows = np.zeros(chosen.size, USE)
        rows["signal"] = signals[of[chosen]]
        rows["author"], rows["reel"] = uses.author[chosen], uses.reel[chosen]
        rows["tick"], rows["apply"] = uses.tick[chosen], uses.apply[chosen]
        rows["label_at"], rows["label_len"] = place[of[chosen]], length[of[chosen]]
        rows["kind"], rows["again"] = FORMAT, uses.again[chosen]
        text = b"".join(labels[one] for one in own.tolist())
        volume = np.zeros(0, VOLUME)
        items.append(ShardRows(shard_name(shard), PARTITION, rows, text, closed, end, volume))
    return items


def name_of(format_: int) -> str:
    """The id of a format in the contract.

    >>> name_of(255)
    'f-00000000000000ff'
    """
    return f"f-{format_:016x}"
