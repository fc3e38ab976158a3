"""Will it take off? What is seen of a cascade while it is small, and what such cascades came to.

A cascade *takes off* when it reaches so many reels (`size_of`). Most never do. How likely it is:

    s    log-odds of boosted trees (`trend.trees`) over `FEATURES` without engagement, fitted on
         simulated streams
    e    what trees over all of them add to that, at most `BOUND` either way; 0 where the reels say
         nothing of engagement
    P    a logistic regression on both, whose coefficients move with every cascade that ended in
         this stream (`Learner`)

A trend is told when P passes a threshold (`trend.learner`), or when it surely bursts (`CERTAIN`)
and is large already (`is_large`), or four times as large where engagement makes P less than
`UNLIKELY`: the shape of its growth alone is no reason to doubt what is large.

Source: Cheng et al., "Can cascades be predicted?" (2014), for what tells.
"""

import math
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from trend.engagement import UNKNOWN, lift
from trend.homes import apart
from trend.known import Seen, Usual
from trend.trees import Trees, log_odds

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]

FEATURES: Final = (
    "authors",  # log of those of the last day
    "excess",  # log of their number over the expected one
    "expected",  # log of that
    "age_0",  # log of the hours, of the platform's mean volume, since the newest author came
    "age_10",  # the same since a tenth of the authors had still to come, and so on
    "age_25",
    "age_50",
    "age_75",
    "age_100",
    "most_of_one",  # share of the reels that one author has
    "reels_an_author",
    "signals",  # that rise together, up to 8
    "second",  # reels of the second-largest of them over those of the largest
    "age",  # log of the hours since the first use in the burst
    "day_before",  # log of the reels a day ago over those of the last day
    "together",  # 1: they are people who bring known signals together
    "reach",  # how many more see its reels than is usual, in standard deviations; 0: not known
    "passed_on",  # how many more pass them on, in the same way
    "region",  # how far from the platform's its reels' regions are; 0: not known
    "language",  # the same of their languages
    "given",  # share of its people whose reel says how it does
)
"""What is seen of a cascade. Platform hours leave out of it what nights, surges and outages do."""

ENGAGEMENT: Final = tuple(map(FEATURES.index, ("reach", "passed_on", "given")))
"""Columns that only the second trees look at."""
GIVEN: Final = 0.5
"""Share of its people from which on engagement says something."""
BOUND: Final = 3.5
"""Log-odds that engagement adds or takes at most: how much more it tells than that the stream must
show (`trend.learner`), as simulated streams are no proof of it."""
CERTAIN: Final = 0.01
"""Only what bursts at this false-discovery rate is told for its size alone."""
UNLIKELY: Final = 0.05
FAR_LARGER: Final = 4.0
"""What is so unlikely, engagement known, must be so many times as large to be told for that."""
QUANTILES: Final = np.array([0.0, 0.1, 0.25, 0.5, 0.75, 1.0])
SIZE: Final = 64
"""Reels of something that took off, on a large platform."""
SHARE: Final = 0.01
"""Share of the platform's reels of a day from which on anything small has taken off."""
LEAST: Final = 10
"""Reels that anything has then, and people that phrases alone need to be large, on any platform: a
headline that few repeat has many phrases."""
LARGE: Final = 4 * SIZE
"""Authors of a day from which on anything has taken off."""
HORIZON_H: Final = 72
"""Hours after it was first asked about that it is settled whether a cascade took off."""
STEP: Final = 1.15
"""It is asked again whether a cascade takes off when its authors have grown by this."""


def size_of(volume: float) -> float:
    """Return from how many reels a day on something has taken off.

    Args:
        volume: reels of the platform in a day.

    Example:
        >>> size_of(24_000), size_of(2_000), size_of(20)
        (64.0, 20.0, 10.0)
    """
    return min(float(SIZE), max(float(LEAST), SHARE * volume))


class Prior(NamedTuple):
    """What is known of cascades before a stream."""

    trees: Trees
    engaged: Trees
    """What to add where engagement is known."""


def is_given(x: F64) -> bool:
    """Say whether enough of a cascade's reels say how they do, by its `FEATURES`."""
    return bool(x[ENGAGEMENT[-1]] >= GIVEN)


