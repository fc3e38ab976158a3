"""The tables of a shard: made small, grown as needed, and freed of what is no longer of use."""

from mmap import mmap
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from trend import history, log, pairs
from trend import layout as k
from trend.budget import ShardSettings
from trend.closing import bytes_of
from trend.compiled import kernel
from trend.counts import advance_row, slot_of
from trend.layout import HOURS, I32, I64, Counts, Records
from trend.rings import moment

_FIRST_ROWS: Final = 512
_FIRST_LOG: Final = 4096
_FIRST_PAIRS: Final = 8192
_LARGE: Final = 1 << 19
"""Bytes from which on an array has memory of its own, and grows by half and not to its double."""
_PAIRS_AFTER: Final = 0.5
"""Share of the pairs' places that may be taken after they were put in order."""


def empty(settings: ShardSettings) -> Counts:
    """Return the counts of a shard that has seen nothing."""
    day = 24 * settings.ticks_per_hour
    rows = min(_FIRST_ROWS, settings.max_rows)
    uses = min(_FIRST_LOG, settings.max_uses)
    n = np.zeros(k.SCALARS, np.int64)
    n[[k.VOLUME_TICK, k.DAY, k.NOW, k.CLEANED, k.FREE_PAGE]] = k.NONE
    return Counts(
        n=n,
        slots=np.zeros(2 * rows, np.int32),
        signals=np.zeros(rows, k.SIGNAL),
        chains=np.zeros((rows, 2), k.CHAIN),
        pages=np.zeros((2 * rows, k.PAGE), np.int64),
        links=np.zeros((2 * rows, 2), np.int32),
        tracked_rows=np.zeros(rows, np.int32),
        labels=np.zeros(16 * k.MAX_LABEL, np.uint8),
        uses=np.zeros(uses, k.LOGGED),
        buckets=np.zeros(uses, np.int32),
        pairs=np.zeros(min(_FIRST_PAIRS, settings.max_pairs), k.PAIR),
        volume=np.zeros(day + 1, np.int64),
        hour_volume=np.zeros(HOURS + 1, np.int64),
    )


