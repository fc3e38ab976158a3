"""The step that keeps the co-occurrence graph: which sounds and hashtags are newly used together.

The reels of an hour wait until all partitions have completed it; then `trend.graph.challenges`
counts their pairs. It reports as a shard does, so that `operators.synthesise` waits for it too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from operators.blocks import GRAPH
from operators.detect import ShardReport
from operators.durable.machine import Machine
from operators.metrics import LIMIT, USED, Sizes
from operators.together import Names, Together
from operators.watermarks import Watermarks
from trend.compiled import kernel
from trend.graph.arrays import I64, U64
from trend.graph.challenges import Challenges, ChallengeSettings, Name
from trend.graph.edges import EDGES
from trend.graph.reporting import nothing
from trend.graph.watched import Hour


@dataclass(frozen=True, slots=True)
class Part:
    """The reels of a poll that take effect in one hour."""

    reels: Hour
    names: Names
    """Of their signals."""


class Cooccurring(Machine[Together, ShardReport]):
    """The graph, under one key."""

    def __init__(self, settings: ChallengeSettings, partitions: Sequence[str]) -> None:
        self._ticks_per_hour = 3600 // settings.tick_seconds
        self._windows = len(settings.windows_h)
        self._challenges = Challenges(settings)
        self._marks = Watermarks(partitions)
        self._waiting: dict[int, list[Part]] = {}
        """Hour -> reels of it."""
        self._through: int | None = None

    def key_of(self, value: Together) -> str:
        """The one key."""
        return GRAPH

    def know(self, partitions: Sequence[str]) -> bool:
        """Wait for partitions that came later too; say whether there are such."""
        return self._marks.know(partitions)

    def sizes(self) -> Sizes:
        """How full the graph is."""
        edges = int(self._challenges.graph.edges.n[EDGES])
        most = self._challenges.settings.graph.edges.max_edges
        return {(USED, ("edges",)): edges, (LIMIT, ("edges",)): most}

    def apply(self, values: list[Together]) -> list[ShardReport]:
        """Take the reels of some polls, then look at the hours that they completed."""
        for value in values:
            for hour, part in by_hour(value, self._ticks_per_hour):
                self._waiting.setdefault(hour, []).append(part)
            self._marks.take(value.partition, value.closed, value.end)
        through = self._marks.through()
        if through is None or (self._through is not None and through <= self._through):
            return []
        self._through = through
        complete = (through + 1) // self._ticks_per_hour
        reports = []
        for hour in sorted(hour for hour in self._waiting if hour < complete):
            parts = self._waiting.pop(hour)
            named = Naming(parts)
            reports.append(self._challenges.hour(hour, joined([p.reels for p in parts]), named))
        return [ShardReport(GRAPH, one) for one in (*reports, nothing(through, self._windows))]


def by_hour(value: Together, ticks_per_hour: int) -> list[tuple[int, Part]]:
    """Cut the reels of a poll by the hour in which they take effect."""
    hours = value.apply // ticks_per_hour
    if not hours.size:
        return []
    order = np.argsort(hours, kind="stable")
    hours = hours[order]
    bounds = np.zeros(order.size + 1, np.int64)
    np.cumsum(np.diff(value.bounds)[order], out=bounds[1:])
    uses = np.empty(value.signal.size, np.int64)
    _uses(value.bounds, order, uses)
    reel, author, signal = value.reel[order], value.author[order], value.signal[uses]
    names = value.names.take(uses)
    cuts = [0, *(np.flatnonzero(np.diff(hours)) + 1).tolist(), hours.size]
    parts = []
    for start, stop in pairwise(cuts):
        own = slice(bounds[start], bounds[stop])
        reels = Hour(
            reel[start:stop],
            author[start:stop],
            bounds[start : stop + 1] - bounds[start],
            signal[own],
        )
        part = Names(names.kind[own], names.start[own], names.length[own], names.labels)
        parts.append((int(hours[start]), Part(reels, part)))
    return parts


@kernel
def _uses(bounds: I64, order: I64, uses: I64) -> None:
    """Fill in the places of the uses of reels in this order."""
    at = 0
    for reel in order:
        for use in range(bounds[reel], bounds[reel + 1]):
            uses[at] = use
            at += 1


def joined(parts: Sequence[Hour]) -> Hour:
    """Return the reels of several polls as those of an hour."""
    if len(parts) == 1:
        return parts[0]
    sizes = [part.signals.size for part in parts]
    bounds = [
        part.bounds[1:] + before
        for part, before in zip(parts, np.cumsum(sizes) - sizes, strict=True)
    ]
    return Hour(
        np.concatenate([part.reel for part in parts]),
        np.concatenate([part.author for part in parts]),
        np.concatenate([np.zeros(1, np.int64), *bounds]),
        np.concatenate([part.signals for part in parts]),
    )


@dataclass(frozen=True, slots=True)
class Naming:
    """The names of an hour's signals; where one has several, the least."""

    parts: Sequence[Part]

    def __call__(self, signals: U64) -> dict[int, Name]:
        """Return those of some."""
        return {
            one: min(
                part.names.name(row)
                for part in self.parts
                for row in np.flatnonzero(part.reels.signals == np.uint64(one)).tolist()
            )
            for one in signals.tolist()
        }
