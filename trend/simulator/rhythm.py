"""When people post: daily and weekly waves by region, surges, outages, and the shape of a burst.

Times are float64 seconds from the start of the stream; rates live on a grid of ten minutes.
"""

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from trend.simulator.draw import FloatArray, IntArray
from trend.simulator.words import REGIONS

GRID_SECONDS = 600
HOUR = 3600.0
DAY = 86_400.0
EVERYWHERE = -1

_WEEK = np.array([0.96, 0.94, 0.95, 0.98, 1.04, 1.12, 1.08])


@dataclass(frozen=True, slots=True)
class Surge:
    """A time when all regions post `factor` times as much. Seconds from the start."""

    start: float
    end: float
    factor: float


@dataclass(frozen=True, slots=True)
class Outage:
    """A time when nothing can be published; what was held back comes until `settled`."""

    start: float
    end: float
    settled: float

    def hold_back(self, times: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Move the times inside the outage behind it, most of them right behind."""
        later = self.end + (self.settled - self.end) * rng.random(len(times)) ** 2
        return np.where((times >= self.start) & (times < self.end), later, times)


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Rates of a stream.

    `noisy` (regions, cells) sums to 1: the share of ordinary reels in each cell. `wave`
    (regions + 1, cells) has mean 1 a row and no noise; its last row is all regions together.
    """

    seconds: float
    noisy: FloatArray
    wave: FloatArray
    surges: tuple[Surge, ...]
    outages: tuple[Outage, ...]

    def ordinary_times(self, rng: np.random.Generator, size: int) -> tuple[FloatArray, IntArray]:
        """Draw when and where `size` ordinary reels are posted: seconds, index of the region."""
        cells = np.repeat(np.arange(self.noisy.size), rng.multinomial(size, self.noisy.ravel()))
        region, cell = np.divmod(cells, self.noisy.shape[1])
        times = (cell + rng.random(size)) * GRID_SECONDS
        return times, region

    def burst(self, region: int, peak: float, doubling: float, halving: float) -> FloatArray:
        """Rate, per cell, of a burst: 1 / (2^(-x/doubling) + 2^(x/halving)), times the wave.

        Far before `peak` it doubles every `doubling` seconds, bends like a logistic curve, and
        then halves every `halving` seconds; x is shifted so that the maximum is at `peak`.
        """
        middle = (np.arange(self.wave.shape[1]) + 0.5) * GRID_SECONDS
        shift = np.log2(halving / doubling) / (1 / doubling + 1 / halving)
        x = np.clip(middle - peak + shift, -500 * doubling, 500 * halving)
        rate: FloatArray = self.wave[region] / (np.exp2(-x / doubling) + np.exp2(x / halving))
        return rate

    def linear(self, region: int, peak: float, rise: float, halving: float) -> FloatArray:
        """Rate, per cell, of what grows by as much every day for `rise` seconds and then halves."""
        middle = (np.arange(self.wave.shape[1]) + 0.5) * GRID_SECONDS
        growing = np.clip(1 + (middle - peak) / rise, 0, 1)
        rate: FloatArray = self.wave[region] * growing
        rate *= np.exp2(-np.maximum(middle - peak, 0) / halving)
        return rate


def draw_times(rng: np.random.Generator, rate: FloatArray, size: int) -> FloatArray:
    """Draw `size` sorted times from a rate per cell."""
    cumulative = np.cumsum(rate)
    cell = np.searchsorted(cumulative, rng.random(size) * cumulative[-1], side="right")
    return np.sort((np.minimum(cell, len(rate) - 1) + rng.random(size)) * GRID_SECONDS)


def local_weekday(times: FloatArray, start: datetime, offset_h: FloatArray) -> FloatArray:
    """Day of the week (0 is Monday, with its fraction) by the clocks of people at `offset_h`."""
    monday = (start.timestamp() - 4 * DAY) % (7 * DAY)  # 1970-01-05 was a Monday
    return ((monday + times + offset_h * HOUR) / DAY) % 7


def make_rhythm(rng: np.random.Generator, days: int, start: datetime) -> Rhythm:
    """Draw the rhythm of a stream: a surge every four days or so, an outage every twelve."""
    cells = int(days * DAY) // GRID_SECONDS
    middle: FloatArray = (np.arange(cells, dtype=np.float64) + 0.5) * GRID_SECONDS
    surges = []
    for slot in range(max(1, days // 4)):
        begin = (slot + rng.uniform(0.3, 0.9)) * days * DAY / max(1, days // 4)
        length, factor = rng.uniform(1.0, 4.0) * HOUR, rng.uniform(1.5, 2.5)
        surges.append(Surge(begin, min(begin + length, days * DAY), factor))
    outages = []
    for slot in range(max(1, days // 12)):
        begin = (slot + rng.uniform(0.5, 0.75)) * days * DAY / max(1, days // 12)
        end = begin + rng.uniform(1.0, 3.0) * HOUR
        outages.append(Outage(begin, end, end + rng.uniform(0.5, 1.0) * (end - begin)))

    platform = np.ones(cells)
    for surge in surges:
        platform[(middle >= surge.start) & (middle < surge.end)] *= surge.factor
    rows = []
    for region in REGIONS:
        week = local_weekday(middle, start, np.full(cells, region.utc_offset_h))
        angle = 2 * np.pi * week  # one turn a day
        daily = 1 + 0.55 * np.cos(angle - 2 * np.pi * 19.5 / 24) + 0.15 * np.cos(2 * angle)
        rows.append(region.share * daily * _WEEK[week.astype(np.int64)] * platform)
    rate = np.array(rows)
    wave = np.vstack([rate, rate.sum(axis=0)])
    wave /= wave.mean(axis=1, keepdims=True)

    # volume wanders for hours: a noise that forgets half in two hours, 6 % strong
    keep = 0.5 ** (GRID_SECONDS / (2 * HOUR))
    shocks = rng.normal(0.0, 0.06 * np.sqrt(1 - keep**2), rate.shape)
    wander = np.zeros(len(REGIONS))
    for cell in range(cells):
        wander = keep * wander + shocks[:, cell]
        rate[:, cell] *= np.exp(wander)
    return Rhythm(days * DAY, rate / rate.sum(), wave, tuple(surges), tuple(outages))
