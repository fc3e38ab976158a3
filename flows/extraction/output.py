"""Where extracted reels go: a file that a killed run goes on with, or standard output.

A line is written when its reel is done and those before it are, so that the lines of the file say
how far the run was: the same input goes on behind them.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import msgspec

from flows.errors import UserError
from operators.blocks import Reject
from operators.sinks import jsonl, rejects
from schemas.base import Inbound
from schemas.reels import Audio


class Told(Inbound, frozen=True):
    """What is read of a line that was written."""

    reel_id: str
    media_url: str | None = None
    audio: Audio | None = None


_told = msgspec.json.Decoder(Told).decode


class Output:
    """Lines of reels; a context manager. `path`: None for standard output."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file = -1
        if path is not None:
            jsonl.check(path)

    def __enter__(self) -> Self:
        if self._path is not None:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        return self

    def __exit__(self, *_: object) -> None:
        if self._file >= 0:
            os.fsync(self._file)
            os.close(self._file)

    def told(self) -> Iterator[Told]:
        """What was written before, to its last whole line, behind which the file goes on.

        Raises `UserError` where it holds anything else.
        """
        if self._path is None:
            return
        at = number = 0
        with self._path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    break
                try:
                    found = _told(line)
                except msgspec.DecodeError:
                    raise UserError(
                        f"{self._path}: line {number} is no reel; remove the file, or name another"
                    ) from None
                at += len(line)
                yield found
        os.ftruncate(self._file, at)
        os.lseek(self._file, at, os.SEEK_SET)

    def write(self, line: bytes) -> None:
        """Write the line of a reel, without its newline."""
        if self._path is None:
            sys.stdout.buffer.write(line + b"\n")
            sys.stdout.buffer.flush()
            return
        left = line + b"\n"
        while left:
            left = left[os.write(self._file, left) :]


class Rejects:
    """A file of what is no reel, or has no media; a context manager. `path`: None for nowhere.

    What a run before this one has written is not written again.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known: set[tuple[str, int]] = set()
        if path is not None:
            jsonl.check(path)

    def __enter__(self) -> Self:
        if self._path is not None:
            self._file = self._path.open("a+b", buffering=0)
            self._file.seek(0)
            at = 0
            for line in self._file.read().splitlines(keepends=True):
                if not line.endswith(b"\n"):
                    break
                said = msgspec.json.decode(line, type=_Refused)
                self._known.add((said.partition, said.record))
                at += len(line)
            self._file.truncate(at)
        return self

    def __exit__(self, *_: object) -> None:
        if self._path is not None:
            self._file.close()

    def write(self, reject: Reject) -> None:
        """Write one, unless it is there."""
        if self._path is not None and (reject.partition, reject.record) not in self._known:
            self._file.write(rejects.encode(reject) + b"\n")


class _Refused(Inbound, frozen=True):
    partition: str
    record: int
