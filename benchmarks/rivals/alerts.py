"""Alerts out of scores: when a signal passes a threshold, and whether that is a trend of its own.

A signal alerts at a threshold when it passes it and was not above it in the two days before
(Mastodon's cool-down, for all). An alert says nothing new, and is left out, when three or more of
the signal's reels of the last day, and at least three in ten of all of them, also hold one signal
that alerted in those two days: so sound, tag and phrase of one trend are one alert, as with ours.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from benchmarks.rivals.series import F64
from benchmarks.rivals.uses import I64, Uses

QUIET_DAYS: Final = 2
SHARED: Final = 0.3
MIN_SHARED: Final = 3


@dataclass(frozen=True, slots=True)
class Crossings:
    """Where a score is above all of the two days before: at any threshold between the two.

    Columns of equal length, by tick and signal.
    """

    signal: I64  # row of `Uses`
    tick: I64
    low: F64  # highest score of the two days before
    score: F64

    def at(self, threshold: float) -> tuple[I64, I64]:
        """Signals and ticks of the alerts at a threshold, in their order."""
        here = (self.low < threshold) & (self.score >= threshold)
        return self.signal[here], self.tick[here]

    def threshold(self, alerts: int) -> float:
        """Return the highest threshold at which there are so many alerts, or else the most."""
        if not self.score.size:
            return np.inf
        edges = np.concatenate([self.score, self.low])
        steps = np.concatenate([np.ones(self.score.size), -np.ones(self.low.size)])
        order = np.lexsort((steps, -edges))
        counts = np.cumsum(steps[order])
        return float(edges[order][np.argmax(counts >= min(alerts, counts.max()))])


def crossings(
    signals: I64, scores: F64, eligible: npt.NDArray[np.bool_], first: int, quiet: int
) -> Crossings:
    """Find them, from tick `first` on and where `eligible`; scores and that are [n, ticks].

    A score of 0 or less says that nothing rises. `quiet` are the ticks of two days.
    """
    allowed = np.where(eligible & (scores > 0), scores, -np.inf)
    allowed[:, :first] = -np.inf
    low = _highest_before(allowed, quiet)
    row, tick = np.nonzero(allowed > low)
    found = (signals[row], tick, low[row, tick], allowed[row, tick])
    return Crossings(*found)


def joined(parts: list[Crossings]) -> Crossings:
    """Return those of several parts of the signals as one."""
    columns = [
        np.concatenate([getattr(part, name) for part in parts]) for name in Crossings.__slots__
    ]
    order = np.lexsort((columns[0], columns[1]))
    return Crossings(*(column[order] for column in columns))


def _highest_before(values: F64, ticks: int) -> F64:
    """The highest of the `ticks` before each, [n, ticks]; -inf where there is none.

    By doubling: the maximum over 2^k is that of two over 2^(k-1).
    """
    moved = np.full_like(values, -np.inf)
    moved[:, 1:] = values[:, :-1]
    span = 1
    while 2 * span <= ticks:
        longer = moved.copy()
        longer[:, span:] = np.maximum(moved[:, span:], moved[:, :-span])
        moved, span = longer, 2 * span
    rest = ticks - span
    if rest:
        longer = moved.copy()
        longer[:, rest:] = np.maximum(moved[:, rest:], moved[:, :-rest])
        moved = longer
    return moved


class Grouping:
    """Which signals share their reels; what was found once is kept."""

    def __init__(self, uses: Uses) -> None:
        self._uses = uses
        signal = np.repeat(np.arange(uses.kind.size), np.diff(uses.bounds))
        order = np.argsort(uses.reel, kind="stable")
        self._signal = signal[order]
        self._bounds = np.searchsorted(uses.reel[order], np.arange(int(uses.reel.max()) + 2))
        self._near: dict[tuple[int, int], frozenset[int]] = {}

    def near(self, signal: int, tick: int) -> frozenset[int]:
        """Signals that share enough of its reels of the day that ends with a tick."""
        known = self._near.get((signal, tick))
        if known is not None:
            return known
        uses = self._uses
        first, last = uses.bounds[signal : signal + 2].tolist()
        ticks = uses.tick[first:last]
        start, stop = np.searchsorted(ticks, [tick - uses.day + 1, tick + 1])
        reels = np.unique(uses.reel[first + start : first + stop])
        spans = [self._signal[self._bounds[r] : self._bounds[r + 1]] for r in reels.tolist()]
        others, counts = np.unique(np.concatenate(spans), return_counts=True)
        enough = counts >= max(MIN_SHARED, SHARED * reels.size)
        self._near[signal, tick] = frozenset(others[enough].tolist()) - {signal}
        return self._near[signal, tick]

    def alerts(self, signals: I64, ticks: I64) -> list[tuple[int, int]]:
        """Signal and tick of the alerts that say something new, in their order."""
        quiet = QUIET_DAYS * self._uses.day
        said: dict[int, int] = {}
        new = []
        for signal, tick in zip(signals.tolist(), ticks.tolist(), strict=True):
            near = self.near(signal, tick)
            if not any(tick - said.get(other, -quiet) < quiet for other in near):
                new.append((signal, tick))
            said[signal] = tick
        return new
