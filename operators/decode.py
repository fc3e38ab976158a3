"""Decode: a poll's lines become columns; a line that is no reel becomes a reject.

Lines are decoded one by one with the contract's own struct, in C (`map` into a list): what is
accepted is what `schemas.reels.Reel` accepts, and a bad line costs only itself. Whatever is in
doubt goes to `operators.faults.classify`, which looks at that one line alone. A poll is taken in
blocks so small that a reel is still in the processor's cache when its fields are fetched.
See docs/decisions/0001-decode.md for what was measured.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import chain, repeat
from operator import attrgetter, is_not, sub
from typing import Any, Final, TypeVar

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

BLOCK: Final = 1_000
"""Lines decoded at once, about half a megabyte. No result depends on it."""

BOM = b"\xef\xbb\xbf"
_TEXTS = ("reel_id", "author_id", "caption", "transcript", "ocr_text")
_SOUND = ("audio_id", "title", "artist")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = 86_400
_SECOND = 1_000_000
_decode = msgspec.json.Decoder(Reel).decode

T = TypeVar("T")
Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Parts = tuple[pl.DataFrame, pl.Series, pl.DataFrame]  # reels, their hashtags on end, their sounds


def decode(poll: Poll) -> Decoded:
    """Turn the lines of a poll into columns and rejects.

    Returns
    -------
    Decoded
        `reels` has the columns of `REELS_SCHEMA`, in the order of the lines. `rejects` are in the
        order of their records. Blank lines are neither. A byte order mark is skipped where the
        partition begins, and is broken JSON anywhere else.
    """
    ends = np.flatnonzero(np.frombuffer(poll.data, np.uint8) == ord("\n")) + 1
    starts = np.concatenate([np.zeros(1, np.int64), ends])
    failed: list[int] = []
    unsound = _unsound(poll.data, starts)
    parts: list[Parts] = []
    for first in range(0, max(len(ends), 1), BLOCK):
        block = poll.data[starts[first] : starts[first : first + BLOCK + 1][-1]]
        lines = block.split(b"\n")[:-1]
        if first == poll.offset == 0:
            lines[:1] = [line.removeprefix(BOM) for line in lines[:1]]
        reels, refused = _each(_decode, lines)
        parts.append(_parts(reels))
        failed += [first + at for at in refused]
        unsound += [first + at for at in _not_text(block)]
    columns = _columns(parts)
    read = np.delete(np.arange(len(ends)), failed)
    doubtful = {*failed, *unsound, *read[_improbable(columns)].tolist()}
    faults = {at: fault for at in sorted(doubtful) if (fault := _fault(poll, starts, at))}
    if faults:
        columns = columns.filter(~np.isin(read, list(faults)))
    rejects = _rejects(poll, starts, faults) if faults or poll.oversized else ()
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


def _unsound(data: bytes, starts: Integers) -> list[int]:
    """Lines that may decode and yet must be refused for their length or nesting.

    The depth at which msgspec gives up is that of the stack. A line that decodes and is nested n
    deep has at least 2n bytes.
    """
    lengths = np.diff(starts) - 1
    long = np.flatnonzero(lengths > 2 * DEPTH_LIMIT).tolist()
    deep = [at for at in long if openers(_line(data, starts, at)) > DEPTH_LIMIT]
    return [*deep, *np.flatnonzero(lengths > LINE_LIMIT).tolist()]


def _not_text(block: bytes) -> list[int]:
    """Lines that are not UTF-8, for msgspec does not look at the bytes of the strings it skips.

    Polars says in no time that there are none, but not which.
    """
    try:
        pl.Series([block], dtype=pl.Binary).cast(pl.String)
    except pl.exceptions.ComputeError:
        return _each(bytes.decode, block.split(b"\n"))[1]
    return []


def _line(data: bytes, starts: Integers, at: int) -> bytes:
    return data[starts[at] : starts[at + 1] - 1]


def _fault(poll: Poll, starts: Integers, at: int) -> Fault | None:
    line = _line(poll.data, starts, at)
    return classify(line.removeprefix(BOM) if at == poll.offset == 0 else line)


def _improbable(columns: pl.DataFrame) -> Mask:
    """Which reels have an id of too many bytes, or a time out of the possible."""
    earliest, latest = (int(at.timestamp()) * _SECOND for at in (EARLIEST, LATEST))
    times = columns["time"].to_numpy()
    found = (times < earliest) | (times >= latest)
    for name in ("reel_id", "author_id", "audio_id"):
        found |= (columns[name].str.len_bytes() > ID_LIMIT).fill_null(value=False).to_numpy()
    return found


def _parts(reels: Sequence[Reel]) -> Parts:
    """What columns are made of. A reel without hashtags or sound has no row among these."""
    sounds: list[Audio | None] = list(map(attrgetter("audio"), reels))
    heard = np.fromiter(map(is_not, sounds, repeat(None)), np.bool_, len(sounds))
    tags, counts = _tags(reels)
    columns = _texts(reels, _TEXTS)
    columns["time"] = pl.Series(_times(reels))
    columns["tags"] = pl.Series(counts)
    columns["heard"] = pl.Series(heard)
    return pl.DataFrame(columns), tags, pl.DataFrame(_texts(list(filter(None, sounds)), _SOUND))


def _tags(reels: Sequence[Reel]) -> tuple[pl.Series, Integers]:
    """The hashtags on end, and how many of them are each reel's."""
    lists: list[list[str] | None] = list(map(attrgetter("hashtags"), reels))
    present: list[list[str]] = list(filter(None, lists))
    counts = np.zeros(len(lists), np.int64)
    counts[np.fromiter(map(bool, lists), np.bool_, len(lists))] = list(map(len, present))
    return pl.Series(list(chain.from_iterable(present)), dtype=pl.String), counts


