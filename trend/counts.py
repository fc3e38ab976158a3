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

from typing import Any, Final

import numpy as np
from numba import njit

from trend.hashing import combine
from trend.layout import (
    ADMIT_AUTHORS,
    AUTHORS,
    CROWD,
    FIRST_USE,
    FULL,
    HOURS,
    I32,
    I64,
    LABEL_BYTES,
    MAX_LABEL,
    NEXT_USE,
    NONE,
    PAIRS,
    REELS,
    ROWS,
    SAMPLE_LIMIT,
    SAMPLED_ABOVE,
    U8,
    U16,
    UNTRACKED,
    Counts,
    Int,
    Records,
)
from trend.rings import Moment, advance_row, moment


@njit(cache=True, inline="always")
def slot_of(slots: I32, signals: Records, key: np.uint64) -> Int:
    """Return the slot that holds `key`'s row, or the free one where it would go."""
    mask = slots.size - 1
    at = np.int64(key & np.uint64(mask))
    while slots[at] != 0 and signals[slots[at] - 1].key != key:
        at = (at + 1) & mask
    return at


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
