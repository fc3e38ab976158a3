"""A machine as a Bytewax step whose snapshots cost what changed.

The first snapshot of an epoch writes all keys of the step that changed in this process to one
segment; for the others it only hands out what was prepared. Bytewax asks them all between two
batches, so nothing changes in between.
"""

import hashlib
import pickle
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, TypeVar

from bytewax.operators import StatefulBatchLogic

from operators import metrics
from operators.durable import failpoints, handles, segments
from operators.durable.faults import DamagedError
from operators.durable.fence import Fence
from operators.durable.handles import Handle
from operators.durable.machine import In, Machine, Out
from operators.durable.segments import Record, Ref
from operators.durable.sweep import Name
from operators.exchange import opened

SMALL: Final = 1 << 20
"""Deltas of so many bytes never ask for a base."""
CHAIN: Final = 64
"""Deltas after which a base is due."""
SPILL: Final = 64 << 20
"""Bytes of journals that a step keeps in memory; more are written before the epoch ends."""

_LENGTH: Final = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Place:
    """The folder of a run's state, and which of its processes this is."""

    folder: Path
    generation: int
    worker: int

    @property
    def recovery(self) -> Path:
        """The folder of Bytewax's recovery store of this generation."""
        return self.folder / f"recovery.{self.generation}"

    @property
    def segments(self) -> Path:
        """Where the segments are."""
        return self.folder / "segments"

    def fence(self) -> Fence:
        """The fence as this generation sees it."""
        return Fence(self.folder / "fence", self.generation)


class Book:
    """The states of one step in this process: writes those that changed, once an epoch."""

    def __init__(self, place: Place, step: str) -> None:
        self.step = step
        self.folder = place.segments
        self._place = place
        self._fence = place.fence()
        self._changed: list[Durable[object, object]] = []
        self._written = 0
        self._kept = 0
        """Bytes in the journals of `_changed`."""

    def note(self, logic: "Durable[In, Out]") -> None:
        """Have a state written at the end of the epoch."""
        self._changed.append(logic)  # type: ignore[arg-type]

    def grew(self, size: int) -> None:
        """Note so many bytes more in the journals. Raises `DurableError`."""
        self._kept += size
        if self._kept > SPILL:
            self.write()

    def write(self) -> None:
        """Write all that changed to one segment. Raises `DurableError`."""
        self._fence.check()
        self._kept = 0
        self._written += 1
        place = self._place
        name = str(Name(place.generation, place.worker, self.step, self._written))
        changed, self._changed = self._changed, []
        began = time.monotonic()
        refs = segments.write(self.folder, name, [logic.record() for logic in changed])
        metrics.STATE_SECONDS.observe(time.monotonic() - began, self.step)
        metrics.STATE_WRITTEN.add(sum(ref.length for ref in refs), self.step)
        for logic, ref in zip(changed, refs, strict=True):
            logic.written(ref)


