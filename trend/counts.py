"""What a shard counts, in columns: uses, distinct authors and history of its signals.

A signal is *young* until three authors have used it within a day. A young signal has no row in the
table, only its uses in the log of the last day, so the endless number of phrases that come once or
twice cost a few bytes for one day. Then it is *admitted*: it gets a row, its uses so far are
counted into it, and its label is kept.

An author counts once a day and signal, however many reels they post: `authors` are authors who used
the signal and had not done so within the day before. That makes counts of windows additive.

    log      the uses of the last day (`trend.log`)
    pairs    when each author last used a signal, for admitted signals (`trend.pairs`)
    rows     per admitted signal: sums, and the history of the last day by tick and of the last
             fifteen days by hour (`trend.history`), which is brought forward when it is touched

Everything here happens tick by tick, in an order that follows from the data alone, so that no
result depends on how the input was cut into polls.
"""

from typing import Any, Final

import numpy as np

from trend import history, log
from trend.compiled import inlined, kernel, prefetch
from trend.layout import (
    ADMIT_AUTHORS,
    BY_HOUR,
    CROWD,
    FIRST_USE,
    I32,
    I64,
    LABEL_BYTES,
    MAX_LABEL,
    NONE,
    ROWS,
    SAMPLE_LIMIT,
    SAMPLED_ABOVE,
    TICKS,
    U8,
    UNTRACKED,
    Counts,
    Int,
    Records,
)
from trend.pairs import first_place, next_place, pair_is_new, pair_key
from trend.rings import Moment, moment
from trend.signals import SHARD_BITS

LEAD: Final = 16
"""Uses between two steps of looking ahead."""


@inlined
def _first_slot(slots: I32, key: np.uint64) -> np.uint64:
    """Return the slot where a row is looked for first, by the hash's bits below the shard's."""
    return first_place(key << np.uint64(SHARD_BITS), slots.size)


@inlined
def slot_of(slots: I32, signals: Records, key: np.uint64) -> np.uint64:
    """Return the slot that holds `key`'s row, or the free one where it would go."""
    at = _first_slot(slots, key)
    while slots[at] != 0 and signals[np.uint64(slots[at] - 1)].key != key:
        at = next_place(at, slots.size)
    return at


@inlined
def advance_row(c: Counts, row: Int, now: Moment) -> None:
    """Let go of what is out of a row's reach at `now`."""
    if c.chains[row, TICKS].first <= now.day_start:
        authors, reels = history.drop_until(c, row, TICKS, now.day_start)
        c.signals[row].day_authors -= authors
        c.signals[row].day_reels -= reels
    if c.chains[row, BY_HOUR].first <= now.hours_start:
        authors, reels = history.drop_until(c, row, BY_HOUR, now.hours_start)
        c.signals[row].hours_authors -= authors


@inlined
def _count_use(c: Counts, row: Int, now: Moment, tick: Int, hour: Int, new_author: Int) -> None:
    """Add one reel of a tick, and `new_author` authors (0 or 1), to a row brought to `now`."""
    if tick > now.day_start and history.add_reel(c, row, TICKS, tick, new_author) == 1:
        c.signals[row].day_reels += 1
        c.signals[row].day_authors += new_author
    if hour > now.hours_start and history.add_reel(c, row, BY_HOUR, hour, new_author) == 1:
        c.signals[row].hours_authors += new_author
    c.signals[row].total += new_author


@inlined
def _look_ahead(c: Counts, rows: Records, order: I64, start: Int, stop: Int) -> None:
    """Ask for the memory that the uses after these will need.

    In three steps, as each tells where the next is: slot, bucket and pair; row and newest young
    use; pages.
    """
    for i in range(start + 3 * LEAD, min(stop + 3 * LEAD, order.size)):
        use = rows[order[i]]
        prefetch(c.slots, _first_slot(c.slots, use.signal))
        prefetch(c.buckets, log.bucket_of(c.uses, use.signal))
        prefetch(c.pairs, first_place(pair_key(use.signal, use.author), c.pairs.size))
    for i in range(start + 2 * LEAD, min(stop + 2 * LEAD, order.size)):
        signal = rows[order[i]].signal
        row = c.slots[_first_slot(c.slots, signal)] - 1
        if row >= 0:
            prefetch(c.signals, row)
            prefetch(c.chains, row)
        else:
            prefetch(c.uses, max(c.buckets[log.bucket_of(c.uses, signal)] - 1, 0))
    for i in range(start + LEAD, min(stop + LEAD, order.size)):
        row = c.slots[_first_slot(c.slots, rows[order[i]].signal)] - 1
        if row >= 0:
            prefetch(c.pages, max(c.chains[row, TICKS].newest, 0))
            prefetch(c.pages, max(c.chains[row, BY_HOUR].newest, 0))


@inlined
def _is_ordinary(again: Int, tick: Int, now: Int) -> bool:
    return again == 0 and tick == now


@kernel
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


@kernel
def _comes_before(a: Any, b: Any) -> bool:
    if a.again != b.again:
        return bool(a.again < b.again)
    if a.tick != b.tick:
        return bool(a.tick < b.tick)
    if a.author != b.author:
        return bool(a.author < b.author)
    return bool(a.reel < b.reel)


