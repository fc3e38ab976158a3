"""The log of the last day's uses: a ring by sequence number.

Uses of an admitted signal are chained from its row, those of young signals from a bucket by the low
bits of the signal's hash. What is overwritten is older than a day, or beyond the budget, so a chain
ends where it leaves the log.
"""

from typing import Final

import numpy as np

from trend.compiled import inlined, kernel
from trend.layout import FIRST_USE, I32, I64, NEXT_USE, NONE, Int, Records

_YOUNG: Final = 1 << 31
_FAR: Final = _YOUNG - 1


@inlined
def place_of(uses: Records, use: Int) -> Int:
    """Return where in the ring a sequence number is."""
    return use & (uses.size - 1)


@inlined
def is_young(back: Int) -> bool:
    """Return whether a use is in the chain of a bucket."""
    return bool(back & _YOUNG)


@inlined
def before(uses: Records, use: Int) -> Int:
    """Return the use before one in its chain, or one that is in no log."""
    back = np.int64(uses[place_of(uses, use)].back) & _FAR
    return use - back if back > 0 else np.int64(NONE)


@inlined
def bucket_of(uses: Records, signal: np.uint64) -> Int:
    """Return the bucket of a signal."""
    return np.int64(signal & np.uint64(uses.size - 1))


@inlined
def newest_young(n: I64, uses: Records, buckets: I32, signal: np.uint64) -> Int:
    """Return the newest use in a signal's bucket, or NONE."""
    mask = uses.size - 1
    bucket = bucket_of(uses, signal)
    at = np.int64(buckets[bucket]) - 1
    use = n[FIRST_USE] + ((at - n[FIRST_USE]) & mask)
    if (
        at < 0
        or use >= n[NEXT_USE]
        or not is_young(uses[at].back)
        or bucket_of(uses, uses[at].signal) != bucket
    ):
        use = np.int64(NONE)  # it was overwritten since
    return use


@inlined
def append(
    n: I64,
    uses: Records,
    signal: np.uint64,
    reel: np.uint64,
    author: np.uint64,
    tick: Int,
    chained: Int,
    young: Int,
) -> Int:
    """Append a use and return its sequence number; the oldest goes if the log is full.

    Args:
        chained: the use before it in its chain, or NONE.
        young: 1 if that is the chain of a bucket.
    """
    use = n[NEXT_USE]
    at = place_of(uses, use)
    uses[at].signal = signal
    uses[at].reel = reel
    uses[at].author = author
    uses[at].tick = tick
    back = use - chained if chained >= n[FIRST_USE] else 0
    uses[at].back = back | (young * _YOUNG)
    n[NEXT_USE] = use + 1
    if use + 1 - n[FIRST_USE] > uses.size:
        n[FIRST_USE] += 1
    return use


@kernel
def expire(n: I64, uses: Records, after: Int) -> None:
    """Let go of the oldest uses as far as they are not of later ticks than `after`."""
    while n[FIRST_USE] < n[NEXT_USE] and uses[place_of(uses, n[FIRST_USE])].tick <= after:
        n[FIRST_USE] += 1


@kernel
def copy(n: I64, uses: Records, larger: Records, buckets: I32) -> None:
    """Copy what is kept into another log, and chain the young in its buckets, which are empty."""
    for use in range(n[FIRST_USE], n[NEXT_USE]):
        at = place_of(larger, use)
        larger[at] = uses[place_of(uses, use)]
        if is_young(larger[at].back):
            bucket = bucket_of(larger, larger[at].signal)
            chained = newest_young(n, larger, buckets, larger[at].signal)
            back = use - chained if chained != NONE else 0
            larger[at].back = back | _YOUNG
            buckets[bucket] = at + 1
