"""Distinct authors of each signal by ticks of ten minutes, and sums of them over windows."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from benchmarks.rivals.uses import DAY, I64, Uses, authors_once

F64 = npt.NDArray[np.float64]
HOUR: Final = DAY // 24
"""Ticks an hour."""
MIN_AUTHORS: Final = 10
"""Distinct authors within a day below which nobody is alerted: ours is `min_authors`, too."""


@dataclass(frozen=True, slots=True)
class Series:
    """Counts of the signals that ever reach `MIN_AUTHORS`, or of some of them."""

    signals: I64  # [n] rows of `Uses`
    kind: npt.NDArray[np.uint8]  # [n]
    counts: F64  # [n, ticks] authors
    volume: F64  # [ticks] reels

    def sums(self, ticks: int) -> F64:
        """Sums over the `ticks` that end with each tick, [n, ticks]; shorter at the beginning."""
        return sums(self.counts, ticks)

    @property
    def eligible(self) -> npt.NDArray[np.bool_]:
        """Where a signal has `MIN_AUTHORS` in the day that ends with a tick, [n, ticks]."""
        return self.sums(DAY) >= MIN_AUTHORS

    def part(self, rows: slice) -> "Series":
        """Return some of the signals."""
        return Series(self.signals[rows], self.kind[rows], self.counts[rows], self.volume)


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


def series(uses: Uses) -> Series:
    """Count."""
    counted = authors_once(uses)
    signal = np.repeat(np.arange(uses.kind.size), np.diff(uses.bounds))[counted]
    tick = uses.tick[counted]
    kept = np.flatnonzero(np.bincount(signal, minlength=uses.kind.size) >= MIN_AUTHORS)
    row = np.full(uses.kind.size, -1)
    row[kept] = np.arange(kept.size)
    here = row[signal] >= 0
    at, when = row[signal[here]], tick[here]
    order = np.lexsort((when, at))
    at, when = at[order], when[order]
    last = MIN_AUTHORS - 1  # enough of them within a day somewhere
    dense = (at[last:] == at[:-last]) & (when[last:] - when[:-last] < DAY)
    chosen = np.unique(at[last:][dense])
    place = np.full(kept.size, -1)
    place[chosen] = np.arange(chosen.size)
    stays = place[at] >= 0
    counts = np.zeros((chosen.size, uses.ticks))
    np.add.at(counts, (place[at[stays]], when[stays]), 1.0)
    return Series(kept[chosen], uses.kind[kept[chosen]], counts, uses.volume.astype(np.float64))
