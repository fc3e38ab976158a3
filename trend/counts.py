"""What a shard counts, in columns: uses, distinct authors and history of its signals.

A signal is *young* until three authors have used it within a day. A young signal has no row in the
table, only its uses in the log of the last day, so the endless number of phrases that come once or
twice cost a few bytes for one day. Then it is *admitted*: it gets a row, its uses so far are counted
into it, and its label is kept.

An author counts once a day and signal, however many reels they post: `authors` are authors who used
the signal and had not done so within the day before. That makes counts of windows additive.

    log      the uses of the last day: reel, author, tick; chained per admitted signal, and per hash
             bucket for young ones. A ring: what is overwritten is older than a day, or beyond the budget.
    pairs    (signal, author) -> tick of the author's last counted use, for admitted signals
    rows     per admitted signal: ticks of the last day and hours of the last fifteen days, as rings
             that are advanced when the row is touched

Everything here happens tick by tick, in an order that follows from the data alone, so that no result
depends on how the input was cut into polls.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from trend.hashing import combine

I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
U16 = npt.NDArray[np.uint16]
U64 = npt.NDArray[np.uint64]
U8 = npt.NDArray[np.uint8]

HOURS: Final = 360
"""Hours of history that a row keeps: fifteen days."""
ADMIT_AUTHORS: Final = 3
"""Distinct authors within a day that make a young signal an admitted one."""
CROWD: Final = 64
"""Uses within one tick that admit a young signal without a look at its authors."""
SAMPLED_ABOVE: Final = 1024
"""Authors a day above which only one use in sixteen goes to the log, by the reel's hash."""
SAMPLE_LIMIT: Final = np.uint64(1 << 60)
NONE: Final = -1

# Indices into `Counts.n`.
ROWS: Final = 0  # admitted signals
NEXT_USE: Final = 1  # sequence number of the next use in the log
FIRST_USE: Final = 2  # sequence number of the oldest use that is kept
PAIRS: Final = 3  # (signal, author) pairs kept, stale ones included
VOLUME_TICK: Final = 4  # tick up to which the volume's rings are advanced
VOLUME_TOTAL: Final = 5  # reels since the beginning
TRACKED: Final = 6  # rows that are reported each hour
DAY: Final = 7  # day of the last clean-up
LABEL_BYTES: Final = 8  # used bytes of `labels`
EVICTED: Final = 9  # admitted signals that were dropped, since the beginning
NOW: Final = 10  # last tick that was closed with something to do
CLEANED: Final = 11  # tick of the last clean-up
LIVE: Final = 12  # admitted signals as last reported
SCALARS: Final = 13

UNTRACKED: Final = np.iinfo(np.int32).min
MAX_LABEL: Final = 1024
"""Bytes of a label that are kept."""


class Counts(NamedTuple):
    """A shard's state; C rows, L uses, P pairs (powers of two), F ticks a day."""

    n: I64  # [SCALARS]
    slots: I32  # [2C] row + 1 of a key by linear probing, 0: free
    key: U64  # [C] signal hash
    kind: U8  # [C]
    born: I32  # [C] tick of the admission
    last: I32  # [C] tick up to which the rings are advanced
    used: I32  # [C] tick of effect of the last use
    total: I64  # [C] authors since the admission
    day_authors: I32  # [C] sum of the day's ring
    day_reels: I32  # [C]
    authors: U16  # [C, F] per tick, ring by tick % F
    reels: U16  # [C, F]
    hour_authors: U16  # [C, HOURS] per hour, ring by hour % HOURS
    hour_reels: U16  # [C, HOURS]
    head: I64  # [C] newest use in the log, or NONE
    tracked: I32  # [C] tick until which it is reported each hour
    detailed: I32  # [C] day_authors when its details were last reported
    label_at: I64  # [C]
    label_len: I32  # [C]
    tracked_rows: I32  # [C] the tracked rows, first TRACKED of them
    labels: U8  # label bytes on end
    use_signal: U64  # [L]
    use_reel: U64  # [L]
    use_author: U64  # [L]
    use_tick: I32  # [L]
    use_young: U8  # [L] 1 while it is in its bucket's chain
    use_prev: I64  # [L] the use before it in its chain, or NONE
    buckets: I64  # [L] newest young use by the low bits of the signal's hash, or NONE
    pair_key: U64  # [P] 0: free
    pair_tick: I32  # [P]
    volume: I64  # [F] reels of the platform per tick
    hour_volume: I64  # [HOURS]


