"""Which sounds and hashtags the reels of a poll have together: what the graph of these gets."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from operators.blocks import Fresh
from trend.compiled import kernel
from trend.graph.arrays import I32, I64, U64, Bools, Records
from trend.kinds import HASHTAG
from trend.slices import pack

U8 = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Names:
    """Kinds and labels of n uses; the labels are slices of a buffer that holds more than these.

    Only the slices are pickled.
    """

    kind: U8  # [n]
    start: I64  # [n] in `labels`
    length: I32  # [n] bytes
    labels: U8  # as those of `ShardRows`

    def take(self, rows: I64) -> "Names":
        """Return those of some uses, in the same buffer."""
        return Names(self.kind[rows], self.start[rows], self.length[rows], self.labels)

    def name(self, row: int) -> tuple[int, bytes]:
        """Return kind and label of a use."""
        start = int(self.start[row])
        return int(self.kind[row]), self.labels[start : start + int(self.length[row])].tobytes()

    def __reduce__(self) -> tuple[Callable[..., "Names"], tuple[Any, ...]]:
        """Leave the rest of the buffer behind."""
        labels, starts = pack(self.labels, self.start, self.length)
        return Names, (self.kind, starts.astype(np.int64), self.length, labels)


@dataclass(frozen=True, slots=True)
class Together:
    """The sounds and hashtags of n new reels of one poll, and how far its partition is complete."""

    partition: str
    reel: U64  # [n]
    author: U64  # [n]
    apply: I32  # [n] tick at which it takes effect
    bounds: I64  # [n + 1] those of reel i are from `bounds[i]` on
    signal: U64  # [s] hashes
    names: Names  # [s]
    closed: int
    end: bool


def together(fresh: Fresh, found: Records, data: U8) -> Together:
    """Return what the reels of a poll have together.

    Args:
        found: their signals, FOUND, in the order of the reels.
        data: the buffer that their labels are in.
    """
    new = ~fresh.again
    bounds = np.zeros(np.count_nonzero(new) + 1, np.int64)
    signal = np.empty(found.size, np.uint64)
    kind, start = np.empty(found.size, np.uint8), np.empty(found.size, np.int64)
    length = np.empty(found.size, np.int32)
    size = _choose(found, new, bounds, signal, kind, start, length)
    return Together(
        fresh.partition,
        fresh.reel[new],
        fresh.author[new],
        fresh.apply[new],
        bounds,
        signal[:size],
        Names(kind[:size], start[:size], length[:size], data),
        fresh.closed,
        fresh.end,
    )


@kernel
def _choose(
    found: Records, new: Bools, bounds: I64, signal: U64, kind: U8, start: I64, length: I32
) -> np.int64:
    """Fill all from `bounds` on with what new reels have; return how many signals that are."""
    used = at = np.int64(0)
    reels = np.int64(0)
    for reel in range(new.size):
        while at < found.size and found[at].reel == reel:
            if new[reel] and found[at].kind <= HASHTAG:
                signal[used] = found[at].signal
                kind[used] = found[at].kind
                start[used], length[used] = found[at].at, found[at].length
                used += 1
            at += 1
        if new[reel]:
            reels += 1
            bounds[reels] = used
    return used