def zeros(shape: int | tuple[int, ...], kind: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return zeros; a large array has a mapping of its own.

    So what is not touched takes no memory, and what is let go is no longer the process's: an
    allocator would keep it for arrays that do not fit.
    """
    kind = np.dtype(kind)
    size = kind.itemsize * int(np.prod(shape))
    if size < _LARGE:
        return np.zeros(shape, kind)
    return np.frombuffer(mmap(-1, size), kind).reshape(shape)


def _grown(array: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    grown = zeros((size, *array.shape[1:]), array.dtype)
    grown[: array.shape[0]] = array
    return grown


def _more(array: npt.NDArray[Any], size: int) -> int:
    """Return to what size an array grows that must have `size` at least."""
    now = array.shape[0]
    return max(size, now * 2 if array.nbytes < _LARGE else now + now // 2)


def with_room(c: Counts, uses: int, label_bytes: int, settings: ShardSettings) -> Counts:
    """Return the counts with room for a tick's uses: a row and two pages each, and the labels."""
    rows = min(int(c.n[k.ROWS]) + uses, settings.max_rows)
    if rows > c.signals.size:
        c = with_rows(c, min(_more(c.signals, rows), settings.max_rows))
    pages = int(c.n[k.PAGES]) + 2 * uses
    if pages > c.pages.shape[0]:
        pages = _more(c.pages, pages)
        c = c._replace(pages=_grown(c.pages, pages), links=_grown(c.links, pages))
    labels = int(c.n[k.LABEL_BYTES]) + label_bytes
    if labels > c.labels.size:
        c = c._replace(labels=_grown(c.labels, _more(c.labels, labels)))
    return c


def with_rows(c: Counts, rows: int) -> Counts:
    """Return the counts with room for `rows` signals."""
    grown = {name: _grown(getattr(c, name), rows) for name in ("signals", "chains", "tracked_rows")}
    c = c._replace(slots=zeros(2 * rows, np.int32), **grown)
    _index(c.slots, c.signals, c.n[k.ROWS])
    return c


@kernel
def _index(slots: I32, signals: Records, rows: int) -> None:
    for row in range(rows):
        slots[slot_of(slots, signals, signals[row].key)] = row + 1


def with_log(c: Counts, room: int, settings: ShardSettings) -> Counts:
    """Return the counts with room for so many uses in the log, as far as the budget goes."""
    taken = int(c.n[k.NEXT_USE] - c.n[k.FIRST_USE])
    size = c.uses.size
    while size < settings.max_uses and size - taken < room:
        size *= 2
    return resized_log(c, size)


def resized_log(c: Counts, size: int) -> Counts:
    """Return the counts with a log of another size, a power of two that holds what is kept."""
    larger = c._replace(uses=zeros(size, k.LOGGED), buckets=zeros(size, np.int32))
    log.copy(c.n, c.uses, larger.uses, larger.buckets)
    return larger


def with_pairs(c: Counts, tick: int, coming: int, settings: ShardSettings) -> Counts:
    """Return the counts without pairs too old to matter, in a table with room for `coming` more.

    At the limit of the budget the oldest are forgotten, by whole ticks.
    """
    after = tick - pairs.KEPT_DAYS * (c.volume.size - 1)
    copies = np.empty(int(c.n[k.PAIRS]) + 1, k.PAIR)
    kept = c.n[k.PAIRS] = int(pairs.forget(c.pairs, after, copies))
    size = c.pairs.size
    wanted = int((kept + coming) / _PAIRS_AFTER)
    if wanted > size:
        size = max(size, min(wanted + wanted // 4, settings.max_pairs))
    if wanted > size:
        room = max(int(_PAIRS_AFTER * size) - coming, size // 4)
        after = int(pairs.newest(c.pairs, tick, room, np.zeros(tick - after, np.int64)))
        size = max(size, int((room + coming) / _PAIRS_AFTER))
        return resized_pairs(c, after, size)
    return c if size == c.pairs.size else resized_pairs(c, after, size)


def resized_pairs(c: Counts, after: int, size: int) -> Counts:
    """Return the counts with the pairs of later ticks than `after`, in a table of another size."""
    table = zeros(size, k.PAIR)
    c.n[k.PAIRS] = pairs.insert(c.pairs, after, table)
    return c._replace(pairs=table)


def restored(c: Counts, uses: int, pairs: int, max_rows: int) -> Counts:
    """Return pickled counts with a log and pairs of these sizes and room in all other tables."""
    kept = np.arange(c.n[k.FIRST_USE], c.n[k.NEXT_USE])
    ring = zeros(uses, k.LOGGED)
    ring[kept & (uses - 1)] = c.uses
    c = resized_log(c._replace(uses=ring), uses)
    c = resized_pairs(c, np.iinfo(np.int32).min, pairs)
    names = ("n", "pages", "links", "labels", "volume", "hour_volume")
    room = {name: np.require(getattr(c, name), requirements="W") for name in names}
    return with_rows(c._replace(**room), min(max(c.signals.size, _FIRST_ROWS), max_rows))


def clean(c: Counts, tick: int, settings: ShardSettings) -> None:
    """Free what is out of reach at `tick`: history, and rows that were idle for all of it.

    Under pressure the least useful signals go as well.
    """
    rows = int(c.n[k.ROWS])
    signals = c.signals[:rows]
    c.n[k.DAY] = tick // (c.volume.size - 1)
    c.n[k.CLEANED] = tick
    _advance(c, tick, settings.ticks_per_hour)
    keep = signals["used"] > tick - HOURS * settings.ticks_per_hour
    tracked = signals["tracked"] != k.UNTRACKED
    if bytes_of(c.n) > k.PRESSURE * settings.max_bytes or rows > k.PRESSURE * settings.max_rows:
        room = np.empty(rows, np.int64)
        _sizes(c, room)
        keep &= _most_useful(
            usefulness(signals, settings.ticks_per_hour),
            room,
            int(k.RELIEF * settings.max_bytes),
            int(k.RELIEF * settings.max_rows),
        )
    keep |= tracked
    kept = int(np.count_nonzero(keep))
    if kept < rows:
        c.n[k.EVICTED] += rows - kept
        moved = keep.cumsum() - 1
        count = int(c.n[k.TRACKED])
        c.tracked_rows[:count] = moved[c.tracked_rows[:count]]
        _compact(c, keep)


def usefulness(signals: Records, ticks_per_hour: int) -> I64:
    """Return what keeping each signal is worth, in ticks: when it was last used, and its past.

    A past of many authors takes long to learn again, and without it the signal's return would look
    like news; so each doubling of the authors of the last fifteen days is worth a day.
    """
    doublings = np.log2(1.0 + signals["hours_authors"])
    worth: I64 = signals["used"] + (24 * ticks_per_hour * doublings).astype(np.int64)
    return worth


def _most_useful(worth: I64, sizes: I64, max_bytes: int, max_rows: int) -> npt.NDArray[np.bool_]:
    """Return which rows to keep so that they fit; of equal worth, the first ones."""
    order = np.argsort(-worth, kind="stable")
    fit = min(int(np.searchsorted(sizes[order].cumsum(), max_bytes, "right")), max_rows)
    keep = np.zeros(worth.size, np.bool_)
    keep[order[:fit]] = True
    return keep


@kernel
def _advance(c: Counts, tick: int, ticks_per_hour: int) -> None:
    now = moment(tick, c.volume.size - 1, ticks_per_hour)
    for row in range(c.n[k.ROWS]):
        advance_row(c, row, now)


@kernel
def _sizes(c: Counts, sizes: I64) -> None:
    """Fill in the bytes that each row takes, with its label and its history."""
    for row in range(c.n[k.ROWS]):
        pages = history.pages_of(c, row, k.TICKS) + history.pages_of(c, row, k.BY_HOUR)
        sizes[row] = k.ROW_BYTES + c.signals[row].label_len + pages * k.PAGE_BYTES


@kernel
def _compact(c: Counts, keep: npt.NDArray[np.bool_]) -> None:
    """Move the rows to keep and their labels to the front, in place; let go of the others."""
    rows = label_bytes = 0
    for row in range(keep.size):
        if not keep[row]:
            history.release(c, row, k.TICKS)
            history.release(c, row, k.BY_HOUR)
            continue
        start = c.signals[row].label_at
        for i in range(c.signals[row].label_len):
            c.labels[label_bytes + i] = c.labels[start + i]
        c.signals[rows] = c.signals[row]
        c.signals[rows].label_at = label_bytes
        c.chains[rows, k.TICKS] = c.chains[row, k.TICKS]
        c.chains[rows, k.BY_HOUR] = c.chains[row, k.BY_HOUR]
        label_bytes += c.signals[rows].label_len
        rows += 1
    c.n[k.ROWS] = rows
    c.n[k.LABEL_BYTES] = label_bytes
    c.slots[:] = 0
    _index(c.slots, c.signals, rows)