@njit(cache=True)
def slot_of(slots: I32, keys: U64, key: np.uint64) -> int:
    """Return the slot that holds `key`'s row, or the free one where it would go."""
    mask = slots.size - 1
    at = np.int64(key & np.uint64(mask))
    while slots[at] != 0 and keys[slots[at] - 1] != key:
        at = (at + 1) & mask
    return at


@njit(cache=True)
def advance_volume(c: Counts, tick: int, ticks_per_hour: int) -> None:
    """Bring the volume's rings to `tick`: what lies between is empty."""
    day = c.volume.size
    last = c.n[VOLUME_TICK]
    if tick <= last:
        return
    if tick - last >= day:
        c.volume[:] = 0
    else:
        for t in range(last + 1, tick + 1):
            c.volume[t % day] = 0
    hour, last_hour = tick // ticks_per_hour, last // ticks_per_hour
    if hour - last_hour >= HOURS:
        c.hour_volume[:] = 0
    else:
        for h in range(last_hour + 1, hour + 1):
            c.hour_volume[h % HOURS] = 0
    c.n[VOLUME_TICK] = tick


@njit(cache=True)
def add_volume(c: Counts, now: int, tick: int, reels: int, ticks_per_hour: int) -> None:
    """Count `reels` of `tick` that take effect at `now` >= tick; the rings must be at `now`."""
    day = c.volume.size
    if now - tick < day:
        c.volume[tick % day] += reels
    hour = tick // ticks_per_hour
    if now // ticks_per_hour - hour < HOURS:
        c.hour_volume[hour % HOURS] += reels
    c.n[VOLUME_TOTAL] += reels


@njit(cache=True)
def advance_row(c: Counts, row: int, tick: int, ticks_per_hour: int) -> None:
    """Bring a row's rings to `tick`."""
    day = c.authors.shape[1]
    last = c.last[row]
    if tick <= last:
        return
    if tick - last >= day:
        c.authors[row, :] = 0
        c.reels[row, :] = 0
        c.day_authors[row] = 0
        c.day_reels[row] = 0
    else:
        for t in range(last + 1, tick + 1):
            at = t % day
            c.day_authors[row] -= c.authors[row, at]
            c.day_reels[row] -= c.reels[row, at]
            c.authors[row, at] = 0
            c.reels[row, at] = 0
    hour, last_hour = tick // ticks_per_hour, last // ticks_per_hour
    if hour - last_hour >= HOURS:
        c.hour_authors[row, :] = 0
        c.hour_reels[row, :] = 0
    else:
        for h in range(last_hour + 1, hour + 1):
            c.hour_authors[row, h % HOURS] = 0
            c.hour_reels[row, h % HOURS] = 0
    c.last[row] = tick


@njit(cache=True)
def _count_use(
    c: Counts, row: int, now: int, tick: int, new_author: bool, ticks_per_hour: int
) -> None:
    """Add one reel, and its author if new, to a row whose rings are at `now`."""
    day = c.authors.shape[1]
    hour = tick // ticks_per_hour
    if now - tick < day:
        at = tick % day
        if c.reels[row, at] < 65535:
            c.reels[row, at] += 1
            c.day_reels[row] += 1
            if new_author:
                c.authors[row, at] += 1
                c.day_authors[row] += 1
    if now // ticks_per_hour - hour < HOURS:
        at = hour % HOURS
        if c.hour_reels[row, at] < 65535:
            c.hour_reels[row, at] += 1
            if new_author:
                c.hour_authors[row, at] += 1
    if new_author:
        c.total[row] += 1


