"""What flows between the steps: whole polls, as columns.

    source -> Poll -> decode -> Decoded -> dedupe, identify -> Fresh -> explode -> ShardRows ->
    count

Each of these is one item of the dataflow however many reels it holds, so that the cost of the
engine is paid per poll and never per reel.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pickle import PickleBuffer
from typing import Any, Final, Protocol, SupportsIndex

import numpy as np
import numpy.typing as npt

from operators.reels import Reels
from operators.routing import PLACES, key_at
from trend.records import USE, VOLUME

SHARDS: Final = 64
"""Number of shards of the signal space. Fixed: a signal's shard is the top six bits of its hash."""

LINE_LIMIT = 1 << 20
"""Longest line in bytes, without its newline. A longer one is refused."""


GRAPH: Final = key_at("graph", 0)
"""Key of the co-occurrence graph, which reports as a shard does."""

ONE: Final = key_at("all", PLACES - 1)
"""Key of what is not sharded: the last worker has it, as the first reads a lone partition."""


def shard_name(shard: int) -> str:
    """Return a shard's name.

    >>> shard_name(7)
    '07'
    """
    return f"{shard:02d}"


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

    def take(self, rows: npt.NDArray[Any]) -> "Fresh":
        """Return some of the reels, by indices or a mask; the rest stays as it is."""
        return replace(
            self,
            reels=self.reels.take(rows),
            reel=self.reel[rows],
            author=self.author[rows],
            tick=self.tick[rows],
            apply=self.apply[rows],
            again=self.again[rows],
        )


@dataclass(frozen=True, slots=True)
class ShardRows:
    """One poll's rows for one shard, or only the news that its partition's watermark moved."""

    shard: str  # its name
    partition: str
    rows: npt.NDArray[np.void]  # USE
    labels: bytes  # UTF-8; for a sound "id\\x1flabel", else the id
    closed: int
    end: bool
    volume: npt.NDArray[np.void]  # VOLUME; the same for every shard

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Go to other processes as plain bytes: pickles say the fields of a dtype each time."""
        told = (self.shard, self.partition, self.closed, self.end, self.volume.tobytes())
        if protocol.__index__() < _WITH_BUFFERS:
            return _received, (*told, self.rows.tobytes(), self.labels)
        return _received, (*told, PickleBuffer(self.rows.data), PickleBuffer(self.labels))


_WITH_BUFFERS: Final = 5
"""The protocol of pickle from which on buffers need not be copied."""


def _received(
    shard: str,
    partition: str,
    closed: int,
    end: bool,
    volume: bytes,
    rows: bytes | bytearray | memoryview,
    labels: bytes | memoryview,
) -> ShardRows:
    buffer = bytearray(rows) if memoryview(rows).readonly else rows  # kernels know no other arrays
    return ShardRows(
        shard,
        partition,
        np.frombuffer(buffer, USE),
        bytes(labels),
        closed,
        end,
        np.frombuffer(bytearray(volume), VOLUME),
    )
