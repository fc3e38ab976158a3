"""Large items go between the processes of a run through memory that they share.

Bytewax sends an item to another process as a pickle: made twice, once for its length, then copied
into buffers, through the loopback and out of buffers again. Here what is large is written once, and
the pickle says only where it lies.

    Exchange.send   value -> Parcel, pickled as a place -> the value again

The memory is a file without a name that the parent process makes. So it is gone with the last
process that has it open, however that ends. It is cut into lanes, one from each worker to each
other, and a lane into parts. The sender fills a part from its beginning, and again when the
receiver has said that it took all of it, in whatever order. Where there is no room, or no such
memory, the value itself is sent as ever.
"""

import os
import pickle
import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, Final

import numpy as np

from operators import metrics
from operators.routing import worker_of

SMALL: Final = 4096
"""Items of fewer bytes are sent as they are."""
PARTS: Final = 4
TOLD_S: Final = 1.0
"""Time between two words to the metrics, where there are any."""

ALIGNED: Final = 64
"""Every piece begins at a multiple of so many bytes, as kernels want their arrays."""

_WORD: Final = 8
_HEAD: Final = PARTS * _WORD
_PROTOCOL: Final = 5

Place = tuple[int, int, int, tuple[int, ...]]
"""Lane, part, offset in the part, and the sizes of a pickle and of the buffers that go with it."""


def create(size: int) -> int | None:
    """Return the descriptor of a new file in memory; None where the system has none to give.

    It takes memory as it is filled, at most `size` bytes.
    """
    if not hasattr(os, "memfd_create"):
        return None
    try:
        file = os.memfd_create("groundswell-exchange")
    except OSError:
        return None
    os.truncate(file, size)
    return file


class Parcel:
    """An item on its way to another process. Where it stays in this one, it is to be opened."""

    __slots__ = ("_place", "value")

    def __init__(self, value: object, place: Place) -> None:
        self.value = value
        self._place = place

    def __reduce__(self) -> tuple[Callable[..., object], Place]:
        return _taken, self._place


def opened(items: Sequence[Any]) -> list[Any]:
    """Return items as they are, and what is in parcels that never left this process."""
    return [item.value if type(item) is Parcel else item for item in items]


class Exchange:
    """The shared memory as one worker sees it. Every process opens its own.

    Args:
        file: descriptor from `create`.
        worker: which of the workers this is, from 0.
        workers: how many share it.
    """

    def __init__(self, file: int, worker: int, workers: int) -> None:
        self._file = file
        self._worker = worker
        self._workers = workers
        lanes = max(workers * (workers - 1), 1)
        self._lane_bytes = os.fstat(file).st_size // lanes // _WORD * _WORD
        self._part_bytes = (self._lane_bytes - _HEAD) // PARTS
        self._filling: Counter[int] = Counter()
        """Lane -> the part that is being filled."""
        self._filled: Counter[int] = Counter()
        """Lane -> bytes that it holds."""
        self._sent: Counter[tuple[int, int]] = Counter()
        """Lane and part -> bytes since the beginning."""
        self._taken: Counter[tuple[int, int]] = Counter()
        self._told = 0.0
        """When the metrics were told last (s, monotonic), and how many bytes were sent then."""
        self._told_bytes = 0
        metrics.OVERFLOWED.add(0)
        metrics.LIMIT.set(max(workers - 1, 0) * self._part_bytes * PARTS, "exchange")

    def send(self, key: str, value: object) -> object:
        """Return what is to be sent in place of a value with a key: a parcel, or the value."""
        worker = worker_of(key, self._workers)
        if worker == self._worker:
            return value
        buffers: list[pickle.PickleBuffer] = []
        head = pickle.dumps(value, _PROTOCOL, buffer_callback=buffers.append)
        pieces = [memoryview(head), *(buffer.raw() for buffer in buffers)]
        sizes = tuple(len(piece) for piece in pieces)
        if sum(sizes) < SMALL:
            return value
        place = self._write(self._lane(self._worker, worker), pieces, sizes)
        if place is None:
            metrics.OVERFLOWED.add(1)
        if metrics.counting() and time.monotonic() - self._told > TOLD_S:
            self._tell()
        return value if place is None else Parcel(value, place)

    def take(self, lane: int, part: int, offset: int, sizes: tuple[int, ...]) -> object:
        """Return the value that lies at a place, in memory of its own."""
        starts = [0, *accumulate(map(_aligned, sizes))]
        room = np.empty(starts[-1], np.uint8).data
        os.preadv(self._file, [room], self._start(lane, part) + offset)
        self._taken[lane, part] += len(room)
        taken = self._taken[lane, part].to_bytes(_WORD, "little")
        os.pwrite(self._file, taken, self._word(lane, part))
        head, *buffers = [room[at : at + n] for at, n in zip(starts, sizes, strict=False)]
        return pickle.loads(head, buffers=buffers)

    def _tell(self) -> None:
        """Tell the metrics how much was sent, and what of it is not taken yet."""
        self._told = time.monotonic()
        before, self._told_bytes = self._told_bytes, self._sent.total()
        metrics.EXCHANGED.add(self._told_bytes - before)
        taken = sum(
            int.from_bytes(os.pread(self._file, _WORD, self._word(*place)), "little")
            for place in self._sent
        )
        metrics.USED.set(self._told_bytes - taken, "exchange")

    def _write(
        self, lane: int, pieces: Sequence[memoryview], sizes: tuple[int, ...]
    ) -> Place | None:
        size = sum(map(_aligned, sizes))
        if self._filled[lane] + size > self._part_bytes and not self._next_part(lane, size):
            return None
        part, offset = self._filling[lane], self._filled[lane]
        padded = [b for piece in pieces for b in (piece, bytes(_aligned(len(piece)) - len(piece)))]
        try:
            written = os.pwritev(self._file, padded, self._start(lane, part) + offset)
        except OSError:
            return None
        if written < size:
            return None
        self._filled[lane] += size
        self._sent[lane, part] += size
        return lane, part, offset, sizes

    def _next_part(self, lane: int, size: int) -> bool:
        """Go on to a part of which all was taken, if there is one with room for so many bytes."""
        if size > self._part_bytes:
            return False
        for part in range(PARTS):
            taken = os.pread(self._file, _WORD, self._word(lane, part))
            if int.from_bytes(taken, "little") == self._sent[lane, part]:
                self._filling[lane], self._filled[lane] = part, 0
                return True
        return False

    def _lane(self, sender: int, receiver: int) -> int:
        return sender * (self._workers - 1) + receiver - (receiver > sender)

    def _word(self, lane: int, part: int) -> int:
        """Where the receiver writes how many bytes of a part it has taken since the beginning."""
        return lane * self._lane_bytes + part * _WORD

    def _start(self, lane: int, part: int) -> int:
        return lane * self._lane_bytes + _HEAD + part * self._part_bytes


def _aligned(size: int) -> int:
    return -(-size // ALIGNED) * ALIGNED


class _Joined:
    exchange: Exchange | None = None


def join(exchange: Exchange | None) -> None:
    """Say where the parcels of this process come from."""
    _Joined.exchange = exchange


def _taken(lane: int, part: int, offset: int, sizes: tuple[int, ...]) -> object:
    assert _Joined.exchange is not None, "a parcel for a process that shares no memory"
    return _Joined.exchange.take(lane, part, offset, sizes)
