"""What is to come of a trend: its reels in each of the next 24 hours, with an interval.

The level a and the growth b of the last hours are those of a log-linear Poisson regression on the
reels y of each hour, with e the platform's volume in it over the mean, s hours before now, and the
weight 0.5^(s / half-life):

    y ~ Poisson(e^RHYTHM * exp(a - b s)),   b ~ N(GROWTH[stage], GROWTH_SD^2)

s hours from now what is above the expectation has changed by exp(g), x = b s:

    falling  g = x
    rising   g = c (1 - exp(-x / c)) - TURN u^2 / (1 + u),   u = max(x - c, 0),   c = CEILING

so a rise is damped, and turns the sooner the faster it was. e is then that of the same hours a day
ago, smoothed. The interval is that of a negative binomial whose dispersion has what the regression
leaves open of a and b, and a random walk; its quantiles are those of the gamma distribution of the
same mean and variance, by Wilson and Hilferty's cube root, rounded to whole reels.

The constants are fitted on simulated streams (`python -m benchmarks.forecast` tells how good they
are on others).

Sources: Gardner & McKenzie (1985) for damped trends; Wilson & Hilferty (1931).
"""

import math
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from trend.compiled import kernel
from trend.layout import I64, Int
from trend.stages import STAGES

F64 = npt.NDArray[np.float64]

AHEAD_H: Final = 24
COVERAGE: Final = 0.8
"""Share of hours whose reels are to be in the interval."""
QUANTILE: Final = 1.2815515655446004
"""Of the standard normal distribution at (1 + COVERAGE) / 2."""
DAY_H: Final = 24
RHYTHM_H: Final = DAY_H + 1
BUSIEST: Final = 4.0
"""Volume of an hour over the mean at most, and under it at most: more is a surge or an outage."""

RHYTHM: Final = 0.7
"""How far reels follow the platform's volume: not all trends are of the whole platform."""
ENOUGH_REELS: Final = 6.0
"""The half-life of what is looked at is the time in which so many came,"""
SHORTEST_H: Final = 2.0
"""at least this,"""
LONGEST_H: Final = 6.0
"""and at most this."""
GROWTH: Final = (-0.01, -0.05, -0.09, -0.03)
"""Mean of b by stage, an hour."""
GROWTH_SD: Final = 0.03
CEILING: Final = 0.05
TURN: Final = 2.5
DRIFT: Final = 0.2
"""Variance of the logarithm in any hour ahead, beside what the regression leaves open,"""
DRIFT_H: Final = 0.022
"""and for each hour until then."""
WIDEST: Final = 3.0
"""Variance over the squared mean, at most."""
_STEPS: Final = 6
_LITTLE: Final = 0.1
_TINY: Final = 1e-9


class Forecast(NamedTuple):
    """Reels of hours to come."""

    first_hour: int
    """Since 1970; the first that begins after the tick it was made at."""
    reels: F64  # [AHEAD_H, 3] median, low and high; low and high are whole


def rhythm(volume: I64, into: int, ticks_per_hour: int) -> F64:
    """Return the platform's volume in the current hour and those of the day before, over the mean.

    Args:
        volume: reels of the platform in each tick, newest first, int64[into + 24 hours]; 0 where it
            is not known.
        into: ticks of the current hour so far, >= 1.

    Returns:
        float64[RHYTHM_H], the current hour first; 1 where nothing is known.

    Example:
        >>> rhythm(np.array([5] * 6 + [2, 2, 2] * 24), into=6, ticks_per_hour=3)[:3].round(2)
        array([2.36, 0.94, 0.94])
    """
    hours = np.empty(RHYTHM_H)
    hours[0] = volume[:into].sum() * ticks_per_hour / into
    hours[1:] = volume[into:].reshape(DAY_H, ticks_per_hour).sum(axis=1)
    known = hours > 0
    mean = hours.sum() / max(np.count_nonzero(known), 1)
    hours[~known] = max(mean, 1.0)
    relative: F64 = np.clip(hours / max(mean, 1.0), 1 / BUSIEST, BUSIEST)
    return relative


def forecast(
    series: list[tuple[int, int, float]], stage: str, beat: F64, tick: int, ticks_per_hour: int
) -> Forecast:
    """Return what is to come of a trend, as far as is known at the end of a tick.

    Args:
        series: hours with their reels and expected reels, oldest first, at least one; the last may
            be the one that the tick is in.
        stage: of `trend.stages`.
        beat: of `rhythm` at the tick.
    """
    hours = np.array(series)
    now = tick // ticks_per_hour
    reels = np.empty((AHEAD_H, 3))
    into = (tick % ticks_per_hour + 1) / ticks_per_hour
    at = STAGES.index(stage)
    _forecast(now - hours[:, 0], hours[:, 1], hours[:, 2].mean(), beat, into, GROWTH[at], reels)
    return Forecast(now + 1, reels)


