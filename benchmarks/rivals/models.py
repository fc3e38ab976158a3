"""Detectors of river, one a signal, fed hour by hour with the square root of its authors.

The square root makes the spread of a count the same whatever its size. Counts are scaled to the
stream's mean volume so far, so that nights and surges are none of theirs. Each takes and returns
what those of `counting` do; only signals that ever reach `MIN_AUTHORS` have a model.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from benchmarks.rivals.series import F64, Series, sums

MEMORY_H: Final = 7 * 24
"""Hours that models with a window remember."""
GRACE_H: Final = 24
LEAST_SPREAD: Final = 0.5
"""Of the square root of a Poisson variable, whatever its mean."""

Model = Callable[[list[float]], list[float]]


def _told(series: Series, window: int, model: Model) -> F64:
    """Scores of a model at the end of each hour, and nothing in between."""
    volume = np.maximum(sums(series.volume, window), 1.0)
    mean = np.cumsum(series.volume) * window / np.arange(1, series.volume.size + 1)
    values = np.sqrt(series.sums(window) / volume * mean)[:, series.hour - 1 :: series.hour]
    scores = np.full_like(series.counts, -np.inf)
    scores[:, series.hour - 1 :: series.hour] = np.array([model(row) for row in values.tolist()])
    return scores


def gaussian_scorer(series: Series, window: int) -> F64:
    """GaussianScorer over the last seven days: deviations above its mean.

    `score_one` grows with them, but is 1.0 in floating point for all that is far out.
    """
    from river.anomaly import GaussianScorer

    def model(values: list[float]) -> list[float]:
        scorer: Any = GaussianScorer(window_size=MEMORY_H, grace_period=GRACE_H)
        scores = []
        for value in values:
            fitted = scorer.gaussian
            spread = max(abs(fitted.sigma), LEAST_SPREAD)  # complex, of a rounded -0
            scores.append((value - fitted.mu) / spread if fitted.n_samples >= GRACE_H else 0.0)
            scorer.learn_one(None, value)
        return scores

    return _told(series, window, model)


def adwin(series: Series, window: int) -> F64:
    """ADWIN: at a drift upwards, how far its mean moved."""
    from river.drift import ADWIN

    def model(values: list[float]) -> list[float]:
        detector: Any = ADWIN(delta=0.1, clock=1, grace_period=GRACE_H, min_window_length=3)
        scores = []
        for value in values:
            was = detector.estimation
            detector.update(value)
            scores.append(detector.estimation - was if detector.drift_detected else 0.0)
        return scores

    return _told(series, window, model)


def page_hinkley(series: Series, window: int) -> F64:
    """PageHinkley, upwards: the sum that it holds against its threshold."""
    from river.drift import PageHinkley

    def model(values: list[float]) -> list[float]:
        detector: Any = PageHinkley(
            min_instances=GRACE_H, delta=0.25, threshold=float("inf"), alpha=0.99, mode="up"
        )
        scores = []
        for value in values:
            detector.update(value)
            scores.append(detector._sum_increase - detector._min_increase)
        return scores

    return _told(series, window, model)


def half_space_trees(series: Series, window: int) -> F64:
    """HalfSpaceTrees on the value and its change in an hour; falls do not count."""
    from river.anomaly import HalfSpaceTrees

    def model(values: list[float]) -> list[float]:
        trees: Any = HalfSpaceTrees(n_trees=8, height=6, window_size=GRACE_H, seed=1)
        scores, mean, before = [], 0.0, 0.0
        for count, value in enumerate(values, 1):
            mean += (value - mean) / count
            # both within 0 to 1, as the trees want it, with their middle for what is usual
            x = {"value": value / (value + 3.0), "change": 0.5 + np.tanh((value - before) / 4) / 2}
            before = value
            scores.append(trees.score_one(x) if value > mean else 0.0)
            trees.learn_one(x)
        return scores

    return _told(series, window, model)