def said(prior: Prior, x: F64) -> tuple[float, float]:
    """Return the log-odds s of `FEATURES`, float64[21], and what engagement adds to them, e."""
    more = log_odds(prior.engaged, x) if is_given(x) else 0.0
    return log_odds(prior.trees, x), min(max(more, -BOUND), BOUND)


def is_large(authors: float, hourly: float, volume: float) -> bool:
    """Say whether something is large already, however it came to be so.

    Args:
        authors: of a day.
        hourly: authors an hour of late.
        volume: reels of the platform in a day.

    Example:
        >>> is_large(20, 4.0, 1e5), is_large(70, 70.0, 1e5), is_large(20, 4.0, 2_000)
        (False, True, True)
    """
    return authors >= min(float(LARGE), SHARE * volume) or hourly >= SIZE


def features(
    seen: Seen,
    usual: Usual,
    volume: I64,
    ticks_per_hour: int,
    expected: float,
    signals: list[int],
    age_h: float,
    day_before: float,
    together: bool,
) -> F64:
    """Return `FEATURES` of a cascade, float64[21].

    Args:
        seen: the reels of its last day; `ticks` are counted back from now: 0 is the newest.
        usual: how the platform's reels are.
        volume: reels of the platform in each tick, int64[m], newest first.
        expected: authors in a day.
        signals: sizes of the samples of reels of the signals that rise together.
        age_h: since the first use in the burst.
        day_before: reels a day ago over those of the last day.
    """
    ages, most, first = _ages(seen.ticks, seen.authors, volume, ticks_per_hour)
    n = max(ages.size, 1)
    marks = _quantiles(ages, QUANTILES) if ages.size else np.full(QUANTILES.size, 24.0)
    engaged = seen.engaged[first]
    largest = sorted(signals, reverse=True)
    return np.array(
        [
            math.log(n),
            math.log(n / max(expected, 0.4)),
            math.log(max(expected, 0.4)),
            *np.log(marks + 0.25),
            most / max(seen.authors.size, 1),
            seen.authors.size / n,
            min(len(signals), 8),
            largest[1] / max(largest[0], 1) if len(largest) > 1 else 0.0,
            math.log(max(age_h, 0.0) + 0.5),
            math.log(day_before + 0.01),
            float(together),
            *lift(engaged, usual.engaged),
            *apart(seen.homes[first], usual.homes),
            np.count_nonzero((engaged != UNKNOWN).all(axis=1)) / n,
        ]
    )


@njit(cache=True)
def _ages(ticks: I64, authors: U64, volume: I64, ticks_per_hour: int) -> tuple[F64, int, I64]:
    """Return how long ago each author came first, in hours of the mean volume, ascending.

    Also the reels of the most frequent author, and the first reel of each, in the order of the
    authors; of several of one tick the one that stands last.
    """
    total, used = np.int64(0), np.int64(0)
    for reels in volume:
        total += reels
        used += np.int64(reels > 0)
    hourly = max(total * ticks_per_hour / max(used, np.int64(1)), 1.0)
    middle = np.empty(volume.size)
    until = np.int64(0)
    for tick in range(volume.size):
        until += volume[tick]
        middle[tick] = (until - volume[tick] / 2) / hourly
    order = np.argsort(authors)
    ages = np.empty(order.size)
    first = np.empty(order.size, np.int64)
    count = most = at = 0
    while at < order.size:
        start = at
        oldest = order[at]
        while at < order.size and authors[order[at]] == authors[order[start]]:
            if (ticks[order[at]], order[at]) > (ticks[oldest], oldest):
                oldest = order[at]
            at += 1
        ages[count] = middle[min(ticks[oldest], middle.size - 1)]
        first[count] = oldest
        count += 1
        most = max(most, at - start)
    return np.sort(ages[:count]), most, first[:count]


@njit(cache=True)
def _quantiles(ascending: F64, shares: F64) -> F64:
    """Return what `numpy.quantile` does of values in order, at least one."""
    found = np.empty(shares.size)
    last = ascending.size - 1
    for i in range(shares.size):
        place = last * shares[i]
        low = np.int64(place)
        share = place - low
        a, b = ascending[low], ascending[min(low + np.int64(1), np.int64(last))]
        found[i] = b - (b - a) * (1 - share) if share >= 0.5 else a + (b - a) * share
    return found