@kernel
def _forecast(
    ago: F64, reels: F64, expected: float, beat: F64, into: float, prior: float, ahead: F64
) -> None:
    """Fill `ahead` from the reels of the hours that began so many hours before the current one."""
    half = _half_life(ago, reels, into)
    a, b, variance_a, covariance, variance_b = _fit(ago, reels, beat, into, prior, half)
    level = math.exp(a)
    least = min(expected, level)
    for h in range(AHEAD_H):
        s = h + 1.5 - into
        g, slope = _change(b, s)
        same = DAY_H - 1 - h
        near = beat[same - 1] if same > 0 else beat[DAY_H - 1]
        busy = (0.25 * near + 0.5 * beat[same] + 0.25 * beat[same + 1]) ** RHYTHM
        middle = busy * (least + (level - least) * math.exp(g))
        variance = variance_a + (2.0 * covariance + variance_b * slope) * slope
        spread = min(math.exp(min(variance + DRIFT + DRIFT_H * s, 3.0)) - 1.0, WIDEST)
        mean = max(middle, _TINY) / (1.0 - spread / 9.0) ** 3
        _quantiles(mean, spread, ahead, h)


@kernel
def _half_life(ago: F64, reels: F64, into: float) -> float:
    """Return the time in which the last reels came, if they are enough, within bounds."""
    seen = 0.0
    for i in range(ago.size - 1, -1, -1):
        seen += reels[i]
        if seen >= ENOUGH_REELS:
            return min(max(ago[i] + into, SHORTEST_H), LONGEST_H)
    return LONGEST_H


@kernel
def _fit(
    ago: F64, reels: F64, beat: F64, into: float, prior: float, half: float
) -> tuple[float, float, float, float, float]:
    """Return a, b, and their variances with the covariance between: by Newton's method."""
    total = weights = _LITTLE
    for i in range(ago.size):
        weight = 0.5 ** (ago[i] / half)
        total += weight * reels[i]
        weights += weight * (into if ago[i] == 0 else 1.0)
    a, b = math.log(total / weights), prior
    precision = 1.0 / GROWTH_SD**2
    aa = bb = 1.0
    ab = 0.0
    for _ in range(_STEPS):
        slope_a, slope_b = 0.0, -precision * (b - prior)
        aa, ab, bb = 1e-3, 0.0, precision
        for i in range(ago.size):
            s, exposure = 0.5 * into, into
            hour = np.int64(ago[i])
            if hour > 0:
                s, exposure = ago[i] - 0.5 + into, 1.0
            if hour > DAY_H:
                hour = (hour - 1) % DAY_H + 1
            mean = exposure * beat[hour] ** RHYTHM * math.exp(min(a - b * s, 20.0))
            weight = 0.5 ** (ago[i] / half)
            slope_a += weight * (reels[i] - mean)
            slope_b -= weight * (reels[i] - mean) * s
            aa += weight * mean
            ab -= weight * mean * s
            bb += weight * mean * s * s
        determinant = aa * bb - ab * ab
        a += min(max((bb * slope_a - ab * slope_b) / determinant, -1.0), 1.0)
        b += min(max((aa * slope_b - ab * slope_a) / determinant, -0.2), 0.2)
    determinant = aa * bb - ab * ab
    return a, b, bb / determinant, -ab / determinant, aa / determinant


@kernel
def _change(b: float, s: float) -> tuple[float, float]:
    """Return how much the logarithm changes in s hours, and by how much more if b were larger."""
    x = b * s
    if x <= 0.0:
        return x, s
    damped = math.exp(-x / CEILING)
    over = max(x - CEILING, 0.0)
    return CEILING * (1.0 - damped) - TURN * over * over / (1.0 + over), s * damped


@kernel
def _quantiles(mean: float, spread: float, ahead: F64, h: Int) -> None:
    """Write median, low and high of a count of variance mean + spread * mean^2."""
    shape = mean / (1.0 + mean * spread)
    bend, width = 1.0 - 1.0 / (9.0 * shape), QUANTILE / (3.0 * math.sqrt(shape))
    middle = round(mean * max(bend, 0.0) ** 3, 1)
    ahead[h, 0] = middle
    ahead[h, 1] = min(
        max(math.ceil(mean * max(bend - width, 0.0) ** 3 - 0.5), 0.0), math.floor(middle)
    )
    ahead[h, 2] = max(math.ceil(mean * max(bend + width, 0.0) ** 3 - 0.5), math.ceil(middle))
