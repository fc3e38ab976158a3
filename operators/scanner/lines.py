"""Lines of `reels.v1` into columns."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from operators.blocks import LINE_LIMIT
from operators.faults import EARLIEST, LATEST
from operators.reels import I32, I64, NUMBERS, TEXTS, U8
from operators.scanner.fields import (
    ARGUMENT,
    COUNT,
    FLAG,
    HASHTAGS,
    HOLDS,
    KEPT,
    LEAST,
    MOST,
    NONE,
    NUMBER,
    OBJECT,
    OPTIONAL,
    PARENT,
    PUBLISHED,
    REEL,
    REQUIRED,
    SECONDS,
    TIME,
    UNKEPT,
    UNKNOWN,
    find,
)
from operators.scanner.memory import (
    SLACK,
    WIDTH,
    address,
    copy_plain,
    peek,
    poke_half,
    poke_word,
    trailing_zeros,
)
from operators.scanner.texts import DOUBT, QUOTE, text
from operators.scanner.times import moment
from operators.scanner.values import anything, base64, count, literal, seconds, space
from schemas.reels import MAX_HASHTAGS

_FIRST_TIME: Final = int(EARLIEST.timestamp()) * 1_000_000
_END_OF_TIME: Final = int(LATEST.timestamp()) * 1_000_000
_NEWLINE: Final = ord("\n")


class Columns(NamedTuple):
    """Room for what `scan` finds: the columns of `Reels`, and the lines that are in doubt."""

    data: U8
    starts: I32
    lengths: I32
    time: I64
    numbers: I64
    tag_first: I32
    tag_count: I32
    tag_starts: I32
    tag_lengths: I32
    doubt_line: I64  # which line it is
    doubt_start: I64  # where it starts, in bytes
    doubt_row: I64  # rows that were found before it


class Filled(NamedTuple):
    """How much of the columns holds something, and how many lines were read."""

    data: int = 0
    rows: int = 0
    tags: int = 0
    doubts: int = 0
    lines: int = 0


class Row(NamedTuple):
    """Addresses: of the bytes that texts are written to, and of the places for one row's values."""

    data: int
    starts: int
    lengths: int
    time: int
    numbers: int
    tag_starts: int
    tag_lengths: int