@njit(cache=True)
def _pair_is_new(c: Counts, signal: np.uint64, author: np.uint64, tick: int) -> bool:
    """Whether the author had not used the signal within the day before; it is noted either way."""
    day = c.authors.shape[1]
    key = combine(signal, author)
    if key == 0:
        key = np.uint64(1)
    mask = c.pair_key.size - 1
    at = np.int64(key & np.uint64(mask))
    while c.pair_key[at] != 0:
        if c.pair_key[at] == key:
            last = c.pair_tick[at]
            if abs(tick - last) < day:
                return False
            if tick > last:
                c.pair_tick[at] = tick
            return True
        at = (at + 1) & mask
    c.pair_key[at] = key
    c.pair_tick[at] = tick
    c.n[PAIRS] += 1
    return True


@njit(cache=True)
def _append_use(
    c: Counts, signal: np.uint64, reel: np.uint64, author: np.uint64, tick: int, prev: int, young: int
) -> int:
    """Append a use to the log and return its sequence number; room must have been made."""
    use = c.n[NEXT_USE]
    at = use & (c.use_reel.size - 1)
    c.use_signal[at] = signal
    c.use_reel[at] = reel
    c.use_author[at] = author
    c.use_tick[at] = tick
    c.use_prev[at] = prev
    c.use_young[at] = young
    c.n[NEXT_USE] = use + 1
    if c.n[NEXT_USE] - c.n[FIRST_USE] > c.use_reel.size:
        c.n[FIRST_USE] += 1
    return use


@njit(cache=True)
def expire_uses(c: Counts, now: int) -> None:
    """Let go of the oldest uses as far as they are a day old at `now`."""
    day = c.authors.shape[1]
    mask = c.use_reel.size - 1
    while c.n[FIRST_USE] < c.n[NEXT_USE] and c.use_tick[c.n[FIRST_USE] & mask] <= now - day:
        c.n[FIRST_USE] += 1


@njit(cache=True)
def _is_ordinary(again: int, tick: int, now: int) -> bool:
    return again == 0 and tick == now


@njit(cache=True)
def order_group(rows: npt.NDArray[np.void], order: I64, start: int, stop: int, now: int) -> None:
    """Put a group's late and repeated uses last, in an order that follows from the data.

    Ordinary uses of one tick may be counted in any order with the same result; these may not.
    """
    front = start
    for i in range(start, stop):
        row = rows[order[i]]
        if _is_ordinary(row.again, row.tick, now):
            order[i], order[front] = order[front], order[i]
            front += 1
    for i in range(front + 1, stop):
        moved = order[i]
        j = i
        while j > front and _comes_before(rows[moved], rows[order[j - 1]]):
            order[j] = order[j - 1]
            j -= 1
        order[j] = moved


@njit(cache=True)
def _comes_before(a: np.void, b: np.void) -> bool:
    if a.again != b.again:
        return bool(a.again < b.again)
    if a.tick != b.tick:
        return bool(a.tick < b.tick)
    if a.author != b.author:
        return bool(a.author < b.author)
    return bool(a.reel < b.reel)


@njit(cache=True)
def count_group(
    c: Counts,
    rows: npt.NDArray[np.void],
    labels: U8,
    order: I64,
    start: int,
    stop: int,
    now: int,
    ticks_per_hour: int,
) -> int:
    """Count the uses `order[start:stop]` of one signal at tick `now`; return its row or NONE."""
    signal = rows[order[start]].signal
    at = slot_of(c.slots, c.key, signal)
    row = c.slots[at] - 1
    if row < 0:
        if not _add_young(c, rows, order, start, stop, now):
            return NONE
        row = _admit(c, rows, labels, order, start, stop, now, ticks_per_hour, at)
        if row < 0 or stop - start <= CROWD:
            return row
    advance_row(c, row, now, ticks_per_hour)
    everything = c.day_authors[row] < SAMPLED_ABOVE
    for i in range(start, stop):
        use = rows[order[i]]
        new_author = _pair_is_new(c, signal, use.author, use.tick)
        if use.again == 1 and not new_author:
            continue
        _count_use(c, row, now, use.tick, new_author, ticks_per_hour)
        if everything or use.reel < SAMPLE_LIMIT:
            c.head[row] = _append_use(c, signal, use.reel, use.author, use.tick, c.head[row], 0)
    c.used[row] = now
    return row


