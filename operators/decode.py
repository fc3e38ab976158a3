"""Decode: a poll's lines become columns; a line that is no reel becomes a reject.

A compiled scanner (`operators.scanner`) reads the lines that are plainly reels. A line that it
doubts is looked at alone: `operators.faults.classify` says what is wrong with it, and where nothing
is, the contract's own struct has its values. So a line is accepted, and with the values, as
`schemas.reels.Reel` says, and costs only itself.
See docs/decisions/0001-decode.md for what was measured.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Final

import numpy as np
import numpy.typing as npt

from operators.blocks import Decoded, Poll, Reject
from operators.faults import ERRORS, Fault, blank, classify, too_long
from operators.reels import TEXTS, Reels, joined
from operators.scanner.lines import Columns, Filled, room, scan
from operators.scanner.memory import SLACK
from schemas.reels import Reel
from schemas.reels import decode as decode_line

__all__ = ["ERRORS", "decode"]

BOM: Final = b"\xef\xbb\xbf"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

Integers = npt.NDArray[np.int64]


def decode(poll: Poll) -> Decoded:
    """Turn the lines of a poll into columns and rejects.

    Returns
    -------
    Decoded
        `reels` and `rejects` are each in the order of their lines. Blank lines are neither. A byte
        order mark is skipped where the partition begins, and is broken JSON anywhere else.
    """
    marked = poll.offset == 0 and poll.data.startswith(BOM)
    columns, filled = _scan(poll.data, len(BOM) if marked else 0)
    reels = _reels(columns, filled)
    if not filled.doubts and not poll.oversized:
        return Decoded(poll.partition, reels, (), poll.end)
    lines, starts, rows = (column[: filled.doubts] for column in columns[-3:])
    doubtful = [_line(poll.data, start) for start in starts.tolist()]
    faults = [classify(line) for line in doubtful]
    sound = np.array(
        [fault is None and not blank(line) for fault, line in zip(faults, doubtful, strict=True)],
        np.bool_,
    )
    if sound.any():
        accepted = [decode_line(doubtful[at]) for at in np.flatnonzero(sound)]
        reels = _inserted(reels, rows[sound], _columns(accepted))
    return Decoded(
        poll.partition, reels, _rejects(poll, filled.lines, lines, starts, faults), poll.end
    )


def _scan(data: bytes, first: int) -> tuple[Columns, Filled]:
    """Scan all lines; the last ones in a copy, so that bytes follow that may be touched."""
    edge = max(data.rfind(b"\n", 0, max(len(data) - SLACK, 0)) + 1, first)
    columns = room(len(data), data.count(b"\n"))
    filled = scan(np.frombuffer(data, np.uint8), first, edge, columns, Filled())
    rest = data[edge : data.rfind(b"\n") + 1]
    before = filled.doubts
    filled = scan(
        np.frombuffer(rest + bytes(SLACK), np.uint8), 0, len(rest), columns, Filled(*filled)
    )
    columns.doubt_start[before : filled.doubts] += edge
    return columns, filled


def _reels(columns: Columns, filled: Filled) -> Reels:
    data, rows, tags, *_ = filled
    return Reels(
        columns.data[:data],
        columns.starts[:rows],
        columns.lengths[:rows],
        columns.time[:rows],
        columns.tag_first[:rows],
        columns.tag_count[:rows],
        columns.tag_starts[:tags],
        columns.tag_lengths[:tags],
    )


def _line(data: bytes, start: int) -> bytes:
    return data[start : data.index(b"\n", start)]


def _columns(accepted: Sequence[Reel]) -> Reels:
    """Reels of Python as columns."""
    texts = [_texts(reel) for reel in accepted]
    tags = [tag.encode() for reel in accepted for tag in reel.hashtags or ()]
    all_texts = [text for some in texts for text in some]
    lengths = [-1 if text is None else len(text) for text in all_texts] + [len(t) for t in tags]
    sizes = np.array(lengths, np.int32)
    ends = np.cumsum(np.maximum(sizes, 0), dtype=np.int32)
    starts = ends - np.maximum(sizes, 0)
    counts = np.array([len(reel.hashtags or ()) for reel in accepted], np.int32)
    shape, cut = (len(accepted), len(TEXTS)), len(all_texts)
    return Reels(
        np.frombuffer(b"".join([text or b"" for text in all_texts] + tags), np.uint8),
        starts[:cut].reshape(shape),
        sizes[:cut].reshape(shape),
        np.array([(reel.published_at - _EPOCH) // _MICROSECOND for reel in accepted], np.int64),
        np.cumsum(counts, dtype=np.int32) - counts,
        counts,
        starts[cut:],
        sizes[cut:],
    )


def _texts(reel: Reel) -> list[bytes | None]:
    """The texts of a reel, in the order of `TEXTS`."""
    sound = reel.audio
    found = {name: getattr(reel, name) for name in TEXTS if hasattr(reel, name)}
    if sound is not None:
        found |= {"audio_id": sound.audio_id, "title": sound.title, "artist": sound.artist}
    return [None if (text := found.get(name)) is None else text.encode() for name in TEXTS]


def _inserted(reels: Reels, rows: Integers, others: Reels) -> Reels:
    """The reels, and each of the others before the row that is named for it."""
    order = np.insert(np.arange(len(reels)), rows, len(reels) + np.arange(len(others)))
    return joined(reels, others).take(order)


def _rejects(
    poll: Poll, count: int, lines: Integers, starts: Integers, faults: Sequence[Fault | None]
) -> tuple[Reject, ...]:
    """What is not a reel, in the order of the records; oversized lines took numbers and places."""
    records = np.arange(poll.record, poll.record + count + len(poll.oversized))
    records = np.delete(records, [long.record - poll.record for long in poll.oversized])[lines]
    offsets = poll.offset + starts
    for long in poll.oversized:
        offsets[records > long.record] += long.length + 1
    rejects = []
    for start, record, offset, fault in zip(starts, records, offsets, faults, strict=True):
        if fault is not None:
            line = _line(poll.data, int(start))
            place = (poll.partition, int(record), int(offset))
            rejects.append(Reject(*place, fault.error, fault.reason, line, len(line)))
    for long in poll.oversized:
        fault = Fault("source_error", long.broken) if long.broken else too_long(long.length)
        place = (poll.partition, long.record, long.offset)
        rejects.append(Reject(*place, fault.error, fault.reason, long.head, long.length))
    return tuple(sorted(rejects, key=attrgetter("record")))
