"""Decode: a poll's lines become columns; a line that is no reel becomes a reject.

A compiled scanner (`operators.scanner`) reads the lines that are plainly reels. A line that it
doubts is read alone with the contract's own struct: `operators.faults.judge` says which reel it is,
or what is wrong with it. So what is accepted, and with which values, is what `schemas.reels.Reel`
accepts, and a bad line costs only itself.
See docs/decisions/0001-decode.md for what was measured.
"""

from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Final

import numpy as np
import numpy.typing as npt

from operators.blocks import Decoded, Message, Poll, Reject
from operators.faults import ERRORS, Fault, judge, too_long
from operators.reels import NUMBERS, TEXTS, Reels, joined
from operators.scanner.lines import Columns, Filled, lines_in, room, scan
from operators.scanner.memory import SLACK
from schemas.reels import Audio, Metrics, Reel

__all__ = ["ERRORS", "decode"]

BOM: Final = b"\xef\xbb\xbf"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_SILENCE: Final = Audio()
_UNSEEN: Final = Metrics()

Integers = npt.NDArray[np.int64]


def decode(poll: Poll) -> Decoded:
    """Turn the lines of a poll into columns and rejects.

    Returns
    -------
    Decoded
        `reels` and `rejects` are each in the order of their lines. Blank lines are neither. A byte
        order mark is skipped where the partition begins, and is broken JSON anywhere else.
    """
    marked = poll.offset == 0 and not poll.messages and poll.data.startswith(BOM)
    columns, filled = _scan(poll.data, len(BOM) if marked else 0)
    reels = _reels(columns, filled)
    if not filled.doubts and not poll.oversized:
        return Decoded(poll.partition, reels, poll.rejects, poll.end, poll.idle_us)
    lines, starts, rows = (column[: filled.doubts] for column in columns[-3:])
    verdicts = [judge(_line(poll.data, start)) for start in starts.tolist()]
    if marked:
        starts[lines == 0] = 0  # a reject keeps the mark
    sound = np.array([isinstance(verdict, Reel) for verdict in verdicts], np.bool_)
    if sound.any():
        accepted = [verdict for verdict in verdicts if isinstance(verdict, Reel)]
        reels = _inserted(reels, rows[sound], _columns(accepted))
    rejects = _rejects(poll, filled.lines, lines, starts, verdicts)
    return Decoded(poll.partition, reels, rejects, poll.end, poll.idle_us)


def _scan(data: bytes, first: int) -> tuple[Columns, Filled]:
    """Scan all lines; the last ones in a copy, so that bytes follow that may be touched."""
    edge = max(data.rfind(b"\n", 0, max(len(data) - SLACK, 0)) + 1, first)
    lines = np.frombuffer(data, np.uint8)
    columns = room(len(data), lines_in(lines))
    before = scan(lines, first, edge, columns, Filled())
    last = data[edge : data.rfind(b"\n") + 1]
    padded = np.frombuffer(last + bytes(SLACK), np.uint8)
    filled = scan(padded, 0, len(last), columns, Filled(*before))
    columns.doubt_start[before.doubts : filled.doubts] += edge
    return columns, filled


def _reels(columns: Columns, filled: Filled) -> Reels:
    data, rows, tags, *_ = filled
    return Reels(
        columns.data[:data],
        columns.starts[:rows],
        columns.lengths[:rows],
        columns.time[:rows],
        columns.numbers[:rows],
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
        np.array([_numbers(reel) for reel in accepted], np.int64).reshape(-1, len(NUMBERS)),
        np.cumsum(counts, dtype=np.int32) - counts,
        counts,
        starts[cut:],
        sizes[cut:],
    )


def _texts(reel: Reel) -> list[bytes | None]:
    """The texts of a reel, in the order of `TEXTS`."""
    sound = reel.audio or _SILENCE
    named = (sound.audio_id, sound.title, sound.artist)
    said = (reel.transcript, reel.ocr_text, reel.language, reel.region)
    marks = b64encode(sound.landmarks.data).decode() if sound.landmarks else None
    texts = (reel.reel_id, reel.author_id, reel.caption, *named, *said, sound.fingerprint, marks)
    return [None if text is None else text.encode() for text in texts]


def _numbers(reel: Reel) -> list[int]:
    """The numbers of a reel, in the order of `NUMBERS`; -1: null."""
    seen = reel.metrics or _UNSEEN
    marks = reel.audio.landmarks if reel.audio else None
    version = marks.version if marks else None
    numbers = (reel.author_followers, seen.views, seen.likes, seen.shares, seen.saves, version)
    return [-1 if number is None else int(number) for number in numbers]


def _inserted(reels: Reels, rows: Integers, others: Reels) -> Reels:
    """The reels, and each of the others before the row that is named for it."""
    order = np.insert(np.arange(len(reels)), rows, len(reels) + np.arange(len(others)))
    return joined(reels, others).take(order)


def _rejects(
    poll: Poll,
    count: int,
    lines: Integers,
    starts: Integers,
    verdicts: Sequence[Reel | Fault | None],
) -> tuple[Reject, ...]:
    """What is not a reel, in the order of the records; oversized lines took numbers and places."""
    records = np.arange(poll.record, poll.record + count + len(poll.oversized))
    records = np.delete(records, [long.record - poll.record for long in poll.oversized])[lines]
    offsets = poll.offset + starts
    for long in poll.oversized:
        offsets[records > long.record] += long.length + 1
    rejects = []
    for start, record, offset, fault in zip(starts, records, offsets, verdicts, strict=True):
        if isinstance(fault, Fault):
            if poll.messages:
                message = poll.messages[int(record) - poll.record]
                rejects.append(refused(poll.partition, message, fault))
                continue
            line = _line(poll.data, int(start))
            place = (poll.partition, int(record), int(offset))
            rejects.append(Reject(*place, fault.error, fault.reason, line, len(line)))
    for long in poll.oversized:
        fault = Fault("source_error", long.broken) if long.broken else too_long(long.length)
        place = (poll.partition, long.record, long.offset)
        rejects.append(Reject(*place, fault.error, fault.reason, long.head, long.length))
    return tuple(sorted((*rejects, *poll.rejects), key=attrgetter("record")))


def refused(partition: str, message: Message, fault: Fault) -> Reject:
    """A message that is no reel, with its bytes as they came."""
    offset, value = message.offset() or 0, message.value() or b""
    place = (partition, offset, offset)
    return Reject(*place, fault.error, fault.reason, value, len(value), message.key())
