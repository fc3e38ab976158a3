"""Decode: a poll's lines become columns; a line that is no reel becomes a reject.

Lines are decoded one by one with the contract's own struct, in C (`map` into a list): what is
accepted is what `schemas.reels.Reel` accepts, and a bad line costs only itself. Whatever is in
doubt goes to `operators.faults.classify`, which looks at that one line alone.
See docs/decisions/0001-decode.md for what was measured.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import chain, repeat
from operator import attrgetter, is_not, sub
from typing import Any, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from operators.blocks import LINE_LIMIT, REELS_SCHEMA, Decoded, Poll, Reject
from operators.faults import (
    DEPTH_LIMIT,
    EARLIEST,
    ERRORS,
    ID_LIMIT,
    LATEST,
    Fault,
    classify,
    openers,
    too_long,
)
from schemas.reels import Audio, Reel

__all__ = ["ERRORS", "decode"]

BOM = b"\xef\xbb\xbf"
_TEXTS = ("reel_id", "author_id", "caption", "transcript", "ocr_text")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = 86_400
_SECOND = 1_000_000
_decode = msgspec.json.Decoder(Reel).decode

T = TypeVar("T")
Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


def decode(poll: Poll) -> Decoded:
    """Turn the lines of a poll into columns and rejects.

    Returns
    -------
    Decoded
        `reels` has the columns of `REELS_SCHEMA`, in the order of the lines. `rejects` are in the
        order of their records. Blank lines are neither. A byte order mark is skipped where the
        partition begins, and is broken JSON anywhere else.
    """
    lines = poll.data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    bare = lines
    if poll.offset == 0 and lines and lines[0].startswith(BOM):
        bare = [lines[0].removeprefix(BOM), *lines[1:]]
    reels, failed = _each(_decode, bare)
    read = np.delete(np.arange(len(lines)), failed)
    records = _records(poll, len(lines))
    columns = _columns(reels, records[read])
    doubtful = {*failed, *_unsound(bare), *read[_improbable(columns)].tolist()}
    faults = {at: fault for at in sorted(doubtful) if (fault := classify(bare[at]))}
    if faults:
        columns = columns.filter(~np.isin(read, list(faults)))
    rejects = _rejects(poll, lines, records, faults) if faults or poll.oversized else ()
    return Decoded(poll.partition, columns, rejects, poll.end)


def _each(function: Callable[[bytes], T], lines: Sequence[bytes]) -> tuple[list[T], list[int]]:
    """What `function` makes of the lines, and the indices of those for which it raises."""
    made: list[T] = []
    failed: list[int] = []
    rest = map(function, lines)
    while True:
        try:
            made.extend(rest)  # keeps what came before a raise, and the map goes on after it
        except (ValueError, RecursionError):
            failed.append(len(made) + len(failed))
        else:
            return made, failed


def _unsound(lines: Sequence[bytes]) -> list[int]:
    """Lines that may decode and yet must be refused: for their bytes, length or nesting.

    msgspec does not look at the bytes of the strings it skips, and the depth at which it gives up
    is that of the stack. A line that decodes and is nested n deep has at least 2n bytes.
    """
    lengths = np.fromiter(map(len, lines), np.int64, len(lines))
    long = np.flatnonzero(lengths > 2 * DEPTH_LIMIT).tolist()
    deep = [at for at in long if openers(lines[at]) > DEPTH_LIMIT]
    return [*deep, *np.flatnonzero(lengths > LINE_LIMIT).tolist(), *_not_text(lines)]


def _not_text(lines: Sequence[bytes]) -> list[int]:
    """Lines that are not UTF-8. Polars says in no time that there are none, but not which."""
    try:
        pl.Series(lines, dtype=pl.Binary).cast(pl.String)
    except pl.exceptions.ComputeError:
        return _each(bytes.decode, lines)[1]
    return []


def _improbable(columns: pl.DataFrame) -> Mask:
    """Which reels have an id of too many bytes, or a time out of the possible."""
    earliest, latest = (int(at.timestamp()) * _SECOND for at in (EARLIEST, LATEST))
    times = columns["time"].to_numpy()
    found = (times < earliest) | (times >= latest)
    for name in ("reel_id", "author_id", "audio_id"):
        found |= (columns[name].str.len_bytes() > ID_LIMIT).fill_null(value=False).to_numpy()
    return found


def _columns(reels: Sequence[Reel], records: Integers) -> pl.DataFrame:
    audio_id, label = _audio(reels)
    columns = {name: _texts(reels, name) for name in _TEXTS}
    columns["record"] = pl.Series(records)
    columns["time"] = pl.Series(_times(reels))
    columns["hashtags"] = _hashtags(reels)
    columns["audio_id"] = audio_id
    columns["audio_label"] = label
    return pl.DataFrame({name: columns[name] for name in REELS_SCHEMA})


def _texts(reels: Sequence[Any], name: str) -> pl.Series:
    return pl.Series(list(map(attrgetter(name), reels)), dtype=pl.String)


def _times(reels: Sequence[Reel]) -> Integers:
    """`published_at` in microseconds since 1970 UTC, exactly."""
    spans = list(map(sub, map(attrgetter("published_at"), reels), repeat(_EPOCH)))
    days, seconds, rest = (
        np.fromiter(map(attrgetter(unit), spans), np.int64, len(spans))
        for unit in ("days", "seconds", "microseconds")
    )
    return (days * _DAY + seconds) * _SECOND + rest


def _hashtags(reels: Sequence[Reel]) -> pl.Series:
    """The hashtags as lists; null for none. Building them flat is ten times as fast as by list."""
    lists: list[list[str] | None] = list(map(attrgetter("hashtags"), reels))
    present: list[list[str]] = list(filter(None, lists))
    if not present:
        return pl.Series([None] * len(lists), dtype=pl.List(pl.String))
    lengths = np.fromiter(map(len, present), np.int64, len(present))
    owner = pl.Series("owner", np.repeat(np.arange(len(present)), lengths)).set_sorted()
    tags = pl.Series("tags", list(chain.from_iterable(present)), dtype=pl.String)
    grouped = pl.DataFrame([owner, tags]).group_by("owner", maintain_order=True).agg("tags")
    return _spread(grouped["tags"], np.fromiter(map(bool, lists), np.bool_, len(lists)))


def _audio(reels: Sequence[Reel]) -> tuple[pl.Series, pl.Series]:
    """The ids of the sounds, and their labels: "title – artist", "title", or null."""
    sounds: list[Audio | None] = list(map(attrgetter("audio"), reels))
    present = list(filter(None, sounds))
    has = np.fromiter(map(is_not, sounds, repeat(None)), np.bool_, len(sounds))
    title, artist = (_texts(present, name) for name in ("title", "artist"))
    by = (" – " + artist).set(artist == "", None).fill_null("")
    label = (title + by).set(title == "", None)
    return _spread(_texts(present, "audio_id"), has), _spread(label, has)


def _spread(values: pl.Series, has: Mask) -> pl.Series:
    """`values` at the rows that `has` names, in order, and null at the others."""
    if has.all():
        return values
    return values.gather(pl.Series(np.cumsum(has) - 1).set(pl.Series(~has), None))


def _records(poll: Poll, lines: int) -> Integers:
    """Record numbers of the lines in `data`: those that oversized lines took are left out."""
    numbers = np.arange(poll.record, poll.record + lines + len(poll.oversized))
    return np.setdiff1d(numbers, [long.record for long in poll.oversized])


def _rejects(
    poll: Poll, lines: Sequence[bytes], records: Integers, faults: dict[int, Fault]
) -> tuple[Reject, ...]:
    starts = poll.offset + np.cumsum([0, *(len(line) + 1 for line in lines)])
    for long in poll.oversized:
        starts[:-1][records > long.record] += long.length + 1
    rejects = [
        Reject(
            poll.partition,
            int(records[at]),
            int(starts[at]),
            fault.error,
            fault.reason,
            lines[at],
            len(lines[at]),
        )
        for at, fault in faults.items()
    ]
    for long in poll.oversized:
        fault = Fault("source_error", long.broken) if long.broken else too_long(long.length)
        place = (poll.partition, long.record, long.offset)
        rejects.append(Reject(*place, fault.error, fault.reason, long.head, long.length))
    return tuple(sorted(rejects, key=attrgetter("record")))
