"""Rivals that need no more than counts. A score is the higher, the more it speaks for a trend.

Each takes `Series` and the window in ticks that it sums over, and returns float64[n, ticks]; the
score at a tick uses that tick and those before it.

References
----------
Schubert, Weiler, Kriegel 2014, "SigniTrend".
Hendrickson and others 2015, "Trend Detection in Social Data" (Gnip): Poisson model, point by point.
Mastodon, app/models/trends/tags.rb: the formula.
Kleinberg 2002, "Bursty and Hierarchical Structure in Streams": two states, batched.
Hochenbaum, Vallis, Kejariwal 2017, "Automatic Anomaly Detection in the Cloud Via Statistical
Learning": S-H-ESD.
"""

from typing import Final

import numpy as np
from scipy.special import chdtri

from benchmarks.rivals.series import F64, Series, before, sums

BURST_RATE: Final = 2.0
"""Kleinberg's s: the burst's rate over the usual one."""
SEASONS: Final = 7
"""Days of which S-H-ESD takes the median at an hour of the day."""
_RISING: Final = 1e-9


def moving_average(series: Series, window: int) -> F64:
    """The mean of three days over that of fourteen, or of as many as there were.

    One author a day is added to both: without, all that is new would tie. `window` plays no part.
    """
    age = np.arange(1, series.volume.size + 1) / series.day
    short = series.sums(3 * series.day) / np.minimum(age, 3)
    long = series.sums(14 * series.day) / np.minimum(age, 14)
    return (short + 1) / (long + 1)


def signitrend(series: Series, window: int, half_life: float = 2.0) -> F64:
    """Deviations of a window's share from its moving mean: (x - max(mean, b)) / (sqrt(var) + b).

    Mean and variance move once a window, with a half-life in days; b is three authors of the mean
    volume of a window.
    """
    volume = np.maximum(sums(series.volume, window), 1.0)
    share = series.sums(window) / volume
    forget = 1 - 0.5 ** (window / (half_life * series.day))
    known = np.cumsum(series.volume) * window / np.arange(1, series.volume.size + 1)
    bias = 3.0 / np.maximum(known, 1.0)
    mean, variance = np.zeros(len(share)), np.zeros(len(share))
    scores = np.zeros_like(share)
    for start in range(window, series.volume.size, window):
        # the windows that end in this stretch are judged by what was known a window before it
        stop = min(start + window, series.volume.size)
        here = slice(start, stop)
        level = np.maximum(mean[:, None], bias[here])
        scores[:, here] = (share[:, here] - level) / (np.sqrt(variance)[:, None] + bias[here])
        change = share[:, start - 1] - mean
        mean = mean + forget * change
        variance = (1 - forget) * (variance + forget * change**2)
    return scores


def poisson(series: Series, window: int) -> F64:
    """Gnip's: authors above the mean, over the width of the mean's confidence interval.

    The mean is of the seven days before the window, the interval that of a Poisson variable at
    99.9 %: half the quantile of a chi-square with 2 (mean + 1) degrees of freedom.
    """
    x = series.sums(window)
    age = np.arange(1, series.volume.size + 1)
    past = before(series.sums(7 * series.day), window)
    windows = np.minimum(np.maximum(age - window, 1), 7 * series.day) / window
    mean = past / windows
    width = chdtri(2 * (mean + 1), 0.001) / 2 - mean
    return (x - mean) / width


def mastodon(series: Series, window: int) -> F64:
    """The (observed - expected)^2 / expected of the accounts of a day and of the day before.

    Nothing below an expectation; an expectation of none counts as one. Its halving every 4 hours
    moves places in a list and begins nothing; its 2 days without another are everybody's here.
    `window` is that day.
    """
    observed = series.sums(window)
    expected = before(observed, window)
    expected = np.where(expected > 0, expected, 1.0)
    return np.where(observed >= expected, (observed - expected) ** 2 / expected, 0.0)


def kleinberg(series: Series, window: int) -> F64:
    """How much cheaper the state of a burst is, since it began, by Viterbi's forward pass.

    In each window the state costs the binomial's logarithm at its rate, and the burst's rate is
    twice the usual: that of all before, in doubt half an author. The price of entering the burst
    is the threshold.
    """
    counts, volume = series.sums(window), sums(series.volume, window)
    past, seen = np.cumsum(series.counts, axis=1), np.cumsum(series.volume)
    ticks = np.arange(1, series.volume.size + 1)
    least = np.maximum(seen / ticks, 1.0)
    past, seen = before(past, series.day), before(seen, series.day)  # the last day may be the burst
    usual = np.clip((past + 0.5) / np.maximum(seen, least), 1e-9, 0.4)
    gain = counts * np.log(BURST_RATE) + (volume - counts) * (
        np.log1p(-BURST_RATE * usual) - np.log1p(-usual)
    )
    scores = np.zeros_like(counts)
    saved = np.zeros((len(counts), window))
    for tick in range(counts.shape[1]):  # as many automata as a window has ticks, in turn
        turn = tick % window
        saved[:, turn] = np.maximum(saved[:, turn] + gain[:, tick], 0.0)
        scores[:, tick] = saved[:, turn]
    return scores


def s_h_esd(series: Series, window: int) -> F64:
    """How far a window is from the season's median, over the median absolute deviation.

    The season is the same time of the seven days before; the deviations are those of the last
    day's windows. A deviation below one and a half authors counts as that.
    """
    x = series.sums(window)
    ticks = x.shape[1]
    scores = np.zeros_like(x)
    for tick in range(series.day, ticks):
        days = [
            tick - day * series.day for day in range(1, SEASONS + 1) if tick >= day * series.day
        ]
        scores[:, tick] = x[:, tick] - np.median(x[:, days], axis=1)
    residual = scores.copy()
    for tick in range(series.day, ticks, series.hour):
        here = slice(tick, min(tick + series.hour, ticks))
        first = max(tick - 7 * series.day, 0)
        recent = residual[:, first : tick : series.hour]
        middle = np.median(recent, axis=1)
        spread = 1.4826 * np.median(np.abs(recent - middle[:, None]), axis=1)
        scores[:, here] = (residual[:, here] - middle[:, None]) / np.maximum(spread, 1.5)[:, None]
    return scores


def top(series: Series, window: int) -> F64:
    """Authors of the window: the biggest."""
    noise = np.random.default_rng(0).random(len(series.counts))  # of equals one comes first
    return series.sums(window) + _RISING * noise[:, None]


def at_random(series: Series, window: int) -> F64:
    """Any number, drawn once a window."""
    rng = np.random.default_rng(1)
    drawn = rng.random((-(-series.volume.size // window), len(series.counts))).T
    return np.repeat(drawn, window, axis=1)[:, : series.volume.size]
