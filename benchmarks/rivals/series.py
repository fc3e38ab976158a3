"""Distinct authors of each signal by ticks, and sums of them over windows."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from benchmarks.rivals.uses import I64, Uses, authors_once

F64 = npt.NDArray[np.float64]
MIN_AUTHORS: Final = 10
"""Distinct authors within a day below which nobody is alerted: ours is `min_authors`, too."""


@dataclass(frozen=True, slots=True)
class Series:
    """Counts of n signals, dense."""

    signals: I64  # [n] rows of `Uses`
    kind: npt.NDArray[np.uint8]  # [n]
    counts: F64  # [n, ticks] authors
    volume: F64  # [ticks] reels
    day: int = 144  # ticks

    @property
    def hour(self) -> int:
        """Ticks an hour."""
        return self.day // 24

    def sums(self, ticks: int) -> F64:
        """Sums over the `ticks` that end with each tick, [n, ticks]; shorter at the beginning."""
        return sums(self.counts, ticks)

    def eligible(self, authors: int) -> npt.NDArray[np.bool_]:
        """Where a signal has so many authors in the day that ends with a tick, [n, ticks]."""
        return self.sums(self.day) >= authors


def sums(counts: F64, ticks: int) -> F64:
    """Sums along the last axis over the `ticks` that end with each."""
    total = np.cumsum(counts, axis=-1)
    total[..., ticks:] -= total[..., :-ticks].copy()
    return total


def before(values: F64, ticks: int) -> F64:
    """Values as they were so many ticks before; 0 where there was nothing."""
    moved = np.zeros_like(values)
    moved[..., ticks:] = values[..., :-ticks]
    return moved


@dataclass(frozen=True, slots=True)
class Counted:
    """The signals that ever have `authors` distinct authors within a day, sorted as in `Uses`."""

    authors: int
    signals: I64  # [n] rows of `Uses`
    kind: npt.NDArray[np.uint8]  # [n]
    bounds: I64  # [n + 1] uses of signal i are from bounds[i] on
    tick: I64  # [.]
    volume: F64  # [ticks] reels
    day: int

    def part(self, rows: slice) -> Series:
        """Return the counts of some of the signals."""
        signals = self.signals[rows]
        bounds = self.bounds[rows.start : rows.start + signals.size + 1]
        counts = np.zeros((signals.size, self.volume.size))
        at = np.repeat(np.arange(signals.size), np.diff(bounds))
        np.add.at(counts, (at, self.tick[bounds[0] : bounds[-1]]), 1.0)
        return Series(signals, self.kind[rows], counts, self.volume, self.day)


def counted(uses: Uses, authors: int = MIN_AUTHORS) -> Counted:
    """Count."""
    kept = authors_once(uses)
    signal = np.repeat(np.arange(uses.kind.size), np.diff(uses.bounds))[kept]
    tick = uses.tick[kept]
    last = authors - 1  # enough of them within a day somewhere
    dense = signal[last:] == signal[: signal.size - last]
    dense &= tick[last:] - tick[: tick.size - last] < uses.day
    chosen = np.unique(signal[last:][dense])
    place = np.full(uses.kind.size, -1)
    place[chosen] = np.arange(chosen.size)
    stays = place[signal] >= 0
    bounds = np.searchsorted(place[signal[stays]], np.arange(chosen.size + 1))
    return Counted(
        authors,
        chosen,
        uses.kind[chosen],
        bounds,
        tick[stays],
        uses.volume.astype(np.float64),
        uses.day,
    )
