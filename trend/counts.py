"""What a shard counts, in columns: uses, distinct authors and history of its signals.

A signal is *young* until three authors have used it within a day. A young signal has no row in the
table, only its uses in the log of the last day, so the endless number of phrases that come once or
twice cost a few bytes for one day. Then it is *admitted*: it gets a row, its uses so far are
counted into it, and its label is kept.

An author counts once a day and signal, however many reels they post: `authors` are authors who used
the signal and had not done so within the day before. That makes counts of windows additive.

    log      the uses of the last day: reel, author, tick; chained per admitted signal, and per hash
             bucket for young ones. A ring: what is overwritten is older than a day, or beyond the
             budget.
    pairs    (signal, author) -> tick of the author's last counted use, for admitted signals
    rows     per admitted signal: ticks of the last day and hours of the last fifteen days, as rings
             that are advanced when the row is touched

Kernels take the arrays they use one by one: passing all of `Counts` costs numba a reference count
for each array, more than counting a use does.

Everything here happens tick by tick, in an order that follows from the data alone, so that no
result depends on how the input was cut into polls.
"""

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from trend.hashing import combine

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


@njit(cache=True, inline="always")
def slot_of(slots: I32, signals: Records, key: np.uint64) -> Int:
    """Return the slot that holds `key`'s row, or the free one where it would go."""
    mask = slots.size - 1
    at = np.int64(key & np.uint64(mask))
    while slots[at] != 0 and signals[slots[at] - 1].key != key:
        at = (at + 1) & mask
    return at


@njit(cache=True)
def ring_sum(ring: I64, first: Int, last: Int) -> Int:
    """Sum the places `first` to `last`, both included, of a ring by place % size.

    At most one turn of the ring; nothing where `last` is before `first`.
    """
    size = ring.size
    if last < first:
        return 0
    start, stop = first % size, last % size + 1
    total = np.int64(0)
    if start < stop:
        for at in range(start, stop):
            total += ring[at]
    else:
        for at in range(start, size):
            total += ring[at]
        for at in range(stop):
            total += ring[at]
    return total


@njit(cache=True)
def row_sum(rings: U16, row: Int, what: Int, first: Int, last: Int) -> Int:
    """Sum AUTHORS or REELS of a row's ring, as `ring_sum` does."""
    size = rings.shape[1]
    if last < first:
        return 0
    start, stop = first % size, last % size + 1
    total = np.int64(0)
    if start < stop:
        for at in range(start, stop):
            total += rings[row, at, what]
    else:
        for at in range(start, size):
            total += rings[row, at, what]
        for at in range(stop):
            total += rings[row, at, what]
    return total


@njit(cache=True, inline="always")
def _clear(rings: U16, row: Int, count: Int, last: Int) -> tuple[Int, Int]:
    """Empty the `count` places of a row's ring up to place `last`; return what they held."""
    size = rings.shape[1]
    at = last - min(count, size) + 1
    if at < 0:
        at += size
    authors = reels = np.int64(0)
    while True:
        if rings[row, at, REELS] != 0:
            authors += rings[row, at, AUTHORS]
            reels += rings[row, at, REELS]
            rings[row, at, AUTHORS] = 0
            rings[row, at, REELS] = 0
        if at == last:
            return authors, reels
        at = at + 1 if at + 1 < size else 0


@njit(cache=True)
def advance_volume(n: I64, volume: I64, hour_volume: I64, tick: Int, ticks_per_hour: Int) -> None:
    """Bring the volume's rings to `tick`: what lies between is empty."""
    day = volume.size
    last = n[VOLUME_TICK]
    if tick <= last:
        return
    if tick - last >= day:
        volume[:] = 0
    else:
        for t in range(last + 1, tick + 1):
            volume[t % day] = 0
    hour, last_hour = tick // ticks_per_hour, last // ticks_per_hour
    if hour - last_hour >= HOURS:
        hour_volume[:] = 0
        n[HOURS_VOLUME] = 0
    else:
        for h in range(last_hour + 1, hour + 1):
            n[HOURS_VOLUME] -= hour_volume[h % HOURS]
            hour_volume[h % HOURS] = 0
    n[VOLUME_TICK] = tick


