"""Visual formats that are kept up to date tick by tick.

A reel belongs to the nearest format if that is near enough, and draws its centroid a little
towards itself. Reels near none, or at a format's edge, wait, and what waits is clustered now and
then: a cluster that no format is near becomes one. Clustering all reels again instead, window after
window, would find much the same clusters and lose their ids.

All is decided at ticks, over the tick's reels in the order of their keys, by exact products
(`trend.formats.vectors`): the same reels in other batches or processes give the same formats.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

import numpy as np
import numpy.typing as npt

from trend.formats.clustering import clusters, linked
from trend.formats.nearest import FEW, Nearest, subspace
from trend.formats.vectors import F64, LENGTH, MAX_DIMENSIONS, Vectors, directions
from trend.hashing import mix64

F16 = npt.NDArray[np.float16]
U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]

NONE: Final = np.uint64(0)
"""No format."""

SHOWN: Final = 32
"""Reels that an event names at most."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """When reels are alike. Cosines are those of embeddings as seen from the middle of all."""

    near: float = 0.65
    """Cosine with the centroid from which a reel belongs to a format."""
    distinct: float = 0.8
    """A cluster with a cosine of at least this to a format is no new one."""
    same: float = 0.93
    """Formats whose centroids have a cosine of at least this become one."""
    link: float = 0.72
    """Cosine from which two reels are neighbours."""
    neighbours: int = 5
    """So many neighbours make a reel dense."""
    least: int = 10
    """Reels that make a format."""
    rate: float = 0.02
    """How far one reel draws a centroid towards itself."""
    warm: int = 1000
    """Reels whose mean is the middle; until then all wait."""
    every: int = 500
    """Reels that began to wait since the last clustering and make it due."""
    waiting: int = 6000
    """Reels that wait; the oldest go first."""
    rest_ticks: int = 6 * 24 * 3
    """A format without reels for so long rests: it is looked for only among new clusters."""
    most: int = 20_000
    """Formats that do not rest, and as many that do; those go first that had a reel longest ago."""


class Change(Enum):
    """What happens to a format."""

    BORN = "born"
    SPLIT = "split"
    """Born among the reels at the edge of another."""
    REVIVED = "revived"
    MERGED = "merged"
    """It is another from now on."""
    RESTED = "rested"


@dataclass(frozen=True, slots=True)
class Event:
    """A change of a format."""

    change: Change
    format: int
    other: int = 0
    """Of what it was split, or into what it was merged."""
    reels: tuple[int, ...] = ()
    """Of one that was born, split or revived, keys of reels of it, the nearest to its centroid (the
    medoid) first, at most `SHOWN`."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a tick has told."""

    keys: U64
    """(n,) reels whose format is now known: reels of the tick, and some that had waited."""
    formats: U64
    """(n,)"""
    cosines: F64
    """(n,) with the format's centroid."""
    events: tuple[Event, ...]


@dataclass(slots=True)
class _Known:
    """Formats in columns, in the order in which they came."""

    ids: U64
    centroids: F64  # (m, d), of length LENGTH
    last: I64  # tick of the newest reel
    moved: npt.NDArray[np.bool_]  # since they were compared with each other

    @classmethod
    def none(cls, dimensions: int) -> "_Known":
        none = np.zeros(0, np.int64), np.zeros(0, np.bool_)
        return cls(np.zeros(0, np.uint64), np.zeros((0, dimensions)), *none)

    def take(self, rows: npt.NDArray[np.bool_] | I64) -> "_Known":
        return _Known(self.ids[rows], self.centroids[rows], self.last[rows], self.moved[rows])

    def and_also(self, other: "_Known") -> "_Known":
        return _Known(
            np.concatenate([self.ids, other.ids]),
            np.concatenate([self.centroids, other.centroids]),
            np.concatenate([self.last, other.last]),
            np.concatenate([self.moved, other.moved]),
        )

    def nearest(self, basis: Vectors | None = None) -> Nearest:
        return Nearest(*_whole(self.centroids), basis)


