"""(signal, author) pairs of the last day, so that an author counts once a day and signal.

A table by linear probing: the pair's hash and the tick of the author's last counted use. A reel may
come again within a day of its own tick, which is within a day of that use; so a pair must be known
for `KEPT_DAYS`. After that it is as good as absent, and it does not matter when the table is freed
of it.
"""

from typing import Final

import numpy as np

from trend.compiled import inlined, kernel
from trend.hashing import combine
from trend.layout import I64, PAIRS, Int, Records

KEPT_DAYS: Final = 2


@inlined
def pair_key(signal: np.uint64, author: np.uint64) -> np.uint64:
    """Return the hash of a pair, never 0."""
    return max(combine(signal, author), np.uint64(1))


@inlined
def first_place(key: np.uint64, size: Int) -> np.uint64:
    """Return where a pair would be in a table of so many places: by the top bits of its hash."""
    return ((key >> np.uint64(32)) * np.uint64(size)) >> np.uint64(32)


@inlined
def next_place(at: np.uint64, size: Int) -> np.uint64:
    """Return the place after one. Unsigned, so that no index has to be tested for its sign."""
    after = at + np.uint64(1)
    return after if after < np.uint64(size) else np.uint64(0)


@inlined
def pair_is_new(
    n: I64, pairs: Records, signal: np.uint64, author: np.uint64, tick: Int, now: Int, day: Int
) -> Int:
    """Return 1 if the author had not used the signal within the day before; note it either way.

    Args:
        tick: of the use.
        now: tick that is closed, `tick` or a later one.
        day: ticks in a day.
    """
    key = pair_key(signal, author)
    at = first_place(key, pairs.size)
    while pairs[at].key != 0 and pairs[at].key != key:
        at = next_place(at, pairs.size)
    last = np.int64(pairs[at].tick)
    new = 1
    if pairs[at].key == 0:
        pairs[at].key = key
        pairs[at].tick = tick
        n[PAIRS] += 1
    elif last <= now - KEPT_DAYS * day:
        pairs[at].tick = tick
    elif abs(tick - last) < day:
        new = 0
    elif tick > last:
        pairs[at].tick = tick
    return new


@kernel
def newest(pairs: Records, tick: Int, limit: Int, ages: I64) -> Int:
    """Return the tick after which at most `limit` pairs are.

    Args:
        ages: zeros, one for each tick that a pair may be old.
    """
    for at in range(pairs.size):
        age = max(tick - pairs[at].tick, 0)
        if pairs[at].key != 0 and age < ages.size:
            ages[age] += 1
    age = 0
    count = np.int64(0)
    while age < ages.size and count + ages[age] <= limit:
        count += ages[age]
        age += 1
    return tick - age


@kernel
def insert(pairs: Records, after: Int, table: Records) -> Int:
    """Insert the pairs of later ticks than `after` into another table; return how many."""
    count = 0
    for i in range(pairs.size):
        if pairs[i].key != 0 and pairs[i].tick > after:
            at = first_place(pairs[i].key, table.size)
            while table[at].key != 0:
                at = next_place(at, table.size)
            table[at].key = pairs[i].key
            table[at].tick = pairs[i].tick
            count += 1
    return count


@kernel
def forget(pairs: Records, after: Int, room: Records) -> Int:
    """Forget the pairs of ticks up to `after`; return how many are left.

    The others are copied to `room` and put back in the order in which they stood, which is nearly
    that of their first places: so the table is passed twice from front to back, without a branch
    that depends on what is there.

    Args:
        room: for all pairs, and one more.
    """
    count = np.int64(0)
    for i in range(pairs.size):
        room[count].key, room[count].tick = pairs[i].key, pairs[i].tick
        count += np.int64(pairs[i].key != 0) & np.int64(pairs[i].tick > after)
        pairs[i].key = 0
        pairs[i].tick = 0
    return insert(room[:count], after, pairs)
