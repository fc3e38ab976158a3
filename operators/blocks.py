"""What flows between the steps: whole polls, as columns.

    source -> Poll -> decode -> Decoded -> dedupe, identify -> Fresh -> explode -> ShardRows ->
    count

Each of these is one item of the dataflow however many reels it holds, so that the cost of the
engine is paid per poll and never per reel.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from operators.reels import Reels
from operators.routing import key_at, spread
from trend.packing import Shapes, packed, unpacked
from trend.records import USE, VOLUME

SHARDS: Final = 64
"""Number of shards of the signal space. Fixed: a signal's shard is the top six bits of its hash."""

LINE_LIMIT = 1 << 20
"""Longest line in bytes, without its newline. A longer one is refused."""


GRAPH: Final = key_at("graph", 0)
"""Key of the co-occurrence graph, which reports as a shard does."""

_WEIGHTS: Final = (3.5, 2.5, 3.5, 1.5, 3.5, 2, 3.5, 1.5, 3.5, 2.5, 3.5, 1)
"""Shares of the shards by place (`operators.routing`): few where the step for all shards is."""


@cache
def shard_name(shard: int) -> str:
    """Return a shard's key in the dataflow."""
    return key_at(f"{shard:02d}", spread(_WEIGHTS, SHARDS)[shard])


@dataclass(frozen=True, slots=True)
class Poll:
    """Whole lines from one partition, as a source read them.

    `data` ends with a newline unless it is empty. A line longer than the source's limit is not in
    `data`: it is handed over as `oversized`.
    """

    partition: str
    record: int  # number of the first line
    offset: int  # byte offset (after decompression) of the first line
    data: bytes
    oversized: tuple["Oversized", ...] = ()
    end: bool = False  # the partition is finite and this is its last poll
    messages: Sequence["Message"] = ()  # that the lines were, where they came as messages
    rejects: tuple["Reject", ...] = ()  # messages that cannot be lines, in the order of offsets
    idle_us: int | None = None  # the partition is silent, and the others are at this event time


class Message(Protocol):
    """A line as it came: as one message of a partition, whose offsets may have gaps."""

    def offset(self) -> int | None:
        """Its place in the partition."""

    def key(self) -> Any:
        """Its key in bytes, or None."""

    def value(self) -> Any:
        """Its value in bytes."""


@dataclass(frozen=True, slots=True)
class Oversized:
    """A line that is not handed over whole: longer than the limit, or the input broke off in it.

    Its head is kept, its length is told (of what was readable, without the newline).
    """

    record: int
    offset: int
    head: bytes
    length: int
    broken: str = ""  # how the input broke off; empty where the line is only too long


@dataclass(frozen=True, slots=True)
class Reject:
    """One line that is not a reel: what it was, where it was and why it was refused."""

    partition: str
    record: int
    offset: int
    error: str  # a class from operators.decode.ERRORS
    reason: str
    original: bytes
    length: int  # of the whole line in bytes; more than len(original) for an oversized line
    key: bytes | None = None  # of the message that it was


@dataclass(frozen=True, slots=True)
class Decoded:
    """The valid reels of a poll in the order of their lines, and the lines that were not."""

    partition: str
    reels: Reels
    rejects: tuple[Reject, ...]
    end: bool
    idle_us: int | None = None  # as that of `Poll`


@dataclass(frozen=True, slots=True)
class Fresh:
    """n reels that are new, or that came again with other content, with their place in event time.

    All ticks before `closed` are complete for this partition. `volume` is given only together with
    `announce`.
    """

    partition: str
    reels: Reels
    reel: npt.NDArray[np.uint64]  # [n] hash of its id
    author: npt.NDArray[np.uint64]  # [n] hash of its author's id
    tick: npt.NDArray[np.int32]  # [n] tick of its own time
    apply: npt.NDArray[np.int32]  # [n] tick at which it takes effect
    again: npt.NDArray[np.bool_]  # [n] it was here before, with other content
    closed: int
    end: bool
    volume: npt.NDArray[np.void] = field(default_factory=lambda: np.zeros(0, VOLUME))
    announce: bool = False  # `closed` moved since the last item, or the partition ended


@dataclass(frozen=True, slots=True)
class Together:
    """The sounds and hashtags of n new reels of one poll, and how far its partition is complete."""

    partition: str
    reel: npt.NDArray[np.uint64]  # [n]
    author: npt.NDArray[np.uint64]  # [n]
    apply: npt.NDArray[np.int32]  # [n] tick at which it takes effect
    bounds: npt.NDArray[np.int32]  # [n + 1] those of reel i are from `bounds[i]` on
    signal: npt.NDArray[np.uint64]  # [s] hashes
    kind: npt.NDArray[np.uint8]  # [s]
    label_at: npt.NDArray[np.int32]  # [s] start in `labels`
    label_len: npt.NDArray[np.int32]  # [s]
    labels: npt.NDArray[np.uint8]  # as those of `ShardRows`
    closed: int
    end: bool


@dataclass(frozen=True, slots=True)
class ShardRows:
    """One poll's rows for one shard, or only the news that its partition's watermark moved."""

    shard: str  # its key in the dataflow
    partition: str
    rows: npt.NDArray[np.void]  # USE
    labels: bytes  # UTF-8; for a sound "id\\x1flabel", else the id
    closed: int
    end: bool
    volume: npt.NDArray[np.void]  # VOLUME; the same for every shard

    def __reduce__(self) -> tuple[Callable[..., "ShardRows"], tuple[Any, ...]]:
        """Go to other processes as two pieces of bytes."""
        shapes, data = packed([self.rows, self.volume])
        told = (self.shard, self.partition, self.labels, self.closed, self.end)
        return _received, (*told, shapes, data)


def _received(
    shard: str,
    partition: str,
    labels: bytes,
    closed: int,
    end: bool,
    shapes: Shapes,
    data: bytes,
) -> ShardRows:
    rows, volume = unpacked([USE, VOLUME], shapes, data)
    return ShardRows(shard, partition, rows, labels, closed, end, volume)