@njit(cache=True)
def add_volume(
    n: I64,
    volume: I64,
    hour_volume: I64,
    rows: Records,
    start: Int,
    through: Int,
    ticks_per_hour: Int,
) -> Int:
    """Count the volume of all ticks of effect up to `through`; return where it stopped.

    Args:
        rows: VOLUME records in the order of `apply`.
        start: the first of them that is not counted yet.
    """
    at = start
    while at < rows.size and rows[at].apply <= through:
        now, tick, reels = np.int64(rows[at].apply), np.int64(rows[at].tick), rows[at].reels
        advance_volume(n, volume, hour_volume, now, ticks_per_hour)
        if now - tick < volume.size:
            volume[tick % volume.size] += reels
        hour = tick // ticks_per_hour
        if now // ticks_per_hour - hour < HOURS:
            hour_volume[hour % HOURS] += reels
            n[HOURS_VOLUME] += reels
        n[VOLUME_TOTAL] += reels
        at += 1
    return at


class Moment(NamedTuple):
    """A tick and its places in the rings: divisions are dear, so they are done once a tick."""

    tick: Int
    at: Int  # in the ring of ticks
    hour: Int
    hour_at: Int  # in the ring of hours


@njit(cache=True)
def moment(tick: Int, day: Int, ticks_per_hour: Int) -> Moment:
    """Return `tick` and its places; a day has `day` ticks."""
    hour = tick // ticks_per_hour
    return Moment(tick, tick % day, hour, hour % HOURS)


@njit(cache=True, inline="always")
def advance_row(signals: Records, ticks: U16, hours: U16, row: Int, now: Moment) -> None:
    """Bring a row's rings to `now`."""
    gap = now.tick - signals[row].last
    if gap > 0:
        if signals[row].day_reels != 0:
            authors, reels = _clear(ticks, row, gap, now.at)
            signals[row].day_authors -= authors
            signals[row].day_reels -= reels
        gap = now.hour - signals[row].last_hour
        if gap > 0:
            authors, _ = _clear(hours, row, gap, now.hour_at)
            signals[row].hours_authors -= authors
            signals[row].last_hour = now.hour
        signals[row].last = now.tick


@njit(cache=True, inline="always")
def _count_use(
    signals: Records, ticks: U16, hours: U16, row: Int, now: Moment, when: Moment, new_author: Int
) -> None:
    """Add one reel of `when`, and `new_author` authors (0 or 1), to a row brought to `now`."""
    if now.tick - when.tick < ticks.shape[1] and ticks[row, when.at, REELS] < FULL:
        ticks[row, when.at, REELS] += 1
        ticks[row, when.at, AUTHORS] += new_author
        signals[row].day_reels += 1
        signals[row].day_authors += new_author
    if now.hour - when.hour < HOURS and hours[row, when.hour_at, REELS] < FULL:
        hours[row, when.hour_at, REELS] += 1
        hours[row, when.hour_at, AUTHORS] += new_author
        signals[row].hours_authors += new_author
    signals[row].total += new_author


@njit(cache=True, inline="always")
def _pair_is_new(
    n: I64, pairs: Records, signal: np.uint64, author: np.uint64, tick: Int, day: Int
) -> Int:
    """Return 1 if the author had not used the signal within the day before; note it either way."""
    key = combine(signal, author)
    if key == 0:
        key = np.uint64(1)
    mask = pairs.size - 1
    at = np.int64(key & np.uint64(mask))
    while pairs[at].key != 0:
        if pairs[at].key == key:
            last = pairs[at].tick
            if abs(tick - last) < day:
                return 0
            if tick > last:
                pairs[at].tick = tick
            return 1
        at = (at + 1) & mask
    pairs[at].key = key
    pairs[at].tick = tick
    n[PAIRS] += 1
    return 1


@njit(cache=True, inline="always")
def _append_use(
    n: I64,
    uses: Records,
    signal: np.uint64,
    reel: np.uint64,
    author: np.uint64,
    tick: Int,
    prev: Int,
    young: Int,
) -> Int:
    """Append a use to the log and return its sequence number; the oldest goes if it is full."""
    use = n[NEXT_USE]
    at = use & (uses.size - 1)
    uses[at].signal = signal
    uses[at].reel = reel
    uses[at].author = author
    uses[at].prev = prev
    uses[at].tick = tick
    uses[at].young = young
    n[NEXT_USE] = use + 1
    if use + 1 - n[FIRST_USE] > uses.size:
        n[FIRST_USE] += 1
    return use