@dataclass(slots=True)
class Formats:
    """The formats among embeddings of one model."""

    dimensions: int
    tuning: Tuning = field(default_factory=Tuning)
    _centre: F64 | None = field(init=False, default=None)
    _active: _Known = field(init=False)
    _resting: _Known = field(init=False)
    _basis: Vectors | None = field(init=False, default=None)
    _fitted: int = field(init=False, default=0)  # active formats when the basis was found
    _waiting: F16 = field(init=False)  # (w, d), oldest first
    _keys: U64 = field(init=False)  # (w,)
    _of: U64 = field(init=False)  # (w,) format at whose edge it is, or NONE
    _linked: I64 = field(init=False)  # (w',) others it is linked to; of the first w' alone
    _since: int = field(init=False, default=0)  # began to wait since the last clustering

    def __post_init__(self) -> None:
        if not 0 < self.dimensions <= MAX_DIMENSIONS:
            raise ValueError(f"embeddings of {self.dimensions} dimensions: 1 to {MAX_DIMENSIONS}")
        self._active = _Known.none(self.dimensions)
        self._resting = _Known.none(self.dimensions)
        self._waiting = np.zeros((0, self.dimensions), np.float16)
        self._keys = np.zeros(0, np.uint64)
        self._of = np.zeros(0, np.uint64)
        self._linked = np.zeros(0, np.int64)

    @property
    def ids(self) -> U64:
        """Those that do not rest, in the order in which they came."""
        return self._active.ids

    @property
    def resting(self) -> U64:
        """Those that rest."""
        return self._resting.ids

    @property
    def waiting(self) -> U64:
        """The keys of the reels that wait, oldest first; of some at an edge the format is told."""
        return self._keys

    def advance(self, tick: int, keys: U64, embeddings: F16) -> Found:
        """Take the reels of one tick.

        Args:
            tick: of event time, not before any earlier one.
            keys: (n,) hashes of the reels, each once.
            embeddings: (n, d) float16.
        """
        order = np.argsort(keys, kind="stable")
        keys, embeddings = keys[order], embeddings[order]
        events: list[Event] = []
        told = _Told()
        if self._centre is None:
            self._wait(keys, embeddings, np.zeros(keys.size, np.uint64))
            if self._keys.size >= self.tuning.warm:
                self._centre = self._waiting.astype(np.float64).mean(0)
        elif keys.size:
            self._assign(tick, keys, embeddings, told)
        if self._centre is not None and self._since >= self.tuning.every:
            self._cluster(tick, self._centre, told, events)
            self._merge(events)
        self._retire(tick, events)
        return told.found(events)

    def _assign(self, tick: int, keys: U64, embeddings: F16, told: "_Told") -> None:
        """Give reels to the formats that are near; the others wait, and those at an edge too."""
        assert self._centre is not None
        vectors, lengths = directions(embeddings, self._centre)
        known = self._active
        if known.ids.size > max(FEW, 2 * self._fitted):
            self._basis, self._fitted = subspace(_whole(known.centroids)[0]), known.ids.size
        nearest, cosine = known.nearest(self._basis)(vectors, lengths)
        member = cosine >= self.tuning.near
        rows, found = np.flatnonzero(member), nearest[member]
        told.add(keys[rows], known.ids[found], cosine[rows])
        self._active.last[found] = tick
        edge = member & (cosine < self.tuning.link)
        inner = member & ~edge
        self._draw(nearest[inner], vectors[inner])
        waits = (~member | edge) & (lengths > 0)
        of = np.where(member, known.ids[nearest], NONE) if known.ids.size else np.zeros_like(keys)
        self._wait(keys[waits], embeddings[waits], of[waits])

    def _draw(self, formats: I64, vectors: Vectors) -> None:
        """Draw centroids towards vectors of their formats (exponentially weighted mean)."""
        if formats.size == 0:
            return
        order = np.argsort(formats, kind="stable")
        rows, first, count = np.unique(formats[order], return_index=True, return_counts=True)
        # Sums of whole numbers: exact in float64, whatever their order.
        sums = np.add.reduceat(vectors[order].astype(np.float64), first, axis=0)
        share = (1.0 - (1.0 - self.tuning.rate) ** count)[:, None]
        drawn = (1.0 - share) * self._active.centroids[rows] + share * _scaled(sums)
        self._active.centroids[rows] = _scaled(drawn)
        self._active.moved[rows] = True

    def _wait(self, keys: U64, embeddings: F16, of: U64) -> None:
        """Have reels wait, until those before the last `waiting` go when it is clustered next."""
        self._keys = np.concatenate([self._keys, keys])
        self._waiting = np.concatenate([self._waiting, embeddings.astype(np.float16)])
        self._of = np.concatenate([self._of, of])
        self._since += keys.size

    def _cluster(self, tick: int, centre: F64, told: "_Told", events: list[Event]) -> None:
        """Look for formats among what waits."""
        self._since = 0
        tuning = self.tuning
        vectors, lengths = directions(self._waiting, centre)
        old = np.arange(lengths.size) < lengths.size - tuning.waiting
        if old.any():
            vectors, lengths = self._leave(old, vectors, lengths)
        self._link_new(vectors, lengths)
        labels = clusters(
            vectors, lengths, self._linked, tuning.link, tuning.neighbours, tuning.least
        )
        for label in range(labels.max(initial=-1) + 1):
            rows = np.flatnonzero(labels == label)
            self._welcome(tick, rows, vectors[rows], lengths[rows], told, events)
        self._leave(labels >= 0, vectors, lengths)

    def _link_new(self, vectors: Vectors, lengths: F64) -> None:
        """Count what is linked to those that wait since the last time, and they to the others."""
        known = self._linked.size
        new, before = slice(known, None), slice(None, known)
        link = self.tuning.link
        of_new, of_all = linked(vectors[new], lengths[new], vectors, lengths, link)
        itself = lengths[new] > 0
        self._linked = np.concatenate([self._linked + of_all[before], of_new - itself])

    def _leave(
        self, gone: npt.NDArray[np.bool_], vectors: Vectors, lengths: F64
    ) -> tuple[Vectors, F64]:
        """Let some wait no more, and return the vectors of those that do, and their lengths."""
        left = ~gone
        known = np.arange(gone.size) < self._linked.size
        went, stays = gone & known, left & known
        link = self.tuning.link
        lost = linked(vectors[went], lengths[went], vectors[stays], lengths[stays], link)[1]
        self._linked = self._linked[stays[: self._linked.size]] - lost
        self._keys, self._waiting, self._of = self._keys[left], self._waiting[left], self._of[left]
        return vectors[left], lengths[left]

    def _welcome(
        self,
        tick: int,
        rows: I64,
        vectors: Vectors,
        lengths: F64,
        told: "_Told",
        events: list[Event],
    ) -> None:
        """Make a cluster a format, or find that it is one."""
        direction = _scaled(vectors.astype(np.float64).sum(0, keepdims=True))
        whole, length = _whole(direction)
        cosine = Nearest(whole, length)(vectors, lengths)[1]
        keys, of = self._keys[rows], self._of[rows]
        shown = tuple(keys[np.lexsort((keys, -cosine))[:SHOWN]].tolist())
        (near,), (similar,) = self._active.nearest()(whole, length)
        if similar >= self.tuning.distinct:
            named = int(self._active.ids[near])
            self._active.last[near] = tick
        else:
            (near,), (similar,) = self._resting.nearest()(whole, length)
            known = np.zeros(self._resting.ids.size, np.bool_)
            if similar >= self.tuning.distinct:
                known[near] = True
                named = int(self._resting.ids[near])
                events.append(Event(Change.REVIVED, named, reels=shown))
            else:
                named = int(mix64(np.uint64(shown[0]) ^ np.uint64(tick))) or 1
                parents, counts = np.unique(of, return_counts=True)
                parent = int(parents[counts.argmax()]) if 2 * counts.max() > of.size else 0
                change = Change.SPLIT if parent else Change.BORN
                events.append(Event(change, named, parent, shown))
            self._resting = self._resting.take(~known)
            one = np.array([named], np.uint64)
            self._active = self._active.and_also(
                _Known(one, direction, np.array([tick]), np.array([True]))
            )
        new = of == NONE
        told.add(keys[new], np.full(np.count_nonzero(new), named, np.uint64), cosine[new])

    def _merge(self, events: list[Event]) -> None:
        """Make formats that have become the same one: the one that came first."""
        known = self._active
        whole, lengths = _whole(known.centroids)
        kept = np.ones(known.ids.size, np.bool_)
        close = self._close(whole, lengths)
        known.moved[:] = False
        for row in close:
            products = (whole[:row] @ whole[row]).astype(np.float64)
            cosine = np.where(kept[:row], products / (lengths[:row] * lengths[row]), -1.0)
            into = int(cosine.argmax())
            if cosine[into] >= self.tuning.same:
                kept[row] = False
                known.last[into] = max(known.last[into], known.last[row])
                events.append(Event(Change.MERGED, int(known.ids[row]), int(known.ids[into])))
        if not kept.all():
            self._active = known.take(kept)

    def _close(self, whole: Vectors, lengths: F64) -> list[int]:
        """Formats with an earlier one that is the same, in the order in which they came."""
        close: set[int] = set()
        moved = np.flatnonzero(self._active.moved)
        for first in range(0, moved.size, 1024):
            rows = moved[first : first + 1024]
            products = (whole[rows] @ whole.T).astype(np.float64)
            products /= lengths[rows, None] * lengths[None, :]
            at, other = np.nonzero(products >= self.tuning.same)
            apart = rows[at] != other
            close.update(np.maximum(rows[at], other)[apart].tolist())
        return sorted(close)

    def _retire(self, tick: int, events: list[Event]) -> None:
        """Let formats rest that nobody uses; forget what has rested longest."""
        known = self._active
        rests = known.last < tick - self.tuning.rest_ticks
        over = known.ids.size - np.count_nonzero(rests) - self.tuning.most
        if over > 0:
            rests[np.lexsort((known.ids, known.last + np.where(rests, 1 << 40, 0)))[:over]] = True
        if not rests.any():
            return
        events += [Event(Change.RESTED, int(one)) for one in known.ids[rests]]
        resting = self._resting.and_also(known.take(rests))
        self._active = known.take(~rests)
        newest = np.sort(np.lexsort((resting.ids, -resting.last))[: self.tuning.most])
        self._resting = resting.take(newest)


@dataclass(slots=True)
class _Told:
    """Reels whose formats are known, as they come."""

    keys: list[U64] = field(default_factory=list)
    formats: list[U64] = field(default_factory=list)
    cosines: list[F64] = field(default_factory=list)

    def add(self, keys: U64, formats: U64, cosines: F64) -> None:
        self.keys.append(keys)
        self.formats.append(formats)
        self.cosines.append(cosines)

    def found(self, events: list[Event]) -> Found:
        return Found(
            np.concatenate([np.zeros(0, np.uint64), *self.keys]),
            np.concatenate([np.zeros(0, np.uint64), *self.formats]),
            np.concatenate([np.zeros(0), *self.cosines]),
            tuple(events),
        )


def _scaled(vectors: F64) -> F64:
    """The same directions with the length LENGTH."""
    lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))[:, None]
    return vectors * np.divide(LENGTH, lengths, out=np.zeros_like(lengths), where=lengths > 0)


def _whole(centroids: F64) -> tuple[Vectors, F64]:
    """Centroids of length LENGTH as whole numbers, and their lengths."""
    whole = np.rint(centroids)
    return whole.astype(np.float32), np.sqrt(np.einsum("nd,nd->n", whole, whole))
