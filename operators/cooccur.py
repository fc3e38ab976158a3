"""The step that keeps the co-occurrence graph: which sounds and hashtags are newly used together.

The reels of an hour wait until all partitions have completed it; then `trend.graph.challenges`
counts their pairs. It reports as a shard does, so that `operators.synthesise` waits for it too.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from numba import njit

from operators.blocks import GRAPH, Together
from operators.detect import ShardReport
from operators.durable.machine import Machine
from operators.watermarks import Watermarks
from trend.graph.challenges import Challenges, ChallengeSettings, Labels
from trend.graph.reporting import nothing
from trend.graph.watched import Hour
from trend.slices import pack

I64 = npt.NDArray[np.int64]


class Cooccurring(Machine[Together, ShardReport]):
    """The graph, under one key."""

    def __init__(self, settings: ChallengeSettings, partitions: Sequence[str]) -> None:
        self._ticks_per_hour = 3600 // settings.tick_seconds
        self._windows = len(settings.windows_h)
        self._challenges = Challenges(settings)
        self._marks = Watermarks(partitions)
        self._waiting: dict[int, list[Together]] = {}
        """Hour -> reels of it."""
        self._through: int | None = None

    def key_of(self, value: Together) -> str:
        """The one key."""
        return GRAPH

    def know(self, partitions: Sequence[str]) -> bool:
        """Wait for partitions that came later too; say whether there are such."""
        return self._marks.know(partitions)

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
        reports = [
            self._challenges.hour(hour, *joined(self._waiting.pop(hour)))
            for hour in sorted(hour for hour in self._waiting if hour < complete)
        ]
        return [ShardReport(GRAPH, one) for one in (*reports, nothing(through, self._windows))]


def by_hour(value: Together, ticks_per_hour: int) -> list[tuple[int, Together]]:
    """Cut the reels of a poll by the hour in which they take effect."""
    hours = value.apply // ticks_per_hour
    if not hours.size:
        return []
    order = np.argsort(hours, kind="stable")
    cuts = np.flatnonzero(np.diff(hours[order])) + 1
    return [(int(hours[rows[0]]), _rows(value, rows)) for rows in np.split(order, cuts)]


def _rows(value: Together, rows: I64) -> Together:
    sizes = np.diff(value.bounds)[rows]
    bounds = np.zeros(rows.size + 1, np.int32)
    np.cumsum(sizes, out=bounds[1:])
    uses = _uses(value.bounds, rows, int(bounds[-1]))
    lengths = value.label_len[uses]
    labels, starts = pack(value.labels, value.label_at[uses], lengths)
    return Together(
        value.partition,
        value.reel[rows],
        value.author[rows],
        value.apply[rows],
        bounds,
        value.signal[uses],
        value.kind[uses],
        starts,
        lengths,
        labels,
        value.closed,
        value.end,
    )


@njit(cache=True, nogil=True)
def _uses(bounds: npt.NDArray[np.int32], rows: I64, size: int) -> I64:
    """Return the places of the uses of some reels."""
    uses = np.empty(size, np.int64)
    at = 0
    for row in rows:
        for use in range(bounds[row], bounds[row + 1]):
            uses[at] = use
            at += 1
    return uses


def joined(parts: Sequence[Together]) -> tuple[Hour, Labels]:
    """Return the reels of several polls as those of an hour, and the names in them."""
    uses = [part.signal.size for part in parts]
    labels = [part.labels.size for part in parts]
    bounds = [
        part.bounds[1:].astype(np.int64) + before
        for part, before in zip(parts, np.cumsum(uses) - uses, strict=True)
    ]
    starts = [
        part.label_at.astype(np.int64) + before
        for part, before in zip(parts, np.cumsum(labels) - labels, strict=True)
    ]
    return Hour(
        np.concatenate([part.reel for part in parts]),
        np.concatenate([part.author for part in parts]),
        np.concatenate([np.zeros(1, np.int64), *bounds]),
        np.concatenate([part.signal for part in parts]),
    ), Labels(
        np.concatenate([part.kind for part in parts]),
        np.concatenate(starts),
        np.concatenate([part.label_len for part in parts]).astype(np.int64),
        np.concatenate([part.labels for part in parts]),
    )
