"""Cut a stream of bytes into polls of whole lines.

Lines are found by block, never one by one, and memory is bounded whatever comes: a poll by its
bytes, a line by the limit beyond which only its head is kept.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np

from operators.blocks import LINE_LIMIT, Oversized, Poll
from operators.sources.streams import BrokenError

POLL_BYTES: Final = 32 << 20
"""A poll takes no further block once it holds this much, however few its lines."""


class Lines:
    """The lines of one partition from a position on.

    Parameters
    ----------
    partition
        Its name, for the polls.
    blocks
        Its bytes from `offset` on, in blocks of at most `LINE_LIMIT`. An empty block says that
        there is nothing yet; `BrokenError`, that no more can be read.
    offset, record
        Place of the first line: byte, and number. They move on with each poll, to the next line.

    >>> lines = Lines("p", iter([b"one\\ntwo\\nth", b"ree"]))
    >>> [(poll.record, poll.offset, poll.data) for poll in (lines.poll(2), lines.poll(2))]
    [(0, 0, b'one\\ntwo\\n'), (2, 8, b'three\\n')]
    """

    def __init__(
        self, partition: str, blocks: Iterator[bytes], offset: int = 0, record: int = 0
    ) -> None:
        self.offset = offset
        self.record = record
        self._partition = partition
        self._blocks = blocks
        self._block = b""
        self._start = 0  # what of the block was taken
        self._ends = np.empty(0, np.int64)  # where the newlines of the block are
        self._next = 0  # the first of them that was not taken
        self._head: list[bytes] = []  # the line that began in blocks before, up to the limit
        self._length = 0  # of that line so far

    def poll(self, most: int) -> Poll:
        """The next `most` lines; fewer at the end, before a pause, or when they are long."""
        record, offset = self.record, self.offset
        data: list[bytes] = []
        oversized: list[Oversized] = []
        broken, end = "", False
        while (room := most - (self.record - record)) and self.offset - offset < POLL_BYTES:
            if self._start == len(self._block):
                try:
                    self._load(next(self._blocks))
                except StopIteration:
                    end = True
                except BrokenError as error:
                    broken, end = str(error), True
                if end or not self._block:
                    break
            if self._next == len(self._ends):
                self._keep_rest()
            elif self._length:
                self._finish_line(data, oversized)
            else:
                self._take(room, data)
        if end and (self._length or broken):
            self._end_line(data, oversized, broken)
        return Poll(self._partition, record, offset, b"".join(data), tuple(oversized), end)

    def _load(self, block: bytes) -> None:
        self._block = block
        self._start = self._next = 0
        self._ends = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n"))

    def _take(self, room: int, data: list[bytes]) -> None:
        """Whole lines of the block, which the limit is no shorter than."""
        lines = min(room, len(self._ends) - self._next)
        self._next += lines
        stop = int(self._ends[self._next - 1]) + 1
        data.append(self._block[self._start : stop])
        self.record += lines
        self.offset += stop - self._start
        self._start = stop

    def _finish_line(self, data: list[bytes], oversized: list[Oversized]) -> None:
        stop = int(self._ends[self._next]) + 1
        self._next += 1
        self._keep(self._block[self._start : stop - 1])
        self._start = stop
        self._end_line(data, oversized)
        self.offset += 1

    def _keep_rest(self) -> None:
        self._keep(self._block[self._start :])
        self._start = len(self._block)

    def _keep(self, piece: bytes) -> None:
        room = LINE_LIMIT - self._length
        if room > 0:
            self._head.append(piece[:room])
        self._length += len(piece)

    def _end_line(self, data: list[bytes], oversized: list[Oversized], broken: str = "") -> None:
        line = b"".join(self._head)
        if broken or self._length > LINE_LIMIT:
            oversized.append(Oversized(self.record, self.offset, line, self._length, broken))
        else:
            data += (line, b"\n")
        self.record += 1
        self.offset += self._length
        self._head.clear()
        self._length = 0
