"""Third step: each partition's reels in event time, each once.

Here a record gets its place in time (`trend.clock`): its own tick, and the tick at which it takes
effect, which for a late reel is the one its partition is in. And a reel that was here before goes
no further, unless it now holds something else; then it goes on marked `again`, and only the
signals that are new to it will count.
"""

import pickle
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from operators.blocks import Decoded, Fresh
from operators.durable.durable import Book, Durable
from operators.durable.handles import Handle
from operators.durable.machine import PROTOCOL, Machine
from operators.reels import (
    AUDIO_ID,
    AUTHOR_ID,
    CAPTION,
    FINGERPRINT,
    LANDMARKS,
    OCR_TEXT,
    REEL_ID,
    TRANSCRIPT,
    Reels,
    joined,
)
from operators.sources.board import Board
from trend.clock import UNSET, settle
from trend.hashing import hash_column
from trend.records import VOLUME
from trend.seen import AGAIN, NEW, REPEAT, SeenReels, digests

MICROSECONDS: Final = 1_000_000
NO_TICK: Final = np.iinfo(np.int32).min


@dataclass(frozen=True, slots=True)
class EventTime:
    """How event time is cut and how far it may be out of order."""

    tick_seconds: int
    lateness_seconds: int
    """A tick is complete when the partition's clock is this far past its end."""
    future_seconds: int
    """A time further ahead of the clock than this, and not confirmed by others, is clamped."""
    look_ahead: int
    """Records looked ahead at to confirm a jump in time."""

    def tick(self, times: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        """Return the ticks of times in microseconds."""
        return (times // (self.tick_seconds * MICROSECONDS)).astype(np.int32)


@dataclass(slots=True)
class DedupeCounts:
    """What became of the records so far, and how far the partition is."""

    rejects: int = 0
    duplicates: int = 0
    late: int = 0
    clamped: int = 0


class Dedupe:
    """One partition's clock and memory of reels; everything in it can be pickled as a snapshot."""

    def __init__(self, time: EventTime, remember: int) -> None:
        self.time = time
        self.counts = DedupeCounts()
        self._seen = SeenReels(remember)
        self._waiting = Reels.none()
        self._volume = np.zeros(0, VOLUME)
        self._clock = int(UNSET)
        self._last_tick = int(NO_TICK)
        self._closed = int(NO_TICK)
        self._floor = int(NO_TICK)
        """Ticks before it were left to the other partitions while this one was silent."""

    def __call__(self, decoded: Decoded) -> Fresh | None:
        """Take a poll; return the reels settled by it, or None where there is nothing to tell."""
        self.counts.rejects += len(decoded.rejects)
        idle = decoded.idle_us is not None
        waiting = self._waiting
        reels = joined(waiting, decoded.reels) if len(waiting) else decoded.reels
        settled = np.empty(len(reels), np.int64)
        clocks = np.empty(len(reels), np.int64)
        done, clamped = settle(
            reels.time,
            self._clock,
            self.time.future_seconds * MICROSECONDS,
            self.time.look_ahead,
            decoded.end or idle,
            settled,
            clocks,
        )
        self._waiting = reels.take(slice(done, None)).packed()
        self.counts.clamped += clamped
        floor = self._follow(decoded.idle_us)
        fresh = self._place(decoded, reels.take(slice(done)), settled[:done], clocks[:done], floor)
        return fresh if fresh.announce or len(fresh.reels) else None

    def _place(
        self,
        decoded: Decoded,
        reels: Reels,
        times: npt.NDArray[np.int64],
        clocks: npt.NDArray[np.int64],
        floor: int,
    ) -> Fresh:
        """Give settled reels their ticks, and drop those that were here before."""
        complete = self.time.tick(clocks - self.time.lateness_seconds * MICROSECONDS)
        ticks = self.time.tick(times)
        apply = np.maximum(np.maximum(ticks, complete), np.int32(self._floor))
        self._floor = floor
        reel = hash_column(reels.data, reels.starts, reels.lengths, REEL_ID)
        kinds = self._seen.classify(reel, _digests(reels))
        counted = kinds == NEW
        if times.size:
            self._clock = int(clocks[-1])
            self._last_tick = max(self._last_tick, int(apply.max()))
            self._volume = _add_volume(self._volume, apply[counted], ticks[counted])
        self.counts.late += int(np.count_nonzero(counted & (apply > ticks)))
        self.counts.duplicates += int(np.count_nonzero(~counted))
        kept = slice(None) if counted.all() else np.flatnonzero(kinds != REPEAT)
        author = hash_column(reels.data, reels.starts, reels.lengths, AUTHOR_ID)
        closed = self._now_closed(decoded.end)
        announce = closed > self._closed or decoded.end
        self._closed = max(closed, self._closed)
        return Fresh(
            decoded.partition,
            replace(reels, time=times).take(kept),
            reel[kept],
            author[kept],
            ticks[kept],
            apply[kept],
            kinds[kept] == AGAIN,
            self._closed,
            decoded.end,
            self._take_volume(announce),
            announce,
        )

    def reached_us(self) -> int:
        """Return where the partition is in event time, in microseconds; 0 where nowhere yet."""
        closed = self._floor * self.time.tick_seconds + self.time.lateness_seconds
        followed = 0 if self._floor == NO_TICK else closed * MICROSECONDS
        return max(0, self._clock, followed)

    def _follow(self, idle_us: int | None) -> int:
        """Return the tick before which a silent partition leaves all to the others, as of now."""
        return self._floor if idle_us is None else max(self._floor, self._complete_at(idle_us))

    def _complete_at(self, clock: int) -> int:
        """Return the tick before which a partition is complete when its clock says so."""
        watermark = np.array([clock - self.time.lateness_seconds * MICROSECONDS])
        return int(self.time.tick(watermark)[0])

    def _now_closed(self, end: bool) -> int:
        """Return the tick before which this partition is complete."""
        if self._clock == UNSET:
            return self._floor
        if end:
            return max(self._last_tick + 1, self._floor)
        return max(self._complete_at(self._clock), self._floor)

    def _take_volume(self, announce: bool) -> npt.NDArray[np.void]:
        if not announce:
            return np.zeros(0, VOLUME)
        volume, self._volume = self._volume, np.zeros(0, VOLUME)
        return volume


def _digests(reels: Reels) -> npt.NDArray[np.uint64]:
    """Hash what gives a reel its signals: caption, hashtags, sound, speech and text on screen."""
    signals = (CAPTION, AUDIO_ID, TRANSCRIPT, OCR_TEXT, FINGERPRINT, LANDMARKS)
    return digests(
        reels.data,
        reels.starts,
        reels.lengths,
        signals,
        reels.tag_first,
        reels.tag_count,
        reels.tag_starts,
        reels.tag_lengths,
    )


def _add_volume(
    volume: npt.NDArray[np.void], apply: npt.NDArray[np.int32], ticks: npt.NDArray[np.int32]
) -> npt.NDArray[np.void]:
    """Add one reel for each (apply, tick) to the volume, kept in the order of both."""
    added = np.zeros(apply.size, VOLUME)
    added["apply"], added["tick"], added["reels"] = apply, ticks, 1
    both = np.concatenate([volume, added])
    keys = both["apply"].astype(np.int64) << 32 | both["tick"].astype(np.int64) & 0xFFFFFFFF
    _, first, group = np.unique(keys, return_index=True, return_inverse=True)
    summed = both[first]
    summed["reels"] = np.bincount(group, weights=both["reels"], minlength=first.size)
    return summed


class Deduping(Machine[Decoded, Fresh]):
    """`Dedupe` as a machine, keyed by partition.

    A delta says which reels came, by their hashes, and holds the rest of the state whole.
    """

    def __init__(self, dedupe: Dedupe) -> None:
        self.dedupe = dedupe

    def key_of(self, value: Decoded) -> str:
        """The partition."""
        return value.partition

    def apply(self, values: list[Decoded]) -> list[Fresh]:
        """Take polls of this partition in order."""
        return [out for decoded in values if (out := self.dedupe(decoded)) is not None]

    def journaled(self, values: list[Decoded]) -> tuple[list[Fresh], bytes]:
        """Take polls, and return the hashes and digests of their reels, uint64[2, n]."""
        seen = self.dedupe._seen
        recorder = _Recorder(seen)
        self.dedupe._seen = recorder
        try:
            return self.apply(values), recorder.entry()
        finally:
            self.dedupe._seen = seen

    def rest(self) -> bytes:
        """All but the memory of reels."""
        small = {name: value for name, value in vars(self.dedupe).items() if name != "_seen"}
        return pickle.dumps(small, PROTOCOL)

    def redo(self, entries: Iterator[memoryview], rest: memoryview) -> None:
        """Remember the reels again, and take the rest as it was."""
        for entry in entries:
            reels, digests = np.frombuffer(entry, np.uint64).reshape(2, -1).copy()
            self.dedupe._seen.classify(reels, digests)
        vars(self.dedupe).update(pickle.loads(rest))


class _Recorder(SeenReels):
    """A memory of reels that notes what it is asked."""

    def __init__(self, seen: SeenReels) -> None:
        self._inner = seen
        self._asked: list[npt.NDArray[np.uint64]] = []

    def classify(
        self, reels: npt.NDArray[np.uint64], digests: npt.NDArray[np.uint64]
    ) -> npt.NDArray[np.uint8]:
        """Ask the memory itself."""
        self._asked.append(np.stack([reels, digests]))
        return self._inner.classify(reels, digests)

    def entry(self) -> bytes:
        """All that was asked, in order."""
        return np.hstack(self._asked).tobytes() if self._asked else b""


class DedupeLogic(Durable[Decoded, Fresh]):
    """`Deduping` as a Bytewax step that also says on the board how far it is."""

    def __init__(
        self,
        board: Board | None,
        machine: Machine[Decoded, Fresh],
        book: Book | None = None,
        handle: Handle | None = None,
    ) -> None:
        super().__init__(machine, book, handle)
        self._board = board
        if handle is not None:
            self._begin(handle.key)

    def on_batch(self, values: list[Decoded]) -> tuple[list[Fresh], bool]:
        """Take polls of this partition in order."""
        fresh, retain = super().on_batch(values)
        if values:
            self._tell(values[-1].partition)
            self._add(values[-1].partition, fresh)
        return fresh, retain

    def _begin(self, partition: str) -> None:
        """Say on the board where this start goes on; first, for what is counted is from there."""
        assert isinstance(self.machine, Deduping)
        if self._board is not None and partition in self._board.partitions:
            for name, count in asdict(self.machine.dedupe.counts).items():
                self._board.set(partition, f"{name}_before", count)
            self._tell(partition)

    def _add(self, partition: str, fresh: list[Fresh]) -> None:
        """Add the reels that go on; those that come again with more are counted already."""
        if self._board is not None and partition in self._board.partitions:
            new = sum(len(one.reels) - int(np.count_nonzero(one.again)) for one in fresh)
            self._board.add(partition, "counted", new)

    def _tell(self, partition: str) -> None:
        """Say on the board how far the partition is; where a run goes on others may wait for it."""
        assert isinstance(self.machine, Deduping)
        if self._board is None or partition not in self._board.partitions:
            return
        dedupe = self.machine.dedupe
        self._board.set(partition, "rejects", dedupe.counts.rejects)
        self._board.set(partition, "duplicates", dedupe.counts.duplicates)
        self._board.set(partition, "late", dedupe.counts.late)
        self._board.set(partition, "clamped", dedupe.counts.clamped)
        self._board.set(partition, "reached_us", dedupe.reached_us())
