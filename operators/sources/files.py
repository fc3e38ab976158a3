"""Files as a source: `.jsonl`, `.gz`, `.zst`, folders of them, and standard input.

One partition a file. It can be resumed at an exact record, as long as the file is the same.
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from operators.blocks import Poll
from operators.sources.board import Board
from operators.sources.inputs import STDIN, SourceError, partitions
from operators.sources.lines import Lines
from operators.sources.pace import MICROSECOND, Pace
from operators.sources.streams import read, read_pipe

_HEAD = 1 << 16  # bytes at the start of a file by which it is known again
_PAUSE = timedelta(milliseconds=5)


@dataclass(frozen=True, slots=True)
class Position:
    """Where a partition goes on, and by what its file is known again."""

    offset: int  # byte, after decompression, of the next line
    record: int  # its number
    done: bool  # the end was handed over
    size: int  # of the file in bytes, as it is stored
    digest: bytes  # BLAKE2 of its first 64 KiB


class FileSource(FixedPartitionedSource[Poll, Position]):
    """Reads files to their end, a poll at a time.

    Parameters
    ----------
    paths
        Files, folders, or `-`; see `partitions`. Raises `SourceError` for what cannot be read.
    batch_size
        Most lines in a poll, 1 or more. No result depends on it.
    board
        Where progress is written, made for these partitions; None for nowhere.
    max_skew
        A partition waits while it is further than this, and than `pace.AHEAD` polls, ahead of the
        slowest in event time. With a board only; it saves memory and changes no result.
    """

    def __init__(
        self,
        paths: Sequence[str],
        batch_size: int,
        board: Path | None = None,
        max_skew: timedelta = timedelta(hours=6),
    ) -> None:
        if batch_size < 1:
            raise SourceError(f"batch_size: expected 1 or more, got {batch_size}")
        self._partitions = partitions(paths)
        self._batch_size = batch_size
        self._board = board
        self._max_skew_us = max_skew // MICROSECOND

    def list_parts(self) -> list[str]:
        """Names of the files: the same in every worker, for all see the same disk."""
        return self._partitions

    def build_part(
        self, step_id: str, for_part: str, resume_state: Position | None
    ) -> "FilePartition":
        """Open one file where it is to go on. Raises `SourceError` where it has changed."""
        board = Board.open(self._board) if self._board else None
        pace = Pace(for_part, board, self._max_skew_us)
        return FilePartition(for_part, self._batch_size, resume_state, pace)


class FilePartition(StatefulSourcePartition[Poll, Position]):
    """One file, or standard input, which cannot be resumed."""

    def __init__(
        self, name: str, batch_size: int, resume_state: Position | None, pace: Pace
    ) -> None:
        self._batch_size = batch_size
        self._pace = pace
        self._file = _open(name)
        try:
            self._position = _same(name, _beginning(self._file), resume_state)
        except SourceError:
            self.close()
            raise
        offset, record = self._position.offset, self._position.record
        blocks = read(self._file, Path(name), offset) if self._file else read_pipe(0)
        self._lines = Lines(name, blocks, offset, record)
        self._awake: datetime | None = None
        pace.begin(self._position.record, self._position.size, self._position.done)
        if self._position.done:
            self.close()

    def next_batch(self) -> list[Poll]:
        """The next poll, or none while the partition waits. The last one says that it is."""
        if self._position.done:
            raise StopIteration
        poll = None if self._pace.ahead() else self._lines.poll(self._batch_size)
        if poll is None or not (poll.data or poll.oversized or poll.end):
            self._awake = datetime.now(UTC) + _PAUSE
            return []
        self._awake = None
        offset, record = self._lines.offset, self._lines.record
        self._position = replace(self._position, offset=offset, record=record, done=poll.end)
        stored = self._file.tell() if self._file else offset
        self._pace.moved(poll.data, record, stored, poll.end)
        if poll.end:
            self.close()
        return [poll]

    def next_awake(self) -> datetime | None:
        """When there may be something to do."""
        return self._awake

    def snapshot(self) -> Position:
        """Where the next poll begins."""
        return self._position

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()


def _open(name: str) -> BinaryIO | None:
    return None if name == STDIN else Path(name).open("rb")


def _beginning(file: BinaryIO | None) -> Position:
    if file is None:
        return Position(0, 0, done=False, size=0, digest=b"")
    size = os.fstat(file.fileno()).st_size
    digest = hashlib.blake2b(file.read(_HEAD), digest_size=16).digest()
    file.seek(0)
    return Position(0, 0, done=False, size=size, digest=digest)


def _same(name: str, beginning: Position, resume_state: Position | None) -> Position:
    """Where to go on in what must be the file it was."""
    if resume_state is None:
        return beginning
    if name == STDIN and not resume_state.done:
        raise SourceError(f"{name}: standard input cannot be read again, a resumed run needs files")
    if beginning.size != resume_state.size:
        expected, got = resume_state.size, beginning.size
        raise SourceError(
            f"{name}: expected the {expected} bytes it had before the run was stopped, got {got}; "
            "it was changed, so the run cannot go on"
        )
    if beginning.digest != resume_state.digest:
        raise SourceError(
            f"{name}: expected the file that was read before the run was stopped, got one that "
            "begins with other bytes, so the run cannot go on"
        )
    return resume_state