def room(size: int, lines: int) -> Columns:
    """Columns with room for whatever `lines` lines of `size` bytes altogether hold.

    A hashtag takes three bytes of a line at least.
    """
    one, two = np.empty((2, lines), np.int32), np.empty((2, lines, len(TEXTS)), np.int32)
    tags, doubts = np.empty((2, size // 3 + 1), np.int32), np.empty((3, lines), np.int64)
    return Columns(
        data=np.empty(size + SLACK, np.uint8),
        starts=two[0],
        lengths=two[1],
        time=np.empty(lines, np.int64),
        numbers=np.empty((lines, len(NUMBERS)), np.int64),
        tag_first=one[0],
        tag_count=one[1],
        tag_starts=tags[0],
        tag_lengths=tags[1],
        doubt_line=doubts[0],
        doubt_start=doubts[1],
        doubt_row=doubts[2],
    )


@njit(cache=True, nogil=True)
def lines_in(data: npt.NDArray[np.uint8]) -> int:
    """Return how many lines end in some bytes: a seventh of the time that `bytes.count` takes."""
    lines = 0
    for byte in data:
        lines += byte == _NEWLINE
    return lines


@njit(cache=True, nogil=True)
def scan(
    lines: npt.NDArray[np.uint8], first: int, end: int, columns: Columns, filled: Filled
) -> Filled:
    """Read the lines in `lines[first:end]`, of which the last ends, behind what was found before.

    A line becomes a row if it is plainly a reel, with exactly the values that `schemas.reels`
    finds in it. All others are in doubt, and told with their place.

    Parameters: `lines` uint8, which has `SLACK` bytes more after `end`; `columns` from `room`, for
    all the bytes and lines of all calls; `filled` what the last call returned.
    """
    origin = address(lines)
    base, starts, lengths = address(columns.data), address(columns.starts), address(columns.lengths)
    times, texts = address(columns.time), 4 * len(TEXTS)
    kept, numbers = address(columns.numbers), 8 * len(NUMBERS)
    tag_starts, tag_lengths = address(columns.tag_starts), address(columns.tag_lengths)
    data, rows, tags, doubts, number = filled
    start = origin + first
    while start < origin + end:
        columns.lengths[rows] = -1
        columns.numbers[rows] = -1
        places = (starts + rows * texts, lengths + rows * texts, times + rows * 8)
        row = Row(base, *places, kept + rows * numbers, tag_starts, tag_lengths)
        at, to, tag = _line(start, base + data, tags, row)
        if at == DOUBT or at - start > LINE_LIMIT + 1:
            columns.doubt_line[doubts] = number
            columns.doubt_start[doubts] = start - origin
            columns.doubt_row[doubts] = rows
            doubts += 1
            at = start
            while peek(at) != _NEWLINE:
                at += 1
            at += 1
        else:
            columns.tag_first[rows], columns.tag_count[rows] = tags, tag - tags
            rows += 1
            data, tags = to - base, tag
        start = at
        number += 1
    return Filled(data, rows, tags, doubts, number)


@njit(cache=True)
def _line(at: int, to: int, tag: int, row: Row) -> tuple[int, int, int]:
    """Read a line into a row; where the next one begins, or `DOUBT`, and the ends of what it has.

    `open_` is the object whose members are read, `seen` has a bit for each field that was there.
    """
    seen = 0
    open_ = REEL
    at = space(at)
    if peek(at) != ord("{"):
        return DOUBT, to, tag
    at = space(at + 1)
    within = peek(at) != ord("}")
    while True:
        while within:
            field, at = _key(at, to, open_)
            if at == DOUBT or (field != UNKNOWN and seen >> field & 1):
                return DOUBT, to, tag
            if field != UNKNOWN:
                seen |= 1 << field
            if field != UNKNOWN and HOLDS[field] == OBJECT and peek(at) == ord("{"):
                open_ = ARGUMENT[field]
                at = space(at + 1)
                within = peek(at) != ord("}")
                continue
            at, to, tag = _value(at, to, tag, row, field)
            if at == DOUBT:
                return DOUBT, to, tag
            at = space(at)
            within = peek(at) == ord(",")
            if within:
                at = space(at + 1)
        if peek(at) != ord("}") or seen & REQUIRED[open_] != REQUIRED[open_]:
            return DOUBT, to, tag
        at = space(at + 1)
        if open_ == REEL:
            return at + 1 if peek(at) == _NEWLINE else DOUBT, to, tag
        open_ = PARENT[open_]
        within = peek(at) == ord(",")
        if within:
            at = space(at + 1)


@njit(cache=True)
def _key(at: int, to: int, open_: int) -> tuple[int, int]:
    """Read a member's key and go to its value; which field of the object it is, and the cursor."""
    if peek(at) != QUOTE:
        return UNKNOWN, DOUBT
    at += 1
    size = trailing_zeros(copy_plain(at, to) | 1 << WIDTH)
    if peek(at + size) == QUOTE:
        field = find(at, size, open_)
        at += size + 1
    else:
        field = UNKNOWN
        end, till = text(at, to)
        if end == DOUBT or till - to != end - 1 - at:  # with escapes it could be any field
            return UNKNOWN, DOUBT
        at = end
    at = space(at)
    return field, space(at + 1) if peek(at) == ord(":") else DOUBT


@njit(cache=True)
def _value(at: int, to: int, tag: int, row: Row, field: int) -> tuple[int, int, int]:
    """Read the value of a field, which is no object with members of ours, into the row."""
    if field == UNKNOWN:
        return anything(at, to), to, tag
    if OPTIONAL[field] and peek(at) == ord("n"):
        return literal(at), to, tag
    holds = HOLDS[field]
    if holds <= KEPT:
        return *_text(at, to, row, field), tag
    if holds == HASHTAGS:
        return _hashtags(at, to, tag, row)
    if holds == COUNT:
        return _count(at, row, field), to, tag
    return _published(at, row) if holds == PUBLISHED else _checked(at, to, field), to, tag


@njit(cache=True)
def _text(at: int, to: int, row: Row, field: int) -> tuple[int, int]:
    if peek(at) != QUOTE or (HOLDS[field] == KEPT and base64(at + 1) == DOUBT):
        return DOUBT, to
    at, till = text(at + 1, to)
    column = 4 * ARGUMENT[field]
    poke_half(row.starts + column, to - row.data)
    poke_half(row.lengths + column, till - to)
    return at if LEAST[field] <= till - to <= MOST[field] else DOUBT, till


@njit(cache=True)
def _published(at: int, row: Row) -> int:
    if peek(at) != QUOTE:
        return DOUBT
    at, time = moment(at + 1)
    poke_word(row.time, time)
    return at if _FIRST_TIME <= time < _END_OF_TIME else DOUBT


@njit(cache=True)
def _count(at: int, row: Row, field: int) -> int:
    at, value = count(at, ARGUMENT[field])
    if NUMBER[field] != NONE:
        poke_word(row.numbers + 8 * NUMBER[field], value)
    return at


@njit(cache=True)
def _hashtags(at: int, to: int, tag: int, row: Row) -> tuple[int, int, int]:
    if peek(at) != ord("["):
        return DOUBT, to, tag
    at = space(at + 1)
    if peek(at) == ord("]"):
        return at + 1, to, tag
    most = tag + MAX_HASHTAGS
    while peek(at) == QUOTE and tag < most:
        at, till = text(at + 1, to)
        if at == DOUBT:
            break
        poke_half(row.tag_starts + 4 * tag, to - row.data)
        poke_half(row.tag_lengths + 4 * tag, till - to)
        tag += 1
        to = till
        at = space(at)
        if peek(at) == ord("]"):
            return at + 1, to, tag
        if peek(at) != ord(","):
            break
        at = space(at + 1)
    return DOUBT, to, tag


@njit(cache=True)
def _checked(at: int, to: int, field: int) -> int:
    """Read a value that is not kept."""
    holds = HOLDS[field]
    if holds == FLAG:
        return literal(at) if peek(at) != ord("n") else DOUBT
    if holds == SECONDS:
        return seconds(at, ARGUMENT[field])
    if holds == OBJECT or peek(at) != QUOTE:
        return DOUBT
    if holds == UNKEPT:
        return text(at + 1, to)[0]
    return moment(at + 1)[0] if holds == TIME else base64(at + 1)
