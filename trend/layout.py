"""How a shard's state is laid out: its arrays, the records in them, and what the numbers mean."""

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
U16 = npt.NDArray[np.uint16]
U64 = npt.NDArray[np.uint64]
U8 = npt.NDArray[np.uint8]
Int = int | np.integer[Any]
Records = npt.NDArray[Any]
"""Structured arrays; numba reads their fields as attributes."""

HOURS: Final = 360
"""Hours of history that a row keeps: fifteen days."""
ADMIT_AUTHORS: Final = 3
"""Distinct authors within a day that make a young signal an admitted one."""
CROWD: Final = 64
"""Uses within one tick that admit a young signal without a look at its authors."""
SAMPLED_ABOVE: Final = 1024
"""Authors a day above which only one use in sixteen goes to the log, by the reel's hash."""
SAMPLE_LIMIT: Final = np.uint64(1 << 60)
MAX_LABEL: Final = 1024
"""Bytes of a label that are kept."""
FULL: Final = 65535
"""A counter of 16 bits stays here."""
NONE: Final = -1
UNTRACKED: Final = np.iinfo(np.int32).min

# Indices into `Counts.n`.
ROWS: Final = 0  # admitted signals
NEXT_USE: Final = 1  # sequence number of the next use in the log
FIRST_USE: Final = 2  # sequence number of the oldest use that is kept
PAIRS: Final = 3  # (signal, author) pairs kept, stale ones included
VOLUME_TICK: Final = 4  # tick up to which the volume's rings are advanced
VOLUME_TOTAL: Final = 5  # reels since the beginning
HOURS_VOLUME: Final = 6  # sum of the ring of hours of the volume
TRACKED: Final = 7  # rows that are reported each hour
DAY: Final = 8  # day of the last clean-up
CLEANED: Final = 9  # tick of the last clean-up
LABEL_BYTES: Final = 10  # used bytes of `labels`
EVICTED: Final = 11  # admitted signals that were dropped, since the beginning
NOW: Final = 12  # last tick that was closed with something to do
LIVE: Final = 13  # admitted signals as last reported
SCALARS: Final = 14

SIGNAL: Final = np.dtype(
    [
        ("key", np.uint64),  # its hash
        ("head", np.int64),  # newest use in the log, or NONE
        ("total", np.int64),  # authors since the admission
        ("judge_from", np.int64),  # `total` from which on it is worth judging again
        ("hours_authors", np.int64),  # sum of the ring of hours
        ("last", np.int32),  # tick up to which the rings are advanced
        ("last_hour", np.int32),
        ("used", np.int32),  # tick of effect of the last use
        ("day_authors", np.int32),  # sum of the ring of ticks
        ("day_reels", np.int32),
        ("judge_at", np.int32),  # tick from which on it is judged whatever its total
        ("tracked", np.int32),  # tick until which it is reported each hour, or UNTRACKED
        ("detailed", np.int32),  # day_authors when its details were last reported
        ("label_at", np.int64),
        ("label_len", np.int32),
        ("kind", np.uint8),
    ],
    align=True,
)
LOGGED: Final = np.dtype(
    [
        ("signal", np.uint64),
        ("reel", np.uint64),
        ("author", np.uint64),
        ("prev", np.int64),  # the use before it in its chain, or NONE
        ("tick", np.int32),
        ("young", np.uint8),  # 1 while it is in its bucket's chain
    ],
    align=True,
)
PAIR: Final = np.dtype([("key", np.uint64), ("tick", np.int32)], align=True)  # key 0: free

AUTHORS: Final = 0
REELS: Final = 1


class Counts(NamedTuple):
    """A shard's state; C rows, L uses, P pairs (powers of two), F ticks a day."""

    n: I64  # [SCALARS]
    slots: I32  # [2C or more] row + 1 of a key by linear probing, 0: free
    signals: Records  # [C] SIGNAL
    ticks: U16  # [C, F, 2] AUTHORS and REELS per tick, ring by tick % F
    hours: U16  # [C, HOURS, 2] the same per hour, ring by hour % HOURS
    tracked_rows: I32  # [C] the tracked rows, first TRACKED of them
    labels: U8  # label bytes on end
    uses: Records  # [L] LOGGED
    buckets: I64  # [L] newest young use by the low bits of the signal's hash, or NONE
    pairs: Records  # [P] PAIR
    volume: I64  # [F] reels of the platform per tick
    hour_volume: I64  # [HOURS]
