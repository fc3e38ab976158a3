"""How far a partition is in event time, and whether it is to wait for the others."""

from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from operators.faults import EARLIEST, LATEST
from operators.sources.board import Board
from schemas.base import Inbound, Time

MICROSECOND: Final = timedelta(microseconds=1)

AHEAD: Final = 1.5
"""Polls that a partition may be ahead of the slowest, however long they are: so that a worker that
is busy with something else is not waited for at once."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class _Moment(Inbound, frozen=True, kw_only=True):
    published_at: Time


class Pace:
    """What a partition tells the board, and whether it is to wait for the others on it."""

    def __init__(self, partition: str, board: Board | None, max_skew_us: int) -> None:
        self.board = board
        self._partition = partition
        self._max_skew_us = max_skew_us
        self._clock_us = 0
        self._poll_us = 0  # event time that the last poll went through
        self._decode = msgspec.json.Decoder(_Moment).decode

    def begin(self, records: int, size: int, done: bool) -> None:
        """Tell where the partition goes on, and its size in bytes, 0 where nobody knows."""
        self.set("bytes_total", size)
        self.set("records_before", records)
        self.set("records", records)
        self.set("assigned", 1)
        if done:
            self.set("bytes_read", size)
            self.set("done", 1)

    def moved(self, data: bytes, records: int, stored: int, done: bool) -> None:
        """Lines were handed over: `records` until now, and of what is stored so many bytes.

        The last of them tells the time, if it can: this is but a hint.
        """
        last = data[data.rfind(b"\n", 0, -1) + 1 :]
        try:
            at = self._decode(last).published_at
        except (ValueError, RecursionError):
            at = None
        if at is not None and EARLIEST <= at < LATEST:
            before, self._clock_us = self._clock_us, (at - _EPOCH) // MICROSECOND
            self._poll_us = self._clock_us - before if before else 0
            self.set("clock_us", self._clock_us)
        self.set("records", records)
        self.set("bytes_read", stored)
        self.set("done", int(done))

    def ahead(self) -> bool:
        """Whether the partition is too far ahead of the slowest."""
        slowest = self.board.slowest() if self.board and self._clock_us else None
        most = max(self._max_skew_us, AHEAD * self._poll_us)
        return slowest is not None and self._clock_us - slowest > most

    def set(self, field: str, n: int) -> None:
        """Set a counter of the partition."""
        if self.board:
            self.board.set(self._partition, field, n)

    def get(self, field: str) -> int:
        """A counter of the partition, 0 without a board."""
        return self.board.get(self._partition, field) if self.board else 0