@njit(cache=True)
def expire_uses(n: I64, uses: Records, now: Int, day: Int) -> None:
    """Let go of the oldest uses as far as they are a day old at `now`."""
    mask = uses.size - 1
    while n[FIRST_USE] < n[NEXT_USE] and uses[n[FIRST_USE] & mask].tick <= now - day:
        n[FIRST_USE] += 1


@njit(cache=True, inline="always")
def _is_ordinary(again: Int, tick: Int, now: Int) -> bool:
    return again == 0 and tick == now


@njit(cache=True)
def order_group(rows: Records, order: I64, start: Int, stop: Int, now: Int) -> None:
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
def _comes_before(a: Any, b: Any) -> bool:
    if a.again != b.again:
        return bool(a.again < b.again)
    if a.tick != b.tick:
        return bool(a.tick < b.tick)
    if a.author != b.author:
        return bool(a.author < b.author)
    return bool(a.reel < b.reel)


# Why `count_uses` stopped.
COUNTED: Final = 0
NO_ROW: Final = 1
NO_LABEL_ROOM: Final = 2


@njit(cache=True, inline="always")
def count_uses(  # noqa: PLR0912
    c: Counts,
    rows: Records,
    labels: U8,
    order: I64,
    start: Int,
    stop: Int,
    now: Int,
    ticks_per_hour: Int,
    max_rows: Int,
    min_authors: Int,
    touched: I32,
    touched_count: Int,
) -> tuple[Int, Int, Int]:
    """Count the uses `order[start:stop]` of tick `now`, signal by signal.

    Args:
        rows: USE records; those in question are in the order of their signals.
        labels: bytes that their labels are in.
        max_rows: rows the table may grow to; a full table admits nothing more.
        min_authors: authors of the day from which on a signal may burst.
        touched: receives the rows of signals that are to be judged, from `touched_count` on.

    Returns:
        COUNTED or why it stopped, the first use that was not counted, and the count of `touched`.
    """
    n, slots, signals, uses, pairs = c.n, c.slots, c.signals, c.uses, c.pairs
    ticks, hours = c.ticks, c.hours
    day = ticks.shape[1]
    here = moment(now, day, ticks_per_hour)
    at = start
    while at < stop:
        if n[ROWS] == signals.size and signals.size < max_rows:
            return NO_ROW, at, touched_count
        if n[LABEL_BYTES] + MAX_LABEL > c.labels.size:
            return NO_LABEL_ROOM, at, touched_count
        signal = rows[order[at]].signal
        end = at
        ordinary = True
        while end < stop and rows[order[end]].signal == signal:
            ordinary = ordinary and _is_ordinary(rows[order[end]].again, rows[order[end]].tick, now)
            end += 1
        if not ordinary:
            order_group(rows, order, at, end, now)
        slot = slot_of(slots, signals, signal)
        row: Int = np.int64(slots[slot]) - 1
        counted = False
        if row < 0:
            crowd = end - at > CROWD
            admitted = crowd or (
                _add_young(n, uses, c.buckets, rows, order, at, end, now, day) >= ADMIT_AUTHORS
            )
            if not admitted or n[ROWS] == signals.size:
                at = end
                continue
            row = _admit(c, rows[_first_reel(rows, labels, order, at, end)], labels, slot, here)
            _take_over_uses(c, row, signal, here, ticks_per_hour)
            counted = not crowd
        if not counted:
            advance_row(signals, ticks, hours, row, here)
            everything = signals[row].day_authors < SAMPLED_ABOVE
            for i in range(at, end):
                use = rows[order[i]]
                tick = np.int64(use.tick)
                if use.again == 1 and tick <= now - day:
                    continue
                when = here if tick == now else moment(tick, day, ticks_per_hour)
                new_author = _pair_is_new(n, pairs, signal, use.author, tick, day)
                if use.again == 1 and new_author == 0:
                    continue
                _count_use(signals, ticks, hours, row, here, when, new_author)
                if everything or use.reel < SAMPLE_LIMIT:
                    signals[row].head = _append_use(
                        n, uses, signal, use.reel, use.author, tick, signals[row].head, 0
                    )
            signals[row].used = now
        if signals[row].day_authors >= min_authors and (
            signals[row].total >= signals[row].judge_from or now >= signals[row].judge_at
        ):
            touched[touched_count] = row
            touched_count += 1
        at = end
    return COUNTED, at, touched_count


