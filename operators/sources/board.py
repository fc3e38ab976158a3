"""The board: counters in a file that all processes of a run map into memory.

The sources and steps write how far they are, the parent process shows it, and sources hold back
when their partition runs ahead of the others in event time. Nothing on the board enters a result.

A field of a partition has one writer, and a counter is one aligned 64-bit word, so readers need no
lock: each value they see was true a moment ago.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

import msgspec
import numpy as np
import numpy.typing as npt

BOARD: Final = (
    "bytes_read",  # of the file as it is stored
    "bytes_total",  # 0 where nobody knows
    "records",
    "rejects",
    "duplicates",
    "late",
    "clamped",
    "clock_us",  # about where the partition is in event time; 0 before its first reel
    "done",  # 1 once the partition was read to its end
    "caught_up",  # 1 while there is nothing to read at its source
    "idle",  # 1 while it has been silent for so long that the others need not wait for it
    "reached_us",  # where its reels that were placed in event time are; 0 before the first
    "stop",  # 1 once it is to be read no further for now
    "assigned",  # 1 once a process reads it
    "offset",  # in Kafka, of the next message; negative before the first
    "counted",  # reels that went on, since this start
    # What the counters were when this start went on from a state.
    "records_before",
    "rejects_before",
    "duplicates_before",
    "late_before",
    "clamped_before",
)
"""The counters of each partition."""

_FIELD: Final = {name: at for at, name in enumerate(BOARD)}
_WORD: Final = 8  # bytes


class Board:
    """Counters by partition and field. Make one with `create`, join one with `open`.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "board")
    >>> board = Board.create(path, ["a.jsonl", "b.jsonl"])
    >>> board.add("a.jsonl", "records", 40)
    >>> Board.open(path).totals()["records"]
    40
    """

    def __init__(self, path: Path) -> None:
        names = int(np.fromfile(path, np.int64, 1)[0])  # bytes of the names, padded to whole words
        with path.open("rb") as file:
            file.seek(_WORD)
            self.partitions: tuple[str, ...] = tuple(msgspec.json.decode(file.read(names)))
        self._row = {name: at for at, name in enumerate(self.partitions)}
        shape = (len(self.partitions), len(BOARD))
        words = np.memmap(path, np.int64, "r+", _WORD + names, shape)
        self._words: npt.NDArray[np.int64] = words

    @classmethod
    def create(cls, path: Path, partitions: Sequence[str]) -> Self:
        """Make the file, all counters 0. A file that is there is replaced, never changed."""
        names = msgspec.json.encode(list(partitions))
        names = names.ljust(-(-len(names) // _WORD) * _WORD)
        fresh = path.with_name(path.name + ".new")
        counters = bytes(len(partitions) * len(BOARD) * _WORD)
        fresh.write_bytes(np.int64(len(names)).tobytes() + names + counters)
        fresh.replace(path)
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Join the board that another process made."""
        return cls(path)

    def add(self, partition: str, field: str, n: int) -> None:
        """Add `n` to a counter. KeyError for a partition or field that is not on the board."""
        self._words[self._row[partition], _FIELD[field]] += n

    def set(self, partition: str, field: str, n: int) -> None:
        """Set a counter to `n`. KeyError for a partition or field that is not on the board."""
        self._words[self._row[partition], _FIELD[field]] = n

    def get(self, partition: str, field: str) -> int:
        """One counter."""
        return int(self._words[self._row[partition], _FIELD[field]])

    def since_start(self, partition: str, field: str) -> int:
        """A counter that goes on with a state, from where this start went on."""
        before = self.get(partition, f"{field}_before")
        return max(0, self.get(partition, field) - before)

    def all_are(self, **fields: int) -> bool:
        """Whether all partitions have one of these values."""
        found = np.zeros(len(self._words), np.bool_)
        for name, value in fields.items():
            found |= self._words[:, _FIELD[name]] == value
        return bool(found.all())

    def slowest(self) -> int | None:
        """`clock_us` of the readable partition that is furthest behind; None where none is."""
        readable = self._is(done=0, caught_up=0)
        clocks = self._words[readable, _FIELD["clock_us"]]
        return int(clocks.min()) if clocks.size else None

    def front(self) -> int | None:
        """Where silent partitions may go: the least `reached_us` of the others, if all have one.

        Where all are silent, the greatest: none of them is to wait for another to speak. None where
        there is no such place yet.
        """
        speaking = self._words[self._is(done=0, idle=0), _FIELD["reached_us"]]
        silent = self._words[self._is(done=0, idle=1), _FIELD["reached_us"]]
        front = speaking.min() if speaking.size else silent.max(initial=0)
        return int(front) or None

    def stop(self) -> None:
        """Ask all sources to end their reading here."""
        self._words[:, _FIELD["stop"]] = 1

    def _is(self, **fields: int) -> npt.NDArray[np.bool_]:
        """Which partitions have these values."""
        found = np.ones(len(self._words), np.bool_)
        for name, value in fields.items():
            found &= self._words[:, _FIELD[name]] == value
        return found

    def totals(self) -> dict[str, int]:
        """Every field over all partitions.

        The sum; of `clock_us` the least of those not done, and the greatest when all are done.
        """
        totals = {name: int(self._words[:, at].sum()) for name, at in _FIELD.items()}
        undone = self._words[:, _FIELD["done"]] == 0
        clocks = self._words[:, _FIELD["clock_us"]]
        totals["clock_us"] = int(clocks[undone].min() if undone.any() else clocks.max(initial=0))
        return totals