def _texts(some: Sequence[Any], names: Sequence[str]) -> dict[str, pl.Series]:
    return {name: pl.Series(list(map(attrgetter(name), some)), dtype=pl.String) for name in names}


def _times(reels: Sequence[Reel]) -> Integers:
    """`published_at` in microseconds since 1970 UTC, exactly."""
    spans = list(map(sub, map(attrgetter("published_at"), reels), repeat(_EPOCH)))
    days, seconds, rest = (
        np.fromiter(map(attrgetter(unit), spans), np.int64, len(spans))
        for unit in ("days", "seconds", "microseconds")
    )
    return (days * _DAY + seconds) * _SECOND + rest


def _columns(parts: Sequence[Parts]) -> pl.DataFrame:
    reels = pl.concat([part[0] for part in parts], rechunk=True)
    tags = pl.concat([part[1] for part in parts], rechunk=True)
    sounds = pl.concat([part[2] for part in parts], rechunk=True)
    heard = reels["heard"].to_numpy()
    return reels.with_columns(
        _hashtags(tags, reels["tags"].to_numpy()),
        _spread(sounds["audio_id"], heard),
        _spread(_labels(sounds["title"], sounds["artist"]), heard),
    ).select(REELS_SCHEMA.names())


def _hashtags(tags: pl.Series, counts: Integers) -> pl.Series:
    """The hashtags as lists; null for none. Building them flat is ten times as fast as by list."""
    owner = pl.Series("owner", np.repeat(np.arange(len(counts)), counts)).set_sorted()
    lists = pl.DataFrame([owner, tags.alias("hashtags")]).group_by("owner", maintain_order=True)
    return _spread(lists.agg("hashtags")["hashtags"], counts > 0)


def _labels(title: pl.Series, artist: pl.Series) -> pl.Series:
    """The sounds' labels: "title – artist", "title", or null."""
    by = (" – " + artist).set(artist == "", None).fill_null("")
    return (title + by).set(title == "", None).alias("audio_label")


def _spread(values: pl.Series, has: Mask) -> pl.Series:
    """`values` at the rows that `has` names, in order, and null at the others."""
    if has.all():
        return values
    return values.gather(pl.Series(np.cumsum(has) - 1).set(pl.Series(~has), None))


def _records(poll: Poll, lines: int) -> Integers:
    """Record numbers of the lines in `data`: those that oversized lines took are left out."""
    numbers = np.arange(poll.record, poll.record + lines + len(poll.oversized))
    return np.delete(numbers, [long.record - poll.record for long in poll.oversized])


def _rejects(poll: Poll, starts: Integers, faults: dict[int, Fault]) -> tuple[Reject, ...]:
    records = _records(poll, len(starts) - 1)
    offsets = poll.offset + starts[:-1]
    for long in poll.oversized:
        offsets[records > long.record] += long.length + 1
    rejects = []
    for at, fault in faults.items():
        line = _line(poll.data, starts, at)
        place = (poll.partition, int(records[at]), int(offsets[at]))
        rejects.append(Reject(*place, fault.error, fault.reason, line, len(line)))
    for long in poll.oversized:
        fault = Fault("source_error", long.broken) if long.broken else too_long(long.length)
        place = (poll.partition, long.record, long.offset)
        rejects.append(Reject(*place, fault.error, fault.reason, long.head, long.length))
    return tuple(sorted(rejects, key=attrgetter("record")))