@kernel
def count_uses(
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
) -> Int:
    """Count the uses `order[start:stop]` of tick `now`, signal by signal.

    There must be room for a row, its label and two pages for each of them, except that a table of
    `max_rows` admits nothing more.

    Args:
        rows: USE records; those in question are in the order of their signals.
        labels: bytes that their labels are in.
        min_authors: authors of the day from which on a signal may burst.
        touched: receives the rows of signals that are to be judged.

    Returns:
        The count of `touched`.
    """
    n, signals = c.n, c.signals
    day = c.volume.size - 1
    here = moment(now, day, ticks_per_hour)
    count = 0
    at = start
    while at < stop:
        signal = rows[order[at]].signal
        end = at
        ordinary = True
        while end < stop and rows[order[end]].signal == signal:
            ordinary = ordinary and _is_ordinary(rows[order[end]].again, rows[order[end]].tick, now)
            end += 1
        if not ordinary:
            order_group(rows, order, at, end, now)
        _look_ahead(c, rows, order, at, end)
        slot = slot_of(c.slots, signals, signal)
        row: Int = np.int64(c.slots[slot]) - 1
        crowd = end - at > CROWD
        if row < 0:
            admitted = crowd or _add_young(c, rows, order, at, end, here) >= ADMIT_AUTHORS
            if admitted and n[ROWS] < max_rows:
                row = _admit(c, rows[_first_reel(rows, labels, order, at, end)], labels, slot, now)
                _take_over_uses(c, row, signal, here, ticks_per_hour)
                if crowd:
                    _count_group(c, row, rows, order, at, end, here, ticks_per_hour)
        else:
            advance_row(c, row, here)
            _count_group(c, row, rows, order, at, end, here, ticks_per_hour)
        if (
            row >= 0
            and signals[row].day_authors >= min_authors
            and (signals[row].total >= signals[row].judge_from or now >= signals[row].judge_at)
        ):
            touched[count] = row
            count += 1
        at = end
    return count


@inlined
def _count_group(
    c: Counts,
    row: Int,
    rows: Records,
    order: I64,
    start: Int,
    stop: Int,
    now: Moment,
    ticks_per_hour: Int,
) -> None:
    """Count the uses of an admitted signal, whose row was brought to `now`."""
    signals = c.signals
    everything = signals[row].day_authors < SAMPLED_ABOVE
    for i in range(start, stop):
        use = rows[order[i]]
        tick = np.int64(use.tick)
        if use.again == 1 and tick <= now.day_start:
            continue
        new_author = pair_is_new(
            c.n, c.pairs, signals[row].key, use.author, tick, now.tick, now.tick - now.day_start
        )
        if use.again == 1 and new_author == 0:
            continue
        hour = now.hour if tick == now.tick else tick // ticks_per_hour
        _count_use(c, row, now, tick, hour, new_author)
        if everything or use.reel < SAMPLE_LIMIT:
            signals[row].head = log.append(
                c.n, c.uses, signals[row].key, use.reel, use.author, tick, signals[row].head, 0
            )
    signals[row].used = now.tick


@kernel
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


@kernel
def _label_before(labels: U8, a: Any, b: Any) -> bool:
    for i in range(min(a.label_len, b.label_len)):
        x, y = labels[a.label_at + i], labels[b.label_at + i]
        if x != y:
            return bool(x < y)
    return bool(a.label_len < b.label_len)


@inlined
def _add_young(c: Counts, rows: Records, order: I64, start: Int, stop: Int, now: Moment) -> Int:
    """Note the uses of a signal without a row; return its authors within the day."""
    n, uses, buckets = c.n, c.uses, c.buckets
    signal = rows[order[start]].signal
    bucket = log.bucket_of(uses, signal)
    newest = log.newest_young(n, uses, buckets, signal)
    authors = 0
    for i in range(start, stop):
        new = rows[order[i]]
        if new.tick <= now.day_start:
            continue
        known = False
        authors = 0
        use = newest
        while use >= n[FIRST_USE]:
            at = log.place_of(uses, use)
            if uses[at].signal == signal and uses[at].tick > now.day_start:
                authors += 1
                if uses[at].author == new.author:
                    known = True
                    if uses[at].tick == new.tick and new.reel < uses[at].reel:
                        uses[at].reel = new.reel
            use = log.before(uses, use)
        if not known:
            authors += 1
            newest = log.append(n, uses, signal, new.reel, new.author, new.tick, newest, 1)
            buckets[bucket] = log.place_of(uses, newest) + 1
    return authors


@kernel
def _admit(c: Counts, first: Any, labels: U8, slot: Int, now: Int) -> Int:
    """Give a signal an empty row and keep its label."""
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
    signals[row].used = now
    signals[row].total = 0
    signals[row].day_authors = 0
    signals[row].day_reels = 0
    signals[row].hours_authors = 0
    signals[row].head = NONE
    signals[row].tracked = UNTRACKED
    signals[row].detailed = 0
    signals[row].judge_from = 0
    signals[row].judge_at = now
    history.clear(c, row, TICKS)
    history.clear(c, row, BY_HOUR)
    return row


@kernel
def _take_over_uses(
    c: Counts, row: Int, signal: np.uint64, now: Moment, ticks_per_hour: Int
) -> None:
    """Count the young uses of a signal into its new row and chain them there."""
    n, uses = c.n, c.uses
    day = now.tick - now.day_start
    use = log.newest_young(n, uses, c.buckets, signal)
    while use >= n[FIRST_USE]:
        at = log.place_of(uses, use)
        use = log.before(uses, use)
        if uses[at].signal == signal and uses[at].tick > now.day_start:
            reel, author, tick = uses[at].reel, uses[at].author, np.int64(uses[at].tick)
            uses[at].tick = now.day_start  # as good as expired in its bucket's chain
            if pair_is_new(n, c.pairs, signal, author, tick, now.tick, day) == 1:
                _count_use(c, row, now, tick, tick // ticks_per_hour, 1)
                c.signals[row].head = log.append(
                    n, uses, signal, reel, author, tick, c.signals[row].head, 0
                )
