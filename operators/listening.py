"""Which recordings the reels that wait are of: by their fingerprints, and in parts by landmarks.

    Asked -> Listening (one key) -> Listened -> Landmarking (a key each part) -> Told -> Identifying
                                             ->

Fingerprints are looked for in one step, which is cheap. Those that are new are looked for by their
landmarks in all parts of the catalogue at once, each of which keeps the recordings whose hashes are
its own; so processes share the work. `operators.identify` puts together what they say.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from operators.blocks import Fresh
from operators.durable.machine import Machine
from operators.heard import Heard, Ragged
from operators.metrics import LIMIT, RECORDINGS, RECORDINGS_EVICTED, USED, Sizes
from operators.routing import PLACES, key_at
from operators.waiting import Holding, Tick
from trend.acoustics.chromaprint import U32
from trend.acoustics.hearing import NONE, Landmarked, Uploads
from trend.acoustics.peaks import unpack

LISTENING: Final = key_at("sounds", 0)
"""Key of the step for fingerprints, and its name among those that identify."""

I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]


def part_key(part: int) -> str:
    """Return the key of a part of the landmarks, and its name among those that identify."""
    return key_at(f"landmarks-{part}", part % PLACES)


@dataclass(frozen=True, slots=True)
class Listen:
    """n reels of a tick, in order, with what their fingerprints say."""

    tick: int
    fresh: Fresh
    content: U64  # [n] hash of what is heard, for the id of a new sound
    recordings: Ragged  # [n] numbers of the recordings that it is of
    learnt: I64  # [n] its own number as a recording, or NONE
    asks: I64  # [a] reels that are looked for by landmarks
    kept: I64 | None  # recordings that stay after the tick, numbered anew; None: all


@dataclass(frozen=True, slots=True)
class Query:
    """a reels of a tick that are looked for by landmarks."""

    tick: int
    reel: U64  # [a] hashes
    packed: Ragged  # [a] peaks


@dataclass(frozen=True, slots=True)
class Queries:
    """Reels of ticks that a part is asked for."""

    part: int
    queries: tuple[Query, ...]
    through: int
    end: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What a part says of a tick's queries."""

    tick: int
    recording: I64  # [a] number of the recording that it is of, or NONE
    learnt: I64  # [a] its own number as a recording, or NONE


@dataclass(frozen=True, slots=True)
class Told:
    """What one of the steps has to say of ticks, up to and including `through`."""

    step: str
    ticks: tuple[Listen, ...] | tuple[Answer, ...]
    through: int
    end: bool


@dataclass(frozen=True, slots=True)
class Listened:
    """What the step for fingerprints has to say of ticks, and to ask the parts."""

    ticks: tuple[Listen, ...]
    asked: tuple[Query, ...]
    through: int
    end: bool

    def told(self) -> Told:
        """Return what it says."""
        return Told(LISTENING, self.ticks, self.through, self.end)

    def queries(self, part: int) -> Queries:
        """Return what it asks a part."""
        return Queries(part, self.asked, self.through, self.end)


class Listening(Holding[Heard, Listened]):
    """The step for fingerprints."""

    def __init__(self, memory_bytes: int, partitions: Sequence[str]) -> None:
        super().__init__(LISTENING, partitions)
        self._uploads = Uploads(memory_bytes)
        self._evicted = 0

    def sizes(self) -> Sizes:
        """How full it is."""
        return {
            (RECORDINGS, ("fingerprints",)): len(self._uploads),
            (RECORDINGS_EVICTED, ()): self._evicted,
            (USED, ("fingerprints",)): self._uploads.memory(),
            (LIMIT, ("fingerprints",)): self._uploads.limit,
        }

    def complete(self, held: Iterator[Tick[Heard]], through: int, end: bool) -> Listened:
        """Say which recordings reels are of."""
        both = [self._listen(*tick) for tick in held]
        queries = tuple([query for _, query in both if query is not None])
        return Listened(tuple([listen for listen, _ in both]), queries, through, end)

    def _listen(self, tick: int, fresh: Fresh, heard: Heard) -> tuple[Listen, Query | None]:
        n = len(fresh.reels)
        learnt, content = np.full(n, NONE, np.int64), np.zeros(n, np.uint64)
        recordings, asks = [], []
        for row in range(n):
            items, packed = heard.items[row], heard.packed[row]
            found = self._uploads.hear(items, packed.size > 0)
            recordings.append(np.array(found.recordings, np.uint32))
            learnt[row] = found.learnt
            if not found.recordings:
                content[row] = content_of(items, packed)
            if found.asks:
                asks.append(row)
        rows = np.array(asks, np.int64)
        count = len(self._uploads)
        kept = self._uploads.shrink()
        self._evicted += 0 if kept is None else count - kept.size
        query = Query(tick, fresh.reel[rows], heard.packed.take(rows)) if asks else None
        return Listen(tick, fresh, content, Ragged.of(recordings), learnt, rows, kept), query


class Landmarking(Machine[Queries, Told]):
    """A part of the recordings known by landmarks."""

    def __init__(self, memory_bytes: int, parts: int) -> None:
        self._parts = parts
        self._landmarked = Landmarked(memory_bytes)

    def key_of(self, value: Queries) -> str:
        """The part."""
        return part_key(value.part)

    def sizes(self) -> Sizes:
        """How full it is."""
        return {
            (RECORDINGS, ("landmarks",)): len(self._landmarked),
            (USED, ("landmarks",)): self._landmarked.memory(),
            (LIMIT, ("landmarks",)): self._landmarked.limit,
        }

    def apply(self, values: list[Queries]) -> list[Told]:
        """Say of which recordings of this part reels are."""
        return [
            Told(
                part_key(value.part),
                tuple([self._answer(value.part, query) for query in value.queries]),
                value.through,
                value.end,
            )
            for value in values
        ]

    def _answer(self, part: int, query: Query) -> Answer:
        found = np.full(query.reel.size, NONE, np.int64)
        learnt = found.copy()
        for row, reel in enumerate(query.reel.tolist()):
            peaks = unpack(query.packed[row])
            found[row] = self._landmarked.hear(peaks)
            if found[row] == NONE and (reel >> 32) % self._parts == part:
                learnt[row] = self._landmarked.learn(peaks)
        return Answer(query.tick, found, learnt)


def content_of(items: U32, packed: U32) -> int:
    """Return a hash of the peaks of a sound or, without these, of its fingerprint."""
    data = (packed if packed.size else items).astype("<u4").tobytes()
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest())