@njit(cache=True)
def _first_reel(rows: Records, labels: U8, order: I64, start: Int, stop: Int) -> Int:
    """Return where the use with the smallest reel and label is: the label to keep."""
    first = order[start]
    for i in range(start + 1, stop):
        if rows[order[i]].reel < rows[first].reel or (
            rows[order[i]].reel == rows[first].reel
            and _label_before(labels, rows[order[i]], rows[first])
        ):
            first = order[i]
    return first


@njit(cache=True)
def _label_before(labels: U8, a: Any, b: Any) -> bool:
    for i in range(min(a.label_len, b.label_len)):
        x, y = labels[a.label_at + i], labels[b.label_at + i]
        if x != y:
            return bool(x < y)
    return bool(a.label_len < b.label_len)


@njit(cache=True, inline="always")
def _add_young(
    n: I64,
    uses: Records,
    buckets: I64,
    rows: Records,
    order: I64,
    start: Int,
    stop: Int,
    now: Int,
    day: Int,
) -> Int:
    """Note the uses of a signal without a row; return its authors within the day."""
    mask = uses.size - 1
    signal = rows[order[start]].signal
    bucket = np.int64(signal & np.uint64(mask))
    authors = 0
    for i in range(start, stop):
        new = rows[order[i]]
        if new.tick <= now - day:
            continue
        known = False
        authors = 0
        use = buckets[bucket]
        while use >= n[FIRST_USE]:
            at = use & mask
            use = uses[at].prev
            if uses[at].signal == signal and uses[at].tick > now - day:
                authors += 1
                if uses[at].author == new.author:
                    known = True
                    if uses[at].tick == new.tick and new.reel < uses[at].reel:
                        uses[at].reel = new.reel
        if not known:
            authors += 1
            buckets[bucket] = _append_use(
                n, uses, signal, new.reel, new.author, new.tick, buckets[bucket], 1
            )
    return authors


@njit(cache=True)
def _admit(c: Counts, first: Any, labels: U8, slot: Int, now: Moment) -> Int:
    """Give a signal an empty row and keep its label; there must be room for both."""
    n, signals = c.n, c.signals
    row = n[ROWS]
    n[ROWS] = row + 1
    c.slots[slot] = row + 1
    at = n[LABEL_BYTES]
    length = int(min(first.label_len, MAX_LABEL))
    for i in range(length):
        c.labels[at + i] = labels[first.label_at + i]
    n[LABEL_BYTES] = at + length
    signals[row].key = first.signal
    signals[row].kind = first.kind
    signals[row].label_at = at
    signals[row].label_len = length
    signals[row].last = now.tick
    signals[row].last_hour = now.hour
    signals[row].used = now.tick
    signals[row].total = 0
    signals[row].day_authors = 0
    signals[row].day_reels = 0
    signals[row].hours_authors = 0
    signals[row].head = NONE
    signals[row].tracked = UNTRACKED
    signals[row].detailed = 0
    signals[row].judge_from = 0
    signals[row].judge_at = now.tick
    c.ticks[row, :, :] = 0
    c.hours[row, :, :] = 0
    return row


@njit(cache=True)
def _take_over_uses(
    c: Counts, row: Int, signal: np.uint64, now: Moment, ticks_per_hour: Int
) -> None:
    """Count the young uses of a signal into its new row and chain them there."""
    n, uses = c.n, c.uses
    day = c.ticks.shape[1]
    mask = uses.size - 1
    use = c.buckets[np.int64(signal & np.uint64(mask))]
    while use >= n[FIRST_USE]:
        at = use & mask
        use = uses[at].prev
        if uses[at].signal == signal and uses[at].young == 1 and uses[at].tick > now.tick - day:
            reel, author, tick = uses[at].reel, uses[at].author, np.int64(uses[at].tick)
            uses[at].tick = now.tick - day  # as good as expired in its bucket's chain
            if _pair_is_new(n, c.pairs, signal, author, tick, day) == 1:
                when = moment(tick, day, ticks_per_hour)
                _count_use(c.signals, c.ticks, c.hours, row, now, when, 1)
                c.signals[row].head = _append_use(
                    n, uses, signal, reel, author, tick, c.signals[row].head, 0
                )