class Durable(StatefulBatchLogic[In, Out, bytes], Generic[In, Out]):
    """One key of a step. Without a book it keeps nothing."""

    def __init__(
        self, machine: Machine[In, Out], book: Book | None = None, handle: Handle | None = None
    ) -> None:
        self.machine = machine
        self.key = handle.key if handle else ""
        self._book = book
        self._chain: tuple[Ref, ...] = handle.chain if handle else ()
        self._handle = handles.encode(handle) if handle else b""
        self._journal = bytearray()
        self._changed = False
        self._base_due = not self._chain
        self._sizes = machine.sizes() if metrics.counting() else {}
        metrics.begin(self._sizes)

    def on_batch(self, values: list[In]) -> tuple[list[Out], bool]:
        """Take values of this key in order."""
        values = opened(values)
        if self._book is None:
            return self.machine.apply(values), StatefulBatchLogic.RETAIN
        if not self._changed and values:
            self.key = self.key or self.machine.key_of(values[0])
            self._changed = True
            self._book.note(self)
        if self._base_due:
            return self.machine.apply(values), StatefulBatchLogic.RETAIN
        outputs, entry = self.machine.journaled(values)
        self._journal += _LENGTH.pack(len(entry)) + entry
        if self._is_long(more=len(self._journal)):
            self._base_due = True
            self._journal.clear()
        self._book.grew(len(entry))
        return outputs, StatefulBatchLogic.RETAIN

    def snapshot(self) -> bytes:
        """Return the handle of the state as it is now. Raises `DurableError`."""
        if metrics.counting():
            before, self._sizes = self._sizes, self.machine.sizes()
            metrics.move(before, self._sizes)
        if self._book is None:
            return b""
        failpoints.reach("handle.before")
        if self._changed:
            self._book.write()
        failpoints.reach("handle.after")
        return self._handle

    def record(self) -> Record:
        """What is to be written of this key."""
        self._base_due = self._base_due or self._is_long(links=len(self._chain))
        step = self._book.step if self._book else ""
        if self._base_due:
            return Record(step, self.key, True, self.machine.base())
        return Record(step, self.key, False, [self._journal, self.machine.rest()])

    def written(self, ref: Ref) -> None:
        """Go on from what was written."""
        self._chain = (ref,) if self._base_due else (*self._chain, ref)
        step = self._book.step if self._book else ""
        self._handle = handles.encode(Handle(step, self.key, self._chain))
        self._journal = bytearray()
        self._changed = self._base_due = False

    def renew(self) -> None:
        """Write the whole state when it changes next: what was restored was changed since."""
        self._base_due = True

    def _is_long(self, more: int = 0, links: int = 0) -> bool:
        """Whether what came since the base asks for another; at another length for each key."""
        drawn = hashlib.blake2b(self.key.encode(), digest_size=4).digest()
        share = 0.5 + int.from_bytes(drawn, "little") / (1 << 33)
        deltas = sum(ref.length for ref in self._chain[1:]) + more
        return deltas > share * max(SMALL, self._chain[0].length // 2) or links > share * CHAIN


Logic = TypeVar("Logic", bound=Durable)  # type: ignore[type-arg]


def builder(
    new: Callable[[], Machine[In, Out]],
    book: Book | None,
    logic: Callable[[Machine[In, Out], Book | None, Handle | None], Logic] = Durable,  # type: ignore[assignment]
    adapt: Callable[[Machine[In, Out]], bool] = lambda machine: False,
) -> Callable[[bytes | None], Logic]:
    """What Bytewax calls for a key, without a handle where the key is new.

    `adapt` may change a restored machine to what it has to do now, and says whether it did.
    """

    def build(said: bytes | None) -> Logic:
        if not said or book is None:
            return logic(new(), book, None)
        handle = handles.decode(said)
        machine: Machine[In, Out] = restored(book.folder, handle)
        adapted = adapt(machine)
        made = logic(machine, book, handle)
        if adapted:
            made.renew()
        return made

    return build


def restored(folder: Path, handle: Handle) -> "Machine[In, Out]":
    """The machine that a handle speaks of. Raises `DamagedError`."""
    base, *deltas = handle.chain
    inside, *outside = segments.read(folder, base)
    try:
        machine: Machine[In, Out] = pickle.loads(inside, buffers=outside)
        for ref in deltas:
            journal, rest = segments.read(folder, ref)
            machine.redo(_entries(journal), rest)
    except DamagedError:
        raise
    except Exception as error:
        raise DamagedError(
            f"{folder.parent}: the state of {handle.step} {handle.key} is not from this version of "
            f"Groundswell ({type(error).__name__}: {error}); choose another --state"
        ) from error
    return machine


def _entries(journal: memoryview) -> Iterator[memoryview]:
    at = 0
    while at < len(journal):
        (length,) = _LENGTH.unpack_from(journal, at)
        yield journal[at + _LENGTH.size : at + _LENGTH.size + length]
        at += _LENGTH.size + length
