"""How a shard's state is laid out: its arrays, the records in them, and what the numbers mean."""

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
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
TRACKED: Final = 6  # rows that are reported each hour
DAY: Final = 7  # day of the last clean-up
CLEANED: Final = 8  # tick of the last clean-up
LABEL_BYTES: Final = 9  # used bytes of `labels`
EVICTED: Final = 10  # admitted signals that were dropped, since the beginning
NOW: Final = 11  # last tick that was closed with something to do
LIVE: Final = 12  # admitted signals as last reported
PAGES: Final = 13  # pages of history in use
FRESH_PAGE: Final = 14  # the first page that was never used
FREE_PAGE: Final = 15  # the first page to use again, or NONE
SCALARS: Final = 16

SIGNAL: Final = np.dtype(
    [
        ("key", np.uint64),  # its hash
        ("head", np.int64),  # newest use in the log, or NONE
        ("total", np.int32),  # authors since the admission
        ("judge_from", np.int32),  # `total` from which on it is worth judging again
        ("judge_at", np.int32),  # tick from which on it is judged whatever its total
        ("used", np.int32),  # tick of effect of the last use
        ("day_authors", np.int32),  # sum over its history of ticks
        ("day_reels", np.int32),
        ("hours_authors", np.int32),  # sum over its history of hours
        ("tracked", np.int32),  # tick until which it is reported each hour, or UNTRACKED
        ("detailed", np.int32),  # day_authors when its details were last reported
        ("label_at", np.int32),
        ("label_len", np.uint16),
        ("kind", np.uint8),
    ],
    align=True,
)
"""An admitted signal: 64 bytes, a line of the cache."""
CHAIN: Final = np.dtype(
    [
        ("newest", np.int32),  # page, or NONE
        ("oldest", np.int32),  # page, or NONE
        ("first", np.int32),  # its first place, or NEVER
        ("start", np.uint8),  # where that is in the oldest page
        ("fill", np.uint8),  # places taken in the newest page
    ],
    align=True,
)
"""The places that a history holds (`trend.history`)."""
LOGGED: Final = np.dtype(
    [
        ("signal", np.uint64),
        ("reel", np.uint64),
        ("author", np.uint64),
        ("tick", np.int32),
        ("back", np.uint32),  # how many uses ago the one before it in its chain was; 0: none
    ],
    align=True,
)
"""A use in the log; the top bit of `back` is set while it is in the chain of a bucket."""
PAIR: Final = np.dtype([("key", np.uint64), ("tick", np.int32)])  # packed; key 0: free

TICKS: Final = 0  # the history of the last day, by tick
BY_HOUR: Final = 1  # the history of the last HOURS, by hour
PAGE: Final = 8
"""Places on a page of history."""
OLDER: Final = 0
NEWER: Final = 1
NEVER: Final = np.iinfo(np.int32).max
ROW_BYTES: Final = SIGNAL.itemsize + 2 * CHAIN.itemsize + 12
"""Bytes of a row with its two slots and its place among the tracked."""
PAGE_BYTES: Final = 8 * PAGE + 8
PRESSURE: Final = 0.9
"""Share of the budget that may be taken before the least useful signals go."""
RELIEF: Final = 0.7
"""Share of it that they leave."""


class Counts(NamedTuple):
    """A shard's state; C rows, H pages, L uses (a power of two), P pairs, F ticks a day."""

    n: I64  # [SCALARS]
    slots: I32  # [2C] row + 1 of a key by linear probing, 0: free
    signals: Records  # [C] SIGNAL
    chains: Records  # [C, 2] CHAIN of TICKS and BY_HOUR
    pages: I64  # [H, PAGE] places with their uses
    links: I32  # [H, 2] OLDER and NEWER page of the same chain
    tracked_rows: I32  # [C] the tracked rows, first TRACKED of them
    labels: U8  # label bytes on end
    uses: Records  # [L] LOGGED, ring by sequence number
    buckets: I32  # [L] place + 1 in the log of the newest young use by the hash's low bits, or 0
    pairs: Records  # [P] PAIR
    volume: I64  # [F + 1] reels of the platform up to each tick (`trend.rings`)
    hour_volume: I64  # [HOURS + 1] the same by hour