@njit(cache=True)
def _add_young(
    c: Counts, rows: npt.NDArray[np.void], order: I64, start: int, stop: int, now: int
) -> bool:
    """Note the uses of a signal without a row; return whether it is to be admitted."""
    if stop - start > CROWD:
        return True
    day = c.authors.shape[1]
    mask = c.use_reel.size - 1
    signal = rows[order[start]].signal
    bucket = np.int64(signal & np.uint64(mask))
    for i in range(start, stop):
        new = rows[order[i]]
        if new.tick <= now - day:
            continue
        known = False
        use = c.buckets[bucket]
        while use >= c.n[FIRST_USE]:
            at = use & mask
            if c.use_signal[at] == signal and c.use_author[at] == new.author:
                if c.use_tick[at] > now - day:
                    known = True
                    if c.use_tick[at] == new.tick and new.reel < c.use_reel[at]:
                        c.use_reel[at] = new.reel
                    break
            use = c.use_prev[at]
        if not known:
            c.buckets[bucket] = _append_use(
                c, signal, new.reel, new.author, new.tick, c.buckets[bucket], 1
            )
    authors = 0
    use = c.buckets[bucket]
    while use >= c.n[FIRST_USE]:
        at = use & mask
        if c.use_signal[at] == signal and c.use_tick[at] > now - day:
            authors += 1
        use = c.use_prev[at]
    return authors >= ADMIT_AUTHORS


@njit(cache=True)
def _admit(
    c: Counts,
    rows: npt.NDArray[np.void],
    labels: U8,
    order: I64,
    start: int,
    stop: int,
    now: int,
    ticks_per_hour: int,
    slot: int,
) -> int:
    """Give a young signal a row with its uses so far; NONE where the table is full."""
    row = c.n[ROWS]
    if row >= c.key.size:
        return NONE
    first = rows[order[start]]
    for i in range(start + 1, stop):
        if rows[order[i]].reel < first.reel:
            first = rows[order[i]]
    signal = first.signal
    c.n[ROWS] = row + 1
    c.slots[slot] = row + 1
    c.key[row] = signal
    c.kind[row] = first.kind
    c.born[row] = now
    c.last[row] = now
    c.used[row] = now
    c.total[row] = 0
    c.day_authors[row] = 0
    c.day_reels[row] = 0
    c.authors[row, :] = 0
    c.reels[row, :] = 0
    c.hour_authors[row, :] = 0
    c.hour_reels[row, :] = 0
    c.head[row] = NONE
    c.tracked[row] = UNTRACKED
    c.detailed[row] = 0
    at = c.n[LABEL_BYTES]
    length = min(first.label_len, MAX_LABEL)
    c.label_at[row] = at
    c.label_len[row] = length
    for i in range(length):
        c.labels[at + i] = labels[first.label_at + i]
    c.n[LABEL_BYTES] = at + length
    _take_over_uses(c, row, signal, now, ticks_per_hour)
    return row


@njit(cache=True)
def _take_over_uses(
    c: Counts, row: int, signal: np.uint64, now: int, ticks_per_hour: int
) -> None:
    """Count the young uses of a signal into its new row and chain them there."""
    day = c.authors.shape[1]
    mask = c.use_reel.size - 1
    use = c.buckets[np.int64(signal & np.uint64(mask))]
    while use >= c.n[FIRST_USE]:
        at = use & mask
        use = c.use_prev[at]
        if c.use_signal[at] == signal and c.use_young[at] == 1 and c.use_tick[at] > now - day:
            reel, author, tick = c.use_reel[at], c.use_author[at], c.use_tick[at]
            c.use_tick[at] = now - day  # as good as expired in its bucket's chain
            if _pair_is_new(c, signal, author, tick):
                _count_use(c, row, now, tick, True, ticks_per_hour)
                c.head[row] = _append_use(c, signal, reel, author, tick, c.head[row], 0)
